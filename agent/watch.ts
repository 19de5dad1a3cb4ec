/**
 * When each source is read: on a common grid of its period, at once when a wake marked it dirty, never
 * twice at the same time. It decides nothing about what is read; the loop asks it what is due.
 */
import type { Source, Wake } from '../collectors/lib/collector.ts';
import { type Ms, ms, type SourceId } from '../rules/model.ts';

/** A storm of wakes reads a source no more often than this. */
export const WAKE_GAP_MS = 20;
/** Nor, in a storm, for a larger share of time than one in this: 2,000 links must not fill a core. */
export const STORM_SHARE = 5;
/** More reads in a row that were woken than this are a storm; a few events are answered at once. */
export const STORM_READS = 5;

export interface Watch {
  readonly id: SourceId;
  readonly source: Source;
  readonly everyMs: number;
  dueAt: Ms;
  inFlight: boolean;
  /** Marked dirty while a read was in flight: what that read returns may be older than the wake. */
  dirty: boolean;
  lastReadAt: Ms;
  lastReadMs: number;
  /** Reads in a row that a wake caused. */
  wokenReads: number;
  /** The earliest wake not yet answered by a world. */
  wokenAt: Ms | undefined;
}

export function createWatch(id: SourceId, source: Source, everyMs: number, now: Ms): Watch {
  return {
    id,
    source,
    everyMs,
    dueAt: now,
    inFlight: false,
    dirty: false,
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
  if (watch.dirty) watch.dueAt = ms(Math.min(watch.dueAt, Math.max(now, gapEnd(watch))));
}

export function mark(watch: Watch, wokenAt: Ms, now: Ms): void {
  watch.wokenAt ??= wokenAt;
  if (watch.inFlight) watch.dirty = true;
  else watch.dueAt = ms(Math.min(watch.dueAt, Math.max(now, gapEnd(watch))));
}

/** Has the source read again soon for a reason of our own: no event waits for it, and none is delayed by it. */
export function refresh(watch: Watch, now: Ms): void {
  if (watch.inFlight) watch.dirty = true;
  else watch.dueAt = ms(Math.min(watch.dueAt, now));
}

export function isDue(watch: Watch, now: Ms): boolean {
  return !watch.inFlight && watch.dueAt <= now;
}

/** Files alone: read within the turn, while ports answer later in any case. */
function isQuick({ source }: Watch): boolean {
  return source.reads.every((read) => read.kind === 'file' || read.kind === 'link');
}

/**
 * What is due, the longest waiting first: a source that is woken without end keeps no other from its turn.
 * Of several woken at once those that answer at once come first.
 */
export function dueOf(watches: readonly Watch[], now: Ms): readonly Watch[] {
  const due = watches.filter((watch) => isDue(watch, now));
  return due.sort((a, b) => a.dueAt - b.dueAt || Number(isQuick(b)) - Number(isQuick(a)));
}

/** Every wake any of the sources asks for. */
export function wakesOf(watches: readonly Watch[]): readonly Wake[] {
  return watches.flatMap((watch) => watch.source.wakes);
}
