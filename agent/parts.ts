/**
 * The parts of a source: one for each read it declares. A part knows how its read is brought up to date
 * and what it holds then; it does not know of the other parts, so none can hide another.
 */
import type { Entry, Read, Source } from '../collectors/lib/collector.ts';
import { type Hanging, hangingPart, openHanging } from './hanging.ts';
import { filesPart, linksPart } from './kept-parts.ts';
import type { Context, Frame, Part } from './part.ts';
import { errnoOf } from './ports/errno.ts';
import { sameEntry } from './ports/files.ts';
import type { ReadPorts, SpecialRead } from './ports/port.ts';
import { within } from './ports/within.ts';

/** The longest a port without a deadline of its own may take. */
export const PORT_MS_MAX = 10_000;
/** What a port may need on top of its deadline to say so. */
const PORT_GRACE_MS = 1_000;

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
