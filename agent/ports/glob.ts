/**
 * Finds what a glob of a collector matches below a root: `*` stands for anything but `/`, `{a,b}` for
 * alternatives, both within one segment. A segment without `*` is never listed, its names are tried. A
 * glob without any `*` is a plain path (or several): it always matches, so that its absence is told as
 * `ENOENT` instead of silence. Order is plain code-unit order of the path (`hwmon10` before `hwmon2`):
 * collectors must not lean on numbers that depend on the order in which modules were loaded anyway.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from './errno.ts';

/** Matches of one glob beyond this are dropped and counted: a node of 1,000 sensors has about 6,000. */
export const MATCHES_MAX = 8_192;

/** Trying more names than this one by one costs more than listing their folder. */
const TRIED_MAX = 3;

export interface Listing {
  /** Paths below the root, sorted, without duplicates. */
  readonly paths: readonly string[];
  /** Folders that are there but could not be listed (path below the root, errno): not the same as empty. */
  readonly failed: ReadonlyMap<string, string>;
  readonly dropped: number;
}

/** True when something has this name; a dangling link counts, it is for the reader to say so. */
export function exists(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

const BRACES = /\{([^{}]*)\}/u;

/** Alternatives of a segment, innermost first: `fan{1,2}_input` gives two names. */
function alternatives(segment: string): readonly string[] {
  const found = BRACES.exec(segment);
  if (found === null) return [segment];
  const before = segment.slice(0, found.index);
  const after = segment.slice(found.index + found[0].length);
  const names = (found[1] ?? '').split(',').flatMap((word) => alternatives(before + word + after));
  return [...new Set(names)];
}

function matcher(segment: string): (name: string) => boolean {
  const patterns = alternatives(segment).map((pattern) =>
    pattern
      .split('*')
      .map((word) => word.replace(/[.+?^$()[\]|\\{}]/gu, '\\$&'))
      .join('.*'),
  );
  const whole = new RegExp(`^(?:${patterns.join('|')})$`, 'su');
  // A newline cannot be part of a key: captures are lines.
  return (name) => whole.test(name) && !name.includes('\n');
}

/** Names in a folder; nothing when it is gone or no folder, which is no failure of ours. */
function namesIn(root: string, folder: string, failed: Map<string, string>): readonly string[] {
  try {
    return readdirSync(join(root, folder));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR') failed.set(folder, errno);
    return [];
  }
}

function below(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** Everything a glob matches now. Never throws; costs one `readdir` for each folder above a `*`. */
export function listGlob(root: string, glob: string): Listing {
  const failed = new Map<string, string>();
  const segments = glob.split('/');
  let found: readonly string[] = [''];
  let listed = false;
  let dropped = 0;
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    if (segment.includes('*')) {
      const matches = matcher(segment);
      found = found.flatMap((folder) =>
        namesIn(root, folder, failed)
          .filter(matches)
          .map((name) => below(folder, name)),
      );
      listed = true;
    } else if (last && listed && alternatives(segment).length > TRIED_MAX) {
      const names = new Set(alternatives(segment));
      found = found.flatMap((folder) =>
        namesIn(root, folder, failed)
          .filter((name) => names.has(name))
          .map((name) => below(folder, name)),
      );
    } else {
      const names = alternatives(segment);
      found = found.flatMap((folder) => names.map((name) => below(folder, name)));
      if (last && listed) found = found.filter((path) => exists(join(root, path)));
    }
    found = [...new Set(found)].sort();
    dropped += Math.max(0, found.length - MATCHES_MAX);
    found = found.slice(0, MATCHES_MAX);
  }
  if (listed && found.length === 0 && !exists(root)) failed.set('', 'ENOENT');
  return { paths: found, failed, dropped };
}
