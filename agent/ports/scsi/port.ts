/** What the port to disks offers; it and its twin without koffi are the same to whoever uses it. */
import type { Completion } from '../../../fencing/reservation/answer.ts';
import type { Request } from '../../../fencing/reservation/request.ts';

/** A way to a disk: an sg node, and the identity of the disk that must be behind it. */
export interface ScsiPath {
  readonly device: string;
  readonly wwid: string | undefined;
}

export interface SendOptions {
  readonly deadlineMs: number;
  /** Hears what came of a command that was late, by its place among the requests. */
  readonly onLate?: (index: number, completion: Completion) => void;
}

export interface ScsiPort {
  /** `sg_persist`: by a program for each command, where koffi does not load. */
  readonly mode: 'sg' | 'sg_persist';
  /**
   * Sends requests to one path at once, and gives what came of each. Something that changes the disk must
   * be sent alone.
   */
  readonly send: (
    path: ScsiPath,
    requests: readonly Request[],
    options: SendOptions,
  ) => Promise<readonly Completion[]>;
  /** Gives up the descriptor of a path; what it held counts as gone. */
  readonly forget: (device: string) => void;
  readonly close: () => Promise<void>;
}
