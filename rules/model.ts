/**
 * The nouns of nospof. This file decides what a component, a reading, a group and a margin are, and
 * nothing else: it holds no judgement, so that collectors and exporters can import it without
 * importing an opinion. Units stand last in every name; time is monotonic milliseconds handed in.
 */
import type { Alarm, Maintenance } from './decision.ts';
import type { Service } from './service.ts';

export type { DiskReport, DiskWish, NodeName, OwnableDisk, SeenHolder } from './cluster/model.ts';
export { SERVICE_STATES } from './service.ts';

/** Monotonic milliseconds (CLOCK_MONOTONIC). Never wall-clock time, never comparable across nodes. */
export type Ms = number & { readonly unit: 'ms' };
/** Stable identity of a component: `fan/pci-0000:00:1f.3/2`. Never holds hwmonN or a bare sdX. */
export type ComponentId = string & { readonly of: 'component' };
/** Stable identity of a redundancy group: `mirror/UUID`, `psus/bmc`. */
export type GroupId = string & { readonly of: 'group' };
/** `COLLECTOR/SOURCE`, the unit of sight: what is read, dirty, stale or blind together. */
export type SourceId = string & { readonly of: 'source' };

export const HEALTHS = ['ok', 'failing', 'failed', 'absent', 'unknown'] as const;
/**
 * What a component is. `failing` still works but says it will not for long, or works worse than it
 * should; `absent` was there and is gone; `unknown` is a value and never rounds to another.
 */
export type Health = (typeof HEALTHS)[number];

/**
 * What a collector reports of one component at one time.
 *
 * `health` is what the hardware or the kernel says of itself: a collector knows no threshold.
 * `why` is one short sentence of evidence, present whenever `health` is not `ok`.
 * `gauges` are numbers in base units with the unit as the last word of the key (`rpm`, `celsius`,
 * `volts`, `amperes`, `watts`, `joules`, `seconds`, `bytes`, `bytes_per_second`, `ratio`); a
 * cumulative count ends in `_total`. Keys match `[a-z][a-z0-9_]*`.
 * `facts` are words for people and for info series; they never carry a state that changes often.
 * `needs` are components without which this one cannot work (a path its controller, a link its card).
 */
export interface Reading {
  readonly component: ComponentId;
  /** One word: `fan`, `psu`, `supply`, `battery`, `sensor`, `path`, `disk`, `array`, `link`, ... */
  readonly kind: string;
  /** For people: the label the hardware gives, else the shortest unambiguous words. */
  readonly name: string;
  readonly health: Health;
  readonly why?: string;
  readonly gauges: Readonly<Record<string, number>>;
  readonly facts: Readonly<Record<string, string>>;
  readonly needs: readonly ComponentId[];
  /** Has no physical backing (veth, bridge): not remembered in the inventory once it is gone. */
  readonly virtual?: true;
  /**
   * This reading alone cannot prove that anything is there (a fan header that reads 0 rpm, an empty
   * PSU bay). It counts only for a component that the inventory knows, else it is shown as unproven.
   */
  readonly unproven?: true;
  /** Gauge whose best value ever seen is its measure: below it the component is `failing` (link speed). */
  readonly peak?: string;
  /** Counter (`*_total`) whose increases are counted as flaps. */
  readonly flap?: string;
}

/** A redundancy group as its source sees it. Members are components that stand in for each other. */
export interface GroupReading {
  readonly group: GroupId;
  /** Chooses the assumed need: `mirror`, `paths`, `bond`, `links`, `psus`, `fans`, `gateways`, ... */
  readonly kind: string;
  readonly name: string;
  readonly members: readonly ComponentId[];
  /** Members that must work, where the device itself defines it (RAID-5 of 4: 3). Else it is assumed. */
  readonly needed?: number;
  /** Best first: while the first healthy member is not the first named, the group is degraded. */
  readonly preference?: readonly ComponentId[];
}

/** Something no fault shows but an engineer would say: a design weakness, with what to do about it. */
export interface Advice {
  /** Stable name of the advice, kebab-case: `fan-on-component`, `array-not-mirrored`. */
  readonly code: string;
  readonly about: ComponentId | GroupId;
  readonly text: string;
}

/**
 * The whole truth of one source at one time. `none`: there is nothing of this sort here, and that
 * was seen (its known components become absent). `blind`: there may be something, but it could not be
 * read; `why` says what to mend.
 */
export type Observation =
  | {
      readonly kind: 'seen';
      readonly readings: readonly Reading[];
      readonly groups: readonly GroupReading[];
      readonly advice: readonly Advice[];
    }
  | { readonly kind: 'none'; readonly why: string }
  | { readonly kind: 'blind'; readonly why: string };

