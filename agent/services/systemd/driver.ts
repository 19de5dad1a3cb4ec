/**
 * The driver of systemd's units. Nothing is polled to learn of a change: each signal about the unit reads
 * its properties afresh. An order counts when its job has ended and the unit was seen to be as ordered.
 */
import type { Outcome } from '../../../rules/decision.ts';
import type { ServiceSeen, ServiceSpec } from '../../../rules/service.ts';
import {
  type Driver,
  type Move,
  type OpenDriver,
  refuted,
  unsure,
  verified,
  withinMs,
} from '../driver.ts';
import { PROPERTIES, type Signal, type SystemdBus } from './bus.ts';
import { propertiesOf, seenOf } from './unit.ts';

const READ_MS = 5_000;
/** Jobs that ended before we were told their names. */
const ENDED_MAX = 64;
const SIGKILL = 9;

class UnitDriver implements Driver {
  readonly #unit: string;
  readonly #bus: SystemdBus;
  readonly #onSeen: (seen: ServiceSeen) => void;
  readonly #deaf: () => void;
  #path: string | undefined;
  /** A read is under way, and another is wanted after it. */
  #reading = false;
  #again = false;
  readonly #jobs = new Map<string, (result: string) => void>();
  readonly #ended = new Map<string, string>();

  constructor(unit: string, bus: SystemdBus, onSeen: (seen: ServiceSeen) => void) {
    this.#unit = unit;
    this.#bus = bus;
    this.#onSeen = onSeen;
    this.#deaf = bus.listen({
      onThere: () => void this.#wake(),
      onGone: (why) => {
        this.#path = undefined;
        for (const end of this.#jobs.values()) end('');
        onSeen({ kind: 'unknown', why });
      },
      onSignal: (signal) => this.#hear(signal),
    });
  }

  readonly look: Driver['look'] = (_, deadlineMs) =>
    withinMs(this.#read(), deadlineMs, () => ({
      kind: 'unknown',
      why: 'systemd does not answer',
    }));

  readonly perform: Driver['perform'] = async (move, deadlineMs) => {
    const began = performance.now();
    const late = (): Outcome => unsure(`no end of the job within ${Math.round(deadlineMs)} ms`);
    const outcome = await withinMs(this.#order(move), deadlineMs, late);
    const leftMs = Math.max(100, deadlineMs - (performance.now() - began));
    const seen = await this.look('shallow', Math.min(READ_MS, leftMs));
    this.#onSeen(seen);
    if (outcome.result !== 'verified') return outcome;
    const done =
      move === 'start'
        ? seen.kind === 'running'
        : seen.kind === 'stopped' || seen.kind === 'failed';
    if (done) return verified(`${outcome.evidence}; ${this.#unit} is ${seen.kind}`);
    if (seen.kind === 'unknown') return unsure(`${outcome.evidence}; ${seen.why}`);
    return refuted(`${outcome.evidence}, but ${this.#unit} is ${seen.kind}`);
  };

  readonly close = async (): Promise<void> => {
    this.#deaf();
  };

  #hear({ path, member, body }: Signal): void {
    if (member === 'JobRemoved') {
      const [, job, unit, result] = body;
      if (unit !== this.#unit || typeof job !== 'string') return;
      const end = this.#jobs.get(job);
      if (end !== undefined) end(String(result));
      else {
        this.#ended.set(job, String(result));
        for (const old of this.#ended.keys()) {
          if (this.#ended.size > ENDED_MAX) this.#ended.delete(old);
        }
      }
      void this.#wake();
    } else if (path === this.#path) void this.#wake();
  }

  /** Reads afresh; what changes meanwhile is read once more, not each time. */
  async #wake(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    do {
      this.#again = false;
      const none: ServiceSeen = { kind: 'unknown', why: 'systemd does not answer' };
      this.#onSeen(await withinMs(this.#read(), READ_MS, () => none));
    } while (this.#again);
    this.#reading = false;
  }

  async #read(): Promise<ServiceSeen> {
    try {
      if (this.#path === undefined) {
        const [path] = await this.#bus.manager('LoadUnit', 's', [this.#unit]);
        this.#path = String(path);
      }
      // All interfaces at once: the unit's own and its type's.
      return seenOf(
        propertiesOf(await this.#bus.call(this.#path, PROPERTIES, 'GetAll', 's', [''])),
      );
    } catch (error) {
      return { kind: 'unknown', why: (error as Error).message };
    }
  }

  async #order(move: Move): Promise<Outcome> {
    try {
      if (move === 'start') {
        // What failed too often by systemd's own count is started all the same: the count here decides.
        await this.#bus.manager('ResetFailedUnit', 's', [this.#unit]).catch(() => undefined);
      }
      if (move === 'kill') {
        await this.#bus
          .manager('KillUnit', 'ssi', [this.#unit, 'all', SIGKILL])
          .catch(() => undefined);
      }
      const member = move === 'start' ? 'StartUnit' : 'StopUnit';
      const [job] = await this.#bus.manager(member, 'ss', [this.#unit, 'replace']);
      const result = await this.#end(String(job));
      if (result === '') return unsure('systemd went before the job ended');
      const said = `the job of ${member} ended with '${result}'`;
      return result === 'done' ? verified(said) : refuted(said);
    } catch (error) {
      const why = `${this.#unit}: ${(error as Error).message}`;
      // Without an answer nothing is refused: it may have been done.
      return this.#bus.there() ? refuted(why) : unsure(why);
    }
  }

  /** The result of a job; empty when systemd went. */
  #end(job: string): Promise<string> {
    const known = this.#ended.get(job);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => {
      this.#jobs.set(job, (result) => {
        this.#jobs.delete(job);
        resolve(result);
      });
    });
  }
}

export function systemdDriver(bus: SystemdBus): OpenDriver {
  return (spec: ServiceSpec, onSeen) => {
    if (spec.driver.kind !== 'systemd') throw new Error(`${spec.name} is no unit`);
    return new UnitDriver(spec.driver.unit, bus, onSeen);
  };
}
