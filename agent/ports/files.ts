/**
 * Reads small files again and again through kept descriptors: a `pread` of 3-5 us instead of 35 us for
 * opening each time. It decides when a descriptor still stands for its path, and turns every failure
 * into an errno; it knows nothing of globs or sources. Used by the probe (opened so that nothing can
 * block) and by the reader child (opened so that what hangs does hang, there).
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  statfsSync,
  statSync,
} from 'node:fs';
import type { Entry } from '../../collectors/lib/collector.ts';
import { errnoOf } from './glob.ts';

/** A file longer than this is not what a collector wants to read: `E2BIG`. */
export const FILE_BYTES_MAX: number = 64 * 1024;
/** Text of all matches of one read together; what comes after it is `E2BIG`. */
export const READ_BYTES_MAX: number = 8 * 1024 * 1024;
/** Descriptors kept open. Each pins about 4 KiB in the kernel (seq_file's buffer): 16 MiB at most. */
export const KEPT_MAX = 4_096;

/** One sysfs attribute is one record of at most a page (fs/sysfs/file.c): a short read is all of it. */
const PAGE_BYTES = 4_096;
const SYSFS = 0x62656572;
const PROCFS = 0x9fa0;
/** What a kept descriptor says when its device or process is gone. */
const GONE: ReadonlySet<string> = new Set(['ENODEV', 'ENOENT', 'ESRCH', 'ESTALE', 'ENOTDIR']);

export interface KeptFile {
  readonly path: string;
  /** -1 while not open. */
  fd: number;
  /** The descriptor has given text: if it says `ENODEV` after that, something went away. */
  proved: boolean;
  /** On sysfs or procfs, where a descriptor itself tells that its file is gone. */
  kernel: 'sysfs' | 'procfs' | undefined;
  /** Elsewhere files are replaced by renaming: device and inode must still be those of the path. */
  inode: string;
  entry: Entry | undefined;
}

/** `same`: the entry is the very object it was. `vanished`: changed, and a listing should be made anew. */
export type Outcome = 'same' | 'changed' | 'vanished';

export function keptFile(path: string): KeptFile {
  return { path, fd: -1, proved: false, kernel: undefined, inode: '', entry: undefined };
}

/** True when two entries say the same. */
export function sameEntry(a: Entry | undefined, b: Entry): boolean {
  if (a === undefined) return false;
  if (a === b) return true;
  if ('text' in a) return 'text' in b && a.text === b.text && a.status === b.status;
  if ('link' in a) return 'link' in b && a.link === b.link;
  return 'errno' in b && a.errno === b.errno && a.why === b.why;
}

/** Half of the descriptors this process may open belong to others, whatever KEPT_MAX says. */
function keptMaxHere(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const soft = /^Max open files\s+(\d+)/mu.exec(limits)?.[1];
    return soft === undefined ? KEPT_MAX : Math.min(KEPT_MAX, Math.floor(Number(soft) / 2));
  } catch {
    return KEPT_MAX;
  }
}

function kernelOf(path: string): KeptFile['kernel'] {
  const { type } = statfsSync(path);
  if (type === SYSFS) return 'sysfs';
  return type === PROCFS ? 'procfs' : undefined;
}

export class KeptFiles {
  readonly #buffer: Buffer = Buffer.allocUnsafeSlow(FILE_BYTES_MAX + 1);
  readonly #open: Set<KeptFile> = new Set();
  readonly #mayBlock: boolean;
  readonly #keptMax: number;

  /** `mayBlock`: open without O_NONBLOCK, and FIFOs too; only for a process that can be killed. */
  constructor(options: { readonly mayBlock: boolean; readonly keptMax?: number }) {
    this.#mayBlock = options.mayBlock;
    this.#keptMax = options.keptMax ?? keptMaxHere();
  }

  /** Descriptors open now. */
  get kept(): number {
    return this.#open.size;
  }

