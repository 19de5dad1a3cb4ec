/** The nouns of the simulated world: nodes with their kernels, paths, services and agents. No behaviour. */

import type { Program, ProgramInput } from '../../agent/cluster/program-state.ts';
import type { Answer } from '../../fencing/reservation/answer.ts';
import type { Ask } from '../../fencing/reservation/look.ts';
import type { HierarchySpec, HierarchyWish, NodeName } from '../../rules/cluster/model.ts';
import type { Nexus } from '../fakes/disk/table.ts';
import type { SimDisk } from './disk.ts';

/** What befalls the commands of a path. */
export type PathFate = 'ok' | 'cut' | 'hang' | 'reply-lost' | 'slow';

export interface Held {
  readonly bootGen: number;
  readonly go: () => void;
  /** It is at the device already: it is carried out later even if its node has died. */
  readonly queued: boolean;
}

export interface SimPath {
  readonly name: string;
  readonly disk: SimDisk;
  nexus: Nexus;
  nexusName: string;
  fate: PathFate;
  slow: number;
  /** Rises whenever the nexus ends: what was sent before comes no more. */
  epoch: number;
  held: Held[];
}

export type ServiceState = 'stopped' | 'starting' | 'running' | 'stopping';

export interface SimService {
  readonly id: string;
  readonly waits: boolean;
  readonly place: number;
  state: ServiceState;
  /** Rises with each change: timers of an earlier state do nothing. */
  gen: number;
  failures: number;
}

/** One hierarchy on one node. */
export interface SimHierarchy {
  readonly spec: HierarchySpec;
  readonly place: number;
  readonly services: SimService[];
  wish: HierarchyWish['services'];
  /** Order of starts of this hierarchy, world-wide: what is written is stamped with it. */
  token: number;
  dirty: number;
  failed: string | undefined;
  latched: string | undefined;
  utility: number | undefined;
  /** Since when it is so. */
  utilityUs: number;
  /** What was last told, to tell only changes. */
  told: string;
  writing: boolean;
}

export interface Ailments {
  /** Services that do not start here, by hierarchy place. */
  readonly toxic: Set<number>;
  /** They do not stop when asked. */
  readonly stopHangs: Set<number>;
  /** Not even by force. */
  readonly dstate: Set<number>;
}

export interface SimAgent {
  readonly gen: number;
  program: Program;
  inbox: ProgramInput[];
  /** Local time for which the next wake is scheduled, and its number. */
  wakeMs: number;
  wakeGen: number;
  stopped: boolean;
  missed: boolean;
  services: readonly HierarchyWish[] | undefined;
  /** PR OUTs under way, by disk. */
  readonly outs: Map<string, number>;
  steps: number;
  stepUs: number;
}

export interface Watchdog {
  armed: boolean;
  /** World time at which it fires. */
  atUs: number;
  gen: number;
}

export interface SimNode {
  readonly name: NodeName;
  readonly place: number;
  readonly feeds: boolean[];
  power: 'off' | 'booting' | 'up';
  /** Since when all feeds are off; undefined: one is on. */
  darkUs: number | undefined;
  bootGen: number;
  boot: number;
  bootedUs: number;
  /** Clock: local milliseconds at boot, and how many pass in a microsecond of the world. */
  readonly baseMs: number;
  readonly rate: number;
  hung: 'no' | 'kernel' | 'vm';
  deferred: (() => void)[];
  slow: number;
  readonly watchdog: Watchdog;
  agent: SimAgent | undefined;
  agentGen: number;
  /** Does not come up by itself (restart loop). */
  agentHeldUs: number;
  /** Survives the agent, not the boot. */
  tainted: Set<string>;
  readonly ailments: Ailments;
  readonly hierarchies: SimHierarchy[];
  /** By disk place. */
  readonly paths: SimPath[][];
  drift: Set<string>;
  /** Boots to come take longer, or it stays off. */
  broken: boolean;
}

export type AnswerTo = (ask: Ask, answer: Answer) => void;
