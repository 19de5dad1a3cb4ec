/**
 * The few libc calls that Node lacks and the wakes need: netlink sockets, `poll` and an eventfd. Nothing
 * else of libc is bound: what `node:fs` can do (open, pread, close) it does, because a wrong prototype
 * here is memory corruption. Every pointer argument is declared `void *` and given a typed array, which
 * koffi passes as the address of its bytes, without a copy; the call is synchronous, so the array is
 * alive for as long as libc may write into it. Constants are those of asm-generic, which all
 * architectures that koffi has a binary for share.
 */

const LIBC = 'libc.so.6';

/** A C call: its result, and -1 with `errno()` set when it failed. */
export interface Libc {
  readonly socket: (domain: number, type: number, protocol: number) => number;
  readonly bind: (fd: number, address: ArrayBufferView, length: number) => number;
  readonly setsockopt: (
    fd: number,
    level: number,
    name: number,
    value: ArrayBufferView,
    length: number,
  ) => number;
  readonly recvfrom: (
    fd: number,
    buffer: ArrayBufferView,
    length: number,
    flags: number,
    address: ArrayBufferView,
    addressLength: ArrayBufferView,
  ) => number;
  readonly poll: (fds: ArrayBufferView, count: number, timeoutMs: number) => number;
  readonly eventfd: (value: number, flags: number) => number;
  readonly lseek: (fd: number, offset: number, whence: number) => number;
  /**
   * The calling thread's errno. Ask at once after the call that failed, and treat a number that makes
   * no sense as doubt: the runtime may have made a system call of its own in between.
   */
  readonly errno: () => number;
}

/** Binds libc. Rejects when koffi has no binary for this machine or the library is not there. */
export async function openLibc(): Promise<Libc> {
  const { default: koffi } = await import('koffi');
  const library = (() => {
    try {
      return koffi.load(LIBC);
    } catch {
      // Not glibc: libc is then part of what the process itself was linked with.
      return koffi.load(null);
    }
  })();
  return {
    socket: library.func('int socket(int domain, int type, int protocol)'),
    bind: library.func('int bind(int fd, void *address, uint32_t length)'),
    setsockopt: library.func(
      'int setsockopt(int fd, int level, int name, void *value, uint32_t length)',
    ),
    recvfrom: library.func(
      'long recvfrom(int fd, void *buffer, size_t length, int flags, void *address, void *addressLength)',
    ),
    poll: library.func('int poll(void *fds, unsigned long count, int timeoutMs)'),
    eventfd: library.func('int eventfd(unsigned int value, int flags)'),
    lseek: library.func('long lseek(int fd, long offset, int whence)'),
    errno: () => koffi.errno(),
  };
}

export const AF_NETLINK = 16;
export const NETLINK_ROUTE = 0;
export const NETLINK_KOBJECT_UEVENT = 15;
/** SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK. */
export const SOCK_RAW_CLOEXEC_NONBLOCK: number = 3 | 0o2000000 | 0o4000;
/** EFD_CLOEXEC | EFD_NONBLOCK. */
export const EFD_CLOEXEC_NONBLOCK: number = 0o2000000 | 0o4000;
export const SOL_SOCKET = 1;
export const SO_RCVBUF = 8;
export const SO_RCVBUFFORCE = 33;
/** recvfrom(2): return the real length of a datagram that did not fit. */
export const MSG_TRUNC = 0x20;
export const SEEK_END = 2;
export const POLLIN = 0x1;
export const POLLPRI = 0x2;
export const POLLNVAL = 0x20;
/** `struct sockaddr_nl`: u16 family, u16 pad, u32 port, u32 groups (linux/netlink.h). */
export const SOCKADDR_NL_BYTES = 12;
