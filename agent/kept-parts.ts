/**
 * The parts of a source that are read here: files through descriptors that cannot block, and links. Both
 * take their turns with the loop, however many there are.
 */
import type { Entry, Read } from '../collectors/lib/collector.ts';
import { type Found, type Keeping, type Listing, openListing, regroup } from './listing.ts';
import { type Context, type Frame, isRead, type Part } from './part.ts';
import { type KeptFile, keptFile, type Pass, READ_BYTES_MAX, SELDOM_MS } from './ports/files.ts';
import type { Folders } from './ports/glob.ts';
import { type KeptLink, keptLink, readLink } from './ports/links.ts';
import { openSlice } from './slice.ts';

/** Files read between two looks at the clock. */
const SLICE_FILES = 32;

function fillKept(
  entries: Map<string, Entry>,
  listing: Listing,
  kept: ReadonlyMap<string, { readonly entry: Entry | undefined }>,
): void {
  for (const [key, entry] of listing.failed()) entries.set(key, entry);
  for (const [key, { entry }] of kept) if (entry !== undefined) entries.set(key, entry);
}

/** Files read here, through kept descriptors that cannot block. */
export function filesPart(
  { roots, files }: Context,
  read: Extract<Read, { kind: 'file' }>,
  { everyMs, firstMs }: Frame,
): Part {
  const seldom = read.still === true || everyMs >= SELDOM_MS;
  const listing = openListing(roots, read.root, read.glob, firstMs);
  const keeping: Keeping<KeptFile> = { kept: new Map() };
  /** Those that are to be read though they stand still. */
  let unread: [string, KeptFile][] = [];

  function list(folders: Folders, found: Found): void {
    const due = listing.due(folders);
    if (due === undefined) return;
    const changed = regroup(keeping, due.matches, keptFile, (file) => files.drop(file));
    if (changed || due.changed) found.anew = true;
    unread = [...keeping.kept];
  }

  /** Reads the given files; those that vanished are added to `gone`. */
  async function pass(
    some: Iterable<[string, KeptFile]>,
    found: Found,
    gone: Set<KeptFile>,
  ): Promise<void> {
    const moment: Pass = new Map();
    let room = READ_BYTES_MAX;
    let count = 0;
    const slice = openSlice();
    for (const [key, file] of some) {
      const outcome = files.read(file, room, moment);
      if (seldom) files.release(file);
      if (outcome !== 'same' && file.entry !== undefined) found.entries.set(key, file.entry);
      if (outcome === 'vanished') gone.add(file);
      if (file.entry !== undefined && 'text' in file.entry) room -= file.entry.text.length;
      count += 1;
      if (count % SLICE_FILES !== 0 || !slice.isOver()) continue;
      await slice.next();
      moment.clear();
    }
  }

  return {
    list,
    refresh: async (found) => {
      const gone = new Set<KeptFile>();
      await pass(read.still === true ? unread : keeping.kept, found, gone);
      if (gone.size > 0) {
        // A device went, and perhaps another came under its name: the truth of now, in the same read.
        found.anew = true;
        listing.relist();
        list(new Map(), found);
        const others = [...keeping.kept].filter(
          ([, file]) => file.entry === undefined || gone.has(file),
        );
        await pass(others, found, new Set());
      }
      if (unread.length > 0) unread = [...keeping.kept].filter(([, { entry }]) => !isRead(entry));
    },
    fill: (entries) => fillKept(entries, listing, keeping.kept),
    relist: listing.relist,
    dropped: listing.dropped,
  };
}

/** Links: what stands still is resolved when it is listed. */
export function linksPart(
  { roots }: Context,
  read: Extract<Read, { kind: 'link' }>,
  { firstMs }: Frame,
): Part {
  const listing = openListing(roots, read.root, read.glob, firstMs);
  const keeping: Keeping<KeptLink> = { kept: new Map() };
  let listedNow = false;
  return {
    list: (folders, found) => {
      const due = listing.due(folders);
      listedNow = due !== undefined;
      if (due === undefined) return;
      if (regroup(keeping, due.matches, keptLink, () => undefined) || due.changed)
        found.anew = true;
      // The folders above may be others now, under the same names.
      for (const link of keeping.kept.values()) link.raw = undefined;
    },
    refresh: async (found) => {
      if (read.still && !listedNow) return;
      const slice = openSlice();
      for (const [key, link] of keeping.kept) {
        if (slice.isOver()) await slice.next();
        if (!readLink(link, read.root, roots)) continue;
        if (link.entry === undefined) found.anew = true;
        else found.entries.set(key, link.entry);
      }
    },
    fill: (entries) => fillKept(entries, listing, keeping.kept),
    relist: listing.relist,
    dropped: listing.dropped,
  };
}
