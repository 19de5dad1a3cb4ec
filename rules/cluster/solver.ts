/**
 * From a configuration to every wait of the cluster, and whether they can be trusted together. Each rule is
 * an inequality with a name; one that does not hold is a refusal in a sentence with its numbers. The bounds
 * that follow are in `solver-bounds.ts`. Sources: reliability invariants S3, S5, S6, L1, L2, L10; the wait
 * of SBD (msgwait); the wait of Pacemaker (fencing-watchdog-timeout).
 */
import type { ClusterTimes, HierarchySpec } from './model.ts';

/** How far the clocks of two nodes may run apart: 5 % is far more than any quartz does. */
export const DRIFT = 0.05;
/** Nothing shorter is trusted to hardware watchdogs, some of which count in seconds. */
export const WATCHDOG_MIN_MS = 5000;
/** S3: a proof older than this starts nothing. */
export const FRESH_MAX_MS = 2000;
/** Reads that make one look at a disk: keys, reservation, full status. */
export const LOOK_READS = 3;

export const TIMING_PROFILES = ['safe', 'fast'] as const;
export type TimingProfile = (typeof TIMING_PROFILES)[number];

/** What can be configured, and what was measured or is known of the machines. All in milliseconds. */
export interface Timing {
  readonly heartbeatMs: number;
  readonly deadMs: number;
  readonly proofMs: number;
  readonly challengeMs: number;
  readonly watchdogMs: number;
  readonly verifyMs: number;
  readonly freshMs: number;
  readonly restoreMs: number;
  readonly graceMs: number;
  readonly lateMs: number;
  readonly voidMs: number;
  /** Longest a heartbeat is under way on a network that works. */
  readonly networkMs: number;
  /** Longest a reservation command takes on a disk that is well. */
  readonly commandMs: number;
  /** Deadlines after which a read, and a PR OUT, counts as unresolved. */
  readonly readMs: number;
  readonly writeMs: number;
  /** Own loop lag, 99.9th percentile. */
  readonly lagMs: number;
  /** no_path_retry x polling_interval + fast_io_fail_tmo. */
  readonly pathFailoverMs: number;
  /** From the death of the agent to the first step of the next. */
  readonly agentRestartMs: number;
}

export const TIMINGS: Readonly<Record<TimingProfile, Timing>> = {
  safe: {
    heartbeatMs: 250,
    deadMs: 2000,
    proofMs: 300,
    challengeMs: 1300,
    watchdogMs: 5000,
    verifyMs: 2200,
    freshMs: 1000,
    restoreMs: 900,
    graceMs: 60_000,
    lateMs: 500,
    voidMs: 2500,
    networkMs: 50,
    commandMs: 30,
    readMs: 200,
    writeMs: 300,
    lagMs: 50,
    pathFailoverMs: 4000,
    agentRestartMs: 1500,
  },
  fast: {
    heartbeatMs: 50,
    deadMs: 300,
    proofMs: 100,
    challengeMs: 400,
    watchdogMs: 5000,
    verifyMs: 1500,
    freshMs: 400,
    restoreMs: 250,
    graceMs: 30_000,
    lateMs: 150,
    voidMs: 1500,
    networkMs: 5,
    commandMs: 10,
    readMs: 50,
    writeMs: 100,
    lagMs: 20,
    pathFailoverMs: 4000,
    agentRestartMs: 500,
  },
};

export interface Inequality {
  /** Named after what it keeps. */
  readonly name: string;
  readonly holds: boolean;
  readonly sentence: string;
}

function rule(
  name: string,
  holds: boolean,
  left: readonly [string, number],
  sign: '<' | '<=' | '>=',
  right: readonly [string, number],
  because: string,
): Inequality {
  const number = (value: number): string => String(Math.round(value * 10) / 10);
  const sentence =
    `${left[0]} (${number(left[1])} ms) must be ${sign} ${right[0]} (${number(right[1])} ms): ` +
    because;
  return { name, holds, sentence };
}

