/**
 * The 32 behaviours of persistent reservations that ownership rests on, as one list: steps and what must be
 * seen. The same list is run against the simulated disk, against LIO in the lab and against a new array. It
 * is data; who sends the steps, and by which paths, is the runner's matter.
 *
 * `a` and `b` are two I_T nexuses: paths of two nodes, or two paths of one. Semantics: SPC-4 5.12.
 */
import { CHECKS_HOLDING } from './certify-holding.ts';
import { CHECKS_PREEMPTING } from './certify-preempting.ts';
import { CHECKS_REGISTERING } from './certify-registering.ts';
import { CHECKS_REPORTING } from './certify-reporting.ts';
import type { Check } from './certify-step.ts';

/** All checks in the order of their numbers. */
export const CHECKS: readonly Check[] = [
  ...CHECKS_REGISTERING,
  ...CHECKS_HOLDING,
  ...CHECKS_PREEMPTING,
  ...CHECKS_REPORTING,
].toSorted((one, other) => one.number - other.number);

export type Verdict =
  | { readonly check: Check; readonly is: 'passed'; readonly seen: string }
  | { readonly check: Check; readonly is: 'failed'; readonly seen: string }
  | { readonly check: Check; readonly is: 'untested'; readonly seen: string };

/** May ownership be rested on this disk? `with-power`: only where a power plan exists too. */
export interface Judgement {
  readonly arm: 'yes' | 'with-power' | 'no';
  readonly why: readonly string[];
}

/** What the verdicts come to. A check that must hold and was not tested is no yes. */
export function judge(verdicts: readonly Verdict[]): Judgement {
  const line = ({ check, is, seen }: Verdict): string =>
    `${check.number} ${check.name}: ${is}, ${seen}`;
  const bad = verdicts.filter(({ is }) => is !== 'passed');
  const never = bad.filter(({ check }) => check.weight === 'must');
  if (never.length > 0) return { arm: 'no', why: never.map(line) };
  const power = bad.filter(({ check }) => check.weight === 'power');
  if (power.length > 0) return { arm: 'with-power', why: power.map(line) };
  return { arm: 'yes', why: bad.map(line) };
}
