/**
 * The inventory on disk. A file that cannot be read is set aside, said, and counts as no inventory; how
 * it is written is `state-file.ts`'s.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeInventory } from '../../rules/inventory.ts';
import type { Remembered } from '../../rules/world.ts';
import { openStateFile, RETRY_MS, readText, type StateFile } from './state-file.ts';

export { RETRY_MS, WRITE_DELAY_MS } from './state-file.ts';

export const INVENTORY_FILE = 'inventory.json';

export type InventoryFile = StateFile;

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

/** `retryMs` is for tests. */
export function openInventoryFile(
  stateDir: string,
  onTrouble: (why: string) => void,
  retryMs: number = RETRY_MS,
): InventoryFile {
  return openStateFile({
    stateDir,
    name: INVENTORY_FILE,
    what: 'the inventory',
    lost: 'what was found since may be forgotten at the next start',
    onTrouble,
    retryMs,
  });
}
