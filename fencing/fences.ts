/**
 * All fences of this node: at most one for each target, equal requests merged into it, refusals by the
 * guards, and the history that the guards look at. Off is the stronger wish: who joins with `off` keeps
 * the node off.
 */
import type { Ms } from '../rules/model.ts';
import { nextFence, startFence } from './fence.ts';
import type { Fence, FenceCommand, FenceEvent, FenceWant } from './fence-state.ts';
import {
  type FenceContext,
  type FenceRecord,
  type Refusal,
  refusalOf,
  WINDOW_MS,
} from './guards.ts';

export interface FenceRun {
  readonly target: string;
  readonly fence: Fence;
  /** Who asked; all get the same outcome. */
  readonly asked: readonly string[];
}

export interface Fences {
  readonly runs: readonly FenceRun[];
  readonly history: readonly FenceRecord[];
}

export const NO_FENCES: Fences = { runs: [], history: [] };

export interface FencesTurn {
  readonly fences: Fences;
  readonly commands: readonly (FenceCommand & { readonly target: string })[];
  readonly refusal: Refusal | undefined;
  readonly wakeAt: Ms | undefined;
}

function wakeAt(times: readonly (Ms | undefined)[]): Ms | undefined {
  const known = times.filter((time): time is Ms => time !== undefined);
  return known.length === 0 ? undefined : (Math.min(...known) as Ms);
}

function running({ fence }: FenceRun): boolean {
  return fence.phase !== 'done';
}

/** Asks for a node to be cut. */
export function request(
  fences: Fences,
  target: string,
  want: FenceWant,
  context: Omit<FenceContext, 'history'>,
  options: { readonly asker: string; readonly deadlineMs: number },
): FencesTurn {
  const { now } = context;
  const joined = fences.runs.find((run) => run.target === target && running(run));
  if (joined !== undefined) {
    // Before anything goes on again, a wish for off is still heard.
    const stays = want === 'off' && joined.fence.onAt === undefined;
    const fence: Fence = stays ? { ...joined.fence, want: 'off' } : joined.fence;
    const run = { ...joined, fence, asked: [...joined.asked, options.asker] };
    const runs = fences.runs.map((one) => (one === joined ? run : one));
    return { fences: { ...fences, runs }, commands: [], refusal: undefined, wakeAt: undefined };
  }
  const refusal = refusalOf({ ...context, history: fences.history }, target);
  const plan = context.plans.find(({ node }) => node === target);
  if (refusal !== undefined || plan === undefined) {
    return { fences, commands: [], refusal, wakeAt: undefined };
  }
  const turn = startFence(plan, want, now, options.deadlineMs);
  const run: FenceRun = { target, fence: turn.fence, asked: [options.asker] };
  const history = [
    ...fences.history.filter(({ at }) => now - at < WINDOW_MS),
    { by: context.self, target, at: now },
  ];
  const runs = [...fences.runs.filter((one) => one.target !== target), run];
  const commands = turn.commands.map((command) => ({ ...command, target }));
  return { fences: { runs, history }, commands, refusal: undefined, wakeAt: turn.wakeAt };
}

/** A fence that somebody else ordered, as far as we hear of it. */
export function heardOf(fences: Fences, record: FenceRecord): Fences {
  return { ...fences, history: [...fences.history, record] };
}

/** Something has happened: to one target, or (time, life) to all. */
export function happened(
  fences: Fences,
  event: FenceEvent,
  target: string | undefined,
  now: Ms,
): FencesTurn {
  const commands: FencesTurn['commands'][number][] = [];
  const wakes: (Ms | undefined)[] = [];
  const runs = fences.runs.map((run) => {
    if (target !== undefined && run.target !== target) return run;
    const turn = nextFence(run.fence, event, now);
    for (const command of turn.commands) commands.push({ ...command, target: run.target });
    wakes.push(turn.wakeAt);
    return { ...run, fence: turn.fence };
  });
  return { fences: { ...fences, runs }, commands, refusal: undefined, wakeAt: wakeAt(wakes) };
}
