/**
 * Judges one component by what is known of itself: its merged readings, the limits, and the inventory.
 * It decides absent against unknown (a thing is gone only if its source looked and did not find it)
 * and what is worth remembering. Dependencies have their say later, in `assess`.
 */
import type { Judgement } from './config.ts';
import { anyGlobMatches } from './glob.ts';
import { applyFlaps, applyLimits, applyPeak, type Verdict } from './limits.ts';
import { type Merged, merge } from './merge.ts';
import type { Ms, SourceId } from './model.ts';
import type { Memory, Own, Remembered, Seen, Slot, SourceState } from './world.ts';

interface Bench {
  readonly now: Ms;
  readonly judgement: Judgement;
  readonly sources: ReadonlyMap<SourceId, SourceState>;
}

const LOOKED: ReadonlySet<string> = new Set(['seen', 'none']);

/** A component that no source reports now: absent if its source looked, unknown if it did not. */
function missing(slot: Slot, bench: Bench): Own {
  const { remembered } = slot;
  const sight = remembered === undefined ? undefined : bench.sources.get(remembered.source)?.sight;
  const looked =
    remembered === undefined
      ? [...bench.sources.values()].some((source) => LOOKED.has(source.sight.state))
      : sight !== undefined && LOOKED.has(sight.state);
  const blind = sight === undefined ? 'nothing looks for it' : `${sight.id} is ${sight.state}`;
  const gone = remembered === undefined ? 'named in the configuration, not found' : 'gone';
  return {
    kind: remembered?.kind ?? slot.id.split('/', 1)[0] ?? 'component',
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

function judgeSeen(slot: Slot, seen: readonly [Seen, ...Seen[]], bench: Bench): Slot {
  const merged = merge(seen, bench.sources);
  const { reading } = merged;
  const peaksBefore = slot.remembered?.peaks ?? {};
  let verdict: Verdict = { health: merged.health, why: merged.why };
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
  const own: Own = {
    kind: reading.kind,
    name: reading.name,
    health: verdict.health,
    why: verdict.why,
    gauges: reading.gauges,
    facts: reading.facts,
    needs: reading.needs,
    sources: merged.sources,
    unproven: reading.unproven === true && remembered === undefined,
    ignored: anyGlobMatches(bench.judgement.ignore, slot.id),
  };
  return { ...slot, own, memory: flapped.memory, remembered };
}

/** The slot judged anew; undefined when nothing holds it any longer. */
export function judge(slot: Slot, bench: Bench): Slot | undefined {
  const [first, ...rest] = slot.seen;
  if (first !== undefined) return judgeSeen(slot, [first, ...rest], bench);
  if (slot.remembered === undefined && !slot.expected) return undefined;
  return { ...slot, own: missing(slot, bench) };
}
