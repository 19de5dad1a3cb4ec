/**
 * Decodes what a netlink socket gave: kernel uevents and rtnetlink messages, as far as a wake needs to
 * know them. Pure functions from bytes to plain values; every length is checked against the bytes that
 * are there, and a part that does not fit ends the decoding instead of being guessed. Nothing here is a
 * fact about a device: the source is read afresh.
 */

/** A datagram of NETLINK_KOBJECT_UEVENT, group 1 (lib/kobject_uevent.c). */
export interface Uevent {
  readonly action: string;
  readonly devpath: string;
  /** Empty when the event names none. */
  readonly subsystem: string;
  /** Made by a write into a `uevent` file: it wakes, and is no sign of a fault. */
  readonly synthetic: boolean;
}

/** One rtnetlink message of a datagram: its header without the payload (struct nlmsghdr). */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly port: number;
  /** Bytes after the header. */
  readonly payload: Uint8Array;
}

export interface NetlinkMessages {
  readonly messages: readonly NetlinkMessage[];
  /** The datagram ended inside a message, or a header made no sense: something was not seen. */
  readonly truncated: boolean;
}

/** Port and groups of a sender; the kernel's port is 0 (struct sockaddr_nl). */
export interface NetlinkAddress {
  readonly port: number;
  readonly groups: number;
}

const AF_NETLINK = 16;
const SOCKADDR_NL_BYTES = 12;
const HEADER_BYTES = 16;
const ALIGN = 4;
/** A header alone is 16 bytes, so a full 64 KiB datagram holds no more than this. */
const MESSAGES_MAX = 4096;
/** kobject_uevent.h: UEVENT_NUM_ENVP is 64; later kernels may allow more. */
const UEVENT_PARTS_MAX = 1024;

const NLMSG_OVERRUN = 4;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;

/** Netlink is in the byte order of the machine. */
export const LITTLE_ENDIAN: boolean = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The sender in a `struct sockaddr_nl`; undefined when it is another family or too short. */
export function decodeNetlinkAddress(bytes: Uint8Array): NetlinkAddress | undefined {
  if (bytes.length < SOCKADDR_NL_BYTES) return undefined;
  const fields = view(bytes);
  if (fields.getUint16(0, LITTLE_ENDIAN) !== AF_NETLINK) return undefined;
  return { port: fields.getUint32(4, LITTLE_ENDIAN), groups: fields.getUint32(8, LITTLE_ENDIAN) };
}

/** The messages of one rtnetlink datagram, in order (RFC 3549 section 2.3; linux/netlink.h). */
export function decodeNetlink(bytes: Uint8Array): NetlinkMessages {
  const fields = view(bytes);
  const messages: NetlinkMessage[] = [];
  let offset = 0;
  while (bytes.length - offset >= HEADER_BYTES && messages.length < MESSAGES_MAX) {
    const length = fields.getUint32(offset, LITTLE_ENDIAN);
    if (length < HEADER_BYTES) return { messages, truncated: true };
    const end = Math.min(offset + length, bytes.length);
    messages.push({
      type: fields.getUint16(offset + 4, LITTLE_ENDIAN),
      flags: fields.getUint16(offset + 6, LITTLE_ENDIAN),
      sequence: fields.getUint32(offset + 8, LITTLE_ENDIAN),
      port: fields.getUint32(offset + 12, LITTLE_ENDIAN),
      payload: bytes.subarray(offset + HEADER_BYTES, end),
    });
    if (length > bytes.length - offset) return { messages, truncated: true };
    offset += Math.ceil(length / ALIGN) * ALIGN;
  }
  return { messages, truncated: offset < bytes.length };
}

/** What a message is about, or `overrun` when the kernel says that messages were lost. */
export function netlinkSubject(type: number): 'link' | 'route' | 'overrun' | 'other' {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return 'link';
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return 'route';
    case NLMSG_OVERRUN:
      return 'overrun';
    default:
      return 'other';
  }
}

/** Cut by the runtime itself: byte by byte in JavaScript it was most of the time from poll to wake. */
function parts(bytes: Uint8Array): readonly string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return text.split('\0', UEVENT_PARTS_MAX);
}

/**
 * A kernel uevent: `ACTION@DEVPATH`, then `KEY=VALUE` parts, each ended by NUL. Undefined for anything
 * else, such as the messages of udev. Bytes above 127 are kept as Latin-1.
 */
export function decodeUevent(bytes: Uint8Array): Uevent | undefined {
  let head: readonly [string, string] | undefined;
  let subsystem = '';
  let synthetic = false;
  for (const part of parts(bytes)) {
    if (head === undefined) {
      const at = part.indexOf('@');
      if (at <= 0 || part[at + 1] !== '/') return undefined;
      head = [part.slice(0, at), part.slice(at + 1)];
    } else if (part.startsWith('SUBSYSTEM=')) {
      subsystem = part.slice('SUBSYSTEM='.length);
    } else if (part.startsWith('SYNTH_UUID=')) {
      synthetic = true;
    }
  }
  if (head === undefined) return undefined;
  return { action: head[0], devpath: head[1], subsystem, synthetic };
}
