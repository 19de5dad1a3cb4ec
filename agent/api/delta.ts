/**
 * What changed between the pictures the child has and the newest one. Arrays are compared by reference,
 * place by place, which costs microseconds for a thousand components; the rules share whatever did not
 * change. Nothing is lost by waiting: the union of changed places is kept until it is taken.
 */
import type { Advice, Picture, Sample, Sight, Vitals } from '../../rules/model.ts';
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
  let advice: readonly Advice[] = [];
  let adviceChanged = false;
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
    if (picture.advice !== advice) adviceChanged = true;
    advice = picture.advice;
    const first = newest === undefined;
    const sightsBefore = sights.items;
    const changes = [
      notePlaces(components, picture.components, (a, b) => a.health !== b.health),
      notePlaces(groups, picture.groups, (a, b) => a.standing !== b.standing),
      notePlaces(sights, picture.sights, (a, b) => a.state !== b.state),
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
    const taken = {
      components: takePlaces(components),
      groups: takePlaces(groups),
      sights: takePlaces(sights),
      advice: adviceChanged ? advice : undefined,
    };
    const feed: Feed = {
      kind: 'feed',
      at: newest.picture.at,
      urgent: urgentSince,
      ...(taken.components === undefined ? {} : { components: taken.components }),
      ...(taken.groups === undefined ? {} : { groups: taken.groups }),
      ...(taken.sights === undefined ? {} : { sights: taken.sights }),
      ...(taken.advice === undefined ? {} : { advice: taken.advice }),
      vitals: newest.vitals,
      samples,
      samplesDropped,
    };
    adviceChanged = false;
    urgentSince = false;
    toldNews = false;
    samples = [];
    return feed;
  };

  const restart = (): void => {
    allChanged(components);
    allChanged(groups);
    allChanged(sights);
    adviceChanged = true;
    urgentSince = true;
  };

  const isNews = (): boolean =>
    urgentSince || toldNews || adviceChanged || hasChanged(components) || hasChanged(groups);

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
  };
}
