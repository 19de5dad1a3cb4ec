/**
 * What changed between the pictures the child has and the newest one. Arrays are compared by reference,
 * place by place, which costs microseconds for a thousand components; the rules share whatever did not
 * change. Nothing is lost by waiting: the union of changed places is kept until it is taken.
 */
import type { Picture, Sample, Sight, Vitals } from '../../rules/model.ts';
import type { ArrayDelta, Feed } from './messages.ts';

/** Changed places of one array since the last take. */
interface Places<T> {
  items: readonly T[];
  readonly changed: Set<number>;
  lengthChanged: boolean;
}

export interface DeltaTracker {
  /** Takes in the newest picture; true when a health, a standing or a sight changed. */
  readonly note: (picture: Picture, vitals: Vitals, samples: readonly Sample[]) => boolean;
  /** Something else changed since the last take than when sources were read and how long that took. */
  readonly isNews: () => boolean;
  /** All changes since the last take; undefined before the first picture. */
  readonly take: () => Feed | undefined;
  /** Forgets what was taken: the next take holds everything (the child is a new one). */
  readonly restart: () => void;
}

function places<T>(): Places<T> {
  return { items: [], changed: new Set(), lengthChanged: false };
}

/** Notes the changed places; true when one of them is urgent. */
function notePlaces<T>(
  old: Places<T>,
  items: readonly T[],
  urgentChange: (before: T, after: T) => boolean,
): boolean {
  if (items === old.items) return false;
  let urgent = items.length !== old.items.length;
  if (urgent) old.lengthChanged = true;
  for (const [index, item] of items.entries()) {
    const before = old.items[index];
    if (before === item) continue;
    old.changed.add(index);
    urgent ||= before === undefined || urgentChange(before, item);
  }
  old.items = items;
  return urgent;
}

function takePlaces<T>(changes: Places<T>): ArrayDelta<T> | undefined {
  if (changes.changed.size === 0 && !changes.lengthChanged) return undefined;
  const at: number[] = [];
  const items: T[] = [];
  for (const index of changes.changed) {
    const item = changes.items[index];
    if (item === undefined) continue;
    at.push(index);
    items.push(item);
  }
  changes.changed.clear();
  changes.lengthChanged = false;
  return { length: changes.items.length, at, items };
}

function hasChanged({ changed, lengthChanged }: Places<unknown>): boolean {
  return lengthChanged || changed.size > 0;
}

function allChanged<T>(changes: Places<T>): void {
  for (const index of changes.items.keys()) changes.changed.add(index);
  changes.lengthChanged = true;
}

/** An array that changes rarely and is sent whole. */
interface Whole<T> {
  items: readonly T[];
  changed: boolean;
}

function noteWhole<T>(old: Whole<T>, items: readonly T[]): boolean {
  if (items !== old.items) old.changed = true;
  old.items = items;
  return old.changed;
}

function takeWhole<T>(whole: Whole<T>): readonly T[] | undefined {
  const taken = whole.changed ? whole.items : undefined;
  whole.changed = false;
  return taken;
}

/** The same without what is undefined: such a key is left out of the message. */
function present<T extends object>(parts: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const kept = Object.entries(parts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]?: NonNullable<T[K]> };
}

/** Read again, with nothing else to tell. */
function saysSame(a: Sight | undefined, b: Sight): boolean {
  return (
    a === b ||
    (a !== undefined &&
      a.state === b.state &&
      a.why === b.why &&
      a.failures === b.failures &&
      a.readings === b.readings)
  );
}

export function openDeltas(samplesMax: number): DeltaTracker {
  const components = places<Picture['components'][number]>();
  const groups = places<Picture['groups'][number]>();
  const sights = places<Picture['sights'][number]>();
  const alarms = places<Picture['alarms'][number]>();
  const services = places<Picture['services'][number]>();
  const advice: Whole<Picture['advice'][number]> = { items: [], changed: false };
  const maintenance: Whole<Picture['maintenance'][number]> = { items: [], changed: false };
  let newest: { picture: Picture; vitals: Vitals } | undefined;
  let samples: Sample[] = [];
  let samplesDropped = 0;
  let urgentSince = false;
  /** Of sights and readiness; the rest shows by its changed places. */
  let toldNews = false;

  const note: DeltaTracker['note'] = (picture, vitals, more) => {
    const room = Math.max(0, samplesMax - samples.length);
    samples.push(...more.slice(0, room));
    samplesDropped += Math.max(0, more.length - room);
    noteWhole(advice, picture.advice);
    const first = newest === undefined;
    const sightsBefore = sights.items;
    const changes = [
      notePlaces(components, picture.components, (a, b) => a.health !== b.health),
      notePlaces(groups, picture.groups, (a, b) => a.standing !== b.standing),
      notePlaces(sights, picture.sights, (a, b) => a.state !== b.state),
      notePlaces(alarms, picture.alarms, (a, b) => a.sequence !== b.sequence),
      notePlaces(services, picture.services, (a, b) => a.state !== b.state),
      noteWhole(maintenance, picture.maintenance),
    ];
    toldNews ||=
      vitals.readyAt !== newest?.vitals.readyAt ||
      picture.sights.some((sight, place) => !saysSame(sightsBefore[place], sight));
    newest = { picture, vitals };
    const urgent = first || changes.includes(true);
    urgentSince ||= urgent;
    return urgent;
  };

  const take: DeltaTracker['take'] = () => {
    if (newest === undefined) return undefined;
    const changes = {
      components: takePlaces(components),
      groups: takePlaces(groups),
      sights: takePlaces(sights),
      alarms: takePlaces(alarms),
      services: takePlaces(services),
      advice: takeWhole(advice),
      maintenance: takeWhole(maintenance),
    };
    const { picture, vitals } = newest;
    const said = { at: picture.at, urgent: urgentSince, vitals, samples, samplesDropped };
    urgentSince = false;
    toldNews = false;
    samples = [];
    return { kind: 'feed', ...present(changes), ...said };
  };

  const restart = (): void => {
    for (const each of [components, groups, sights, alarms, services]) allChanged<unknown>(each);
    advice.changed = true;
    maintenance.changed = true;
    urgentSince = true;
  };

  const isNews = (): boolean =>
    urgentSince ||
    toldNews ||
    advice.changed ||
    maintenance.changed ||
    [components, groups, alarms, services].some((each) => hasChanged(each));

  return { note, isNews, take, restart };
}

function patched<T>(old: readonly T[], delta: ArrayDelta<T> | undefined): readonly T[] {
  if (delta === undefined) return old;
  const items = old.slice(0, delta.length);
  for (const [place, index] of delta.at.entries()) {
    const item = delta.items[place];
    if (item !== undefined) items[index] = item;
  }
  return items;
}

/** The picture after a feed; what did not change keeps its references, so that renderers can cache. */
export function applyFeed(old: Picture | undefined, feed: Feed): Picture {
  return {
    at: feed.at,
    components: patched(old?.components ?? [], feed.components),
    groups: patched(old?.groups ?? [], feed.groups),
    sights: patched(old?.sights ?? [], feed.sights),
    advice: feed.advice ?? old?.advice ?? [],
    alarms: patched(old?.alarms ?? [], feed.alarms),
    services: patched(old?.services ?? [], feed.services),
    maintenance: feed.maintenance ?? old?.maintenance ?? [],
  };
}
