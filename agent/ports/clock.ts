/**
 * The one clock: CLOCK_MONOTONIC in milliseconds, the same on every thread of every process here. What the
 * core is told is in whole microseconds: finer is noise, and the journal writes each of them down.
 */
import { type Ms, ms } from '../../rules/model.ts';

/** `performance.now` counts the same clock from another start, and takes a tenth of the time to ask. */
const START_MS: number = Number(process.hrtime.bigint()) / 1e6 - performance.now();

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
