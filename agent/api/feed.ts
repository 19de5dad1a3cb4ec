/**
 * The agent's side of the API: starts the API process, feeds it what changed, starts it again when it
 * dies. Publishing costs the loop a comparison of references; at most one feed is in flight, and what
 * changes meanwhile is kept as a union, so that a slow child costs neither memory nor time. Nothing the
 * child does or suffers stops the agent.
 */
import type { ChildProcess } from 'node:child_process';
import type { Config } from '../../rules/config.ts';
import type { Picture, Sample, Vitals } from '../../rules/model.ts';
import { openDeltas } from './delta.ts';
import { forkApi } from './fork.ts';
import {
  API_LIMITS,
  type ApiCommand,
  type ApiLimits,
  type FromChild,
  type ToChild,
} from './messages.ts';

export type { ApiCommand } from './messages.ts';

export interface ApiOptions {
  readonly config: Config;
  /** Carries out an operator's command; what it resolves to is told the operator, a rejection too. */
  readonly onCommand: (command: ApiCommand) => Promise<string>;
  /** Trouble the agent survives, for the log. */
  readonly onTrouble: (why: string) => void;
  /** A child that was started ahead, because it takes its time to load; only for its first life. */
  readonly first?: ChildProcess | undefined;
  /** Other times and sizes than `API_LIMITS`. */
  readonly limits?: Partial<ApiLimits>;
}

/** Publish at least every second, changed or not: a silent agent is served as old. */
export interface Api {
  readonly publish: (picture: Picture, vitals: Vitals, samples: readonly Sample[]) => void;
  /** Ends the child and frees port and socket; safe to call twice. */
  readonly close: () => Promise<void>;
}

/**
 * When sources were read and nothing else changed, the child is fed after this share of the silence that
 * it takes for the end of the agent.
 */
const QUIET_SHARE = 0.4;

/** The end of the child's last words, for the trouble report. */
const STDERR_LENGTH_MAX = 2_000;

/** One life of the child. */
interface Child {
  readonly process: ChildProcess;
  readonly bornAt: number;
  stderr: string;
  listening: boolean;
  /** Undefined when none is in flight. */
  feedSentAt: number | undefined;
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

class Feeder implements Api {
  readonly #options: ApiOptions;
  readonly #limits: ApiLimits;
  readonly #deltas: ReturnType<typeof openDeltas>;
  /** Settles once: when it first listens, or when it cannot. */
  readonly listening: Promise<void>;
  #resolveListening: () => void = () => {};
  #rejectListening: (error: Error) => void = () => {};
  #first: ChildProcess | undefined;
  #child: Child | undefined;
  #started = false;
  #dirty = false;
  #urgent = false;
  /** When the oldest news not yet fed came. */
  #newsAt = 0;
  #feedTimer: NodeJS.Timeout | undefined;
  #feedAt = 0;
  #ackTimer: NodeJS.Timeout | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #restartMs: number;
  #closing: Promise<void> | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#first = options.first;
    this.#limits = { ...API_LIMITS, ...options.limits };
    this.#deltas = openDeltas(this.#limits.samplesMax);
    this.#restartMs = this.#limits.restartFirstMs;
    this.listening = new Promise((resolve, reject) => {
      this.#resolveListening = resolve;
      this.#rejectListening = reject;
    });
    this.#start();
  }

  readonly publish = (picture: Picture, vitals: Vitals, samples: readonly Sample[]): void => {
    if (this.#closing !== undefined) return;
    if (!this.#dirty) this.#newsAt = performance.now();
    this.#dirty = true;
    this.#urgent = this.#deltas.note(picture, vitals, samples) || this.#urgent;
    this.#feed();
  };

  readonly close = (): Promise<void> => {
    this.#closing ??= this.#end();
    return this.#closing;
  };

  #start(): void {
    const child: Child = {
      process: this.#first ?? forkApi(),
      bornAt: performance.now(),
      stderr: '',
      listening: false,
      feedSentAt: undefined,
    };
    this.#first = undefined;
    this.#child = child;
    this.#deltas.restart();
    child.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      child.stderr = (child.stderr + text).slice(-STDERR_LENGTH_MAX);
    });
    child.process.on('message', (news) => this.#hear(child, news as FromChild));
    child.process.on('error', (error) => this.#died(child, message(error)));
    child.process.on('close', (code, signal) => {
      const words = child.stderr.trim();
      const how = signal === null ? `exit status ${code}` : `signal ${signal}`;
      this.#died(child, words === '' ? how : `${how}: ${words}`);
    });
    const { listen, runDir, seriesMax } = this.#options.config;
    this.#tell(child, {
      kind: 'open',
      settings: { listen, runDir, seriesMax, limits: this.#limits },
    });
  }

