/**
 * Which series each thing of the picture has, as lines by family. It decides names and labels and
 * nothing else. Identities are the stable ones of the picture; a state is a set of series of which
 * one is 1, never a label of an info series, so that a change of state makes no new series.
 */
import {
  type Advice,
  type Component,
  type Group,
  HEALTHS,
  type Picture,
  SERVICE_STATES,
  type Sight,
  STANDINGS,
} from '../../rules/model.ts';
import { type FamilyType, isMetricWord, labelText, metricWord, sample } from './text.ts';

export interface Family {
  readonly metric: string;
  readonly type: FamilyType;
  readonly help: string;
}

/** Lines of one thing in one family. */
export interface Lines {
  readonly family: Family;
  readonly text: string;
  readonly series: number;
}

/** Facts beyond this are left out of the info series. */
export const FACTS_MAX = 16;

const SIGHTS = ['waiting', 'seen', 'none', 'blind', 'stale'] as const;
const RESERVED: ReadonlySet<string> = new Set(['component', 'kind', 'name']);

function gauge(metric: string, help: string): Family {
  return { metric, type: 'gauge', help };
}

const COMPONENT_HEALTH = gauge(
  'nospof_component_health',
  'Health of a component: one of its series is 1.',
);
const COMPONENT_INFO: Family = {
  metric: 'nospof_component_info',
  type: 'info',
  help: 'What a component is: its name for people, and what it says of itself.',
};
const COMPONENT_COUNTED = gauge(
  'nospof_component_counted',
  '1 if a component counts as a member; 0 if it is unproven or ignored.',
);
const GROUP_MARGIN = gauge(
  'nospof_group_margin',
  'Healthy members less needed ones, over the worst loss of one shared dependency: how many more may fail.',
);
const GROUP_STANDING = gauge(
  'nospof_group_standing',
  'The margin in a word: one of its series is 1.',
);
const GROUP_NEEDED = gauge('nospof_group_needed', 'Members that must work.');
const GROUP_MEMBERS = gauge('nospof_group_members', 'Members, absent ones included.');
const GROUP_HEALTHY = gauge('nospof_group_healthy', 'Members that are certainly healthy.');
const GROUP_DEGRADED = gauge('nospof_group_degraded', '1 while a less preferred member serves.');
const GROUP_LIMITED = gauge(
  'nospof_group_limited_by',
  'The shared dependency that limits the margin.',
);
const GROUP_INFO: Family = {
  metric: 'nospof_group_info',
  type: 'info',
  help: 'What a group is, and where its need comes from.',
};
const COLLECTOR_STATE = gauge(
  'nospof_collector_state',
  'Sight of a source: one of its series is 1.',
);
const COLLECTOR_UP = gauge('nospof_collector_up', '1 if the last read of a source succeeded.');
const COLLECTOR_BLIND = gauge(
  'nospof_collector_blind',
  '1 if a source could not be read or is stale.',
);
const COLLECTOR_DURATION = gauge(
  'nospof_collector_duration_seconds',
  'How long the last read took.',
);
const COLLECTOR_FAILURES = gauge('nospof_collector_consecutive_failures', 'Failed reads in a row.');
const COLLECTOR_READINGS = gauge('nospof_collector_readings', 'Components in the last read.');
const COLLECTOR_SUCCESS = gauge(
  'nospof_collector_last_success_timestamp_seconds',
  'When a source was last read well, in Unix time.',
);
const SERVICE_STATE = gauge('nospof_service_state', 'State of a service: one of its series is 1.');
const SERVICE_RESTARTS: Family = {
  metric: 'nospof_service_restarts_total',
  type: 'counter',
  help: 'Starts of a service after a failure.',
};
const SERVICE_EXIT = gauge(
  'nospof_service_last_exit',
  'Exit status or signal number of the last end of a service, by which of the two it was.',
);
const ADVICE = gauge('nospof_advice', 'A weakness of the design that no fault shows.');

/** `labels` is a label text, here and in `one`. */
export function stateSet(
  family: Family,
  labels: string,
  name: string,
  states: readonly string[],
  state: string,
): Lines {
  const lines = states.map((one) =>
    sample(family.metric, `${labels},${name}="${one}"`, one === state ? 1 : 0),
  );
  return { family, text: lines.join(''), series: states.length };
}

export function one(family: Family, labels: string, value: number): Lines {
  return { family, text: sample(family.metric, labels, value), series: 1 };
}

