/** A round in words, for a person who has to understand what went wrong. */
import { type Fault, faultText } from './plan.ts';
import type { RoundResult } from './round.ts';
import { lineText } from './trace.ts';

export function showRound({ seed, world, violation }: RoundResult, plan: readonly Fault[]): void {
  for (const line of world.trace.lines()) console.log(lineText(line));
  console.log('\nfaults:');
  for (const fault of plan) if (fault.atUs <= world.us) console.log(`  ${faultText(fault)}`);
  if (violation === undefined) return;
  const at = (world.us / 1e6).toFixed(3);
  console.log(`\n${violation.invariant}: ${violation.why}\nseed ${seed}, ${at} s`);
}
