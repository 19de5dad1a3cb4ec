/**
 * Takes what the core is told into the draft. An observation is the whole truth of its source: what
 * it no longer holds is no longer seen. Only what differs is touched, so a poll that changed nothing
 * costs one comparison by identity. No health is decided here.
 */
import type { LimitConfig } from './config.ts';
import { changeSlot, type Draft, placeOf, setSeen } from './draft.ts';
import { isGlob } from './glob.ts';
import { sameList } from './judge.ts';
import {
  type Advice,
  assertNever,
  type ComponentId,
  type GroupReading,
  type Observation,
  type Reading,
  type Sight,
  type SourceId,
} from './model.ts';
import type { Input, SourceState } from './world.ts';

function sameRecord(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

export function sameReading(a: Reading, b: Reading): boolean {
  return (
    a === b ||
    (a.health === b.health &&
      a.why === b.why &&
      a.name === b.name &&
      a.kind === b.kind &&
      a.virtual === b.virtual &&
      a.unproven === b.unproven &&
      a.peak === b.peak &&
      a.flap === b.flap &&
      sameList(a.needs, b.needs) &&
      sameRecord(a.gauges, b.gauges) &&
      sameRecord(a.facts, b.facts))
  );
}

function sameGroup(a: GroupReading | undefined, b: GroupReading): boolean {
  return (
    a !== undefined &&
    a.group === b.group &&
    a.kind === b.kind &&
    a.name === b.name &&
    a.needed === b.needed &&
    sameList(a.members, b.members) &&
    sameList(a.preference ?? [], b.preference ?? [])
  );
}

function sameAdvice(a: Advice | undefined, b: Advice): boolean {
  return a !== undefined && a.code === b.code && a.about === b.about && a.text === b.text;
}

/** Touches every component whose health may turn on the state of this source. */
export function touchSource(draft: Draft, source: SourceId): void {
  for (const [place, slot] of draft.slots.entries()) {
    const remembers = slot.remembered?.source === source || (slot.expected && !slot.remembered);
    if (remembers || slot.seen.some((one) => one.source === source)) draft.touched.add(place);
  }
}

/** Takes one reading in where an earlier one of the same component stood; keeps that one if it is alike. */
function absorbReading(
  draft: Draft,
  source: SourceId,
  before: Reading | undefined,
  reading: Reading,
): Reading {
  if (before !== undefined && sameReading(before, reading)) return before;
  if (before !== undefined && !sameList(before.needs, reading.needs)) draft.topologyChanged = true;
  setSeen(draft, reading.component, { source, reading }, true);
  return reading;
}

function absorbReadings(
  draft: Draft,
  state: SourceState,
  readings: readonly Reading[],
): readonly Reading[] {
  const source = state.spec.id;
  const { readings: old } = state;
  // The common case, the same components in the same order, needs no index of 10,000 names.
  const aligned =
    old.length === readings.length &&
    old.every((before, place) => before.component === readings[place]?.component);
  if (aligned) {
    return readings.map((reading, place) => absorbReading(draft, source, old[place], reading));
  }
  const byId = new Map(old.map((reading) => [reading.component, reading]));
  const kept = readings.map((reading) => {
    const before = byId.get(reading.component);
    byId.delete(reading.component);
    return absorbReading(draft, source, before, reading);
  });
  for (const [id, reading] of byId) setSeen(draft, id, { source, reading }, false);
  return kept;
}

function absorbSeen(draft: Draft, state: SourceState, observation: Observation): SourceState {
  if (observation.kind === 'blind' || observation === state.observation) return state;
  const found =
    observation.kind === 'seen' ? observation : { readings: [], groups: [], advice: [] };
  const { groups, advice } = found;
  const sameGroups =
    groups.length === state.groups.length &&
    groups.every((group, index) => sameGroup(state.groups[index], group));
  if (!sameGroups) draft.topologyChanged = true;
  const isSameAdvice =
    advice.length === state.advice.length &&
    advice.every((one, index) => sameAdvice(state.advice[index], one));
  if (!isSameAdvice) draft.adviceChanged = true;
  return {
    ...state,
    readings: absorbReadings(draft, state, found.readings),
    groups: sameGroups ? state.groups : groups,
    advice: isSameAdvice ? state.advice : advice,
    observation,
  };
}

function sightAfter(before: Sight, input: Extract<Input, { kind: 'read' }>): Sight {
  const { observation, at, durationMs } = input;
  const blind = observation.kind === 'blind';
  // A source that went stale stays so until it sees again: blindness must not look like progress.
  const state = blind && before.state === 'stale' ? 'stale' : observation.kind;
  return {
    ...before,
    state,
    why: observation.kind === 'seen' ? '' : observation.why,
    since: state === before.state ? before.since : at,
    seenAt: blind ? before.seenAt : at,
    durationMs,
    failures: blind ? before.failures + 1 : 0,
    readings: observation.kind === 'seen' ? observation.readings.length : 0,
  };
}

function absorbRead(draft: Draft, input: Extract<Input, { kind: 'read' }>): void {
  const state = draft.sources.get(input.source);
  if (state === undefined) return;
  const sight = sightAfter(state.sight, input);
  const absorbed = absorbSeen(draft, state, input.observation);
  draft.sources.set(input.source, { ...absorbed, sight });
  const reasonChanged = sight.state === 'stale' && sight.why !== state.sight.why;
  if (sight.state !== state.sight.state || reasonChanged) touchSource(draft, input.source);
}

/** Slots for what the configuration names literally: it is missed even if it was never read. */
function expectNamed(draft: Draft): void {
  const named = new Set<ComponentId>();
  for (const group of draft.judgement.groups) {
    for (const member of group.members) if (!isGlob(member)) named.add(member as ComponentId);
  }
  for (const id of named) placeOf(draft, id);
  for (const [place, slot] of draft.slots.entries()) {
    changeSlot(draft, place, { expected: named.has(slot.id) });
  }
}

/** The hysteresis of a limit goes with the limit, wherever it now stands in the configuration. */
function moveLimits(draft: Draft, before: readonly LimitConfig[]): void {
  const after = draft.judgement.limits.map((limit) => JSON.stringify(limit));
  const moved = before.map((limit) => after.indexOf(JSON.stringify(limit)));
  if (moved.every((to, from) => to === from)) return;
  for (const [place, slot] of draft.slots.entries()) {
    const limits = Object.fromEntries(
      Object.entries(slot.memory.limits).flatMap(([from, level]) => {
        const to = moved[Number(from)] ?? -1;
        return to < 0 ? [] : [[to, level]];
      }),
    );
    changeSlot(draft, place, { memory: { ...slot.memory, limits } });
  }
}

export function absorb(draft: Draft, input: Input): void {
  switch (input.kind) {
    case 'read':
      absorbRead(draft, input);
      break;
    case 'judgement': {
      const limitsBefore = draft.judgement.limits;
      draft.judgement = input.judgement;
      expectNamed(draft);
      moveLimits(draft, limitsBefore);
      draft.topologyChanged = true;
      break;
    }
    case 'forget': {
      const place = draft.places.get(input.component);
      if (place === undefined) break;
      changeSlot(draft, place, { remembered: undefined });
      draft.inventoryChanged = true;
      draft.topologyChanged = true;
      break;
    }
    case 'service':
    case 'outcome':
    case 'word':
    case 'resume':
    case 'adopt':
    case 'late':
    case 'cluster':
      draft.told.push(input);
      break;
    default:
      assertNever(input);
  }
}

/** Lets sight decay: a source that has not seen for its stale time no longer vouches for anything. */
export function decay(draft: Draft): void {
  for (const [id, state] of draft.sources) {
    const { sight, spec } = state;
    // A source that never saw has nothing to lose: it stays waiting or blind.
    if (sight.state === 'stale' || sight.seenAt === undefined) continue;
    const age = draft.now - sight.seenAt;
    if (age <= spec.staleMs) continue;
    const why = sight.why === '' ? `not read for ${Math.round(age / 1000)} s` : sight.why;
    draft.sources.set(id, { ...state, sight: { ...sight, state: 'stale', why, since: draft.now } });
    touchSource(draft, id);
  }
}
