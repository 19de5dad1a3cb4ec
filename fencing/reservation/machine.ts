/**
 * What a reservation machine is: its state as plain data, what it takes in, and the policy that decides for
 * it. The engine that runs them is beside this file.
 */
import type { Answer } from './answer.ts';
import type { Key } from './key.ts';
import type { Ask, Look } from './look.ts';
import type { WriteRequest } from './request.ts';
import type { Path, Table } from './table.ts';

/** Who we are on this disk. */
export interface Self {
  readonly key: Key;
  /** Registrations survive a power loss. The bit belongs to every registration: the last one counts. */
  readonly aptpl: boolean;
}

export interface Times {
  /** Deadline of a read, and of a PR OUT; neither is ever taken back from the disk. */
  readonly readMs: number;
  readonly writeMs: number;
  /** From one look to the next while nothing else happens. */
  readonly everyMs: number;
}

export type Input =
  | { readonly is: 'tick' }
  /** The answer to an ask; a late one comes as a second answer with the same id. */
  | { readonly is: 'answer'; readonly id: number; readonly answer: Answer }
  /** The paths that may be used now. */
  | { readonly is: 'paths'; readonly paths: readonly Path[] }
  /** The nexus of a path has ended for good: what was under way there can have no more effect. */
  | { readonly is: 'gone'; readonly path: string };

/** A PR OUT under way, or one whose outcome is not known. */
export interface Act {
  readonly ask: Ask<WriteRequest>;
  readonly doubt: 'none' | 'read' | 'return' | 'gone';
}

export interface Machine<M> {
  readonly self: Self;
  readonly times: Times;
  readonly paths: readonly Path[];
  readonly look: Look | undefined;
  readonly act: Act | undefined;
  /** What the last look showed, for people. */
  readonly table: Table | undefined;
  readonly nextLookMs: number;
  readonly nextId: number;
  /** Paths the last look failed on, newest last: they are tried after the others. */
  readonly failed: readonly string[];
  readonly noFull: boolean;
  /** By path: when a REGISTER own->own down it last told whether it is registered. */
  readonly checks: Readonly<Record<string, { readonly atMs: number; readonly ok: boolean }>>;
  readonly memory: M;
  readonly ended: boolean;
}

/** What a policy wants. */
export type Move<R> =
  | { readonly do: 'send'; readonly path: string; readonly request: WriteRequest }
  /** Look again at the usual time, or sooner. */
  | { readonly do: 'wait'; readonly untilMs?: number }
  /** `urgent`: said even while a PR OUT is in doubt, because it allows nothing. */
  | { readonly do: 'end'; readonly result: R; readonly urgent?: true };

export interface View<M> {
  readonly nowMs: number;
  readonly self: Self;
  readonly table: Table;
  readonly paths: readonly Path[];
  /** A PR OUT is under way or in doubt: nothing can be sent now. */
  readonly busy: boolean;
  readonly memory: M;
  /** Whether a path is registered: by full status, else by the last REGISTER own->own down it. */
  readonly registered: (path: Path) => 'yes' | 'no' | 'unknown';
}

/** Why nothing could be read. */
export interface Blind {
  readonly why: string;
  /** The device says that it has no persistent reservations. */
  readonly unsupported: boolean;
}

export interface Policy<M, R> {
  readonly decide: (view: View<M>) => { readonly memory: M; readonly move: Move<R> };
  /** Nothing could be read: what time alone decides. */
  readonly blind: (memory: M, nowMs: number, blind: Blind) => Move<R> | undefined;
  /** A PR OUT ended with certainty. */
  readonly acted: (memory: M, request: WriteRequest, answer: Answer) => M;
}

export interface Turn<M, R> {
  readonly machine: Machine<M>;
  readonly asks: readonly Ask[];
  readonly result: R | undefined;
}

/** `firstId`: where its asks begin to count, so that late answers to an earlier machine are not its own. */
export function begin<M>(
  self: Self,
  times: Times,
  paths: readonly Path[],
  memory: M,
  nowMs: number,
  firstId = 1,
): Machine<M> {
  return {
    self,
    times,
    paths,
    look: undefined,
    act: undefined,
    table: undefined,
    nextLookMs: nowMs,
    nextId: firstId,
    failed: [],
    noFull: false,
    checks: {},
    memory,
    ended: false,
  };
}

/**
 * A machine that goes on where another stood: a PR OUT that is under way or in doubt is its own now, so
 * that there are never two, and its asks count on.
 */
export function succeed<M>(before: Machine<unknown>, memory: M, nowMs: number): Machine<M> {
  const { self, times, paths, act, checks, noFull, nextId } = before;
  return { ...begin(self, times, paths, memory, nowMs, nextId), act, checks, noFull };
}
