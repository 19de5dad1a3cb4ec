/**
 * The folder of one running lab: sockets, logs and disks of its machines, and a list of the processes it
 * started. Every such process dies with the lab (PDEATHSIG); the list is for what that cannot reach. A
 * folder whose lab was killed is cleared when the next one starts. A process is known by its pid and
 * start time together, so that a reused pid is never killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Cache } from './files.ts';

/** sun_path holds 108 bytes with the final zero. */
const SOCKET_PATH_MAX = 107;
const SOCKET_NAME_ROOM = 24;

/** Start time of a process in clock ticks since boot, the 22nd field of its stat; undefined: it ended. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function identity(pid: number): string {
  return `${pid} ${startTime(pid) ?? 'gone'}`;
}

function lives(line: string): number | undefined {
  const [pid = '', start] = line.split(' ');
  const number = Number(pid);
  return start !== undefined && startTime(number) === start ? number : undefined;
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

/** Clears what labs left that were killed; gives one line for each. */
export function clearKilled(cache: Cache): readonly string[] {
  mkdirSync(cache.runs, { recursive: true });
  const said: string[] = [];
  for (const name of readdirSync(cache.runs)) {
    const folder = join(cache.runs, name);
    const [owner, ...children] = linesOf(join(folder, 'processes'));
    if (owner !== undefined && lives(owner) !== undefined) continue;
    const left = children.flatMap((line) => lives(line) ?? []);
    for (const pid of left) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    said.push(`cleared a lab that was killed (${name}; ${left.length} processes were left)`);
  }
  return said;
}

export interface RunFolder {
  readonly folder: string;
  readonly file: (name: string) => string;
  /** Starts a program that dies with the lab; both its outputs go to the file `log`, its input is ours. */
  readonly spawn: (argv: readonly [string, ...string[]], log: string) => ChildProcess;
  readonly close: () => Promise<void>;
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

export function openRunFolder(cache: Cache): RunFolder {
  const folder = join(cache.runs, `${process.pid}`);
  if (folder.length + SOCKET_NAME_ROOM > SOCKET_PATH_MAX) {
    throw new Error(`the path of the cache folder is too long for sockets: ${cache.folder}`);
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const list = join(folder, 'processes');
  writeFileSync(list, `${identity(process.pid)}\n`);
  const children: ChildProcess[] = [];
  const file = (name: string): string => join(folder, name);
  return {
    folder,
    file,
    spawn: (argv, log) => {
      const out = openSync(file(log), 'a');
      const guarded = ['--pdeathsig', 'KILL', '--', ...argv];
      const child = spawn('setpriv', guarded, { stdio: ['pipe', out, out], cwd: folder });
      closeSync(out);
      child.stdin?.on('error', () => undefined);
      child.on('error', () => undefined);
      children.push(child);
      if (child.pid !== undefined) appendFileSync(list, `${identity(child.pid)}\n`);
      return child;
    },
    close: async () => {
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(children.map(ended));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
