/**
 * When folders are listed anew because of a wake. Where a device came or went, before the read; else a
 * little later: a change of a device mostly makes no files, and listing first doubles the time until it is
 * known. Later it is done all the same, because joining a bond or an array makes files without a uevent.
 */

import type { Ms } from '../rules/model.ts';
import type { KernelWake } from './kernel/wakes.ts';
import type { Watch } from './watch.ts';

/** After a change folders are listed anew with this delay. */
export const RELIST_SOON_MS = 100;
/** Wakes that name nothing that came, went or changed list folders anew no more often than this. */
export const RELIST_MS = 10_000;

export interface Relists {
  /** What is to be done for each source that these wakes wake. */
  readonly after: (wakes: readonly KernelWake[], now: Ms) => (watch: Watch) => void;
  readonly close: () => void;
}

/** `relist`: its next read lists; `refresh`: it is read soon. */
export function openRelists(options: {
  readonly relist: (watch: Watch) => void;
  readonly refresh: (watch: Watch) => void;
}): Relists {
  const { relist, refresh } = options;
  const timers = new Map<Watch, NodeJS.Timeout>();
  let relistedAt = Number.NEGATIVE_INFINITY;
  const soon = (watch: Watch): void => {
    // Once for all that happens meanwhile.
    if (timers.has(watch)) return;
    const timer = setTimeout(() => {
      timers.delete(watch);
      relist(watch);
      refresh(watch);
    }, RELIST_SOON_MS);
    timers.set(watch, timer);
  };
  return {
    after: (wakes, now) => {
      if (wakes.some((one) => one.on === 'uevent' && one.action !== 'change')) {
        relistedAt = now;
        return relist;
      }
      // The polling twin says overflow each second: folders are not listed as often.
      const isOld = now - relistedAt > RELIST_MS;
      if (isOld) relistedAt = now;
      const isChange = wakes.some(({ on }) => on === 'uevent' || on === 'netlink');
      return isOld || isChange ? soon : () => undefined;
    },
    close: () => {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
