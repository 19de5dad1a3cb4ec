/**
 * One reader child at a time and the jobs that wait for it. When a file hangs, the child is killed, the
 * file is handed to its owner as hung, and the rest of the job goes on in a new child: files of other
 * folders first, because what shares a device with the hung file is likely to hang as well.
 */
import type { Entry } from '../../collectors/lib/collector.ts';
import { monotonicMs } from '../ports/clock.ts';
import { errnoOf } from '../ports/glob.ts';
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
  /** All of these were read; those not answered are as they were. */
  readonly confirmed: (files: readonly F[]) => void;
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
  readonly files: readonly F[];
  readonly done: () => void;
}

export class Lane<F extends LaneFile> {
  readonly #options: LaneOptions;
  readonly #owner: LaneOwner<F>;
  readonly #jobs: Job<F>[] = [];
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
  read(list: number, files: readonly F[]): Promise<void> {
    return new Promise((resolve) => {
      this.#jobs.push({ list, files, done: resolve });
      if (!this.#busy) void this.#work();
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
    this.#busy = true;
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      await this.#serve(job);
      job.done();
    }
    this.#busy = false;
    if (this.#options.linger) return;
    const child = this.#child;
    this.#child = undefined;
    await child?.close();
  }

  async #serve(job: Job<F>): Promise<void> {
    let rest = job.files;
    let deaths = 0;
    while (rest.length > 0) {
      const child = this.#ready();
      if (!(child instanceof ReaderProcess)) {
        this.#owner.failed(rest, child);
        return;
      }
      const answered = new Set<number>();
      const end = await child.read(job.list, rest, (answers) => {
        for (const { index } of answers) answered.add(index);
        this.#owner.answered(answers);
      });
      if (end.how === 'done') {
        this.#pauseMs = RESTART_MS;
        this.#owner.confirmed(rest);
        return;
      }
      this.#drop(child);
      this.#owner.confirmed(rest.filter(({ index }) => answered.has(index)));
      const culprit = this.#closed ? undefined : rest.find(({ index }) => index === end.index);
      if (culprit !== undefined) {
        this.#owner.hung(culprit, this.#verdict(end.how), child.exited);
      } else {
        deaths += 1;
        if (deaths > 1) this.#rest('why' in end ? end.why : '');
      }
      rest = reordered(
        rest.filter((file) => file !== culprit && !answered.has(file.index)),
        culprit?.folder,
      );
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
