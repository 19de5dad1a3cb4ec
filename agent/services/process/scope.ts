/**
 * A control group for each run, where this machine lets us make one (cgroup v2, writable): it holds all
 * that a service starts, however it daemonizes. Elsewhere there is none, and sessions and marks do.
 */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SLICE = 'nospof.slice';

export interface Scope {
  /** Takes a process in, with all it starts from now on. */
  readonly take: (pid: number) => void;
  /** Kills all in it at once (Linux 5.14). */
  readonly kill: () => void;
  readonly pids: () => readonly number[];
  /** Gone when empty; else left for the next time. */
  readonly remove: () => void;
}

let mountKnown: string | undefined;

/** Where cgroup v2 is mounted. */
function mountOf(): string | undefined {
  mountKnown ??= findMount();
  return mountKnown;
}

function findMount(): string | undefined {
  try {
    for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
      const [left = '', right = ''] = line.split(' - ');
      if (right.startsWith('cgroup2 ')) return left.split(' ')[4];
    }
  } catch {
    // No /proc, no groups.
  }
  return undefined;
}

function attempt(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}

function scopeAt(path: string): Scope {
  return {
    take: (pid) => void attempt(() => writeFileSync(join(path, 'cgroup.procs'), String(pid))),
    kill: () => void attempt(() => writeFileSync(join(path, 'cgroup.kill'), '1')),
    pids: () => {
      try {
        const text = readFileSync(join(path, 'cgroup.procs'), 'latin1').trim();
        return text === '' ? [] : text.split('\n').map(Number);
      } catch {
        return [];
      }
    },
    remove: () => void attempt(() => rmdirSync(path)),
  };
}

/** `domain` tells agents with different run folders apart. Undefined where no group can be made. */
export function openScope(domain: string, name: string): Scope | undefined {
  const mount = mountOf();
  if (mount === undefined) return undefined;
  const path = join(mount, SLICE, `${domain}-${name}.scope`);
  const made = attempt(() => {
    mkdirSync(path, { recursive: true });
    readFileSync(join(path, 'cgroup.procs'));
  });
  return made ? scopeAt(path) : undefined;
}
