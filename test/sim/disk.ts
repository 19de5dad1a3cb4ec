/**
 * The simulated disk for long runs: the table, and all that PERSISTENT RESERVE OUT does to it, are those of
 * the fake that the tests of the machines use, by its bytes. What is asked thousands of times (reading the
 * table, writing a block) goes past the codec, which has tests of its own.
 */
import { type Answer, answerOf } from '../../fencing/reservation/answer.ts';
import type { Key } from '../../fencing/reservation/key.ts';
import type { Registration } from '../../fencing/reservation/replies.ts';
import {
  encode,
  isRead,
  isWrite,
  type ReadRequest,
  type Request,
  type ReservationType,
  TYPES,
} from '../../fencing/reservation/request.ts';
import { reserveOut } from '../fakes/disk/reserve-out.ts';
import { type Nexus, nexusName } from '../fakes/disk/table.ts';
import { Target } from '../fakes/disk/target.ts';

interface Queued {
  readonly name: string;
  readonly key: string;
  dropped: boolean;
}

interface Seen {
  readonly keys: Answer;
  readonly reservation: Answer;
  readonly full: Answer;
}

const TYPE_NAMES: ReadonlyMap<number, ReservationType> = new Map(
  (Object.keys(TYPES) as ReservationType[]).map((name) => [TYPES[name], name]),
);
const ATTENTION: Answer = { is: 'attention', cause: 'other', why: 'unit attention' };

export class SimDisk extends Target {
  readonly name: string;
  readonly place: number;
  /** Nothing answers: the array is dead, or its target restarts. */
  down = false;
  readonly attentions: Map<string, number> = new Map();
  #queued = new Set<Queued>();
  #seen: Seen | undefined;

  constructor(name: string, place: number, aptpl = true) {
    super({ wwid: name, aptpl });
    this.name = name;
    this.place = place;
  }

  override attend(name: string): void {
    this.attentions.set(name, Math.min(3, (this.attentions.get(name) ?? 0) + 1));
  }

  /** Writes that lie in the queue of these nexuses are never carried out. */
  override abort(names: ReadonlySet<string>): void {
    if (this.features.abortForgets) return;
    for (const one of this.#queued) {
      if (!names.has(one.name)) continue;
      one.dropped = true;
      this.#queued.delete(one);
    }
  }

  /** Something of the table was changed from outside a command. */
  touch(): void {
    this.#seen = undefined;
  }

  restart(keepsTable: boolean): void {
    for (const one of this.#queued) one.dropped = true;
    this.#queued.clear();
    if (!(keepsTable && this.aptpl)) {
      this.table.registrants.clear();
      this.table.reservation = undefined;
    }
    this.table.generation = 0;
    this.touch();
  }

  reset(): void {
    for (const one of this.#queued) one.dropped = true;
    this.#queued.clear();
    for (const name of this.table.registrants.keys()) this.attend(name);
  }

  lose(nexus: Nexus): void {
    const name = nexusName(nexus);
    this.abort(new Set([name]));
    this.attend(name);
  }

  /** Whether a write down this nexus would be carried out now. */
  admits(name: string): boolean {
    const { reservation, registrants } = this.table;
    if (reservation === undefined) return true;
    if (reservation.type >= 5) return registrants.has(name);
    return reservation.holder === name;
  }

  holder(): string | undefined {
    const { reservation, registrants } = this.table;
    return registrants.get(reservation?.holder ?? '')?.key;
  }

  /** A write that passed the reservation lies in the queue until it lands or is aborted. */
  enqueue(name: string): Queued | undefined {
    if (!this.admits(name)) return undefined;
    const key = this.table.registrants.get(name)?.key ?? '';
    const one = { name, key, dropped: false };
    this.#queued.add(one);
    return one;
  }

  /** Whether it is carried out. */
  land(one: Queued): boolean {
    this.#queued.delete(one);
    return !one.dropped;
  }

  /** One command of the reservation machines, carried out now. */
  perform(nexus: Nexus, request: Request): Answer {
    const name = nexusName(nexus);
    const waiting = this.attentions.get(name) ?? 0;
    if (waiting > 0) {
      this.attentions.set(name, waiting - 1);
      return ATTENTION;
    }
    if (isRead(request)) return this.#read(request);
    const { cdb, out } = encode(request);
    if (isWrite(request)) {
      this.touch();
      const { status, sense, data } = reserveOut(this, nexus, cdb, out);
      return answerOf(request, { kind: 'done', host: 0, driver: 0, status, sense, data });
    }
    let answer: Answer = { is: 'failed', why: 'no answer' };
    this.submit(nexus, cdb, out, (result) => {
      answer = answerOf(request, { kind: 'done', host: 0, driver: 0, ...result });
    });
    return answer;
  }

  #read(request: ReadRequest): Answer {
    this.#seen ??= this.#look();
    switch (request.ask) {
      case 'keys':
        return this.#seen.keys;
      case 'reservation':
        return this.#seen.reservation;
      case 'full-status':
        return this.#seen.full;
      case 'capabilities':
        return { is: 'failed', why: 'not asked in the simulator' };
    }
  }

  #look(): Seen {
    const { reservation, registrants, generation } = this.table;
    const type = reservation === undefined ? undefined : TYPE_NAMES.get(reservation.type);
    const keys: Key[] = [];
    const registrations: Registration[] = [];
    for (const [name, { key, initiator, port, allPorts }] of registrants) {
      const holder = reservation !== undefined && reservation.holder === name;
      keys.push(key as Key);
      registrations.push({ key: key as Key, holder, allPorts, type, port, initiator });
    }
    const holder = this.holder() as Key | undefined;
    const count = keys.length;
    return {
      keys: { is: 'good', reply: { of: 'keys', generation, keys, count, cut: false } },
      reservation: { is: 'good', reply: { of: 'reservation', generation, holder, type } },
      full: { is: 'good', reply: { of: 'full-status', generation, registrations, cut: false } },
    };
  }
}
