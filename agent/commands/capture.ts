/** The command `capture`. */
import type { ParsedArgs } from './args.ts';
import { complain } from './print.ts';

export async function run(args: ParsedArgs): Promise<number> {
  complain(`${args.command} is not wired yet`);
  return 1;
}
