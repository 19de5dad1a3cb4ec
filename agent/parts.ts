/**
 * The parts of a source: one for each read it declares. A part knows how its read is brought up to date
 * and what it holds then; it does not know of the other parts, so none can hide another.
 */
import { setImmediate as yieldToLoop } from 'node:timers/promises';
import type { Entry, Read, Source } from '../collectors/lib/collector.ts';
import type { Roots } from '../rules/config.ts';
import { type Hanging, type HangingFiles, openHanging } from './hanging.ts';
import {
  type Found,
  type Keeping,
  type Listing,
  type Matched,
  openListing,
  regroup,
} from './listing.ts';
import { monotonicMs } from './ports/clock.ts';
import { errnoOf } from './ports/errno.ts';
import {
  type KeptFile,
  type KeptFiles,
  keptFile,
  type Pass,
  READ_BYTES_MAX,
  SELDOM_MS,
  sameEntry,
} from './ports/files.ts';
import { exists, type Folders } from './ports/glob.ts';
import { type KeptLink, keptLink, readLink } from './ports/links.ts';
import type { ReadPorts, SpecialRead } from './ports/port.ts';
import { within } from './ports/within.ts';
import type { HangReader } from './reader/reader.ts';

/** Reading files takes no more than this of the loop at a time. */
export const SLICE_MS = 2;
/** Files read between two looks at the clock. */
const SLICE_FILES = 32;
/** What stands still, may hang and could not be read is tried again after this long. */
const STILL_AGAIN_MS = 10_000;
/** The longest a port without a deadline of its own may take. */
export const PORT_MS_MAX = 10_000;
/** What a port may need on top of its deadline to say so. */
const PORT_GRACE_MS = 1_000;

export interface Context {
  readonly roots: Roots;
  readonly ports: ReadPorts;
  readonly files: KeptFiles;
  /** The children that read what may hang. */
  readonly reader: HangReader;
}

export interface Part {
  /** Lists its folders when that is due, and tells what came of it. */
  readonly list: (folders: Folders, found: Found) => void;
  /** Reads, and tells what changed. */
  readonly refresh: (found: Found) => Promise<void>;
  readonly fill: (entries: Map<string, Entry>) => void;
  /** Lists anew at the next refresh. */
  readonly relist: () => void;
  /** Matches that are not read because there are too many. */
  readonly dropped: () => number;
}

/** What a part of files or links is made for. */
interface Frame {
  readonly everyMs: number;
  /** From the first listing of its folders to the second. */
  readonly firstMs: number;
}

/** What stands still and was read well need not be read again. */
function isRead(entry: Entry | undefined): boolean {
  return entry !== undefined && !('errno' in entry);
}

function fillKept(
  entries: Map<string, Entry>,
  listing: Listing,
  kept: ReadonlyMap<string, { readonly entry: Entry | undefined }>,
): void {
  for (const [key, entry] of listing.failed()) entries.set(key, entry);
  for (const [key, { entry }] of kept) if (entry !== undefined) entries.set(key, entry);
}

/** Files read here, through kept descriptors that cannot block. */
function filesPart(
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
    let sliceMs = monotonicMs();
    for (const [key, file] of some) {
      const outcome = files.read(file, room, moment);
      if (seldom) files.release(file);
      if (outcome !== 'same' && file.entry !== undefined) found.entries.set(key, file.entry);
      if (outcome === 'vanished') gone.add(file);
      if (file.entry !== undefined && 'text' in file.entry) room -= file.entry.text.length;
      count += 1;
      if (count % SLICE_FILES === 0 && monotonicMs() - sliceMs > SLICE_MS) {
        await yieldToLoop();
        moment.clear();
        sliceMs = monotonicMs();
      }
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

/** Files read in a child. A plain path that is not there needs none. */
function hangingPart(
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

function linksPart(
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
      for (const [key, link] of keeping.kept) {
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

interface Asked {
  readonly key: string;
  readonly waitMs: number;
  readonly entry: () => Promise<Entry>;
}

function asked(ports: ReadPorts, read: SpecialRead): Asked {
  const waitMs = PORT_MS_MAX + PORT_GRACE_MS;
  switch (read.kind) {
    case 'command':
      return {
        key: `command:${read.name}`,
        waitMs: read.deadlineMs + PORT_GRACE_MS,
        entry: () => ports.command.read(read),
      };
    case 'dm':
      return { key: `dm:${read.target}`, waitMs, entry: () => ports.dm.read(read) };
    case 'multipathd':
      return {
        key: `multipathd:${read.request}`,
        waitMs,
        entry: () => ports.multipathd.read(read),
      };
    case 'kmsg':
      return { key: 'kmsg', waitMs, entry: () => ports.kmsg.read(read) };
    case 'reach':
      return { key: 'reach', waitMs, entry: () => ports.reach.read(read) };
  }
}

/** The entry for a port that broke its word and threw. */
export function thrown(error: unknown): Entry {
  const why = error instanceof Error ? error.message : String(error);
  return { errno: errnoOf(error), why: why.replace(/\s+/gu, ' ').trim().slice(0, 200) };
}

/** What a port answers; a port that does not answer or that throws is an errno like any other. */
function portPart({ ports }: Context, read: SpecialRead): Part {
  const { key, waitMs, entry: ask } = asked(ports, read);
  let entry: Entry | undefined;
  return {
    list: () => undefined,
    refresh: async (found) => {
      const late = (): Entry => ({ errno: 'ETIMEDOUT', why: `no answer within ${waitMs} ms` });
      const answer = (async () => ask())().catch(thrown);
      const seen = await within(answer, waitMs, late);
      if (sameEntry(entry, seen)) return;
      entry = seen;
      found.entries.set(key, seen);
    },
    fill: (entries) => {
      if (entry !== undefined) entries.set(key, entry);
    },
    relist: () => undefined,
    dropped: () => 0,
  };
}

function openPart(context: Context, read: Read, frame: Frame, hanging: Hanging): Part {
  switch (read.kind) {
    case 'file':
      if (read.mayHang !== true) return filesPart(context, read, frame);
      return hangingPart(context, read, frame, read.still ? hanging.still : hanging.moving);
    case 'link':
      return linksPart(context, read, frame);
    case 'command':
    case 'dm':
    case 'multipathd':
    case 'kmsg':
    case 'reach':
      return portPart(context, read);
  }
}

/** The parts of a source, in the order of its reads. `firstMs`: from the first listing to the second. */
export function openParts(context: Context, source: Source, firstMs: number): readonly Part[] {
  const hanging = openHanging(context.reader, source);
  const frame = { everyMs: source.everyMs, firstMs };
  return source.reads.map((read) => openPart(context, read, frame, hanging));
}
