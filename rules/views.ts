/**
 * What a rule can name: the variables and fields of conditions, their types, and their values for one
 * subject. What is not known is left out, and the evaluator takes what is left out for not known: the
 * health of a component nobody sees is neither `failed` nor anything else.
 */
import type { Scope } from './cel-eval.ts';
import { type Bag, INCOMPLETE, type Value } from './cel-values.ts';
import {
  type Advice,
  type Component,
  type Group,
  HEALTHS,
  type Sight,
  STANDINGS,
} from './model.ts';
import type { Subject } from './rule.ts';
import { SERVICE_STATES, type Service } from './service.ts';

export type TypeName = 'Component' | 'Margin' | 'Group' | 'Source' | 'Service' | 'Node';

/** Fields of each type, with CEL's names of types. */
export const TYPES: Readonly<Record<TypeName, Readonly<Record<string, string>>>> = {
  Component: {
    id: 'string',
    kind: 'string',
    name: 'string',
    health: 'string',
    known: 'bool',
    why: 'string',
    doubt: 'string',
    gauges: 'map<string, double>',
    facts: 'map<string, string>',
    needs: 'list<string>',
    advice: 'list<string>',
  },
  Margin: { low: 'double', high: 'double', limited_by: 'string' },
  Group: {
    id: 'string',
    kind: 'string',
    name: 'string',
    standing: 'string',
    known: 'bool',
    needed: 'double',
    healthy: 'double',
    members: 'list<string>',
    margin: 'Margin',
    basis: 'string',
    degraded: 'bool',
  },
  Source: {
    id: 'string',
    state: 'string',
    why: 'string',
    failures: 'double',
    readings: 'double',
  },
  Service: {
    id: 'string',
    name: 'string',
    state: 'string',
    known: 'bool',
    why: 'string',
    driver: 'string',
    hanging: 'bool',
    latched: 'bool',
    evidence: 'string',
    restarts: 'double',
  },
  Node: { late_seconds: 'double', advice: 'list<string>' },
};

/** Variables of a rule by what it is on. */
export const VARIABLES: Readonly<Record<Subject['kind'], readonly string[]>> = {
  component: ['component', 'node'],
  group: ['group', 'node'],
  source: ['source', 'node'],
  service: ['service', 'node'],
  node: ['node'],
};

/** Utilities look at the whole node: each of these is a map by id, `component["link/eth0"].health`. */
export const UTILITY_VARIABLES: readonly string[] = ['component', 'group', 'service'];

const SIGHTS: readonly string[] = ['waiting', 'seen', 'none', 'blind', 'stale'];

function knownOf(words: readonly string[]): readonly string[] {
  return words.filter((word) => word !== 'unknown');
}

/** States that are compared with words: a mistyped word would never be true and never be missed. */
export const ENUMERATIONS: Readonly<Record<string, readonly string[]>> = {
  'component.health': knownOf(HEALTHS),
  'group.standing': knownOf(STANDINGS),
  'group.basis': ['configured', 'intrinsic', 'assumed'],
  'source.state': SIGHTS,
  'service.state': knownOf(SERVICE_STATES),
  'service.driver': ['systemd', 'ocf', 'process'],
};

/** What holds because something is not known: a rule that goes by it is no certain one. */
export const DOUBTFUL: readonly string[] = [
  'component.known',
  'component.doubt',
  'group.known',
  'group.margin.low',
  'group.healthy',
  'service.known',
];

function present(fields: Readonly<Record<string, Value | undefined>>): Bag {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as Bag;
}

function incomplete<T extends Value>(bag: Readonly<Record<string, T>>): Bag {
  return { ...bag, [INCOMPLETE]: true } as unknown as Bag;
}

function codesAbout(advice: readonly Advice[], about: string): readonly string[] {
  return advice.filter((one) => one.about === about).map((one) => one.code);
}

function componentView(component: Component, advice: readonly Advice[]): Bag {
  const { id, kind, name, health, why, gauges, facts, needs } = component;
  const known = health !== 'unknown';
  return present({
    id,
    kind,
    name,
    health: known ? health : undefined,
    known,
    why: known ? why : undefined,
    doubt: known ? '' : why,
    gauges: known ? gauges : incomplete(gauges),
    facts: known ? facts : incomplete(facts),
    needs,
    advice: codesAbout(advice, id),
  });
}

function groupView(group: Group): Bag {
  const { id, kind, name, standing, needed, healthy, members, margin, basis, degraded } = group;
  const known = standing !== 'unknown';
  return present({
    id,
    kind,
    name,
    standing: known ? standing : undefined,
    known,
    needed,
    healthy,
    members,
    margin: { low: margin.low, high: margin.high, limited_by: margin.limitedBy ?? '' },
    basis,
    degraded,
  });
}

function sourceView({ id, state, why, failures, readings }: Sight): Bag {
  return { id, state, why, failures, readings };
}

function serviceView({ spec, state, why, seen, restarts, latch }: Service): Bag {
  const known = state !== 'unknown';
  const hanging = seen.kind === 'unknown' ? undefined : seen.kind === 'hanging';
  return present({
    id: spec.id,
    name: spec.name,
    state: known ? state : undefined,
    known,
    why,
    driver: spec.driver.kind,
    hanging,
    latched: latch !== undefined,
    evidence: latch?.evidence ?? '',
    restarts: restarts.length,
  });
}

/** What a rule is asked of. */
export type Thing =
  | { readonly kind: 'component'; readonly thing: Component }
  | { readonly kind: 'group'; readonly thing: Group }
  | { readonly kind: 'source'; readonly thing: Sight }
  | { readonly kind: 'service'; readonly thing: Service }
  | { readonly kind: 'node' };

/** What every rule sees beside its subject; made once a step. */
export interface Surroundings {
  readonly node: Bag;
  readonly advice: readonly Advice[];
}

export function surroundingsOf(lateMs: number, advice: readonly Advice[]): Surroundings {
  const codes = [...new Set(advice.map((one) => one.code))];
  return { node: { late_seconds: lateMs / 1000, advice: codes }, advice };
}

/** Values of all names for one subject. */
export function scopeOf(subject: Thing, { node, advice }: Surroundings): Scope {
  switch (subject.kind) {
    case 'component':
      return { component: componentView(subject.thing, advice), node };
    case 'group':
      return { group: groupView(subject.thing), node };
    case 'source':
      return { source: sourceView(subject.thing), node };
    case 'service':
      return { service: serviceView(subject.thing), node };
    case 'node':
      return { node };
  }
}
