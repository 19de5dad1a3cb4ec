/**
 * The world as the journal last knew it: the newest segment that can be read, stepped through to its end.
 * The agent writes with a delay of about a second, so this is the world of about a second ago.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { openReplay } from '../../rules/replay.ts';
import type { World } from '../../rules/world.ts';
import { entriesOf, JournalError, readSegment, segmentPaths } from './read.ts';

export interface LastKnown {
  readonly world: World;
  readonly unixMs: number;
  readonly offsetMs: number;
  readonly boot: string;
  /** The agent has ended in good order; what it knew is as old as that. */
  readonly ended: boolean;
}

/** Steps between two turns of the event loop: a running agent reads its last life beside its work. */
const TURN_STEPS = 50;

async function lastOf(path: string): Promise<LastKnown | undefined> {
  const replay = openReplay();
  let offsetMs = 0;
  let ended = false;
  let boot = '';
  let steps = 0;
  try {
    for (const { entry } of entriesOf(await readSegment(path))) {
      if (entry.kind === 'head') {
        offsetMs = entry.head.wallOffsetMs;
        ended = entry.head.reason === 'end';
        boot = entry.head.boot;
      }
      if (entry.kind === 'wall') offsetMs = entry.wallOffsetMs;
      replay.take(entry);
      steps += 1;
      if (steps % TURN_STEPS === 0) await turn();
    }
  } catch (error) {
    // A torn end: what stands before it is the last that is known.
    if (!(error instanceof JournalError)) throw error;
  }
  const world = replay.world();
  return world === undefined
    ? undefined
    : { world, unixMs: world.at + offsetMs, offsetMs, boot, ended };
}

/** From segments, oldest first; undefined when none of them holds a whole checkpoint. */
export async function lastKnownOf(paths: readonly string[]): Promise<LastKnown | undefined> {
  for (const path of paths.toReversed()) {
    const last = await lastOf(path);
    if (last !== undefined) return last;
  }
  return undefined;
}

export async function lastKnown(folder: string): Promise<LastKnown> {
  const last = await lastKnownOf(await segmentPaths(folder));
  if (last !== undefined) return last;
  throw new JournalError(`${folder}: no segment holds a whole checkpoint`);
}
