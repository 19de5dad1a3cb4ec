/** Finds the socket of the agent of this node, for the commands that ask it. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SOCKET_NAME, SYSTEM_FOLDERS, surroundings } from '../config/defaults.ts';
import { formatProblems } from '../config/problems.ts';
import { loadCollectors } from '../units.ts';
import type { ParsedArgs } from './args.ts';

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
