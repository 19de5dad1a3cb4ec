/**
 * Walks the way from a datagram to a wake before the first event does, with a libc that hands out samples:
 * what runs for the first time is compiled then. See agent/rehearsal.ts.
 */
import { constants } from 'node:os';
import { drainRoutes, drainUevents, netlinkBuffers, PendingWakes } from './drain.ts';
import { AF_NETLINK, type Libc } from './libc.ts';

const ROUNDS = 32;
const UEVENT: Uint8Array = Buffer.from(
  'change@/devices/none\0ACTION=change\0DEVPATH=/devices/none\0SUBSYSTEM=none\0SEQNUM=1\0',
);
const NLMSG_HEADER_BYTES = 16;
const RTM_NEWLINK = 16;

function linkMessage(): Uint8Array {
  const bytes = new ArrayBuffer(2 * NLMSG_HEADER_BYTES);
  new Uint32Array(bytes)[0] = bytes.byteLength;
  new Uint16Array(bytes)[2] = RTM_NEWLINK;
  return new Uint8Array(bytes);
}

/** Gives the sample once, then says that there is no more; from the kernel, as it seems. */
function sampling(libc: Libc, sample: Uint8Array): Libc {
  let left = 0;
  return {
    ...libc,
    recvfrom: (_fd, buffer, _length, _flags, address) => {
      left = 1 - left;
      if (left === 0) return -1;
      new Uint8Array(buffer.buffer, buffer.byteOffset).set(sample);
      new Uint16Array(address.buffer, address.byteOffset, 1)[0] = AF_NETLINK;
      return sample.length;
    },
    errno: () => constants.errno.EAGAIN,
  };
}

/** Touches no descriptor and tells nobody. */
export function rehearseDrains(libc: Libc): void {
  const buffers = netlinkBuffers();
  const uevents = { libc: sampling(libc, UEVENT), fd: -1, buffers };
  const routes = { libc: sampling(libc, linkMessage()), fd: -1, buffers };
  const pending = new PendingWakes();
  for (let round = 0; round < ROUNDS; round += 1) {
    drainUevents(
      uevents,
      new Set(['none']),
      (wake) => pending.add(wake, 0),
      () => undefined,
    );
    drainRoutes(routes, new Set(['link'] as const), (wake) => pending.add(wake, 0));
    pending.take();
  }
}
