/**
 * A pseudo terminal whose other end is a program of ours: a fake's serial port. Node cannot make one, so
 * libc does, through koffi. It is looked at in short steps rather than waited for: reading is the only
 * way to know that somebody has opened the other end (EIO until then, tty_ioctl(4)).
 */
import { closeSync, constants, openSync } from 'node:fs';
import { createRequire } from 'node:module';

const LOOK_MS = 4;
const READ_BYTES_MAX = 4096;
const O_NOCTTY = 0o400;

type Call = (...args: readonly (number | string | Buffer | null)[]) => number;

interface Koffi {
  readonly load: (path: null) => { readonly func: (prototype: string) => Call };
  readonly errno: () => number;
}

export interface Pty {
  /** Where the other end is: `/dev/pts/3`. */
  readonly path: string;
  readonly write: (text: string) => void;
  readonly close: () => void;
}

export interface PtyEvents {
  readonly opened: () => void;
  readonly data: (text: string) => void;
  readonly closed: () => void;
}

const EIO = 5;

export function openPty(events: PtyEvents): Pty {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const libc = koffi.load(null);
  const posixOpenpt = libc.func('int posix_openpt(int flags)');
  const grantpt = libc.func('int grantpt(int fd)');
  const unlockpt = libc.func('int unlockpt(int fd)');
  const ptsname = libc.func('int ptsname_r(int fd, void *name, size_t length)');
  const read = libc.func('intptr_t read(int fd, void *bytes, size_t length)');
  const write = libc.func('intptr_t write(int fd, void *bytes, size_t length)');
  const fd = posixOpenpt(constants.O_RDWR | O_NOCTTY | constants.O_NONBLOCK);
  const name = Buffer.alloc(64);
  if (fd < 0 || grantpt(fd) !== 0 || unlockpt(fd) !== 0 || ptsname(fd, name, name.length) !== 0) {
    throw new Error(`no pseudo terminal can be made: errno ${koffi.errno()}`);
  }
  const path = name.toString('latin1', 0, name.indexOf(0));
  // Opened and closed once: from now on an end that nobody holds reads as EIO.
  closeSync(openSync(path, constants.O_RDWR | O_NOCTTY));
  let held = false;
  const buffer = Buffer.alloc(READ_BYTES_MAX);
  const look = (): void => {
    const length = read(fd, buffer, buffer.length);
    const gone = length < 0 && koffi.errno() === EIO;
    if (gone && held) events.closed();
    if (!gone && !held) events.opened();
    held = !gone;
    if (length > 0) events.data(buffer.toString('latin1', 0, Number(length)));
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    path,
    write: (text) => {
      const bytes = Buffer.from(text, 'latin1');
      write(fd, bytes, bytes.length);
    },
    close: () => {
      clearInterval(timer);
      closeSync(fd);
    },
  };
}
