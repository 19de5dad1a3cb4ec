/** The one clock: CLOCK_MONOTONIC in milliseconds, the same on every thread of every process here. */
import { type Ms, ms } from '../../rules/model.ts';

export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function monotonicNow(): Ms {
  return ms(monotonicMs());
}
