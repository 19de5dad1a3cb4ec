/**
 * The state of the cluster's core as plain data: what it knows of its peers, and for each hierarchy what it
 * was told, where its machine stands and what is wished. It decides nothing.
 */
import { type Ms, ms } from '../model.ts';
import type {
  ClusterConfig,
  ClusterWish,
  DiskReport,
  Heartbeat,
  HierarchyId,
  HierarchySaid,
  HierarchySpec,
  HierarchyState,
  HierarchyWish,
  NodeName,
  ServicesReport,
} from './model.ts';

/** A time that never comes, and one that has always been. */
export const NEVER: number = Number.POSITIVE_INFINITY;
export const ALWAYS: number = Number.NEGATIVE_INFINITY;

/**
 * How we know of a peer: `heard` ourselves, `witnessed` by one whom we hear, `silent` on all networks for
 * T_dead, or `unseen` since this agent started.
 */
export type Contact = 'heard' | 'witnessed' | 'silent' | 'unseen';

/** The part of a peer that every heartbeat changes, apart from the rest, which few do. */
export interface Life {
  /** Of the newest news. */
  readonly sequence: number;
  /** By network, the last that came there. */
  readonly sequences: readonly number[];
  /** When it was last heard on any network. */
  readonly heardMs: number;
  /** When its newest heartbeat was sent, by its own clock. */
  readonly sentMs: number;
  /** When we sent the newest of our heartbeats that it had heard by then. */
  readonly echoMs: number;
}

export interface Peer {
  readonly name: NodeName;
  readonly boot: number | undefined;
  /** The boot before; heard again late, it is a second node of this name. */
  readonly formerBoot: number | undefined;
  readonly bootAt: number;
  readonly contact: Contact;
  /** Since when. */
  readonly contactMs: number;
  readonly standby: boolean;
  readonly frozen: boolean;
  readonly hears: readonly NodeName[];
  readonly fences: Heartbeat['fences'];
  readonly fencesMs: number;
  /** As it was said, to know it again, and by the place of our hierarchies. */
  readonly words: readonly HierarchySaid[];
  readonly said: readonly (HierarchySaid | undefined)[];
  /** Proven to be off, and no sign of life since. */
  readonly off: { readonly atMs: number; readonly why: string } | undefined;
  /** The last fence of it that ended without a proof. */
  readonly fence:
    | { readonly atMs: number; readonly outcome: string; readonly tries: number }
    | undefined;
  /** Two nodes speak under this name, until then. */
  readonly doubledMs: number;
}

/** Giving a hierarchy away, or only up. */
export interface Leave {
  readonly to: NodeName | undefined;
  readonly number: number;
  readonly phase: 'asked' | 'stopping' | 'released';
  /** What becomes of it here afterwards. */
  readonly after: 'idle' | 'latched';
  readonly why: string;
  readonly sinceMs: number;
  /** When the stop was first ordered. */
  readonly stopMs: number;
}

/** What an operator or a rule asked for and is not done. */
export interface Asked {
  readonly to: NodeName | undefined;
  readonly by: 'operator' | 'rule';
  readonly why: string;
  readonly untilMs: number;
}

export interface Hierarchy {
  readonly spec: HierarchySpec;
  readonly place: number;
  /** Place of this node among those that may run it; -1: it may not. */
  readonly preference: number;
  /** The others that may run it, the preferred first, by their place among the peers. */
  readonly rivals: readonly number[];
  readonly waits: boolean;

  readonly state: HierarchyState;
  readonly since: Ms;
  readonly why: string;
  /** The guard that keeps it from going on. */
  readonly guard: string | undefined;

  readonly disks: DiskReport | undefined;
  /** Since when its disks were not all read; they may only just be looked at. */
  readonly unreadMs: number;
  readonly services: ServicesReport | undefined;
  readonly utility: number | undefined;
  readonly failedLegs: readonly string[];

  readonly attempt: number;
  readonly silent: boolean;
  readonly epoch: number;
  /** Ownership was lost in this boot; `unproven`: not seen to be another's. */
  readonly taint: 'lost' | 'unproven' | undefined;
  /** No try before; after how many that failed. */
  readonly retryMs: number;
  readonly tries: number;
  /** Starts within the window, wherever they were. */
  readonly starts: readonly number[];
  readonly latch: string | undefined;
  /** When an operator last lifted it here: what peers still say of it is older. */
  readonly clearedMs: number;
  /** It did not run here: not again before. */
  readonly spoiledMs: number;

  /** The last proof of ownership, and since when our registration stands. */
  readonly provenMs: number;
  readonly registeredMs: number;
  readonly from: NodeName | undefined;
  /** Services were allowed to start, and those that wait as well. */
  readonly upMs: number;
  readonly settled: boolean;
  readonly lostMs: number;

  readonly leave: Leave | undefined;
  readonly leaves: number;
  readonly asked: Asked | undefined;
  /** Peers that would not take it, until when. */
  readonly declined: Readonly<Record<NodeName, number>>;
  /** A peer that has been better, and since when. */
  readonly better: { readonly node: NodeName; readonly sinceMs: number } | undefined;
  /** A handover to us: since when it is in its phase. */
  readonly invited:
    | {
        readonly by: NodeName;
        readonly number: number;
        readonly phase: 'asked' | 'stopping' | 'released';
        readonly sinceMs: number;
        /** How often the old owner defended past the deadline. */
        readonly denied: number;
      }
    | undefined;

  readonly dueMs: number;
  readonly wish: HierarchyWish;
  readonly word: HierarchySaid;
}

