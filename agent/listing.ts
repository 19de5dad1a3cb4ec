/**
 * Keeps the listing of a glob and what hangs on its matches. It decides when folders are listed again:
 * when asked to, and after a while in any case, because a lost event must not hide a device for ever.
 */
import type { Entry, Root } from '../collectors/lib/collector.ts';
import type { Roots } from '../rules/config.ts';
import { monotonicMs } from './ports/clock.ts';
import { sameEntry } from './ports/files.ts';
import { type Folders, listGlob } from './ports/glob.ts';

/** A listing is made anew after this long even if nothing asked for it. */
export const RELIST_MS = 30_000;

/** What one refresh of a source found. */
export interface Found {
  /** Keys came or went, or may have. */
  anew: boolean;
  /** Entries that changed under their keys. */
  readonly entries: Map<string, Entry>;
}

export interface Matched {
  readonly key: string;
  readonly path: string;
}

export interface Listing {
  /** The matches, when they had to be listed anew; `changed` when other folders than before failed. */
  readonly due: (
    folders: Folders,
  ) => { readonly matches: readonly Matched[]; readonly changed: boolean } | undefined;
  /** Entries of the folders that could not be listed. */
  readonly failed: () => ReadonlyMap<string, Entry>;
  readonly relist: () => void;
  readonly dropped: () => number;
}

/**
 * The kept listing of a glob. A folder that cannot be listed has an entry: it must not look empty.
 * `firstMs`: after this long it is listed for the second time; from then on each RELIST_MS.
 */
export function openListing(roots: Roots, root: Root, glob: string, firstMs: number): Listing {
  let nextMs = Number.NEGATIVE_INFINITY;
  let failed = new Map<string, Entry>();
  let dropped = 0;
  let waitMs = firstMs;
  return {
    due: (folders) => {
      if (monotonicMs() < nextMs) return undefined;
      const listing = listGlob(roots[root], glob, folders);
      nextMs = monotonicMs() + waitMs;
      waitMs = RELIST_MS;
      dropped = listing.dropped;
      const before = failed;
      failed = new Map();
      for (const [folder, errno] of listing.failed) {
        const entry = { errno, why: 'the folder cannot be listed' };
        failed.set(folder === '' ? root : `${root}/${folder}`, entry);
      }
      return {
        matches: listing.paths.map((path) => ({
          key: `${root}/${path}`,
          path: `${roots[root]}/${path}`,
        })),
        changed:
          before.size !== failed.size ||
          [...failed].some(([key, entry]) => !sameEntry(before.get(key), entry)),
      };
    },
    failed: () => failed,
    relist: () => {
      nextMs = Number.NEGATIVE_INFINITY;
    },
    dropped: () => dropped,
  };
}

export interface Keeping<T> {
  kept: Map<string, T>;
}

/** Takes over the kept things whose keys still match and makes the others; true when any came or went. */
export function regroup<T>(
  keeping: Keeping<T>,
  matches: readonly Matched[],
  make: (path: string) => T,
  drop: (gone: T) => void,
): boolean {
  const old = keeping.kept;
  keeping.kept = new Map(matches.map(({ key, path }) => [key, old.get(key) ?? make(path)]));
  let changed = keeping.kept.size !== old.size;
  for (const [key, gone] of old) {
    if (keeping.kept.has(key)) continue;
    drop(gone);
    changed = true;
  }
  return changed;
}
