/**
 * A simulated disk: the whole table of SPC-4 persistent reservations for each I_T nexus, unit attentions,
 * generation, APTPL, and writes that lie in a queue for a while. It takes command blocks and parameter
 * lists as bytes and shares no code with what it tests. Time is a count of ticks: every command is one.
 */
import { reserveIn } from './reserve-in.ts';
import { reserveOut } from './reserve-out.ts';
import {
  ABORTED,
  check,
  conflict,
  type Device,
  type Features,
  good,
  type Nexus,
  NONE,
  nexusName,
  type Result,
  type Table,
} from './table.ts';

const FEATURES: Features = {
  preemptAbort: true,
  fullStatus: true,
  aptpl: true,
  allPorts: true,
  reservations: true,
  stateFolder: true,
  abortForgets: false,
  readOnly: false,
  wwid: '6001405aaaaaaaaaaaaaaaaaaaaaaaaa',
  ports: [1, 2],
};

export const BLOCK_BYTES = 512;
export const BLOCKS = 64;
/** How long a write lies in the queue of a slow nexus. */
const QUEUE_TICKS = 12;

const READS = new Set([0x08, 0x28, 0x88]);
const WRITES = new Set([0x04, 0x0a, 0x2a, 0x41, 0x42, 0x8a, 0x89, 0x93]);
/** Commands that no unit attention stops. */
const UNSTOPPED = new Set([0x03, 0x12, 0xa0]);

interface Queued {
  readonly nexus: Nexus;
  readonly at: number;
  readonly land: () => Result;
  readonly done: (result: Result) => void;
}

export class Target implements Device {
  readonly features: Features;
  readonly table: Table = { registrants: new Map(), reservation: undefined, generation: 0 };
  readonly blocks: Uint8Array = new Uint8Array(BLOCKS * BLOCK_BYTES);
  /** Every accepted write, in order: who, and the first byte. */
  readonly log: { readonly nexus: string; readonly stamp: number; readonly tick: number }[] = [];
  /** Nexuses whose writes lie in the queue before they land. */
  readonly slow: Set<string> = new Set();
  aptpl = false;
  ticks = 0;
  #attentions = new Map<string, (readonly [number, number])[]>();
  #queue: Queued[] = [];

  constructor(features: Partial<Features> = {}) {
    this.features = { ...FEATURES, ...features };
  }

  attend(name: string, asc: number, ascq: number): void {
    const waiting = this.#attentions.get(name) ?? [];
    if (!waiting.some(([a, q]) => a === asc && q === ascq)) waiting.push([asc, ascq]);
    this.#attentions.set(name, waiting);
  }

  attendAll(asc: number, ascq: number, but?: string): void {
    for (const name of this.table.registrants.keys())
      if (name !== but) this.attend(name, asc, ascq);
  }

  /** Lets time pass: queued writes land. */
  tick(count = 1): void {
    for (let index = 0; index < count; index += 1) {
      this.ticks += 1;
      const due = this.#queue.filter(({ at }) => at <= this.ticks);
      this.#queue = this.#queue.filter(({ at }) => at > this.ticks);
      for (const { land, done } of due) done(land());
    }
  }

  /** Drops the queued commands of a nexus, as an abort does. */
  abort(names: ReadonlySet<string>): void {
    if (this.features.abortForgets) return;
    const dead = this.#queue.filter(({ nexus }) => names.has(nexusName(nexus)));
    this.#queue = this.#queue.filter(({ nexus }) => !names.has(nexusName(nexus)));
    for (const { done } of dead) done({ status: ABORTED, sense: NONE, data: NONE });
  }

  powerLoss(): void {
    this.#queue = [];
    this.#attentions.clear();
    if (!this.aptpl) {
      this.table.registrants.clear();
      this.table.reservation = undefined;
    }
    this.table.generation = 0;
  }

