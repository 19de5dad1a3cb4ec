/**
 * Looks up a little later what a change of a link may have made besides: joining a bond makes new files
 * without a uevent. At once it would double the time until a pulled cable is known, which is what such a
 * change mostly is.
 */
import type { Watch } from './watch.ts';

/** After a change of a link its folders are listed anew with this delay. */
export const RELIST_SOON_MS = 100;

export interface Relists {
  /** Calls back for the source after the delay, once for all that happens meanwhile. */
  readonly soon: (watch: Watch) => void;
  readonly close: () => void;
}

export function openRelists(relist: (watch: Watch) => void): Relists {
  const timers = new Map<Watch, NodeJS.Timeout>();
  return {
    soon: (watch) => {
      if (timers.has(watch)) return;
      const timer = setTimeout(() => {
        timers.delete(watch);
        relist(watch);
      }, RELIST_SOON_MS);
      timers.set(watch, timer);
    },
    close: () => {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
