/**
 * /proc/mdstat as md_seq_show and status_resync (drivers/md/md.c) print it, each array on its own: one
 * that is not understood says so in `problem` and leaves the others whole. Only words and numbers are
 * taken here; what they mean is decided in `md-array.ts`.
 */

export interface MdstatMember {
  readonly name: string;
  /** The number md gave the disk; not its slot. */
  readonly number: number;
  /** Letters in the kernel's order: W write-mostly, J journal, F faulty, S spare, R replacement. */
  readonly flags: readonly string[];
}

export type SyncAction = 'resync' | 'recover' | 'check' | 'repair' | 'reshape';

export interface Sync {
  readonly action: SyncAction;
  /** 0..1; undefined while it waits. */
  readonly ratio: number | undefined;
  /** `delayed`: behind another array; `pending`: starts at the first write; `remote`: another node's. */
  readonly waiting: 'delayed' | 'pending' | 'remote' | undefined;
}

export interface MdstatArray {
  readonly name: string;
  readonly state: 'active' | 'inactive' | 'broken';
  readonly readOnly: boolean;
  readonly level: string | undefined;
  readonly members: readonly MdstatMember[];
  /** The two numbers of `[want/have]`. */
  readonly disks: number | undefined;
  readonly working: number | undefined;
  readonly copies: number | undefined;
  readonly metadata: string | undefined;
  readonly sync: Sync | undefined;
  /** The line could not be read; the fields beside `name` mean nothing then. */
  readonly problem: string | undefined;
}

const HEADER = /^(\S+)\s*:\s*(.*)$/u;
const MEMBER = /^(.+)\[(\d{1,6})\]((?:\([A-Z]\))*)$/u;
const RUNNING = /(recovery|resync|reshape|check|repair)\s*=\s*(\d{1,3}(?:\.\d{1,3})?)%/u;
const WAITING = /(recovery|recover|resync|reshape|check|repair)\s*=\s*(DELAYED|PENDING|REMOTE)/u;
const STATUS = /\[(\d{1,6})\/(\d{1,6})\]\s+\[[U_]*\]/u;
const LEVEL = /^(linear|raid\d+|faulty|multipath)$/u;
const QUOTE_LENGTH_MAX = 60;

function syncAction(text: string): SyncAction {
  if (text === 'recovery' || text === 'recover') return 'recover';
  return text === 'resync' || text === 'check' || text === 'repair' ? text : 'reshape';
}

function syncOf(details: string): Sync | undefined {
  const running = RUNNING.exec(details);
  if (running !== null) {
    const ratio = Math.min(1, Number(running[2]) / 100);
    return { action: syncAction(running[1] ?? ''), ratio, waiting: undefined };
  }
  const waiting = WAITING.exec(details);
  if (waiting === null) return undefined;
  const word =
    waiting[2] === 'DELAYED' ? 'delayed' : waiting[2] === 'PENDING' ? 'pending' : 'remote';
  return { action: syncAction(waiting[1] ?? ''), ratio: undefined, waiting: word };
}

function count(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** Copies of a raid10; md leaves out a number that is 1. */
function copiesOf(details: string): number {
  const near = count(/(\d{1,3}) near-copies/u.exec(details)?.[1]) ?? 1;
  const far = count(/(\d{1,3}) (?:far|offset)-copies/u.exec(details)?.[1]) ?? 1;
  return near * far;
}

function membersOf(words: readonly string[]): readonly MdstatMember[] | undefined {
  const members: MdstatMember[] = [];
  for (const word of words) {
    const found = MEMBER.exec(word);
    if (found === null) return undefined;
    const flags = (found[3] ?? '').split('').filter((letter) => letter !== '(' && letter !== ')');
    members.push({ name: found[1] ?? '', number: Number(found[2]), flags });
  }
  return members;
}

function unread(name: string, line: string): MdstatArray {
  return {
    name,
    state: 'inactive',
    readOnly: false,
    level: undefined,
    members: [],
    disks: undefined,
    working: undefined,
    copies: undefined,
    metadata: undefined,
    sync: undefined,
    problem: `its line in mdstat is not understood: ${line.slice(0, QUOTE_LENGTH_MAX)}`,
  };
}

function arrayOf(name: string, line: string, details: string): MdstatArray {
  const words = line.split(/\s+/u).filter((word) => word !== '');
  const state = words.shift();
  if (state !== 'active' && state !== 'inactive' && state !== 'broken') return unread(name, line);
  let readOnly = false;
  if (words[0] === '(read-only)' || words[0] === '(auto-read-only)') {
    readOnly = words.shift() === '(read-only)';
  }
  const level = LEVEL.test(words[0] ?? '') ? words.shift() : undefined;
  const members = membersOf(words);
  if (members === undefined || (level === undefined && state !== 'inactive')) {
    return unread(name, line);
  }
  const status = STATUS.exec(details);
  return {
    name,
    state,
    readOnly,
    level,
    members,
    disks: count(status?.[1]),
    working: count(status?.[2]),
    copies: level === 'raid10' && status !== null ? copiesOf(details) : undefined,
    metadata: /\bsuper (\S+)/u.exec(details)?.[1],
    sync: syncOf(details),
    problem: undefined,
  };
}

/** The arrays in a text of /proc/mdstat by name; undefined when the text is no mdstat at all. */
export function parseMdstat(text: string): ReadonlyMap<string, MdstatArray> | undefined {
  const found = new Map<string, { readonly line: string; details: string }>();
  let open: { details: string } | undefined;
  let known = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('Personalities') || line.startsWith('unused devices')) {
      known = true;
      open = undefined;
    } else if (/^\s/u.test(line)) {
      if (open !== undefined) open.details += `${line}\n`;
    } else {
      const [, name, rest = ''] = HEADER.exec(line) ?? [];
      if (name === undefined || found.has(name)) continue;
      const next = { line: rest, details: '' };
      found.set(name, next);
      open = next;
    }
  }
  if (!known) return undefined;
  return new Map(
    [...found].map(([name, { line, details }]) => [name, arrayOf(name, line, details)]),
  );
}
