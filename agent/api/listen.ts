/**
 * Where the API listens: a TCP address and a unix socket. An agent that was just killed lets go of both a
 * moment late, so a place in use is tried again for a while; whatever stays wrong is said in one sentence
 * with what to do about it. A socket file that nobody answers on is left from a dead agent and removed.
 */
import { lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { SOCKET_NAME, SOCKET_PATH_BYTES_MAX } from '../config/defaults.ts';
import { errnoOf } from '../ports/errno.ts';
import { isAnswered } from '../ports/exclusive.ts';

const RETRY_EVERY_MS = 100;
const RUN_DIR_MODE = 0o755;

/** Trouble whose message is meant for the operator. */
export class ListenError extends Error {}

/** Host and port as people write them: `[::1]:9974`. */
export function addressText(listen: { readonly host: string; readonly port: number }): string {
  return `${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${listen.port}`;
}

function tcpTrouble(address: string, code: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `${address} is in use: stop the other program or set listen: in the configuration`;
    case 'EACCES':
      return `${address}: permission denied: set listen: to a port above 1023 in the configuration`;
    case 'EADDRNOTAVAIL':
      return `${address}: this machine has no such address: correct listen: in the configuration`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${address}: the host name is not known: set listen: to an address in the configuration`;
    default:
      return `${address}: cannot listen (${code}): correct listen: in the configuration`;
  }
}

/** Clears the way for the socket; false when a live agent holds it. */
async function clearSocket(path: string): Promise<boolean> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return true;
  if (!stats.isSocket()) throw new ListenError(`${path} exists and is no socket: remove it`);
  if (await isAnswered(path)) return false;
  unlinkSync(path);
  return true;
}

async function listenTcp(
  build: () => FastifyInstance,
  listen: { readonly host: string; readonly port: number },
): Promise<FastifyInstance | string> {
  const app = build();
  try {
    await app.listen(listen);
    return app;
  } catch (error) {
    await app.close();
    const why = tcpTrouble(addressText(listen), errnoOf(error));
    if (errnoOf(error) === 'EADDRINUSE') return why;
    throw new ListenError(why);
  }
}

async function listenSocket(
  build: () => FastifyInstance,
  path: string,
): Promise<FastifyInstance | string> {
  const busy = `${path}: another nospof is already running and answers: stop it first`;
  try {
    if (!(await clearSocket(path))) return busy;
    const app = build();
    await app.listen({ path });
    return app;
  } catch (error) {
    if (error instanceof ListenError) throw error;
    const code = errnoOf(error);
    if (code === 'EADDRINUSE') return busy;
    throw new ListenError(
      `${path}: cannot make the socket (${code}): run the agent as root, or give it a run directory it may write to`,
    );
  }
}

/** Tries until it listens; a place still in use after the patience is an error. */
async function patiently(
  attempt: () => Promise<FastifyInstance | string>,
  patienceMs: number,
): Promise<FastifyInstance> {
  const triesMax = Math.ceil(patienceMs / RETRY_EVERY_MS);
  for (let tries = 0; ; tries += 1) {
    const outcome = await attempt();
    if (typeof outcome !== 'string') return outcome;
    if (tries >= triesMax) throw new ListenError(outcome);
    await wait(RETRY_EVERY_MS);
  }
}

/** Listens on TCP. Throws a ListenError that says what is wrong and how to mend it. */
export function openTcp(
  build: () => FastifyInstance,
  listen: { readonly host: string; readonly port: number },
  patienceMs: number,
): Promise<FastifyInstance> {
  return patiently(() => listenTcp(build, listen), patienceMs);
}

/** Listens on `RUNDIR/nospof.sock`, mode 0600 from its first moment by the process's umask. */
export async function openSocket(
  build: () => FastifyInstance,
  runDir: string,
  patienceMs: number,
): Promise<FastifyInstance> {
  const path = join(runDir, SOCKET_NAME);
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw new ListenError(
      `${path}: longer than a socket's path may be (${SOCKET_PATH_BYTES_MAX} bytes): choose a shorter run directory`,
    );
  }
  try {
    mkdirSync(runDir, { recursive: true, mode: RUN_DIR_MODE });
  } catch (error) {
    throw new ListenError(
      `${runDir}: cannot make the run directory (${errnoOf(error)}): run the agent as root, or give it one it may write to`,
    );
  }
  process.umask(0o177);
  return patiently(() => listenSocket(build, path), patienceMs);
}
