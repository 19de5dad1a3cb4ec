/**
 * The hands of the agent: what a step ordered is begun, and then the step is written down. In this order,
 * because an action waits for no disk. Opened once for a running agent; a single look has no hands.
 */

import { join } from 'node:path';
import { movedTo, standingOf } from '../rules/adopt.ts';
import type { Config } from '../rules/config.ts';
import type { Action } from '../rules/decision.ts';
import type { Step } from '../rules/record.ts';
import type { Input, Standing } from '../rules/world.ts';
import { openDispatch } from './effects/dispatch.ts';
import { logSink } from './effects/notify.ts';
import { openPower } from './effects/power.ts';
import { openNotes } from './effects/power-notes.ts';
import { openPrograms } from './effects/program.ts';
import { lastKnownOf } from './explain/live-world.ts';
import { bootId } from './ports/boot.ts';
import { monotonicNow } from './ports/clock.ts';
import { openJournal } from './ports/journal.ts';
import { JOURNAL_FOLDER, listSegments } from './ports/journal-files.ts';
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
  /** Nothing is done and nothing written before it was taken up. */
  readonly onStep: (step: Step) => void;
  /**
   * Begins, for an agent that knows that it is the only one here: the rules come into force, and what the
   * last life left standing is taken over, answered or taken back.
   */
  readonly takeUp: () => Promise<void>;
  /** Steps that could not be written down. */
  readonly journalDropped: () => number;
  readonly close: () => Promise<void>;
}

const NOTHING: Standing = { alarms: [], maintenance: [], actions: [], spent: [] };

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
  const folder = join(config.stateDir, JOURNAL_FOLDER);
  let isUp = false;

  /** What the last life left, in this boot's clock. */
  async function lastStanding(paths: readonly string[]): Promise<Standing> {
    const last = await lastKnownOf(paths).catch((error: unknown) => {
      onTrouble(`${folder} cannot be read: ${(error as Error).message}`);
      return undefined;
    });
    if (last === undefined) return NOTHING;
    const byMs = last.boot === bootId() ? 0 : last.offsetMs - wallOffsetMs();
    return movedTo(standingOf(last.world), byMs, monotonicNow());
  }

  /** Beside the work of the loop: the last segment may take a second to step through. */
  async function takeOver(paths: readonly string[]): Promise<void> {
    const standing = await lastStanding(paths);
    tell({ kind: 'judgement', judgement: config.judgement });
    tell({ kind: 'adopt', at: monotonicNow(), standing });
    await dispatch.recover(standing);
  }

  return {
    onStep: (step) => {
      if (!isUp) return;
      dispatch.take(step.after);
      journal.record(step);
    },
    takeUp: async () => {
      // The segments of former lives: from now on we write our own.
      const files = await listSegments(folder).catch(() => []);
      isUp = true;
      void takeOver(files.map(({ path }) => path));
    },
    journalDropped: journal.dropped,
    close: async () => {
      dispatch.close();
      await journal.close();
    },
  };
}
