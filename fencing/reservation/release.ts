/**
 * Giving a disk back, or withdrawing a registration: the reservation first, then every key of ours. It must
 * be run only when nothing of the disk is open, mounted or dirty here; that is for the caller to know.
 */
import { type Answer, answerText } from './answer.ts';
import { usablePath } from './claim.ts';
import { NO_KEY } from './key.ts';
import type { Move, Policy, View } from './machine.ts';
import type { WriteRequest } from './request.ts';
import type { Path } from './table.ts';

export interface ReleaseMemory {
  readonly acts: number;
  readonly trouble: string | undefined;
}

export type ReleaseResult =
  | { readonly is: 'released' }
  /** Registrations of ours are left on nexuses that no longer lead anywhere. */
  | { readonly is: 'left-behind'; readonly why: string };

/** Two paths need five; beyond this the disk does not do what it is told. */
const ACTS_MAX = 80;

export function releaseOf(): ReleaseMemory {
  return { acts: 0, trouble: undefined };
}

function send(path: Path, request: WriteRequest): Move<ReleaseResult> {
  return { do: 'send', path: path.name, request };
}

function nextMove(view: View<ReleaseMemory>): Move<ReleaseResult> {
  const { table, self, memory, paths } = view;
  const { key, aptpl } = self;
  const count = table.keys.filter((one) => one === key).length;
  if (count === 0) return { do: 'end', result: { is: 'released' } };
  const path = usablePath(view);
  const why = memory.trouble ?? `${count} registrations on paths that are gone`;
  if (path === undefined || memory.acts > ACTS_MAX) {
    return { do: 'end', result: { is: 'left-behind', why } };
  }
  if (table.holder === key && table.type !== undefined) {
    // RELEASE works only down the path that holds, which may be dead. To preempt oneself takes the
    // reservation to this path and drops all other registrations of ours: nothing is open here.
    if (count > 1) {
      return send(path, { ask: 'preempt', own: key, victim: key, type: table.type });
    }
    return send(path, { ask: 'release', own: key, type: table.type });
  }
  // Where paths cannot be told apart, each is unregistered in turn; a conflict says it was not.
  const next = paths.find((one) => view.registered(one) === 'yes') ?? path;
  return send(next, { ask: 'register', own: key, next: NO_KEY, aptpl });
}

function decide(view: View<ReleaseMemory>): {
  readonly memory: ReleaseMemory;
  readonly move: Move<ReleaseResult>;
} {
  const move = nextMove(view);
  const acts = view.memory.acts + (move.do === 'send' && !view.busy ? 1 : 0);
  return { memory: { ...view.memory, acts }, move };
}

function acted(memory: ReleaseMemory, request: WriteRequest, answer: Answer): ReleaseMemory {
  if (answer.is === 'good' || answer.is === 'attention') return memory;
  return { ...memory, trouble: `${request.ask}: ${answerText(answer)}` };
}

export const releasePolicy: Policy<ReleaseMemory, ReleaseResult> = {
  decide,
  blind: () => undefined,
  acted,
};
