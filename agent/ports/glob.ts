/**
 * Finds what a glob of a collector matches below a root: `*` stands for anything but `/`, `{a,b}` for
 * alternatives, both within one segment. A segment without `*` is never listed, its names are tried. A
 * glob without any `*` is a plain path (or several): it always matches, so that its absence is told as
 * `ENOENT` instead of silence. Order is that of code units, segment by segment (`hwmon10` before
 * `hwmon2`): collectors must not lean on numbers that depend on the order in which modules were loaded
 * anyway. No regular expression is made of a glob, so that none can take long.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { globMatches } from '../../rules/glob.ts';
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

/** A glob with many braces would multiply; no honest one comes near. */
const ALTERNATIVES_MAX = 256;

/** The glob without braces, innermost first: one pattern for each combination. An unpaired brace stands for itself. */
export function alternatives(glob: string): readonly string[] {
  const close = glob.indexOf('}');
  const open = glob.lastIndexOf('{', close);
  if (open < 0 || close < 0) return [glob];
  const [before, after] = [glob.slice(0, open), glob.slice(close + 1)];
  const words = glob.slice(open + 1, close).split(',');
  const all = words.flatMap((word) => alternatives(before + word + after));
  return [...new Set(all)].slice(0, ALTERNATIVES_MAX);
}

interface Segment {
  /** Without `*`, sorted. */
  readonly names: readonly string[];
  readonly patterns: readonly string[];
}

/** Globs are those that sources declare: few, and asked for again and again. */
const known = new Map<string, readonly Segment[]>();

function segmentsOf(glob: string): readonly Segment[] {
  let segments = known.get(glob);
  if (segments === undefined) {
    segments = glob.split('/').map((segment) => {
      const all = alternatives(segment);
      return {
        names: all.filter((one) => !one.includes('*')).sort(),
        patterns: all.filter((one) => one.includes('*')),
      };
    });
    known.set(glob, segments);
  }
  return segments;
}

/** A folder's names, sorted; none, and why, when it could not be listed. */
export interface Folder {
  readonly names: ReadonlySet<string>;
  readonly errno?: string;
}

/** Folders by their path, listed in one moment: globs of the same moment share them. */
export type Folders = Map<string, Folder>;

const EMPTY: ReadonlySet<string> = new Set();

function listed(path: string, folders: Folders): Folder {
  let folder = folders.get(path);
  if (folder === undefined) {
    try {
      folder = { names: new Set(readdirSync(path).sort()) };
    } catch (error) {
      folder = { names: EMPTY, errno: errnoOf(error) };
    }
    folders.set(path, folder);
  }
  return folder;
}

/** Names in a folder that fit. */
function fitting({ names, patterns }: Segment, folder: Folder): readonly string[] {
  const found = names.filter((name) => folder.names.has(name));
  if (patterns.length === 0) return found;
  for (const name of folder.names) {
    // A newline cannot be part of a key: captures are lines.
    if (!patterns.some((pattern) => globMatches(pattern, name)) || name.includes('\n')) continue;
    if (!names.includes(name)) found.push(name);
  }
  return names.length === 0 ? found : found.sort();
}

interface Search {
  readonly root: string;
  readonly folders: Folders;
  /** Folders that are there but could not be listed. */
  readonly failed: Map<string, string>;
}

/** Names of a segment in a folder (which ends in `/`, or is the root). `below`: a `*` led there. */
function namesIn(
  { root, folders, failed }: Search,
  folder: string,
  segment: Segment,
  at: { readonly below: boolean; readonly last: boolean },
): readonly string[] {
  const { names, patterns } = segment;
  const path = `${root}/${folder}`;
  const isTried = patterns.length === 0 && (!at.below || names.length <= TRIED_MAX);
  if (isTried && !(at.below && folders.has(path))) {
    return at.below && at.last ? names.filter((name) => exists(path + name)) : names;
  }
  const listing = listed(path, folders);
  const { errno } = listing;
  // One that is gone or no folder is no failure of ours.
  if (errno !== undefined && errno !== 'ENOENT' && errno !== 'ENOTDIR') {
    failed.set(folder.slice(0, -1), errno);
  }
  return fitting(segment, listing);
}

/** Everything a glob matches now. Never throws; costs at most one `readdir` for each folder above a `*`. */
export function listGlob(root: string, glob: string, folders: Folders = new Map()): Listing {
  const search: Search = { root, folders, failed: new Map() };
  const segments = segmentsOf(glob);
  let found: readonly string[] = [''];
  let below = false;
  let dropped = 0;
  for (const [index, segment] of segments.entries()) {
    const at = { below, last: index === segments.length - 1 };
    const end = at.last ? '' : '/';
    const next = found.flatMap((folder) =>
      namesIn(search, folder, segment, at).map((name) => folder + name + end),
    );
    below ||= segment.patterns.length > 0;
    dropped += Math.max(0, next.length - MATCHES_MAX);
    found = next.slice(0, MATCHES_MAX);
  }
  if (below && found.length === 0 && !exists(root)) search.failed.set('', 'ENOENT');
  return { paths: found, failed: search.failed, dropped };
}
