/**
 * Tells people, through every sink there is. Succeeds when one of them took it. A sink is a function, so
 * that traps and pages join without a change here.
 */
import type { Action, Alarm, Outcome } from '../../rules/decision.ts';

export interface Notice {
  readonly action: Action;
  /** As it is now; undefined when it has left the world. */
  readonly alarm: Alarm | undefined;
  /** `over`: what was told before no longer holds. */
  readonly news: 'raised' | 'over';
  readonly text: string;
}

export interface Sink {
  readonly name: string;
  /** Resolves when it was taken; rejects with why not. */
  readonly tell: (notice: Notice) => Promise<void>;
}

export async function notify(sinks: readonly Sink[], notice: Notice): Promise<Outcome> {
  const told = await Promise.allSettled(sinks.map((sink) => sink.tell(notice)));
  const took: string[] = [];
  const failed: string[] = [];
  for (const [index, one] of told.entries()) {
    const name = sinks[index]?.name ?? '';
    if (one.status === 'fulfilled') took.push(name);
    else failed.push(`${name}: ${(one.reason as Error).message}`);
  }
  const rest = failed.length === 0 ? '' : `; not by ${failed.join(', ')}`;
  if (took.length > 0)
    return { result: 'verified', evidence: `taken by ${took.join(', ')}${rest}` };
  return { result: 'refuted', evidence: failed.join(', ') || 'there is nobody to tell' };
}

/** One line for a log: who, how bad, what, and the name to ask `nospof why` with. */
export function noticeLine({ action, alarm, news, text }: Notice): string {
  const { alarm: id } = action.because;
  const about = id === undefined ? `action ${action.id}` : `alarm ${id}`;
  const severity = alarm === undefined ? '' : ` [${alarm.severity}]`;
  return `${about}${severity} ${news}: ${text}`;
}

/** The agent's own log. */
export function logSink(say: (line: string) => void): Sink {
  return { name: 'log', tell: async (notice) => say(noticeLine(notice)) };
}
