/**
 * Asks the agent of this node over its unix socket: finds the socket, sends one request, and says in
 * one line why there is no answer. Not used by the agent itself.
 */
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { SOCKET_NAME, SYSTEM_FOLDERS, surroundings } from '../config/defaults.ts';
import { formatProblems } from '../config/problems.ts';
import { loadCollectors } from '../units.ts';
import type { ParsedArgs } from './args.ts';

const DEADLINE_MS = 10_000;
const ANSWER_BYTES_MAX: number = 64 * 1024 * 1024;

export type Answer =
  | { readonly ok: true; readonly status: number; readonly body: string }
  | { readonly ok: false; readonly message: string };

export type Socket =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly message: string };

async function configured(file: string | undefined): Promise<Socket> {
  const { loadConfig } = await import('../config/load.ts');
  const names = (await loadCollectors()).map(({ name }) => name);
  const loaded = await loadConfig(file, {}, surroundings(names));
  if (loaded.ok) return { ok: true, path: join(loaded.config.runDir, SOCKET_NAME) };
  return { ok: false, message: formatProblems(loaded.problems) };
}

/**
 * The socket by `--run`, by the configuration, by the defaults. A broken default file does not keep
 * anyone from an agent that runs; a user who runs no agent finds root's.
 */
export async function findSocket(args: ParsedArgs): Promise<Socket> {
  const { run, config } = args.values;
  if (run !== undefined) return { ok: true, path: join(resolve(run), SOCKET_NAME) };
  const socket = await configured(config);
  if (config !== undefined) return socket;
  const own = socket.ok ? socket.path : join(surroundings([]).folders.runDir, SOCKET_NAME);
  const system = join(SYSTEM_FOLDERS.runDir, SOCKET_NAME);
  return { ok: true, path: !existsSync(own) && existsSync(system) ? system : own };
}

function failure(socket: string, error: NodeJS.ErrnoException): Answer {
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return {
        ok: false,
        message: `no agent runs here: ${socket} does not exist (start it, or name its folder with --run)`,
      };
    case 'ECONNREFUSED':
      return { ok: false, message: `no agent runs here: nobody answers on ${socket} (start it)` };
    case 'EACCES':
    case 'EPERM':
      return {
        ok: false,
        message: `${socket} may not be opened by this user (run as root, or as the user of the agent)`,
      };
    default:
      return { ok: false, message: `${socket}: ${error.message}` };
  }
}

/** One request with a deadline; the answer whole. Never rejects. */
export function ask(
  socket: string,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<Answer> {
  return new Promise((done) => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      host: 'localhost',
      connection: 'close',
      ...(text === ''
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    };
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const sent = request({ socketPath: socket, method, path, headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > ANSWER_BYTES_MAX) response.destroy(new Error('the answer is too large'));
      });
      response.on('end', () => {
        const whole = Buffer.concat(chunks).toString('utf8');
        done({ ok: true, status: response.statusCode ?? 0, body: whole });
      });
      response.on('error', (error) => done(failure(socket, error)));
    });
    sent.on('error', (error) => {
      if (!signal.aborted) return done(failure(socket, error));
      done({ ok: false, message: `${socket}: no answer within ${DEADLINE_MS / 1000} s` });
    });
    sent.end(text);
  });
}
