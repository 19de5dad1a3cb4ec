/**
 * Empties the descriptors that `poll` named, and gathers what moved. Bounded on every side: so many
 * datagrams in one round, so many distinct wakes, and beyond that everything counts as moved. Doubt
 * (lost events, cut messages, an errno that makes no sense) is always `overflow`, never silence.
 */
import { readSync } from 'node:fs';
import { constants } from 'node:os';
import { errnoOf } from '../ports/errno.ts';
import { type Libc, MSG_TRUNC, SOCKADDR_NL_BYTES } from './libc.ts';
import type { KernelWake } from './message.ts';
import {
  decodeNetlink,
  decodeNetlinkAddress,
  decodeUevent,
  netlinkSubject,
  type Uevent,
} from './netlink.ts';

/** Datagrams or kernel records taken in one round; the rest is there in the next. */
const DRAIN_MAX = 1024;
/** An rtnetlink notification fits 32 KiB, a uevent 4 KiB, a kernel record 8 KiB. */
const DATAGRAM_BYTES = 65_536;
/** Distinct wakes held for the main thread; it has far fewer sources. */
const WAKES_MAX = 256;
const { EAGAIN, EINTR, ENOBUFS } = constants.errno;

/** What recvfrom writes into, kept for the life of the thread. */
export interface NetlinkBuffers {
  readonly datagram: Uint8Array;
  readonly address: Uint8Array;
  readonly addressLength: Uint32Array;
}

/** Each in its own ArrayBuffer: small typed arrays may else live on the heap that the collector moves. */
export function netlinkBuffers(): NetlinkBuffers {
  return {
    datagram: new Uint8Array(new ArrayBuffer(DATAGRAM_BYTES)),
    address: new Uint8Array(new ArrayBuffer(SOCKADDR_NL_BYTES)),
    addressLength: new Uint32Array(new ArrayBuffer(4)),
  };
}

/** A netlink socket with what is needed to read it. */
export interface NetlinkReader {
  readonly libc: Libc;
  readonly fd: number;
  readonly buffers: NetlinkBuffers;
}

/** Distinct wakes not yet told to the main thread, and when the first of them came. */
export class PendingWakes {
  readonly #wakes = new Map<string, KernelWake>();
  #atMs = 0;

  get size(): number {
    return this.#wakes.size;
  }

  add(wake: KernelWake, atMs: number): void {
    if (this.#wakes.size === 0) this.#atMs = atMs;
    if (this.#wakes.has('overflow')) return;
    if (wake.on !== 'overflow' && this.#wakes.size < WAKES_MAX) {
      this.#wakes.set(Object.values(wake).join('\n'), wake);
      return;
    }
    this.#wakes.clear();
    this.#wakes.set('overflow', { on: 'overflow' });
  }

  take(): { readonly wakes: readonly KernelWake[]; readonly atMs: number } {
    const wakes = [...this.#wakes.values()];
    this.#wakes.clear();
    return { wakes, atMs: this.#atMs };
  }
}

/**
 * Takes datagrams until there are none. `seen` gets the bytes of those the kernel itself sent, valid
 * only during the call, and whether they were cut; `lost` is called when the kernel dropped some.
 */
export function drainNetlink(
  { libc, fd, buffers }: NetlinkReader,
  seen: (bytes: Uint8Array, cut: boolean) => void,
  lost: () => void,
): void {
  const { datagram, address, addressLength } = buffers;
  for (let count = 0; count < DRAIN_MAX; count += 1) {
    addressLength[0] = SOCKADDR_NL_BYTES;
    address.fill(0);
    const length = libc.recvfrom(fd, datagram, DATAGRAM_BYTES, MSG_TRUNC, address, addressLength);
    if (length < 0) {
      const errno = libc.errno();
      if (errno === EAGAIN) return;
      if (errno === EINTR) continue;
      lost();
      if (errno === ENOBUFS) continue;
      // Doubt: come back in the next round, which ends the thread if the descriptor is broken.
      return;
    }
    // Anyone with CAP_NET_ADMIN may send to these groups; only port 0 is the kernel.
    if (decodeNetlinkAddress(address)?.port !== 0) continue;
    seen(datagram.subarray(0, Math.min(length, DATAGRAM_BYTES)), length > DATAGRAM_BYTES);
  }
}

/** Wakes of the subsystems asked for; `any` is told of every event, asked for or not. */
export function drainUevents(
  reader: NetlinkReader,
  subsystems: ReadonlySet<string>,
  add: (wake: KernelWake) => void,
  any: (event: Uevent) => void,
): void {
  drainNetlink(
    reader,
    (bytes, cut) => {
      const event = decodeUevent(bytes);
      if (event === undefined || cut) {
        add({ on: 'overflow' });
        return;
      }
      any(event);
      if (!subsystems.has(event.subsystem)) return;
      add({ on: 'uevent', subsystem: event.subsystem, action: event.action });
    },
    () => add({ on: 'overflow' }),
  );
}

/** Wakes of the subjects asked for. */
export function drainRoutes(
  reader: NetlinkReader,
  abouts: ReadonlySet<'link' | 'route'>,
  add: (wake: KernelWake) => void,
): void {
  drainNetlink(
    reader,
    (bytes, cut) => {
      const { messages, truncated } = decodeNetlink(bytes);
      if (cut || truncated) add({ on: 'overflow' });
      for (const { type } of messages) {
        const subject = netlinkSubject(type);
        if (subject === 'overrun') add({ on: 'overflow' });
        else if (subject !== 'other' && abouts.has(subject)) add({ on: 'netlink', about: subject });
      }
    },
    () => add({ on: 'overflow' }),
  );
}

/**
 * Takes kernel records, one a read. EPIPE: records were overwritten, the next read goes on behind them.
 * False when the device is of no more use.
 */
export function drainKmsg(fd: number, buffer: Uint8Array): boolean {
  for (let count = 0; count < DRAIN_MAX; count += 1) {
    try {
      if (readSync(fd, buffer) === 0) return false;
    } catch (error) {
      const name = errnoOf(error);
      if (name === 'EAGAIN') return true;
      // EINVAL: a record longer than the buffer, which the kernel has skipped.
      if (name !== 'EPIPE' && name !== 'EINTR' && name !== 'EINVAL') return false;
    }
  }
  return true;
}
