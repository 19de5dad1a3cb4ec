/**
 * One sg device in the SCSI child: commands are written to its descriptor and read back when they have
 * ended, in any order. Nothing here waits. The buffers of a command are kept until it is back.
 */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import type { Completion } from '../../../fencing/reservation/answer.ts';
import type { Command } from '../../../fencing/reservation/request.ts';
import { errnoOf } from '../errno.ts';
import { decodeHeader, encodeHeader, HEADER_BYTES, SENSE_BYTES } from './header.ts';

export type AddressOf = (bytes: Uint8Array) => bigint;

interface Sent {
  readonly cdb: Uint8Array;
  readonly data: Uint8Array;
  readonly sense: Uint8Array;
  readonly isIn: boolean;
  readonly header: Uint8Array;
  readonly done: (completion: Completion) => void;
}

/** Numbers of commands start over long after the last of that number is back. */
const PACK_MAX = 0x7fff_ffff;
/** Kernel major numbers are 12 bits of st_rdev here. */
function majorOf(rdev: number): number {
  return (rdev >> 8) & 0xfff;
}

export class SgDevice {
  readonly fd: number;
  readonly #address: AddressOf;
  readonly #sent = new Map<number, Sent>();
  readonly #back = new Uint8Array(HEADER_BYTES);
  #pack = 0;

  /** Throws what open(2) says, and `ENOTBLK` for what is no SCSI generic device. */
  constructor(path: string, majors: readonly number[], address: AddressOf) {
    const { O_RDWR, O_NONBLOCK, O_NOCTTY } = constants;
    this.fd = openSync(path, O_RDWR | O_NONBLOCK | O_NOCTTY);
    this.#address = address;
    const stat = fstatSync(this.fd);
    if (!stat.isCharacterDevice() || !majors.includes(majorOf(stat.rdev))) {
      closeSync(this.fd);
      throw Object.assign(new Error('no SCSI generic device'), { code: 'ENOTBLK' });
    }
  }

  get held(): number {
    return this.#sent.size;
  }

  /** Hands a command to the kernel. `done` is called once, later, or now when it was not taken. */
  submit(command: Command, kernelMs: number, done: (completion: Completion) => void): void {
    const { cdb, out } = command;
    const isIn = command.in > 0;
    const data = isIn ? new Uint8Array(command.in) : out;
    const sense = new Uint8Array(SENSE_BYTES);
    this.#pack = this.#pack === PACK_MAX ? 1 : this.#pack + 1;
    const header = encodeHeader({
      cdbBytes: cdb.length,
      cdbAt: this.#address(cdb),
      senseAt: this.#address(sense),
      data: data.length === 0 ? 'none' : isIn ? 'in' : 'out',
      dataBytes: data.length,
      dataAt: data.length === 0 ? 0n : this.#address(data),
      kernelMs,
      pack: this.#pack,
    });
    this.#sent.set(this.#pack, { cdb, data, sense, isIn, header, done });
    try {
      writeSync(this.fd, header);
    } catch (error) {
      this.#sent.delete(this.#pack);
      done({ kind: 'unsent', why: `the path takes no command: ${errnoOf(error)}` });
    }
  }

  /**
   * Takes back one command that has ended. To be called when the descriptor is readable: to try once more
   * than there is something costs an exception, and poll is cheaper.
   */
  collect(): void {
    try {
      if (readSync(this.fd, this.#back, 0, HEADER_BYTES, null) < HEADER_BYTES) return;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== 'EAGAIN' && errno !== 'EINTR') this.lose(`the path is gone: ${errno}`);
      return;
    }
    this.#ended();
  }

  #ended(): void {
    const outcome = decodeHeader(this.#back);
    const sent = outcome === undefined ? undefined : this.#sent.get(outcome.pack);
    if (outcome === undefined || sent === undefined) return;
    this.#sent.delete(outcome.pack);
    const { status, host, driver, senseBytes, residual } = outcome;
    const length = Math.min(sent.data.length, Math.max(0, sent.data.length - residual));
    sent.done({
      kind: 'done',
      status,
      host,
      driver,
      sense: sent.sense.subarray(0, senseBytes),
      data: sent.isIn ? sent.data.subarray(0, length) : new Uint8Array(0),
    });
  }

  /** The device is gone: no answer can come any more. */
  lose(why: string): void {
    const all = [...this.#sent.values()];
    this.#sent.clear();
    for (const { done } of all) done({ kind: 'gone', why });
  }

  close(): void {
    closeSync(this.fd);
  }
}
