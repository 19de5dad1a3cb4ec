/** Small helps for servers of the lab on this host's loopback and in its run folder. */
import type { ChildProcess } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const START_MS = 20_000;

export function listen(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Takes a UDP port and answers nothing on it: a device without power. */
export function holdUdpPort(port = 0): Promise<Socket> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, '127.0.0.1', () => resolve(socket));
  });
}

export async function freeUdpPort(): Promise<number> {
  const socket = await holdUdpPort();
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

/** True when some process has this UDP port of the loopback: proc(5), /proc/net/udp. */
function isUdpTaken(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const ends = new RegExp(`^\\s*\\d+: (?:0100007F|00000000):${hex} `, 'mu');
  return ends.test(readFileSync('/proc/net/udp', 'utf8'));
}

export async function untilUdp(port: number, child: ChildProcess): Promise<void> {
  const end = Date.now() + START_MS;
  while (!isUdpTaken(port)) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`${child.spawnargs.join(' ')} ended with ${child.exitCode}`);
    if (Date.now() > end) throw new Error(`nothing took UDP port ${port}`);
    await pause(20);
  }
}

export function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}
