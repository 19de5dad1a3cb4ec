/**
 * Judges one component by what is known of itself: its merged readings, the limits, and the inventory.
 * It decides absent against unknown (a thing is gone only if its source looked and did not find it)
 * and what is worth remembering. Dependencies have their say later, in `assess`.
 */
import type { Judgement } from './config.ts';
import { anyGlobMatches } from './glob.ts';
import { applyFlaps, applyLimits, applyPeak, type Verdict } from './limits.ts';
import { isDecided, type Merged, merge } from './merge.ts';
import type { Ms, SourceId } from './model.ts';
import type { Memory, Own, Remembered, Seen, Slot, SourceState } from './world.ts';

interface Bench {
  readonly now: Ms;
  readonly judgement: Judgement;
  readonly sources: ReadonlyMap<SourceId, SourceState>;
}

/** Its last look is not too old. What is blind keeps its word until it is stale, "gone" as well as "ok". */
function hasLooked({ sight }: SourceState): boolean {
  return sight.seenAt !== undefined && sight.state !== 'stale';
}

function collectorOf(state: SourceState): string {
  return state.spec.id.split('/', 1)[0] ?? '';
}

function kindOf(slot: Slot): string {
  return slot.id.split('/', 1)[0] ?? 'component';
}

/**
 * The sources that must have looked before a component is called absent: the one that knew it; for one
 * that never was, those of the collectors that report its kind, and all while nothing of its kind is known.
 */
function lookersFor(slot: Slot, sources: Bench['sources']): readonly SourceState[] {
  if (slot.remembered !== undefined) return [sources.get(slot.remembered.source) ?? []].flat();
  const deciding = [...sources.values()].filter((state) => !state.spec.opinion);
  const prefix = `${kindOf(slot)}/`;
  const known = new Set(
    deciding
      .filter((state) => state.readings.some(({ component }) => component.startsWith(prefix)))
      .map(collectorOf),
  );
  return known.size === 0 ? deciding : deciding.filter((state) => known.has(collectorOf(state)));
}

/** A component that no deciding source reports now: absent if they looked, unknown if one did not. */
function missing(slot: Slot, bench: Bench): Own {
  const { remembered } = slot;
  const lookers = lookersFor(slot, bench.sources);
  const sight = lookers.find((state) => !hasLooked(state))?.sight;
  const looked = lookers.length > 0 && sight === undefined;
  const blind = sight === undefined ? 'nothing looks for it' : `${sight.id} is ${sight.state}`;
  const gone = remembered === undefined ? 'named in the configuration, not found' : 'gone';
  return {
    kind: remembered?.kind ?? kindOf(slot),
    name: remembered?.name ?? slot.id,
    health: looked ? 'absent' : 'unknown',
    why: looked ? gone : `not seen yet: ${blind}`,
    gauges: {},
    facts: {},
    needs: remembered?.needs ?? [],
    sources: remembered === undefined ? [] : [remembered.source],
    unproven: false,
    ignored: anyGlobMatches(bench.judgement.ignore, slot.id),
  };
}

/** The inventory's record after this sight; groups are filled in when the topology is built. */
function remember(slot: Slot, merged: Merged, peaks: Remembered['peaks']): Remembered {
  const { remembered } = slot;
  const { reading, sources } = merged;
  const needs = sameList(remembered?.needs, reading.needs) ? remembered?.needs : reading.needs;
  const source = sources[0] ?? ('' as SourceId);
  const same =
    remembered !== undefined &&
    remembered.kind === reading.kind &&
    remembered.name === reading.name &&
    remembered.needs === needs &&
    remembered.source === source &&
    remembered.peaks === peaks;
  if (same) return remembered;
  return {
    id: slot.id,
    kind: reading.kind,
    name: reading.name,
    source,
    needs: needs ?? reading.needs,
    groups: remembered?.groups ?? [],
    peaks,
  };
}

export function sameList(a: readonly unknown[] | undefined, b: readonly unknown[]): boolean {
  return a !== undefined && a.length === b.length && a.every((item, index) => item === b[index]);
}

/** What a counter did while nobody looked is not known: it starts anew. Hysteresis and flaps stay. */
function blinked({ memory }: Slot): Memory {
  return memory.flapCounter === undefined ? memory : { ...memory, flapCounter: undefined };
}

function ownOf(slot: Slot, merged: Merged, verdict: Verdict, bench: Bench): Own {
  const { reading } = merged;
  return {
    kind: reading.kind,
    name: reading.name,
    health: verdict.health,
    why: verdict.why,
    gauges: reading.gauges,
    facts: reading.facts,
    needs: reading.needs,
    sources: merged.sources,
    unproven: reading.unproven === true && slot.remembered === undefined,
    ignored: anyGlobMatches(bench.judgement.ignore, slot.id),
  };
}

function judgeSeen(slot: Slot, seen: readonly [Seen, ...Seen[]], bench: Bench): Slot {
  const merged = merge(seen, bench.sources);
  const { reading } = merged;
  const peaksBefore = slot.remembered?.peaks ?? {};
  let verdict: Verdict = { health: merged.health, why: merged.why };
  if (!merged.read)
    return { ...slot, own: ownOf(slot, merged, verdict, bench), memory: blinked(slot) };
  const peaked = applyPeak(reading, verdict, peaksBefore);
  const limited = applyLimits(reading, peaked.verdict, bench.judgement, slot.memory);
  const memory: Memory =
    limited.limits === slot.memory.limits
      ? slot.memory
      : { ...slot.memory, limits: limited.limits };
  const flapped = applyFlaps(reading, limited.verdict, bench.judgement, memory, bench.now);
  verdict = flapped.verdict;
  const proves = merged.fresh && reading.unproven !== true && reading.virtual !== true;
  const remembered = proves ? remember(slot, merged, peaked.peaks) : slot.remembered;
  const own = ownOf({ ...slot, remembered }, merged, verdict, bench);
  return { ...slot, own, memory: flapped.memory, remembered };
}

/** The slot judged anew; undefined when nothing holds it any longer. */
export function judge(slot: Slot, bench: Bench): Slot | undefined {
  const [first, ...rest] = slot.seen;
  const missed = slot.remembered !== undefined || slot.expected;
  // A second opinion alone does not keep what is missed from being absent.
  const reported = isDecided(slot.seen, bench.sources) || !missed;
  if (first !== undefined && reported) return judgeSeen(slot, [first, ...rest], bench);
  if (!missed) return undefined;
  return { ...slot, own: missing(slot, bench), memory: blinked(slot) };
}