type Side = readonly [string, number];

function atMost(name: string, left: Side, right: Side, because: string): Inequality {
  return rule(name, left[1] <= right[1], left, '<=', right, because);
}

function below(name: string, left: Side, right: Side, because: string): Inequality {
  return rule(name, left[1] < right[1], left, '<', right, because);
}

function atLeast(name: string, left: Side, right: Side, because: string): Inequality {
  return rule(name, left[1] >= right[1], left, '>=', right, because);
}

/** One look at a disk, at its longest before a read counts as unanswered. */
export function lookMaxMs({ readMs }: Timing): number {
  return LOOK_READS * readMs;
}

/** What the last owner may still do after our registration was seen to stand (S5). */
export function addressWaitOf(t: Timing): number {
  // It may feed once more by a proof that is as old as a proof may be, late by its own lag.
  const deltaMs = t.freshMs + t.lagMs;
  return Math.ceil(t.watchdogMs * (1 + DRIFT) + deltaMs);
}

function ownershipRules(t: Timing): readonly Inequality[] {
  return [
    atLeast(
      'watchdog-min',
      ['watchdog', t.watchdogMs],
      ['5 s', WATCHDOG_MIN_MS],
      'watchdogs that count in seconds fire too early',
    ),
    atMost(
      'loser-stops',
      ['verify + write', t.verifyMs + t.writeMs],
      ['watchdog / 2', t.watchdogMs / 2],
      'a loser must know by then, and have the other half to stop (S6)',
    ),
    below(
      'path-failover',
      ['path failover', t.pathFailoverMs],
      ['watchdog', t.watchdogMs],
      'a mere path event would reset the owner',
    ),
    atMost(
      'fresh-max',
      ['fresh', t.freshMs],
      ['2 s', FRESH_MAX_MS],
      'an older proof starts nothing (S3)',
    ),
    atLeast(
      'fresh-proof',
      ['fresh', t.freshMs],
      ['proof + look', t.proofMs + lookMaxMs(t)],
      'an owner that is well would starve its watchdog',
    ),
    atLeast(
      'verify-proof',
      ['verify', t.verifyMs],
      ['2 x (proof + look)', 2 * (t.proofMs + lookMaxMs(t))],
      'one unanswered look would lose the hierarchy',
    ),
    below(
      'fresh-verify',
      ['fresh', t.freshMs],
      ['verify', t.verifyMs],
      'what is lost can be no ground to start',
    ),
    atMost(
      'void',
      ['void', t.voidMs],
      ['watchdog / 2', t.watchdogMs / 2],
      'a node that was away must distrust itself while it can still stop (F4)',
    ),
    below(
      'late-void',
      ['late', t.lateMs],
      ['void', t.voidMs],
      'lateness is noticed before ownership is void',
    ),
  ];
}

