/**
 * Files that may hang, kept apart from the loop: lists of files read by a child, what they last said,
 * and the quarantine. A file that hung is left out of the lists and tried again, with growing pauses,
 * in a second child, so that nobody waits for it twice; and never while the process that still hangs on
 * it lives, so that a dead device does not gather processes.
 */
import { dirname } from 'node:path';
import type { Entry } from '../../collectors/lib/collector.ts';
import { monotonicMs } from '../ports/clock.ts';
import { sameEntry } from '../ports/files.ts';
import { within } from '../ports/within.ts';
import { Lane, type LaneFile, type LaneOptions } from './lane.ts';
import { CLOSE_MS_MAX, type ReaderProcess } from './process.ts';

/** A file that takes longer hangs. I2C takes tens of ms, ACPI and IPMI up to some hundred. */
export const HANG_MS = 1_000;
/** A read of a list is answered after this long with what there is: four files hung at first sight. */
export const READ_MS_MAX = 5_000;
/** Pauses before a hung file is tried again: 1 s, doubling to 60 s. */
export const RETRY_MS = 1_000;
export const RETRY_MS_MAX = 60_000;
/** A file that has not hung for this long starts again with the shortest pause. */
const FORGIVE_MS = 600_000;

export interface HangFile extends LaneFile {
  /** Its key in snapshots. */
  readonly key: string;
  readonly list: HangList;
  /** The child's last word; it repeats none. */
  answer: Entry | undefined;
  /** What snapshots show: the answer, or why there is none. */
  entry: Entry | undefined;
  /** When the child last said something new of it. */
  readMs: number;
  quarantine: { dueMs: number; holderGone: boolean; busy: boolean } | undefined;
  pauseMs: number;
  hungMs: number;
}

/** The files of one read of one source. */
export interface HangList {
  readonly number: number;
  /** Read seldom: no descriptor of theirs is kept. */
  readonly seldom: boolean;
  files: readonly HangFile[];
  /** The files not in quarantine; the same array as long as they are the same files. */
  active: readonly HangFile[] | undefined;
  job: Promise<void> | undefined;
  /** When all of it was last read. */
  readMs: number;
  /** Entries that say less than the answers: they were shown while a read was late. */
  isLate: boolean;
  /** Files whose entry became another one since this was last cleared. */
  readonly changed: Set<HangFile>;
  /** A device went away: the files should be listed anew. */
  vanished: boolean;
}

export class HangReader {
  readonly #stuck: Set<ReaderProcess> = new Set();
  readonly #files: Map<number, HangFile> = new Map();
  readonly #quarantined: Set<HangFile> = new Set();
  readonly #reading: Map<number, HangList> = new Map();
  readonly #lists: Lane<HangFile>;
  readonly #retries: Lane<HangFile>;
  #numbers = 0;
  #hangs = 0;

  constructor(options: { readonly runDir: string; readonly hangMs?: number }) {
    const hangMs = options.hangMs ?? HANG_MS;
    const lane = (linger: boolean): LaneOptions => ({
      runDir: options.runDir,
      hangMs,
      linger,
      stuck: this.#stuck,
    });
    const owner = {
      answered: this.#answered.bind(this),
      confirmed: this.#confirmed.bind(this),
      hung: this.#hung.bind(this),
    };
    const failed = (files: readonly HangFile[], entry: Entry): void => {
      for (const file of files) show(file, entry);
    };
    this.#lists = new Lane(lane(true), { ...owner, failed });
    // That it could not be tried again says nothing new of a file.
    this.#retries = new Lane(lane(false), { ...owner, failed: () => undefined });
  }

