/**
 * Writes the journal beside the loop. The loop hands over each step and goes on; nothing ever waits for
 * the disk, an action least of all: what was ordered is done even if it can no longer be written down.
 * What holds a decision is written at once and synced; the rest is gathered for a second and left to the
 * kernel to write back. A disk that fails, is full or does not keep up costs steps, which are counted and
 * said once; when it can be written again a new segment with a fresh checkpoint shows where the gap is.
 */
import { type FileHandle, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Head, openRecorder, type Step, wallLine } from '../../rules/record.ts';
import type { World } from '../../rules/world.ts';
import { monotonicMs } from './clock.ts';
import {
  JOURNAL_LIMITS,
  type Journal,
  type JournalLimits,
  type JournalOptions,
} from './journal-contract.ts';
import { JOURNAL_FOLDER, makeSegment, pruneSegments } from './journal-files.ts';

/** One write; a checkpoint is made in pieces of this size, with turns of the loop between them. */
const WRITE_BYTES = 64 * 1024;

type Item =
  | {
      readonly kind: 'line';
      readonly text: string;
      readonly weighty: boolean;
      /** Of a step; labels are no loss. */
      readonly isStep: boolean;
    }
  | { readonly kind: 'segment'; readonly lines: Iterator<string> };

interface Segment {
  readonly file: FileHandle;
  readonly path: string;
  /** Whole lines on disk, as far as we know. */
  bytes: number;
  /** Its checkpoint is whole; without one it tells nothing. */
  usable: boolean;
}

