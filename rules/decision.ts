/**
 * The nouns of acting: alarm, action, outcome, refusal, and the record of each thing a step decided.
 * A decision carries its causes, so that it can be explained later without the world it was made in.
 * Nothing here decides.
 */
import type { ComponentId, GroupId, Ms, SourceId } from './model.ts';
import type { Deed, Severity } from './rule.ts';
import type { ServiceId, ServiceState } from './service.ts';

/** `RULE@SUBJECT`: the same fault has the same name after a restart, so that people can refer to it. */
export type AlarmId = string & { readonly of: 'alarm' };
/** `NODE-BOOT-NUMBER`, never used twice. */
export type ActionId = string & { readonly of: 'action' };

export type SubjectId = ComponentId | GroupId | SourceId | ServiceId | 'node';

export const ALARM_STATES = ['pending', 'raised', 'clearing', 'cleared'] as const;
export type AlarmState = (typeof ALARM_STATES)[number];

/** A rule that holds on one subject, with its own history. Cleared alarms leave the world. */
export interface Alarm {
  readonly id: AlarmId;
  readonly rule: string;
  readonly subject: SubjectId;
  readonly severity: Severity;
  readonly state: AlarmState;
  /** When `state` last changed. */
  readonly since: Ms;
  readonly raisedAt: Ms | undefined;
  readonly summary: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The alarm that explains it: muted, not hidden. */
  readonly mutedBy: AlarmId | undefined;
  readonly shadow: boolean;
  /** Rises with each change of state, severity or muting: receivers tell old news by it. */
  readonly sequence: number;
  /** What the condition says now. While that is not known the alarm neither rises nor clears. */
  readonly holds: boolean | 'unknown';
  /** The last that was known of it. */
  readonly held: boolean;
  /** Since when `held` is what it is; time in which it was not known is left out. */
  readonly heldSince: Ms;
  readonly unknownSince: Ms | undefined;
  /** Value of the rule's `unchanged`, in words. */
  readonly steady: string | undefined;
  /** Times the condition became true inside the rule's window, oldest first. */
  readonly onsets: readonly Ms[];
  /** What has to be taken back when it clears, latest last. */
  readonly undo: readonly Undo[];
  /** Where it stands on the rule's ladder. */
  readonly rung: Rung;
}

export type Rung =
  | { readonly kind: 'before'; readonly index: number }
  | { readonly kind: 'acting'; readonly index: number; readonly action: ActionId }
  | { readonly kind: 'settling'; readonly index: number; readonly until: Ms }
  /** Refused by a guard that may later say yes. */
  | { readonly kind: 'refused'; readonly index: number; readonly guard: Guard }
  | { readonly kind: 'exhausted' };

/** A deed that was done, or may have been, and can be taken back. */
export interface Undo {
  readonly action: ActionId;
  readonly deed: Deed;
  readonly before: Readonly<Record<string, string>>;
}

export const GUARDS = [
  'maintenance',
  'shadow',
  'doubt',
  'self-late',
  'storm',
  'budget',
  'latched',
  'busy',
  'no-cluster',
  'not-owner',
  'no-better-node',
  'last-survivor',
  'one-fence-at-a-time',
] as const;
export type Guard = (typeof GUARDS)[number];

/** What is done: a remedy's deed, a service's move, or the undoing of an earlier action. */
export type Order =
  | Deed
  | { readonly kind: 'start' | 'stop' | 'kill'; readonly service: ServiceId }
  | ({ readonly kind: 'undo' } & Undo);

/** Why an action was ordered, a refusal made, a service moved: enough to be told to a person. */
export interface Because {
  readonly alarm?: AlarmId;
  readonly rule?: string;
  readonly rung?: number;
  /** Names and values the condition read, as they were. */
  readonly values: Readonly<Record<string, string | number | boolean>>;
  /** Guards asked, in order, all of which said yes up to the last. */
  readonly guards: readonly Guard[];
  readonly text: string;
}

/** A remedy ordered now. It stays in the world until its outcome or its deadline. */
export interface Action {
  readonly id: ActionId;
  readonly order: Order;
  readonly because: Because;
  readonly at: Ms;
  readonly deadlineAt: Ms;
}

/** `verified`: the effect was seen. A timeout is `unknown`, and `unknown` enables nothing. */
export interface Outcome {
  readonly result: 'verified' | 'refuted' | 'unknown';
  /** What was seen, in one sentence. */
  readonly evidence: string;
  /** What an undo needs to know (the values before), as the effect wrote it down. */
  readonly before?: Readonly<Record<string, string>>;
}

/** An action that has come to its end in this step. */
export interface Ended {
  readonly action: Action;
  readonly outcome: Outcome;
}

/** Starts, stops, remedies and fences are held back under a lease; sight and alarms are not. */
export interface Maintenance {
  readonly owner: string;
  readonly reason: string;
  readonly startedAt: Ms;
  readonly endsAt: Ms;
  /** Glob of services, components or groups; `*` is the node. */
  readonly scope: string;
}

/** One thing a step decided. The journal is a list of these and of the inputs that led to them. */
export type Decision =
  | {
      readonly kind: 'alarm';
      readonly alarm: Alarm;
      readonly from: AlarmState | 'none';
      readonly because: Because;
    }
  | { readonly kind: 'action'; readonly action: Action }
  | {
      readonly kind: 'refusal';
      readonly order: Order;
      readonly guard: Guard;
      readonly because: Because;
    }
  | { readonly kind: 'outcome'; readonly action: ActionId; readonly outcome: Outcome }
  | {
      readonly kind: 'service';
      readonly service: ServiceId;
      readonly from: ServiceState;
      readonly to: ServiceState;
      readonly because: Because;
    }
  | {
      readonly kind: 'maintenance';
      readonly lease: Maintenance;
      readonly change: 'begun' | 'ended';
      /** Who ended it; left out when its time ran out. */
      readonly by?: string;
    };

/** What an operator may tell the core. `by` is who, as far as the socket can tell. */
export type OperatorWord =
  | { readonly kind: 'clear'; readonly service: ServiceId; readonly by: string }
  | {
      readonly kind: 'want';
      readonly service: ServiceId;
      readonly wanted: 'running' | 'stopped';
      readonly by: string;
    }
  | { readonly kind: 'restart'; readonly service: ServiceId; readonly by: string }
  | {
      readonly kind: 'maintain';
      readonly lease: Omit<Maintenance, 'startedAt' | 'endsAt'>;
      readonly forMs: number;
    }
  | { readonly kind: 'end-maintenance'; readonly scope: string; readonly by: string };
