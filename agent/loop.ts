/**
 * The loop: wake, read what is dirty or due, step, hand the world on. It decides nothing; the core does.
 * It waits for nothing either: a read that takes its time is in flight while the rest goes on, and a
 * parser that throws blinds its own source alone.
 */
import type { Parsed, Snapshot } from '../collectors/lib/collector.ts';
import type { Judgement } from '../rules/config.ts';
import {
  type ComponentId,
  type Ms,
  ms,
  type Observation,
  type Sample,
  type SourceId,
} from '../rules/model.ts';
import { emptyWorld, step } from '../rules/step.ts';
import type { Input, Remembered, World } from '../rules/world.ts';
import { type KernelWake, matches } from './kernel/wakes.ts';
import { monotonicNow } from './ports/clock.ts';
import type { Probe } from './probe.ts';
import { openRelists } from './relists.ts';
import { begin, dueOf, finish, isDue, mark, nextOnGrid, refresh, type Watch } from './watch.ts';

/** Even with nothing to read the world is stepped this often, so that sight can decay. */
export const HEARTBEAT_MS = 1000;
/** Samples kept until the next world is handed on. */
export const SAMPLES_MAX = 1000;
/** Reading goes on after the loop had a turn when it took longer than this. */
export const READING_TURN_MS = 2;

/** Wakes that name nothing list folders anew no more often than this. */
export const RELIST_MS = 10_000;

/** Later than this the process itself was stopped, or the machine. Less than any source's stale time. */
export const STOPPED_MS = 2000;
/** After a stop the sources have so long to answer before their age counts. */
export const CATCH_UP_MS = 1000;

export interface LoopOptions {
  readonly watches: readonly Watch[];
  readonly probe: Probe;
  readonly judgement: Judgement;
  readonly inventory: readonly Remembered[];
  readonly onWorld: (world: World, samples: readonly Sample[]) => void;
  readonly onTrouble: (why: string) => void;
}

export interface LoopCounts {
  readonly steps: number;
  readonly wakes: number;
  readonly readyAt: Ms | undefined;
  readonly drops: Readonly<Record<string, number>>;
}

export interface Loop {
  readonly world: () => World;
  readonly counts: () => LoopCounts;
  readonly wake: (wakes: readonly KernelWake[], at: Ms) => void;
  readonly tell: (input: Extract<Input, { kind: 'judgement' | 'forget' }>) => void;
  readonly knows: (component: ComponentId) => boolean;
  /** Resolves when every source has answered once. */
  readonly ready: Promise<void>;
  readonly close: () => void;
}

