/**
 * Keeps one text on disk: written whole to a new file, synced, renamed, and the folder synced, so that a
 * power cut leaves the old one or the new one. One write in flight; a hung disk costs that one write and
 * never the loop; a write that failed is tried again, for a disk that was full for an hour must not cost
 * what was learned in it.
 */
import { constants } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** Changes within this time are written together. */
export const WRITE_DELAY_MS = 500;
/** A write that failed is tried again after this long. */
export const RETRY_MS = 10_000;
/** Fifty thousand components with long names fit; anything larger was not written by us. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

export interface StateFile {
  /** Asks for a write; `text` is called when it happens. */
  readonly save: (text: () => string) => void;
  /** Writes what is pending; resolves when it is on disk or failed. */
  readonly close: () => Promise<void>;
}

export type FileText = { readonly text: string } | { readonly why: string };

/** Undefined when there is none. Neither a pipe nor an endless device holds up the start. */
export async function readText(path: string): Promise<FileText | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) return { why: 'it is not a file' };
      if (stat.size > FILE_BYTES_MAX) return { why: `it is longer than ${FILE_BYTES_MAX} bytes` };
      return { text: await file.readFile('utf8') };
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? undefined : { why: `it cannot be read (${code ?? message})` };
  }
}

async function writeWhole(stateDir: string, name: string, text: string): Promise<void> {
  const path = join(stateDir, name);
  const fresh = await open(`${path}.new`, 'w', 0o600);
  try {
    await fresh.writeFile(text);
    await fresh.sync();
  } finally {
    await fresh.close();
  }
  await rename(`${path}.new`, path);
  const folder = await open(stateDir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export interface StateFileOptions {
  readonly stateDir: string;
  readonly name: string;
  /** Said of it when it cannot be written: `the inventory`. */
  readonly what: string;
  /** What is lost by that. */
  readonly lost: string;
  readonly onTrouble: (why: string) => void;
  /** Changes within this time are written together. */
  readonly delayMs?: number;
  /** For tests. */
  readonly retryMs?: number;
}

export function openStateFile(options: StateFileOptions): StateFile {
  const { stateDir, name, what, lost, onTrouble } = options;
  const { delayMs = WRITE_DELAY_MS, retryMs = RETRY_MS } = options;
  let pending: (() => string) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;
  /** What the last write failed with; said once, not at every try. */
  let failure = '';
  let closed = false;

  function report(now: string): void {
    if (now === failure) return;
    failure = now;
    if (now === '') onTrouble(`${what} is written to ${stateDir} again`);
    else {
      onTrouble(
        `${what} could not be written to ${stateDir}: ${now}; ${lost}; tried again until it can`,
      );
    }
  }

  async function write(): Promise<void> {
    while (pending !== undefined) {
      const text = pending;
      pending = undefined;
      try {
        await writeWhole(stateDir, name, text());
        report('');
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        report(code ?? message);
        pending ??= text;
        if (!closed) timer = setTimeout(start, retryMs);
        break;
      }
    }
    writing = undefined;
  }

  function start(): void {
    timer = undefined;
    writing ??= write();
  }

  return {
    save: (text) => {
      pending = text;
      if (writing === undefined) timer ??= setTimeout(start, delayMs);
    },
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await writing;
      if (pending !== undefined) start();
      await writing;
    },
  };
}
