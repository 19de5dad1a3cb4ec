/**
 * What every driver of services must do, whatever it drives. A driver starts, stops and looks; it has no
 * policy. It tells the whole truth of its service each time, and says `unknown` for what it cannot see.
 */
import type { Outcome } from '../../rules/decision.ts';
import type { MonitorSpec, ServiceSeen, ServiceSpec } from '../../rules/service.ts';

export type Move = 'start' | 'stop' | 'kill';

export interface Driver {
  /**
   * Does it, and says what came of it by what was seen. It never rejects, and answers by the deadline
   * (a stop: that of the kill included). What is seen afterwards is told before the outcome.
   */
  readonly perform: (move: Move, deadlineMs: number) => Promise<Outcome>;
  /** Looks now. No answer within the deadline is the driver's to judge: hanging, or unknown. */
  readonly look: (depth: MonitorSpec['depth'], deadlineMs: number) => Promise<ServiceSeen>;
  /** Lets go of the service; it goes on as it is. */
  readonly close: () => Promise<void>;
}

/** `onSeen` is called whenever something changes, at once, without being asked. */
export type OpenDriver = (spec: ServiceSpec, onSeen: (seen: ServiceSeen) => void) => Driver;

export function verified(evidence: string): Outcome {
  return { result: 'verified', evidence };
}

export function refuted(evidence: string): Outcome {
  return { result: 'refuted', evidence };
}

export function unsure(evidence: string): Outcome {
  return { result: 'unknown', evidence };
}

/** What a promise gives, or `otherwise` once the deadline has passed. */
export function withinMs<T>(
  promise: Promise<T>,
  deadlineMs: number,
  otherwise: () => T,
): Promise<T> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(otherwise()), deadlineMs);
    const end = (value: T): void => {
      clearTimeout(timer);
      resolve(value);
    };
    promise.then(end, () => end(otherwise()));
  });
}
