/**
 * The journal's files: `STATE/journal/NUMBER.jsonl`, numbered upwards for ever, readable by their owner
 * alone (they hold command lines and names of this node). Knows how to list, make and prune them, and
 * nothing of what is in them.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../config/folders.ts';

export const JOURNAL_FOLDER = 'journal';
const NAME = /^([0-9]{10})\.jsonl$/u;
/** Another agent on the same folder takes numbers too; after so many something else is wrong. */
const NUMBER_TRIES = 20;

export interface SegmentFile {
  readonly path: string;
  readonly number: number;
  readonly bytes: number;
}

export function segmentName(number: number): string {
  return `${String(number).padStart(10, '0')}.jsonl`;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/** Oldest first; none where there is no folder. */
export async function listSegments(folder: string): Promise<readonly SegmentFile[]> {
  let names: readonly string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  const files: SegmentFile[] = [];
  for (const name of names.toSorted()) {
    const [, digits] = NAME.exec(name) ?? [];
    if (digits === undefined) continue;
    const path = join(folder, name);
    const found: Stats | undefined = await stat(path).catch(() => undefined);
    if (found?.isFile()) files.push({ path, number: Number(digits), bytes: found.size });
  }
  return files;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export interface NewSegment {
  readonly file: FileHandle;
  readonly path: string;
  readonly number: number;
}

/** A new, empty file with a number above `above` and above all that are there. */
export async function makeSegment(folder: string, above: number): Promise<NewSegment> {
  await makeFolder(folder);
  const last = (await listSegments(folder)).at(-1)?.number ?? 0;
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  for (let number = Math.max(last, above) + 1, tries = 1; ; number += 1, tries += 1) {
    const path = join(folder, segmentName(number));
    try {
      const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      await syncFolder(folder);
      return { file, path, number };
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || tries >= NUMBER_TRIES) throw error;
    }
  }
}

/** Removes the oldest until the rest is within both bounds; the newest always stays. */
export async function pruneSegments(
  folder: string,
  bytesMax: number,
  filesMax: number,
): Promise<void> {
  const files = await listSegments(folder);
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  let count = files.length;
  for (const file of files.slice(0, -1)) {
    if (bytes <= bytesMax && count <= filesMax) return;
    await unlink(file.path);
    bytes -= file.bytes;
    count -= 1;
  }
}
