/**
 * What the agent and its API child say to each other over their IPC channel. One feed is in flight at a
 * time; the child's `ack` asks for the next. Both ends are of one build, so there is no version.
 */
import type { Alarm, Maintenance } from '../../rules/decision.ts';
import type { Advice, Component, Group, Ms, Sample, Sight, Vitals } from '../../rules/model.ts';
import type { Service } from '../../rules/service.ts';
import type { MaintenanceCommand } from '../maintenance.ts';

/** Times and sizes of the API; each is a guess that its comment says how to better. */
export interface ApiLimits {
  /** Silence of the agent after which all that is served counts as old. The agent publishes each second. */
  readonly oldAfterMs: number;
  /** A child that has not acknowledged for so long hangs and is killed. */
  readonly ackDeadlineMs: number;
  /**
   * How long news that changes no health or standing is gathered before it is fed. Sources fall due
   * together, so this makes one feed of what they all say; longer would only make the numbers older.
   */
  readonly gatherMs: number;
  /** First wait before a dead child is started again; it doubles up to the longest. */
  readonly restartFirstMs: number;
  readonly restartLongestMs: number;
  /** A child that lived this long resets the wait. */
  readonly stableAfterMs: number;
  /** How long a port or socket that is in use is tried again: an agent that was just killed lets go late. */
  readonly listenPatienceMs: number;
  /** A child that does not end by itself in this time is killed. */
  readonly closeDeadlineMs: number;
  /** An operator's command that the agent has not answered by then is given up (its effect is unknown). */
  readonly commandDeadlineMs: number;
  /** Measured times kept between two feeds; more are dropped and counted. */
  readonly samplesMax: number;
}

export const API_LIMITS: ApiLimits = {
  oldAfterMs: 5_000,
  ackDeadlineMs: 30_000,
  gatherMs: 200,
  restartFirstMs: 100,
  restartLongestMs: 30_000,
  stableAfterMs: 60_000,
  listenPatienceMs: 2_000,
  closeDeadlineMs: 2_000,
  commandDeadlineMs: 5_000,
  samplesMax: 4_096,
};

/** An operator's order to the agent; only the unix socket takes them. */
export type ApiCommand =
  | { readonly verb: 'forget'; readonly component: string }
  | {
      readonly verb: 'service';
      readonly deed: ServiceDeed;
      /** Its name or identity. */
      readonly service: string;
    }
  | MaintenanceCommand;

export const SERVICE_DEEDS = ['start', 'stop', 'restart', 'clear'] as const;
export type ServiceDeed = (typeof SERVICE_DEEDS)[number];

/** What the child needs to know before it listens. */
export interface ChildSettings {
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  readonly runDir: string;
  readonly seriesMax: number;
  readonly limits: ApiLimits;
}

/** Changed places of an array: its length now, and the new items with their indexes. */
export interface ArrayDelta<T> {
  readonly length: number;
  readonly at: readonly number[];
  readonly items: readonly T[];
}

/** All that changed since the feed before; an array that did not change is left out. */
export interface Feed {
  readonly kind: 'feed';
  readonly at: Ms;
  /** Some health, standing or sight changed: viewers are told at once. */
  readonly urgent: boolean;
  readonly components?: ArrayDelta<Component>;
  readonly groups?: ArrayDelta<Group>;
  readonly sights?: ArrayDelta<Sight>;
  readonly advice?: readonly Advice[];
  readonly alarms?: ArrayDelta<Alarm>;
  readonly services?: ArrayDelta<Service>;
  readonly maintenance?: readonly Maintenance[];
  readonly vitals: Vitals;
  readonly samples: readonly Sample[];
  /** Samples dropped since the agent started. */
  readonly samplesDropped: number;
}

export type ToChild =
  | { readonly kind: 'open'; readonly settings: ChildSettings }
  | Feed
  | { readonly kind: 'answer'; readonly id: number; readonly done: boolean; readonly text: string }
  | { readonly kind: 'close' };

export type FromChild =
  | { readonly kind: 'listening' }
  /** It cannot listen; it ends after this. */
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'ack' }
  | { readonly kind: 'command'; readonly id: number; readonly command: ApiCommand };
