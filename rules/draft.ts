/**
 * A world being changed within one step. Arrays are copied (pointers only) when the draft opens and
 * belong to it until the step closes; nothing outside a step ever sees a draft.
 */
import type { Judgement } from './config.ts';
import type { Action, Alarm, Decision, Ended, Maintenance } from './decision.ts';
import type { ComponentId, Ms, SourceId } from './model.ts';
import type { Service } from './service.ts';
import {
  type Input,
  NO_MEMORY,
  type Seen,
  type Slot,
  type SourceState,
  type Spent,
  type World,
} from './world.ts';

export interface Draft {
  readonly now: Ms;
  readonly before: World;
  judgement: Judgement;
  readonly sources: Map<SourceId, SourceState>;
  slots: Slot[];
  places: ReadonlyMap<ComponentId, number>;
  /** Slots to judge anew. */
  readonly touched: Set<number>;
  /** Edges changed: members, needs, or the set of slots. */
  topologyChanged: boolean;
  adviceChanged: boolean;
  inventoryChanged: boolean;
  /** Inputs that sight does not need: for services, alarms and actions. */
  readonly told: Input[];
  alarms: readonly Alarm[];
  services: readonly Service[];
  maintenance: readonly Maintenance[];
  actions: readonly Action[];
  actionCount: number;
  readonly decisions: Decision[];
  /** Actions that came to their end in this step, by outcome or by deadline. */
  ended: readonly Ended[];
  spent: readonly Spent[];
  late: World['late'];
  cluster: World['cluster'];
  dueAt: Ms | undefined;
}

export function openDraft(world: World, now: Ms): Draft {
  return {
    now,
    before: world,
    judgement: world.judgement,
    sources: new Map(world.sources),
    slots: world.slots.slice(),
    places: world.places,
    touched: new Set(world.ageing),
    topologyChanged: false,
    adviceChanged: false,
    inventoryChanged: false,
    told: [],
    alarms: world.alarms,
    services: world.services,
    maintenance: world.maintenance,
    actions: world.actions,
    actionCount: world.actionCount,
    decisions: [],
    ended: [],
    spent: world.spent,
    late: world.late,
    cluster: world.cluster,
    dueAt: undefined,
  };
}

/** The world is to be stepped at this time at the latest. */
export function dueBy(draft: Draft, at: Ms): void {
  if (draft.dueAt === undefined || at < draft.dueAt) draft.dueAt = at;
}

/** The place of a component, made when it has none. */
export function placeOf(draft: Draft, id: ComponentId): number {
  const known = draft.places.get(id);
  if (known !== undefined) return known;
  const place = draft.slots.length;
  draft.slots.push({
    id,
    own: undefined,
    seen: [],
    memory: NO_MEMORY,
    remembered: undefined,
    expected: false,
  });
  if (draft.places === draft.before.places) draft.places = new Map(draft.places);
  (draft.places as Map<ComponentId, number>).set(id, place);
  draft.touched.add(place);
  draft.topologyChanged = true;
  return place;
}

export function changeSlot(draft: Draft, place: number, change: Partial<Slot>): void {
  const slot = draft.slots[place];
  if (slot === undefined) return;
  draft.slots[place] = { ...slot, ...change };
  draft.touched.add(place);
}

/** Replaces what one source says of one component; undefined takes it back. */
export function setSeen(draft: Draft, id: ComponentId, seen: Seen, present: boolean): void {
  const place = placeOf(draft, id);
  const slot = draft.slots[place];
  if (slot === undefined) return;
  const at = slot.seen.findIndex((one) => one.source === seen.source);
  const rest = slot.seen.filter((one) => one.source !== seen.source);
  if (!present) {
    draft.topologyChanged = true;
    changeSlot(draft, place, { seen: rest });
  } else if (at < 0) {
    draft.topologyChanged = true;
    // In the order in which the sources are declared, whichever answered first.
    const order = [...draft.sources.keys()];
    const all = [...slot.seen, seen];
    all.sort((a, b) => order.indexOf(a.source) - order.indexOf(b.source));
    changeSlot(draft, place, { seen: all });
  } else {
    changeSlot(draft, place, { seen: slot.seen.with(at, seen) });
  }
}

/** Drops slots that nothing holds; places move, so everything is judged against new indexes. */
export function dropSlots(draft: Draft, dropped: ReadonlySet<number>): void {
  if (dropped.size === 0) return;
  draft.slots = draft.slots.filter((_, place) => !dropped.has(place));
  draft.places = new Map(draft.slots.map((slot, place) => [slot.id, place]));
  draft.touched.clear();
  for (let place = 0; place < draft.slots.length; place += 1) draft.touched.add(place);
  draft.topologyChanged = true;
}
