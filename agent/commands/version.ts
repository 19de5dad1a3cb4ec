/** Prints the version, and the Node that runs it: the first two questions of any bug report. */
import { version } from '../version.ts';
import type { ParsedArgs } from './args.ts';
import { print } from './print.ts';

export async function run(_args: ParsedArgs): Promise<number> {
  print(`nospof ${version()} (node ${process.versions.node})`);
  return 0;
}