function gaugeFamily(kind: string, key: string): Family {
  const metric = `nospof_${metricWord(kind)}_${key}`;
  const words = key.replaceAll('_', ' ');
  return key.endsWith('_total')
    ? { metric, type: 'counter', help: `Count of ${words.slice(0, -6)} of a ${kind}.` }
    : { metric, type: 'gauge', help: `Value of ${words} of a ${kind}.` };
}

function infoLabels(component: Component): Record<string, string> {
  const labels: Record<string, string> = {
    component: component.id,
    kind: component.kind,
    name: component.name,
  };
  for (const [key, text] of Object.entries(component.facts).slice(0, FACTS_MAX)) {
    const word = metricWord(key);
    labels[RESERVED.has(word) ? `fact_${word}` : word] = text;
  }
  return labels;
}

/** Identity and state of a component, which come before its numbers when series run short. */
export function componentLines(component: Component): readonly Lines[] {
  const { id, kind, health } = component;
  const counted = component.unproven || component.ignored ? 0 : 1;
  const own = labelText({ component: id });
  const labels = `${own},${labelText({ kind })}`;
  const lines = [
    stateSet(COMPONENT_HEALTH, labels, 'health', HEALTHS, health),
    one(COMPONENT_INFO, labelText(infoLabels(component)), 1),
    one(COMPONENT_COUNTED, labels, counted),
  ];
  for (const [key, value] of Object.entries(component.gauges)) {
    if (!isMetricWord(key) || !Number.isFinite(value)) continue;
    lines.push(one(gaugeFamily(kind, key), own, value));
  }
  return lines;
}

export function groupLines(group: Group): readonly Lines[] {
  const { id, kind, margin } = group;
  const labels = labelText({ group: id, kind });
  const bounds =
    sample(GROUP_MARGIN.metric, `${labels},bound="low"`, margin.low) +
    sample(GROUP_MARGIN.metric, `${labels},bound="high"`, margin.high);
  const lines = [
    { family: GROUP_MARGIN, text: bounds, series: 2 },
    stateSet(GROUP_STANDING, labels, 'standing', STANDINGS, group.standing),
    one(GROUP_NEEDED, labels, group.needed),
    one(GROUP_MEMBERS, labels, group.members.length),
    one(GROUP_HEALTHY, labels, group.healthy),
    one(GROUP_DEGRADED, labels, group.degraded ? 1 : 0),
    one(GROUP_INFO, `${labels},${labelText({ name: group.name, basis: group.basis })}`, 1),
  ];
  const { limitedBy } = margin;
  if (limitedBy !== undefined) {
    lines.push(one(GROUP_LIMITED, `${labels},${labelText({ dependency: limitedBy })}`, 1));
  }
  return lines;
}

/** `wallOffsetMs` turns monotonic times into Unix ones. */
export function sightLines(sight: Sight, wallOffsetMs: number): readonly Lines[] {
  const [collector = '', source = ''] = sight.id.split('/');
  const labels = labelText({ collector, source });
  const up = sight.state === 'seen' || sight.state === 'none';
  const lines = [
    stateSet(COLLECTOR_STATE, labels, 'state', SIGHTS, sight.state),
    one(COLLECTOR_UP, labels, up ? 1 : 0),
    one(COLLECTOR_BLIND, labels, sight.state === 'blind' || sight.state === 'stale' ? 1 : 0),
    one(COLLECTOR_DURATION, labels, sight.durationMs / 1000),
    one(COLLECTOR_FAILURES, labels, sight.failures),
    one(COLLECTOR_READINGS, labels, sight.readings),
  ];
  if (sight.seenAt !== undefined) {
    lines.push(one(COLLECTOR_SUCCESS, labels, (sight.seenAt + wallOffsetMs) / 1000));
  }
  return lines;
}

type Service = Picture['services'][number];

export function serviceLines(service: Service): readonly Lines[] {
  const { spec, state, restartsTotal, lastExit } = service;
  const own = labelText({ service: spec.name });
  const lines = [
    stateSet(
      SERVICE_STATE,
      `${own},${labelText({ driver: spec.driver.kind })}`,
      'state',
      SERVICE_STATES,
      state,
    ),
    one(SERVICE_RESTARTS, own, restartsTotal),
  ];
  if (lastExit === undefined) return lines;
  return [
    ...lines,
    one(SERVICE_EXIT, `${own},${labelText({ how: lastExit.how })}`, lastExit.value),
  ];
}

export function adviceLines(advice: Advice): readonly Lines[] {
  return [one(ADVICE, labelText({ code: advice.code, about: advice.about }), 1)];
}
