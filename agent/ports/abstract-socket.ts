/**
 * Connecting to a socket in Linux's abstract namespace (unix(7)). Node 20 pads such a name with NULs to
 * the length of `sun_path`, which is another name to the kernel, so the daemon is never found; from
 * Node 22 on Node does it right. On Node 20 the socket is opened by libc through koffi, with the exact
 * length, and handed to Node as a descriptor.
 */
import { closeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect, Socket } from 'node:net';
import { endianness, constants as os } from 'node:os';

const AF_UNIX = 1;
/** SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK of asm-generic: a full backlog is EAGAIN, not a wait. */
const STREAM: number = 1 | 0o2000000 | 0o4000;
const NAME_BYTES_MAX = 107;
const EXACT_SINCE_NODE = 22;

export type Connected = { readonly socket: Socket } | { readonly errno: string };

type Call = (...args: readonly (number | Buffer)[]) => number;

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

function errnoName(code: number): string {
  return Object.entries(os.errno).find(([, known]) => known === code)?.[0] ?? `E${code}`;
}

/** `struct sockaddr_un` of an abstract name, no longer than the name. */
export function abstractAddress(name: string): Buffer {
  const text = Buffer.from(name, 'utf8');
  const address = Buffer.alloc(3 + text.length);
  if (endianness() === 'LE') address.writeUInt16LE(AF_UNIX, 0);
  else address.writeUInt16BE(AF_UNIX, 0);
  text.copy(address, 3);
  return address;
}

/** Connects through libc. `ENOSYS` where koffi does not load. */
export function connectExact(name: string): Connected {
  const koffi = loadKoffi();
  if (koffi === undefined) return { errno: 'ENOSYS' };
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const connectTo = libc.func('int connect(int fd, void *address, uint32_t length)');
  const fd = socket(AF_UNIX, STREAM, 0);
  if (fd < 0) return { errno: errnoName(koffi.errno()) };
  const address = abstractAddress(name);
  if (connectTo(fd, address, address.length) !== 0) {
    const errno = errnoName(koffi.errno());
    closeSync(fd);
    return { errno };
  }
  return { socket: new Socket({ fd, readable: true, writable: true }) };
}

/**
 * A socket to an abstract name (given without its leading NUL). Where Node connects by itself the
 * outcome comes as its events; where libc does, it is connected already or the errno is known.
 */
export function connectAbstract(name: string): Connected {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) return { errno: 'ENAMETOOLONG' };
  const major = Number(process.versions.node.split('.', 1)[0]);
  return major >= EXACT_SINCE_NODE ? { socket: connect(`\0${name}`) } : connectExact(name);
}
