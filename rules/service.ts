/**
 * The nouns of services: what an operator wants started, stopped and watched, what a driver saw of it,
 * and the state the core keeps. The policy (when to start again, when to stop trying) is decided elsewhere
 * in this folder; how a thing is started is the drivers' (`agent/services`).
 */
import type { ActionId } from './decision.ts';
import type { ComponentId, Ms } from './model.ts';

/** `service/NAME`: a service is also a component, so groups, needs and rules may name it. */
export type ServiceId = ComponentId;

export type DriverSpec =
  | { readonly kind: 'systemd'; readonly unit: string }
  | {
      readonly kind: 'ocf';
      /** `ocf:heartbeat:Filesystem` as Pacemaker writes it. */
      readonly agent: string;
      readonly parameters: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'process';
      readonly argv: readonly string[];
      readonly environment: Readonly<Record<string, string>>;
      readonly directory: string;
      readonly user?: string;
      readonly stopSignal: string;
      /** A program for the deep look: status 0 in time is well, no answer in time is hanging. */
      readonly check?: readonly string[];
    };

/** How often it is looked at, and how hard. A deep look may cost; a shallow one must not. */
export interface MonitorSpec {
  readonly depth: 'shallow' | 'deep';
  readonly everyMs: number;
  /** A look that has not answered by then found a hanging service. */
  readonly deadlineMs: number;
}

export interface RestartSpec {
  /** Restarts allowed in the sliding window; the next failure latches. */
  readonly count: number;
  readonly withinMs: number;
  /** Wait before the first, second, ... restart; the last repeats. */
  readonly delaysMs: readonly number[];
  /** Running so long after a start is a success. */
  readonly settleMs: number;
}

/** The same fingerprint so often, each within so long of its start: the data is toxic, not the process. */
export interface ToxicSpec {
  readonly count: number;
  readonly withinMs: number;
}

export interface ServiceSpec {
  readonly id: ServiceId;
  readonly name: string;
  readonly driver: DriverSpec;
  /** Services that must run before it starts, and stop after it. */
  readonly after: readonly ServiceId[];
  readonly startDeadlineMs: number;
  readonly stopDeadlineMs: number;
  readonly monitors: readonly MonitorSpec[];
  readonly restart: RestartSpec;
  readonly toxic: ToxicSpec;
  /** `observed`: seen and alarmed, never started nor stopped. */
  readonly wanted: 'running' | 'stopped' | 'observed';
}

/** How a run ended. `run` names the run, so that the same end seen twice counts once. */
export interface Exit {
  readonly run: string;
  readonly how: 'status' | 'signal' | 'unknown';
  /** Exit status or signal number; OCF return code. */
  readonly value: number;
  readonly afterStartMs: number;
  /** Last line the service wrote to stderr (or the driver's reason), cut. */
  readonly lastLine: string;
}

/** What a driver saw, whole, each time: level, not edge. */
export type ServiceSeen =
  | { readonly kind: 'running'; readonly run: string; readonly pid?: number; readonly why?: string }
  | { readonly kind: 'starting' | 'stopping'; readonly run: string }
  | { readonly kind: 'stopped'; readonly exit?: Exit }
  | {
      readonly kind: 'failed';
      readonly why: string;
      readonly exit?: Exit;
      /** Something of it may be left: it is stopped before it is started again. */
      readonly remains?: true;
      /** Starting it here again cannot help (OCF 2-6: not installed, not permitted, not configured). */
      readonly lasting?: true;
    }
  /** It runs but does not answer. */
  | { readonly kind: 'hanging'; readonly run: string; readonly why: string }
  | { readonly kind: 'unknown'; readonly why: string };

export const SERVICE_STATES = [
  'unknown',
  'stopped',
  'starting',
  'running',
  'stopping',
  /** Waits for its delay, or for a service it comes after. */
  'waiting',
  'failed',
  /** Given up: only an operator's `clear` starts it again. */
  'latched',
] as const;
export type ServiceState = (typeof SERVICE_STATES)[number];

/** Signal or status, time since start in coarse steps, last line: equal when the same thing went wrong. */
export type Fingerprint = string & { readonly of: 'fingerprint' };

/** One end of a run, kept as evidence. */
export interface End {
  readonly at: Ms;
  readonly exit: Exit;
  readonly fingerprint: Fingerprint;
}

export interface Latch {
  readonly at: Ms;
  readonly why: string;
  readonly evidence: string;
}

/** Who wants it started anew, and the action of a ladder that waits for it. */
export interface RestartWish {
  readonly by: 'operator' | 'rule';
  readonly action?: ActionId;
}

export interface Service {
  readonly spec: ServiceSpec;
  /** What the operator last said, else what the configuration says. */
  readonly wanted: ServiceSpec['wanted'];
  readonly state: ServiceState;
  readonly why: string;
  readonly since: Ms;
  readonly seen: ServiceSeen;
  readonly seenAt: Ms | undefined;
  /** Starts after a failure, inside the window, oldest first. */
  readonly restarts: readonly Ms[];
  /** Never goes back. */
  readonly restartsTotal: number;
  /** Starts after a failure since it last settled: chooses the delay. */
  readonly attempt: number;
  /** Ends inside the window, oldest first: the evidence for toxic data. */
  readonly ends: readonly End[];
  readonly lastExit: Exit | undefined;
  /** When it was first seen running in the present run. */
  readonly runningSince: Ms | undefined;
  /** When the next start is due, while waiting. */
  readonly dueAt: Ms | undefined;
  /** Its start, stop or kill without outcome yet. */
  readonly acting: ActionId | undefined;
  /** The start whose run is not yet accounted for: if nothing of it is seen, that counts as an end. */
  readonly started: ActionId | undefined;
  /** A restart that was asked for, until the start it leads to has its outcome. */
  readonly wish: RestartWish | undefined;
  /** An operator asked for the next move: maintenance does not hold it. */
  readonly asked: boolean;
  readonly latch: Latch | undefined;
}

/** What is kept of a service on disk, so that an agent that starts anew does not try anew. */
export interface RememberedService {
  readonly id: ServiceId;
  readonly word: 'running' | 'stopped' | undefined;
  readonly latch: Latch | undefined;
  readonly restarts: readonly Ms[];
  readonly restartsTotal: number;
  readonly attempt: number;
  readonly dueAt: Ms | undefined;
  readonly ends: readonly End[];
  readonly lastExit: Exit | undefined;
}
