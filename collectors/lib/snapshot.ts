/**
 * Questions a parser asks of a snapshot. Every answer may be `undefined`: a file that could not be
 * read, was empty or held something else is not a value, and no caller may round it to one.
 */
import type { Entry, Snapshot } from './collector.ts';

const DECIMAL = /^[+-]?\d+(\.\d+)?$/u;

/** The trimmed text under a key; undefined when unread or empty. */
export function word(snapshot: Snapshot, key: string): string | undefined {
  const entry = snapshot.get(key);
  if (entry === undefined || !('text' in entry)) return undefined;
  const text = entry.text.trim();
  return text === '' ? undefined : text;
}

/** The decimal number under a key; undefined for anything else, 10 MB of digits included. */
export function decimal(snapshot: Snapshot, key: string): number | undefined {
  const text = word(snapshot, key);
  if (text === undefined || text.length > 32 || !DECIMAL.test(text)) return undefined;
  return Number(text);
}

/** A 0/1 file. Any other content is undefined, never false. */
export function bit(snapshot: Snapshot, key: string): boolean | undefined {
  const text = word(snapshot, key);
  if (text === '1') return true;
  return text === '0' ? false : undefined;
}

/** The errno with which a key could not be read; undefined when it was read or never listed. */
export function errno(snapshot: Snapshot, key: string): string | undefined {
  const entry = snapshot.get(key);
  return entry !== undefined && 'errno' in entry ? entry.errno : undefined;
}

/**
 * Why a folder, or one above it, could not be listed; undefined when it was, or is not there. What was
 * read below it is then not the whole truth: nothing may be called absent for it.
 */
export function unlisted(snapshot: Snapshot, folder: string): string | undefined {
  const segments = folder.split('/');
  for (const index of segments.keys()) {
    const above = segments.slice(0, index + 1).join('/');
    const failed = errno(snapshot, above);
    if (failed !== undefined && failed !== 'ENOENT') return `/${above} cannot be listed: ${failed}`;
  }
  return undefined;
}

/** The target of a link under a key. */
export function target(snapshot: Snapshot, key: string): string | undefined {
  const entry = snapshot.get(key);
  return entry !== undefined && 'link' in entry ? entry.link : undefined;
}

/** Last segment of a link's target (the name of the device, driver or subsystem it points to). */
export function targetName(snapshot: Snapshot, key: string): string | undefined {
  return target(snapshot, key)?.split('/').at(-1);
}

/** Distinct names directly below a folder, in the snapshot's order: `names(s, 'sys/class/hwmon')`. */
export function names(snapshot: Snapshot, folder: string): readonly string[] {
  const prefix = `${folder}/`;
  const found = new Set<string>();
  for (const key of snapshot.keys()) {
    if (!key.startsWith(prefix)) continue;
    const name = key.slice(prefix.length).split('/', 1)[0];
    if (name !== undefined && name !== '') found.add(name);
  }
  return [...found];
}

/** A record without its undefined values: gauges and facts hold only what was read. */
export function defined<T>(record: Readonly<Record<string, T | undefined>>): Record<string, T> {
  const kept: Record<string, T> = {};
  for (const [key, value] of Object.entries(record)) if (value !== undefined) kept[key] = value;
  return kept;
}

/** Parsed JSON of a text, or undefined: foreign programs print anything. */
export function json(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** True for a plain object whose members may be looked up with bracket access. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function hasText(entry: Entry | undefined): entry is { readonly text: string } {
  return entry !== undefined && 'text' in entry;
}
