/**
 * How useful each hierarchy would be on this node (paper 3.5): an expression over what is known of the whole
 * node. What it cannot tell is not known, and that neither attracts nor repels. It is evaluated anew only
 * when something it could look at has changed; what follows from it is the cluster's.
 */
import { type Compiled, compile } from './cel.ts';
import type { Scope } from './cel-eval.ts';
import { INCOMPLETE, type Value } from './cel-values.ts';
import type { ClusterInput, HierarchyId } from './cluster/model.ts';
import type { Judgement, UtilityConfig } from './config.ts';
import type { Component, Group, Ms } from './model.ts';
import type { Service } from './service.ts';
import { type Surroundings, scopeOf, type Thing } from './views.ts';

export interface Utility {
  readonly hierarchy: HierarchyId;
  /** Undefined: not known. */
  readonly value: number | undefined;
  /** What it went by, in words. */
  readonly why: string;
}

export interface UtilityProblem {
  readonly hierarchy: HierarchyId;
  readonly message: string;
  readonly mend: string;
  readonly start: number;
  readonly end: number;
}

const READY = new WeakMap<UtilityConfig, Compiled | undefined>();

function ready(config: UtilityConfig): Compiled | undefined {
  if (READY.has(config)) return READY.get(config);
  const result = compile(config.text, 'utility', 'number');
  const compiled = result.ok ? result.compiled : undefined;
  READY.set(config, compiled);
  return compiled;
}

/** What is wrong with the expressions of a configuration, each with its place. */
export function utilityProblems({
  utilities,
}: Pick<Judgement, 'utilities'>): readonly UtilityProblem[] {
  return utilities.flatMap(({ hierarchy, text }) => {
    const result = compile(text, 'utility', 'number');
    return result.ok ? [] : [{ hierarchy, ...result.problem }];
  });
}

/** What utilities can look at. */
export interface NodeSight {
  readonly components: readonly Component[];
  readonly groups: readonly Group[];
  readonly services: readonly Service[];
}

function thingOf(sight: NodeSight, map: string, id: string): Thing | undefined {
  if (map === 'component') {
    const thing = sight.components.find((one) => one.id === id);
    return thing === undefined ? undefined : { kind: 'component', thing };
  }
  if (map === 'group') {
    const thing = sight.groups.find((one) => one.id === id);
    return thing === undefined ? undefined : { kind: 'group', thing };
  }
  const thing = sight.services.find(({ spec }) => spec.id === id);
  return thing === undefined ? undefined : { kind: 'service', thing };
}

/** The things an expression names, and no others; what is not there is not known. */
function scopeFor({ items }: Compiled, sight: NodeSight, around: Surroundings): Scope {
  const maps: Record<string, Record<string, Value>> = { component: {}, group: {}, service: {} };
  for (const [map, id] of items) {
    const thing = thingOf(sight, map, id);
    const value = thing === undefined ? undefined : scopeOf(thing, around)[map];
    const bag = maps[map];
    if (value !== undefined && bag !== undefined) bag[id] = value;
  }
  const bags = Object.entries(maps).map(([map, bag]) => [map, { ...bag, [INCOMPLETE]: true }]);
  return Object.fromEntries(bags) as Scope;
}

function numberOf(value: Value | undefined): number | undefined {
  if (typeof value === 'boolean') return value ? 1 : 0;
  // Less than useless is useless.
  return typeof value === 'number' ? Math.max(0, value) : undefined;
}

function stateOf(sight: NodeSight, map: string, id: string): string {
  const thing = thingOf(sight, map, id);
  if (thing === undefined) return `${id} is not known`;
  switch (thing.kind) {
    case 'component':
      return `${id} is ${thing.thing.health}`;
    case 'group':
      return `${id} is ${thing.thing.standing}`;
    case 'service':
      return `${id} is ${thing.thing.state}`;
    default:
      return id;
  }
}

function utilityOf(config: UtilityConfig, sight: NodeSight, around: Surroundings): Utility {
  const { hierarchy } = config;
  const compiled = ready(config);
  if (compiled === undefined) return { hierarchy, value: undefined, why: 'it does not compile' };
  const value = numberOf(compiled.run(scopeFor(compiled, sight, around)));
  const why = compiled.items.map(([map, id]) => stateOf(sight, map, id)).join(', ');
  return { hierarchy, value, why: why === '' ? compiled.text : why };
}

/** Utilities of now; an unchanged one is the same object, and so is an unchanged list. */
export function utilitiesOf(
  configs: readonly UtilityConfig[],
  sight: NodeSight,
  around: Surroundings,
  was: readonly Utility[],
): readonly Utility[] {
  const known = new Map(was.map((one) => [one.hierarchy, one]));
  const now = configs.map((config) => {
    const is = utilityOf(config, sight, around);
    const before = known.get(is.hierarchy);
    return before !== undefined && before.value === is.value && before.why === is.why ? before : is;
  });
  const same = now.length === was.length && now.every((one, at) => one === was[at]);
  return same ? was : now;
}

/** What the cluster's core is told after a step in which utilities changed. */
export function utilityInputs(
  before: readonly Utility[],
  after: readonly Utility[],
  at: Ms,
): readonly ClusterInput[] {
  if (before === after) return [];
  return after
    .filter((one) => !before.includes(one))
    .map(({ hierarchy, value, why }) => ({ kind: 'utility', at, hierarchy, value, why }));
}
