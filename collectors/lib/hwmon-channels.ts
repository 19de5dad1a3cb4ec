/**
 * Readings of hwmon chips channel by channel. A machine has thousands of attributes of which some change
 * each second: a channel that no change touches keeps the reading it had. What this remembers follows
 * from the snapshots alone and is only a shorter way to the same observation.
 */
import type { Observation, Reading } from '../../rules/model.ts';
import type { Entry, Parsed, Snapshot } from './collector.ts';
import { type Chip, chips, unlisted } from './hwmon.ts';

/** A channel with its reading; undefined when all of its files vanished. */
export interface Channel {
  readonly chip: Chip;
  readonly name: string;
  readonly reading: Reading | undefined;
}

export interface Reader {
  /** The channels of a chip that have readings: `fan1`, in their order. */
  readonly channels: (chip: Chip) => readonly string[];
  /** The channel whose reading an attribute has a say in; undefined for attributes of the chip itself. */
  readonly channelOf: (attribute: string) => string | undefined;
  readonly reading: (chip: Chip, channel: string) => Reading | undefined;
  /** Everything that is made of the readings of all chips. */
  readonly observation: (chips: readonly Chip[], channels: readonly Channel[]) => Observation;
}

/** Where a key of the snapshot belongs. */
interface Place {
  readonly attribute: string;
  readonly chip: number;
  /** Undefined for a channel without a reading. */
  readonly channel: number | undefined;
}

interface Kept {
  readonly chips: readonly Chip[];
  readonly channels: readonly Channel[];
  readonly places: ReadonlyMap<string, Place>;
}

const kept = new WeakMap<Observation, Kept>();

function keep(snapshot: Snapshot, reader: Reader): Kept {
  const all = chips(snapshot);
  const channels: Channel[] = [];
  const places = new Map<string, Place>();
  for (const [index, chip] of all.entries()) {
    const numbers = new Map<string, number>();
    for (const name of reader.channels(chip)) {
      numbers.set(name, channels.length);
      channels.push({ chip, name, reading: reader.reading(chip, name) });
    }
    for (const attribute of chip.files.keys()) {
      const channel = reader.channelOf(attribute);
      if (channel === undefined) continue;
      const place = { attribute, chip: index, channel: numbers.get(channel) };
      places.set(`${chip.folder}/${attribute}`, place);
    }
  }
  return { chips: all, channels, places };
}

/** What else than its numbers and health others may have made something of. */
function isAlike(a: Reading | undefined, b: Reading | undefined): boolean {
  return a?.name === b?.name && a?.unproven === b?.unproven && a?.component === b?.component;
}

/** The changed channels made anew; undefined when more than readings changed. */
function patched(
  before: Kept,
  keys: readonly string[],
  snapshot: Snapshot,
  reader: Reader,
): Kept | undefined {
  const entries = new Map<number, Map<string, Entry>>();
  const touched = new Set<number>();
  for (const key of keys) {
    const place = before.places.get(key);
    const entry = snapshot.get(key);
    if (place === undefined || entry === undefined) return undefined;
    const files = entries.get(place.chip) ?? new Map<string, Entry>();
    entries.set(place.chip, files.set(place.attribute, entry));
    if (place.channel !== undefined) touched.add(place.channel);
  }
  const fresh = new Map<Chip, Chip>();
  const all = before.chips.map((chip, index) => {
    const files = entries.get(index);
    const next = files === undefined ? chip : { ...chip, files: chip.files.with(files) };
    if (next !== chip) fresh.set(chip, next);
    return next;
  });
  const channels = before.channels.map((old, index) => {
    const chip = fresh.get(old.chip);
    if (chip === undefined) return old;
    const reading = touched.has(index) ? reader.reading(chip, old.name) : old.reading;
    return { chip, name: old.name, reading };
  });
  for (const index of touched) {
    if (!isAlike(channels[index]?.reading, before.channels[index]?.reading)) return undefined;
  }
  return { chips: all, channels, places: before.places };
}

function parseAnew(snapshot: Snapshot, reader: Reader): Observation {
  const blind = unlisted(snapshot);
  if (blind !== undefined) return blind;
  const all = keep(snapshot, reader);
  const observation = reader.observation(all.chips, all.channels);
  kept.set(observation, all);
  return observation;
}

/** The readings of a list of channels, those that vanished left out. */
export function readingsOf(channels: readonly Channel[]): readonly Reading[] {
  return channels.flatMap(({ reading }) => reading ?? []);
}

/** What the reader makes of a snapshot, with the help of what it made of the one before. */
export function parseChannels(
  snapshot: Snapshot,
  before: Parsed | undefined,
  reader: Reader,
): Observation {
  const { changes } = snapshot;
  const known = before && kept.get(before.observation);
  if (!known || changes === undefined || changes.since !== before.snapshot.mark) {
    return parseAnew(snapshot, reader);
  }
  const next = patched(known, changes.keys, snapshot, reader);
  if (next === undefined) return parseAnew(snapshot, reader);
  const { observation } = before;
  const changed: Observation =
    observation.kind === 'seen'
      ? { ...observation, readings: readingsOf(next.channels) }
      : { ...observation };
  kept.set(changed, next);
  return changed;
}
