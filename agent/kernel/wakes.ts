/**
 * Kernel wakes as the loop sees them: it names what its sources want to be woken by, and is called when
 * something of it moved. Behind it one thread waits in `poll` (worker.ts). Whenever that thread is not to
 * be had, not yet or no longer able to see, the polling twin takes its place: every second everything
 * counts as moved, so no source is ever worse off than its period, and a dead thread never ends the agent.
 */
import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Wake } from '../../collectors/lib/collector.ts';
import type { Roots } from '../../rules/config.ts';
import { type Ms, ms } from '../../rules/model.ts';
import { monotonicMs } from '../ports/clock.ts';
import { closeDescriptors, openDescriptors } from './descriptors.ts';
import { pathFits } from './glob.ts';
import { openLibc } from './libc.ts';
import {
  CELL,
  CELLS,
  errorName,
  type KernelFds,
  type KernelWake,
  type WorkerMessage,
  type WorkerStart,
} from './message.ts';

export type { KernelWake } from './message.ts';

/** Period of the polling twin, and of the look at the thread's beat. */
const POLLING_MS = 1000;
/** The thread beats at least twice a second; after so many looks without a beat it hangs. */
const BEATLESS_LOOKS_MAX = 3;
/** Waits before each restart of a dead thread; when they are used up, polling is for good. */
const RESTART_WAITS_MS: readonly number[] = [100, 500, 2000];
/** A thread that lived as long died of something else than the one before it. */
const RESTART_FORGET_MS = 600_000;
/** How long `openWakes` waits for the thread; it goes on by itself after that. */
const START_MS = 3000;
/** How long `close` waits for the thread before it leaves it behind. */
const CLOSE_MS = 2000;
/** The thread holds a few thousand small objects; without a limit V8 grows before it collects. */
const HEAP_MB = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 } as const;

export interface WakesOptions {
  readonly roots: Roots;
  /** The union over all sources; only what they need is opened. */
  readonly wakes: readonly Wake[];
  /** `at`: when the kernel's event was seen, CLOCK_MONOTONIC. Must not throw. */
  readonly onWake: (wakes: readonly KernelWake[], at: Ms) => void;
  /** One sentence for the journal: what is not seen, and what follows from it. */
  readonly onTrouble: (why: string) => void;
  readonly pollingOnly?: boolean;
}

export interface Wakes {
  /** `polling` also while the thread is being restarted or hangs. */
  readonly mode: 'kernel' | 'polling';
  /** Ends the thread; resolves within two seconds whatever it does. Safe to call twice. */
  close(): Promise<void>;
}

/** Whether a source that asked for `wake` is to be read because of `kernel`. */
export function matches(wake: Wake, kernel: KernelWake): boolean {
  if (kernel.on === 'overflow') return true;
  switch (wake.on) {
    case 'uevent':
      return kernel.on === 'uevent' && kernel.subsystem === wake.subsystem;
    case 'netlink':
      return kernel.on === 'netlink' && kernel.about === wake.about;
    case 'pollpri':
      return kernel.on === 'pollpri' && pathFits(`${wake.root}/${wake.glob}`, kernel.path);
    case 'kmsg':
      return kernel.on === 'kmsg';
  }
}

/** A wake thread from its start to its end. */
interface Thread {
  readonly worker: Worker;
  readonly cells: Int32Array;
  readonly startedMs: number;
  ready: boolean;
  beat: number;
  beatlessLooks: number;
  why: string;
}

class KernelWakes implements Wakes {
  readonly #options: WakesOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #onExit = (): void => this.#stopThread();
  #fds: KernelFds | undefined;
  #thread: Thread | undefined;
  #isOpen = false;
  #restarts = 0;
  #restart: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;
  #settled: () => void = () => undefined;
  #ended: () => void = () => undefined;