function challengeRules(t: Timing): readonly Inequality[] {
  const answerMs = t.proofMs * (1 + DRIFT) + lookMaxMs(t) + t.writeMs;
  return [
    atLeast(
      'defence',
      ['challenge', t.challengeMs],
      ['proof + look + write', answerMs],
      'a living owner could not answer in time, and a cut cable would move it (S13)',
    ),
    atMost(
      'restore',
      ['restore + write', t.restoreMs + t.writeMs],
      ['challenge less drift', t.challengeMs * (1 - DRIFT)],
      'an owner would restore an emptied table after a challenger took it: two owners',
    ),
    atLeast(
      'restore-proof',
      ['restore', t.restoreMs],
      ['proof + one read', t.proofMs + t.readMs],
      'an owner that is well could not restore an emptied table',
    ),
    atLeast(
      'dead-heartbeats',
      ['dead', t.deadMs],
      ['4 heartbeats', 4 * t.heartbeatMs],
      'three lost packets would accuse a node',
    ),
    atLeast(
      'dead-lag',
      ['dead', t.deadMs],
      ['10 x lag', 10 * t.lagMs],
      'our own lateness would look like the silence of others',
    ),
    atLeast(
      'dead-network',
      ['dead', t.deadMs],
      ['2 heartbeats + network', 2 * t.heartbeatMs + t.networkMs],
      'a slow network would accuse a node',
    ),
    below(
      'agent-restart',
      ['agent restart', t.agentRestartMs],
      ['watchdog, and dead + challenge', Math.min(t.watchdogMs, t.deadMs + t.challengeMs)],
      'an agent that starts anew would lose what it had (L10)',
    ),
    below(
      'late-dead',
      ['late', t.lateMs],
      ['dead', t.deadMs],
      'a late node would accuse before it suspects itself',
    ),
    atLeast(
      'grace',
      ['grace', t.graceMs],
      ['2 x dead', 2 * t.deadMs],
      'a node that starts would not have heard of the others (S12)',
    ),
    below(
      'commands',
      ['longest command', t.commandMs],
      ['read and write deadlines', Math.min(t.readMs, t.writeMs) + 0.001],
      'a command that is merely slow would count as unresolved (S25)',
    ),
  ];
}

function hierarchyRules(t: Timing, spec: HierarchySpec): readonly Inequality[] {
  const { name } = spec;
  const neededMs = spec.stopMs + t.deadMs + 2 * t.challengeMs;
  return [
    atLeast(
      `${name}: handover`,
      [`${name}: handover`, spec.handoverMs],
      ['stop + dead + 2 challenges', neededMs],
      'it would climb to a takeover while the old owner still stops in time',
    ),
    atLeast(
      `${name}: hold`,
      [`${name}: hold`, spec.holdMs],
      ['2 x dead', 2 * t.deadMs],
      'a network that flaps would move it (S22)',
    ),
  ];
}

function sound(t: Timing): readonly string[] {
  return Object.entries(t).flatMap(([name, value]) =>
    Number.isFinite(value) && value > 0 ? [] : [`${name} must be a time above 0, and is ${value}`],
  );
}

/** Every inequality of a configuration, those that hold too: they are what `check` can show. */
export function inequalitiesOf(t: Timing, specs: readonly HierarchySpec[]): readonly Inequality[] {
  return [
    ...ownershipRules(t),
    ...challengeRules(t),
    ...specs.flatMap((spec) => hierarchyRules(t, spec)),
  ];
}

export type Solved =
  | { readonly is: 'solved'; readonly times: ClusterTimes; readonly timing: Timing }
  /** Each sentence names the inequality that does not hold, and why it must. */
  | { readonly is: 'refused'; readonly why: readonly string[] };

/** The waits of a cluster; refused when any two of them could let two nodes have one hierarchy. */
export function solveTimes(
  profile: TimingProfile,
  configured: Partial<Timing>,
  specs: readonly HierarchySpec[],
): Solved {
  const timing = { ...TIMINGS[profile], ...configured };
  const unsound = sound(timing);
  if (unsound.length > 0) return { is: 'refused', why: unsound };
  const broken = inequalitiesOf(timing, specs).filter(({ holds }) => !holds);
  if (broken.length > 0) {
    return { is: 'refused', why: broken.map(({ name, sentence }) => `${name}: ${sentence}`) };
  }
  const times: ClusterTimes = {
    heartbeatMs: timing.heartbeatMs,
    deadMs: timing.deadMs,
    proofMs: timing.proofMs,
    challengeMs: timing.challengeMs,
    watchdogMs: timing.watchdogMs,
    verifyMs: timing.verifyMs,
    freshMs: timing.freshMs,
    addressWaitMs: addressWaitOf(timing),
    restoreMs: timing.restoreMs,
    graceMs: timing.graceMs,
    lateMs: timing.lateMs,
    voidMs: timing.voidMs,
  };
  return { is: 'solved', times, timing };
}
