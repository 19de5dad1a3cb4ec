/**
 * The one clock: CLOCK_MONOTONIC in milliseconds, the same on every thread of every process here. What the
 * core is told is in whole microseconds: finer is noise, and the journal writes each of them down.
 */
import { type Ms, ms } from '../../rules/model.ts';

const TRIES = 5;

/**
 * `performance.now` counts the same clock from another start in each thread, and takes a tenth of the time
 * to ask. The first calls of a thread are slow: the closest of several tells where it starts, to a few
 * microseconds.
 */
function startOfCount(): number {
  let closest = { widthMs: Number.POSITIVE_INFINITY, startMs: 0 };
  for (let round = 0; round < TRIES; round += 1) {
    const before = performance.now();
    const clockMs = Number(process.hrtime.bigint()) / 1e6;
    const after = performance.now();
    const widthMs = after - before;
    if (widthMs < closest.widthMs) closest = { widthMs, startMs: clockMs - (before + after) / 2 };
  }
  return closest.startMs;
}

const START_MS = startOfCount();

export function monotonicMs(): number {
  return START_MS + performance.now();
}

export function monotonicNow(): Ms {
  return ms(toMicroseconds(monotonicMs()));
}

/** Milliseconds without what is finer than a microsecond. */
export function toMicroseconds(valueMs: number): number {
  return Math.round(valueMs * 1000) / 1000;
}

/** Below this a measured offset differs by chance or by slewing. */
const OFFSET_JITTER_MS = 100;

/**
 * What added to `monotonicNow` gives Unix time: the offset known so far, or the one measured now when
 * the wall clock was set meanwhile (a first answer of NTP after boot) or the machine slept.
 */
export function wallOffset(knownMs: number, measuredMs: number): number {
  return Math.abs(measuredMs - knownMs) > OFFSET_JITTER_MS ? measuredMs : knownMs;
}

/** Asks for the wall offset of now: it moves only when the clock was set. */
export function openWallOffset(): () => number {
  let knownMs = Date.now() - monotonicNow();
  return () => {
    knownMs = wallOffset(knownMs, Date.now() - monotonicNow());
    return knownMs;
  };
}
