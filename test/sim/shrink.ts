/**
 * The smallest plan that still breaks the same invariant: halves are dropped, then smaller parts, then single
 * faults (ddmin of Zeller and Hildebrandt), then the faults that are left are made shorter.
 */
import type { Fault } from './plan.ts';
import { type RoundResult, runRound, SAFETY_US } from './round.ts';
import type { Size } from './setup.ts';

/** Runs that one failure is worth. */
const TRIES_MAX = 80;

export function shrink(failed: RoundResult, size: Partial<Size>): RoundResult {
  const { seed, violation, world } = failed;
  if (violation === undefined) return failed;
  let tries = 0;
  let best = failed;
  const fails = (plan: readonly Fault[]): boolean => {
    tries += 1;
    if (tries > TRIES_MAX) return false;
    const result = runRound({ seed, safetyUs: SAFETY_US, size, plan });
    if (result.violation?.invariant !== violation.invariant) return false;
    best = result;
    return true;
  };
  let plan = failed.plan.filter(({ atUs }) => atUs <= world.us);
  fails(plan);
  let parts = 2;
  while (plan.length > 1 && parts <= plan.length && tries < TRIES_MAX) {
    const length = Math.ceil(plan.length / parts);
    const starts = Array.from({ length: parts }, (_, at) => at * length);
    const smaller = starts
      .map((start) => plan.filter((_, at) => at < start || at >= start + length))
      .find(fails);
    if (smaller !== undefined) {
      plan = smaller;
      parts = Math.max(2, parts - 1);
    } else if (parts === plan.length) break;
    else parts = Math.min(plan.length, parts * 2);
  }
  for (const [at, fault] of plan.entries()) {
    const shorter = plan.with(at, { ...fault, lastsUs: Math.ceil(fault.lastsUs / 4) });
    if (fails(shorter)) plan = shorter;
  }
  return best;
}
