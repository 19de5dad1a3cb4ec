/**
 * The few libc calls on sockets that Node lacks, through koffi: it has no ICMP, no packet sockets
 * and no SO_BINDTODEVICE. Every descriptor is non-blocking; nothing here waits. Addresses are laid out
 * by hand from linux/in.h, in6.h and if_packet.h. Without koffi there is no `Net`, and `reach.ts` falls
 * back on what Node itself can do.
 */
import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import { errnoName } from './errno.ts';

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_PACKET = 17;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const SOCKADDR_BYTES_MAX = 28;
const IFNAME_BYTES_MAX = 15;

/** The symbolic errno of a failed call. */
export interface Failure {
  readonly errno: string;
}

export interface Received {
  readonly data: Buffer;
  /** Source as the kernel wrote it: a `sockaddr_in` or `sockaddr_in6`. */
  readonly from: Buffer;
}

/** Non-blocking calls on sockets. A result is a value or the errno, never an exception. */
export interface Net {
  readonly open: (family: number, type: number, protocol: number) => number | Failure;
  readonly close: (fd: number) => void;
  readonly bindToDevice: (fd: number, link: string) => Failure | undefined;
  readonly setOption: (fd: number, level: number, name: number, value: Buffer) => void;
  readonly bind: (fd: number, address: Buffer) => Failure | undefined;
  readonly connect: (fd: number, address: Buffer) => Failure | undefined;
  readonly send: (fd: number, data: Buffer, address: Buffer) => Failure | undefined;
  /** Undefined when nothing has arrived yet. */
  readonly receive: (fd: number, bytesMax: number) => Received | Failure | undefined;
  /** 0 when there is no such interface. */
  readonly index: (link: string) => number;
}

type Call = (...args: readonly (number | string | Buffer | null)[]) => number;

interface Koffi {
  readonly load: (path: null) => { readonly func: (prototype: string) => Call };
  readonly errno: () => number;
}

function loadKoffi(): Koffi | undefined {
  try {
    return createRequire(import.meta.url)('koffi') as Koffi;
  } catch {
    return undefined;
  }
}

/** The calls, or undefined where koffi does not load. */
export function openNet(): Net | undefined {
  const koffi = loadKoffi();
  if (koffi === undefined) return undefined;
  // The process itself: glibc or musl, whichever Node is linked with.
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const close = libc.func('int close(int fd)');
  const setsockopt = libc.func(
    'int setsockopt(int fd, int level, int name, void *value, uint32_t length)',
  );
  const bind = libc.func('int bind(int fd, void *address, uint32_t length)');
  const connect = libc.func('int connect(int fd, void *address, uint32_t length)');
  const sendto = libc.func(
    'intptr_t sendto(int fd, void *data, size_t length, int flags, void *address, uint32_t addressLength)',
  );
  const recvfrom = libc.func(
    'intptr_t recvfrom(int fd, void *data, size_t length, int flags, void *address, void *addressLength)',
  );
  const index = libc.func('uint32_t if_nametoindex(str name)');
  const failure = (): Failure => {
    return { errno: errnoName(koffi.errno()) };
  };
  const outcome = (result: number): Failure | undefined => (result < 0 ? failure() : undefined);
  return {
    open: (family, type, protocol) => {
      const fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
      return fd < 0 ? failure() : fd;
    },
    close: (fd) => {
      close(fd);
    },
    bindToDevice: (fd, link) => {
      const name = Buffer.from(`${link}\0`);
      if (name.length > IFNAME_BYTES_MAX + 1) return { errno: 'ENODEV' };
      return outcome(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length));
    },
    setOption: (fd, level, name, value) => {
      setsockopt(fd, level, name, value, value.length);
    },
    bind: (fd, address) => outcome(bind(fd, address, address.length)),
    connect: (fd, address) => outcome(connect(fd, address, address.length)),
    send: (fd, data, address) => outcome(sendto(fd, data, data.length, 0, address, address.length)),
    receive: (fd, bytesMax) => {
      const data = Buffer.alloc(bytesMax);
      const from = Buffer.alloc(SOCKADDR_BYTES_MAX);
      const fromLength = Buffer.alloc(4);
      writeNative32(fromLength, SOCKADDR_BYTES_MAX);
      const length = recvfrom(fd, data, bytesMax, 0, from, fromLength);
      if (length >= 0) return { data: data.subarray(0, length), from };
      const { errno } = failure();
      return errno === 'EAGAIN' || errno === 'EWOULDBLOCK' ? undefined : { errno };
    },
    index: (link) => index(link),
  };
}

function writeNative32(buffer: Buffer, value: number, offset = 0): void {
  if (endianness() === 'LE') buffer.writeUInt32LE(value, offset);
  else buffer.writeUInt32BE(value, offset);
}

function writeNative16(buffer: Buffer, value: number, offset = 0): void {
  if (endianness() === 'LE') buffer.writeUInt16LE(value, offset);
  else buffer.writeUInt16BE(value, offset);
}

function ipv6Bytes(address: string): Buffer {
  const embedded = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/u.exec(address);
  const pure =
    embedded === null
      ? address
      : `${embedded[1]}${hex16(embedded[2], embedded[3])}:${hex16(embedded[4], embedded[5])}`;
  const [head = '', tail] = pure.split('::', 2);
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const left = groups(head);
  const right = groups(tail ?? '');
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  const bytes = Buffer.alloc(16);
  for (const [at, group] of [...left, ...zeros, ...right].slice(0, 8).entries()) {
    bytes.writeUInt16BE(Number.parseInt(group, 16) & 0xffff, at * 2);
  }
  return bytes;
}

function hex16(high: string | undefined, low: string | undefined): string {
  return (Number(high) * 256 + Number(low)).toString(16);
}

/** The bytes of an address that `net.isIP` knows: 4 or 16 of them. */
export function addressBytes(address: string): Buffer {
  if (address.includes(':')) return ipv6Bytes(address);
  return Buffer.from(address.split('.').map(Number));
}

/** `sockaddr_in` or `sockaddr_in6`; `scope` is the interface index that a link-local address needs. */
export function socketAddress(address: string, port: number, scope: number): Buffer {
  const bytes = addressBytes(address);
  const isV4 = bytes.length === 4;
  const result = Buffer.alloc(isV4 ? 16 : 28);
  writeNative16(result, isV4 ? AF_INET : AF_INET6);
  result.writeUInt16BE(port, 2);
  bytes.copy(result, isV4 ? 4 : 8);
  if (!isV4) writeNative32(result, scope, 24);
  return result;
}

/** Address part of what `receive` gave as the source. */
export function sourceBytes(from: Buffer, isV4: boolean): Buffer {
  return isV4 ? from.subarray(4, 8) : from.subarray(8, 24);
}

/** `sockaddr_ll` for one EtherType on one interface; `mac` undefined leaves the address empty. */
export function packetAddress(index: number, etherType: number, mac?: Buffer): Buffer {
  const result = Buffer.alloc(20);
  writeNative16(result, AF_PACKET);
  result.writeUInt16BE(etherType, 2);
  writeNative32(result, index, 4);
  if (mac !== undefined) {
    result[11] = mac.length;
    mac.copy(result, 12);
  }
  return result;
}