  /** Brings `file.entry` up to date. At most `bytesMax` bytes of text are taken, more is `E2BIG`. */
  read(file: KeptFile, bytesMax: number): Outcome {
    const before = file.entry;
    const entry = this.#entry(file, Math.min(bytesMax, FILE_BYTES_MAX));
    if (!sameEntry(before, entry)) file.entry = entry;
    let vanished = false;
    if ('text' in entry) {
      file.proved = true;
    } else if ('errno' in entry && GONE.has(entry.errno)) {
      // A property without value may say ENODEV for ever: only what once gave text can vanish.
      vanished = file.proved;
      this.drop(file);
    }
    if (this.#open.size > this.#keptMax) this.#close(file);
    if (vanished) return 'vanished';
    return file.entry === before ? 'same' : 'changed';
  }

  /** Closes a file's descriptor; the next read opens it anew. */
  drop(file: KeptFile): void {
    file.proved = false;
    this.#close(file);
  }

  close(): void {
    for (const file of [...this.#open]) this.drop(file);
  }

  #close(file: KeptFile): void {
    if (file.fd < 0) return;
    const { fd } = file;
    file.fd = -1;
    this.#open.delete(file);
    try {
      closeSync(fd);
    } catch {
      // The descriptor is released whatever close() says (close(2), notes).
    }
  }

  #entry(file: KeptFile, bytesMax: number): Entry {
    try {
      const refused = this.#ready(file);
      if (refused !== undefined) return refused;
      const bytes = this.#fill(file.fd, file.kernel === 'sysfs', bytesMax);
      if (bytes > bytesMax) {
        const whole = bytesMax < FILE_BYTES_MAX;
        return {
          errno: 'E2BIG',
          why: whole
            ? `no room left of ${READ_BYTES_MAX} bytes for all files together`
            : `more than ${FILE_BYTES_MAX} bytes`,
        };
      }
      return { text: this.#buffer.toString('utf8', 0, bytes) };
    } catch (error) {
      return { errno: errnoOf(error) };
    }
  }

  /** Leaves an open descriptor that stands for the path, or says why there is none. May throw. */
  #ready(file: KeptFile): Entry | undefined {
    if (file.fd >= 0 && file.kernel !== undefined) return undefined;
    // Before opening: to open is an act on a watchdog, a tape or a FIFO.
    const stats = statSync(file.path, { throwIfNoEntry: false });
    if (stats === undefined) return { errno: 'ENOENT' };
    const inode = `${stats.dev}:${stats.ino}`;
    if (file.fd >= 0 && file.inode === inode) return undefined;
    this.#close(file);
    if (stats.isDirectory()) return { errno: 'EISDIR' };
    if (!(stats.isFile() || (this.#mayBlock && stats.isFIFO()))) {
      return { errno: 'EINVAL', why: 'not a regular file' };
    }
    const { O_RDONLY, O_NONBLOCK } = constants; // Node adds O_CLOEXEC to every descriptor.
    file.fd = openSync(file.path, this.#mayBlock ? O_RDONLY : O_RDONLY | O_NONBLOCK);
    this.#open.add(file);
    file.inode = inode;
    file.kernel = kernelOf(file.path);
    if (!this.#mayBlock && !fstatSync(file.fd).isFile()) {
      this.#close(file);
      return { errno: 'EINVAL', why: 'not a regular file' };
    }
    return undefined;
  }

  /** Bytes now in the buffer; more than `bytesMax` when there was more. */
  #fill(fd: number, shortIsAll: boolean, bytesMax: number): number {
    let end = 0;
    while (end <= bytesMax) {
      const bytes = readSync(fd, this.#buffer, end, bytesMax + 1 - end, end);
      end += bytes;
      // procfs hands out whole records, so a short read is no end there: only 0 is.
      if (bytes === 0 || (shortIsAll && bytes < PAGE_BYTES)) break;
    }
    return end;
  }
}
