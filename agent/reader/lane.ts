/**
 * One reader child at a time and the jobs that wait for it: all that wait are read in one run, because
 * a message costs both sides more than ten reads. When a file hangs, the child is killed, the
 * file is handed to its owner as hung, and the rest goes on in a new child: other lists and files of
 * other folders first, because what shares a device with the hung file is likely to hang as well.
 */
import type { Entry } from '../../collectors/lib/collector.ts';
import { monotonicMs } from '../ports/clock.ts';
import { errnoOf } from '../ports/errno.ts';
import { type ListedFile, ReaderProcess } from './process.ts';
import type { Answer } from './protocol.ts';

/** Killed children that the kernel still holds; beyond this no more are made. */
export const STUCK_MAX = 16;
/** Pause before the next try when a child cannot be made or dies by itself; doubles up to the second. */
const RESTART_MS = 1_000;
const RESTART_MS_MAX = 60_000;

export interface LaneFile extends ListedFile {
  readonly folder: string;
}

/** What a lane tells of the files of its jobs. */
export interface LaneOwner<F extends LaneFile> {
  readonly answered: (answers: readonly Answer[]) => void;
  /** All files of the list were read; those not answered are as they were. */
  readonly confirmed: (list: number) => void;
  /** `holderGone` settles when the process that hangs on the file has ended. */
  readonly hung: (file: F, entry: Entry, holderGone: Promise<void>) => void;
  readonly failed: (files: readonly F[], entry: Entry) => void;
}

export interface LaneOptions {
  readonly runDir: string;
  readonly hangMs: number;
  /** Keep the child between jobs. */
  readonly linger: boolean;
  /** Children killed and not yet gone, shared by all lanes. */
  readonly stuck: Set<ReaderProcess>;
}

interface Job<F extends LaneFile> {
  readonly list: number;
  readonly seldom: boolean;
  /** Those still to be read. */
  files: readonly F[];
  readonly done: () => void;
}

export class Lane<F extends LaneFile> {
  readonly #options: LaneOptions;
  readonly #owner: LaneOwner<F>;
  #jobs: Job<F>[] = [];
  #child: ReaderProcess | undefined;
  #busy = false;
  #closed = false;
  #pauseMs: number = RESTART_MS;
  #notBeforeMs = 0;
  #lastFailure = '';

  constructor(options: LaneOptions, owner: LaneOwner<F>) {
    this.#options = options;
    this.#owner = owner;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Settles when every file was answered, hung or given up. Never rejects. */
  read(list: number, seldom: boolean, files: readonly F[]): Promise<void> {
    return new Promise((resolve) => {
      this.#jobs.push({ list, seldom, files, done: resolve });
      if (this.#busy) return;
      this.#busy = true;
      // Whoever else asks in this turn joins the run.
      process.nextTick(() => void this.#work());
    });
  }

  forget(list: number): void {
    this.#child?.forget(list);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const child = this.#child;
    this.#child = undefined;
    await child?.close();
  }

  async #work(): Promise<void> {
    while (this.#jobs.length > 0) {
      const jobs = this.#jobs;
      this.#jobs = [];
      await this.#serve(jobs);
    }
    this.#busy = false;
    if (this.#options.linger) return;
    const child = this.#child;
    this.#child = undefined;
    await child?.close();
  }

  async #serve(jobs: readonly Job<F>[]): Promise<void> {
    const left = new Map(jobs.map((job) => [job.list, job]));
    let deaths = 0;
    while (left.size > 0) {
      const child = this.#ready();
      if (!(child instanceof ReaderProcess)) {
        for (const { files, done } of left.values()) {
          this.#owner.failed(files, child);
          done();
        }
        return;
      }
      const answered = new Set<number>();
      const end = await child.read([...left.values()], {
        answered: (answers) => {
          for (const { index } of answers) answered.add(index);
          this.#owner.answered(answers);
        },
        done: (list) => {
          this.#owner.confirmed(list);
          left.get(list)?.done();
          left.delete(list);
        },
      });
      if (end.how === 'done') {
        this.#pauseMs = RESTART_MS;
        return;
      }
      this.#drop(child);
      const culprit = this.#closed ? undefined : fileOf(left, end.index);
      if (culprit !== undefined) {
        this.#owner.hung(culprit.file, this.#verdict(end.how), child.exited);
      } else {
        deaths += 1;
        if (deaths > 1) this.#rest('why' in end ? end.why : '');
      }
      this.#goOn(left, answered, culprit);
    }
  }

  /** Leaves what is still to be read after a child was lost; the list and the folder of the culprit last. */
  #goOn(
    left: Map<number, Job<F>>,
    answered: ReadonlySet<number>,
    culprit: Culprit<F> | undefined,
  ): void {
    for (const job of [...left.values()]) {
      const rest = job.files.filter((file) => file !== culprit?.file && !answered.has(file.index));
      job.files = reordered(rest, culprit?.file.folder);
      if (job.files.length > 0 && job !== culprit?.job) continue;
      left.delete(job.list);
      if (job.files.length > 0) left.set(job.list, job);
      else job.done();
    }
  }

  #verdict(how: 'hung' | 'dead'): Entry {
    return how === 'hung'
      ? { errno: 'ETIMEDOUT', why: `no answer within ${this.#options.hangMs} ms` }
      : { errno: 'EIO', why: 'the process that read it died' };
  }

  /** No new child before a pause is over: one that cannot start must not be started all the time. */
  #rest(why: string): void {
    this.#lastFailure = why;
    this.#notBeforeMs = monotonicMs() + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, RESTART_MS_MAX);
  }

  #drop(child: ReaderProcess): void {
    const { stuck } = this.#options;
    if (this.#child === child) this.#child = undefined;
    stuck.add(child);
    void child.exited.then(() => stuck.delete(child));
    child.kill();
  }

  /** The running child or a new one, or why there is none. */
  #ready(): ReaderProcess | Entry {
    if (this.#closed) return { errno: 'ECANCELED', why: 'the agent is ending' };
    if (this.#child !== undefined) return this.#child;
    const { stuck, runDir, hangMs } = this.#options;
    if (stuck.size >= STUCK_MAX) {
      return { errno: 'ECHILD', why: `${stuck.size} readers are stuck in the kernel` };
    }
    if (monotonicMs() < this.#notBeforeMs) {
      return { errno: 'ECHILD', why: `no reader process: ${this.#lastFailure}` };
    }
    try {
      this.#child = new ReaderProcess({ runDir, hangMs });
      return this.#child;
    } catch (error) {
      this.#rest(`${errnoOf(error)} in ${runDir}`);
      return { errno: errnoOf(error), why: `no reader process: ${this.#lastFailure}` };
    }
  }
}

interface Culprit<F extends LaneFile> {
  readonly job: Job<F>;
  readonly file: F;
}

function fileOf<F extends LaneFile>(
  jobs: ReadonlyMap<number, Job<F>>,
  index: number | undefined,
): Culprit<F> | undefined {
  for (const job of jobs.values()) {
    const file = job.files.find((one) => one.index === index);
    if (file !== undefined) return { job, file };
  }
  return undefined;
}

/** The same files, those of the given folder last. */
function reordered<F extends LaneFile>(
  files: readonly F[],
  last: string | undefined,
): readonly F[] {
  return [
    ...files.filter(({ folder }) => folder !== last),
    ...files.filter(({ folder }) => folder === last),
  ];
}
