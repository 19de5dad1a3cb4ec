/**
 * The cluster that a run is about: nodes, disks, hierarchies, networks, power, and the times they all live
 * by. Drawn from the seed, or given by a golden.
 */

import type { ProgramConfig } from '../../agent/cluster/program-state.ts';
import type { ArbiterDisk, ArbiterOptions } from '../../fencing/arbiter-state.ts';
import type { PowerPlan } from '../../fencing/plan.ts';
import { type Key, keyOf } from '../../fencing/reservation/key.ts';
import type {
  ClusterConfig,
  ClusterTimes,
  HierarchyId,
  HierarchySpec,
  NodeName,
} from '../../rules/cluster/model.ts';
import { solveTimes, type Timing } from '../../rules/cluster/solver.ts';
import type { Ms } from '../../rules/model.ts';
import type { ServiceId } from '../../rules/service.ts';
import { randomOf } from './random.ts';

export const CLUSTER = 0xc1;
export const PATHS = 2;

export interface Setup {
  readonly nodes: readonly NodeName[];
  readonly networks: readonly string[];
  readonly hierarchies: readonly HierarchySpec[];
  /** WWIDs, in the order of their places. */
  readonly disks: readonly string[];
  readonly times: ClusterTimes;
  /** Nodes that a power plan exists for. */
  readonly fenceable: readonly NodeName[];
  /** Registrations survive the restart of a target. */
  readonly aptpl: boolean;
  readonly commandMs: { readonly read: number; readonly write: number };
}

/** The safe profile with half of its traffic: most of long runs are lived by it. */
const CALM: Partial<Timing> = {
  heartbeatMs: 500,
  deadMs: 2500,
  proofMs: 500,
  challengeMs: 2000,
  freshMs: 1500,
  restoreMs: 1200,
};

export type Pace = 'calm' | 'safe' | 'fast';

function timesOf(
  pace: Pace,
  hierarchies: readonly HierarchySpec[],
): Pick<Setup, 'times' | 'commandMs'> {
  const solved = solveTimes(
    pace === 'fast' ? 'fast' : 'safe',
    pace === 'calm' ? CALM : {},
    hierarchies,
  );
  if (solved.is === 'refused') throw new Error(solved.why.join('; '));
  const { times, timing } = solved;
  return { times, commandMs: { read: timing.readMs, write: timing.writeMs } };
}

export function hierarchyOf(
  name: string,
  nodes: readonly NodeName[],
  disks: readonly string[],
  change: Partial<HierarchySpec> = {},
): HierarchySpec {
  return {
    id: `hierarchy/${name}` as HierarchyId,
    name,
    nodes,
    disks: disks.map((wwid) => ({ wwid })),
    services: [
      { id: `service/${name}-fs` as ServiceId, waits: false },
      { id: `service/${name}-db` as ServiceId, waits: false },
      { id: `service/${name}-ip` as ServiceId, waits: true },
    ],
    fencedBy: 'disk',
    failbackMs: undefined,
    hysteresis: 10,
    holdMs: 10_000,
    startsMax: 6,
    startsWithinMs: 1_800_000,
    startMs: 60_000,
    stopMs: 20_000,
    handoverMs: 60_000,
    toleratedMs: undefined,
    ...change,
  };
}

export interface Size {
  readonly nodes: number;
  readonly hierarchies: number;
  readonly pace: Pace;
}

