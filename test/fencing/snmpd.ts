/** A real snmpd on this machine, with a fake switch behind it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const HELPER = fileURLToPath(new URL('./pass-persist.js', import.meta.url));

export interface Snmpd {
  readonly port: number;
  /** Outlets without current. */
  readonly dark: () => readonly string[];
  readonly close: () => Promise<void>;
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address() as AddressInfo;
  socket.close();
  await once(socket, 'close');
  return port;
}

export interface SnmpdOptions {
  readonly profile: string;
  readonly tree: string;
  readonly objectId: string;
  readonly delayMs?: number;
  readonly faults?: string;
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** Starts it, and waits until it listens. */
export async function startSnmpd(folder: string, options: SnmpdOptions): Promise<Snmpd> {
  const { profile, tree, objectId, delayMs = 20, faults = '' } = options;
  const port = await freePort();
  const relays = join(folder, 'relays');
  const persistent = join(folder, 'persistent');
  mkdirSync(persistent);
  writeFileSync(relays, '');
  const helper = `${process.execPath} ${HELPER} ${profile} ${relays} ${delayMs} ${faults}`;
  const conf = [
    `agentaddress udp:127.0.0.1:${port}`,
    'rocommunity public 127.0.0.1',
    'rwcommunity private 127.0.0.1',
    'createUser sha SHA authpass8 AES privpass8',
    'createUser sha256 SHA-256 authpass8 AES privpass8',
    'createUser reader SHA authpass8 AES privpass8',
    'rwuser sha authPriv',
    'rwuser sha256 authPriv',
    'rouser reader authPriv',
    `sysObjectID .${objectId}`,
    `pass_persist .${tree} ${helper.trim()}`,
  ];
  const file = join(folder, 'snmpd.conf');
  writeFileSync(file, `${conf.join('\n')}\n`, { mode: 0o600 });
  const log = join(folder, 'log');
  const args = ['-f', '-C', '-c', file, '-Lf', log, '-r', '-I-hr_system,hrh_storage,hw_mem'];
  const child = spawn('/usr/sbin/snmpd', args, {
    env: { SNMP_PERSISTENT_DIR: persistent, MIBS: '' },
    stdio: 'ignore',
  });
  child.on('error', () => undefined);
  for (let tries = 0; tries < 200; tries += 1) {
    let text = '';
    try {
      text = readFileSync(log, 'utf8');
    } catch {
      // Not there yet.
    }
    if (text.includes('NET-SNMP version')) break;
    await wait(50);
  }
  return {
    port,
    dark: () =>
      readFileSync(relays, 'utf8')
        .split(' ')
        .filter((one) => one !== ''),
    close: () => stopped(child),
  };
}
