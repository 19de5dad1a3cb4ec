/**
 * The world as the journal last knew it: the newest segment that can be read, stepped through to its end.
 * The agent writes with a delay of about a second, so this is the world of about a second ago.
 */
import { openReplay } from '../../rules/replay.ts';
import type { World } from '../../rules/world.ts';
import { entriesOf, JournalError, readSegment, segmentPaths } from './read.ts';

export interface LastKnown {
  readonly world: World;
  readonly unixMs: number;
  /** The agent has ended in good order; what it knew is as old as that. */
  readonly ended: boolean;
}

async function lastOf(path: string): Promise<LastKnown | undefined> {
  const replay = openReplay();
  let offsetMs = 0;
  let ended = false;
  try {
    for (const { entry } of entriesOf(await readSegment(path))) {
      if (entry.kind === 'head') {
        offsetMs = entry.head.wallOffsetMs;
        ended = entry.head.reason === 'end';
      }
      if (entry.kind === 'wall') offsetMs = entry.wallOffsetMs;
      replay.take(entry);
    }
  } catch (error) {
    // A torn end: what stands before it is the last that is known.
    if (!(error instanceof JournalError)) throw error;
  }
  const world = replay.world();
  return world === undefined ? undefined : { world, unixMs: world.at + offsetMs, ended };
}

export async function lastKnown(folder: string): Promise<LastKnown> {
  for (const path of (await segmentPaths(folder)).toReversed()) {
    const last = await lastOf(path);
    if (last !== undefined) return last;
  }
  throw new JournalError(`${folder}: no segment holds a whole checkpoint`);
}
