/**
 * What a check of `certify` is made of, and how an answer is held against what was expected. Keys are made
 * up for the disk under test, which must be free of registrations before.
 */
import { type Answer, answerText, type Reply } from './answer.ts';
import type { Key } from './key.ts';
import type { Request, ReservationType } from './request.ts';
import type { Cause } from './sense.ts';

/** Keys that no cluster has: cluster 0xfffe, nodes 1 to 3. */
export const A: Key = 'fffe0001c0de0001' as Key;
export const A2: Key = 'fffe0001c0de0002' as Key;
export const B: Key = 'fffe0002c0de0001' as Key;
export const NOBODY: Key = 'fffe0003c0de0001' as Key;
export const FIVE: ReservationType = 'write-exclusive-registrants';

export type Who = 'a' | 'b';

/** Commands on data: what is sent depends on the size of a block, which the runner knows. */
export type Touch =
  | 'read'
  | 'write'
  | 'write-same'
  | 'unmap'
  | 'compare-write'
  | 'format'
  | 'inquiry'
  | 'ready'
  | 'capacity'
  | 'luns';

/** Things that no command of ours can cause on every machine. */
export type Event = 'lun-reset' | 'nexus-loss' | 'power-loss' | 'failover' | 'lose-next-reply';

export type Expectation =
  | { readonly is: 'good' }
  | { readonly is: 'conflict' }
  | { readonly is: 'attention'; readonly cause: Cause }
  /** The same, where nothing rests on it: that it differs is noted. */
  | { readonly is: 'hint'; readonly cause: Cause }
  /**
   * Not done, whatever the words: a conflict, as many devices answer wrong parameters, or sense of any
   * kind (LIO answers a RESERVE without a registration with not ready). The table tells that it was not.
   */
  | { readonly is: 'refused' }
  /** A conflict, or a command that this disk does not have: nothing was let through either way. */
  | { readonly is: 'barred' }
  | { readonly is: 'any' }
  | { readonly is: 'late' }
  | { readonly is: 'keys'; readonly keys: readonly Key[] }
  | {
      readonly is: 'held';
      readonly by: Key | 'all' | undefined;
      readonly type?: ReservationType;
    }
  | { readonly is: 'cut'; readonly keys: number; readonly count: number }
  | { readonly is: 'reply'; readonly what: string; readonly fits: (reply: Reply) => boolean };

export type Step =
  | { readonly do: 'send'; readonly by: Who; readonly request: Request; readonly see: Expectation }
  | { readonly do: 'touch'; readonly by: Who; readonly touch: Touch; readonly see: Expectation }
  /** Several writes are on their way while the steps that follow are done. */
  | { readonly do: 'fly'; readonly by: Who }
  /** All of them have ended, and none landed since the last command was answered. */
  | { readonly do: 'land' }
  | { readonly do: 'event'; readonly event: Event; readonly by: Who }
  /** The generation has grown by so much since the last such step; the first only notes it. */
  | { readonly do: 'generation'; readonly grown: number | 'note' };

export interface Check {
  /** Its number in the list of 32. */
  readonly number: number;
  readonly name: string;
  /**
   * `must`: without it ownership cannot be rested on this disk. `power`: without it only where a power
   * plan exists. `tells`: good to know.
   */
  readonly weight: 'must' | 'power' | 'tells';
  readonly steps: readonly Step[];
}

export const good: Expectation = { is: 'good' };
export const conflict: Expectation = { is: 'conflict' };
export const refused: Expectation = { is: 'refused' };
export const barred: Expectation = { is: 'barred' };

export function send(by: Who, request: Request, see: Expectation = good): Step {
  return { do: 'send', by, request, see };
}

export function touch(by: Who, what: Touch, see: Expectation = good): Step {
  return { do: 'touch', by, touch: what, see };
}

export function register(by: Who, own: Key, next: Key, see: Expectation = good): Step {
  return send(by, { ask: 'register', own, next }, see);
}

/** Registers whatever was there before. */
export function join(by: Who, next: Key): Step {
  return send(by, { ask: 'register-ignore', next });
}

export function reserve(
  by: Who,
  own: Key,
  type: ReservationType = FIVE,
  see: Expectation = good,
): Step {
  return send(by, { ask: 'reserve', own, type }, see);
}

