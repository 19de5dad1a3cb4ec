/**
 * Replays a journal: every recorded input is stepped through the core again and what comes of it compared
 * byte for byte with what was written. Where one segment follows another of the same life without a gap,
 * the world at its end must be the checkpoint of the next. It touches nothing but the files it reads.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Entry, Head } from '../../rules/record.ts';
import { type Difference, openReplay, type Rejudge } from '../../rules/replay.ts';
import type { World } from '../../rules/world.ts';
import { entriesOf, JournalError, readSegment, type SegmentText } from './read.ts';

export interface Found {
  readonly place: string;
  /** Unix milliseconds by the segment's own label. */
  readonly unixMs: number;
  readonly difference: Difference;
}

export interface SegmentResult {
  readonly name: string;
  readonly head: Head | undefined;
  readonly steps: number;
  readonly fromUnixMs: number;
  readonly toUnixMs: number;
  readonly torn: boolean;
  /** What made reading it end early. */
  readonly broken: string | undefined;
  /** It does not begin where the segment before it ended. */
  readonly unlike: boolean;
}

export interface ReplayOptions {
  /** Judged otherwise, nothing is expected to be equal. */
  readonly rejudge: Rejudge | undefined;
  readonly onDifference: (found: Found) => void;
  /** Ends the replay when it says so, after a difference. */
  readonly enough: () => boolean;
}

interface Past {
  readonly head: Head;
  readonly world: World;
}

function follows(past: Past | undefined, head: Head | undefined): past is Past {
  return (
    past !== undefined &&
    past.head.life === head?.life &&
    past.head.segment + 1 === head.segment &&
    head.lost === 0
  );
}

function bare(world: World): World {
  return { ...world, decisions: [] };
}

/** Whether a checkpoint is another world than the one its segment should go on from. */
function isUnlike(past: Past | undefined, head: Head | undefined, world: World): boolean {
  return follows(past, head) && !isDeepStrictEqual(bare(past.world), bare(world));
}

interface Progress {
  head: Head | undefined;
  offsetMs: number;
  fromUnixMs: number;
  toUnixMs: number;
  broken: string | undefined;
  unlike: boolean;
}

function note(progress: Progress, entry: Entry): void {
  switch (entry.kind) {
    case 'head':
      progress.head = entry.head;
      progress.offsetMs = entry.head.wallOffsetMs;
      break;
    case 'wall':
      progress.offsetMs = entry.wallOffsetMs;
      break;
    case 'world':
      progress.fromUnixMs = entry.world.at + progress.offsetMs;
      break;
    case 'step':
      progress.toUnixMs = entry.at + progress.offsetMs;
      break;
  }
}

function replaySegment(
  segment: SegmentText,
  past: Past | undefined,
  options: ReplayOptions,
): { readonly result: SegmentResult; readonly past: Past | undefined } {
  const replay = openReplay(options.rejudge);
  const progress: Progress = {
    head: undefined,
    offsetMs: 0,
    fromUnixMs: Number.NaN,
    toUnixMs: Number.NaN,
    broken: undefined,
    unlike: false,
  };
  try {
    for (const { place, entry } of entriesOf(segment)) {
      note(progress, entry);
      if (entry.kind === 'world' && options.rejudge === undefined)
        progress.unlike = isUnlike(past, progress.head, entry.world);
      const difference = replay.take(entry);
      if (difference === undefined) continue;
      options.onDifference({ place, unixMs: progress.toUnixMs, difference });
      if (options.enough()) break;
    }
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    progress.broken = error.message;
  }
  const { name, torn } = segment;
  const { head, broken } = progress;
  const world = replay.world();
  const whole = head !== undefined && world !== undefined && broken === undefined && !torn;
  const { offsetMs, ...rest } = progress;
  return {
    result: { name, torn, steps: replay.steps(), ...rest },
    past: whole ? { head, world } : undefined,
  };
}

/** Segment by segment, so that the first results can be told before the last are read. */
export async function* replaySegments(
  paths: readonly string[],
  options: ReplayOptions,
): AsyncGenerator<SegmentResult> {
  let past: Past | undefined;
  for (const path of paths) {
    const done = replaySegment(await readSegment(path), past, options);
    past = done.past;
    yield done.result;
    if (options.enough()) return;
  }
}
