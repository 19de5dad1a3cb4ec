/**
 * The hands of the agent: what a step ordered is begun, and then the step is written down. In this order,
 * because an action waits for no disk. Opened once for a running agent; a single look has no hands.
 */

import type { Config } from '../rules/config.ts';
import type { Action } from '../rules/decision.ts';
import type { Step } from '../rules/record.ts';
import type { Input, World } from '../rules/world.ts';
import { openDispatch } from './effects/dispatch.ts';
import { logSink } from './effects/notify.ts';
import { openPower } from './effects/power.ts';
import { openNotes } from './effects/power-notes.ts';
import { openPrograms } from './effects/program.ts';
import { bootId } from './ports/boot.ts';
import { monotonicNow } from './ports/clock.ts';
import { openJournal } from './ports/journal.ts';
import { version } from './version.ts';

export interface ActingOptions {
  readonly config: Config;
  readonly wallOffsetMs: () => number;
  readonly tell: (input: Exclude<Input, { kind: 'read' }>) => void;
  /** Performs starts, stops and kills, and tells their outcomes. */
  readonly services?: (action: Action) => boolean;
  readonly onTrouble: (why: string) => void;
}

export interface Acting {
  readonly onStep: (step: Step) => void;
  /** Answers and takes back what a former life left; asked once, when the loop runs. */
  readonly recover: (world: World) => Promise<void>;
  /** Steps that could not be written down. */
  readonly journalDropped: () => number;
  readonly close: () => Promise<void>;
}

export function openActing(options: ActingOptions): Acting {
  const { config, onTrouble, tell, wallOffsetMs } = options;
  const journal = openJournal({
    stateDir: config.stateDir,
    version: version(),
    node: config.node,
    boot: bootId(),
    life: `${process.pid}.${Math.round(monotonicNow())}`,
    wallOffsetMs,
    onTrouble,
  });
  const dispatch = openDispatch({
    now: monotonicNow,
    tell,
    sinks: [logSink(onTrouble)],
    power: openPower(config.roots.sys, openNotes(config.runDir, onTrouble)),
    programs: openPrograms(),
    services: options.services,
    onTrouble,
  });
  return {
    onStep: (step) => {
      dispatch.take(step.after);
      journal.record(step);
    },
    recover: dispatch.recover,
    journalDropped: journal.dropped,
    close: async () => {
      dispatch.close();
      await journal.close();
    },
  };
}
