/**
 * Taking all disks of a hierarchy or none: each must be readable first; the first one decides, by a
 * challenge; the others are claimed in their order; and when one is refused, all that was registered is
 * given back, the last first. It drives the machines of single disks and sends nothing itself.
 */
import {
  type ChallengeMemory,
  type ChallengeResult,
  challengeOf,
  challengePolicy,
} from './challenge.ts';
import { type ClaimMemory, type ClaimResult, claimOf, claimPolicy } from './claim.ts';
import { step } from './engine.ts';
import { type Key, relationOf } from './key.ts';
import type { Ask } from './look.ts';
import { begin, type Input, type Machine, type Policy, type Self, type Times } from './machine.ts';
import { type ReleaseMemory, type ReleaseResult, releaseOf, releasePolicy } from './release.ts';
import type { Path } from './table.ts';

/** A disk and the paths that lead to it, in the order in which disks are taken. */
export interface TakeoverDisk {
  readonly wwid: string;
  readonly paths: readonly Path[];
}

export interface TakeoverOptions {
  readonly self: Self;
  readonly times: Times;
  /** C of the decision disk. */
  readonly waitMs: number;
  /** The same while nobody holds it: shorter only when the last owner was seen to be silent. */
  readonly emptyWaitMs?: number;
  /** How long all disks may take to be read before anything is registered. */
  readonly readableMs: number;
  /** Where its asks begin to count, so that late answers to earlier ones are not its own. */
  readonly firstId?: number;
}

export type TakeoverResult =
  /** All disks are ours; `atMs` is the oldest of their proofs. */
  | { readonly is: 'owned'; readonly atMs: number }
  | { readonly is: 'alive' | 'beaten' | 'refused'; readonly why: string };

type Phase =
  | { readonly is: 'read'; readonly machine: Machine<number> }
  | { readonly is: 'challenge'; readonly machine: Machine<ChallengeMemory> }
  | { readonly is: 'claim'; readonly machine: Machine<ClaimMemory> }
  | { readonly is: 'undo'; readonly machine: Machine<ReleaseMemory> };

export interface Takeover {
  readonly options: TakeoverOptions;
  readonly disks: readonly TakeoverDisk[];
  /** The disk at hand. */
  readonly at: number;
  readonly phase: Phase;
  /** Whom the decision disk was taken from; the only holder the others may be taken from. */
  readonly victim: Key | undefined;
  /** Since when our registration on the decision disk is known to stand. */
  readonly registeredMs: number | undefined;
  readonly provenMs: number;
  /** Why all is being given back. */
  readonly failure: Exclude<TakeoverResult, { is: 'owned' }> | undefined;
  readonly result: TakeoverResult | undefined;
}

export interface TakeoverTurn {
  readonly takeover: Takeover;
  /** Asks of the disk at hand, and which disk that is. */
  readonly asks: readonly Ask[];
  readonly wwid: string;
}

type ReadResult = { readonly is: 'readable' } | { readonly is: 'unreadable'; readonly why: string };

/** One look is enough; its memory is the time at which it is given up. */
const readPolicy: Policy<number, ReadResult> = {
  decide: ({ memory }) => ({ memory, move: { do: 'end', result: { is: 'readable' } } }),
  blind: (untilMs, nowMs, { why }) =>
    nowMs < untilMs ? undefined : { do: 'end', result: { is: 'unreadable', why } },
  acted: (memory) => memory,
};

/** A machine for a disk, whose asks count on from those of the machine before it. */
function machineFor<M>(takeover: Takeover, at: number, memory: M, nowMs: number): Machine<M> {
  const { disks, options, phase } = takeover;
  const paths = disks[at]?.paths ?? [];
  return begin(options.self, options.times, paths, memory, nowMs, phase.machine.nextId);
}

/** The first disk decides; no disk is nothing to take. */
export function beginTakeover(
  disks: readonly TakeoverDisk[],
  options: TakeoverOptions,
  nowMs: number,
): Takeover {
  return {
    options,
    disks,
    at: 0,
    phase: {
      is: 'read',
      machine: begin(
        options.self,
        options.times,
        disks[0]?.paths ?? [],
        nowMs + options.readableMs,
        nowMs,
        options.firstId,
      ),
    },
    victim: undefined,
    registeredMs: undefined,
    provenMs: Number.POSITIVE_INFINITY,
    failure: undefined,
    result: disks.length === 0 ? { is: 'refused', why: 'no disks' } : undefined,
  };
}

function undo(
  takeover: Takeover,
  failure: Exclude<TakeoverResult, { is: 'owned' }>,
  nowMs: number,
): Takeover {
  const machine = machineFor(takeover, takeover.at, releaseOf(), nowMs);
  return { ...takeover, failure, phase: { is: 'undo', machine } };
}

function afterRead(takeover: Takeover, result: ReadResult, nowMs: number): Takeover {
  const { at, disks, options } = takeover;
  if (result.is === 'unreadable') {
    const why = `${disks[at]?.wwid ?? 'a disk'} cannot be read: ${result.why}`;
    // Nothing was registered yet.
    return { ...takeover, result: { is: 'refused', why } };
  }
  if (at + 1 < disks.length) {
    const untilMs = nowMs + options.readableMs;
    const machine = machineFor(takeover, at + 1, untilMs, nowMs);
    return { ...takeover, at: at + 1, phase: { is: 'read', machine } };
  }
  const machine = machineFor(takeover, 0, challengeOf(options.waitMs, options.emptyWaitMs), nowMs);
  return { ...takeover, at: 0, phase: { is: 'challenge', machine } };
}

