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
import type { World } from './world.ts';

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

/** With `judgement` the recorded ones, at the start and by reloads, are put aside. */
export function openReplay(judgement?: Judgement): Replay {
  let world: World | undefined;
  let steps = 0;
  return {
    take: (entry) => {
      if (entry.kind === 'world') {
        world = entry.world;
        if (judgement !== undefined)
          world = step(world, world.at, [{ kind: 'judgement', judgement }]);
      }
      if (entry.kind !== 'step' || world === undefined) return undefined;
      const inputs =
        judgement === undefined
          ? entry.inputs
          : entry.inputs.filter((input) => input.kind !== 'judgement');
      const before = world;
      world = step(before, entry.at, inputs);
      steps += 1;
      const replayed = verdictsText(verdictsOf(before, world));
      if (replayed === entry.text) return undefined;
      return { at: entry.at, recorded: entry.text, replayed };
    },
    world: () => world,
    steps: () => steps,
  };
}