  lunReset(): void {
    for (const { done } of this.#queue.splice(0))
      done({ status: ABORTED, sense: NONE, data: NONE });
    this.attendAll(0x29, 0x03);
  }

  nexusLoss(nexus: Nexus): void {
    this.abort(new Set([nexusName(nexus)]));
    this.attend(nexusName(nexus), 0x29, 0x07);
  }

  /** One command by one nexus; `done` is called now, or later for a write that lies in the queue. */
  submit(nexus: Nexus, cdb: Uint8Array, out: Uint8Array, done: (result: Result) => void): void {
    this.tick();
    const opcode = cdb[0] ?? 0;
    const name = nexusName(nexus);
    const waiting = this.#attentions.get(name) ?? [];
    const [attention] = UNSTOPPED.has(opcode) ? [] : waiting;
    if (attention !== undefined) {
      waiting.shift();
      done(check(6, attention[0], attention[1]));
    } else if (!this.#admits(name, opcode)) done(conflict);
    else if (WRITES.has(opcode) && this.slow.has(name)) {
      const land = (): Result => this.#write(name, cdb, out);
      this.#queue.push({ nexus, at: this.ticks + QUEUE_TICKS, land, done });
    } else done(this.#carryOut(nexus, cdb, out));
  }

  /** The table of commands that a reservation keeps out. */
  #admits(name: string, opcode: number): boolean {
    const { reservation, registrants } = this.table;
    const reads = READS.has(opcode);
    if (reservation === undefined || (!reads && !WRITES.has(opcode))) return true;
    const { type } = reservation;
    if (type >= 5 && registrants.has(name)) return true;
    if (type < 5 && reservation.holder === name) return true;
    return reads && (type === 1 || type === 5 || type === 7);
  }

  #carryOut(nexus: Nexus, cdb: Uint8Array, out: Uint8Array): Result {
    const opcode = cdb[0] ?? 0;
    switch (opcode) {
      case 0x00:
        return good();
      case 0x12:
        return this.#inquiry(nexus, cdb);
      case 0x25: {
        const data = new Uint8Array(8);
        data.set([0, 0, 0, BLOCKS - 1, 0, 0, BLOCK_BYTES >> 8, 0]);
        return good(data);
      }
      case 0xa0:
        return good(new Uint8Array([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
      case 0x5e:
        return this.features.reservations ? reserveIn(this, cdb) : check(5, 0x20, 0);
      case 0x5f:
        return this.features.reservations ? reserveOut(this, nexus, cdb, out) : check(5, 0x20, 0);
      case 0x28: {
        const at = this.#lba(cdb, 2) * BLOCK_BYTES;
        return good(this.blocks.slice(at, at + BLOCK_BYTES));
      }
      default:
        return WRITES.has(opcode) ? this.#write(nexusName(nexus), cdb, out) : check(5, 0x20, 0);
    }
  }

  #lba(cdb: Uint8Array, at: number): number {
    return (cdb[at + 3] ?? 0) + (cdb[at + 2] ?? 0) * 256;
  }

  #write(name: string, cdb: Uint8Array, out: Uint8Array): Result {
    if (this.features.readOnly) return check(7, 0x27, 0);
    const opcode = cdb[0] ?? 0;
    if (opcode === 0x42 || opcode === 0x04) return good();
    const lba = this.#lba(cdb, opcode === 0x89 ? 6 : 2);
    const at = lba * BLOCK_BYTES;
    const block = opcode === 0x89 ? out.subarray(BLOCK_BYTES) : out;
    if (opcode === 0x89) {
      const there = this.blocks.subarray(at, at + BLOCK_BYTES);
      if (there.some((byte, index) => byte !== out[index])) return check(14, 0x1d, 0);
    }
    this.blocks.set(block.subarray(0, BLOCK_BYTES), at);
    this.log.push({ nexus: name, stamp: block[0] ?? 0, tick: this.ticks });
    return good();
  }

  #inquiry({ port }: Nexus, cdb: Uint8Array): Result {
    if ((cdb[1] ?? 0) === 0) {
      const text = new TextEncoder().encode('NOSPOF  FAKE DISK       0001');
      const data = new Uint8Array(36);
      data.set(text, 8);
      return good(data);
    }
    const id = Buffer.from(this.features.wwid, 'hex');
    const naa = [0x01, 0x03, 0, id.length, ...id];
    const data = [0, 0x83, 0, naa.length + 8, ...naa, 0x51, 0x94, 0, 4, 0, 0, 0, port];
    return good(Uint8Array.from(data));
  }
}
