/** Work in slices: nobody holds the loop for longer than a slice, however much there is to read. */
import { setImmediate as yieldToLoop } from 'node:timers/promises';
import { monotonicMs } from './ports/clock.ts';

const SLICE_MS = 2;

export interface Slice {
  /** True when it is time to let others have their turn. */
  readonly isOver: () => boolean;
  /** Resolves in a later turn, with a new slice begun. */
  readonly next: () => Promise<void>;
}

export function openSlice(): Slice {
  let sinceMs = monotonicMs();
  return {
    isOver: () => monotonicMs() - sinceMs >= SLICE_MS,
    next: async () => {
      await yieldToLoop();
      sinceMs = monotonicMs();
    },
  };
}
