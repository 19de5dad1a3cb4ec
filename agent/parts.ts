/**
 * The parts of a source: one for each read it declares. A part knows how its read is brought up to date
 * and what it holds then; it does not know of the other parts, so none can hide another.
 */
import { setImmediate as yieldToLoop } from 'node:timers/promises';
import type { Entry, Read, Source } from '../collectors/lib/collector.ts';
import type { Roots } from '../rules/config.ts';
import { type Hanging, type HangingFiles, openHanging } from './hanging.ts';
import { type Keeping, type Matched, openListing, regroup } from './listing.ts';
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
import { exists } from './ports/glob.ts';
import { type KeptLink, keptLink, readLink } from './ports/links.ts';
import type { ReadPorts, SpecialRead } from './ports/port.ts';
import { within } from './ports/within.ts';
import type { HangReader } from './reader/reader.ts';

/** Reading files takes no more than this of the loop at a time. */
const SLICE_MS = 2;
/** Files read between two looks at the clock. */
const SLICE_FILES = 32;
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
  /** Reads. True when an entry changed, came or went. */
  readonly refresh: () => Promise<boolean>;
  readonly fill: (snapshot: Map<string, Entry>) => void;
  /** Lists anew at the next refresh. */
  readonly relist: () => void;
  /** Matches that are not read because there are too many. */
  readonly dropped: () => number;
}

/** What stands still and was read well need not be read again. */
function isRead(entry: Entry | undefined): boolean {
  return entry !== undefined && !('errno' in entry);
}

/** Files read here, through kept descriptors that cannot block. */
function filesPart(
  { roots, files }: Context,
  read: Extract<Read, { kind: 'file' }>,
  everyMs: number,
): Part {
  const seldom = read.still === true || everyMs >= SELDOM_MS;
  const listing = openListing(roots, read.root, read.glob);
  const keeping: Keeping<KeptFile> = { kept: new Map() };

  let listedNow = true;

  function relisted(): boolean {
    const due = listing.due();
    listedNow = due !== undefined;
    if (due === undefined) return false;
    const changed = regroup(keeping, due.matches, keptFile, (file) => files.drop(file));
    return changed || due.changed;
  }

  function isAllRead(): boolean {
    for (const { entry } of keeping.kept.values()) if (!isRead(entry)) return false;
    return true;
  }

  /** Reads the given files; those that vanished are added to `gone`. */
  async function pass(some: Iterable<KeptFile>, gone: Set<KeptFile>): Promise<boolean> {
    const moment: Pass = new Map();
    let changed = false;
    let room = READ_BYTES_MAX;
    let count = 0;
    let sliceMs = monotonicMs();
    for (const file of some) {
      const outcome = files.read(file, room, moment);
      if (seldom) files.release(file);
      if (outcome !== 'same') changed = true;
      if (outcome === 'vanished') gone.add(file);
      if (file.entry !== undefined && 'text' in file.entry) room -= file.entry.text.length;
      count += 1;
      if (count % SLICE_FILES === 0 && monotonicMs() - sliceMs > SLICE_MS) {
        await yieldToLoop();
        moment.clear();
        sliceMs = monotonicMs();
      }
    }
    return changed;
  }

  return {
    ...listing,
    refresh: async () => {
      let changed = relisted();
      if (read.still && !listedNow && isAllRead()) return changed;
      const gone = new Set<KeptFile>();
      changed = (await pass(keeping.kept.values(), gone)) || changed;
      if (gone.size === 0) return changed;
      // A device went, and perhaps another came under its name: the truth of now, in the same read.
      listing.relist();
      relisted();
      const unread = [...keeping.kept.values()].filter(
        (file) => file.entry === undefined || gone.has(file),
      );
      await pass(unread, new Set());
      return true;
    },
    fill: (snapshot) => {
      listing.fill(snapshot);
      for (const [key, { entry }] of keeping.kept)
        if (entry !== undefined) snapshot.set(key, entry);
    },
  };
}