  /** Files in quarantine now, and processes of ours that still run or that the kernel holds. */
  get counts(): { readonly quarantined: number; readonly readers: number } {
    const pids = [this.#lists.pid, this.#retries.pid].filter((pid) => pid !== undefined);
    return { quarantined: this.#quarantined.size, readers: pids.length + this.#stuck.size };
  }

  /** How often a file was put in quarantine. */
  get hangs(): number {
    return this.#hangs;
  }

  list(seldom = false): HangList {
    this.#numbers += 1;
    return {
      number: this.#numbers,
      seldom,
      files: [],
      active: undefined,
      job: undefined,
      readMs: Number.NEGATIVE_INFINITY,
      isLate: false,
      changed: new Set(),
      vanished: false,
    };
  }

  /** Sets the files of a list; what is known of a file that stays is kept. True when they are others. */
  setFiles(list: HangList, wanted: readonly { key: string; path: string }[]): boolean {
    const old = new Map(list.files.map((file) => [file.path, file]));
    const fresh = new Map<string, HangFile>();
    for (const { key, path } of wanted) {
      if (!fresh.has(path)) fresh.set(path, old.get(path) ?? this.#newFile(list, key, path));
    }
    if (fresh.size === old.size && list.files.every(({ path }) => fresh.has(path))) return false;
    list.files = [...fresh.values()];
    for (const file of old.values()) {
      if (fresh.has(file.path)) continue;
      this.#files.delete(file.index);
      this.#quarantined.delete(file);
      list.changed.delete(file);
    }
    list.active = undefined;
    if (list.files.length === 0) this.#lists.forget(list.number);
    return true;
  }

  /**
   * Brings the entries of a list up to date, within READ_MS_MAX. A file that was not reached by then
   * keeps what it said if that is younger than `carryMs`; else it is `ETIMEDOUT`.
   */
  async read(list: HangList, carryMs: number): Promise<void> {
    this.#retryDue(list);
    list.active ??= list.files.filter(({ quarantine }) => quarantine === undefined);
    if (list.job === undefined && list.active.length > 0) {
      this.#reading.set(list.number, list);
      list.job = this.#lists.read(list.number, list.seldom, list.active).then(() => {
        list.job = undefined;
        this.#reading.delete(list.number);
      });
    }
    if (list.job === undefined) return;
    const late = await within(
      list.job.then(() => false),
      READ_MS_MAX,
      () => true,
    );
    if (!late) return;
    const nowMs = monotonicMs();
    list.isLate = true;
    for (const file of list.files) {
      const readMs = Math.max(file.readMs, list.readMs);
      if (file.quarantine === undefined && nowMs - readMs > carryMs) {
        show(file, { errno: 'ETIMEDOUT', why: `not reached within ${READ_MS_MAX} ms` });
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#lists.close(), this.#retries.close()]);
    const killed = Promise.all([...this.#stuck].map(({ exited }) => exited));
    await within(killed, CLOSE_MS_MAX, () => []);
  }

  #newFile(list: HangList, key: string, path: string): HangFile {
    this.#numbers += 1;
    const file: HangFile = {
      index: this.#numbers,
      key,
      path,
      folder: dirname(path),
      list,
      answer: undefined,
      entry: undefined,
      readMs: Number.NEGATIVE_INFINITY,
      quarantine: undefined,
      pauseMs: RETRY_MS,
      hungMs: Number.NEGATIVE_INFINITY,
    };
    this.#files.set(file.index, file);
    return file;
  }

  #answered(answers: readonly { index: number; entry: Entry; vanished: boolean }[]): void {
    for (const { index, entry, vanished } of answers) {
      const file = this.#files.get(index);
      if (file === undefined) continue;
      file.answer = entry;
      file.readMs = monotonicMs();
      if (vanished) file.list.vanished = true;
      show(file, entry);
    }
  }

  #confirmed(number: number): void {
    const list = this.#reading.get(number);
    if (list === undefined) return;
    list.readMs = monotonicMs();
    if (!list.isLate) return;
    list.isLate = false;
    for (const file of list.files) if (file.answer !== undefined) show(file, file.answer);
  }

  #hung(file: HangFile, entry: Entry, holderGone: Promise<void>): void {
    this.#hangs += 1;
    const nowMs = monotonicMs();
    const again = nowMs - file.hungMs < FORGIVE_MS;
    file.pauseMs = again ? Math.min(2 * file.pauseMs, RETRY_MS_MAX) : RETRY_MS;
    file.hungMs = nowMs;
    const quarantine = { dueMs: nowMs + file.pauseMs, holderGone: false, busy: false };
    void holderGone.then(() => {
      quarantine.holderGone = true;
    });
    file.quarantine = quarantine;
    this.#quarantined.add(file);
    file.answer = undefined;
    file.list.active = undefined;
    show(file, entry);
  }

  #retryDue(list: HangList): void {
    const nowMs = monotonicMs();
    for (const file of this.#quarantined) {
      const { quarantine } = file;
      if (file.list !== list || quarantine === undefined || quarantine.busy) continue;
      if (!quarantine.holderGone || nowMs < quarantine.dueMs) continue;
      quarantine.busy = true;
      void this.#retries.read(file.index, true, [file]).then(() => this.#retried(file, quarantine));
    }
  }

  /** Hung again: another quarantine took the place of this one. Not tried at all: later. Else: back. */
  #retried(file: HangFile, quarantine: NonNullable<HangFile['quarantine']>): void {
    if (file.quarantine !== quarantine) return;
    quarantine.busy = false;
    quarantine.dueMs = monotonicMs() + file.pauseMs;
    if (file.answer === undefined) return;
    file.quarantine = undefined;
    this.#quarantined.delete(file);
    file.list.active = undefined;
  }
}

function show(file: HangFile, entry: Entry): void {
  if (sameEntry(file.entry, entry)) return;
  file.entry = entry;
  file.list.changed.add(file);
}
