/**
 * What the device-mapper kernel driver says of multipath maps: the status line (multipath_status in
 * drivers/md/dm-mpath.c) with each path's letter, and the table line with the features the map was
 * loaded with. Each line on its own; one that is not understood keeps its name and says so.
 *
 *     253:3 mpatha: 0 204800 multipath 2 0 0 0 2 1 A 0 2 2 8:16 A 0 0 1 8:32 F 3 0 1 E 0 ...
 *     table 253:3 mpatha: 0 204800 multipath 1 queue_if_no_path 0 2 1 service-time 0 2 2 8:16 1 ...
 */

export interface DmPath {
  /** `8:16`. */
  readonly number: string;
  /** `A` active, `F` failed; anything else is handed on as it is. */
  readonly letter: string;
  readonly failures: number;
  /** Of its priority group: `A` in use, `E` ready, `D` switched off. */
  readonly group: string;
}

export interface DmMap {
  readonly number: string;
  readonly name: string;
  /** Undefined when the status line was not understood. */
  readonly paths: readonly DmPath[] | undefined;
  /** Features of the loaded table; undefined when no table line was read. */
  readonly features: readonly string[] | undefined;
}

const LINE = /^(table )?(\d{1,9}:\d{1,9}) (.*): \d{1,20} \d{1,20} multipath (.*)$/u;
const COUNT_MAX = 4096;

/** Reads words one after the other; a missing or foreign one spoils the whole line. */
interface Cursor {
  readonly words: readonly string[];
  at: number;
  bad: boolean;
}

function next(cursor: Cursor): string {
  const word = cursor.words[cursor.at];
  cursor.at += 1;
  if (word === undefined) cursor.bad = true;
  return word ?? '';
}

function count(cursor: Cursor): number {
  const word = next(cursor);
  const value = /^\d{1,10}$/u.test(word) ? Number(word) : Number.NaN;
  if (Number.isNaN(value)) cursor.bad = true;
  return Number.isNaN(value) ? 0 : value;
}

/** As many words as the number before them says. */
function counted(cursor: Cursor): readonly string[] {
  const length = count(cursor);
  if (length > COUNT_MAX) cursor.bad = true;
  const words = cursor.bad ? [] : cursor.words.slice(cursor.at, cursor.at + length);
  if (words.length < length) cursor.bad = true;
  cursor.at += length;
  return words;
}

function cursorOf(text: string): Cursor {
  return { words: text.split(/\s+/u).filter((word) => word !== ''), at: 0, bad: false };
}

function groupPaths(cursor: Cursor): readonly DmPath[] {
  const group = next(cursor);
  counted(cursor);
  const paths = count(cursor);
  const extras = count(cursor);
  if (paths > COUNT_MAX || extras > COUNT_MAX) cursor.bad = true;
  const found: DmPath[] = [];
  for (let index = 0; index < paths && !cursor.bad; index += 1) {
    const number = next(cursor);
    const letter = next(cursor);
    const failures = count(cursor);
    cursor.at += extras;
    if (!/^\d{1,9}:\d{1,9}$/u.test(number)) cursor.bad = true;
    found.push({ number, letter, failures, group });
  }
  return found;
}

function statusPaths(text: string): readonly DmPath[] | undefined {
  const cursor = cursorOf(text);
  counted(cursor);
  counted(cursor);
  const groups = count(cursor);
  count(cursor);
  const paths: DmPath[] = [];
  for (let index = 0; index < groups && !cursor.bad; index += 1) paths.push(...groupPaths(cursor));
  return cursor.bad || cursor.at !== cursor.words.length ? undefined : paths;
}

function tableFeatures(text: string): readonly string[] | undefined {
  const cursor = cursorOf(text);
  const features = counted(cursor);
  return cursor.bad ? undefined : features;
}

/** The maps in a `dm:multipath` text; lines that name no map are passed over. */
export function parseDmStatus(text: string): readonly DmMap[] {
  const maps = new Map<string, DmMap>();
  for (const line of text.split('\n')) {
    const [, table, number, name = '', rest = ''] = LINE.exec(line) ?? [];
    if (number === undefined) continue;
    const map = maps.get(number) ?? { number, name, paths: undefined, features: undefined };
    maps.set(
      number,
      table === undefined
        ? { ...map, paths: statusPaths(rest) }
        : { ...map, features: tableFeatures(rest) },
    );
  }
  return [...maps.values()];
}
