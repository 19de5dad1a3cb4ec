/**
 * The kernel's log as a port: on the first read the whole ring, later what came since, always without
 * blocking. It keeps the newest records of the kernel itself (facility 0) at level warning and above:
 * that is a bound on volume, not a judgement. What a record means is the collector's.
 *
 * The descriptor is opened non-blocking and read with readSync: a blocking read of /dev/kmsg would hold
 * a pool thread for ever and with it the exit of the process. A read of many records is done in batches
 * with the loop let run between them. Source: Documentation/ABI/testing/dev-kmsg.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Entry } from '../../collectors/lib/collector.ts';
import type { Roots } from '../../rules/config.ts';
import { errnoOf } from './errno.ts';
import type { ReadPort, SpecialRead } from './port.ts';

type KmsgRead = Extract<SpecialRead, { kind: 'kmsg' }>;

/** Newest records kept; a node that logs more faults than this has been heard. */
export const RECORDS_KEPT_MAX = 512;
/** Characters kept of one record, its continuation lines included. */
export const RECORD_LENGTH_MAX = 1024;
/** Reads between two turns of the loop: about a millisecond. */
const READS_PER_TURN_MAX = 256;
/** Reads in one call; a log that is written faster than read is read on in the next call. */
const READS_PER_CALL_MAX = 65_536;
/** Skips in a row before what is read is no kernel log but something that only refuses. */
const SKIPS_MAX = 1024;
/** The kernel refuses a buffer shorter than the record with EINVAL; no record is longer than this. */
const BUFFER_BYTES = 8192;
/** Priority is facility * 8 + level: up to 4 is facility 0 at level warning and above. */
const PRIORITY_MAX = 4;
const HEAD = /^(\d{1,10}),(\d{1,15}),/u;

interface Ring {
  records: string[];
  /** Text after the last newline: a regular file or a pipe may be cut anywhere. */
  rest: string;
  /** A continuation line belongs to the record before it, and goes with it. */
  isKeeping: boolean;
  nextSequence: number | undefined;
  lost: number;
}

function emptyRing(): Ring {
  return { records: [], rest: '', isKeeping: false, nextSequence: undefined, lost: 0 };
}

function addLine(ring: Ring, line: string): void {
  if (line.startsWith(' ')) {
    const last = ring.records.length - 1;
    const record = ring.records[last];
    if (!ring.isKeeping || record === undefined) return;
    if (record.length + line.length < RECORD_LENGTH_MAX) ring.records[last] = `${record}\n${line}`;
    return;
  }
  const match = HEAD.exec(line);
  ring.isKeeping = match !== null && Number(match[1]) <= PRIORITY_MAX;
  if (match !== null) {
    const sequence = Number(match[2]);
    if (ring.nextSequence !== undefined && sequence > ring.nextSequence) {
      ring.lost += sequence - ring.nextSequence;
    }
    ring.nextSequence = sequence + 1;
  }
  // What is no record at all is kept too, cut: the collector then says that this is no kernel log.
  if (ring.isKeeping || (match === null && line !== '')) {
    ring.records.push(line.slice(0, RECORD_LENGTH_MAX));
  }
  if (ring.records.length > 2 * RECORDS_KEPT_MAX) {
    ring.records = ring.records.slice(-RECORDS_KEPT_MAX);
  }
}

function addText(ring: Ring, text: string): void {
  const lines = (ring.rest + text).split('\n');
  ring.rest = (lines.pop() ?? '').slice(0, BUFFER_BYTES);
  for (const line of lines) addLine(ring, line);
}

function textOf(ring: Ring): string {
  const kept = ring.records.slice(-RECORDS_KEPT_MAX);
  const lines = ring.lost > 0 ? [`# lost ${ring.lost}`, ...kept] : kept;
  return lines.map((line) => `${line}\n`).join('');
}

function refusal(errno: string, path: string): Entry {
  if (errno === 'EPERM' || errno === 'EACCES') {
    return { errno, why: `${path} needs CAP_SYSLOG or kernel.dmesg_restrict=0` };
  }
  return { errno, why: `${path}: ${errno}` };
}

/** `more`: something was read; `skipped`: the kernel stepped past something; `idle`: nothing to read now. */
type Step = 'more' | 'skipped' | 'idle' | { readonly errno: string };

class KmsgPort implements ReadPort<KmsgRead> {
  readonly #path: string;
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);
  #ring = emptyRing();
  #descriptor: number | undefined;
  #isClosed = false;
  #inFlight: Promise<Entry> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** One read at a time: who asks meanwhile gets the same answer. */
  readonly read = (): Promise<Entry> => {
    this.#inFlight ??= this.#readAll().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  };

  readonly close = (): void => {
    this.#isClosed = true;
    this.#release();
  };

  #release(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    // A new descriptor starts at the oldest record again: the ring must, too.
    this.#ring = emptyRing();
  }

  async #readAll(): Promise<Entry> {
    let skips = 0;
    for (let reads = 0; reads < READS_PER_CALL_MAX && skips <= SKIPS_MAX; reads += 1) {
      if (this.#isClosed) return { errno: 'ECANCELED', why: 'the agent is stopping' };
      const step = this.#readOne();
      if (step === 'idle') break;
      if (typeof step !== 'string') {
        this.#release();
        return refusal(step.errno, this.#path);
      }
      skips = step === 'skipped' ? skips + 1 : 0;
      if (reads % READS_PER_TURN_MAX === READS_PER_TURN_MAX - 1) await setImmediate();
    }
    return skips > SKIPS_MAX ? refusal('EIO', this.#path) : { text: textOf(this.#ring) };
  }

  #readOne(): Step {
    try {
      this.#descriptor ??= openSync(
        this.#path,
        constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
      );
      const length = readSync(this.#descriptor, this.#buffer, 0, BUFFER_BYTES, null);
      if (length === 0) return 'idle';
      // The kernel escapes everything that is not printable ASCII.
      addText(this.#ring, this.#buffer.toString('latin1', 0, length));
      return 'more';
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EAGAIN') return 'idle';
      // EPIPE: records were overwritten. EINVAL: one did not fit. The kernel has stepped past both,
      // and the gap in the sequence counts them.
      const isPassable = errno === 'EPIPE' || errno === 'EINTR' || errno === 'EINVAL';
      return isPassable && this.#descriptor !== undefined ? 'skipped' : { errno };
    }
  }
}

/** Port for reads of kind `kmsg`. Opens nothing before the first read; a refusal is tried anew at the next. */
export function openKmsg(options: { readonly roots: Roots }): ReadPort<KmsgRead> {
  return new KmsgPort(join(options.roots.dev, 'kmsg'));
}
