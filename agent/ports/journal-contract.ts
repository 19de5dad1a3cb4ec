/** What the journal is told and offers, and its sizes and times in one place. */
import type { Step } from '../../rules/record.ts';

export interface JournalLimits {
  /** Steps of a segment; a larger checkpoint allows for more, so that it stays the smaller part. */
  readonly segmentBytes: number;
  readonly checkpointTimes: number;
  /** All segments together; the oldest are removed. */
  readonly totalBytes: number;
  readonly filesMax: number;
  /** What waits for the disk. The name of this queue in the drop counters is `journal`. */
  readonly queueBytes: number;
  /** What holds no decision waits so long for more. */
  readonly gatherMs: number;
  /** After a failure so long until the next try. */
  readonly retryMs: number;
}

export const JOURNAL_LIMITS: JournalLimits = {
  segmentBytes: 1024 * 1024,
  checkpointTimes: 4,
  totalBytes: 256 * 1024 * 1024,
  filesMax: 2000,
  queueBytes: 4 * 1024 * 1024,
  gatherMs: 1000,
  retryMs: 10_000,
};

export interface JournalOptions {
  readonly stateDir: string;
  readonly version: string;
  readonly node: string;
  readonly boot: string;
  readonly life: string;
  readonly wallOffsetMs: () => number;
  readonly onTrouble: (why: string) => void;
  readonly limits?: Partial<JournalLimits>;
}

export interface Journal {
  /** Takes a step over; costs the caller its encoding, some microseconds. */
  readonly record: (step: Step) => void;
  /** Steps that were not written, since the start. */
  readonly dropped: () => number;
  /** Writes what waits and a last checkpoint; resolves when that is on disk or failed. */
  readonly close: () => Promise<void>;
}