class Writer implements Journal {
  readonly #options: JournalOptions;
  readonly #limits: JournalLimits;
  readonly #folder: string;
  readonly #recorder = openRecorder();
  /**
   * `closed`: no segment yet, or it ended by a failure: the next step begins one. `lagging`: the queue was
   * full; steps are lost until it is empty.
   */
  #state: 'closed' | 'open' | 'lagging' = 'closed';
  #queue: Item[] = [];
  #queueBytes = 0;
  #segment: Segment | undefined;
  /** Of the newest file. */
  #number = 0;
  /** Segments of this life. */
  #segments = 0;
  #stepBytes = 0;
  #checkpointBytes = 0;
  #latest: World | undefined;
  #wallOffsetMs = Number.NaN;
  #lost = 0;
  #lostSince = 0;
  #retryAt = 0;
  #drainedAt = 0;
  #draining: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** What was last said; '' while all is well. */
  #said = '';

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#limits = { ...JOURNAL_LIMITS, ...options.limits };
    this.#folder = join(options.stateDir, JOURNAL_FOLDER);
  }

  dropped = (): number => this.#lost;

  record = (step: Step): void => {
    if (this.#closed) return;
    this.#latest = step.after;
    try {
      this.#take(step);
    } catch (error) {
      // A value that cannot be written down is a bug; it must not stop the agent.
      this.#lose(1);
      this.#state = 'lagging';
      this.#say((error as Error).message);
    }
  };

  close = async (): Promise<void> => {
    if (this.#closed) return;
    if (this.#latest !== undefined && this.#state !== 'lagging') this.#begin('end', this.#latest);
    this.#closed = true;
    this.#drain();
    await this.#draining;
    clearTimeout(this.#timer);
    await this.#end();
  };

  #take(step: Step): void {
    const now = monotonicMs();
    if (!this.#isReady(now, step.before)) {
      this.#lose(1);
      return;
    }
    this.#noteWall();
    const { line, weighty } = this.#recorder.step(step);
    this.#push({ kind: 'line', text: `${line}\n`, weighty, isStep: true });
    if (this.#queueBytes > this.#limits.queueBytes) {
      this.#state = 'lagging';
      this.#say('its disk does not keep up');
    }
    if (weighty || now - this.#drainedAt >= this.#limits.gatherMs) this.#drain();
    else this.#timer ??= setTimeout(() => this.#drain(), 2 * this.#limits.gatherMs).unref();
  }

  /** Whether a step can be taken; begins a segment where one is due. */
  #isReady(now: number, world: World): boolean {
    if (this.#state === 'lagging' && this.#draining === undefined) this.#state = 'closed';
    if (this.#state === 'lagging') return false;
    if (this.#state === 'closed') {
      if (now < this.#retryAt) return false;
      this.#begin(this.#segments > 0 ? 'gap' : 'start', world);
    } else {
      const { segmentBytes, checkpointTimes } = this.#limits;
      const most = Math.max(segmentBytes, checkpointTimes * this.#checkpointBytes);
      if (this.#stepBytes > most) this.#begin('full', world);
    }
    return true;
  }

  #begin(reason: Head['reason'], world: World): void {
    const { version, node, boot, life, wallOffsetMs } = this.#options;
    this.#wallOffsetMs = wallOffsetMs();
    this.#segments += 1;
    const lines = this.#recorder.begin(
      {
        version,
        node,
        boot,
        life,
        segment: this.#segments,
        reason,
        lost: this.#lostSince,
        wallOffsetMs: this.#wallOffsetMs,
      },
      world,
    );
    this.#push({ kind: 'segment', lines });
    this.#state = 'open';
    this.#stepBytes = 0;
    this.#checkpointBytes = 0;
  }

  /** A clock that was set is a line of its own: the labels after it are by the new one. */
  #noteWall(): void {
    const now = this.#options.wallOffsetMs();
    if (now === this.#wallOffsetMs) return;
    this.#wallOffsetMs = now;
    this.#push({ kind: 'line', text: `${wallLine(now)}\n`, weighty: false, isStep: false });
  }

  #push(item: Item): void {
    this.#queue.push(item);
    if (item.kind !== 'line') return;
    this.#queueBytes += item.text.length;
    this.#stepBytes += item.text.length;
  }

  #lose(steps: number): void {
    this.#lost += steps;
    this.#lostSince += steps;
  }

  #drain(): void {
    this.#drainedAt = monotonicMs();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#draining ??= this.#write().finally(() => {
      this.#draining = undefined;
      // What came while a failure was being tidied up.
      if (this.#queue.length > 0) this.#drain();
    });
  }

  async #write(): Promise<void> {
    try {
      for (let item = this.#queue[0]; item !== undefined; item = this.#queue[0]) {
        if (item.kind === 'segment') await this.#writeSegment(item.lines);
        else await this.#writeSteps();
      }
      if (this.#state === 'open') this.#recovered();
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #writeSegment(lines: Iterator<string>): Promise<void> {
    await this.#end();
    const { totalBytes, filesMax } = this.#limits;
    await pruneSegments(this.#folder, totalBytes, filesMax).catch(() => undefined);
    const made = await makeSegment(this.#folder, this.#number);
    const segment: Segment = { ...made, bytes: 0, usable: false };
    this.#segment = segment;
    this.#number = made.number;
    let text = '';
    for (let next = lines.next(); next.done !== true; next = lines.next()) {
      text += `${next.value}\n`;
      if (text.length < WRITE_BYTES) continue;
      await this.#append(text);
      text = '';
    }
    await this.#append(text);
    await segment.file.datasync();
    segment.usable = true;
    this.#checkpointBytes = segment.bytes;
    this.#lostSince = 0;
    this.#queue.shift();
  }

  /** Steps up to the next segment, in writes of bounded size. */
  async #writeSteps(): Promise<void> {
    let text = '';
    let count = 0;
    let weighty = false;
    for (const item of this.#queue) {
      if (item.kind !== 'line' || text.length > WRITE_BYTES) break;
      text += item.text;
      weighty ||= item.weighty;
      count += 1;
    }
    await this.#append(text);
    if (weighty) await this.#segment?.file.datasync();
    this.#queue.splice(0, count);
    this.#queueBytes -= text.length;
  }

  async #append(text: string): Promise<void> {
    const segment = this.#segment;
    if (segment === undefined) throw new Error('no segment');
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await segment.file.write(bytes, at);
      at += bytesWritten;
    }
    segment.bytes += bytes.length;
  }

  /** Ends the segment for good: an error of the disk is final, what came after it is not to be trusted. */
  async #fail(error: unknown): Promise<void> {
    this.#lose(this.#queue.filter((item) => item.kind === 'line' && item.isStep).length);
    this.#queue = [];
    this.#queueBytes = 0;
    this.#state = 'closed';
    this.#retryAt = monotonicMs() + this.#limits.retryMs;
    const { code, message } = error as NodeJS.ErrnoException;
    this.#say(code ?? message);
    await this.#tidy().catch(() => undefined);
    await this.#end();
  }

  /** Half a line would be read as a torn one, and tries on a full disk must not leave a file each. */
  async #tidy(): Promise<void> {
    const segment = this.#segment;
    if (segment === undefined) return;
    if (segment.usable) await segment.file.truncate(segment.bytes);
    else await unlink(segment.path);
  }

  async #end(): Promise<void> {
    const segment = this.#segment;
    this.#segment = undefined;
    await segment?.file.close().catch(() => undefined);
  }

  #say(why: string): void {
    if (why === this.#said) return;
    this.#said = why;
    const { onTrouble } = this.#options;
    onTrouble(
      `the journal cannot be written to ${this.#folder}: ${why}; the agent goes on, what it does now cannot be explained later`,
    );
  }

  #recovered(): void {
    if (this.#said === '') return;
    this.#said = '';
    this.#options.onTrouble(
      `the journal is written to ${this.#folder} again; ${this.#lost} steps were not written since the start`,
    );
  }
}

export function openJournal(options: JournalOptions): Journal {
  return new Writer(options);
}
