/**
 * Turns what sources, inventory and configuration say of belonging into indexes: who is a member of
 * which group, who cannot work without whom. It judges nothing. Rebuilt only when an edge changes.
 */
import type { Draft } from './draft.ts';
import { globMatches, isGlob } from './glob.ts';
import { isDecided } from './merge.ts';
import type { ComponentId, GroupId } from './model.ts';
import { groupId } from './model.ts';
import type { GroupShape, Slot, Topology } from './world.ts';

/** Longest chain of needs that is followed; hardware has about five links, the rest is a mistake. */
export const NEEDS_DEPTH_MAX = 16;

interface Shape {
  kind: string;
  name: string;
  members: Set<number>;
  intrinsic: number | undefined;
  configured: number | undefined;
  preference: readonly ComponentId[];
}

function shapeOf(shapes: Map<GroupId, Shape>, id: GroupId, kind: string, name: string): Shape {
  const known = shapes.get(id);
  if (known !== undefined) return known;
  const shape: Shape = {
    kind,
    name,
    members: new Set(),
    intrinsic: undefined,
    configured: undefined,
    preference: [],
  };
  shapes.set(id, shape);
  return shape;
}

function addDiscovered(draft: Draft, shapes: Map<GroupId, Shape>): void {
  for (const state of draft.sources.values()) {
    for (const group of state.groups) {
      const shape = shapeOf(shapes, group.group, group.kind, group.name);
      shape.intrinsic = group.needed ?? shape.intrinsic;
      shape.preference = group.preference ?? shape.preference;
      for (const member of group.members) {
        const place = draft.places.get(member);
        if (place !== undefined) shape.members.add(place);
      }
    }
  }
}

/** What is gone still belongs where it was: a dead supply must not turn "1 of 2" into "1 of 1". */
function addRemembered(draft: Draft, shapes: Map<GroupId, Shape>): void {
  for (const [place, slot] of draft.slots.entries()) {
    if (isDecided(slot.seen, draft.sources)) continue;
    for (const group of slot.remembered?.groups ?? []) {
      const shape = shapeOf(shapes, group.id, group.kind, group.name);
      shape.intrinsic ??= group.needed;
      shape.members.add(place);
    }
  }
}

function addConfigured(draft: Draft, shapes: Map<GroupId, Shape>): void {
  for (const group of draft.judgement.groups) {
    const shape = shapeOf(shapes, groupId(group.kind, group.name), group.kind, group.name);
    shape.configured = group.needs;
    for (const pattern of group.members) {
      if (!isGlob(pattern)) {
        const place = draft.places.get(pattern as ComponentId);
        if (place !== undefined) shape.members.add(place);
        continue;
      }
      for (const [place, slot] of draft.slots.entries()) {
        if (globMatches(pattern, slot.id)) shape.members.add(place);
      }
    }
  }
}

function needIds(slot: Slot, draft: Draft): readonly ComponentId[] {
  const needs = new Set(slot.own?.needs ?? slot.seen.flatMap((one) => one.reading.needs));
  for (const dependency of draft.judgement.dependencies) {
    if (globMatches(dependency.component, slot.id))
      for (const id of dependency.needs) needs.add(id);
  }
  needs.delete(slot.id);
  return [...needs];
}

/** Everything reachable over needs within the depth limit, itself left out. */
function closureOf(
  place: number,
  direct: readonly (readonly ComponentId[])[],
  draft: Draft,
): readonly ComponentId[] {
  const found = new Set<ComponentId>();
  let level: readonly ComponentId[] = direct[place] ?? [];
  for (let depth = 0; depth < NEEDS_DEPTH_MAX && level.length > 0; depth += 1) {
    const fresh = level.filter((id) => !found.has(id));
    for (const id of fresh) found.add(id);
    level = fresh.flatMap((id) => direct[draft.places.get(id) ?? -1] ?? []);
  }
  const own = draft.slots[place]?.id;
  return [...found].filter((id) => id !== own);
}

/**
 * The edges over which a failure spreads. An edge that is part of a circle is left out: two components
 * that need each other would hold each other down for ever after one of them had failed once.
 */
function spreadingNeeds(
  direct: readonly (readonly ComponentId[])[],
  closure: readonly (readonly ComponentId[])[],
  draft: Draft,
): number[][] {
  return draft.slots.map((slot, place) =>
    (direct[place] ?? []).flatMap((id) => {
      const need = draft.places.get(id);
      if (need === undefined || closure[need]?.includes(slot.id)) return [];
      return [need];
    }),
  );
}

function finished(shapes: ReadonlyMap<GroupId, Shape>): readonly GroupShape[] {
  return [...shapes].map(([id, shape]) => ({ ...shape, id, members: [...shape.members] }));
}

/** Indexes over the draft's slots as they stand. */
export function buildTopology(draft: Draft): Topology {
  const shapes = new Map<GroupId, Shape>();
  addDiscovered(draft, shapes);
  addRemembered(draft, shapes);
  addConfigured(draft, shapes);
  const groups = finished(shapes);
  const direct = draft.slots.map((slot) => needIds(slot, draft));
  const closure = direct.map((_, place) => closureOf(place, direct, draft));
  const needs = spreadingNeeds(direct, closure, draft);
  const dependents: number[][] = draft.slots.map(() => []);
  for (const [place, places] of needs.entries()) {
    for (const need of places) dependents[need]?.push(place);
  }
  const groupsOf: number[][] = draft.slots.map(() => []);
  for (const [index, group] of groups.entries()) {
    for (const member of group.members) groupsOf[member]?.push(index);
  }
  return { needs, dependents, closure, groupsOf, groups };
}
