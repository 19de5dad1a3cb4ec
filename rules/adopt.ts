/**
 * What a former life of the agent left standing, taken over by the next: alarms with their ladders, leases,
 * and actions whose outcome nobody has heard. Whether a fault still holds is not known until it is read
 * again: until then its alarm neither rises nor clears, and nothing is done for it twice.
 */
import type { Action, Alarm, Maintenance } from './decision.ts';
import type { Draft } from './draft.ts';
import { type Ms, ms } from './model.ts';
import type { Spent, Standing, World } from './world.ts';

export function standingOf({ alarms, maintenance, actions, spent }: World): Standing {
  return { alarms, maintenance, actions, spent };
}

/** The same in the clock of another boot; nothing that was lies in the future of `now`. */
export function movedTo(standing: Standing, byMs: number, now: Ms): Standing {
  const past = (at: Ms): Ms => ms(Math.min(at + byMs, now));
  const some = (at: Ms | undefined): Ms | undefined => (at === undefined ? undefined : past(at));
  const alarm = (one: Alarm): Alarm => ({
    ...one,
    since: past(one.since),
    raisedAt: some(one.raisedAt),
    heldSince: past(one.heldSince),
    unknownSince: some(one.unknownSince),
    onsets: one.onsets.map(past),
    rung:
      one.rung.kind === 'settling' ? { ...one.rung, until: ms(one.rung.until + byMs) } : one.rung,
  });
  const lease = (one: Maintenance): Maintenance => ({
    ...one,
    startedAt: past(one.startedAt),
    endsAt: ms(one.endsAt + byMs),
  });
  const action = (one: Action): Action => ({
    ...one,
    at: past(one.at),
    deadlineAt: ms(one.deadlineAt + byMs),
  });
  const spent = (one: Spent): Spent => ({ ...one, at: past(one.at) });
  return {
    alarms: standing.alarms.map(alarm),
    maintenance: standing.maintenance.map(lease),
    actions: standing.actions.map(action),
    spent: standing.spent.map(spent),
  };
}

/** Those of the two lists that the first does not name yet. */
function joined<T>(
  now: readonly T[],
  then: readonly T[],
  nameOf: (one: T) => string,
): readonly T[] {
  const names = new Set(now.map(nameOf));
  const more = then.filter((one) => !names.has(nameOf(one)));
  return more.length === 0 ? now : [...more, ...now];
}

/** Takes over what stood; what this life already knows by the same name is newer. */
export function adopt(draft: Draft): void {
  for (const input of draft.told) {
    if (input.kind !== 'adopt') continue;
    const { alarms, maintenance, actions, spent } = input.standing;
    const doubted = alarms.map(
      (alarm): Alarm =>
        alarm.holds === 'unknown' ? alarm : { ...alarm, holds: 'unknown', unknownSince: draft.now },
    );
    draft.alarms = joined(draft.alarms, doubted, ({ id }) => id);
    draft.maintenance = joined(draft.maintenance, maintenance, ({ scope }) => scope);
    draft.actions = joined(draft.actions, actions, ({ id }) => id);
    draft.spent = [...spent, ...draft.spent];
  }
}