function afterClaim(
  takeover: Takeover,
  result: ChallengeResult | ClaimResult,
  victim: Key | undefined,
  nowMs: number,
): Takeover {
  if (result.is !== 'owned') return undo(takeover, result, nowMs);
  const provenMs = Math.min(takeover.provenMs, result.atMs);
  const at = takeover.at + 1;
  if (at === takeover.disks.length) {
    return { ...takeover, provenMs, victim, result: { is: 'owned', atMs: provenMs } };
  }
  const machine = machineFor(takeover, at, claimOf(victim), nowMs);
  return { ...takeover, at, provenMs, victim, phase: { is: 'claim', machine } };
}

/**
 * A further disk that another node holds than the one the decision disk was taken from: the disks were
 * divided (one of them lost its table). Whether that holder lives is asked of the disk as well.
 */
function askOwner(takeover: Takeover, nowMs: number): Takeover | undefined {
  const { at, options, phase } = takeover;
  const holder = phase.machine.table?.holder;
  if (holder === undefined) return undefined;
  const relation = relationOf(holder, options.self.key);
  if (relation !== 'peer' && relation !== 'former') return undefined;
  const machine = machineFor(takeover, at, challengeOf(options.waitMs), nowMs);
  return { ...takeover, phase: { is: 'challenge', machine } };
}

function afterUndo(takeover: Takeover, result: ReleaseResult, nowMs: number): Takeover {
  const failure = takeover.failure ?? { is: 'refused' as const, why: 'undone' };
  const left = result.is === 'left-behind' ? `; ${result.why}` : '';
  const told = { ...failure, why: `${failure.why}${left}` };
  if (takeover.at === 0) return { ...takeover, failure: told, result: told };
  const at = takeover.at - 1;
  const machine = machineFor(takeover, at, releaseOf(), nowMs);
  return { ...takeover, at, failure: told, phase: { is: 'undo', machine } };
}

/** Lets the machine of the phase take a step; `next` is the takeover after its result, if it has one. */
function stepPhase(
  takeover: Takeover,
  nowMs: number,
  input: Input,
): { readonly takeover: Takeover; readonly asks: readonly Ask[]; readonly moved: boolean } {
  const { phase } = takeover;
  switch (phase.is) {
    case 'read': {
      const { machine, asks, result } = step(phase.machine, nowMs, input, readPolicy);
      const held: Takeover = { ...takeover, phase: { is: 'read', machine } };
      if (result === undefined) return { takeover: held, asks, moved: false };
      return { takeover: afterRead(held, result, nowMs), asks, moved: true };
    }
    case 'challenge': {
      const { machine, asks, result } = step(phase.machine, nowMs, input, challengePolicy);
      const { standsMs } = machine.memory;
      const held: Takeover = {
        ...takeover,
        registeredMs: takeover.at === 0 ? standsMs : takeover.registeredMs,
        phase: { is: 'challenge', machine },
      };
      if (result === undefined) return { takeover: held, asks, moved: false };
      const victim = takeover.at === 0 ? machine.memory.holder : takeover.victim;
      return { takeover: afterClaim(held, result, victim, nowMs), asks, moved: true };
    }
    case 'claim': {
      const { machine, asks, result } = step(phase.machine, nowMs, input, claimPolicy);
      const held: Takeover = { ...takeover, phase: { is: 'claim', machine } };
      if (result === undefined) return { takeover: held, asks, moved: false };
      const asked = result.is === 'beaten' ? askOwner(held, nowMs) : undefined;
      const next = asked ?? afterClaim(held, result, takeover.victim, nowMs);
      return { takeover: next, asks, moved: true };
    }
    case 'undo': {
      const { machine, asks, result } = step(phase.machine, nowMs, input, releasePolicy);
      const held: Takeover = { ...takeover, phase: { is: 'undo', machine } };
      if (result === undefined) return { takeover: held, asks, moved: false };
      return { takeover: afterUndo(held, result, nowMs), asks, moved: true };
    }
  }
}

/** One step. Ids are never used twice in a takeover: what comes late for an earlier disk is nobody's. */
export function stepTakeover(takeover: Takeover, nowMs: number, input: Input): TakeoverTurn {
  const wwidOf = ({ disks, at }: Takeover): string => disks[at]?.wwid ?? '';
  if (takeover.result !== undefined) return { takeover, asks: [], wwid: wwidOf(takeover) };
  const first = stepPhase(takeover, nowMs, input);
  if (!first.moved || first.takeover.result !== undefined) {
    return { takeover: first.takeover, asks: first.asks, wwid: wwidOf(first.takeover) };
  }
  const next = stepPhase(first.takeover, nowMs, { is: 'tick' });
  return { takeover: next.takeover, asks: next.asks, wwid: wwidOf(next.takeover) };
}
