/**
 * Keeping a disk: prove it again and again, remove the key of whoever challenges, register paths that came
 * back, and say at once when it is lost. A proof counts only when no other key was there: the watchdog is
 * fed from `provenMs` and from nothing else.
 */
import { type Answer, answerText } from './answer.ts';
import { pathMove, preemptOn, registerOn, usablePath } from './claim.ts';
import type { Key } from './key.ts';
import type { Blind, Move, Policy, View } from './machine.ts';
import { OWN_TYPE, type WriteRequest } from './request.ts';
import { type Path, peersIn, standingOf } from './table.ts';

export interface DefendTimes {
  /** A challenger's wait, less the margin: an emptied table is restored only within it. */
  readonly restoreMs: number;
  /** Without a proof for so long, ownership counts as lost. */
  readonly verifyMs: number;
}

export interface DefendMemory {
  readonly times: DefendTimes;
  /** When the reads of the last proof were sent. */
  readonly provenMs: number;
  /** The table was found empty and is being restored. */
  readonly restoring: boolean;
  /** Why the last look was no proof; undefined: it was one. */
  readonly unproven: string | undefined;
  readonly trouble: string | undefined;
}

export type DefendResult =
  /** Seen to be another's, or nobody's for too long: stop at once. */
  | { readonly is: 'lost'; readonly why: string }
  /** Nothing was proven for too long: the same. */
  | { readonly is: 'unprovable'; readonly why: string };

type DefendMove = Move<DefendResult>;
interface Decision {
  readonly memory: DefendMemory;
  readonly move: DefendMove;
}

export function defendOf(times: DefendTimes, provenMs: number): DefendMemory {
  return { times, provenMs, restoring: false, unproven: undefined, trouble: undefined };
}

function lost(memory: DefendMemory, why: string): Decision {
  return { memory, move: { do: 'end', result: { is: 'lost', why }, urgent: true } };
}

/** Not proven this time; something may be done about it. */
function unproven(memory: DefendMemory, why: string, move: DefendMove = { do: 'wait' }): Decision {
  return { memory: { ...memory, unproven: why }, move };
}

/** Nothing is reserved: ours to restore only while no challenger's wait can have ended since. */
function restore(view: View<DefendMemory>, first: Path): Decision {
  const { memory, table, self } = view;
  const ageMs = view.nowMs - memory.provenMs;
  if (ageMs >= memory.times.restoreMs) {
    return lost(memory, `the table is empty and the last proof is ${Math.round(ageMs)} ms old`);
  }
  const restoring = { ...memory, restoring: true };
  const why = 'the reservation is gone: restoring it';
  if (!table.keys.includes(self.key)) return unproven(restoring, why, registerOn(view, first));
  const { name } = usablePath(view) ?? first;
  const request: WriteRequest = { ask: 'reserve', own: self.key, type: OWN_TYPE };
  return unproven(restoring, why, { do: 'send', path: name, request });
}

function eject(view: View<DefendMemory>, victim: Key): Decision {
  const { memory } = view;
  const why = `challenged by ${victim}`;
  const path = usablePath(view);
  return path === undefined
    ? unproven(memory, why)
    : unproven(memory, why, preemptOn(view, path, victim));
}

function decide(view: View<DefendMemory>): Decision {
  const { table, self, paths } = view;
  const memory = { ...view.memory, unproven: undefined };
  const [first] = paths;
  if (first === undefined) return unproven(memory, 'no path');
  const standing = standingOf(table, self.key);
  switch (standing.is) {
    case 'not-ours':
      return lost(memory, standing.why);
    case 'empty':
      return restore(view, first);
    case 'unreserved':
      // A challenger that came first is not ours to remove without holding the disk.
      if (peersIn(table, self.key).length > 0 && !memory.restoring) {
        return lost(memory, 'nothing is reserved, and another node is registered');
      }
      return restore(view, first);
    case 'crowded':
      return unproven(memory, `registered by strangers: ${standing.keys.join(', ')}`);
    case 'challenged':
      return eject(view, standing.keys[0] ?? self.key);
    case 'ours': {
      const move = pathMove(view);
      if (move !== undefined) {
        return unproven(
          { ...memory, restoring: false },
          `path ${move.path} is not registered`,
          move,
        );
      }
      const proven = { ...memory, restoring: false, trouble: undefined, provenMs: table.atMs };
      return { memory: proven, move: { do: 'wait' } };
    }
  }
}

function blind(memory: DefendMemory, nowMs: number, { why }: Blind): DefendMove | undefined {
  const ageMs = nowMs - memory.provenMs;
  if (ageMs < memory.times.verifyMs) return undefined;
  const text = `not proven for ${Math.round(ageMs)} ms: ${memory.unproven ?? why}`;
  return { do: 'end', result: { is: 'unprovable', why: text }, urgent: true };
}

function acted(memory: DefendMemory, request: WriteRequest, answer: Answer): DefendMemory {
  if (answer.is === 'good' || answer.is === 'attention') return memory;
  return { ...memory, trouble: `${request.ask}: ${answerText(answer)}` };
}

export const defendPolicy: Policy<DefendMemory, DefendResult> = { decide, blind, acted };
