/**
 * Connecting to a socket in Linux's abstract namespace (unix(7)). Node 20 pads such a name with NULs to
 * the length of `sun_path`, which is another name to the kernel, so the daemon is never found; from
 * Node 22 on Node does it right. On Node 20 the socket is opened by libc through koffi, with the exact
 * length, and handed to Node as a descriptor.
 */
import { connect, Socket } from 'node:net';
import { endianness } from 'node:os';
import { AF_UNIX, openNet, SOCK_STREAM } from './reach-socket.ts';

const NAME_BYTES_MAX = 107;
const EXACT_SINCE_NODE = 22;

export type Connected = { readonly socket: Socket } | { readonly errno: string };

/** `struct sockaddr_un` of an abstract name, no longer than the name. */
export function abstractAddress(name: string): Buffer {
  const text = Buffer.from(name, 'utf8');
  const address = Buffer.alloc(3 + text.length);
  if (endianness() === 'LE') address.writeUInt16LE(AF_UNIX, 0);
  else address.writeUInt16BE(AF_UNIX, 0);
  text.copy(address, 3);
  return address;
}

/** Connects through libc, without waiting: a full backlog is EAGAIN. `ENOSYS` where koffi does not load. */
export function connectExact(name: string): Connected {
  const net = openNet();
  if (net === undefined) return { errno: 'ENOSYS' };
  const fd = net.open(AF_UNIX, SOCK_STREAM, 0);
  if (typeof fd !== 'number') return fd;
  const failure = net.connect(fd, abstractAddress(name));
  if (failure === undefined) return { socket: new Socket({ fd, readable: true, writable: true }) };
  net.close(fd);
  return failure;
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
