/**
 * The faults of a run as a value: drawn from the seed by class, each class on or off and more or less often
 * (swarm), so that it can be printed, shrunk and played again. Nothing is carried out here.
 */
import { type Random, randomOf } from './random.ts';
import type { Setup } from './setup.ts';

export const FAULT_KINDS = [
  'power',
  'feed',
  'panic',
  'hang',
  'pause',
  'slow',
  'agent-crash',
  'agent-stop',
  'agent-loop',
  'path',
  'storage',
  'array-down',
  'array-wiped',
  'lun-reset',
  'stranger',
  'lossy',
  'delay',
  'one-way',
  'isolated',
  'network',
  'all-networks',
  'clog',
  'switch',
  'service-crash',
  'toxic',
  'stop-hangs',
  'dstate',
  'utility',
  'move',
  'standby',
  'freeze',
  'rule-handover',
  'shoot',
  'drift',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What it falls on is counted, so that a smaller cluster still has a target for each fault. */
export interface Fault {
  readonly kind: FaultKind;
  readonly atUs: number;
  readonly lastsUs: number;
  readonly node: number;
  readonly other: number;
  readonly hierarchy: number;
  readonly disk: number;
  /** In [0, 1): how bad, or which of several sorts. */
  readonly how: number;
}

const SECOND = 1_000_000;

/** Mean time between faults of a kind, and how long they last, in seconds: lowest and highest drawn. */
interface Habit {
  readonly every: readonly [number, number];
  readonly lasts: readonly [number, number];
}

const USUAL: Habit = { every: [200, 2_000], lasts: [1, 60] };

const HABITS: Partial<Readonly<Record<FaultKind, Habit>>> = {
  power: { every: [200, 1_500], lasts: [1, 90] },
  hang: { every: [150, 1_500], lasts: [0.5, 15] },
  pause: { every: [200, 2_000], lasts: [0.5, 20] },
  slow: { every: [300, 2_000], lasts: [5, 60] },
  'agent-crash': { every: [60, 1_000], lasts: [0.1, 2] },
  'agent-stop': { every: [150, 1_500], lasts: [0.3, 12] },
  'agent-loop': { every: [600, 3_000], lasts: [3, 30] },
  path: { every: [60, 600], lasts: [0.5, 60] },
  storage: { every: [150, 1_500], lasts: [0.5, 30] },
  'array-down': { every: [600, 3_000], lasts: [0.5, 20] },
  'array-wiped': { every: [200, 1_500], lasts: [0.2, 5] },
  clog: { every: [200, 1_000], lasts: [0.5, 8] },
  'service-crash': { every: [60, 600], lasts: [1, 1] },
  toxic: { every: [600, 3_000], lasts: [10, 300] },
  dstate: { every: [600, 3_000], lasts: [5, 100] },
  move: { every: [120, 900], lasts: [1, 1] },
  'rule-handover': { every: [300, 2_000], lasts: [1, 1] },
  shoot: { every: [300, 2_000], lasts: [1, 1] },
  freeze: { every: [300, 2_000], lasts: [5, 120] },
  stranger: { every: [300, 1_500], lasts: [5, 60] },
  drift: { every: [900, 4_000], lasts: [5, 120] },
};

function spread(random: Random, [low, high]: readonly [number, number]): number {
  return low * (high / low) ** random.next();
}

function drawKind(seed: string, kind: FaultKind, setup: Setup, untilUs: number): Fault[] {
  const random = randomOf(seed, `fault/${kind}`);
  const { every, lasts } = HABITS[kind] ?? USUAL;
  const mean = spread(random, every) * SECOND;
  const faults: Fault[] = [];
  for (let us = 60 * SECOND; ; ) {
    us += -Math.log(1 - random.next()) * mean;
    if (us >= untilUs) return faults;
    faults.push({
      kind,
      atUs: Math.round(us),
      lastsUs: Math.round(spread(random, lasts) * SECOND),
      node: random.whole(0, setup.nodes.length - 1),
      other: random.whole(0, setup.nodes.length - 2),
      hierarchy: random.whole(0, setup.hierarchies.length - 1),
      disk: random.whole(0, Math.max(0, setup.disks.length - 1)),
      how: random.next(),
    });
  }
}

/** Faults of the network alone: they move nothing. */
export const NETWORK_KINDS: readonly FaultKind[] = [
  'lossy',
  'delay',
  'one-way',
  'isolated',
  'network',
  'all-networks',
  'clog',
];

/** What this seed is about: a mix of kinds, or in one of twenty the network alone. */
export function kindsOf(seed: string): readonly FaultKind[] {
  const random = randomOf(seed, 'swarm');
  if (random.chance(0.05)) return NETWORK_KINDS;
  const share = 0.25 + random.next() * 0.5;
  return FAULT_KINDS.filter(() => random.chance(share));
}

export function drawPlan(seed: string, setup: Setup, untilUs: number): readonly Fault[] {
  return kindsOf(seed)
    .flatMap((kind) => drawKind(seed, kind, setup, untilUs))
    .sort((a, b) => a.atUs - b.atUs);
}

export function faultText({ kind, atUs, lastsUs, node, hierarchy, disk, how }: Fault): string {
  const at = (atUs / SECOND).toFixed(3).padStart(9);
  const lasts = (lastsUs / SECOND).toFixed(1);
  return `${at} s  ${kind} n${node + 1} h${hierarchy + 1} disk ${disk} for ${lasts} s (${how.toFixed(2)})`;
}
