/**
 * The nouns of the cluster, and what its core is told and wants: hierarchies, peers, the reports of disks and
 * services, and the wishes that go back. It decides nothing. Wishes are levels, not orders: the whole of what
 * is wanted, said anew each step, so that a lost or repeated one changes nothing.
 */
import type { Ms } from '../model.ts';
import type { ServiceId } from '../service.ts';

/** `hierarchy/NAME`: services that live together on one node. */
export type HierarchyId = string & { readonly of: 'hierarchy' };
/** Name of a node of the cluster, as configured everywhere alike. */
export type NodeName = string & { readonly of: 'node' };

/** A disk that can be owned. */
export interface OwnableDisk {
  /** VPD page 83 identity, as `disk list` prints it. */
  readonly wwid: string;
  /** Legs of one RAID-1 mirror share this name; undefined: it stands alone. */
  readonly mirror?: string;
}

export interface HierarchyService {
  readonly id: ServiceId;
  /** No disk fences it (a service address): it starts only when the last owner is known to be silent. */
  readonly waits: boolean;
}

/**
 * What a hierarchy's last owner must have lost before it may start elsewhere. `disk`: the right to write,
 * by reservation. `power`: a fence seen to be done. `operator`: a person's word with evidence.
 */
export type FencedBy = 'disk' | 'power' | 'operator';

export interface HierarchySpec {
  readonly id: HierarchyId;
  readonly name: string;
  /** Nodes that may run it, the preferred first. */
  readonly nodes: readonly NodeName[];
  /** In the order in which they are taken; the first decides. Empty unless fenced by `disk`. */
  readonly disks: readonly OwnableDisk[];
  /** In the order in which they start; they stop in the other. */
  readonly services: readonly HierarchyService[];
  readonly fencedBy: FencedBy;
  /** Go back to a preferred node once it has been better for so long; undefined: never by itself. */
  readonly failbackMs: number | undefined;
  /** A peer must be better by more than this, for so long, before it moves for utility alone (S22). */
  readonly hysteresis: number;
  readonly holdMs: number;
  /** Starts anywhere within the time; the next one latches it everywhere (S21). */
  readonly startsMax: number;
  readonly startsWithinMs: number;
  /** How long its services may take to start and to stop; beyond that a stop is forced. */
  readonly startMs: number;
  readonly stopMs: number;
  /** A handover that has not been done by then climbs to a takeover. */
  readonly handoverMs: number;
  /** Downtime its users tolerate (paper 5.3); answered by the solver. */
  readonly toleratedMs: number | undefined;
}

/** What the solver makes of a configuration: every wait of the cluster, in one place. */
export interface ClusterTimes {
  readonly heartbeatMs: number;
  /** T_dead: silence on all networks after which a peer may be doubted. */
  readonly deadMs: number;
  /** R: from one proof of ownership to the next. */
  readonly proofMs: number;
  /** C: how long a challenge stands before the owner counts as gone. */
  readonly challengeMs: number;
  /** W: the watchdog resets a node that was not fed for so long. */
  readonly watchdogMs: number;
  /** Ownership that was not proven for so long is lost. */
  readonly verifyMs: number;
  /** A proof no older than this allows a start (S3). */
  readonly freshMs: number;
  /** W(1+rho)+delta, from the read-back of the challenger's registration. */
  readonly addressWaitMs: number;
  /** An emptied table is restored by its owner only while its last proof is younger: C less the margin. */
  readonly restoreMs: number;
  /** After boot nothing is fenced, and a less preferred node leaves the first try to others. */
  readonly graceMs: number;
  /** Own lateness beyond which nobody is accused and ownership is proven again; and is void. */
  readonly lateMs: number;
  readonly voidMs: number;
}

export interface ClusterConfig {
  readonly self: NodeName;
  /** Boot of this node's kernel, 32 bits: tells a node from its former self. */
  readonly boot: number;
  /** When this node booted, on the clock of `now`; undefined: when its agent started. */
  readonly bootedMs?: Ms;
  readonly nodes: readonly NodeName[];
  readonly networks: readonly string[];
  readonly hierarchies: readonly HierarchySpec[];
  readonly times: ClusterTimes;
  /** Nodes that a power plan exists for. */
  readonly fenceable: readonly NodeName[];
  /** Hierarchies that one node starts at the same time (crunch limiter). */
  readonly startsAtOnce: number;
  /** Hash of what must be alike on all nodes; by hierarchy, so that one difference stops one hierarchy. */
  readonly hashes: Readonly<Record<HierarchyId, string>>;
}

export const HIERARCHY_STATES = [
  'idle',
  'candidate',
  'challenging',
  'acquiring',
  'starting',
  'running',
  'defending',
  'yielding',
  'stopping',
  'releasing',
  /** Ownership was lost: everything of it is being killed. */
  'losing',
  'blocked',
  'latched',
] as const;
export type HierarchyState = (typeof HIERARCHY_STATES)[number];

