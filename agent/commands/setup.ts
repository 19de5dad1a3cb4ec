/**
 * What comes before the agent starts: its configuration and its folders, or every reason why it must
 * not start. A command that gets `undefined` has nothing left to say and ends with status 2.
 */
import type { Collector } from '../../collectors/lib/collector.ts';
import type { Config } from '../../rules/config.ts';
import { surroundings } from '../config/defaults.ts';
import { prepareFolders } from '../config/folders.ts';
import { type ConfigFlags, loadConfig } from '../config/load.ts';
import { formatProblems } from '../config/problems.ts';
import { loadCollectors } from '../units.ts';
import type { ParsedArgs } from './args.ts';
import { complainLines } from './print.ts';

export interface Setup {
  readonly config: Config;
  /** The file that was read, to be read again at a reload; undefined for built-in defaults. */
  readonly file: string | undefined;
  /** All there are; `config.collectors` says which are off. */
  readonly collectors: readonly Collector[];
}

/** The flags of a command line that override the file. */
export function configFlags(args: ParsedArgs): ConfigFlags {
  const { procfs, sysfs, devfs, runfs, state, run, listen } = args.values;
  return { procfs, sysfs, devfs, runfs, state, run, listen };
}

/** Loads the configuration; problems and warnings are printed. */
export async function loadSetup(args: ParsedArgs): Promise<Setup | undefined> {
  const collectors = await loadCollectors();
  const around = surroundings(collectors.map(({ name }) => name));
  const loaded = await loadConfig(args.values.config, configFlags(args), around);
  complainLines(formatProblems(loaded.ok ? loaded.warnings : loaded.problems));
  return loaded.ok ? { config: loaded.config, file: loaded.file, collectors } : undefined;
}

/** Loads the configuration and makes the folders ready. */
export async function setUp(args: ParsedArgs): Promise<Setup | undefined> {
  const setup = await loadSetup(args);
  if (setup === undefined) return undefined;
  const problems = await prepareFolders(setup.config);
  complainLines(formatProblems(problems));
  return problems.length === 0 ? setup : undefined;
}
