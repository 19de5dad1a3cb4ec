/** Reads /proc: who a process is, who its parent is, and which processes belong to one run. */
import { readdirSync, readFileSync } from 'node:fs';

/** In the environment of all that a run starts, unless it takes care to drop it. */
export const RUN_VARIABLE = 'NOSPOF_RUN';

export interface ProcessInfo {
  readonly pid: number;
  /** R, S, D, T, Z, ... */
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  /** Start time in clock ticks since boot: with the pid, an identity until reboot. */
  readonly ticks: number;
}

/** Undefined when there is none. */
export function processInfo(pid: number): ProcessInfo | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The name in brackets may hold anything, brackets included.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = '?', parent, , session] = fields;
  return {
    pid,
    state,
    parent: Number(parent),
    session: Number(session),
    ticks: Number(fields[19]),
  };
}

export function listProcesses(): readonly ProcessInfo[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    return Number.isInteger(pid) ? (processInfo(pid) ?? []) : [];
  });
}

function hasMark(pid: number, run: string): boolean {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`.includes(
      `\0${RUN_VARIABLE}=${run}\0`,
    );
  } catch {
    return false;
  }
}

/**
 * All that is left of a run, zombies not counted: its session, what bears its mark, and the descendants
 * of both. The mark is looked for only where orphans go, to this process and to init.
 */
export function processesOf(run: string, leader: number): readonly ProcessInfo[] {
  const all = listProcesses().filter(({ state }) => state !== 'Z' && state !== 'X');
  const found = new Set<number>();
  for (const one of all) {
    const orphan = one.parent === process.pid || one.parent === 1;
    const own = (leader > 0 && one.session === leader) || (orphan && hasMark(one.pid, run));
    if (own && one.pid !== process.pid) found.add(one.pid);
  }
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const one of all) if (found.has(one.parent)) found.add(one.pid);
  }
  return all.filter(({ pid }) => found.has(pid));
}

/** Pids of the children of this process, zombies included. */
function childrenHere(): readonly number[] {
  try {
    const text = readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    // A kernel without that file.
    return listProcesses()
      .filter(({ parent }) => parent === process.pid)
      .map(({ pid }) => pid);
  }
}

/** Children of this process, alive, that nobody asked for: orphans that came to it. */
export function orphans(known: (pid: number) => boolean): readonly number[] {
  return childrenHere().filter((pid) => !known(pid) && processInfo(pid)?.state !== 'Z');
}

/** Children of this process that have ended and that nobody asked for. */
export function zombies(known: (pid: number) => boolean): readonly number[] {
  return childrenHere().filter((pid) => !known(pid) && processInfo(pid)?.state === 'Z');
}