  /** A message to a child that is gone is not an error: its end is reported by itself. */
  #tell(child: Child, news: ToChild): void {
    if (child.process.connected) child.process.send(news, () => {});
  }

  #hear(child: Child, news: FromChild): void {
    if (child !== this.#child) return;
    switch (news.kind) {
      case 'listening':
        child.listening = true;
        this.#started = true;
        this.#resolveListening();
        this.#feed();
        return;
      case 'refused':
        if (this.#started) this.#options.onTrouble(`API: ${news.why}`);
        else this.#rejectListening(new Error(news.why));
        return;
      case 'ack':
        child.feedSentAt = undefined;
        clearTimeout(this.#ackTimer);
        this.#feed();
        return;
      case 'command':
        void this.#command(child, news.id, news.command);
        return;
    }
  }

  async #command(child: Child, id: number, command: ApiCommand): Promise<void> {
    try {
      const text = await this.#options.onCommand(command);
      this.#tell(child, { kind: 'answer', id, done: true, text });
    } catch (error) {
      this.#tell(child, { kind: 'answer', id, done: false, text: message(error) });
    }
  }

  /** Sends what changed, when the child is ready for it and it is due; else sees to it that it will be. */
  #feed(): void {
    const child = this.#child;
    if (!this.#dirty || child === undefined || !child.listening) return;
    if (child.feedSentAt !== undefined || this.#closing !== undefined) return;
    const { gatherMs, oldAfterMs } = this.#limits;
    const patienceMs = this.#deltas.isNews() ? gatherMs : oldAfterMs * QUIET_SHARE;
    const feedAt = this.#urgent ? 0 : this.#newsAt + patienceMs;
    const waitMs = feedAt - performance.now();
    if (waitMs > 0) {
      if (this.#feedTimer !== undefined && this.#feedAt <= feedAt) return;
      clearTimeout(this.#feedTimer);
      this.#feedAt = feedAt;
      this.#feedTimer = setTimeout(() => {
        this.#feedTimer = undefined;
        this.#feed();
      }, waitMs);
      return;
    }
    clearTimeout(this.#feedTimer);
    this.#feedTimer = undefined;
    const feed = this.#deltas.take();
    if (feed === undefined) return;
    this.#dirty = false;
    this.#urgent = false;
    child.feedSentAt = performance.now();
    this.#tell(child, feed);
    this.#ackTimer = setTimeout(() => {
      child.stderr += `no answer for ${this.#limits.ackDeadlineMs} ms, killed`;
      child.process.kill('SIGKILL');
    }, this.#limits.ackDeadlineMs);
  }

  #died(child: Child, how: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    clearTimeout(this.#ackTimer);
    if (this.#closing !== undefined) return;
    if (!this.#started) {
      this.#rejectListening(new Error(`the API process ended before it could listen: ${how}`));
      return;
    }
    const lifeMs = performance.now() - child.bornAt;
    if (lifeMs >= this.#limits.stableAfterMs) this.#restartMs = this.#limits.restartFirstMs;
    const waitMs = this.#restartMs;
    this.#restartMs = Math.min(this.#limits.restartLongestMs, 2 * waitMs);
    this.#options.onTrouble(`the API process ended (${how}); started again in ${waitMs} ms`);
    this.#restartTimer = setTimeout(() => {
      this.#dirty = true;
      this.#start();
    }, waitMs);
  }

  async #end(): Promise<void> {
    clearTimeout(this.#feedTimer);
    clearTimeout(this.#ackTimer);
    clearTimeout(this.#restartTimer);
    const child = this.#child?.process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), this.#limits.closeDeadlineMs);
      child.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      if (child.connected) child.send({ kind: 'close' } satisfies ToChild, () => {});
    });
  }
}

/**
 * Starts the API. Resolves when it listens; rejects, with nothing left behind, when it cannot: the error's
 * message says what is wrong and how to mend it. Later trouble goes to `onTrouble` and is mended here.
 */
export async function openApi(options: ApiOptions): Promise<Api> {
  const feeder = new Feeder(options);
  try {
    await feeder.listening;
  } catch (error) {
    await feeder.close();
    throw error;
  }
  return feeder;
}
