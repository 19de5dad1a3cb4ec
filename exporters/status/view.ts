/**
 * What people are shown, as plain data: the picture sorted worst first and put into words. Page, table
 * and log only lay it out, so they cannot disagree. Names stay as they came: each output escapes for
 * its own medium. Nothing is judged here; standing, margin and health are the rules'.
 */
import type {
  Component,
  ComponentId,
  Group,
  Health,
  NeedBasis,
  Picture,
  Sight,
  Standing,
  Vitals,
} from '../../rules/model.ts';
import {
  type AlarmLine,
  alarmLinesOf,
  type LeaseLine,
  leaseLinesOf,
  type ServiceLine,
  serviceLinesOf,
} from './alarms.ts';
import { type Counts, cannotSee, headlineText, standingCounts, whyText } from './headline.ts';
import { type ComponentIndex, countText, marginText, shareText } from './margin.ts';
import { byHealth, bySight, byStanding, detailText, durationText, timeText } from './words.ts';

export interface ComponentLine {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly health: Health;
  readonly why: string;
  /** How long its health has been what it is: `for 3 min`. */
  readonly held: string;
  /** Gauges and facts in words. */
  readonly detail: string;
  readonly unproven: boolean;
}

export interface GroupLine {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly standing: Standing;
  readonly margin: string;
  /** `3 of 4 ok, needs 2 (assumed)`. */
  readonly counts: string;
  readonly needed: number;
  readonly basis: NeedBasis;
  /** `all share card/...`, or empty. */
  readonly limitedBy: string;
  readonly degraded: boolean;
  readonly held: string;
  /** Worst first. */
  readonly members: readonly ComponentLine[];
}

export interface SightLine {
  readonly id: string;
  readonly name: string;
  readonly state: Sight['state'];
  readonly why: string;
  readonly held: string;
  /** When it last saw: `seen 3 min ago`, `never seen`. */
  readonly seen: string;
}

export interface AdviceLine {
  readonly code: string;
  readonly about: string;
  readonly text: string;
}

export interface View {
  readonly node: string;
  readonly version: string;
  /** When the picture was made: `2026-11-23 00:40:12 UTC`. */
  readonly time: string;
  readonly uptime: string;
  readonly wakeMode: Vitals['wakeMode'];
  readonly headline: string;
  /** Why the headline says so little; empty when it does not. */
  readonly why: string;
  /** How long ago its source last spoke, when that is too long: then all of this is old. */
  readonly old: string | undefined;
  readonly counts: Counts;
  /** What is urgent and not explained first. */
  readonly alarms: readonly AlarmLine[];
  /** Those in trouble first. */
  readonly services: readonly ServiceLine[];
  readonly leases: readonly LeaseLine[];
  readonly groups: readonly GroupLine[];
  /** Components in no group that are not ok; unproven ones are apart. */
  readonly troubled: readonly ComponentLine[];
  /** Components in no group, all of them but the unproven. */
  readonly loners: readonly ComponentLine[];
  readonly unproven: readonly ComponentLine[];
  /** Blind and stale sources. */
  readonly blind: readonly SightLine[];
  readonly waiting: readonly SightLine[];
  /** Sources that saw that there is nothing of their sort. */
  readonly none: readonly SightLine[];
  readonly advice: readonly AdviceLine[];
  readonly components: readonly ComponentLine[];
}

function componentLine(component: Component, at: number): ComponentLine {
  return {
    id: component.id,
    kind: component.kind,
    name: component.name,
    health: component.health,
    why: component.why,
    held: `for ${durationText(at - component.since)}`,
    detail: detailText(component),
    unproven: component.unproven,
  };
}

/** A member that no source reports: that is a doubt, and is shown as one. */
function missingLine(id: ComponentId): ComponentLine {
  return {
    id,
    kind: id.split('/', 1)[0] ?? '',
    name: id,
    health: 'unknown',
    why: 'no source reports it',
    held: '',
    detail: '',
    unproven: false,
  };
}