export interface Layout {
  readonly peerOf: ReadonlyMap<NodeName, number>;
  readonly placeOf: ReadonlyMap<HierarchyId, number>;
  readonly networkOf: ReadonlyMap<string, number>;
}

export interface Cluster {
  readonly config: ClusterConfig;
  readonly layout: Layout;
  readonly startedMs: Ms;
  readonly peers: readonly Peer[];
  /** By the place of the peers. */
  readonly lives: readonly Life[];
  readonly hierarchies: readonly Hierarchy[];
  readonly standby: boolean;
  readonly frozen: boolean;
  /** As read back; undefined: not told yet. */
  readonly watchdog: { readonly timeoutMs: number | undefined } | undefined;
  /** Proofs made before are void: we were late. */
  readonly distrustMs: number;
  /** Nobody is accused before. */
  readonly accuseMs: number;
  /** Another node speaks under our name, until then. */
  readonly doubledMs: number;
  /** Fences wished for, newest last. */
  readonly fences: readonly { readonly target: NodeName; readonly atMs: number }[];
  readonly shoots: readonly {
    readonly node: NodeName;
    readonly why: string;
    readonly atMs: number;
  }[];
  readonly dueMs: number;
  readonly wish: ClusterWish;
}

/** States in which the hierarchy is ours, as far as we know. */
export const OWNING: ReadonlySet<HierarchyState> = new Set([
  'starting',
  'running',
  'defending',
  'yielding',
  'stopping',
]);

/** What a peer says when it has it, or is not rid of it yet. */
export const HAVING: ReadonlySet<HierarchyState> = new Set([...OWNING, 'releasing']);

export const TRYING: ReadonlySet<HierarchyState> = new Set(['challenging', 'acquiring']);

function peerOf(name: NodeName, config: ClusterConfig): Peer {
  return {
    name,
    boot: undefined,
    formerBoot: undefined,
    bootAt: ALWAYS,
    contact: 'unseen',
    contactMs: ALWAYS,
    standby: false,
    frozen: false,
    hears: [],
    fences: [],
    fencesMs: ALWAYS,
    words: [],
    said: config.hierarchies.map(() => undefined),
    off: undefined,
    fence: undefined,
    doubledMs: ALWAYS,
  };
}

const NOTHING_ASKED = { starts: [], failedLegs: [], declined: {} } as const;

function hierarchyOf(
  spec: HierarchySpec,
  place: number,
  config: ClusterConfig,
  peers: ReadonlyMap<NodeName, number>,
  now: Ms,
): Hierarchy {
  const rivals = spec.nodes.flatMap((node) => peers.get(node) ?? []);
  return {
    ...NOTHING_ASKED,
    spec,
    place,
    preference: spec.nodes.indexOf(config.self),
    rivals,
    waits: spec.services.some(({ waits }) => waits),
    state: 'idle',
    since: now,
    why: 'the agent has started',
    guard: undefined,
    disks: undefined,
    unreadMs: NEVER,
    services: undefined,
    utility: undefined,
    attempt: 0,
    silent: false,
    epoch: 0,
    taint: undefined,
    retryMs: ALWAYS,
    tries: 0,
    latch: undefined,
    clearedMs: ALWAYS,
    spoiledMs: ALWAYS,
    provenMs: ALWAYS,
    registeredMs: NEVER,
    from: undefined,
    upMs: NEVER,
    settled: false,
    lostMs: NEVER,
    leave: undefined,
    leaves: 0,
    asked: undefined,
    better: undefined,
    invited: undefined,
    dueMs: now,
    wish: { id: spec.id, disks: { want: 'none' }, services: { want: 'hold' } },
    word: {
      id: spec.id,
      state: 'idle',
      utility: undefined,
      hash: config.hashes[spec.id] ?? '',
      epoch: 0,
      handover: undefined,
      starts: 0,
      latched: false,
      remains: true,
    },
  };
}

/** The core before it was told anything: it wishes to hold whatever runs, and to know. */
export function beginCluster(config: ClusterConfig, now: Ms): Cluster {
  const others = config.nodes.filter((node) => node !== config.self);
  const peerPlaces = new Map(others.map((node, place) => [node, place]));
  const hierarchies = config.hierarchies.map((spec, place) =>
    hierarchyOf(spec, place, config, peerPlaces, now),
  );
  return {
    config,
    layout: {
      peerOf: peerPlaces,
      placeOf: new Map(config.hierarchies.map(({ id }, place) => [id, place])),
      networkOf: new Map(config.networks.map((network, place) => [network, place])),
    },
    startedMs: now,
    peers: others.map((name) => peerOf(name, config)),
    lives: others.map(() => ({
      sequence: -1,
      sequences: config.networks.map(() => -1),
      heardMs: ALWAYS,
      sentMs: ALWAYS,
      echoMs: ALWAYS,
    })),
    hierarchies,
    standby: false,
    frozen: false,
    watchdog: undefined,
    distrustMs: ALWAYS,
    accuseMs: ALWAYS,
    doubledMs: ALWAYS,
    fences: [],
    shoots: [],
    dueMs: ms(now),
    wish: {
      hierarchies: hierarchies.map(({ wish }) => wish),
      fences: [],
      watchdog: 'starve',
      reset: undefined,
      say: {
        from: config.self,
        boot: config.boot,
        standby: false,
        frozen: false,
        hierarchies: hierarchies.map(({ word }) => word),
        hears: [],
        fences: [],
      },
    },
  };
}