/** Files read in a child. A plain path that is not there needs none. */
function hangingPart(
  { roots }: Context,
  read: Extract<Read, { kind: 'file' }>,
  hanging: HangingFiles,
): Part {
  const listing = openListing(roots, read.root, read.glob);
  const plain = !read.glob.includes('*');
  let matches: readonly Matched[] = [];
  let missing: ReadonlySet<string> = new Set();

  /** Hands the matches that are there to the reader; true when others are missing than before. */
  function regrouped(): boolean {
    const before = missing;
    // What a `*` matched was there a moment ago; only a plain path matches without being there.
    const gone = plain ? matches.filter(({ path }) => !exists(path)) : [];
    missing = new Set(gone.map(({ key }) => key));
    hanging.set(
      listing,
      matches.filter(({ key }) => !missing.has(key)).map(({ path }) => path),
    );
    return before.size !== missing.size || [...missing].some((key) => !before.has(key));
  }

  function isAllRead(): boolean {
    return matches.every(({ key, path }) => missing.has(key) || isRead(hanging.entry(path)));
  }

  return {
    ...listing,
    refresh: async () => {
      let changed = false;
      const due = listing.due();
      if (due !== undefined) {
        changed = due.changed || matches.length !== due.matches.length;
        matches = due.matches;
      }
      if (due !== undefined || plain) changed = regrouped() || changed;
      if (read.still && due === undefined && isAllRead()) return changed;
      return (await hanging.read()) || changed;
    },
    fill: (snapshot) => {
      listing.fill(snapshot);
      for (const { key, path } of matches) {
        const entry = missing.has(key) ? { errno: 'ENOENT' } : hanging.entry(path);
        if (entry !== undefined) snapshot.set(key, entry);
      }
    },
  };
}

function linksPart({ roots }: Context, read: Extract<Read, { kind: 'link' }>): Part {
  const listing = openListing(roots, read.root, read.glob);
  const keeping: Keeping<KeptLink> = { kept: new Map() };
  return {
    ...listing,
    refresh: async () => {
      const due = listing.due();
      let changed = due?.changed ?? false;
      if (due !== undefined) {
        changed = regroup(keeping, due.matches, keptLink, () => undefined) || changed;
        // The folders above may be others now, under the same names.
        for (const link of keeping.kept.values()) link.raw = undefined;
      }
      if (read.still && due === undefined && keeping.kept.size > 0) return changed;
      for (const link of keeping.kept.values()) {
        if (readLink(link, read.root, roots)) changed = true;
      }
      return changed;
    },
    fill: (snapshot) => {
      listing.fill(snapshot);
      for (const [key, { entry }] of keeping.kept)
        if (entry !== undefined) snapshot.set(key, entry);
    },
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
    refresh: async () => {
      const late = (): Entry => ({ errno: 'ETIMEDOUT', why: `no answer within ${waitMs} ms` });
      const answer = (async () => ask())().catch(thrown);
      const seen = await within(answer, waitMs, late);
      if (sameEntry(entry, seen)) return false;
      entry = seen;
      return true;
    },
    fill: (snapshot) => {
      if (entry !== undefined) snapshot.set(key, entry);
    },
    relist: () => undefined,
    dropped: () => 0,
  };
}

function openPart(context: Context, read: Read, everyMs: number, hanging: Hanging): Part {
  switch (read.kind) {
    case 'file':
      if (read.mayHang !== true) return filesPart(context, read, everyMs);
      return hangingPart(context, read, read.still ? hanging.still : hanging.moving);
    case 'link':
      return linksPart(context, read);
    case 'command':
    case 'dm':
    case 'multipathd':
    case 'kmsg':
    case 'reach':
      return portPart(context, read);
  }
}

/** The parts of a source, in the order of its reads. */
export function openParts(context: Context, source: Source): readonly Part[] {
  const hanging = openHanging(context.reader, source);
  return source.reads.map((read) => openPart(context, read, source.everyMs, hanging));
}
