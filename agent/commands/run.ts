/**
 * The command `run`. It starts the API process before it loads the agent: both take a few hundred
 * milliseconds, and they may take them at the same time.
 */
import { forkApi } from '../api/fork.ts';
import type { ParsedArgs } from './args.ts';

export async function run(args: ParsedArgs): Promise<number> {
  const first = args.switches.has('once') ? undefined : forkApi();
  try {
    const { runInForeground } = await import('./foreground.ts');
    return await runInForeground(args, first);
  } finally {
    // Ended already, unless something kept the agent from starting.
    first?.kill('SIGKILL');
  }
}