/** A cluster of this size; what is not given by the size is drawn. */
export function setupOf(seed: string, size: Partial<Size> = {}): Setup {
  const random = randomOf(seed, 'setup');
  const drawn = random.pick([2, 3, 3, 3, 4]);
  const nodeCount = size.nodes ?? drawn;
  const pace = random.pick<Pace>([
    'calm',
    'calm',
    'calm',
    'calm',
    'calm',
    'safe',
    'safe',
    'safe',
    'safe',
    'fast',
  ]);
  const hierarchyCount = size.hierarchies ?? 2;
  const nodes = Array.from({ length: nodeCount }, (_, at) => `n${at + 1}` as NodeName);
  const disks: string[] = [];
  const hierarchies: HierarchySpec[] = [];
  for (let at = 0; at < hierarchyCount; at += 1) {
    const first = at % nodeCount;
    const most = Math.min(nodeCount, 4);
    const own = Array.from({ length: most }, (_, step) => nodes[(first + step) % nodeCount]);
    const members = own.filter((node): node is NodeName => node !== undefined);
    const own2 = random.chance(0.4) ? 2 : 1;
    const wwids = Array.from({ length: own2 }, (_, leg) => `naa.h${at + 1}d${leg + 1}`);
    disks.push(...wwids);
    const failbackMs = random.chance(0.2) ? 100_000 : undefined;
    hierarchies.push(hierarchyOf(`h${at + 1}`, members, wwids, { failbackMs }));
  }
  return {
    nodes,
    networks: ['net1', 'net2'],
    hierarchies,
    disks,
    ...timesOf(size.pace ?? pace, hierarchies),
    fenceable: random.chance(0.7) ? nodes : [],
    aptpl: random.chance(0.6),
  };
}

export function keyOfNode(place: number, boot: number): Key {
  const key = keyOf({ cluster: CLUSTER, node: place + 1, boot });
  if (key === undefined) throw new Error(`no key for node ${place}`);
  return key;
}

export function plansOf({ fenceable }: Setup): readonly PowerPlan[] {
  return fenceable.map((node) => ({
    node,
    levels: [
      {
        level: 1,
        feeds: ['pdu-a', 'pdu-b'].map((device, at) => ({
          supply: `psu${at + 1}`,
          device,
          outlet: { id: node },
          proves: true,
          dependent: false,
        })),
      },
    ],
    dischargeMs: 5_000,
    verified: true,
    unverifiedAllowed: false,
  }));
}

export interface Life {
  readonly node: NodeName;
  readonly place: number;
  readonly boot: number;
  readonly bootedAt: Ms;
  readonly hashes: Readonly<Record<HierarchyId, string>>;
  readonly pathsOf: (wwid: string) => ArbiterDisk['paths'];
}

function clusterConfig(setup: Setup, { node, boot, bootedAt, hashes }: Life): ClusterConfig {
  return {
    self: node,
    boot,
    bootedMs: bootedAt,
    nodes: setup.nodes,
    networks: setup.networks,
    hierarchies: setup.hierarchies,
    times: setup.times,
    fenceable: setup.fenceable,
    startsAtOnce: 4,
    hashes,
  };
}

/** What the program of a node is configured with in one life of its agent. */
export function programConfig(setup: Setup, life: Life): ProgramConfig {
  const { times, commandMs } = setup;
  const arbiter: ArbiterOptions = {
    self: { key: keyOfNode(life.place, life.boot), aptpl: setup.aptpl },
    nodes: new Map(setup.nodes.map((name, at) => [at + 1, name])),
    times: { readMs: commandMs.read, writeMs: commandMs.write, everyMs: times.proofMs },
    idleMs: 5_000,
    challengeMs: times.challengeMs,
    restoreMs: times.restoreMs,
    verifyMs: times.verifyMs,
    readableMs: 4 * commandMs.read,
  };
  const disks = new Map(
    setup.hierarchies
      .filter(({ fencedBy }) => fencedBy === 'disk')
      .map((spec): [HierarchyId, readonly ArbiterDisk[]] => [
        spec.id,
        spec.disks.map(({ wwid }) => ({ wwid, paths: life.pathsOf(wwid) })),
      ]),
  );
  return {
    cluster: clusterConfig(setup, life),
    arbiter,
    disks,
    plans: plansOf(setup),
    bootedAt: life.bootedAt,
    fence: { deadlineMs: 30_000, afterwards: 'on', againMs: 60_000 },
  };
}
