/**
 * One reader child seen from the agent: starts it, hands it a list, and tells how that run ended. It
 * decides only whether the child hangs; what follows from that is decided by the lane.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { monotonicMs } from '../ports/clock.ts';
import { errnoOf } from '../ports/errno.ts';
import { within } from '../ports/within.ts';
import {
  type Answer,
  IDLE,
  type Order,
  PROGRESS_BYTES,
  type Progress,
  type Report,
  readProgress,
} from './protocol.ts';

/**
 * A child that has not begun a run after this long is ended. Node itself starts in 0.1 s, but on a host
 * that is starved it took 5 s, and one that is ended then never reads: the next one starts as slowly.
 */
export const START_MS_MAX = 20_000;
/** A timer later than this says that we ourselves were stopped, and the child perhaps with us. */
const LATE_MS = 250;
/** From the polite end (closed channel) to SIGKILL. */
const GRACE_MS = 100;
/** Closing waits no longer than this for a child that the kernel holds. */
export const CLOSE_MS_MAX = 1_000;

const CHILD: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? 'child.ts' : 'child.js', import.meta.url),
);
/** A reader holds little: small heap, no helper threads of V8. */
const NODE_ARGS = ['--max-old-space-size=48', '--max-semi-space-size=1', '--single-threaded'];

/** How a run ended. `index` is the file the child was at, when it was at one. */
export type End =
  | { readonly how: 'done' }
  | { readonly how: 'hung'; readonly index: number }
  | { readonly how: 'dead'; readonly index: number | undefined; readonly why: string };

export interface ListedFile {
  readonly index: number;
  readonly path: string;
}

/** Files read together, in one run of their list. */
export interface ListedFiles {
  readonly list: number;
  /** Read seldom: no descriptor of theirs is kept. */
  readonly seldom: boolean;
  readonly files: readonly ListedFile[];
}

/** What is heard while a run goes on. */
export interface Hearing {
  readonly answered: (answers: readonly Answer[]) => void;
  /** All of the list was read. */
  readonly done: (list: number) => void;
}

interface Run {
  readonly number: number;
  readonly startedMs: number;
  readonly hearing: Hearing;
  readonly left: Set<number>;
  readonly end: (end: End) => void;
}

/** Makes the progress file. It has no name after this: nobody else can find it, nothing is left over. */
function openProgress(folder: string): number {
  const path = join(folder, `reader-${randomUUID()}`);
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const fd = openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  unlinkSync(path);
  // The child maps it: its memory must be there before it writes to it.
  writeSync(fd, Buffer.alloc(PROGRESS_BYTES));
  return fd;
}

export class ReaderProcess {
  readonly #child: ChildProcess;
  readonly #hangMs: number;
  #progressFd: number;
  #run: Run | undefined;
  #timer: NodeJS.Timeout | undefined;
  #runs = 0;
  /** One late timer of a run is our own fault; a loop that is always late must still find what hangs. */
  #excused = false;
  #ended = false;
  #sent: Map<number, readonly ListedFile[]> = new Map();
  readonly exited: Promise<void>;