/**
 * Healthy members minus needed ones, taken as the worst over the loss of any one dependency that
 * members share. `low` counts what is certainly healthy, `high` also what may be.
 */
export interface Margin {
  readonly low: number;
  readonly high: number;
  /** The shared component that limits the margin below the plain count, when one does. */
  readonly limitedBy?: ComponentId;
}

/** A margin in a word. `unknown`: its two ends fall into different words. */
export type Standing = 'redundant' | 'exposed' | 'lost' | 'unknown';
export const STANDINGS = ['redundant', 'exposed', 'lost', 'unknown'] as const;

/** Where the need of a group comes from. */
export type NeedBasis = 'configured' | 'intrinsic' | 'assumed';

/** A component as the world knows it: its readings merged, judged, and remembered. */
export interface Component {
  readonly id: ComponentId;
  readonly kind: string;
  readonly name: string;
  readonly health: Health;
  readonly why: string;
  /** When `health` last changed. */
  readonly since: Ms;
  readonly gauges: Readonly<Record<string, number>>;
  readonly facts: Readonly<Record<string, string>>;
  readonly needs: readonly ComponentId[];
  readonly sources: readonly SourceId[];
  /** Its source cannot prove that it exists and it was never seen working: not a member of anything. */
  readonly unproven: boolean;
  /** The operator's configuration ignores it: listed, but not a member of anything. */
  readonly ignored: boolean;
}

/** A group as the world judges it. */
export interface Group {
  readonly id: GroupId;
  readonly kind: string;
  readonly name: string;
  readonly members: readonly ComponentId[];
  readonly needed: number;
  readonly basis: NeedBasis;
  readonly healthy: number;
  readonly margin: Margin;
  readonly standing: Standing;
  /** Works on a less preferred member (a slower line). */
  readonly degraded: boolean;
  readonly since: Ms;
}

/** What is known of one source: its sight, not its devices. */
export interface Sight {
  readonly id: SourceId;
  readonly state: 'waiting' | 'seen' | 'none' | 'blind' | 'stale';
  readonly why: string;
  readonly since: Ms;
  /** Last time it was read well (`seen` or `none`); undefined before the first. */
  readonly seenAt: Ms | undefined;
  readonly durationMs: number;
  readonly failures: number;
  readonly readings: number;
  readonly everyMs: number;
  readonly staleMs: number;
}

/** All that exporters may look at: arrays of plain data that can cross a process boundary. */
export interface Picture {
  readonly at: Ms;
  readonly components: readonly Component[];
  readonly groups: readonly Group[];
  readonly sights: readonly Sight[];
  readonly advice: readonly Advice[];
  readonly alarms: readonly Alarm[];
  readonly services: readonly Service[];
  readonly maintenance: readonly Maintenance[];
}

const UNSAFE_ID = /[^A-Za-z0-9._:@+-]/gu;
const ID_PART_LENGTH_MAX = 120;

/** One part of an identity: safe in labels, paths and globs; foreign characters become `_`. */
export function idPart(text: string): string {
  return text.trim().replace(UNSAFE_ID, '_').slice(0, ID_PART_LENGTH_MAX) || '_';
}

/** Identity of a component from its kind and the stable parts of its name. */
export function componentId(kind: string, ...parts: readonly string[]): ComponentId {
  return [kind, ...parts.map(idPart)].join('/') as ComponentId;
}

/** Identity of a group, in the same form. */
export function groupId(kind: string, ...parts: readonly string[]): GroupId {
  return [kind, ...parts.map(idPart)].join('/') as GroupId;
}

export function sourceId(collector: string, source: string): SourceId {
  return `${collector}/${source}` as SourceId;
}

export function ms(value: number): Ms {
  return value as Ms;
}

/** Reached only by a programmer's error: the compiler refuses the call for a handled union. */
export function assertNever(value: never): never {
  throw new Error(`not handled: ${JSON.stringify(value)}`);
}

/** What the agent says of itself beside the picture; counters since its start. */
export interface Vitals {
  readonly node: string;
  readonly version: string;
  /** Adds to monotonic milliseconds to give Unix milliseconds; labels only. */
  readonly wallOffsetMs: number;
  readonly startedAt: Ms;
  /** First time every enabled source had answered once; undefined before. */
  readonly readyAt: Ms | undefined;
  /**
   * `kernel`: woken by sockets and POLLPRI; `polling`: by periods alone; `once`: a single look by a
   * command, without an agent.
   */
  readonly wakeMode: 'kernel' | 'polling' | 'once';
  readonly steps: number;
  readonly wakes: number;
  readonly drops: Readonly<Record<string, number>>;
}

/** One measured time since the last message: histogram samples for the exporter, in seconds. */
export interface Sample {
  readonly of: 'wake_to_world' | 'step' | 'loop_lag' | 'read';
  readonly seconds: number;
}
