/**
 * The loop: wake, read what is dirty or due, step, hand the world on. It decides nothing; the core does.
 * It waits for nothing either: a read that takes its time is in flight while the rest goes on, and a
 * parser that throws blinds its own source alone.
 */
import type { Snapshot } from '../collectors/lib/collector.ts';
import type { Judgement } from '../rules/config.ts';
import { type ComponentId, type Ms, ms, type Sample, type SourceId } from '../rules/model.ts';
import type { Step } from '../rules/record.ts';
import { emptyWorld, step } from '../rules/step.ts';
import type { Input, Remembered, World } from '../rules/world.ts';
import { type KernelWake, matches } from './kernel/wakes.ts';
import { openParsing, type Parsing } from './parsing.ts';
import { monotonicNow, toMicroseconds } from './ports/clock.ts';
import type { Probe } from './probe.ts';
import { openRelists } from './relists.ts';
import {
  aheadUntil,
  begin,
  dueOf,
  earliest,
  finish,
  isDue,
  mark,
  nextOnGrid,
  refresh,
  type Watch,
} from './watch.ts';

/** Even with nothing to read the world is stepped this often, so that sight can decay. */
export const HEARTBEAT_MS = 1000;
/** Samples kept until the next world is handed on. */
export const SAMPLES_MAX = 1000;
/** Reading goes on after the loop had a turn when it took longer than this. */
export const READING_TURN_MS = 2;
/** Later than this the process itself was stopped, or the machine. Less than any source's stale time. */
export const STOPPED_MS = 2000;
/** A wake that comes later than this is told to the core; less is every machine's jitter. */
export const LATE_TOLD_MS = 250;
/** After a stop the sources have so long to answer before their age counts. */
export const CATCH_UP_MS = 1000;

export interface LoopOptions {
  readonly watches: readonly Watch[];
  readonly probe: Probe;
  readonly judgement: Judgement;
  readonly inventory: readonly Remembered[];
  readonly era: string;
  /** Every step with what it was told, before anybody else hears of it: to act on and to write down. */
  readonly onStep?: (step: Step) => void;
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
  readonly tell: (input: Exclude<Input, { kind: 'read' }>) => void;
  readonly knows: (component: ComponentId) => boolean;
  /** What was last read of a source. */
  readonly snapshot: (source: SourceId) => Snapshot | undefined;
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
  readonly #relists = openRelists({
    relist: ({ source }) => this.#options.probe.relist(source),
    refresh: (watch) => {
      refresh(watch, monotonicNow());
      this.#readDue();
    },
  });
  #turn: NodeJS.Immediate | undefined;
  /** Set while the sources are read again after a stop. */
  #catchUp: NodeJS.Timeout | undefined;
  #closed = false;
  #answered: () => void = () => {};
  readonly #options: LoopOptions;
  readonly #parsing: Parsing;
  /** Wakes that were read for, but are not in the world yet. */
  readonly #answers: Ms[] = [];

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#parsing = openParsing(options.onTrouble);
    const specs = options.watches.map(({ id, source, everyMs }) => ({
      id,
      everyMs,
      staleMs: Math.max(source.staleMs, 3 * everyMs),
      opinion: source.opinion === true,
    }));
    const { judgement, inventory, era } = options;
    this.#world = emptyWorld(monotonicNow(), specs, judgement, inventory, era);
    this.ready = new Promise((resolve) => {
      this.#answered = resolve;
    });
    this.#wakeLater();
  }

  world = (): World => this.#world;

  knows = (component: ComponentId): boolean => this.#world.places.has(component);

  snapshot = (source: SourceId): Snapshot | undefined => this.#parsing.snapshot(source);

  counts = (): LoopCounts => ({
    steps: this.#steps,
    wakes: this.#wakes,
    readyAt: this.#readyAt,
    drops: { samples: this.#samplesDropped },
  });

  wake = (wakes: readonly KernelWake[], at: Ms): void => {
    const now = monotonicNow();
    this.#wakes += wakes.length;
    const relist = this.#relists.after(wakes, now);
    for (const watch of this.#options.watches) {
      if (!watch.source.wakes.some((wake) => wakes.some((one) => matches(wake, one)))) continue;
      relist(watch);
      mark(watch, at, now);
    }
    // Answers that wait for their step come before more reads.
    if (this.#turn === undefined) this.#readDue();
  };

  tell = (input: Exclude<Input, { kind: 'read' }>): void => {
    this.#inbox.push(input);
    this.#turnSoon();
  };

  close = (): void => {
    this.#closed = true;
    for (const timer of [this.#timer, this.#catchUp]) clearTimeout(timer);
    this.#relists.close();
    clearImmediate(this.#turn);
  };

  /** Reads what is due, a few at a time: other work, and the step, get their turn between two batches. */
  #readDue(): void {
    if (this.#closed) return;
    const started = monotonicNow();
    let begun: Watch | undefined;
    for (const watch of dueOf(this.#options.watches, started)) {
      if (begun !== undefined && watch.rank > begun.rank) break;
      if (watch.rank > 0 && aheadUntil(this.#options.watches, started) !== undefined) break;
      if (monotonicNow() - started > READING_TURN_MS) break;
      begun = watch;
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
    const observation = this.#parsing.observe(watch, snapshot);
    const durationMs = toMicroseconds(now - started);
    this.#inbox.push({ kind: 'read', source: watch.id, at: now, observation, durationMs });
    this.#sample('read', durationMs);
    if (!watch.dirty && watch.wokenAt !== undefined) {
      this.#answers.push(watch.wokenAt);
      watch.wokenAt = undefined;
    }
    finish(watch, now);
    this.#turnSoon();
  }

  #turnSoon(): void {
    if (this.#closed || this.#turn !== undefined) return;
    this.#turn = setImmediate(() => {
      this.#turn = undefined;
      this.#noteStop();
      if (this.#catchUp !== undefined) this.#readDue();
      if (this.#isCatchingUp()) return;
      this.#step();
      // What else was woken does not wait until the world is packed for those who look at it.
      this.#readDue();
      this.#handOn();
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
    const before = this.#world;
    this.#world = step(before, started, inbox);
    this.#options.onStep?.({ at: started, inputs: inbox, before, after: this.#world });
    this.#steps += 1;
    const ended = monotonicNow();
    this.#sample('step', ended - started);
    for (const wokenAt of this.#answers.splice(0)) this.#sample('wake_to_world', ended - wokenAt);
    this.#noteReady(ended);
  }

  #handOn(): void {
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
    const latest = Math.min(nextOnGrid(now, HEARTBEAT_MS), this.#world.dueAt ?? Infinity);
    const next = earliest(this.#options.watches, now, ms(latest));
    if (this.#timer !== undefined && this.#timerAt === next) return;
    clearTimeout(this.#timer);
    this.#timerAt = next;
    this.#timer = setTimeout(() => this.#onTimer(next), Math.max(0, Math.ceil(next - now)));
  }

  #onTimer(due: Ms): void {
    this.#timer = undefined;
    const now = monotonicNow();
    this.#sample('loop_lag', Math.max(0, now - due));
    if (now - due >= LATE_TOLD_MS) this.tell({ kind: 'late', at: now, lateMs: now - due });
    this.#noteStop();
    const decidesAt = this.#world.dueAt;
    if (now - this.#world.at >= HEARTBEAT_MS || (decidesAt !== undefined && decidesAt <= now))
      this.#turnSoon();
    this.#readDue();
  }
}

export function startLoop(options: LoopOptions): Loop {
  return new RunningLoop(options);
}
