/**
 * Keeps the inventory on disk: written whole to a new file, synced, renamed, and the folder synced, so
 * that a power cut leaves the old one or the new one. One write in flight; a hung disk costs that one
 * write and never the loop. A file that cannot be read is set aside, said, and counts as no inventory.
 */
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeInventory } from '../../rules/inventory.ts';
import type { Remembered } from '../../rules/world.ts';

export const INVENTORY_FILE = 'inventory.json';
/** Changes within this time are written together. */
export const WRITE_DELAY_MS = 500;

export interface InventoryFile {
  /** Asks for a write; `text` is called when it happens. */
  readonly save: (text: () => string) => void;
  /** Writes what is pending; resolves when it is on disk or failed. */
  readonly close: () => Promise<void>;
}

export async function loadInventory(
  stateDir: string,
  onTrouble: (why: string) => void,
): Promise<readonly Remembered[]> {
  const path = join(stateDir, INVENTORY_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT')
      onTrouble(`${path} cannot be read (${code}); starting with no inventory`);
    return [];
  }
  const inventory = decodeInventory(text);
  if (inventory.ok) return inventory.remembered;
  const aside = `${path}.bad`;
  onTrouble(
    `${path} is no inventory: ${inventory.why}; kept as ${aside}, starting with none: parts that are dead now will not be missed`,
  );
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

export function openInventoryFile(
  stateDir: string,
  onTrouble: (why: string) => void,
): InventoryFile {
  let pending: (() => string) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  async function write(): Promise<void> {
    while (pending !== undefined) {
      const text = pending();
      pending = undefined;
      try {
        await writeWhole(stateDir, text);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        onTrouble(`the inventory could not be written to ${stateDir}: ${code ?? message}`);
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
      clearTimeout(timer);
      if (pending !== undefined) start();
      await writing;
    },
  };
}
