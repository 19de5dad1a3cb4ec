/**
 * The wake thread: waits in one `poll` for uevents, rtnetlink, files with POLLPRI and the kernel log, and
 * tells the main thread what moved. It decides nothing and reads no facts. Every wait is bounded, for a
 * thread in an endless system call keeps the process from exiting. It ends when the eventfd is readable,
 * and by an exception when its own machinery is broken: the main thread then starts another.
 */

import { constants } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { monotonicMs } from '../ports/clock.ts';
import {
  drainKmsg,
  drainRoutes,
  drainUevents,
  type NetlinkBuffers,
  netlinkBuffers,
  PendingWakes,
} from './drain.ts';
import { type WatchedFile, WatchedFiles } from './files.ts';
import { type Libc, openLibc, POLLIN, POLLNVAL, POLLPRI } from './libc.ts';
import { CELL, type KernelWake, type WorkerMessage, type WorkerStart } from './message.ts';
import { rehearseDrains } from './rehearsal.ts';

/** The longest wait; what `process.exit` may have to wait for. */
const POLL_MS = 500;
/** The wait while wakes are held back because the main thread is behind. */
const HELD_POLL_MS = 10;
/** Messages the main thread may have in its queue before wakes are held and merged instead. */
const IN_FLIGHT_MAX = 4;
/** Rest after a round with events: a storm is merged into at most about a thousand rounds a second. */
const ROUND_REST_MS = 1;
/** Devices come and go with uevents; their attribute files may follow a moment later. */
const LIST_MS = 30_000;
const LIST_SETTLE_MS = 1000;
const LIST_SPACING_MS = 200;
const LIST_SUBSYSTEMS: ReadonlySet<string> = new Set(['block', 'hwmon']);
/** `poll` failing so often in a row is not bad luck. */
const POLL_FAILURES_MAX = 16;
const KMSG_RECORD_BYTES = 16_384;
const POLLFD_BYTES = 8;

/** `struct pollfd[]`: i32 fd, i16 events, i16 revents. */
class PollSet {
  readonly #bytes: ArrayBuffer;
  readonly #fds: Int32Array;
  readonly #events: Int16Array;
  readonly count: number;

  constructor(entries: readonly (readonly [fd: number, events: number])[]) {
    this.count = entries.length;
    this.#bytes = new ArrayBuffer(entries.length * POLLFD_BYTES);
    this.#fds = new Int32Array(this.#bytes);
    this.#events = new Int16Array(this.#bytes);
    for (const [index, [fd, events]] of entries.entries()) {
      this.#fds[index * 2] = fd;
      this.#events[index * 4 + 2] = events;
    }
  }

