/**
 * Taking a disk: register, reserve or preempt, remove every other key of the cluster, register the other
 * paths, and prove it all from the table. It ends as `owned` only from a table that shows nothing but us.
 * It never touches the key of a stranger and never takes a disk whose holder it was not told to remove.
 */
import { type Answer, answerText } from './answer.ts';
import type { Key } from './key.ts';
import type { Blind, Move, Policy, View } from './machine.ts';
import { OWN_TYPE, type WriteRequest } from './request.ts';
import { type Path, peersIn, standingOf, strangersIn } from './table.ts';

export type ClaimResult =
  /** Ours, as of the time the proving table's first read was sent. */
  | { readonly is: 'owned'; readonly atMs: number; readonly generation: number }
  /** Another has it, or has removed us: it lives. */
  | { readonly is: 'beaten'; readonly why: string }
  /** It is not to be taken, whatever the time: strangers, or a device that cannot do it. */
  | { readonly is: 'refused'; readonly why: string };

export interface ClaimMemory {
  /** The one holder that may be preempted; undefined: only a disk without a reservation is taken. */
  readonly victim: Key | undefined;
  /** Our key was seen in the table: when it is gone later, somebody removed it. */
  readonly joined: boolean;
  readonly acts: number;
  readonly trouble: string | undefined;
}

type ClaimMove = Move<ClaimResult>;

/** More orders than any table of a cluster of 32 nodes needs; then something is wrong with the disk. */
const ACTS_MAX = 100;

export function claimOf(victim: Key | undefined): ClaimMemory {
  return { victim, joined: false, acts: 0, trouble: undefined };
}

export function registerOn(
  view: View<unknown>,
  { name }: Path,
): Extract<Move<never>, { do: 'send' }> {
  const { key, aptpl } = view.self;
  return { do: 'send', path: name, request: { ask: 'register-ignore', next: key, aptpl } };
}

/** A path that is not known to be unregistered; the first where none is better. */
export function usablePath(view: View<unknown>): Path | undefined {
  const by = (want: string): Path | undefined =>
    view.paths.find((path) => view.registered(path) === want);
  return by('yes') ?? by('unknown');
}

export function preemptOn(
  view: View<unknown>,
  { name }: Path,
  victim: Key,
): Extract<Move<never>, { do: 'send' }> {
  const own = view.self.key;
  return { do: 'send', path: name, request: { ask: 'preempt-abort', own, victim, type: OWN_TYPE } };
}

/**
 * What is still to be done on our paths: register those that are not, ask those that cannot be told.
 * Undefined when every live path is registered.
 */
export function pathMove(view: View<unknown>): Extract<Move<never>, { do: 'send' }> | undefined {
  const missing = view.paths.find((path) => view.registered(path) === 'no');
  if (missing !== undefined) return registerOn(view, missing);
  const unknown = view.paths.find((path) => view.registered(path) === 'unknown');
  if (unknown === undefined) return undefined;
  const { key, aptpl } = view.self;
  const request: WriteRequest = { ask: 'register', own: key, next: key, aptpl };
  return { do: 'send', path: unknown.name, request };
}

function refuse(why: string): ClaimMove {
  return { do: 'end', result: { is: 'refused', why } };
}

function beaten(why: string): ClaimMove {
  return { do: 'end', result: { is: 'beaten', why } };
}

/** Reasons to stop whatever stage it is. */
function ending(view: View<ClaimMemory>): ClaimMove | undefined {
  const { table, self, memory } = view;
  const strangers = strangersIn(table, self.key);
  if (strangers.length > 0) return refuse(`registered by strangers: ${strangers.join(', ')}`);
  if (memory.trouble !== undefined) return refuse(memory.trouble);
  if (memory.acts > ACTS_MAX) return refuse(`still not owned after ${ACTS_MAX} orders`);
  if (memory.joined && !table.keys.includes(self.key)) return beaten('our key was removed');
  const { holder } = table;
  if (holder !== undefined && holder !== self.key && holder !== memory.victim) {
    return beaten(`held by ${holder}`);
  }
  return undefined;
}

function nextMove(view: View<ClaimMemory>): ClaimMove {
  const { table, self, paths, memory } = view;
  const { holder } = table;
  const [first] = paths;
  if (first === undefined) return { do: 'wait' };
  // As few registrations as can be until it is ours: each of them may write.
  if (!table.keys.includes(self.key)) return registerOn(view, first);
  const path = usablePath(view);
  if (path === undefined) return registerOn(view, first);
  if (holder === undefined) {
    return {
      do: 'send',
      path: path.name,
      request: { ask: 'reserve', own: self.key, type: OWN_TYPE },
    };
  }
  if (holder !== self.key && holder === memory.victim) return preemptOn(view, path, holder);
  if (table.type !== OWN_TYPE) return refuse(`held by us as ${table.type ?? 'an unknown type'}`);
  const [peer] = peersIn(table, self.key);
  if (peer !== undefined) return preemptOn(view, path, peer);
  const more = pathMove(view);
  if (more !== undefined) return more;
  const standing = standingOf(table, self.key);
  if (standing.is !== 'ours') return refuse(`not ours after all: ${standing.is}`);
  return { do: 'end', result: { is: 'owned', atMs: table.atMs, generation: table.generation } };
}

export function decideClaim(view: View<ClaimMemory>): { memory: ClaimMemory; move: ClaimMove } {
  const joined = view.memory.joined || view.table.keys.includes(view.self.key);
  const move = ending(view) ?? nextMove(view);
  const acts = view.memory.acts + (move.do === 'send' && !view.busy ? 1 : 0);
  return { memory: { ...view.memory, joined, acts }, move };
}

/** What a device that cannot do a thing answers; a conflict is judged by the table that follows. */
export function actedClaim(
  memory: ClaimMemory,
  request: WriteRequest,
  answer: Answer,
): ClaimMemory {
  if (!['unsupported', 'refused', 'wrong-disk'].includes(answer.is)) return memory;
  return { ...memory, trouble: `${request.ask}: ${answerText(answer)}` };
}

/** A device that has no reservations will not have them later. */
export function blindClaim({ why, unsupported }: Blind): ClaimMove | undefined {
  return unsupported ? refuse(`it has no persistent reservations: ${why}`) : undefined;
}

export const claimPolicy: Policy<ClaimMemory, ClaimResult> = {
  decide: decideClaim,
  blind: (_memory, _nowMs, blind) => blindClaim(blind),
  acted: actedClaim,
};
