/**
 * Devices of a class folder, each as a small snapshot of its own: one pass over the keys, so that a
 * machine with hundreds of devices costs no more than its files. It decides what has vanished between
 * listing and reading, and what an empty class means; it knows no attribute.
 */
import { idPart, type Observation } from '../../rules/model.ts';
import type { Entry, Snapshot } from './collector.ts';

/** A device that goes away answers with one of these; anything else is a device that is ill. */
const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ENODEV', 'ENXIO']);

function isGone(entry: Entry): boolean {
  return 'errno' in entry && GONE.has(entry.errno);
}

/**
 * Attributes of each device directly below `folder`, keyed by their path below the device (`type`,
 * `dimm0/dimm_label`; a device that is itself the key has the attribute ''). Vanished ones are left out.
 */
export function devices(snapshot: Snapshot, folder: string): ReadonlyMap<string, Snapshot> {
  const prefix = `${folder}/`;
  const found = new Map<string, Map<string, Entry>>();
  for (const [key, entry] of snapshot) {
    if (!key.startsWith(prefix)) continue;
    const end = key.indexOf('/', prefix.length);
    const name = key.slice(prefix.length, end < 0 ? undefined : end);
    const attributes = found.get(name) ?? new Map<string, Entry>();
    attributes.set(end < 0 ? '' : key.slice(end + 1), entry);
    found.set(name, attributes);
  }
  for (const [name, attributes] of found) {
    if (name === '' || [...attributes.values()].every(isGone)) found.delete(name);
  }
  return found;
}

/** What a snapshot without a single device means: nothing there, unless something refused to be read. */
export function nothing(snapshot: Snapshot, why: string): Observation {
  for (const [key, entry] of snapshot) {
    if ('errno' in entry && !isGone(entry)) {
      return { kind: 'blind', why: `cannot read /${key}: ${entry.why ?? entry.errno}` };
    }
  }
  return { kind: 'none', why };
}

/** Why an attribute gave no value, for people: the errno, or that its text means nothing to us. */
export function unreadWhy(device: Snapshot, attribute: string): string {
  const entry = device.get(attribute);
  const what = attribute === '' ? 'it' : attribute;
  if (entry === undefined) return `has no ${attribute}`;
  if ('errno' in entry) return `cannot read ${what}: ${entry.why ?? entry.errno}`;
  return `${what} holds no value that is understood`;
}

/**
 * One stable identity part per device: the preferred words where they are unique, with a suffix for
 * every one of those that share them. `suffix` must tell the sharers apart.
 */
export function distinct<T>(
  items: readonly T[],
  words: (item: T) => string,
  suffix: (item: T, rank: number) => string,
): ReadonlyMap<T, readonly string[]> {
  const sharers = new Map<string, T[]>();
  for (const item of items) {
    const part = idPart(words(item));
    const same = sharers.get(part);
    if (same === undefined) sharers.set(part, [item]);
    else same.push(item);
  }
  const parts = new Map<T, readonly string[]>();
  for (const [part, same] of sharers) {
    for (const [rank, item] of same.entries()) {
      parts.set(item, same.length === 1 ? [part] : [part, suffix(item, rank)]);
    }
  }
  return parts;
}

/** Orders names by their trailing number: thermal_zone2 before thermal_zone10. */
export function byNumber(left: string, right: string): number {
  const number = (name: string): number => Number(/\d+$/u.exec(name)?.[0] ?? '-1');
  return number(left) - number(right) || (left < right ? -1 : 1);
}
