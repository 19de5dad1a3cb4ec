/**
 * Steps through a segment's inputs again and holds what comes of each against what was written down, byte
 * for byte. With another judgement the same inputs show what would have been decided instead. It reads
 * no file and prints nothing.
 */
import type { Judgement } from './config.ts';
import type { Ms } from './model.ts';
import type { Entry } from './record.ts';
import { verdictsText } from './record.ts';
import { step } from './step.ts';
import { verdictsOf } from './verdicts.ts';
import type { Input, World } from './world.ts';

export interface Difference {
  readonly at: Ms;
  /** JSON of what the step came to; empty when it came to nothing. */
  readonly recorded: string;
  readonly replayed: string;
}

export interface Replay {
  /** Steps on by one entry; a difference when what comes of it is not what was written. */
  readonly take: (entry: Entry) => Difference | undefined;
  /** As it is now; undefined before the checkpoint. */
  readonly world: () => World | undefined;
  readonly steps: () => number;
}

/** What to judge by instead of what was recorded, at the start and after each reload. */
export type Rejudge = (recorded: Judgement) => Judgement;

export function openReplay(rejudge?: Rejudge): Replay {
  let world: World | undefined;
  let steps = 0;
  /** The checkpoint, judged otherwise; what that comes to is no step of the record. */
  function begin(recorded: World): Difference | undefined {
    world = recorded;
    if (rejudge === undefined) return undefined;
    // A life begins without rules; they come as an input, which is judged otherwise when it comes.
    const { rules } = recorded.judgement;
    const otherwise = rejudge(recorded.judgement);
    const judgement = rules.length === 0 ? { ...otherwise, rules } : otherwise;
    world = step(recorded, recorded.at, [{ kind: 'judgement', judgement }]);
    const replayed = verdictsText(verdictsOf(recorded, world));
    return replayed === '' ? undefined : { at: recorded.at, recorded: '', replayed };
  }

  function rejudged(input: Input): Input {
    if (rejudge === undefined || input.kind !== 'judgement') return input;
    return { kind: 'judgement', judgement: rejudge(input.judgement) };
  }

  return {
    take: (entry) => {
      if (entry.kind === 'world') return begin(entry.world);
      if (entry.kind !== 'step' || world === undefined) return undefined;
      const before = world;
      world = step(before, entry.at, entry.inputs.map(rejudged));
      steps += 1;
      const replayed = verdictsText(verdictsOf(before, world));
      if (replayed === entry.text) return undefined;
      return { at: entry.at, recorded: entry.text, replayed };
    },
    world: () => world,
    steps: () => steps,
  };
}
