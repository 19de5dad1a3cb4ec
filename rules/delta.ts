/**
 * An observation told as what differs from the one before it of the same source. A source that read the
 * same again is nothing, a sensor that moved is its place and its new number. Whoever has the observation
 * before gets the new one back, equal in all that judgement looks at.
 */
import { sameReading } from './absorb.ts';
import { CodecError, type Json, openDecoder, openEncoder } from './codec.ts';
import type { Advice, GroupReading, Observation, Reading } from './model.ts';

/** A reading that changed: its place, then places of gauges and their new values, or the whole reading. */
export type Patch = readonly [number, ...(readonly number[])] | readonly [number, Json];

/** `undefined`: the same again; a list: what changed; an object: the whole observation. */
export type Delta = undefined | readonly Patch[] | Json;

type Seen = Extract<Observation, { kind: 'seen' }>;

function sameJson(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function sameEach<T>(a: readonly T[], b: readonly T[]): boolean {
  return a === b || (a.length === b.length && a.every((one, index) => sameJson(one, b[index])));
}

function sameSurroundings(
  before: Seen,
  after: Seen,
): before is Seen & {
  readonly groups: readonly GroupReading[];
  readonly advice: readonly Advice[];
} {
  return (
    before.readings.length === after.readings.length &&
    sameEach(before.groups, after.groups) &&
    sameEach(before.advice, after.advice)
  );
}

/** The gauges that changed, when nothing else did and their names are the same in the same order. */
function gaugePatch(place: number, before: Reading, after: Reading): Patch | undefined {
  const keys = Object.keys(after.gauges);
  const old = Object.keys(before.gauges);
  if (keys.length !== old.length || !keys.every((key, index) => key === old[index]))
    return undefined;
  if (!sameReading({ ...before, gauges: after.gauges }, after)) return undefined;
  const patch: [number, ...number[]] = [place];
  for (const [at, key] of keys.entries()) {
    const value = after.gauges[key];
    if (value === before.gauges[key]) continue;
    if (value === undefined || !Number.isFinite(value) || Object.is(value, -0)) return undefined;
    patch.push(at, value);
  }
  return patch;
}

export function deltaOf(before: Observation | undefined, after: Observation): Delta {
  if (before === after) return undefined;
  if (before?.kind === 'seen' && after.kind === 'seen' && sameSurroundings(before, after)) {
    const patches: Patch[] = [];
    for (const [place, reading] of after.readings.entries()) {
      const old = before.readings[place];
      if (old === undefined || old.component !== reading.component) return whole(after);
      if (sameReading(old, reading)) continue;
      patches.push(gaugePatch(place, old, reading) ?? [place, openEncoder().encode(reading)]);
    }
    return patches.length === 0 ? undefined : patches;
  }
  return before !== undefined && before.kind === after.kind && sameJson(before, after)
    ? undefined
    : whole(after);
}

function whole(observation: Observation): Json {
  return openEncoder().encode(observation);
}

function patched(before: Reading, patch: Patch): Reading {
  const [, first, ...rest] = patch;
  if (typeof first !== 'number') return openDecoder().decode(first as Json) as Reading;
  const gauges: Record<string, number> = { ...before.gauges };
  const keys = Object.keys(gauges);
  const changes = [first, ...rest];
  for (let at = 0; at < changes.length; at += 2) {
    const key = keys[Number(changes[at])];
    if (key === undefined) throw new CodecError('a gauge changed that was never read');
    gauges[key] = Number(changes[at + 1]);
  }
  return { ...before, gauges };
}

/** Undefined when the delta does not fit what was before it: the file is not what it says. */
export function applyDelta(before: Observation | undefined, delta: Delta): Observation | undefined {
  if (delta === undefined) return before;
  if (!Array.isArray(delta)) return openDecoder().decode(delta as Json) as Observation;
  if (before?.kind !== 'seen') return undefined;
  const readings = before.readings.slice();
  for (const patch of delta as readonly Patch[]) {
    const [place] = patch;
    const old = readings[place];
    if (old === undefined) return undefined;
    readings[place] = patched(old, patch);
  }
  return { ...before, readings };
}