  constructor(options: WakesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), POLLING_MS);
    // A thread in poll would hold up process.exit for the rest of its wait.
    process.on('exit', this.#onExit);
  }

  get mode(): 'kernel' | 'polling' {
    const thread = this.#thread;
    return thread?.ready && thread.beatlessLooks < BEATLESS_LOOKS_MAX ? 'kernel' : 'polling';
  }

  /** Resolves when the thread sees, when it cannot, or when it takes too long to tell. */
  async open(): Promise<void> {
    const { roots, wakes, onTrouble, pollingOnly } = this.#options;
    if (pollingOnly === true) {
      this.#trouble('no kernel wakes, as configured');
      return;
    }
    try {
      const libc = await openLibc();
      this.#fds = openDescriptors(libc, roots, wakes, onTrouble);
    } catch (error) {
      this.#trouble(`no kernel wakes: koffi cannot call libc (${errorName(error)})`);
      return;
    }
    const { uevent, route, kmsg } = this.#fds ?? {};
    const files = wakes.some(({ on }) => on === 'pollpri');
    if ((uevent ?? route ?? kmsg) === undefined && !files && wakes.length > 0) {
      this.#releaseFds();
      this.#trouble('no kernel wakes: none of their descriptors could be opened');
      return;
    }
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => {
        this.#trouble(`the wake thread is not ready after ${START_MS} ms`);
        resolve();
      }, START_MS);
      this.#settled = () => {
        clearTimeout(late);
        resolve();
      };
      this.#startThread();
    });
    this.#isOpen = true;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #trouble(why: string): void {
    this.#options.onTrouble(`${why}: every source is re-read each ${POLLING_MS} ms instead`);
  }

  #everything(): void {
    this.#options.onWake([{ on: 'overflow' }], ms(monotonicMs()));
  }

  /** Once a period: is the thread alive, and if not, stand in for it. */
  #look(): void {
    const thread = this.#thread;
    if (thread?.ready) {
      const beat = Atomics.load(thread.cells, CELL.beat);
      thread.beatlessLooks = beat === thread.beat ? thread.beatlessLooks + 1 : 0;
      thread.beat = beat;
      if (thread.beatlessLooks === BEATLESS_LOOKS_MAX) {
        this.#trouble('the wake thread hangs in a read or is starved');
      }
    }
    if (this.mode === 'polling') this.#everything();
  }

  #startThread(): void {
    const fds = this.#fds;
    if (fds === undefined || this.#closed !== undefined) return;
    const shared = new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT);
    const { roots, wakes } = this.#options;
    const start: WorkerStart = {
      roots,
      globs: wakes.flatMap((wake) =>
        wake.on === 'pollpri' ? [{ root: wake.root, glob: wake.glob }] : [],
      ),
      subsystems: wakes.flatMap((wake) => (wake.on === 'uevent' ? [wake.subsystem] : [])),
      abouts: wakes.flatMap((wake) => (wake.on === 'netlink' ? [wake.about] : [])),
      fds,
      shared,
    };
    // Built or not, the thread's file has the ending of this one.
    const file = new URL(import.meta.url.replace(/wakes(\.[jt]s)$/u, 'worker$1'));
    const worker = new Worker(file, {
      name: 'wakes',
      workerData: start,
      execArgv: [],
      resourceLimits: HEAP_MB,
    });
    const thread: Thread = {
      worker,
      cells: new Int32Array(shared),
      startedMs: monotonicMs(),
      ready: false,
      beat: 0,
      beatlessLooks: 0,
      why: 'it was stopped from outside',
    };
    this.#thread = thread;
    worker.on('message', (message: WorkerMessage) => this.#heard(thread, message));
    worker.on('error', (error) => {
      thread.why = errorName(error);
    });
    worker.on('exit', () => this.#threadEnded(thread));
  }

  #heard(thread: Thread, message: WorkerMessage): void {
    if (message.kind === 'wakes') Atomics.add(thread.cells, CELL.taken, 1);
    if (this.#closed !== undefined) return;
    switch (message.kind) {
      case 'ready':
        thread.ready = true;
        // What moved while nothing was armed was not seen. At the first start nothing was read yet.
        if (this.#isOpen) this.#everything();
        this.#settled();
        return;
      case 'wakes':
        this.#options.onWake(message.wakes, ms(message.atMs));
        return;
      case 'trouble':
        this.#options.onTrouble(message.why);
    }
  }

  #threadEnded(thread: Thread): void {
    this.#thread = undefined;
    this.#ended();
    if (this.#closed !== undefined) return;
    if (monotonicMs() - thread.startedMs > RESTART_FORGET_MS) this.#restarts = 0;
    const waitMs = RESTART_WAITS_MS[this.#restarts];
    if (waitMs === undefined) {
      this.#releaseFds();
      this.#trouble(`the wake thread ended (${thread.why}) and is not started again`);
      this.#settled();
      return;
    }
    this.#restarts += 1;
    this.#options.onTrouble(
      `the wake thread ended (${thread.why}): restart ${this.#restarts} of ${RESTART_WAITS_MS.length} in ${waitMs} ms`,
    );
    this.#restart = setTimeout(() => this.#startThread(), waitMs);
  }

  /** The eventfd stays readable, so it is seen whenever the thread comes to its next poll. */
  #stopThread(): void {
    if (this.#fds !== undefined) writeSync(this.#fds.stop, BigUint64Array.of(1n));
  }

  #releaseFds(): void {
    if (this.#fds !== undefined) closeDescriptors(this.#fds);
    this.#fds = undefined;
  }

  async #close(): Promise<void> {
    process.off('exit', this.#onExit);
    clearInterval(this.#timer);
    clearTimeout(this.#restart);
    this.#settled();
    const thread = this.#thread;
    if (thread !== undefined) {
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, CLOSE_MS);
        this.#ended = () => {
          clearTimeout(late);
          resolve();
        };
        this.#stopThread();
      });
    }
    // A thread that is still there may be using the descriptors: they end with the process.
    if (this.#thread === undefined) this.#releaseFds();
    else thread?.worker.unref();
  }
}

/**
 * Opens the wakes and waits until what can be armed is armed. Never rejects: what cannot be had is told
 * by `onTrouble`, and the polling twin stands in for it.
 */
export async function openWakes(options: WakesOptions): Promise<Wakes> {
  const wakes = new KernelWakes(options);
  await wakes.open();
  return wakes;
}
