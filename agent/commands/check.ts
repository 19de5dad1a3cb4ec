/**
 * Checks a configuration file without touching the machine or a running agent. Everything wrong is
 * printed at once, each on a line that editors can jump to.
 */
import type { Config } from '../../rules/config.ts';
import { CONFIG_FILE, surroundings } from '../config/defaults.ts';
import { loadConfig } from '../config/load.ts';
import { formatProblems } from '../config/problems.ts';
import { loadCollectors } from '../units.ts';
import type { ParsedArgs } from './args.ts';
import { complainLines, print } from './print.ts';

function summary(config: Config): string {
  const { groups, limits, rules } = config.judgement;
  const listen =
    config.listen === undefined ? 'no port' : `${config.listen.host} port ${config.listen.port}`;
  const counts = `${groups.length} groups, ${limits.length} limits, ${config.reach.length} targets, ${rules.length} rules`;
  return `node ${config.node}, ${listen}, ${counts}`;
}

export async function run(args: ParsedArgs): Promise<number> {
  const names = (await loadCollectors()).map(({ name }) => name);
  const loaded = await loadConfig(args.operands[0], {}, surroundings(names, { rules: true }));
  if (!loaded.ok) {
    complainLines(formatProblems(loaded.problems));
    return 2;
  }
  complainLines(formatProblems(loaded.warnings));
  const file = loaded.file ?? `${CONFIG_FILE} does not exist, built-in defaults`;
  print(`${file}: good (${summary(loaded.config)})`);
  return 0;
}
