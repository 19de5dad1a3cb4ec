/**
 * How many more may fail. The margin of a group is the plain count of healthy members less the need,
 * brought down to the worst that the loss of any one shared dependency leaves: four paths through one
 * controller may lose three paths but not one controller, so they are exposed and the controller is
 * named. What is not certain makes the margin an interval, never a guess.
 */
import type { ComponentId, Health, Margin, Standing } from './model.ts';

/** A member as the margin sees it: its health, and everything it cannot work without, at any depth. */
export interface MarginMember {
  readonly health: Health;
  readonly needs: readonly ComponentId[];
}

interface Bound {
  readonly margin: number;
  readonly limitedBy: ComponentId | undefined;
}

/** Certainly healthy. */
export function countsLow(health: Health): boolean {
  return health === 'ok';
}

/** Perhaps healthy: nothing says for certain that it does not work. */
export function countsHigh(health: Health): boolean {
  return health === 'ok' || health === 'failing' || health === 'unknown';
}

/**
 * The margin of the members that count. After the loss of a dependency that c of h members share,
 * h - c are left; one further loss than that is what the group survives, so that dependency allows
 * h - c - needed + 1 losses, and never fewer than none while the group still works.
 */
function bound(members: readonly MarginMember[], needed: number): Bound {
  const plain = members.length - needed;
  if (plain <= 0) return { margin: plain, limitedBy: undefined };
  const sharers = new Map<ComponentId, number>();
  for (const member of members) {
    for (const need of member.needs) sharers.set(need, (sharers.get(need) ?? 0) + 1);
  }
  let worst: Bound = { margin: plain, limitedBy: undefined };
  for (const [dependency, count] of sharers) {
    const margin = Math.max(0, plain - count + 1);
    // Of equals the first by name: the same facts must always name the same culprit.
    const first = worst.limitedBy !== undefined && dependency < worst.limitedBy;
    if (margin < worst.margin || (margin === worst.margin && first)) {
      worst = { margin, limitedBy: dependency };
    }
  }
  return worst;
}

export function marginOf(members: readonly MarginMember[], needed: number): Margin {
  const low = bound(
    members.filter((member) => countsLow(member.health)),
    needed,
  );
  const high = bound(
    members.filter((member) => countsHigh(member.health)),
    needed,
  );
  const limitedBy = low.limitedBy ?? high.limitedBy;
  const margin = { low: low.margin, high: high.margin };
  return limitedBy === undefined ? margin : { ...margin, limitedBy };
}

function wordOf(margin: number): Standing {
  if (margin > 0) return 'redundant';
  return margin === 0 ? 'exposed' : 'lost';
}

/** Both ends in one word, or `unknown` when they fall into two. */
export function standingOf(margin: Margin): Standing {
  const low = wordOf(margin.low);
  return low === wordOf(margin.high) ? low : 'unknown';
}