class RunningLoop implements Loop {
  readonly ready: Promise<void>;
  #world: World;
  #inbox: Input[] = [];
  #samples: Sample[] = [];
  #steps = 0;
  #wakes = 0;
  #samplesDropped = 0;
  #readyAt: Ms | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = ms(0);
  #relistedAt = ms(Number.NEGATIVE_INFINITY);
  readonly #relists = openRelists((watch) => {
    this.#options.probe.relist(watch.source);
    refresh(watch, monotonicNow());
    this.#readDue();
  });
  #turn: NodeJS.Immediate | undefined;
  /** Set while the sources are read again after a stop. */
  #catchUp: NodeJS.Timeout | undefined;
  #closed = false;
  #answered: () => void = () => {};
  readonly #options: LoopOptions;
  readonly #parsed = new Map<SourceId, Parsed>();
  /** Wakes that were read for, but are not in the world yet. */
  readonly #answers: Ms[] = [];
  /** What was last said of a parser that fails: it is not said again with each reading. */
  readonly #troubles = new Map<SourceId, string>();

  constructor(options: LoopOptions) {
    this.#options = options;
    const specs = options.watches.map(({ id, source, everyMs }) => ({
      id,
      everyMs,
      staleMs: Math.max(source.staleMs, 3 * everyMs),
      opinion: source.opinion === true,
    }));
    this.#world = emptyWorld(monotonicNow(), specs, options.judgement, options.inventory);
    this.ready = new Promise((resolve) => {
      this.#answered = resolve;
    });
    this.#wakeLater();
  }

  world = (): World => this.#world;

  knows = (component: ComponentId): boolean => this.#world.places.has(component);

  counts = (): LoopCounts => ({
    steps: this.#steps,
    wakes: this.#wakes,
    readyAt: this.#readyAt,
    drops: { samples: this.#samplesDropped },
  });

  wake = (wakes: readonly KernelWake[], at: Ms): void => {
    const now = monotonicNow();
    this.#wakes += wakes.length;
    const named = wakes.some((one) => one.on === 'uevent');
    const linked = wakes.some((one) => one.on === 'netlink');
    // The polling twin says overflow each second: folders are not listed as often.
    const relists = named || (!linked && now - this.#relistedAt > RELIST_MS);
    if (relists) this.#relistedAt = now;
    for (const watch of this.#options.watches) {
      if (!watch.source.wakes.some((wake) => wakes.some((one) => matches(wake, one)))) continue;
      if (relists) this.#options.probe.relist(watch.source);
      else if (linked) this.#relists.soon(watch);
      mark(watch, at, now);
    }
    this.#readDue();
  };

  tell = (input: Extract<Input, { kind: 'judgement' | 'forget' }>): void => {
    this.#inbox.push(input);
    this.#turnSoon();
  };

  close = (): void => {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#catchUp);
    this.#relists.close();
    clearImmediate(this.#turn);
  };

  /** Reads what is due, a few at a time: other work gets its turn between two batches. */
  #readDue(): void {
    if (this.#closed) return;
    const started = monotonicNow();
    for (const watch of dueOf(this.#options.watches, started)) {
      if (monotonicNow() - started > READING_TURN_MS) break;
      void this.#read(watch);
    }
    this.#wakeLater();
  }

  async #read(watch: Watch): Promise<void> {
    const started = monotonicNow();
    begin(watch, started);
    const snapshot = await this.#options.probe.read(watch.source);
    if (this.#closed) return;
    const now = monotonicNow();
    const known = this.#parsed.get(watch.id);
    const observation =
      known !== undefined && known.snapshot === snapshot
        ? known.observation
        : this.#parse(watch, snapshot, known);
    this.#parsed.set(watch.id, { snapshot, observation });
    const durationMs = now - started;
    this.#inbox.push({ kind: 'read', source: watch.id, at: now, observation, durationMs });
    this.#sample('read', durationMs);
    if (!watch.dirty && watch.wokenAt !== undefined) {
      this.#answers.push(watch.wokenAt);
      watch.wokenAt = undefined;
    }
    finish(watch, now);
    this.#turnSoon();
  }

  #parse(watch: Watch, snapshot: Snapshot, before: Parsed | undefined): Observation {
    try {
      return watch.source.parse(snapshot, before);
    } catch (error) {
      const why = `the parser of ${watch.id} failed: ${(error as Error).message}`;
      if (this.#troubles.get(watch.id) !== why) {
        this.#options.onTrouble(`${why}; please send its capture`);
      }
      this.#troubles.set(watch.id, why);
      return { kind: 'blind', why };
    }
  }

  #turnSoon(): void {
    if (this.#closed || this.#turn !== undefined) return;
    this.#turn = setImmediate(() => {
      this.#turn = undefined;
      this.#noteStop();
      this.#readDue();
      if (this.#isCatchingUp()) return;
      this.#step();
      this.#readDue();
    });
  }

  /**
   * A stopped process has old readings of a healthy machine: it reads before it judges, or every
   * component would be unknown for a moment, with its history gone and a log full of it.
   */
  #noteStop(): void {
    const now = monotonicNow();
    if (this.#catchUp !== undefined || now - this.#timerAt < STOPPED_MS) return;
    for (const watch of this.#options.watches) {
      watch.dirty = watch.inFlight;
      watch.dueAt = now;
    }
    this.#catchUp = setTimeout(() => {
      this.#catchUp = undefined;
      this.#turnSoon();
    }, CATCH_UP_MS);
    this.#wakeLater();
  }

  #isCatchingUp(): boolean {
    if (this.#catchUp === undefined) return false;
    const now = monotonicNow();
    if (this.#options.watches.some((watch) => watch.inFlight || isDue(watch, now))) return true;
    clearTimeout(this.#catchUp);
    this.#catchUp = undefined;
    return false;
  }

  #step(): void {
    const started = monotonicNow();
    const inbox = this.#inbox;
    this.#inbox = [];
    this.#world = step(this.#world, started, inbox);
    this.#steps += 1;
    const ended = monotonicNow();
    this.#sample('step', ended - started);
    for (const wokenAt of this.#answers.splice(0)) this.#sample('wake_to_world', ended - wokenAt);
    this.#noteReady(ended);
    const samples = this.#samples;
    this.#samples = [];
    this.#options.onWorld(this.#world, samples);
  }

  #noteReady(now: Ms): void {
    if (this.#readyAt !== undefined) return;
    if (this.#world.sights.some((sight) => sight.state === 'waiting')) return;
    this.#readyAt = now;
    this.#answered();
  }

  #sample(of: Sample['of'], durationMs: number): void {
    if (this.#samples.length < SAMPLES_MAX) this.#samples.push({ of, seconds: durationMs / 1000 });
    else this.#samplesDropped += 1;
  }

  /** One timer for everything: the earliest due source, or the heartbeat. */
  #wakeLater(): void {
    if (this.#closed) return;
    const now = monotonicNow();
    let next = nextOnGrid(now, HEARTBEAT_MS);
    for (const watch of this.#options.watches) {
      if (!watch.inFlight && watch.dueAt < next) next = watch.dueAt;
    }
    if (this.#timer !== undefined && this.#timerAt === next) return;
    clearTimeout(this.#timer);
    this.#timerAt = next;
    this.#timer = setTimeout(() => this.#onTimer(next), Math.max(0, Math.ceil(next - now)));
  }

  #onTimer(due: Ms): void {
    this.#timer = undefined;
    const now = monotonicNow();
    this.#sample('loop_lag', Math.max(0, now - due));
    this.#noteStop();
    if (now - this.#world.at >= HEARTBEAT_MS) this.#turnSoon();
    this.#readDue();
  }
}

export function startLoop(options: LoopOptions): Loop {
  return new RunningLoop(options);
}
