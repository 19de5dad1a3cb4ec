/**
 * Judges groups: who counts, how many are needed, how many more may fail. It takes components as they
 * were judged and never looks behind them. A group in which nobody counts is not shown at all.
 */
import type { Draft } from './draft.ts';
import { sameList } from './judge.ts';
import { marginOf, standingOf } from './margin.ts';
import type { Component, Group } from './model.ts';
import { needOf } from './need.ts';
import type { GroupShape, Topology } from './world.ts';

interface Counted {
  readonly place: number;
  readonly component: Component;
}

function countedOf(shape: GroupShape, components: readonly Component[]): readonly Counted[] {
  return shape.members.flatMap((place) => {
    const component = components[place];
    const counts = component !== undefined && !component.unproven && !component.ignored;
    return counts ? [{ place, component }] : [];
  });
}

function judgeGroup(
  shape: GroupShape,
  draft: Draft,
  topology: Topology,
  components: readonly Component[],
  before: Group | undefined,
): Group | undefined {
  const members = countedOf(shape, components);
  if (members.length === 0) return undefined;
  const need =
    shape.configured === undefined
      ? needOf(shape, members.length, draft.judgement.needs)
      : { needed: shape.configured, basis: 'configured' as const };
  const margin = marginOf(
    members.map(({ place, component }) => ({
      health: component.health,
      needs: topology.closure[place] ?? [],
    })),
    need.needed,
  );
  const standing = standingOf(margin);
  const healthy = new Set(
    members.filter((one) => one.component.health === 'ok').map((one) => one.component.id),
  );
  // One that does not count, ignored or never proven, cannot be the one that should serve.
  const idle = new Set(
    shape.members
      .map((place) => components[place])
      .flatMap((one) => (one !== undefined && (one.ignored || one.unproven) ? one.id : [])),
  );
  const preference = shape.preference.filter((id) => !idle.has(id));
  const serving = preference.find((id) => healthy.has(id));
  return {
    id: shape.id,
    kind: shape.kind,
    name: shape.name,
    members: members.map((one) => one.component.id),
    ...need,
    healthy: healthy.size,
    margin,
    standing,
    degraded: serving !== undefined && serving !== preference[0],
    since: before?.standing === standing ? before.since : draft.now,
  };
}

function sameGroup(a: Group, b: Group): boolean {
  return (
    a.kind === b.kind &&
    a.name === b.name &&
    a.needed === b.needed &&
    a.basis === b.basis &&
    a.healthy === b.healthy &&
    a.margin.low === b.margin.low &&
    a.margin.high === b.margin.high &&
    a.margin.limitedBy === b.margin.limitedBy &&
    a.degraded === b.degraded &&
    sameList(a.members, b.members)
  );
}

/** The object of before where nothing differs, so that unchanged groups cost their readers nothing. */
function shared(before: Group | undefined, after: Group | undefined): Group | undefined {
  return before !== undefined && after !== undefined && sameGroup(before, after) ? before : after;
}

function rebuilt(
  draft: Draft,
  topology: Topology,
  components: readonly Component[],
): readonly (Group | undefined)[] {
  const past = new Map(draft.before.groups.map((group) => [group.id, group]));
  return topology.groups.map((shape) => {
    const before = past.get(shape.id);
    return shared(before, judgeGroup(shape, draft, topology, components, before));
  });
}

function countsAlike(a: Component | undefined, b: Component | undefined): boolean {
  return a?.health === b?.health && a?.unproven === b?.unproven && a?.ignored === b?.ignored;
}

/** Groups by the place of their shape; the array of before when none of them differs. */
export function judgeGroups(
  draft: Draft,
  topology: Topology,
  components: readonly Component[],
  changed: ReadonlySet<number>,
): readonly (Group | undefined)[] {
  const { before } = draft;
  if (topology !== before.topology) return rebuilt(draft, topology, components);
  // A number that moved makes no difference to any group.
  const which = new Set<number>();
  for (const place of changed) {
    if (countsAlike(before.components[place], components[place])) continue;
    for (const index of topology.groupsOf[place] ?? []) which.add(index);
  }
  let judged: (Group | undefined)[] | undefined;
  for (const index of which) {
    const shape = topology.groups[index];
    if (shape === undefined) continue;
    const old = before.judged[index];
    const group = shared(old, judgeGroup(shape, draft, topology, components, old));
    if (group === old) continue;
    judged ??= before.judged.slice();
    judged[index] = group;
  }
  return judged ?? before.judged;
}
