/** What the oracle remembers of the physical world. */
import { type Key, partsOf } from '../../fencing/reservation/key.ts';
import type { SimDisk } from './disk.ts';
import { CLUSTER } from './setup.ts';
import type { World } from './world.ts';

export interface DiskFacts {
  readonly place: number;
  readonly hierarchy: number;
  /** Place of the node that holds the reservation, by key; -1: none. */
  holder: number;
  lastHolder: number;
  lostUs: number;
  /** Place of the node that holds it, and is the only one registered. */
  exclusive: number;
  /** When that ended, by node. */
  readonly exclusiveEndUs: number[];
  /** Since when a node is registered, by node. */
  readonly registeredUs: (number | undefined)[];
  /** Newest start that wrote. */
  token: number;
  /** Nodes that had it open when the array forgot its table. */
  readonly excused: Set<number>;
}

export interface Order {
  readonly by: number;
  readonly target: string;
  readonly us: number;
  readonly life: number;
}

export interface Facts {
  readonly world: World;
  readonly disks: DiskFacts[];
  /** Places to look at after this event. */
  readonly dirty: Set<number>;
  readonly addresses: Set<number>;
  /** Since when each hierarchy's disks are divided; 0: they are not. */
  readonly splits: number[];
  /** Nodes that were paused a short while ago: their services ran on for a blink (known limit). */
  readonly paused: Set<number>;
  /** Nodes of which a switch said that they are off while they were not. */
  readonly lied: Set<number>;
  /** The last time anything broke. */
  calmUs: number;
  readonly fences: Order[];
  /** Starts of each hierarchy. */
  readonly starts: number[][];
  /** Dark times of each node: from, to. */
  readonly dark: [number, number][][];
  readonly proven: Map<string, number>;
  /** Challenges of a living holder, by node and disk. */
  readonly joins: Map<string, number[]>;
}

export function factsOf(world: World): Facts {
  const { setup } = world;
  return {
    world,
    disks: setup.disks.map((wwid, place) => ({
      place,
      hierarchy: setup.hierarchies.findIndex(({ disks }) => disks.some((one) => one.wwid === wwid)),
      holder: -1,
      lastHolder: -1,
      lostUs: -1,
      exclusive: -1,
      exclusiveEndUs: setup.nodes.map(() => Number.NEGATIVE_INFINITY),
      registeredUs: setup.nodes.map(() => undefined),
      token: 0,
      excused: new Set(),
    })),
    dirty: new Set(),
    addresses: new Set(),
    splits: setup.hierarchies.map(() => 0),
    paused: new Set(),
    lied: new Set(),
    calmUs: 0,
    fences: [],
    starts: setup.hierarchies.map(() => []),
    dark: setup.nodes.map(() => []),
    proven: new Map(),
    joins: new Map(),
  };
}

/** Place of the node that holds a disk; -1: none, or a stranger. */
export function holderOf(world: World, disk: SimDisk): number {
  const key = disk.holder();
  if (key === undefined) return -1;
  const { cluster, node } = partsOf(key as Key);
  return cluster === CLUSTER && node >= 1 && node <= world.nodes.length ? node - 1 : -1;
}

/** Places of the nodes that are registered; -1 for strangers. */
export function registeredNodes({ table }: SimDisk): ReadonlySet<number> {
  const nodes = new Set<number>();
  for (const { key } of table.registrants.values()) {
    const { cluster, node } = partsOf(key as Key);
    nodes.add(cluster === CLUSTER ? node - 1 : -1);
  }
  return nodes;
}

/** Whether a node has been the only one on a disk, and its holder, at some time of the last `us`. */
export function wasExclusive({ world }: Facts, one: DiskFacts, node: number, us: number): boolean {
  if (one.exclusive === node) return true;
  return world.us - (one.exclusiveEndUs[node] ?? Number.NEGATIVE_INFINITY) <= us;
}
