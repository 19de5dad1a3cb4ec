/**
 * Judges the draft: each touched component by itself, then through what it needs, then every group
 * that one of them belongs to. What cannot work without something that is gone does not work, whatever
 * it says of itself; what is merely unknown darkens nothing but the certainty of a margin.
 */
import { type Draft, dropSlots } from './draft.ts';
import { judgeGroups } from './groups.ts';
import { judge, sameList } from './judge.ts';
import { isDecided } from './merge.ts';
import type { Component, Group, Health, Ms } from './model.ts';
import { buildTopology } from './topology.ts';
import type { GroupShape, RememberedGroup, Slot, Topology } from './world.ts';

export interface Assessed {
  readonly components: readonly Component[];
  readonly topology: Topology;
  readonly judged: readonly (Group | undefined)[];
  readonly groups: readonly Group[];
  readonly ageing: readonly number[];
}

export interface Judged {
  readonly assessed: Assessed;
  /** Places of the components that are not what they were. */
  readonly changed: ReadonlySet<number>;
}

/** Judges what was touched; true when the inventory took up a component. */
function judgeTouched(draft: Draft): boolean {
  let taken = false;
  const dropped = new Set<number>();
  const bench = { now: draft.now, judgement: draft.judgement, sources: draft.sources };
  for (const place of draft.touched) {
    const slot = draft.slots[place];
    if (slot === undefined) continue;
    const judged = judge(slot, bench);
    if (judged === undefined) dropped.add(place);
    else {
      if (judged.remembered !== slot.remembered) draft.inventoryChanged = true;
      taken ||= slot.remembered === undefined && judged.remembered !== undefined;
      draft.slots[place] = judged;
    }
  }
  dropSlots(draft, dropped);
  return taken;
}

/** Whether what was never found is absent turns on which sources report its kind: on all readings. */
function touchNeverFound(draft: Draft): void {
  for (const [place, slot] of draft.slots.entries()) {
    if (slot.expected && slot.remembered === undefined) draft.touched.add(place);
  }
}

/** Notes in the inventory which discovered groups each present component belongs to. */
function rememberGroups(draft: Draft, topology: Topology): void {
  for (const [place, slot] of draft.slots.entries()) {
    if (slot.remembered === undefined || !isDecided(slot.seen, draft.sources)) continue;
    const groups = (topology.groupsOf[place] ?? [])
      .map((index) => topology.groups[index])
      .filter((shape) => shape !== undefined && shape.configured === undefined)
      .map((shape) => rememberedGroup(shape as GroupShape));
    const before = slot.remembered.groups;
    const ids = groups.map((group) => `${group.id} ${group.needed ?? ''}`);
    if (
      sameList(
        ids,
        before.map((group) => `${group.id} ${group.needed ?? ''}`),
      )
    )
      continue;
    draft.slots[place] = { ...slot, remembered: { ...slot.remembered, groups } };
    draft.inventoryChanged = true;
  }
}

function rememberedGroup({ id, kind, name, intrinsic }: GroupShape): RememberedGroup {
  return intrinsic === undefined ? { id, kind, name } : { id, kind, name, needed: intrinsic };
}

/** Takes its dependents with it. What is not looked at, or was never proven to be there, does not. */
function spreads(component: Component | undefined): boolean {
  if (component === undefined || component.ignored || component.unproven) return false;
  return component.health === 'failed' || component.health === 'absent';
}

interface Effective {
  readonly health: Health;
  readonly why: string;
}

function effective(
  slot: Slot,
  place: number,
  topology: Topology,
  components: readonly (Component | undefined)[],
): Effective {
  const health = slot.own?.health ?? 'unknown';
  const why = slot.own?.why ?? 'not judged yet';
  if (health === 'failed' || health === 'absent') return { health, why };
  for (const need of topology.needs[place] ?? []) {
    const needed = components[need];
    if (needed !== undefined && spreads(needed)) {
      return { health: 'failed', why: `needs ${needed.id}, which is ${needed.health}` };
    }
  }
  return { health, why };
}

function componentOf(slot: Slot, now: Ms, is: Effective, before: Component | undefined): Component {
  const { own } = slot;
  const kept = before !== undefined && before.health === is.health;
  return {
    id: slot.id,
    kind: own?.kind ?? '',
    name: own?.name ?? slot.id,
    health: is.health,
    why: is.why,
    since: kept ? before.since : now,
    gauges: own?.gauges ?? {},
    facts: own?.facts ?? {},
    needs: own?.needs ?? [],
    sources: own?.sources ?? [],
    unproven: own?.unproven ?? false,
    ignored: own?.ignored ?? false,
  };
}

interface Past {
  readonly component: Component | undefined;
  readonly own: Slot['own'];
}

/** The same component before this step. Places move when slots come and go: then by identity. */
function pastOf(draft: Draft, slot: Slot, place: number, moved: boolean): Past {
  const at = moved ? (draft.before.places.get(slot.id) ?? -1) : place;
  return { component: draft.before.components[at], own: draft.before.slots[at]?.own };
}

/**
 * Judges components through their needs, into `components`. A place is done again whenever one of its
 * needs comes out otherwise than it saw; needs form no circle, so that ends.
 */
function propagate(
  draft: Draft,
  topology: Topology,
  components: Component[],
  moved: boolean,
): Set<number> {
  const changed = new Set<number>();
  const work = [...draft.touched];
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    const slot = draft.slots[next];
    if (slot === undefined) continue;
    const shown = components[next];
    const past = pastOf(draft, slot, next, moved);
    const is = effective(slot, next, topology, components);
    const same =
      past.component !== undefined &&
      past.own === slot.own &&
      past.component.health === is.health &&
      past.component.why === is.why;
    const after = same ? past.component : componentOf(slot, draft.now, is, past.component);
    components[next] = after;
    if (same) changed.delete(next);
    else changed.add(next);
    if (shown?.health !== after.health || spreads(shown) !== spreads(after))
      work.push(...(topology.dependents[next] ?? []));
  }
  return changed;
}

/** The draft judged: what of it may be shown and what the next step builds on. */
export function assess(draft: Draft): Judged {
  const { before } = draft;
  if (draft.topologyChanged) touchNeverFound(draft);
  const taken = judgeTouched(draft);
  const topology = draft.topologyChanged ? buildTopology(draft) : before.topology;
  if (draft.topologyChanged || taken) rememberGroups(draft, topology);
  const moved = draft.places !== before.places;
  if (topology !== before.topology) {
    for (let place = 0; place < draft.slots.length; place += 1) draft.touched.add(place);
  }
  const components: Component[] = moved ? [] : before.components.slice();
  const changed = propagate(draft, topology, components, moved);
  const judged = judgeGroups(draft, topology, components, changed);
  const groups =
    judged === before.judged
      ? before.groups
      : judged.filter((group): group is Group => group !== undefined);
  const ageing: number[] = [];
  for (const place of new Set([...before.ageing, ...draft.touched])) {
    if ((draft.slots[place]?.memory.flaps.length ?? 0) > 0) ageing.push(place);
  }
  const assessed: Assessed = {
    components: changed.size === 0 && !moved ? before.components : components,
    topology,
    judged,
    groups,
    ageing,
  };
  return { assessed, changed };
}