export function keysAre(...keys: readonly Key[]): Step {
  return send('a', { ask: 'keys' }, { is: 'keys', keys });
}

export function heldBy(by: Key | 'all' | undefined, type?: ReservationType): Step {
  return send(
    'a',
    { ask: 'reservation' },
    type === undefined ? { is: 'held', by } : { is: 'held', by, type },
  );
}

export function told(by: Who, cause: Cause): Step {
  return touch(by, 'ready', { is: 'attention', cause });
}

/** As `told`, in checks that ownership rests on: it rests on the table, not on being told. */
export function hinted(by: Who, cause: Cause): Step {
  return touch(by, 'ready', { is: 'hint', cause });
}

function sorted(keys: readonly Key[]): string {
  return keys.toSorted().join(' ');
}

function heldMismatch(reply: Reply, see: Extract<Expectation, { is: 'held' }>): string | undefined {
  if (reply.of !== 'reservation') return `${reply.of} instead of a reservation`;
  const { holder, type } = reply;
  const typeFits = see.type === undefined || type === see.type;
  if (typeFits && (see.by === 'all' ? holder !== undefined : holder === see.by)) return undefined;
  const wanted = `${see.by ?? 'nobody'} as ${see.type ?? 'any'}`;
  return `held by ${holder ?? 'nobody'} as ${type ?? 'nothing'} instead of ${wanted}`;
}

/** What a reply differs in from what it must be; undefined when it fits. */
function replyMismatch(reply: Reply, see: Expectation): string | undefined {
  switch (see.is) {
    case 'keys':
      if (reply.of !== 'keys') return `${reply.of} instead of keys`;
      return sorted(reply.keys) === sorted(see.keys) && !reply.cut
        ? undefined
        : `keys [${sorted(reply.keys)}] instead of [${sorted(see.keys)}]`;
    case 'held':
      return heldMismatch(reply, see);
    case 'cut':
      if (reply.of !== 'keys') return `${reply.of} instead of keys`;
      return reply.keys.length === see.keys && reply.count === see.count
        ? undefined
        : `${reply.keys.length} of ${reply.count} keys instead of ${see.keys} of ${see.count}`;
    case 'reply':
      return see.fits(reply) ? undefined : `not ${see.what}`;
    case 'good':
    case 'any':
    case 'hint':
      return undefined;
    case 'conflict':
    case 'attention':
    case 'refused':
    case 'barred':
    case 'late':
      return `good instead of ${see.is}`;
  }
}

/** Answers that fit though they are not the very one. */
const WORDS: Readonly<Partial<Record<Expectation['is'], readonly Answer['is'][]>>> = {
  refused: ['refused', 'unsupported', 'conflict', 'unresolved'],
  barred: ['conflict', 'unsupported'],
  hint: ['attention'],
};

/** No answer has come: nothing can be said of it yet. */
function isPending(answer: Answer): boolean {
  return answer.is === 'unresolved' && answer.until !== 'read';
}

/** What is wrong with an answer; undefined when it is what was expected. */
export function mismatch(answer: Answer, see: Expectation): string | undefined {
  if (answer.is === 'good') return replyMismatch(answer.reply, see);
  if (see.is === 'any') return undefined;
  if (see.is === 'conflict' && answer.is === 'conflict') return undefined;
  if (see.is === 'attention' && answer.is === 'attention' && answer.cause === see.cause) {
    return undefined;
  }
  const words = WORDS[see.is];
  if (words?.includes(answer.is) === true && !isPending(answer)) return undefined;
  if (see.is === 'late' && answer.is === 'unresolved') return undefined;
  const wanted = see.is === 'attention' ? `attention (${see.cause})` : see.is;
  return `${answerText(answer)} instead of ${wanted}`;
}

/** For people: what a step is. */
export function stepText(step: Step): string {
  switch (step.do) {
    case 'send':
      return `${step.by}: ${step.request.ask}`;
    case 'touch':
      return `${step.by}: ${step.touch}`;
    case 'fly':
      return `${step.by}: writes in flight`;
    case 'land':
      return 'writes ended';
    case 'event':
      return step.event;
    case 'generation':
      return 'generation';
  }
}