function groupLine(
  group: Group,
  index: ComponentIndex,
  lines: ReadonlyMap<string, ComponentLine>,
  at: number,
): GroupLine {
  return {
    id: group.id,
    kind: group.kind,
    name: group.name,
    standing: group.standing,
    margin: marginText(group, index),
    counts: countText(group),
    needed: group.needed,
    basis: group.basis,
    limitedBy: shareText(group, index),
    degraded: group.degraded,
    held: `for ${durationText(at - group.since)}`,
    members: group.members.map((id) => lines.get(id) ?? missingLine(id)).sort(byHealth),
  };
}

function sightLine(sight: Sight, at: number): SightLine {
  const seen =
    sight.seenAt === undefined ? 'never seen' : `seen ${durationText(at - sight.seenAt)} ago`;
  return {
    id: sight.id,
    name: sight.id,
    state: sight.state,
    why: sight.why,
    held: `for ${durationText(at - sight.since)}`,
    seen,
  };
}

/** The components that are in no group; unproven ones are members of nothing and left out. */
export function lonersOf(picture: Picture): readonly Component[] {
  const members = new Set(picture.groups.flatMap((group) => group.members));
  return picture.components.filter(({ id, unproven }) => !unproven && !members.has(id));
}

/** Two supplies of one type have two groups of one name: the rest of the identity tells them apart. */
function namedApart(groups: readonly GroupLine[]): readonly GroupLine[] {
  const uses = new Map<string, number>();
  for (const { name } of groups) uses.set(name, (uses.get(name) ?? 0) + 1);
  return groups.map((group) =>
    (uses.get(group.name) ?? 0) > 1 && group.name !== ''
      ? { ...group, name: `${group.name} ${group.id.slice(group.id.indexOf('/') + 1)}` }
      : group,
  );
}

/**
 * The picture for people. `oldMs` is how long ago its source last spoke, given only when that is too
 * long: everything shown is then marked as old.
 */
export function viewOf(picture: Picture, vitals: Vitals, oldMs?: number): View {
  const { at } = picture;
  const index: ComponentIndex = new Map(picture.components.map((item) => [item.id, item]));
  const components = picture.components.map((item) => componentLine(item, at)).sort(byHealth);
  const lines = new Map(components.map((line) => [line.id, line]));
  const lonerIds = new Set<string>(lonersOf(picture).map(({ id }) => id));
  const loners = components.filter(({ id }) => lonerIds.has(id));
  const sights = picture.sights.map((sight) => sightLine(sight, at)).sort(bySight);
  const blindIds = new Set<string>(picture.sights.filter(cannotSee).map(({ id }) => id));
  return {
    node: vitals.node,
    version: vitals.version,
    time: timeText(at + vitals.wallOffsetMs)
      .replace('T', ' ')
      .replace('Z', ' UTC'),
    uptime: durationText(at - vitals.startedAt),
    wakeMode: vitals.wakeMode,
    headline: headlineText(picture, lonersOf(picture)),
    why: whyText(picture),
    old: oldMs === undefined ? undefined : durationText(oldMs),
    counts: standingCounts(picture.groups),
    alarms: alarmLinesOf(picture),
    services: serviceLinesOf(picture),
    leases: leaseLinesOf(picture, vitals.wallOffsetMs),
    groups: namedApart(picture.groups.map((group) => groupLine(group, index, lines, at))).toSorted(
      byStanding,
    ),
    troubled: loners.filter(({ health }) => health !== 'ok'),
    loners,
    unproven: components.filter(({ unproven }) => unproven),
    blind: sights.filter(({ id }) => blindIds.has(id)),
    waiting: sights.filter(({ state }) => state === 'waiting'),
    none: sights.filter(({ state }) => state === 'none'),
    advice: picture.advice.map(({ code, about, text }) => ({ code, about, text })),
    components,
  };
}
