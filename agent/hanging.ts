/**
 * The files of one source that may hang, whichever of its reads declares them: one run of the child reads
 * them all, because a run costs a message each way, and that is more than ten reads. It decides only what
 * goes into a run; who hangs is the reader's to find out.
 */
import type { Entry, Source } from '../collectors/lib/collector.ts';
import type { Found, Listing, Matched } from './listing.ts';
import { SELDOM_MS } from './ports/files.ts';
import type { HangFile, HangReader } from './reader/reader.ts';

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
