/**
 * Keeps the inventory on disk: written whole to a new file, synced, renamed, and the folder synced, so
 * that a power cut leaves the old one or the new one. One write in flight; a hung disk costs that one
 * write and never the loop; a write that failed is tried again, for a disk that was full for an hour must
 * not cost what was learned in it. A file that cannot be read is set aside, said, and counts as no inventory.
 */
import { constants } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeInventory } from '../../rules/inventory.ts';
import type { Remembered } from '../../rules/world.ts';

export const INVENTORY_FILE = 'inventory.json';
/** Changes within this time are written together. */
export const WRITE_DELAY_MS = 500;
/** A write that failed is tried again after this long. */
export const RETRY_MS = 10_000;
/** Fifty thousand components with long names fit; anything larger was not written by us. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

export interface InventoryFile {
  /** Asks for a write; `text` is called when it happens. */
  readonly save: (text: () => string) => void;
  /** Writes what is pending; resolves when it is on disk or failed. */
  readonly close: () => Promise<void>;
}

type FileText = { readonly text: string } | { readonly why: string };

/** Undefined when there is none. Neither a pipe nor an endless device holds up the start. */
async function readText(path: string): Promise<FileText | undefined> {
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

/**
 * What is remembered. A bad file is set aside by who will write: its next write would put another in its
 * place.
 */
export async function loadInventory(
  stateDir: string,
  onTrouble: (why: string) => void,
  writer = true,
): Promise<readonly Remembered[]> {
  const path = join(stateDir, INVENTORY_FILE);
  const read = await readText(path);
  if (read === undefined) return [];
  const inventory = 'text' in read ? decodeInventory(read.text) : read;
  if ('remembered' in inventory) return inventory.remembered;
  const aside = `${path}.bad`;
  const kept = writer ? `; kept as ${aside}, starting with none` : '';
  onTrouble(
    `${path} is no inventory: ${inventory.why}${kept}: parts that are dead now will not be missed`,
  );
  if (!writer) return [];
  await rename(path, aside).catch(() => onTrouble(`${path} could not be set aside`));
  return [];
}

async function writeWhole(stateDir: string, text: string): Promise<void> {
  const path = join(stateDir, INVENTORY_FILE);
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

/** `retryMs` is for tests. */
export function openInventoryFile(
  stateDir: string,
  onTrouble: (why: string) => void,
  retryMs: number = RETRY_MS,
): InventoryFile {
  let pending: (() => string) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;
  /** What the last write failed with; said once, not at every try. */
  let failure = '';
  let closed = false;

  function report(now: string): void {
    if (now === failure) return;
    failure = now;
    if (now === '') onTrouble(`the inventory is written to ${stateDir} again`);
    else {
      const lost = 'what was found since may be forgotten at the next start';
      onTrouble(
        `the inventory could not be written to ${stateDir}: ${now}; ${lost}; tried again until it can`,
      );
    }
  }

  async function write(): Promise<void> {
    while (pending !== undefined) {
      const text = pending;
      pending = undefined;
      try {
        await writeWhole(stateDir, text());
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
      if (writing === undefined) timer ??= setTimeout(start, WRITE_DELAY_MS);
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
