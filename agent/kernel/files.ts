/**
 * The files polled for POLLPRI: finds them by their globs, opens each, reads it once to arm it (kernfs
 * and mdstat raise POLLPRI when something moved since this descriptor's last read), and lets go of those
 * that vanished or never fall silent. What is read is thrown away: a wake carries no fact.
 */
import { closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Roots } from '../../rules/config.ts';
import { errnoOf } from '../ports/errno.ts';
import { type Folders, listGlob } from '../ports/glob.ts';
import type { WatchGlob } from './message.ts';

/** Each watched file is a descriptor. A guess: 64 arrays of 8 members have about 1,300. */
const FILES_MAX = 4096;
/** A file is read to its end in pieces of this size, and no further than the second number. */
const PIECE_BYTES = 65_536;
const PIECES_MAX = 16;
/** A file that is still not silent after as many reads in a row does not do what kernfs does. */
const FIRES_MAX = 64;
/** Distinct troubles told; a directory full of unreadable files must not flood the journal. */
const TROUBLES_MAX = 16;

export interface WatchedFile {
  readonly key: string;
  readonly fd: number;
  /** Rounds in a row in which it had something to say. */
  fires: number;
}

/** All that is watched. Opened once by the wake thread; its files close with `close`. */
export class WatchedFiles {
  readonly #roots: Roots;
  readonly #globs: readonly WatchGlob[];
  readonly #tell: (why: string) => void;
  readonly #beat: () => void;
  readonly #piece = Buffer.alloc(PIECE_BYTES);
  readonly #told = new Set<string>();
  #files = new Map<string, WatchedFile>();

  constructor(
    roots: Roots,
    globs: readonly WatchGlob[],
    tell: (why: string) => void,
    beat: () => void,
  ) {
    this.#roots = roots;
    this.#globs = globs;
    this.#tell = tell;
    this.#beat = beat;
  }

  /** In a stable order; changes only by `list` and `fired`. */
  get all(): readonly WatchedFile[] {
    return [...this.#files.values()];
  }

  get size(): number {
    return this.#files.size;
  }

  /** Brings the watched files up to date with what is there. Returns the keys that are new. */
  list(): readonly string[] {
    const kept = new Map<string, WatchedFile>();
    const added: string[] = [];
    for (const [key, path] of this.#paths()) {
      const file = this.#files.get(key) ?? this.#open(key, path);
      if (file === undefined) continue;
      if (!this.#files.has(key)) added.push(key);
      kept.set(key, file);
    }
    for (const [key, file] of this.#files) if (!kept.has(key)) closeSync(file.fd);
    this.#files = kept;
    return added;
  }

  /** Reads a file that woke, which arms it again. False when it is watched no more. */
  fired(file: WatchedFile): boolean {
    file.fires += 1;
    if (this.#arm(file.fd) && file.fires <= FIRES_MAX) return true;
    if (file.fires > FIRES_MAX) {
      this.#tellOnce(file.key, `${file.key} never falls silent: it is read at its period`);
    }
    closeSync(file.fd);
    this.#files.delete(file.key);
    return false;
  }

  close(): void {
    for (const file of this.#files.values()) closeSync(file.fd);
    this.#files.clear();
  }

  #paths(): ReadonlyMap<string, string> {
    const paths = new Map<string, string>();
    const folders: Folders = new Map();
    for (const { root, glob } of this.#globs) {
      for (const path of listGlob(this.#roots[root], glob, folders).paths) {
        if (paths.size >= FILES_MAX) {
          this.#tellOnce(
            '',
            `more than ${FILES_MAX} files to watch: the rest is read at its period`,
          );
          return paths;
        }
        paths.set(`${root}/${path}`, join(this.#roots[root], path));
      }
      this.#beat();
    }
    return paths;
  }

  #open(key: string, path: string): WatchedFile | undefined {
    try {
      // Asked before it is opened: opening a device may start it.
      if (!statSync(path).isFile()) return undefined;
      const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      if (this.#arm(fd)) return { key, fd, fires: 0 };
      closeSync(fd);
    } catch (error) {
      const name = errnoOf(error);
      const gone = name === 'ENOENT' || name === 'ENOTDIR' || name === 'ENODEV';
      if (!gone)
        this.#tellOnce(key, `${key} cannot be watched (${name}): it is read at its period`);
    }
    return undefined;
  }

  /**
   * Reads to the end. False when the file's device is gone: its descriptor would fire for ever. Other
   * errors (a sensor that answers EIO) are no obstacle: kernfs takes note of the reader before it asks
   * the driver.
   */
  #arm(fd: number): boolean {
    this.#beat();
    try {
      let position = 0;
      for (let count = 0; count < PIECES_MAX; count += 1) {
        const length = readSync(fd, this.#piece, 0, PIECE_BYTES, position);
        if (length === 0) break;
        position += length;
      }
    } catch (error) {
      return errnoOf(error) !== 'ENODEV';
    }
    return true;
  }

  #tellOnce(key: string, why: string): void {
    if (this.#told.has(key) || this.#told.size >= TROUBLES_MAX) return;
    this.#told.add(key);
    this.#tell(why);
  }
}
