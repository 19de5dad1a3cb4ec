/** Runs the agent in the foreground. */
import type { ParsedArgs } from './args.ts';
import { complain } from './print.ts';
import { setUp } from './setup.ts';

export async function run(args: ParsedArgs): Promise<number> {
  const setup = await setUp(args);
  if (setup === undefined) return 2;
  complain(`${args.command} is not wired yet`);
  return 1;
}
