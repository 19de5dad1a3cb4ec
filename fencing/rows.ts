/**
 * From what a line device printed to the states of its outlets. A line counts only if it fits a row's
 * pattern as a whole, and in one way; a line that can be read in two ways, or an outlet that stands
 * there twice with different states, makes the answer unknown.
 */
import { matchRow, type Only, type Pattern, readPattern } from './pattern.ts';
import { type StatusQuery, valueWord } from './profile.ts';
import type { OutletState } from './reply.ts';

export interface Row {
  /** Undefined where the answer names no outlet. */
  readonly outlet: string | undefined;
  readonly name: string | undefined;
  readonly state: OutletState;
  readonly moving: boolean;
  readonly locked: string | undefined;
  readonly why: string;
}

export interface Rows {
  readonly rows: readonly Row[];
  /** Why nothing of the page may be believed. */
  readonly trouble: string | undefined;
}

/** Text as it may stand in a sentence. */
export function printable(text: string): string {
  return text
    .trim()
    .slice(0, 60)
    .replace(/[^\x20-\x7e]/gu, '?');
}

/** `07` and `7` are one outlet. */
export function sameOutlet(left: string, right: string): boolean {
  return left.replace(/^0+(?=[0-9])/u, '') === right.replace(/^0+(?=[0-9])/u, '');
}

/** The bits that count of a hexadecimal number, in decimal. */
function masked(text: string, bits: number): string | undefined {
  if (!/^[0-9A-Fa-f]{1,8}$/u.test(text)) return undefined;
  const value = Number.parseInt(text, 16);
  return String(value & bits);
}

function rowOf(query: StatusQuery, line: string, kept: Readonly<Record<string, string>>): Row {
  const { state: shown = '', also, lock, outlet, name } = kept;
  const text = query.bits === undefined ? shown : masked(shown, query.bits);
  const word = text === undefined ? undefined : valueWord(query.values, text);
  const second = also === undefined ? word : valueWord(query.values, also);
  const base = { outlet, name, why: `'${printable(line)}'` };
  const unknown = (why: string): Row => {
    return {
      ...base,
      state: 'unknown',
      moving: false,
      locked: undefined,
      why: `${base.why} ${why}`,
    };
  };
  if (word === undefined) return unknown(`tells no known state`);
  if (second !== word) return unknown('tells two states');
  let locked: string | undefined;
  if (lock !== undefined) {
    if (query.lock?.locked.includes(lock) === true) locked = `the outlet is locked: ${base.why}`;
    else if (query.lock?.free.includes(lock) !== true) return unknown('tells no known lock');
  }
  const moving = word === 'moving';
  const state = word === 'on' || word === 'off' ? word : 'unknown';
  return { ...base, state, moving, locked };
}

/** The words that may stand for a state or a lock: anything else is no row. */
function onlyOf(query: StatusQuery): Only {
  const states = Object.values(query.values).flat().map(String);
  const lock = query.lock === undefined ? {} : { lock: [...query.lock.free, ...query.lock.locked] };
  return query.bits === undefined ? { ...lock, state: states, also: states } : lock;
}

/** Lines read by patterns. All patterns must agree: a name may look like a state. */
function patternRows(query: StatusQuery, page: string): Rows {
  const patterns = (query.rows ?? [])
    .map(readPattern)
    .filter((one): one is Pattern => typeof one !== 'string');
  const only = onlyOf(query);
  const rows: Row[] = [];
  for (const line of page.split(/[\r\n]+/u)) {
    const matches = patterns.map((pattern) => matchRow(pattern, line, only));
    const found = matches.flatMap((match) => (match.kind === 'row' ? [match.captures] : []));
    const ways = new Set(
      found.map(({ outlet, state, lock }) => JSON.stringify([outlet, state, lock])),
    );
    if (ways.size > 1 || matches.some(({ kind }) => kind === 'ambiguous')) {
      return { rows: [], trouble: `'${printable(line)}' can be read in two ways` };
    }
    const [captures] = found;
    if (captures !== undefined) rows.push(rowOf(query, line, captures));
  }
  return { rows, trouble: undefined };
}

type Columns = NonNullable<StatusQuery['columns']>;

interface Heading {
  readonly cells: number;
  readonly outlet: number;
  readonly name: number;
  readonly state: number;
}

/** Where the cells are, if this line is the heading. */
function headingOf(columns: Columns, cells: readonly string[]): Heading | undefined {
  const at = (title: string | undefined): number =>
    cells.findIndex((cell) => cell.toLowerCase() === title?.toLowerCase());
  const outlet = at(columns.outlet);
  const state = at(columns.state);
  if (outlet < 0 || state < 0) return undefined;
  return { cells: cells.length, outlet, state, name: at(columns.name) };
}

/** Lines read by the headings above them. */
function columnRows(query: StatusQuery, columns: Columns, page: string): Rows {
  const rows: Row[] = [];
  let heading: Heading | undefined;
  for (const line of page.split(/[\r\n]+/u)) {
    const cells = line.split(columns.separator).map((cell) => cell.trim());
    const next = headingOf(columns, cells);
    heading = next ?? heading;
    if (next !== undefined || heading === undefined) continue;
    const outlet = cells[heading.outlet] ?? '';
    if (cells.length !== heading.cells || !/^[A-Za-z0-9._-]{1,16}$/u.test(outlet)) continue;
    const state = cells[heading.state] ?? '';
    rows.push(rowOf(query, line, { outlet, state, name: cells[heading.name] ?? '' }));
  }
  return { rows, trouble: undefined };
}

/** All rows of a page. */
export function readRows(query: StatusQuery, page: string): Rows {
  if (query.columns !== undefined) return columnRows(query, query.columns, page);
  return patternRows(query, page);
}

/** The row of one outlet; undefined when there is none. */
export function rowFor({ rows }: Rows, outlet: string): Row | undefined {
  const own = rows.filter((row) => row.outlet === undefined || sameOutlet(row.outlet, outlet));
  const [first, ...others] = own;
  if (first === undefined) return undefined;
  if (others.every((row) => row.state === first.state && row.name === first.name)) return first;
  return { ...first, state: 'unknown', moving: false, why: `outlet ${outlet} is there twice` };
}
