/**
 * What the agent and its reader child say to each other, and the progress record by which the agent
 * knows, without an answer, which file the child hangs on. The child never gets a path by any other way.
 */
import type { Entry } from '../../collectors/lib/collector.ts';

/** `list`: the files of a list, replacing what it held. `read`: read these lists in order, once. `drop`: forget it. */
export type Order =
  | {
      readonly kind: 'list';
      readonly list: number;
      /** Read seldom: no descriptor is kept. */
      readonly seldom: boolean;
      readonly files: readonly (readonly [index: number, path: string])[];
    }
  | { readonly kind: 'read'; readonly lists: readonly number[]; readonly run: number }
  | { readonly kind: 'drop'; readonly list: number };

/** `vanished`: a descriptor that had given text said that its device is gone. */
export interface Answer {
  readonly index: number;
  readonly entry: Entry;
  readonly vanished: boolean;
}

/** Only what changed is answered; `done` names the lists of which all was read. */
export interface Report {
  readonly run: number;
  readonly answers: readonly Answer[];
  readonly done: readonly number[];
}

/** Descriptor of the progress file in the child (0-2 are /dev/null, 3 is the channel). */
export const PROGRESS_FD = 4;

/** No file is being read. */
export const IDLE = 0xffff_ffff;

/** The child's last note: since when (CLOCK_MONOTONIC) it reads which file of which run. */
export interface Progress {
  readonly run: number;
  readonly index: number;
  readonly sinceMs: number;
}

export const PROGRESS_BYTES = 20;

/**
 * The run stands at both ends: a record caught half-written shows by its ends, or is read anew later. The
 * time comes before the file it is of: no file is ever seen with the time of the one before it.
 */
export function writeProgress(buffer: Buffer, { run, index, sinceMs }: Progress): void {
  buffer.writeUInt32LE(run, 16);
  buffer.writeDoubleLE(sinceMs, 8);
  buffer.writeUInt32LE(index, 4);
  buffer.writeUInt32LE(run, 0);
}

export function readProgress(buffer: Buffer): Progress | undefined {
  const run = buffer.readUInt32LE(0);
  if (buffer.readUInt32LE(16) !== run) return undefined;
  return { run, index: buffer.readUInt32LE(4), sinceMs: buffer.readDoubleLE(8) };
}