// --- what peers say -------------------------------------------------------------------------------

/** A node's word about one hierarchy. It informs; it never grants. */
export interface HierarchySaid {
  readonly id: HierarchyId;
  readonly state: HierarchyState;
  /** Own utility, 0 never here; undefined: not known. */
  readonly utility: number | undefined;
  readonly hash: string;
  /** Rises with each acquisition this node made in this boot. */
  readonly epoch: number;
  /** The handover this node takes part in. `released` is said by the last owner until the next one runs. */
  readonly handover:
    | {
        readonly to: NodeName;
        readonly number: number;
        readonly phase: 'asked' | 'ready' | 'refused' | 'stopping' | 'released';
      }
    | undefined;
  /** Starts within the window, wherever they were, as far as this node knows. */
  readonly starts: number;
  readonly latched: boolean;
  /** Something of it may be running, mounted or dirty there. */
  readonly remains: boolean;
}

/** The newest heartbeat that was heard of a node: which boot sent it, and when by that node's own clock. */
export interface Echo {
  readonly boot: number;
  readonly sentMs: number;
}

/** The content of a heartbeat. Freshness and origin are proven by the edge before the core sees it. */
export interface Heartbeat {
  readonly from: NodeName;
  readonly boot: number;
  /** Rises with each heartbeat of a boot and incarnation: older news is dropped. */
  readonly sequence: number;
  /** When it was sent, by the sender's monotonic clock; comes back to the sender in `echoes`. */
  readonly sentMs: number;
  /** What it had heard of others when it was sent: so that a word that was long under way is known as old. */
  readonly echoes: Readonly<Record<NodeName, Echo>>;
  readonly standby: boolean;
  readonly frozen: boolean;
  readonly hierarchies: readonly HierarchySaid[];
  /** Peers it hears, so that one-way cuts are seen from both ends. */
  readonly hears: readonly NodeName[];
  /** Fences that were ordered lately, as far as it knows. */
  readonly fences: readonly {
    readonly target: NodeName;
    readonly agoMs: number;
    /** Who ordered it; undefined: the speaker. What others ordered is passed on, so that none is forgotten. */
    readonly by?: NodeName;
  }[];
}

// --- what disks and services report ---------------------------------------------------------------

/** Whose key holds a disk, as a look without interest saw it. */
export type SeenHolder = 'own' | 'former' | 'peer' | 'stranger' | 'none';

/**
 * The disks of one hierarchy, taken together. Times are those at which the oldest proving read was sent.
 * `idle` reports what was last seen, if it could be read at all.
 */
export type DiskReport =
  | {
      readonly is: 'idle';
      readonly seen:
        | {
            readonly atMs: Ms;
            readonly holder: SeenHolder;
            /** Name of the holding node when it is of this cluster. */
            readonly node: NodeName | undefined;
          }
        | undefined;
      /** Why not all disks can be read here; undefined: they were. */
      readonly unreadable: string | undefined;
    }
  /** `registeredMs`: since when our registration on the deciding disk is known to stand. */
  | { readonly is: 'taking'; readonly attempt: number; readonly registeredMs: Ms | undefined }
  | {
      readonly is: 'owned';
      readonly provenMs: Ms;
      /** From the take that led here; undefined when it was found owned at the start of the agent. */
      readonly registeredMs: Ms | undefined;
      /** Whom it was taken from. */
      readonly from: NodeName | undefined;
      /** A foreign key stands, or a disk was not proven by the last look: no food for the watchdog. */
      readonly challenged: string | undefined;
    }
  /** `alive`: the owner answered; `beaten`: another was first; `refused`: not to be had, whatever the time. */
  | {
      readonly is: 'alive' | 'beaten' | 'refused';
      readonly attempt: number;
      readonly why: string;
    }
  /** Ours no longer, or not to be proven. Nothing was sent to the disks since. */
  | { readonly is: 'lost'; readonly why: string }
  | { readonly is: 'releasing' }
  /** `whole` is false when registrations of ours are left behind that nobody can use. */
  | { readonly is: 'released'; readonly whole: boolean };

/** The services of one hierarchy, taken together. */
export interface ServicesReport {
  /** Seen running. */
  readonly running: readonly ServiceId[];
  /** Anything of it may be open, mounted, running or dirty here: true until the opposite was seen. */
  readonly remains: boolean;
  /** Given up by the restart policy of this node. */
  readonly latched: string | undefined;
  /** A start or stop that was ordered did not succeed. */
  readonly failed: string | undefined;
}

// --- inputs ---------------------------------------------------------------------------------------

export type ClusterWord =
  | { readonly say: 'move'; readonly hierarchy: HierarchyId; readonly to: NodeName | undefined }
  | { readonly say: 'standby' | 'unstandby' | 'freeze' | 'unfreeze' }
  /** A person has seen that a node is off. */
  | { readonly say: 'confirm-off'; readonly node: NodeName; readonly evidence: string }
  /** Lifts a latch, or a block that waits for a person. */
  | { readonly say: 'clear'; readonly hierarchy: HierarchyId };

