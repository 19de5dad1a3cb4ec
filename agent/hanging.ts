/**
 * The files of one source that may hang, whichever of its reads declares them: one run of the child reads
 * them all, because a run costs a message each way, and that is more than ten reads. It decides only what
 * goes into a run; who hangs is the reader's to find out.
 */
import type { Entry, Read, Source } from '../collectors/lib/collector.ts';
import { type Found, type Listing, type Matched, openListing } from './listing.ts';
import { type Context, type Frame, isRead, type Part } from './part.ts';
import { monotonicMs } from './ports/clock.ts';
import { SELDOM_MS } from './ports/files.ts';
import { exists } from './ports/glob.ts';
import type { HangFile, HangReader } from './reader/reader.ts';

/** What stands still, may hang and could not be read is tried again after this long. */
const STILL_AGAIN_MS = 10_000;

export interface HangingFiles {
  /** The files of one listing, in place of those it gave before. */
  readonly set: (listing: Listing, matches: readonly Matched[]) => void;
  /** Reads, and tells what changed. Who asks before anything was awaited shares the run. */
  readonly read: (found: Found) => Promise<void>;
  readonly entry: (path: string) => Entry | undefined;
}

/** Those read each period, and those read when they are listed. */
export interface Hanging {
  readonly moving: HangingFiles;
  readonly still: HangingFiles;
}

function openFiles(
  reader: HangReader,
  options: { readonly seldom: boolean; readonly staleMs: number },
  onVanished: () => void,
): HangingFiles {
  const list = reader.list(options.seldom);
  const wanted = new Map<Listing, readonly Matched[]>();
  let files: ReadonlyMap<string, HangFile> = new Map();
  let isNew = false;
  let run: Promise<void> | undefined;

  async function readAll(found: Found): Promise<void> {
    // Let every part say what it wants first.
    await undefined;
    run = undefined;
    if (isNew) {
      if (reader.setFiles(list, [...wanted.values()].flat())) found.anew = true;
      files = new Map(list.files.map((file) => [file.path, file]));
      isNew = false;
    }
    await reader.read(list, options.staleMs);
    for (const { key, entry } of list.changed)
      if (entry !== undefined) found.entries.set(key, entry);
    list.changed.clear();
    if (!list.vanished) return;
    list.vanished = false;
    onVanished();
  }

  return {
    set: (listing, matches) => {
      wanted.set(listing, matches);
      isNew = true;
    },
    read: (found) => {
      run ??= readAll(found);
      return run;
    },
    entry: (path) => files.get(path)?.entry,
  };
}

/**
 * `staleMs`: how long a file that was not reached in time keeps what it said. When a device vanished,
 * all is listed anew: another may stand under its name, with other labels.
 */
export function openHanging(
  reader: HangReader,
  { everyMs, staleMs }: Pick<Source, 'everyMs' | 'staleMs'>,
): Hanging {
  const listings = new Set<Listing>();
  const open = (seldom: boolean): HangingFiles => {
    const files = openFiles(reader, { seldom, staleMs }, () => {
      for (const listing of listings) listing.relist();
    });
    return {
      ...files,
      set: (listing, matches) => {
        listings.add(listing);
        files.set(listing, matches);
      },
    };
  };
  return { moving: open(everyMs >= SELDOM_MS), still: open(true) };
}

/** Files read in a child. A plain path that is not there needs none. */
export function hangingPart(
  { roots }: Context,
  read: Extract<Read, { kind: 'file' }>,
  { firstMs }: Frame,
  hanging: HangingFiles,
): Part {
  const listing = openListing(roots, read.root, read.glob, firstMs);
  const plain = !read.glob.includes('*');
  let matches: readonly Matched[] = [];
  let missing: ReadonlySet<string> = new Set();
  /** When those that stand still are read again. */
  let nextMs = Number.NEGATIVE_INFINITY;

  /** Hands the matches that are there to the reader; true when others are missing than before. */
  function regrouped(): boolean {
    const before = missing;
    // What a `*` matched was there a moment ago; only a plain path matches without being there.
    const gone = plain ? matches.filter(({ path }) => !exists(path)) : [];
    missing = new Set(gone.map(({ key }) => key));
    hanging.set(
      listing,
      missing.size === 0 ? matches : matches.filter(({ key }) => !missing.has(key)),
    );
    return before.size !== missing.size || [...missing].some((key) => !before.has(key));
  }

  function isAllRead(): boolean {
    return matches.every(({ key, path }) => missing.has(key) || isRead(hanging.entry(path)));
  }

  return {
    list: (folders, found) => {
      const due = listing.due(folders);
      if (due !== undefined) {
        const { length } = matches;
        ({ matches } = due);
        if (due.changed || matches.length !== length) found.anew = true;
        nextMs = Number.NEGATIVE_INFINITY;
      }
      if ((due !== undefined || plain) && regrouped()) found.anew = true;
    },
    refresh: async (found) => {
      if (!read.still) return hanging.read(found);
      if (monotonicMs() < nextMs) return;
      await hanging.read(found);
      nextMs = isAllRead() ? Number.POSITIVE_INFINITY : monotonicMs() + STILL_AGAIN_MS;
    },
    fill: (entries) => {
      for (const [key, entry] of listing.failed()) entries.set(key, entry);
      for (const { key, path } of matches) {
        const entry = missing.has(key) ? { errno: 'ENOENT' } : hanging.entry(path);
        if (entry !== undefined) entries.set(key, entry);
      }
    },
    relist: listing.relist,
    dropped: listing.dropped,
  };
}
