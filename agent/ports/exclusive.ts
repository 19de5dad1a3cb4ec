/**
 * A claim that one process of this machine holds at a time, by listening on a socket in the run folder. The
 * kernel lets go of it with the process, however that ends; a socket that nobody answers on is a dead one's.
 */
import { lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { SOCKET_PATH_BYTES_MAX } from '../config/defaults.ts';
import { errnoOf } from './errno.ts';

export type Claim =
  | { readonly ok: true; readonly release: () => Promise<void> }
  | { readonly ok: false; readonly why: string };

const ANSWER_MS = 1_000;

/** Does anybody answer on the socket? A refusal or a missing file means no; anything else may be yes. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(ANSWER_MS, () => end(true));
    socket.once('connect', () => end(true));
    socket.once('error', (error) => end(!['ECONNREFUSED', 'ENOENT'].includes(errnoOf(error))));
  });
}

function listen(path: string): Promise<Claim | { readonly code: string }> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => resolve({ code: errnoOf(error) }));
    server.listen(path, () => {
      server.unref();
      resolve({
        ok: true,
        release: () => new Promise((closed) => server.close(() => closed())),
      });
    });
  });
}

/** `name` is safe in a path. */
export async function claim(runDir: string, name: string): Promise<Claim> {
  const path = join(runDir, `${name}.claim`);
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    return { ok: false, why: `${path} is too long for a socket: choose a shorter run folder` };
  }
  try {
    mkdirSync(runDir, { recursive: true, mode: 0o755 });
    const first = await listen(path);
    if (!('code' in first)) return first;
    if (first.code !== 'EADDRINUSE') return { ok: false, why: `${path}: ${first.code}` };
    if (lstatSync(path).isSocket() && !(await isAnswered(path))) {
      unlinkSync(path);
      const second = await listen(path);
      if (!('code' in second)) return second;
    }
    return { ok: false, why: 'another process is at it' };
  } catch (error) {
    return { ok: false, why: `${path}: ${errnoOf(error)}` };
  }
}