  /** Throws what the system says when no child can be made (no folder, no memory, too many processes). */
  constructor(options: { readonly runDir: string; readonly hangMs: number }) {
    this.#hangMs = options.hangMs;
    this.#progressFd = openProgress(options.runDir);
    try {
      this.#child = fork(CHILD, [], {
        cwd: '/',
        env: {},
        execArgv: NODE_ARGS,
        stdio: ['ignore', 'ignore', 'ignore', 'ipc', this.#progressFd],
      });
    } catch (error) {
      this.#closeProgress();
      throw error;
    }
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#gone(`ended with ${signal ?? code}`);
        resolve();
      });
      this.#child.on('error', (error) => {
        this.#gone(`${errnoOf(error)}: ${error.message.split('\n', 1)[0]}`);
        if (this.#child.pid === undefined) resolve();
      });
    });
    this.#child.on('message', (message) => this.#hear(message as Report));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Has lists read once, in one run. Files are sent only when the array is another one than last time. */
  read(lists: readonly ListedFiles[], hearing: Hearing): Promise<End> {
    if (this.#ended) return Promise.resolve({ how: 'dead', index: undefined, why: 'ended' });
    this.#runs += 1;
    const number = this.#runs;
    return new Promise((resolve) => {
      const end = (how: End): void => {
        clearTimeout(this.#timer);
        this.#run = undefined;
        resolve(how);
      };
      this.#excused = false;
      const left = new Set(lists.map(({ list }) => list));
      this.#run = { number, startedMs: monotonicMs(), hearing, left, end };
      for (const { list, seldom, files } of lists) {
        if (this.#sent.get(list) === files) continue;
        this.#sent.set(list, files);
        const pairs = files.map(({ index, path }) => [index, path] as const);
        this.#send({ kind: 'list', list, seldom, files: pairs });
      }
      this.#send({ kind: 'read', lists: [...left], run: number });
      this.#watch(this.#hangMs);
    });
  }

  forget(list: number): void {
    if (this.#sent.delete(list) && !this.#ended) this.#send({ kind: 'drop', list });
  }

  /** Ends the child at once; what is blocked in the kernel ends when the kernel lets it. */
  kill(): void {
    this.#child.kill('SIGKILL');
    this.#gone('killed');
    // Neither may keep the agent alive while the kernel holds on to the child.
    if (this.#child.connected) this.#child.disconnect();
    this.#child.unref();
  }

  /** Closes the channel, which ends the child, and kills it if that did not. */
  async close(): Promise<void> {
    this.#gone('closed');
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.kill(), GRACE_MS);
    await within(this.exited, CLOSE_MS_MAX, () => undefined);
    clearTimeout(timer);
  }

  #send(order: Order): void {
    // A failure here is a child that is gone, and is heard of as such.
    this.#child.send(order, () => undefined);
  }

  #hear(report: Report): void {
    const run = this.#run;
    if (run === undefined || report.run !== run.number) return;
    if (report.answers.length > 0) run.hearing.answered(report.answers);
    for (const list of report.done) {
      run.left.delete(list);
      run.hearing.done(list);
    }
    if (run.left.size === 0) run.end({ how: 'done' });
  }

  #progress(): Progress | undefined {
    if (this.#progressFd < 0) return undefined;
    const record = Buffer.alloc(PROGRESS_BYTES);
    if (readSync(this.#progressFd, record, 0, PROGRESS_BYTES, 0) < PROGRESS_BYTES) return undefined;
    return readProgress(record);
  }

  #gone(why: string): void {
    this.#ended = true;
    const run = this.#run;
    const at = run === undefined ? undefined : this.#progress();
    this.#closeProgress();
    const index = at?.run === run?.number && at?.index !== IDLE ? at?.index : undefined;
    run?.end({ how: 'dead', index, why });
  }

  #closeProgress(): void {
    if (this.#progressFd >= 0) closeSync(this.#progressFd);
    this.#progressFd = -1;
  }

  #watch(waitMs: number): void {
    const dueMs = monotonicMs() + waitMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(monotonicMs() - dueMs > LATE_MS), waitMs);
  }

  /** Asks the progress file how long the child has been at the same file. */
  #check(late: boolean): void {
    const run = this.#run;
    if (run === undefined) return;
    const at = this.#progress();
    const nowMs = monotonicMs();
    if (late && !this.#excused) {
      this.#excused = true;
      this.#watch(this.#hangMs);
    } else if (at?.run === run.number && at.index !== IDLE) {
      const ageMs = nowMs - at.sinceMs;
      if (ageMs >= this.#hangMs) run.end({ how: 'hung', index: at.index });
      else this.#watch(this.#hangMs - ageMs + 1);
    } else if (nowMs - (at?.run === run.number ? at.sinceMs : run.startedMs) >= START_MS_MAX) {
      run.end({ how: 'dead', index: undefined, why: `silent for ${START_MS_MAX} ms` });
    } else {
      this.#watch(this.#hangMs);
    }
  }
}
