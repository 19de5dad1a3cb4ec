/**
 * Judges numbers. Collectors know no threshold; here the operator's limits (with hysteresis), the best
 * value ever seen (a link that runs slower than it did) and flap counts darken a health. None of them
 * ever makes a health better than its reading.
 */
import type { Judgement, LimitConfig } from './config.ts';
import { globMatches } from './glob.ts';
import type { Health, Ms, Reading } from './model.ts';
import { ms } from './model.ts';
import type { Memory } from './world.ts';

export interface Verdict {
  readonly health: Health;
  readonly why: string;
}

type Level = 'ok' | 'failing' | 'failed';

const LEVELS: readonly Level[] = ['ok', 'failing', 'failed'];
/** More increases than this inside one window are counted together: memory stays bounded. */
export const FLAPS_KEPT_MAX = 64;

/** How bad a value is on a scale where more is worse; a bad level ends only at `recovers`. */
function levelOf(
  value: number,
  marks: { readonly failing?: number; readonly failed?: number; readonly recovers?: number },
  before: Level,
): Level {
  if (marks.failed !== undefined && value >= marks.failed) return 'failed';
  if (marks.failing !== undefined && value >= marks.failing) return 'failing';
  const recovers = marks.recovers ?? marks.failing ?? marks.failed ?? value;
  if (before !== 'ok' && value > recovers) return marks.failing === undefined ? before : 'failing';
  return 'ok';
}

function negated(marks: NonNullable<LimitConfig['below']>): NonNullable<LimitConfig['above']> {
  return {
    ...(marks.failing === undefined ? {} : { failing: -marks.failing }),
    ...(marks.failed === undefined ? {} : { failed: -marks.failed }),
    ...(marks.recovers === undefined ? {} : { recovers: -marks.recovers }),
  };
}

/** The level of one limit for one value, given the level it had before. */
export function limitLevel(limit: LimitConfig, value: number, before: Level): Level {
  const above = limit.above === undefined ? 'ok' : levelOf(value, limit.above, before);
  const below = limit.below === undefined ? 'ok' : levelOf(-value, negated(limit.below), before);
  return LEVELS.indexOf(above) >= LEVELS.indexOf(below) ? above : below;
}

const RANK: Readonly<Record<Health, number>> = {
  ok: 0,
  unknown: 1,
  failing: 2,
  absent: 3,
  failed: 4,
};

export function darker(verdict: Verdict, health: Health, why: string): Verdict {
  return RANK[health] > RANK[verdict.health] ? { health, why } : verdict;
}

/** Applies every configured limit that names this component and a gauge it has. */
export function applyLimits(
  reading: Reading,
  verdict: Verdict,
  judgement: Judgement,
  memory: Memory,
): { readonly verdict: Verdict; readonly limits: Memory['limits'] } {
  let result = verdict;
  const limits: Record<number, Level> = {};
  let changed = false;
  for (const [index, limit] of judgement.limits.entries()) {
    const value = reading.gauges[limit.gauge];
    if (!globMatches(limit.component, reading.component)) continue;
    const before = memory.limits[index] ?? 'ok';
    if (value === undefined) {
      // Not read this time: it neither recovers nor gets worse.
      if (memory.limits[index] !== undefined) limits[index] = before;
      continue;
    }
    const level = limitLevel(limit, value, before);
    limits[index] = level;
    changed ||= level !== memory.limits[index];
    if (level !== 'ok') result = darker(result, level, `${limit.gauge} ${value} is past its limit`);
  }
  const same = !changed && Object.keys(limits).length === Object.keys(memory.limits).length;
  return { verdict: result, limits: same ? memory.limits : limits };
}

/** Darkens a component that does worse than it once did: a gigabit link that came back at 100 Mbit/s. */
export function applyPeak(
  reading: Reading,
  verdict: Verdict,
  peaks: Readonly<Record<string, number>>,
): { readonly verdict: Verdict; readonly peaks: Readonly<Record<string, number>> } {
  const gauge = reading.peak;
  const value = gauge === undefined ? undefined : reading.gauges[gauge];
  if (gauge === undefined || value === undefined || verdict.health !== 'ok') {
    return { verdict, peaks };
  }
  const best = peaks[gauge];
  if (best === undefined || value > best) return { verdict, peaks: { ...peaks, [gauge]: value } };
  if (value === best) return { verdict, peaks };
  const why = `${gauge} ${value}, the best seen is ${best}`;
  return { verdict: darker(verdict, 'failing', why), peaks };
}

/** Counts increases of the flap counter inside the configured window. A counter that fell was reset. */
export function applyFlaps(
  reading: Reading,
  verdict: Verdict,
  judgement: Judgement,
  memory: Memory,
  now: Ms,
): { readonly verdict: Verdict; readonly memory: Memory } {
  const value = reading.flap === undefined ? undefined : reading.gauges[reading.flap];
  const config = judgement.flaps.findLast((flap) => globMatches(flap.component, reading.component));
  if (config === undefined) {
    // Not counted: when it is again, what happened in between is no flapping.
    const idle = memory.flapCounter === undefined && memory.flaps.length === 0;
    return { verdict, memory: idle ? memory : { ...memory, flaps: [], flapCounter: undefined } };
  }
  if (value === undefined) return { verdict, memory };
  const rise = memory.flapCounter === undefined ? 0 : Math.max(0, value - memory.flapCounter);
  const start = ms(now - config.withinMs);
  let flaps = memory.flaps;
  if (rise > 0) flaps = [...flaps, { at: now, count: rise }].slice(-FLAPS_KEPT_MAX);
  if (flaps[0] !== undefined && flaps[0].at <= start)
    flaps = flaps.filter((flap) => flap.at > start);
  const count = flaps.reduce((sum, flap) => sum + flap.count, 0);
  const why = `changed ${count} times within ${Math.round(config.withinMs / 1000)} s`;
  const same = flaps === memory.flaps && value === memory.flapCounter;
  return {
    verdict: count >= config.changes ? darker(verdict, 'failing', why) : verdict,
    memory: same ? memory : { ...memory, flaps, flapCounter: value },
  };
}
