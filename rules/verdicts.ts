/**
 * What a step came to, as far as anyone will ask later: healths, margins and sights that changed, and the
 * decisions. It is written down beside the inputs, so that a fault can be explained without stepping
 * through what led to it, and compared when the inputs are stepped through again.
 */
import type { Decision } from './decision.ts';
import type { Component, Group, Health, Margin, Sight, Standing } from './model.ts';
import type { World } from './world.ts';

/** `none` stands for a thing that was not, or is no longer, in the world. */
export type HealthChange = readonly [
  id: string,
  from: Health | 'none',
  to: Health | 'none',
  why: string,
];
export type GroupChange = readonly [
  id: string,
  from: Standing | 'none',
  to: Standing | 'none',
  low: number,
  high: number,
  limitedBy: string,
];
export type SightChange = readonly [
  id: string,
  from: Sight['state'] | 'none',
  to: Sight['state'] | 'none',
  why: string,
];

export interface Verdicts {
  readonly h?: readonly HealthChange[];
  readonly g?: readonly GroupChange[];
  readonly s?: readonly SightChange[];
  readonly d?: readonly Decision[];
}

/** Pairs of what was and is, where they are not the same object; by place while the places stand. */
function* changed<T extends { readonly id: string }>(
  before: readonly T[],
  after: readonly T[],
): Generator<readonly [T | undefined, T | undefined]> {
  if (before === after) return;
  const aligned =
    before.length === after.length && after.every((one, place) => one.id === before[place]?.id);
  if (aligned) {
    for (const [place, one] of after.entries()) {
      if (one !== before[place]) yield [before[place], one];
    }
    return;
  }
  const rest = new Map(before.map((one) => [one.id, one]));
  for (const one of after) {
    const was = rest.get(one.id);
    rest.delete(one.id);
    if (was !== one) yield [was, one];
  }
  for (const one of rest.values()) yield [one, undefined];
}

function healthChanges(before: World, after: World): readonly HealthChange[] {
  const changes: HealthChange[] = [];
  for (const [was, is] of changed<Component>(before.components, after.components)) {
    const id = is?.id ?? was?.id ?? '';
    if (was?.health === is?.health) continue;
    // What is found healthy at the start is no news.
    if (was === undefined && is?.health === 'ok') continue;
    changes.push([id, was?.health ?? 'none', is?.health ?? 'none', is?.why ?? 'no longer known']);
  }
  return changes;
}

function sameMargin(a: Margin | undefined, b: Margin | undefined): boolean {
  return a?.low === b?.low && a?.high === b?.high && a?.limitedBy === b?.limitedBy;
}

function groupChanges(before: World, after: World): readonly GroupChange[] {
  const changes: GroupChange[] = [];
  for (const [was, is] of changed<Group>(before.groups, after.groups)) {
    if (was?.standing === is?.standing && sameMargin(was?.margin, is?.margin)) continue;
    const { low, high, limitedBy } = is?.margin ?? { low: 0, high: 0 };
    const id = is?.id ?? was?.id ?? '';
    changes.push([id, was?.standing ?? 'none', is?.standing ?? 'none', low, high, limitedBy ?? '']);
  }
  return changes;
}

function sightChanges(before: World, after: World): readonly SightChange[] {
  const changes: SightChange[] = [];
  for (const [was, is] of changed<Sight>(before.sights, after.sights)) {
    if (was?.state === is?.state) continue;
    changes.push([
      is?.id ?? was?.id ?? '',
      was?.state ?? 'none',
      is?.state ?? 'none',
      is?.why ?? '',
    ]);
  }
  return changes;
}

/** Undefined when nothing came of the step. */
export function verdictsOf(before: World, after: World): Verdicts | undefined {
  const h = healthChanges(before, after);
  const g = groupChanges(before, after);
  const s = sightChanges(before, after);
  const d = after.decisions;
  if (h.length + g.length + s.length + d.length === 0) return undefined;
  return {
    ...(h.length > 0 ? { h } : {}),
    ...(g.length > 0 ? { g } : {}),
    ...(s.length > 0 ? { s } : {}),
    ...(d.length > 0 ? { d } : {}),
  };
}
