/**
 * Series of alarms: each one that stands, and how many there are by severity. The counts are always there,
 * so that "no alarms" can be told from "no agent"; a single alarm has series only while it stands.
 */
import type { Picture } from '../../rules/model.ts';
import { type Family, type Lines, one, stateSet } from './lines.ts';
import { labelText, sample } from './text.ts';

type Alarm = Picture['alarms'][number];

const STATES = ['pending', 'raised', 'clearing'] as const;
const SEVERITIES = ['info', 'warning', 'critical'] as const;

function gauge(metric: string, help: string): Family {
  return { metric, type: 'gauge', help };
}

const ALARM = gauge('nospof_alarm', 'State of an alarm: one of its series is 1.');
const MUTED = gauge('nospof_alarm_muted', '1 while another alarm explains this one.');
const KNOWN = gauge('nospof_alarm_known', '0 while it cannot be said whether the condition holds.');
const RAISED = gauge(
  'nospof_alarm_raised_timestamp_seconds',
  'When an alarm was raised, in Unix time.',
);
const COUNT = gauge('nospof_alarms', 'Alarms that are raised and not explained by others.');
const MAINTENANCE = gauge(
  'nospof_maintenance_ends_timestamp_seconds',
  'When a lease of maintenance ends, in Unix time.',
);

export function alarmLines(alarm: Alarm, wallOffsetMs: number): readonly Lines[] {
  const { rule, subject, severity, state, mutedBy, holds, raisedAt } = alarm;
  const labels = labelText({ rule, subject, severity });
  const lines = [
    stateSet(ALARM, labels, 'state', STATES, state),
    one(MUTED, labels, mutedBy === undefined ? 0 : 1),
    one(KNOWN, labels, holds === 'unknown' ? 0 : 1),
  ];
  if (raisedAt !== undefined) lines.push(one(RAISED, labels, (raisedAt + wallOffsetMs) / 1000));
  return lines;
}

function counts(alarm: Alarm): boolean {
  return alarm.state !== 'pending' && alarm.mutedBy === undefined && !alarm.shadow;
}

/** Counts by severity, zeros included. */
export function alarmCountLines(alarms: readonly Alarm[]): readonly Lines[] {
  const text = SEVERITIES.map((severity) => {
    const count = alarms.filter((alarm) => alarm.severity === severity && counts(alarm)).length;
    return sample(COUNT.metric, labelText({ severity }), count);
  });
  return [{ family: COUNT, text: text.join(''), series: SEVERITIES.length }];
}

export function maintenanceLines(
  leases: Picture['maintenance'],
  wallOffsetMs: number,
): readonly Lines[] {
  if (leases.length === 0) return [];
  const text = leases.map(({ scope, owner, endsAt }) =>
    sample(MAINTENANCE.metric, labelText({ scope, owner }), (endsAt + wallOffsetMs) / 1000),
  );
  return [{ family: MAINTENANCE, text: text.join(''), series: leases.length }];
}
