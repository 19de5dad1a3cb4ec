/**
 * Machines of several nodes against one simulated disk in virtual time: paths have delays and fates, the
 * same play gives the same end. It also watches over what no machine may ever do, whatever happens.
 */
import { answerOf, type Completion } from '../../fencing/reservation/answer.ts';
import { step } from '../../fencing/reservation/engine.ts';
import { type Key, keyOf, relationOf } from '../../fencing/reservation/key.ts';
import type { Ask } from '../../fencing/reservation/look.ts';
import { begin, type Input, type Machine, type Policy } from '../../fencing/reservation/machine.ts';
import { encode, isWrite } from '../../fencing/reservation/request.ts';
import type { Path } from '../../fencing/reservation/table.ts';
import { type Fate, nexusOf, type Way } from '../fakes/disk/rig.ts';
import { type Features, nexusName } from '../fakes/disk/table.ts';
import { BLOCK_BYTES, Target } from '../fakes/disk/target.ts';

export const TIMES = { readMs: 100, writeMs: 200, everyMs: 50 };
const TICK_MS = 10;

export function key(node: number, boot = 1): Key {
  const made = keyOf({ cluster: 0xc1, node, boot });
  if (made === undefined) throw new Error('no key');
  return made;
}

export const STRANGER: Key = '00c2000100000001' as Key;

/** A path whose nexus is known, as on most machines, or not. */
export function pathOf(way: Way, known = true): Path {
  return known ? { name: way, ...nexusOf(way) } : { name: way };
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export interface Player<M, R> {
  machine: Machine<M>;
  result: R | undefined;
  resultMs: number | undefined;
  /** Stops taking part, as a node that lost its power. */
  stop: () => void;
  readonly tell: (input: Input) => void;
  /** Every PR OUT it sent, as `path: action`. */
  readonly sent: string[];
}

export class Play {
  readonly target: Target;
  nowMs = 1_000;
  readonly fates: Map<Way, Fate> = new Map();
  /** Time from a command's sending to its arrival, and back again. */
  delayMs: (way: Way) => number = () => 2;
  #events: Event[] = [];
  #order = 0;
  #held: { readonly way: Way; readonly go: () => void }[] = [];

  constructor(features: Partial<Features> = {}) {
    this.target = new Target(features);
  }

  at(atMs: number, run: () => void): void {
    this.#order += 1;
    this.#events.push({ atMs, order: this.#order, run });
  }

  run(untilMs: number): void {
    for (;;) {
      const next = this.#events
        .filter(({ atMs }) => atMs <= untilMs)
        .toSorted((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (next === undefined) break;
      this.#events = this.#events.filter((one) => one !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
    }
    this.nowMs = untilMs;
  }

  /** Puts a registration there by other means than a machine. */
  register(way: Way, own: Key, type?: number): void {
    const { initiator, port } = nexusOf(way);
    const name = nexusName({ initiator, port });
    this.target.table.registrants.set(name, { key: own, initiator, port, allPorts: false });
    this.target.table.generation += 1;
    if (type !== undefined) this.target.table.reservation = { holder: name, type };
  }

  keys(): readonly string[] {
    return [...this.target.table.registrants.values()].map((one) => one.key).sort();
  }

  holder(): string | undefined {
    const { reservation, registrants } = this.target.table;
    return registrants.get(reservation?.holder ?? '')?.key;
  }

  letGo(way: Way): void {
    const mine = this.#held.filter((one) => one.way === way);
    this.#held = this.#held.filter((one) => one.way !== way);
    for (const { go } of mine) go();
  }

  drop(way: Way): void {
    this.#held = this.#held.filter((one) => one.way !== way);
  }

  /** A write of a node's services: lies `queueMs` in the disk's queue before it lands. */
  write(way: Way, stamp: number): void {
    const { cdb, out } = encode({
      ask: 'write',
      lba: 3,
      block: new Uint8Array(BLOCK_BYTES).fill(stamp),
    });
    this.at(this.nowMs + this.delayMs(way), () =>
      this.target.submit(nexusOf(way), cdb, out, () => undefined),
    );
  }

  join<M, R>(
    self: Key,
    ways: readonly Path[],
    policy: Policy<M, R>,
    memory: M,
    aptpl = true,
  ): Player<M, R> {
    let running = true;
    const own = { key: self, aptpl };
    const outs = new Set<number>();
    const player: Player<M, R> = {
      machine: begin(own, TIMES, ways, memory, this.nowMs),
      result: undefined,
      resultMs: undefined,
      stop: () => {
        running = false;
      },
      tell: (input) => turn(input),
      sent: [],
    };
    const turn = (input: Input): void => {
      if (!running || player.machine.ended) return;
      if (input.is === 'answer') outs.delete(input.id);
      const { machine, asks, result } = step(player.machine, this.nowMs, input, policy);
      player.machine = structuredClone(machine);
      if (result !== undefined) {
        player.result = result;
        player.resultMs = this.nowMs;
      }
      for (const ask of asks) {
        this.#refuse(self, ask, outs, player.machine);
        if (isWrite(ask.request)) player.sent.push(`${ask.path}: ${ask.request.ask}`);
        this.#carry(ask, turn);
      }
    };
    const tick = (): void => {
      turn({ is: 'tick' });
      if (running && !player.machine.ended) this.at(this.nowMs + TICK_MS, tick);
    };
    this.at(this.nowMs, tick);
    return player;
  }

  /** What no machine may send. */
  #refuse(self: Key, { id, request }: Ask, outs: Set<number>, machine: Machine<unknown>): void {
    if (!isWrite(request)) return;
    if (outs.size > 0) throw new Error(`two PR OUTs at once: ${request.ask}`);
    if (machine.act?.ask.id !== id) throw new Error('a PR OUT that the machine does not know of');
    outs.add(id);
    if (request.ask === 'clear') throw new Error('CLEAR is never automatic');
    if (request.ask === 'preempt' && request.victim !== self)
      throw new Error('PREEMPT without ABORT');
    const victim = 'victim' in request ? request.victim : self;
    if (relationOf(victim, self) === 'stranger') throw new Error(`a stranger's key: ${victim}`);
  }

  #carry(ask: Ask, turn: (input: Input) => void): void {
    const way = ask.path as Way;
    const { cdb, out } = encode(ask.request);
    const sentMs = this.nowMs;
    const delay = this.delayMs(way);
    let late = false;
    const answer = (completion: Completion): void =>
      turn({ is: 'answer', id: ask.id, answer: answerOf(ask.request, completion) });
    const arrive = (): void =>
      this.target.submit(nexusOf(way), cdb, out, (result) => {
        if (this.fates.get(way) === 'reply-lost') return;
        const completion: Completion = { kind: 'done', host: 0, driver: 0, ...result };
        this.at(this.nowMs + delay, () => {
          done = true;
          if (!late || isWrite(ask.request)) answer(completion);
        });
      });
    let done = false;
    this.at(sentMs + delay, () => {
      const fate = this.fates.get(way) ?? 'none';
      if (fate === 'cut') {
        done = true;
        this.at(this.nowMs + delay, () => answer({ kind: 'unsent', why: 'no such path' }));
      } else if (fate === 'held') this.#held.push({ way, go: arrive });
      else arrive();
    });
    this.at(sentMs + ask.deadlineMs, () => {
      if (done) return;
      late = true;
      answer({ kind: 'late', why: 'no answer within its deadline' });
    });
  }
}
