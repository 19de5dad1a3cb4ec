/**
 * Alarms, services and leases of maintenance in words, in the order in which someone who was woken needs
 * them: what is urgent and not explained first, what only may become an alarm last.
 */
import type { Picture } from '../../rules/model.ts';
import { durationText, timeText } from './words.ts';

type Alarm = Picture['alarms'][number];
type Service = Picture['services'][number];
type Lease = Picture['maintenance'][number];

export interface AlarmLine {
  readonly id: string;
  readonly rule: string;
  readonly subject: string;
  readonly severity: Alarm['severity'];
  readonly state: Alarm['state'];
  readonly summary: string;
  readonly held: string;
  /** What is being done about it, and what is odd about it: `explained by ...`, `held back: maintenance`. */
  readonly notes: readonly string[];
}

export interface ServiceLine {
  readonly id: string;
  readonly name: string;
  readonly state: Service['state'];
  readonly why: string;
  readonly held: string;
  readonly latched: boolean;
}

export interface LeaseLine {
  readonly scope: string;
  readonly text: string;
}

const URGENCY: Readonly<Record<Alarm['severity'], number>> = { critical: 0, warning: 1, info: 2 };

function rungText(rung: Alarm['rung']): string {
  switch (rung.kind) {
    case 'acting':
      return 'a remedy is under way';
    case 'settling':
      return 'waits to see what the remedy did';
    case 'refused':
      return `remedy held back: ${rung.guard}`;
    case 'before':
    case 'exhausted':
      return '';
  }
}

function alarmLine(alarm: Alarm, at: number): AlarmLine {
  const notes = [
    alarm.state === 'pending' ? 'not for long enough yet' : '',
    alarm.state === 'clearing' ? 'over, and watched' : '',
    alarm.holds === 'unknown' ? 'not known whether it still holds' : '',
    alarm.mutedBy === undefined ? '' : `explained by ${alarm.mutedBy}`,
    alarm.shadow ? 'shadow: nothing is done' : '',
    rungText(alarm.rung),
  ];
  return {
    id: alarm.id,
    rule: alarm.rule,
    subject: alarm.subject,
    severity: alarm.severity,
    state: alarm.state,
    summary: alarm.summary,
    held: `for ${durationText(at - (alarm.raisedAt ?? alarm.since))}`,
    notes: notes.filter((note) => note !== ''),
  };
}

/** Pending and explained alarms last, then by urgency, then the newest first. */
function rank(alarm: Alarm): number {
  const soft =
    alarm.state === 'pending' ? 20 : alarm.mutedBy !== undefined || alarm.shadow ? 10 : 0;
  return soft + URGENCY[alarm.severity];
}

export function alarmLinesOf(picture: Picture): readonly AlarmLine[] {
  return picture.alarms
    .toSorted((a, b) => rank(a) - rank(b) || b.since - a.since || (a.id < b.id ? -1 : 1))
    .map((alarm) => alarmLine(alarm, picture.at));
}

function trouble({ state, latch }: Service): number {
  if (latch !== undefined || state === 'latched') return 0;
  if (state === 'failed' || state === 'unknown') return 1;
  return state === 'running' || state === 'stopped' ? 3 : 2;
}

export function serviceLinesOf(picture: Picture): readonly ServiceLine[] {
  return picture.services
    .toSorted((a, b) => trouble(a) - trouble(b) || (a.spec.name < b.spec.name ? -1 : 1))
    .map(({ spec, state, why, since, latch }) => ({
      id: spec.id,
      name: spec.name,
      state,
      why: latch === undefined ? why : `${latch.why}: ${latch.evidence}`,
      held: `for ${durationText(picture.at - since)}`,
      latched: latch !== undefined,
    }));
}

export function leaseLinesOf(picture: Picture, wallOffsetMs: number): readonly LeaseLine[] {
  return picture.maintenance.map((lease: Lease) => ({
    scope: lease.scope,
    text: `${lease.scope === '*' ? 'the whole node' : lease.scope}, by ${lease.owner} until ${timeText(lease.endsAt + wallOffsetMs)}: ${lease.reason}`,
  }));
}