export type ClusterInput =
  | {
      readonly kind: 'heartbeat';
      readonly at: Ms;
      readonly network: string;
      readonly said: Heartbeat;
    }
  | {
      readonly kind: 'disks';
      readonly at: Ms;
      readonly hierarchy: HierarchyId;
      readonly report: DiskReport;
    }
  | {
      readonly kind: 'services';
      readonly at: Ms;
      readonly hierarchy: HierarchyId;
      readonly report: ServicesReport;
    }
  /** `undefined`: not known. It then neither attracts nor repels. */
  | {
      readonly kind: 'utility';
      readonly at: Ms;
      readonly hierarchy: HierarchyId;
      readonly value: number | undefined;
      readonly why: string;
    }
  /** Legs of mirrors that md has recorded as failed: the whole list, by WWID. */
  | {
      readonly kind: 'mirror';
      readonly at: Ms;
      readonly hierarchy: HierarchyId;
      readonly failed: readonly string[];
    }
  | {
      readonly kind: 'fence';
      readonly at: Ms;
      readonly node: NodeName;
      /** `off` is proven, at `offAt`; `refuted`: it was, and then the node gave a sign of life. */
      readonly outcome: 'off' | 'failed' | 'refuted' | 'refused';
      readonly offAt?: Ms;
      readonly why: string;
    }
  | { readonly kind: 'word'; readonly at: Ms; readonly word: ClusterWord }
  /** A remedy of a rule. */
  | {
      readonly kind: 'handover';
      readonly at: Ms;
      readonly hierarchy: HierarchyId;
      readonly why: string;
    }
  | { readonly kind: 'shoot'; readonly at: Ms; readonly node: NodeName; readonly why: string }
  | { readonly kind: 'late'; readonly at: Ms; readonly lateMs: number }
  /** The watchdog as read back; undefined: there is none. */
  | { readonly kind: 'watchdog'; readonly at: Ms; readonly timeoutMs: number | undefined }
  /** What the last life of the agent in this boot left: hierarchies it had lost, and must not register for. */
  | { readonly kind: 'resume'; readonly at: Ms; readonly tainted: readonly HierarchyId[] };

// --- wishes ---------------------------------------------------------------------------------------

export type DiskWish =
  /** Look from time to time; withdraw what is registered unless it was lost. */
  | { readonly want: 'none' }
  /**
   * One try, named by its number. `silent`: the last owner released or is off, and that was seen: an empty
   * table needs no wait then. It shortens nothing while somebody holds a disk.
   */
  | { readonly want: 'take'; readonly attempt: number; readonly silent: boolean }
  /** Prove and defend. `excused`: legs of mirrors that md has recorded as failed. */
  | { readonly want: 'keep'; readonly excused: readonly string[] }
  | { readonly want: 'release' };

export type ServicesWish =
  | { readonly want: 'down' }
  /** At once, by force, without flushing: ownership is gone. */
  | { readonly want: 'killed' }
  /** Start nothing and stop nothing: not known yet, frozen, or no fresh proof to start by. */
  | { readonly want: 'hold' }
  /** `addresses`: what waits may start too. */
  | { readonly want: 'up'; readonly addresses: boolean };

export interface HierarchyWish {
  readonly id: HierarchyId;
  readonly disks: DiskWish;
  readonly services: ServicesWish;
}

export interface FenceWish {
  readonly node: NodeName;
  /** By what right: a disk we hold, a hierarchy that nothing else fences, a rule or person. */
  readonly by: { readonly kind: 'owner' | 'first-candidate' | 'operator'; readonly of: string };
  readonly why: string;
}

/** `feed`: everything owned was proven; `starve`: it was not; `rest`: nothing is owned, it may be closed. */
export type WatchdogWish = 'feed' | 'starve' | 'rest';

export interface ClusterWish {
  readonly hierarchies: readonly HierarchyWish[];
  readonly fences: readonly FenceWish[];
  readonly watchdog: WatchdogWish;
  /** Reset this node now, without a sync: the sentence says why. */
  readonly reset: string | undefined;
  /** What the next heartbeat says, apart from what each has of its own. */
  readonly say: Omit<Heartbeat, 'sequence' | 'sentMs' | 'echoes'>;
}

/** A thing the core decided in this step, for the journal and for `why`. */
export interface ClusterDecision {
  readonly hierarchy: HierarchyId | undefined;
  readonly from: HierarchyState | undefined;
  readonly to: HierarchyState | undefined;
  /** The guard that said no, when it is a refusal. */
  readonly refusedBy: string | undefined;
  readonly why: string;
  /** What must outlive this life of the agent in this boot. */
  readonly taint?: HierarchyId;
}
