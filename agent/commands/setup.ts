/** What commands that read the machine begin with: the collectors and a checked configuration. */
import type { Collector } from '../../collectors/lib/collector.ts';
import type { Config } from '../../rules/config.ts';
import { surroundings } from '../config/defaults.ts';
import { loadConfig } from '../config/load.ts';
import { formatProblems } from '../config/problems.ts';
import { loadCollectors } from '../units.ts';
import type { ParsedArgs } from './args.ts';
import { complainLines } from './print.ts';

export interface Setup {
  readonly config: Config;
  readonly collectors: readonly Collector[];
}

/** Undefined after every problem was printed; warnings are printed too. */
export async function setUp(
  args: ParsedArgs,
  more: { readonly rules?: true } = {},
): Promise<Setup | undefined> {
  const collectors = await loadCollectors();
  const { procfs, sysfs, devfs, runfs, state, run, listen, config: file } = args.values;
  const flags = { procfs, sysfs, devfs, runfs, state, run, listen };
  const names = collectors.map(({ name }) => name);
  const loaded = await loadConfig(file, flags, surroundings(names, more));
  if (!loaded.ok) {
    complainLines(formatProblems(loaded.problems));
    return undefined;
  }
  complainLines(formatProblems(loaded.warnings));
  return { config: loaded.config, collectors };
}
