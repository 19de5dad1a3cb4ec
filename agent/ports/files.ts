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
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Entry } from '../../collectors/lib/collector.ts';
import { errnoOf } from './errno.ts';

/** A file longer than this is not what a collector wants to read: `E2BIG`. */
export const FILE_BYTES_MAX: number = 64 * 1024;
/** Text of all matches of one read together; what comes after it is `E2BIG`. */
export const READ_BYTES_MAX: number = 8 * 1024 * 1024;
/** Descriptors kept open. Each pins about 4 KiB in the kernel (seq_file's buffer): 16 MiB at most. */
export const KEPT_MAX = 4_096;
/** Opening a file each time it is read costs less than to keep it open, when it is read as seldom as this. */
export const SELDOM_MS = 10_000;

const PAGE_BYTES = 4_096;
/** Magic numbers of statfs(2). */
const FILE_SYSTEMS: ReadonlyMap<number, 'sysfs' | 'procfs' | 'tmpfs'> = new Map([
  [0x62656572, 'sysfs'],
  [0x9fa0, 'procfs'],
  [0x01021994, 'tmpfs'],
]);
/** What a kept descriptor says when its device or process is gone. */
const GONE: ReadonlySet<string> = new Set(['ENODEV', 'ENOENT', 'ESRCH', 'ESTALE', 'ENOTDIR']);

/** A folder in which something came, went or was renamed so recently may change again unseen. */
const SETTLED_MS = 100;

/** Folders asked for their state in one pass over files, and what they answered. */
export type Pass = Map<string, string>;

export interface KeptFile {
  readonly path: string;
  readonly folder: string;
  /** -1 while not open. */
  fd: number;
  /** The descriptor has given text: if it says `ENODEV` after that, something went away. */
  proved: boolean;
  fileSystem: 'sysfs' | 'procfs' | 'tmpfs' | undefined;
  /** On sysfs and procfs a descriptor itself tells that its file is gone; elsewhere files are replaced by renaming: device and inode must still be those of the path. */
  inode: string;
  /** State of the folder when that was last asked: while it is the same, so is the file behind the path. */
  folderState: string;
  entry: Entry | undefined;
}

/** `same`: the entry is the very object it was. `vanished`: changed, and a listing should be made anew. */
export type Outcome = 'same' | 'changed' | 'vanished';

export function keptFile(path: string): KeptFile {
  return {
    path,
    folder: dirname(path),
    fd: -1,
    proved: false,
    fileSystem: undefined,
    inode: '',
    folderState: '',
    entry: undefined,
  };
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

/** Changes whenever a name in the folder comes, goes or is given to another file; empty for doubt. */
function stateOf(folder: string, pass: Pass): string {
  let state = pass.get(folder);
  if (state === undefined) {
    const stats = statSync(folder, { throwIfNoEntry: false });
    const settled = stats !== undefined && Math.abs(Date.now() - stats.mtimeMs) > SETTLED_MS;
    state = settled ? `${stats.dev}:${stats.ino}:${stats.mtimeMs}` : '';
    pass.set(folder, state);
  }
  return state;
}

/** The kernel's own files, whose descriptors fail when what they stand for is gone. */
function isKernels({ fileSystem }: KeptFile): boolean {
  return fileSystem === 'sysfs' || fileSystem === 'procfs';
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

  /**
   * Brings `file.entry` up to date. At most `bytesMax` bytes of text are taken, more is `E2BIG`. `pass`
   * is shared by reads of one moment: off sysfs and procfs it spares asking for each file of a folder.
   */
  read(file: KeptFile, bytesMax: number, pass: Pass = new Map()): Outcome {
    const before = file.entry;
    const entry = this.#entry(file, Math.min(bytesMax, FILE_BYTES_MAX), pass);
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

  /** Closes the descriptor of a file that is read seldom; that it once gave text is not forgotten. */
  release(file: KeptFile): void {
    this.#close(file);
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

  #entry(file: KeptFile, bytesMax: number, pass: Pass): Entry {
    try {
      const refused = this.#ready(file, pass);
      if (refused !== undefined) return refused;
      const bytes = this.#fill(file, bytesMax);
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
  #ready(file: KeptFile, pass: Pass): Entry | undefined {
    if (file.fd >= 0 && isKernels(file)) return undefined;
    const folderState = stateOf(file.folder, pass);
    if (file.fd >= 0 && folderState !== '' && folderState === file.folderState) return undefined;
    // A link may lead elsewhere without a change of this folder.
    const link = lstatSync(file.path, { throwIfNoEntry: false })?.isSymbolicLink();
    file.folderState = link === false ? folderState : '';
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
    file.fileSystem = FILE_SYSTEMS.get(statfsSync(file.path).type);
    if (!this.#mayBlock && !fstatSync(file.fd).isFile()) {
      this.#close(file);
      return { errno: 'EINVAL', why: 'not a regular file' };
    }
    return undefined;
  }

  /** Bytes now in the buffer; more than `bytesMax` when there was more. */
  #fill({ fd, fileSystem }: KeptFile, bytesMax: number): number {
    let end = 0;
    while (end <= bytesMax) {
      const room = bytesMax + 1 - end;
      const bytes = readSync(fd, this.#buffer, end, room, end);
      end += bytes;
      // One sysfs attribute is one record of at most a page (fs/sysfs/file.c). procfs and others hand
      // out whole records, so a short read is no end there: only 0 is.
      if (bytes === 0 || (fileSystem === 'sysfs' && bytes < PAGE_BYTES)) break;
      if (fileSystem === 'tmpfs' && bytes < room) break;
    }
    return end;
  }
}
