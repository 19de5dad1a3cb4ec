/** What a part of a source is: one read that it declares, kept up to date without knowing of the others. */
import type { Entry } from '../collectors/lib/collector.ts';
import type { Roots } from '../rules/config.ts';
import type { Found } from './listing.ts';
import type { KeptFiles } from './ports/files.ts';
import type { Folders } from './ports/glob.ts';
import type { ReadPorts } from './ports/port.ts';
import type { HangReader } from './reader/reader.ts';

export interface Context {
  readonly roots: Roots;
  readonly ports: ReadPorts;
  readonly files: KeptFiles;
  /** The children that read what may hang. */
  readonly reader: HangReader;
}

export interface Part {
  /** Lists its folders when that is due, and tells what came of it. */
  readonly list: (folders: Folders, found: Found) => void;
  /** Reads, and tells what changed. */
  readonly refresh: (found: Found) => Promise<void>;
  readonly fill: (entries: Map<string, Entry>) => void;
  /** Lists anew at the next refresh. */
  readonly relist: () => void;
  /** Matches that are not read because there are too many. */
  readonly dropped: () => number;
}

/** What a part of files or links is made for. */
export interface Frame {
  readonly everyMs: number;
  /** From the first listing of its folders to the second. */
  readonly firstMs: number;
}

/** What stands still and was read well need not be read again. */
export function isRead(entry: Entry | undefined): boolean {
  return entry !== undefined && !('errno' in entry);
}
