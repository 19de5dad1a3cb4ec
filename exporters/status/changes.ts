/**
 * What changed between two pictures that an operator would want in a log: health, standing and sight,
 * each in one line `level message key="value"`. The first picture is compared with an empty machine, so
 * that everything that is not well is said once at the start, and nothing that is.
 */
import type { Component, Group, Picture, Sight, Vitals } from '../../rules/model.ts';
import { cannotSee, headlineText } from './headline.ts';
import { type ComponentIndex, marginText, shareText } from './margin.ts';
import { logValue } from './plain.ts';
import { lonersOf } from './view.ts';
import { timeText } from './words.ts';

export interface Change {
  readonly level: 'error' | 'warning' | 'info';
  readonly message: string;
  readonly values: Readonly<Record<string, string>>;
}

function byId<T extends { readonly id: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.id, item]));
}

function healthLevel(component: Component): Change['level'] {
  if (component.health === 'ok' || component.unproven) return 'info';
  return component.health === 'failed' || component.health === 'absent' ? 'error' : 'warning';
}

function healthChange(now: Component, before: Component | undefined): Change | undefined {
  const health = before?.health ?? (now.unproven ? now.health : 'ok');
  if (health === now.health) return undefined;
  return {
    level: healthLevel(now),
    message: 'health',
    values: {
      component: now.id,
      name: now.name,
      was: before?.health ?? 'new',
      is: now.health,
      why: now.why,
    },
  };
}

function standingChange(
  now: Group,
  before: Group | undefined,
  index: ComponentIndex,
): Change | undefined {
  if ((before?.standing ?? 'redundant') === now.standing) return undefined;
  const levels = {
    lost: 'error',
    exposed: 'warning',
    unknown: 'warning',
    redundant: 'info',
  } as const;
  const share = shareText(now, index);
  return {
    level: levels[now.standing],
    message: 'standing',
    values: {
      group: now.id,
      name: now.name,
      was: before?.standing ?? 'new',
      is: now.standing,
      margin: share === '' ? marginText(now, index) : `${marginText(now, index)}, ${share}`,
    },
  };
}

function sightChange(now: Sight, before: Sight | undefined): Change | undefined {
  const known = before !== undefined && before.state !== 'waiting';
  if (known ? before.state === now.state : !cannotSee(now)) return undefined;
  return {
    level: cannotSee(now) ? 'warning' : 'info',
    message: 'sight',
    values: { source: now.id, was: before?.state ?? 'new', is: now.state, why: now.why },
  };
}

/** True when every item is the one before it in the same place, or says the same. */
function alike<T extends { readonly id: string }>(
  before: readonly T[],
  now: readonly T[],
  same: (one: T, other: T) => boolean,
): boolean {
  if (before === now) return true;
  if (before.length !== now.length) return false;
  return now.every((item, place) => {
    const old = before[place];
    return old === item || (old !== undefined && old.id === item.id && same(old, item));
  });
}

/** Nothing that a line or the headline is made of differs; most pictures bring numbers alone. */
function isQuiet(before: Picture, now: Picture): boolean {
  return (
    alike(
      before.components,
      now.components,
      (a, b) => a.health === b.health && a.unproven === b.unproven && a.ignored === b.ignored,
    ) &&
    alike(
      before.groups,
      now.groups,
      (a, b) =>
        a.standing === b.standing &&
        a.degraded === b.degraded &&
        a.margin.low === b.margin.low &&
        a.members === b.members,
    ) &&
    alike(before.sights, now.sights, (a, b) => a.state === b.state)
  );
}

/** All changes from one picture to the next, groups first: what is lost matters before what failed. */
export function changesOf(before: Picture | undefined, now: Picture): readonly Change[] {
  if (before !== undefined && isQuiet(before, now)) return [];
  const index: ComponentIndex = new Map(now.components.map((item) => [item.id, item]));
  const components = byId(before?.components ?? []);
  const groups = byId(before?.groups ?? []);
  const sights = byId(before?.sights ?? []);
  const changes: (Change | undefined)[] = [
    ...now.groups.map((group) => standingChange(group, groups.get(group.id), index)),
    ...now.components.map((item) => healthChange(item, components.get(item.id))),
    ...now.sights.map((sight) => sightChange(sight, sights.get(sight.id))),
  ];
  const headline = headlineText(now, lonersOf(now));
  if (before === undefined || headlineText(before, lonersOf(before)) !== headline) {
    changes.unshift({ level: 'info', message: 'headline', values: { says: headline } });
  }
  return changes.filter((change) => change !== undefined);
}

/** One log line without its newline: `2026-11-23T00:40:12Z warning standing group=psus/bmc is=exposed`. */
export function logLine(change: Change, unixMs: number): string {
  const values = Object.entries(change.values)
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key}=${logValue(value)}`);
  return [timeText(unixMs), change.level, change.message, ...values].join(' ');
}

/** Unix milliseconds of a picture, for labels. */
export function unixMsOf(picture: Picture, vitals: Vitals): number {
  return picture.at + vitals.wallOffsetMs;
}
