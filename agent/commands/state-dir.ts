/** Finds the state folder of the agent of this node, for the commands that read its journal. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SYSTEM_FOLDERS, surroundings } from '../config/defaults.ts';
import { formatProblems } from '../config/problems.ts';
import { JOURNAL_FOLDER } from '../ports/journal-files.ts';
import { loadCollectors } from '../units.ts';
import type { ParsedArgs } from './args.ts';

export type Found =
  | { readonly ok: true; readonly folder: string }
  | { readonly ok: false; readonly message: string };

async function configured(file: string | undefined): Promise<Found> {
  const { loadConfig } = await import('../config/load.ts');
  const names = (await loadCollectors()).map(({ name }) => name);
  const loaded = await loadConfig(file, {}, surroundings(names));
  if (loaded.ok) return { ok: true, folder: loaded.config.stateDir };
  return { ok: false, message: formatProblems(loaded.problems) };
}

/**
 * The journal's folder by `--state`, by the configuration, by the defaults. A broken default file keeps
 * nobody from reading it; a user who runs no agent finds root's.
 */
export async function findJournal(args: ParsedArgs): Promise<Found> {
  const { state, config } = args.values;
  const inside = (folder: string): Found => ({ ok: true, folder: join(folder, JOURNAL_FOLDER) });
  if (state !== undefined) return inside(resolve(state));
  const found = await configured(config);
  if (config !== undefined) return found.ok ? inside(found.folder) : found;
  const own = join(found.ok ? found.folder : surroundings([]).folders.stateDir, JOURNAL_FOLDER);
  const system = join(SYSTEM_FOLDERS.stateDir, JOURNAL_FOLDER);
  return { ok: true, folder: !existsSync(own) && existsSync(system) ? system : own };
}
