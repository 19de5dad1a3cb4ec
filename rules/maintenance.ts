/**
 * Maintenance as leases: an operator holds back what the agent would do, says why, and it ends by itself.
 * A lease has one scope; beginning again with the same scope renews it. This file keeps the leases and
 * answers who holds something back; that a guard then says no is decided elsewhere. Sight and alarms are
 * never held back.
 */
import type { Maintenance, OperatorWord } from './decision.ts';
import { type Draft, dueBy } from './draft.ts';
import { globMatches } from './glob.ts';
import { ms } from './model.ts';

/** The longest lease: what is forgotten under maintenance must not stay unguarded for good. */
export const LEASE_MS_MAX: number = 7 * 24 * 3_600_000;
/** Leases at once; the next one is not taken. */
export const LEASES_MAX = 100;

type MaintainWord = Extract<OperatorWord, { kind: 'maintain' }>;

function begin(draft: Draft, { lease, forMs }: MaintainWord): void {
  const rest = draft.maintenance.filter((one) => one.scope !== lease.scope);
  if (rest.length >= LEASES_MAX || !(forMs > 0)) return;
  const begun: Maintenance = {
    ...lease,
    startedAt: draft.now,
    endsAt: ms(draft.now + Math.min(forMs, LEASE_MS_MAX)),
  };
  draft.maintenance = [...rest, begun];
  draft.decisions.push({ kind: 'maintenance', lease: begun, change: 'begun' });
}

function endWhere(draft: Draft, ends: (lease: Maintenance) => boolean, by?: string): void {
  const ended = draft.maintenance.filter(ends);
  if (ended.length === 0) return;
  draft.maintenance = draft.maintenance.filter((lease) => !ended.includes(lease));
  for (const lease of ended) {
    const decision = { kind: 'maintenance', lease, change: 'ended' } as const;
    draft.decisions.push(by === undefined ? decision : { ...decision, by });
  }
}

/** Takes the words about maintenance, ends what has run out, and says when the next one will. */
export function maintain(draft: Draft): void {
  for (const input of draft.told) {
    if (input.kind !== 'word') continue;
    const { word } = input;
    if (word.kind === 'maintain') begin(draft, word);
    if (word.kind === 'end-maintenance') {
      endWhere(draft, (lease) => lease.scope === word.scope, word.by);
    }
  }
  endWhere(draft, (lease) => lease.endsAt <= draft.now);
  for (const lease of draft.maintenance) dueBy(draft, lease.endsAt);
}

/**
 * The lease that holds back an order, by the names it touches (its service, its subject, the members of
 * that). A scope of `*` holds back everything in the node, whatever it is called.
 */
export function leaseOver(
  maintenance: readonly Maintenance[],
  names: readonly string[],
): Maintenance | undefined {
  return maintenance.find(
    ({ scope }) => scope === '*' || names.some((name) => globMatches(scope, name)),
  );
}
