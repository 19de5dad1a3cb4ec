/**
 * A group's margin in words. The words follow the margin and the standing that the rules judged; they
 * never judge again, and a doubt stays a doubt: both ends of the interval are named.
 */
import type { Component, ComponentId, Group } from '../../rules/model.ts';

/** Components by their ids; what a member needs is looked up here. */
export type ComponentIndex = ReadonlyMap<ComponentId, Component>;

/** Components looked at on the way from a member to what it shares; bounds a tangled graph. */
const NEEDS_LOOKED_AT_MAX = 1000;

function reaches(index: ComponentIndex, from: ComponentId, goal: ComponentId): boolean {
  const seen = new Set<ComponentId>([from]);
  for (const id of seen) {
    if (id === goal) return true;
    if (seen.size > NEEDS_LOOKED_AT_MAX) return false;
    for (const need of index.get(id)?.needs ?? []) seen.add(need);
  }
  return false;
}

/** What limits the margin: `all share card/0000:03:00.0`; empty when nothing shared does. */
export function shareText(group: Group, index: ComponentIndex): string {
  const shared = group.margin.limitedBy;
  if (shared === undefined) return '';
  const sharing = group.members.filter((member) => reaches(index, member, shared)).length;
  if (sharing === 0 || sharing === group.members.length) return `all share ${shared}`;
  return `${sharing} of ${group.members.length} share ${shared}`;
}

function doubtText(group: Group, index: ComponentIndex): string {
  const healths = group.members.map((member) => index.get(member)?.health ?? 'unknown');
  const parts = (['unknown', 'failing'] as const)
    .map((health) => [healths.filter((other) => other === health).length, health] as const)
    .filter(([amount]) => amount > 0)
    .map(([amount, health]) => `${amount} ${health}`);
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

function endWord(margin: number): string {
  if (margin < 0) return 'lost';
  return margin === 0 ? 'exposed' : 'redundant';
}

/** The margin for a tired reader; standings other than redundant carry their word in capitals. */
export function marginText(group: Group, index: ComponentIndex): string {
  const { low, high } = group.margin;
  switch (group.standing) {
    case 'lost':
      return 'LOST: fewer work than are needed';
    case 'exposed':
      return 'EXPOSED: the next failure loses it';
    case 'redundant':
      return high > low ? `may lose ${low} more, perhaps ${high}` : `may lose ${low} more`;
    case 'unknown':
      return `between ${endWord(low)} and ${endWord(high)}${doubtText(group, index)}`;
  }
}

/** `3 of 4 ok, needs 2 (assumed)`: the count behind the margin and where the need comes from. */
export function countText(group: Group): string {
  const basis = group.basis === 'assumed' ? ' (assumed)' : '';
  return `${group.healthy} of ${group.members.length} ok, needs ${group.needed}${basis}`;
}
