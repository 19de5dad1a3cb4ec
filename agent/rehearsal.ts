/**
 * Walks the way from a text to a world before the first fault does. Code that runs for the first time is
 * compiled then, and runs some ten times slower; an agent that is idle for months would do so at the very
 * moment it is there for. The parsers and the core are pure, so they are walked with the real texts, with
 * zeros and with errors in their place, and what comes out is thrown away. It takes a small share of the
 * time after the start, and ends.
 */
import { setFlagsFromString } from 'node:v8';
import type { Entry, Snapshot } from '../collectors/lib/collector.ts';
import type { Ms, SourceId } from '../rules/model.ts';
import { step } from '../rules/step.ts';
import type { World } from '../rules/world.ts';
import { type KernelWake, matches } from './kernel/wakes.ts';
import { monotonicNow } from './ports/clock.ts';
import type { Watch } from './watch.ts';

/** How often each way is walked; the runtime compiles what ran some ten times. */
const ROUNDS = 24;
/** The share of time it takes: so long a walk, then so long a pause. */
const WALK_MS = 2;
const PAUSE_MS = 18;
/** Processor time it takes in all, whatever the size of the machine. */
const TOTAL_MS = 600;

/**
 * Has the runtime keep what it compiled. It else throws away what did not run for a few collections of
 * garbage, which is just what waits for a fault. Costs the megabyte or two that throwing away saves.
 */
export function keepCompiled(): void {
  setFlagsFromString('--no-flush-bytecode');
}

export interface Rehearsed {
  readonly watches: readonly Watch[];
  readonly snapshot: (source: SourceId) => Snapshot | undefined;
  readonly world: () => World;
}

function altered(snapshot: Snapshot, change: (entry: Entry) => Entry): Snapshot {
  return new Map([...snapshot].map(([key, entry]) => [key, change(entry)]));
}

/** Zero is what a fan, a carrier and an adapter say when they fail; `A` and `F` are the letters of paths. */
function zeros(entry: Entry): Entry {
  if (!('text' in entry)) return entry;
  const text = entry.text.length < 20 ? entry.text.replace(/\d+/gu, '0') : entry.text;
  return { ...entry, text: text.replace(/ A /gu, ' F ') };
}

const ERROR: Entry = { errno: 'EIO' };
const WAKES: readonly KernelWake[] = [
  { on: 'uevent', subsystem: '', action: 'change' },
  { on: 'netlink', about: 'link' },
  { on: 'pollpri', path: 'proc/mdstat' },
  { on: 'kmsg' },
];

/** One way: what the source might say, parsed, and stepped into a world that nobody keeps. */
function walk({ source, id }: Watch, snapshot: Snapshot, world: World, now: Ms): void {
  for (const wake of source.wakes) for (const one of WAKES) matches(wake, one);
  const observation = source.parse(snapshot);
  step(world, now, [{ kind: 'read', source: id, at: now, observation, durationMs: 0 }]);
}

function* walks({ watches, snapshot, world }: Rehearsed): Generator<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const watch of watches) {
      const real = snapshot(watch.id);
      // Who is woken by nothing is in no hurry.
      if (real === undefined || watch.source.wakes.length === 0) continue;
      const change = [(entry: Entry) => entry, zeros, () => ERROR][round % 3] ?? zeros;
      try {
        walk(watch, altered(real, change), world(), monotonicNow());
      } catch {
        // A parser that throws is the loop's to tell of, when it does so on what was really read.
      }
      yield;
    }
  }
}

/** Begins; the function that comes back ends it early. */
export function rehearse(rehearsed: Rehearsed): () => void {
  const ways = walks(rehearsed);
  let spentMs = 0;
  let timer: NodeJS.Timeout | undefined;
  const turn = (): void => {
    const startedMs = monotonicNow();
    let isDone = false;
    while (!isDone && monotonicNow() - startedMs < WALK_MS) isDone = ways.next().done === true;
    spentMs += monotonicNow() - startedMs;
    if (!isDone && spentMs < TOTAL_MS) timer = setTimeout(turn, PAUSE_MS);
  };
  timer = setTimeout(turn, PAUSE_MS);
  return () => clearTimeout(timer);
}
