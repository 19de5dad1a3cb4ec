/**
 * When each source is read: on a common grid of its period, at once when a wake marked it dirty, never
 * twice at the same time. It decides nothing about what is read; the loop asks it what is due.
 */
import type { Read, Source, Wake } from '../collectors/lib/collector.ts';
import { type Ms, ms, type SourceId } from '../rules/model.ts';

/** A storm of wakes reads a source no more often than this. */
export const WAKE_GAP_MS = 20;
/** Nor, in a storm, for a larger share of time than one in this: 2,000 links must not fill a core. */
export const STORM_SHARE = 5;
/** Who waits longer than this is read before who answers sooner. */
export const LONG_MS = 100;
/** No longer than this do others wait for the source that goes ahead. */
export const AHEAD_MS = 10;
/** More reads in a row that were woken than this are a storm; a few events are answered at once. */
export const STORM_READS = 5;

export interface Watch {
  readonly id: SourceId;
  readonly source: Source;
  readonly everyMs: number;
  /** Of several due together the lowest begins first. */
  readonly rank: 0 | 1 | 2;
  dueAt: Ms;
  inFlight: boolean;
  /** Marked dirty while a read was in flight: what that read returns may be older than the wake. */
  dirty: boolean;
  /** To be read once more for a reason of our own: what this read returns answers every wake before it. */
  again: boolean;
  lastReadAt: Ms;
  lastReadMs: number;
  /** Reads in a row that a wake caused. */
  wokenReads: number;
  /** The earliest wake not yet answered by a world. */
  wokenAt: Ms | undefined;
}

/**
 * Who of several woken at once begins first. Device-mapper is asked alone, because a block event is mostly
 * about it; files alone answer within the turn; the rest answers later in any case, or is woken by any
 * line of the kernel's log.
 */
function rankOf(source: Source): 0 | 1 | 2 {
  if (source.wakes.length > 0 && source.wakes.every(({ on }) => on === 'kmsg')) return 2;
  if (source.reads.some(({ kind }) => kind === 'dm')) return 0;
  const isFile = (read: Read): boolean =>
    read.kind === 'link' || (read.kind === 'file' && read.mayHang !== true);
  return source.reads.every(isFile) ? 1 : 2;
}

export function createWatch(id: SourceId, source: Source, everyMs: number, now: Ms): Watch {
  return {
    id,
    source,
    everyMs,
    rank: rankOf(source),
    dueAt: now,
    inFlight: false,
    dirty: false,
    again: false,
    lastReadAt: ms(Number.NEGATIVE_INFINITY),
    lastReadMs: 0,
    wokenReads: 0,
    wokenAt: undefined,
  };
}

/** Sources of one period fall due together, so that an idle agent wakes seldom. */
export function nextOnGrid(now: Ms, everyMs: number): Ms {
  return ms((Math.floor(now / everyMs) + 1) * everyMs);
}

export function begin(watch: Watch, now: Ms): void {
  watch.inFlight = true;
  watch.wokenReads = watch.wokenAt === undefined ? 0 : watch.wokenReads + 1;
  watch.dirty = false;
  watch.again = false;
  watch.lastReadAt = now;
  watch.dueAt = nextOnGrid(now, watch.everyMs);
}

/** The earliest that a wake may read the source again. */
function gapEnd(watch: Watch): number {
  // The gap is between woken reads: one by the period says nothing of a storm.
  if (watch.wokenReads === 0) return watch.lastReadAt;
  const isStorm = watch.wokenReads > STORM_READS;
  const gapMs = Math.max(WAKE_GAP_MS, isStorm ? STORM_SHARE * watch.lastReadMs : 0);
  return watch.lastReadAt + Math.min(gapMs, watch.everyMs);
}

/** A read that took longer than its period skips what it missed: slow devices are not read without pause. */
export function finish(watch: Watch, now: Ms): void {
  watch.inFlight = false;
  watch.lastReadMs = now - watch.lastReadAt;
  if (watch.dueAt <= now) watch.dueAt = nextOnGrid(now, watch.everyMs);
  if (watch.dirty || watch.again)
    watch.dueAt = ms(Math.min(watch.dueAt, Math.max(now, gapEnd(watch))));
}

export function mark(watch: Watch, wokenAt: Ms, now: Ms): void {
  watch.wokenAt ??= wokenAt;
  if (watch.inFlight) watch.dirty = true;
  else watch.dueAt = ms(Math.min(watch.dueAt, Math.max(now, gapEnd(watch))));
}

/** Has the source read again soon for a reason of our own: no event waits for it, and none is delayed by it. */
export function refresh(watch: Watch, now: Ms): void {
  if (watch.inFlight) watch.again = true;
  else watch.dueAt = ms(Math.min(watch.dueAt, now));
}

export function isDue(watch: Watch, now: Ms): boolean {
  return !watch.inFlight && watch.dueAt <= now;
}

/**
 * What is due, those that answer soonest first. Who has waited long comes before all, the longest first: a
 * source that is woken without end keeps no other from its turn.
 */
export function dueOf(watches: readonly Watch[], now: Ms): readonly Watch[] {
  const due = watches.filter((watch) => isDue(watch, now));
  const isLong = (watch: Watch): number => Number(now - watch.dueAt > LONG_MS);
  return due.sort((a, b) => isLong(b) - isLong(a) || orderOf(a, b, isLong(a) === 1));
}

function orderOf(a: Watch, b: Watch, isLong: boolean): number {
  if (isLong) return a.dueAt - b.dueAt;
  return a.rank - b.rank || a.dueAt - b.dueAt;
}

/**
 * Until when the others wait for a source that goes ahead alone (rank 0); undefined when none does. Its
 * answer comes from another thread, and is taken in at once only when nothing else is being read.
 */
export function aheadUntil(watches: readonly Watch[], now: Ms): Ms | undefined {
  for (const { rank, inFlight, lastReadAt } of watches) {
    if (rank === 0 && inFlight && now < lastReadAt + AHEAD_MS) return ms(lastReadAt + AHEAD_MS);
  }
  return undefined;
}

/** When the next of them is to be read, no later than `latest`. */
export function earliest(watches: readonly Watch[], now: Ms, latest: Ms): Ms {
  const ahead = aheadUntil(watches, now) ?? now;
  let next: number = latest;
  for (const { rank, inFlight, dueAt } of watches) {
    if (!inFlight) next = Math.min(next, rank === 0 ? dueAt : Math.max(dueAt, ahead));
  }
  return ms(next);
}

/** Every wake any of the sources asks for. */
export function wakesOf(watches: readonly Watch[]): readonly Wake[] {
  return watches.flatMap((watch) => watch.source.wakes);
}