  /** What poll(2) returns, and -1 with errno set. */
  wait(libc: Libc, timeoutMs: number): number {
    return libc.poll(this.#fds, this.count, timeoutMs);
  }

  revents(index: number): number {
    return this.#events[index * 4 + 3] ?? 0;
  }
}

/** When the watched files are to be listed again. */
interface Listing {
  lastMs: number;
  nextMs: number;
  settleMs: number;
}

interface Thread {
  readonly start: WorkerStart;
  readonly libc: Libc;
  readonly cells: Int32Array;
  readonly post: (message: WorkerMessage) => void;
  readonly files: WatchedFiles;
  readonly pending: PendingWakes;
  readonly listing: Listing;
  readonly subsystems: ReadonlySet<string>;
  readonly abouts: ReadonlySet<'link' | 'route'>;
  readonly record: Uint8Array;
  readonly buffers: NetlinkBuffers;
  kmsg: number | undefined;
  /** Polls that failed in a row. */
  failures: number;
}

/** What one round polls: the fixed descriptors by their role, then the files. */
interface Round {
  readonly set: PollSet;
  readonly roles: readonly ('stop' | 'uevent' | 'route' | 'kmsg')[];
  readonly files: readonly WatchedFile[];
}

function roundOf(thread: Thread): Round {
  const { fds } = thread.start;
  const roles = (
    [
      ['stop', fds.stop],
      ['uevent', fds.uevent],
      ['route', fds.route],
      ['kmsg', thread.kmsg],
    ] as const
  ).flatMap(([role, fd]) => (fd === undefined ? [] : [[role, fd] as const]));
  const files = thread.files.all;
  return {
    set: new PollSet([
      ...roles.map(([, fd]) => [fd, POLLIN] as const),
      ...files.map(({ fd }) => [fd, POLLPRI] as const),
    ]),
    roles: roles.map(([role]) => role),
    files,
  };
}

/** Lists at once, but not more often than the spacing, and once more when the dust has settled. */
function listSoon(listing: Listing, nowMs: number): void {
  listing.nextMs = Math.min(listing.nextMs, Math.max(nowMs, listing.lastMs + LIST_SPACING_MS));
  listing.settleMs = nowMs + LIST_SETTLE_MS;
}

/** Lists when the dust has settled: a device that only changed mostly has the files it had. */
function listSettled(listing: Listing, nowMs: number): void {
  listing.settleMs = nowMs + LIST_SETTLE_MS;
  listing.nextMs = Math.min(listing.nextMs, listing.settleMs);
}

function list(thread: Thread, nowMs: number): readonly string[] {
  const { listing } = thread;
  const added = thread.files.list();
  listing.lastMs = nowMs;
  listing.nextMs = listing.settleMs > nowMs ? listing.settleMs : nowMs + LIST_MS;
  return added;
}

/** Empties the sockets that have something. True when the thread is to end. */
function drainSockets(thread: Thread, round: Round, atMs: number): boolean {
  const { libc, buffers } = thread;
  const { fds } = thread.start;
  const add = (wake: KernelWake): void => {
    thread.pending.add(wake, atMs);
    // The event that was lost may have been the birth of a device with files to watch.
    if (wake.on === 'overflow') listSoon(thread.listing, atMs);
  };
  for (const [index, role] of round.roles.entries()) {
    const revents = round.set.revents(index);
    if (revents === 0) continue;
    if ((revents & POLLNVAL) !== 0) throw new Error(`the ${role} descriptor was closed`);
    if (role === 'stop') return true;
    if (role === 'uevent' && fds.uevent !== undefined) {
      drainUevents({ libc, fd: fds.uevent, buffers }, thread.subsystems, add, (event) => {
        if (!LIST_SUBSYSTEMS.has(event.subsystem)) return;
        if (event.action === 'change') listSettled(thread.listing, atMs);
        else listSoon(thread.listing, atMs);
      });
    }
    if (role === 'route' && fds.route !== undefined) {
      drainRoutes({ libc, fd: fds.route, buffers }, thread.abouts, add);
    }
  }
  return false;
}

/** Empties the kernel log, where it has something. */
function drainLog(thread: Thread, round: Round, atMs: number): void {
  if (thread.kmsg === undefined || round.set.revents(round.roles.indexOf('kmsg')) === 0) return;
  thread.pending.add({ on: 'kmsg' }, atMs);
  if (drainKmsg(thread.kmsg, thread.record)) return;
  thread.kmsg = undefined;
  thread.post({
    kind: 'trouble',
    why: 'the kernel log device cannot be read any more: it is read at its period',
  });
}

/** Arms again the files that woke. */
function drainFiles(thread: Thread, round: Round, atMs: number): void {
  for (const [index, file] of round.files.entries()) {
    if (round.set.revents(round.roles.length + index) === 0) {
      file.fires = 0;
      continue;
    }
    thread.pending.add({ on: 'pollpri', path: file.key }, atMs);
    thread.files.fired(file);
  }
}

/** Tells the main thread, unless it is behind. True when wakes are held back. */
function tell(thread: Thread): boolean {
  if (thread.pending.size === 0) return false;
  const { cells } = thread;
  const inFlight = (Atomics.load(cells, CELL.sent) - Atomics.load(cells, CELL.taken)) | 0;
  if (inFlight >= IN_FLIGHT_MAX) return true;
  Atomics.add(cells, CELL.sent, 1);
  thread.post({ kind: 'wakes', ...thread.pending.take() });
  return false;
}

function beat(cells: Int32Array): void {
  Atomics.add(cells, CELL.beat, 1);
}

/** One wait. Returns what poll(2) returned; throws when it keeps failing. */
function waitOnce(thread: Thread, round: Round, held: boolean): number {
  const untilListMs = Math.max(0, Math.ceil(thread.listing.nextMs - monotonicMs()));
  const timeoutMs = Math.min(held ? HELD_POLL_MS : POLL_MS, untilListMs);
  const count = round.set.wait(thread.libc, timeoutMs);
  const errno = count < 0 ? thread.libc.errno() : 0;
  thread.failures = errno === 0 || errno === constants.errno.EINTR ? 0 : thread.failures + 1;
  if (thread.failures > POLL_FAILURES_MAX) throw new Error(`poll: errno ${errno}`);
  return count;
}

function watch(thread: Thread): void {
  const { cells, listing, pending } = thread;
  const rest = new Int32Array(new SharedArrayBuffer(4));
  let round = roundOf(thread);
  let held = false;
  for (;;) {
    const count = waitOnce(thread, round, held);
    const atMs = monotonicMs();
    beat(cells);
    const { kmsg } = thread;
    const watched = thread.files.size;
    // Told one after the other: a wake that names what moved does not wait for the log to be emptied.
    if (count > 0 && drainSockets(thread, round, atMs)) return;
    held = tell(thread);
    if (count >= 0) {
      drainFiles(thread, round, atMs);
      held = tell(thread);
      drainLog(thread, round, atMs);
      held = tell(thread);
    }
    let stale = kmsg !== thread.kmsg || watched !== thread.files.size;
    if (monotonicMs() >= listing.nextMs) {
      // What moved in a new file before it was armed was not seen: have it read.
      for (const path of list(thread, atMs)) pending.add({ on: 'pollpri', path }, atMs);
      held = tell(thread);
      stale = true;
    }
    if (stale) round = roundOf(thread);
    if (count !== 0) Atomics.wait(rest, 0, 0, ROUND_REST_MS);
  }
}

async function main(start: WorkerStart): Promise<void> {
  const cells = new Int32Array(start.shared);
  const post = (message: WorkerMessage): void => parentPort?.postMessage(message);
  const files = new WatchedFiles(
    start.roots,
    start.globs,
    (why) => post({ kind: 'trouble', why }),
    () => beat(cells),
  );
  const nowMs = monotonicMs();
  const thread: Thread = {
    start,
    libc: await openLibc(),
    cells,
    post,
    files,
    pending: new PendingWakes(),
    listing: { lastMs: nowMs, nextMs: nowMs, settleMs: nowMs },
    subsystems: new Set(start.subsystems),
    abouts: new Set(start.abouts),
    record: new Uint8Array(KMSG_RECORD_BYTES),
    buffers: netlinkBuffers(),
    kmsg: start.fds.kmsg,
    failures: 0,
  };
  try {
    rehearseDrains(thread.libc);
    list(thread, nowMs);
    post({ kind: 'ready' });
    watch(thread);
  } finally {
    files.close();
  }
}

await main(workerData as WorkerStart);
