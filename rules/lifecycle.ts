/**
 * How one alarm lives: pending while its condition has not held long or often enough, raised, clearing
 * while it has not been false long enough, cleared. Time in which the condition was not known counts
 * neither for nor against it. A function of the alarm, its rule, the verdict and the time alone.
 */
import type { Alarm, AlarmId, SubjectId } from './decision.ts';
import { type Ms, ms } from './model.ts';
import type { Rule } from './rule.ts';

/** What the condition says of the subject now; `undefined` when it cannot be said. */
export interface Verdict {
  readonly holds: boolean | undefined;
  readonly steady: string | undefined;
}

export function alarmId(rule: string, subject: SubjectId): AlarmId {
  return `${rule}@${subject}` as AlarmId;
}

/** An alarm whose condition just became true. */
export function begin(
  rule: Rule,
  subject: SubjectId,
  now: Ms,
  more: { readonly summary: string; readonly steady: string | undefined },
): Alarm {
  return {
    id: alarmId(rule.name, subject),
    rule: rule.name,
    subject,
    severity: rule.severity,
    state: 'pending',
    since: now,
    raisedAt: undefined,
    labels: rule.labels,
    mutedBy: undefined,
    shadow: rule.mode === 'shadow',
    sequence: 1,
    holds: true,
    held: true,
    heldSince: now,
    unknownSince: undefined,
    onsets: [now],
    undo: [],
    rung: { kind: 'before', index: 0 },
    ...more,
  };
}

function recent(rule: Rule, onsets: readonly Ms[], now: Ms): readonly Ms[] {
  const { times } = rule;
  if (times === undefined) return onsets.length > 1 ? onsets.slice(-1) : onsets;
  const start = now - times.withinMs;
  const first = onsets[0];
  const kept = first !== undefined && first <= start ? onsets.filter((at) => at > start) : onsets;
  return kept.length > times.count ? kept.slice(-times.count) : kept;
}

/** The alarm with its clocks moved on. */
function timed(alarm: Alarm, rule: Rule, holds: boolean | undefined, now: Ms): Alarm {
  const onsets = recent(rule, alarm.onsets, now);
  const kept = onsets === alarm.onsets ? alarm : { ...alarm, onsets };
  if (holds === undefined) {
    return alarm.holds === 'unknown' ? kept : { ...kept, holds: 'unknown', unknownSince: now };
  }
  if (holds !== alarm.held) {
    const all = holds ? recent(rule, [...onsets, now], now) : onsets;
    return { ...kept, holds, held: holds, heldSince: now, unknownSince: undefined, onsets: all };
  }
  if (alarm.unknownSince === undefined) return kept;
  const heldSince = ms(alarm.heldSince + now - alarm.unknownSince);
  return { ...kept, holds, heldSince, unknownSince: undefined };
}

function isOften(rule: Rule, alarm: Alarm): boolean {
  return rule.times === undefined || alarm.onsets.length >= rule.times.count;
}

function afterPending(alarm: Alarm, rule: Rule, heldMs: number): Alarm['state'] {
  if (alarm.holds === true) {
    return heldMs >= rule.forMs && isOften(rule, alarm) ? 'raised' : 'pending';
  }
  const mayCount = rule.times !== undefined && alarm.onsets.length > 0;
  return alarm.holds === 'unknown' || mayCount ? 'pending' : 'cleared';
}

function afterRaised(alarm: Alarm, rule: Rule, heldMs: number): Alarm['state'] {
  if (alarm.holds === true) return 'raised';
  // What is not known neither clears an alarm nor starts to.
  if (alarm.holds === 'unknown') return alarm.state;
  return heldMs >= rule.keepForMs ? 'cleared' : 'clearing';
}

function nextState(alarm: Alarm, rule: Rule, now: Ms): Alarm['state'] {
  const heldMs = now - alarm.heldSince;
  switch (alarm.state) {
    case 'pending':
      return afterPending(alarm, rule, heldMs);
    case 'raised':
    case 'clearing':
      return afterRaised(alarm, rule, heldMs);
    case 'cleared':
      return 'cleared';
  }
}

/** The alarm after this verdict: the same object where nothing changed. */
export function move(alarm: Alarm, rule: Rule, holds: boolean | undefined, now: Ms): Alarm {
  const after = timed(alarm, rule, holds, now);
  const state = nextState(after, rule, now);
  if (state === after.state) return after;
  return {
    ...after,
    state,
    since: now,
    sequence: after.sequence + 1,
    raisedAt: state === 'raised' ? (after.raisedAt ?? now) : after.raisedAt,
  };
}

/** When this alarm could change its state by time alone. */
export function dueOf(alarm: Alarm, rule: Rule): Ms | undefined {
  if (alarm.holds === 'unknown') return undefined;
  if (alarm.state === 'clearing') return ms(alarm.heldSince + rule.keepForMs);
  if (alarm.state !== 'pending') return undefined;
  if (alarm.holds) return isOften(rule, alarm) ? ms(alarm.heldSince + rule.forMs) : undefined;
  const [first] = alarm.onsets;
  return first === undefined || rule.times === undefined
    ? undefined
    : ms(first + rule.times.withinMs);
}
