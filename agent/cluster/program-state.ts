/** What a node of the cluster holds between steps, what it is told and what it gives out. */
import { beginArbiter } from '../../fencing/arbiter.ts';
import type { Arbiter, ArbiterDisk, ArbiterOptions, DiskAsk } from '../../fencing/arbiter-state.ts';
import type { FenceCommand } from '../../fencing/fence-state.ts';
import { type Fences, NO_FENCES } from '../../fencing/fences.ts';
import type { PowerPlan } from '../../fencing/plan.ts';
import type { SwitchReply } from '../../fencing/reply.ts';
import type { Input as MachineInput } from '../../fencing/reservation/machine.ts';
import type {
  ClusterConfig,
  ClusterDecision,
  ClusterInput,
  ClusterWish,
  Heartbeat,
  HierarchyId,
  HierarchyWish,
  NodeName,
  WatchdogWish,
} from '../../rules/cluster/model.ts';
import { beginCluster, type Cluster } from '../../rules/cluster/state.ts';
import type { DiskReport, Ms } from '../../rules/model.ts';

export interface ProgramConfig {
  readonly cluster: ClusterConfig;
  readonly arbiter: ArbiterOptions;
  readonly disks: ReadonlyMap<HierarchyId, readonly ArbiterDisk[]>;
  readonly plans: readonly PowerPlan[];
  readonly bootedAt: Ms;
  readonly fence: {
    readonly deadlineMs: number;
    /** After a proven off and the discharge time a node is switched on again, or left off. */
    readonly afterwards: 'on' | 'off';
    /** A fence that failed or was refused, and is wished still, is tried again after so long. */
    readonly againMs: number;
  };
}

export type ProgramInput =
  | { readonly kind: 'tick' }
  | ClusterInput
  | {
      readonly kind: 'disk';
      readonly hierarchy: HierarchyId;
      readonly wwid: string;
      readonly input: MachineInput;
    }
  | {
      readonly kind: 'switch';
      readonly target: string;
      readonly id: number;
      readonly reply: SwitchReply;
    };

/** A fence that was wished: what came of it so far. */
export interface FenceTried {
  readonly at: Ms;
  /** As it was told to the core; undefined while it runs. */
  readonly told: 'off' | 'failed' | 'refuted' | 'refused' | undefined;
  /** It is wished still; the next wish after that is another one. */
  readonly wished: boolean;
}

export interface Program {
  readonly config: ProgramConfig;
  readonly cluster: Cluster;
  readonly arbiters: ReadonlyMap<HierarchyId, Arbiter>;
  readonly reports: ReadonlyMap<HierarchyId, DiskReport>;
  readonly fences: Fences;
  readonly fencesWakeAt: Ms | undefined;
  readonly tried: ReadonlyMap<NodeName, FenceTried>;
  readonly wish: ClusterWish | undefined;
  readonly said: ClusterWish['say'] | undefined;
  readonly sequence: number;
  readonly beatAt: Ms;
  readonly coreDueAt: Ms | undefined;
  /** Until then our own sight is not trusted: we were late. */
  readonly blurredUntil: Ms;
  readonly left: readonly ClusterInput[];
}

/** What a step collects. */
export interface Sent {
  readonly asks: (DiskAsk & { readonly hierarchy: HierarchyId })[];
  readonly switches: (FenceCommand & { readonly target: string })[];
  readonly decisions: ClusterDecision[];
}

export interface Out {
  readonly asks: Readonly<Sent['asks']>;
  readonly switches: Readonly<Sent['switches']>;
  readonly decisions: readonly ClusterDecision[];
  /** The whole of what is wished of services; the same object while nothing of it changed. */
  readonly services: readonly HierarchyWish[];
  /** To be sent on all networks now. */
  readonly heartbeat: Heartbeat | undefined;
  readonly watchdog: WatchdogWish;
  readonly reset: string | undefined;
  /** Step again then, if nothing else happens. */
  readonly dueAt: Ms;
}

export interface ProgramTurn {
  readonly program: Program;
  readonly out: Out;
}

export function beginProgram(config: ProgramConfig, now: Ms): Program {
  const arbiters = new Map(
    [...config.disks].map(([id, disks]) => [id, beginArbiter(config.arbiter, disks, now)] as const),
  );
  return {
    config,
    cluster: beginCluster(config.cluster, now),
    arbiters,
    reports: new Map(),
    fences: NO_FENCES,
    fencesWakeAt: undefined,
    tried: new Map(),
    wish: undefined,
    said: undefined,
    sequence: 0,
    beatAt: now,
    coreDueAt: now,
    blurredUntil: now,
    left: [],
  };
}
