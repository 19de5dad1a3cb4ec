/**
 * Asking the disk whether its owner lives: register on the decision disk, wait, and see whether somebody
 * removes the key. A living owner does; then this was a life sign and nothing more happens. If the key
 * still stands after the wait, the disk is claimed. An empty table is waited on all the same.
 */
import type { Answer } from './answer.ts';
import {
  actedClaim,
  blindClaim,
  type ClaimMemory,
  type ClaimResult,
  claimOf,
  decideClaim,
  registerOn,
} from './claim.ts';
import type { Key } from './key.ts';
import type { Move, Policy, View } from './machine.ts';
import type { WriteRequest } from './request.ts';
import { strangersIn } from './table.ts';

export interface ChallengeMemory {
  /** C: how long the registration must have stood. */
  readonly waitMs: number;
  /** The same while nobody holds the disk: shorter only when the last owner was seen to be silent. */
  readonly emptyWaitMs: number;
  /** Since when it is known to stand: the sending of the first read that showed it. */
  readonly standsMs: number | undefined;
  /** Who held the disk then. */
  readonly holder: Key | undefined;
  readonly claim: ClaimMemory | undefined;
  readonly trouble: string | undefined;
}

/** `alive`: the owner has answered. */
export type ChallengeResult = ClaimResult | { readonly is: 'alive'; readonly why: string };

type ChallengeMove = Move<ChallengeResult>;
interface Decision {
  readonly memory: ChallengeMemory;
  readonly move: ChallengeMove;
}

export function challengeOf(waitMs: number, emptyWaitMs: number = waitMs): ChallengeMemory {
  return {
    waitMs,
    emptyWaitMs,
    standsMs: undefined,
    holder: undefined,
    claim: undefined,
    trouble: undefined,
  };
}

function alive(memory: ChallengeMemory, why: string): Decision {
  return { memory, move: { do: 'end', result: { is: 'alive', why } } };
}

function refuse(memory: ChallengeMemory, why: string): Decision {
  return { memory, move: { do: 'end', result: { is: 'refused', why } } };
}

function claimNow(view: View<ChallengeMemory>): Decision {
  const claim = view.memory.claim ?? { ...claimOf(view.memory.holder), joined: true };
  const decided = decideClaim({ ...view, memory: claim });
  return { memory: { ...view.memory, claim: decided.memory }, move: decided.move };
}

function decide(view: View<ChallengeMemory>): Decision {
  const { table, self, memory, nowMs, paths } = view;
  if (memory.claim !== undefined) return claimNow(view);
  const strangers = strangersIn(table, self.key);
  if (strangers.length > 0)
    return refuse(memory, `registered by strangers: ${strangers.join(', ')}`);
  if (memory.trouble !== undefined) return refuse(memory, memory.trouble);
  const stands = table.keys.includes(self.key);
  if (memory.standsMs === undefined) {
    const [first] = paths;
    if (stands) {
      const seen = { ...memory, standsMs: table.atMs, holder: table.holder };
      return { memory: seen, move: { do: 'wait' } };
    }
    return { memory, move: first === undefined ? { do: 'wait' } : registerOn(view, first) };
  }
  if (!stands) return alive(memory, 'our key was removed');
  if (table.holder !== memory.holder) {
    if (table.holder !== undefined) return alive(memory, `${table.holder} has taken the disk`);
    // Released, or lost: whoever does that lives, and is given the whole time once more.
    const again = { ...memory, standsMs: table.atMs, holder: undefined };
    return { memory: again, move: { do: 'wait' } };
  }
  const waitMs = memory.holder === undefined ? memory.emptyWaitMs : memory.waitMs;
  const untilMs = memory.standsMs + waitMs;
  // The table must be one that was read after the time was over.
  if (table.atMs >= untilMs && nowMs >= untilMs) return claimNow(view);
  return { memory, move: { do: 'wait', untilMs } };
}

function acted(memory: ChallengeMemory, request: WriteRequest, answer: Answer): ChallengeMemory {
  const claim = actedClaim(memory.claim ?? claimOf(undefined), request, answer);
  if (memory.claim !== undefined) return { ...memory, claim };
  return { ...memory, trouble: claim.trouble };
}

export const challengePolicy: Policy<ChallengeMemory, ChallengeResult> = {
  decide,
  blind: (_memory, _nowMs, blind) => blindClaim(blind),
  acted,
};

const BACKOFF_MAX_MS = 60_000;

/** A number in [0, 1) that differs from key to key and try to try, without chance. */
function spread(key: Key, tries: number): number {
  let hash = 0x811c9dc5;
  for (const char of `${key}${tries}`) {
    hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  }
  return hash / 2 ** 32;
}

/**
 * How long to leave a living owner alone: 10 C after the first answer, doubling to a minute, and up to a
 * quarter more or less so that two challengers do not stay in step.
 */
export function backoffMs(waitMs: number, tries: number, key: Key): number {
  const base = Math.min(10 * waitMs * 2 ** Math.max(0, tries - 1), BACKOFF_MAX_MS);
  return Math.round(base * (0.75 + spread(key, tries) / 2));
}
