/**
 * What an operator asks about: the name they typed against all names the journal knows. Exact first, then
 * a beginning, then any part; more than one answer is a question back, never a guess.
 */
import type { Happening } from './scan.ts';

export type TargetKind = 'alarm' | 'action' | 'service' | 'component' | 'group' | 'source';

export interface Target {
  readonly kind: TargetKind;
  readonly id: string;
}

export type Resolved =
  | { readonly ok: true; readonly target: Target }
  | { readonly ok: false; readonly candidates: readonly Target[] };

function* namesIn({ verdicts }: Happening): Generator<Target> {
  for (const [id] of verdicts.s ?? []) yield { id, kind: 'source' };
  for (const [id] of verdicts.h ?? []) yield { id, kind: 'component' };
  for (const [id] of verdicts.g ?? []) yield { id, kind: 'group' };
  for (const decision of verdicts.d ?? []) {
    if (decision.kind === 'service') yield { id: decision.service, kind: 'service' };
    if (decision.kind === 'alarm') yield { id: decision.alarm.id, kind: 'alarm' };
    if (decision.kind === 'action') yield { id: decision.action.id, kind: 'action' };
  }
}

/** All names, the one last spoken of last. */
export function namesOf(happenings: readonly Happening[]): ReadonlyMap<string, TargetKind> {
  const names = new Map<string, TargetKind>();
  for (const { id, kind } of happenings.flatMap((happening) => [...namesIn(happening)])) {
    const known = names.get(id);
    names.delete(id);
    // A service is a component too, and says more as a service.
    names.set(id, known === 'service' ? known : kind);
  }
  return names;
}

/** Newest first: what was last spoken of is what is asked for. */
export function resolve(word: string, names: ReadonlyMap<string, TargetKind>): Resolved {
  const all = [...names].map(([id, kind]): Target => ({ id, kind })).reverse();
  const tests: readonly ((id: string) => boolean)[] = [
    (id) => id === word,
    (id) => id.startsWith(word),
    (id) => id.includes(word),
  ];
  for (const test of tests) {
    const [first, ...others] = all.filter(({ id }) => test(id));
    if (first === undefined) continue;
    return others.length === 0
      ? { ok: true, target: first }
      : { ok: false, candidates: [first, ...others] };
  }
  return { ok: false, candidates: [] };
}

/** The last thing that was done or raised. */
export function lastOf(happenings: readonly Happening[]): Target | undefined {
  for (const { verdicts } of happenings.toReversed()) {
    for (const decision of (verdicts.d ?? []).toReversed()) {
      if (decision.kind === 'alarm' && decision.alarm.state === 'raised')
        return { kind: 'alarm', id: decision.alarm.id };
      if (decision.kind === 'action') return { kind: 'action', id: decision.action.id };
      if (decision.kind === 'refusal' && decision.because.alarm !== undefined)
        return { kind: 'alarm', id: decision.because.alarm };
    }
  }
  return undefined;
}
