/**
 * Reads a journal back: a file or a folder of segments, line by line, with every line that cannot be read
 * named. The end of a file that was being written when its writer was killed is torn, which is expected;
 * anything else that cannot be read ends that segment with a complaint, and the next one goes on alone.
 */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { CodecError } from '../../rules/codec.ts';
import { type Entry, openSegmentReader } from '../../rules/record.ts';
import { listSegments } from '../ports/journal-files.ts';

/** Longer than any segment we write: its checkpoint would be of a million components. */
const FILE_BYTES_MAX = 512 * 1024 * 1024;

export interface Placed {
  /** `NAME:LINE`, as editors take it. */
  readonly place: string;
  readonly entry: Entry;
}

export interface SegmentText {
  readonly path: string;
  readonly name: string;
  readonly lines: readonly string[];
  /** The last line has no end: its writer was killed in the middle of it. */
  readonly torn: boolean;
}

/** What is wrong with a journal, in one sentence with its place. */
export class JournalError extends Error {}

/** The segments of a folder, oldest first, or the one file itself. */
export async function segmentPaths(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new JournalError(
      `${path}: ${error.code === 'ENOENT' ? 'does not exist' : (error.code ?? error.message)}`,
    );
  });
  if (found.isFile()) return [path];
  const paths = (await listSegments(path)).map((file) => file.path);
  if (paths.length === 0) throw new JournalError(`${path}: holds no journal (NUMBER.jsonl)`);
  return paths;
}

export async function readSegment(path: string): Promise<SegmentText> {
  const { size } = await stat(path);
  if (size > FILE_BYTES_MAX) throw new JournalError(`${path}: longer than any journal of ours`);
  const lines = (await readFile(path, 'utf8')).split('\n');
  const torn = lines.pop() !== '';
  return { path, name: basename(path), lines, torn };
}

/** Entries in order; throws a JournalError at the first line that cannot be. */
export function* entriesOf({ name, lines }: SegmentText): Generator<Placed> {
  const reader = openSegmentReader();
  for (const [index, line] of lines.entries()) {
    const place = `${name}:${index + 1}`;
    let entry: Entry | undefined;
    try {
      entry = reader.take(line);
    } catch (error) {
      if (error instanceof CodecError) throw new JournalError(`${place}: ${error.message}`);
      throw error;
    }
    if (entry !== undefined) yield { place, entry };
  }
}
