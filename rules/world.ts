/**
 * The whole state of the core as one value. It decides how the world is laid out (dense arrays with
 * structural sharing, so that a step that changes one of 10,000 components copies pointers, not
 * objects) and holds no judgement. Everything here is plain data: it can be saved, sent and compared.
 */
import type { ClusterView } from './cluster/view.ts';
import type { Judgement } from './config.ts';
import type {
  Action,
  ActionId,
  Alarm,
  AlarmId,
  Decision,
  Maintenance,
  OperatorWord,
  Outcome,
} from './decision.ts';
import type {
  Advice,
  Component,
  ComponentId,
  Group,
  GroupId,
  GroupReading,
  Ms,
  Observation,
  Picture,
  Reading,
  Sight,
  SourceId,
} from './model.ts';
import type { RememberedService, ServiceId, ServiceSeen } from './service.ts';
import type { Utility } from './utility.ts';

/** Everything the core is ever told. */
export type Input =
  | {
      readonly kind: 'read';
      readonly source: SourceId;
      readonly at: Ms;
      readonly observation: Observation;
      readonly durationMs: number;
    }
  | { readonly kind: 'judgement'; readonly judgement: Judgement }
  /** The operator's word that a component is gone for good. */
  | { readonly kind: 'forget'; readonly component: ComponentId }
  /** What a driver saw of a service: whole, each time. */
  | {
      readonly kind: 'service';
      readonly service: ServiceId;
      readonly at: Ms;
      readonly seen: ServiceSeen;
    }
  | {
      readonly kind: 'outcome';
      readonly action: ActionId;
      readonly at: Ms;
      readonly outcome: Outcome;
    }
  /** What was kept of services when the agent last ran; told once, before anything is seen of them. */
  | {
      readonly kind: 'resume';
      readonly at: Ms;
      readonly services: readonly RememberedService[];
    }
  /** What the last life of the agent left standing; told once, at the start. */
  | { readonly kind: 'adopt'; readonly at: Ms; readonly standing: Standing }
  | { readonly kind: 'word'; readonly at: Ms; readonly word: OperatorWord }
  /** The agent's own lateness since the last one: it withdraws the right to act. */
  | { readonly kind: 'late'; readonly at: Ms; readonly lateMs: number }
  /** The cluster as it stands: whole, each time it changed. */
  | { readonly kind: 'cluster'; readonly at: Ms; readonly view: ClusterView };

/** What the core must know of a source before the first reading. */
export interface SourceSpec {
  readonly id: SourceId;
  readonly everyMs: number;
  readonly staleMs: number;
  readonly opinion: boolean;
}

export interface SourceState {
  readonly spec: SourceSpec;
  readonly sight: Sight;
  readonly readings: readonly Reading[];
  readonly groups: readonly GroupReading[];
  readonly advice: readonly Advice[];
  /** By identity: the same observation again changes nothing but the sight. */
  readonly observation: Observation | undefined;
}

/** A group a component belonged to when it was last read. */
export interface RememberedGroup {
  readonly id: GroupId;
  readonly kind: string;
  readonly name: string;
  readonly needed?: number;
}

/** What the inventory keeps of a component across restarts: enough to miss it when it is gone. */
export interface Remembered {
  readonly id: ComponentId;
  readonly kind: string;
  readonly name: string;
  readonly source: SourceId;
  readonly needs: readonly ComponentId[];
  readonly groups: readonly RememberedGroup[];
  readonly peaks: Readonly<Record<string, number>>;
}

export interface Seen {
  readonly source: SourceId;
  readonly reading: Reading;
}

/** What judgement has to remember of one component between readings. */
export interface Memory {
  /** Health each limit last gave, by the limit's place in the configuration (hysteresis). */
  readonly limits: Readonly<Record<number, 'ok' | 'failing' | 'failed'>>;
  /** Increases of the flap counter inside the widest window, oldest first. */
  readonly flaps: readonly { readonly at: Ms; readonly count: number }[];
  readonly flapCounter: number | undefined;
}

/** A component judged by its own readings, before its dependencies have a say. */
export type Own = Omit<Component, 'id' | 'since'>;

export interface Slot {
  readonly id: ComponentId;
  /** Undefined until judged for the first time, within the step that made the slot. */
  readonly own: Own | undefined;
  readonly seen: readonly Seen[];
  readonly memory: Memory;
  readonly remembered: Remembered | undefined;
  /** Named literally in the configuration: it is missed even if it never was read. */
  readonly expected: boolean;
}

/** Indexes over the arrays, rebuilt only when an edge changes. Numbers are places in `components`. */
export interface Topology {
  /** Place of each dependency that is itself a component. */
  readonly needs: readonly (readonly number[])[];
  readonly dependents: readonly (readonly number[])[];
  /** Everything a component cannot work without, at any depth, read or not. */
  readonly closure: readonly (readonly ComponentId[])[];
  readonly groupsOf: readonly (readonly number[])[];
  readonly groups: readonly GroupShape[];
}

/** A group before judgement: who belongs to it. */
export interface GroupShape {
  readonly id: GroupId;
  readonly kind: string;
  readonly name: string;
  readonly members: readonly number[];
  readonly intrinsic: number | undefined;
  readonly configured: number | undefined;
  readonly preference: readonly ComponentId[];
}

/** A remedy that was ordered. Outlives its alarm, which may come back. */
export interface Spent {
  readonly at: Ms;
  readonly alarm: AlarmId;
  readonly rung: number;
  readonly notice: boolean;
}

/** What outlives the agent: taken over by the next life from the journal of the last. */
export interface Standing {
  readonly alarms: readonly Alarm[];
  readonly maintenance: readonly Maintenance[];
  readonly actions: readonly Action[];
  readonly spent: readonly Spent[];
}

export interface World extends Picture {
  readonly judgement: Judgement;
  readonly sources: ReadonlyMap<SourceId, SourceState>;
  readonly slots: readonly Slot[];
  readonly places: ReadonlyMap<ComponentId, number>;
  readonly topology: Topology;
  /** By the place of the shape in `topology.groups`; undefined where nobody counts as a member. */
  readonly judged: readonly (Group | undefined)[];
  /** Places whose judgement depends on time alone (flaps that will age out). */
  readonly ageing: readonly number[];
  /** Rises whenever what must survive a restart has changed. */
  readonly inventoryVersion: number;
  /** Ordered, and without outcome yet. */
  readonly actions: readonly Action[];
  /** Of this step alone: what the agent has to do and to write down. */
  readonly decisions: readonly Decision[];
  /** `NODE-BOOT`: what the names of actions begin with. */
  readonly era: string;
  /** Remedies ordered lately, oldest first: what budgets and the storm guard count. */
  readonly spent: readonly Spent[];
  /** The agent's latest lateness that was worth telling. */
  readonly late: { readonly at: Ms; readonly lateMs: number } | undefined;
  /** Undefined: this node is in no cluster, or has not heard of it yet. */
  readonly cluster: ClusterView | undefined;
  /** How useful each hierarchy would be here, as configured. */
  readonly utilities: readonly Utility[];
  /** Numbers actions; never goes back. */
  readonly actionCount: number;
  /** When a step would next decide something by time alone (a hold, a delay, a deadline). */
  readonly dueAt: Ms | undefined;
}

export const NO_MEMORY: Memory = { limits: {}, flaps: [], flapCounter: undefined };

export const NO_TOPOLOGY: Topology = {
  needs: [],
  dependents: [],
  closure: [],
  groupsOf: [],
  groups: [],
};
