/**
 * The runs of the keeper: starts a process, knows when and how it ended, ends it with all it started,
 * and finds again what an earlier keeper had started. It never starts anything by itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Exit } from '../../../rules/service.ts';
import { monotonicMs } from '../../ports/clock.ts';
import { PROGRAM_FOLDERS } from '../../ports/programs.ts';
import type { KeeperLibc } from './libc.ts';
import { orphans, processesOf, processInfo, RUN_VARIABLE } from './processes.ts';
import type { Kept, StartOrder } from './protocol.ts';
import { openScope, type Scope } from './scope.ts';
import { openStderr, type Stderr } from './stderr.ts';

/** What is written down, so that a later keeper finds it. */
export interface RunRecord {
  readonly name: string;
  readonly run: string;
  readonly pid: number;
  readonly ticks: number;
  readonly startedMs: number;
  readonly exit?: Exit;
}

export interface Runs {
  readonly look: (name: string) => Kept;
  readonly start: (order: StartOrder) => Promise<Started>;
  readonly stop: (
    name: string,
    signal: string,
    deadlineMs: number,
    patienceMs: number,
  ) => Promise<string | undefined>;
  /** Takes up what an earlier keeper wrote down. */
  readonly adopt: (records: readonly RunRecord[]) => void;
  readonly records: () => readonly RunRecord[];
  readonly owns: (pid: number) => boolean;
  readonly running: () => number;
}

export type Started =
  | { readonly ok: true }
  | { readonly ok: false; readonly why: string; readonly lasting: boolean };

export interface RunsOptions {
  readonly folder: string;
  /** Tells this keeper's control groups from another's. */
  readonly domain: string;
  readonly libc: KeeperLibc | undefined;
  /** Orphans of what is started come to this process. */
  readonly subreaper: boolean;
  /** Something about this service changed. */
  readonly onChange: (name: string) => void;
}

interface Run {
  readonly record: RunRecord;
  readonly scope: Scope | undefined;
  exit: Exit | undefined;
  /** Nothing was left: its pid may be another's from now on. */
  swept: boolean;
  /**
   * What it leaves behind comes to this process, by the kernel: where its control group is empty and no
   * orphan has come, nothing is left, and /proc need not be searched.
   */
  readonly reaped: boolean;
}

const SWEEP_EVERY_MS = 10;
/** What the last run left behind is killed before a start; it may take so long to go. */
const LEFTOVER_MS = 1_000;
const POLL_ADOPTED_MS = 250;
const AWAIT_ADOPTED_MS = 1_000;

function signalPid(pid: number, signal: string): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

function signalNumber(name: string): number {
  return (constants.signals as { readonly [name: string]: number })[name] ?? 0;
}

/** Errors of a start that the next one would meet again. */
const LASTING: ReadonlySet<string> = new Set([
  'ENOENT',
  'EACCES',
  'ENOTDIR',
  'ENOEXEC',
  'EPERM',
  'EISDIR',
]);

type Owns = (pid: number) => boolean;

/** Everything of a run that is still there. */
function leftOf({ record, scope, swept, reaped }: Run, owns: Owns): readonly number[] {
  if (swept) return [];
  const pids = new Set(scope?.pids() ?? []);
  if (reaped && scope !== undefined && pids.size === 0 && orphans(owns).length === 0) return [];
  for (const { pid } of processesOf(record.run, record.pid)) pids.add(pid);
  pids.delete(process.pid);
  return [...pids];
}

/** Kills what is left, and gives it. */
function killAll(run: Run, owns: Owns): readonly number[] {
  if (run.swept) return [];
  run.scope?.kill();
  const left = leftOf(run, owns);
  for (const pid of left) signalPid(pid, 'SIGKILL');
  if (left.length === 0 && run.exit !== undefined) {
    run.swept = true;
    run.scope?.remove();
  }
  return left;
}

/** Kills until nothing is left or time is up; gives what is left. */
async function sweep(run: Run, owns: Owns, untilMs: number): Promise<readonly number[]> {
  for (;;) {
    const left = killAll(run, owns);
    if (left.length === 0 || monotonicMs() >= untilMs) return left;
    await pause(SWEEP_EVERY_MS);
  }
}

function unkillable(pid: number): string {
  return `process ${pid} cannot be killed (state ${processInfo(pid)?.state ?? '?'})`;
}

/** Why nothing may be started on top of this run. */
async function inTheWay(before: Run, owns: Owns): Promise<string | undefined> {
  if (before.exit === undefined) return `already runs as process ${before.record.pid}`;
  const left = await sweep(before, owns, monotonicMs() + LEFTOVER_MS);
  return left[0] === undefined ? undefined : unkillable(left[0]);
}

function launch(order: StartOrder, run: string, stderr: Stderr): ChildProcess {
  stderr.lines();
  stderr.forget();
  const fd = stderr.childFd();
  try {
    return spawn(order.argv[0] ?? '', order.argv.slice(1), {
      cwd: order.directory,
      env: {
        PATH: PROGRAM_FOLDERS.join(':'),
        LC_ALL: 'C',
        ...order.environment,
        [RUN_VARIABLE]: run,
      },
      stdio: ['ignore', 'ignore', fd],
      detached: true,
      ...(order.uid === undefined ? {} : { uid: order.uid }),
      ...(order.gid === undefined ? {} : { gid: order.gid }),
    });
  } finally {
    closeSync(fd);
  }
}

class Keeping implements Runs {
  readonly #options: RunsOptions;
  readonly #runs = new Map<string, Run>();
  readonly #errors = new Map<string, Stderr>();
  readonly #birth = Math.round(monotonicMs());
  #count = 0;

  constructor(options: RunsOptions) {
    this.#options = options;
  }

  readonly look = (name: string): Kept => {
    const run = this.#runs.get(name);
    if (run === undefined) return { is: 'none' };
    if (run.exit !== undefined) return { is: 'ended', exit: run.exit };
    const { run: id, pid, startedMs } = run.record;
    const state = processInfo(pid)?.state ?? '?';
    return { is: 'running', run: id, pid, state, ageMs: Math.round(monotonicMs() - startedMs) };
  };

  readonly start = async (order: StartOrder): Promise<Started> => {
    const { name } = order;
    const before = this.#runs.get(name);
    if (before !== undefined) {
      const why = await inTheWay(before, this.owns);
      if (why !== undefined) return { ok: false, why, lasting: false };
    }
    this.#count += 1;
    const run = `${this.#birth}-${this.#count}`;
    let child: ChildProcess;
    try {
      child = launch(order, run, this.#stderrOf(name));
    } catch (error) {
      return this.#failed(name, run, error as NodeJS.ErrnoException);
    }
    const { pid } = child;
    if (pid === undefined) {
      return new Promise((resolve) => {
        child.once('error', (error) => resolve(this.#failed(name, run, error)));
      });
    }
    const ticks = processInfo(pid)?.ticks ?? 0;
    const record = { name, run, pid, ticks, startedMs: monotonicMs() };
    const scope = openScope(this.#options.domain, name);
    const reaped = this.#options.subreaper;
    const one: Run = { record, scope, exit: undefined, swept: false, reaped };
    this.#runs.set(name, one);
    child.on('error', () => undefined);
    child.once('exit', (status, signal) => {
      if (signal !== null) this.#ended(one, { how: 'signal', value: signalNumber(signal) });
      else this.#ended(one, { how: 'status', value: status ?? 0 });
    });
    this.#options.onChange(name);
    scope?.take(pid);
    return { ok: true };
  };

  readonly stop: Runs['stop'] = async (name, signal, deadlineMs, patienceMs) => {
    const run = this.#runs.get(name);
    if (run === undefined) return undefined;
    const { pid } = run.record;
    const killAtMs = monotonicMs() + deadlineMs;
    if (run.exit === undefined && signal !== 'SIGKILL') {
      // All of its group are told; who left the group is killed with the rest.
      signalPid(-pid, signal);
      signalPid(-pid, 'SIGCONT');
      while (run.exit === undefined && monotonicMs() < killAtMs) await pause(SWEEP_EVERY_MS);
    }
    const untilMs = monotonicMs() + patienceMs;
    const left = await sweep(run, this.owns, untilMs);
    while (run.exit === undefined && monotonicMs() < untilMs) await pause(SWEEP_EVERY_MS);
    if (left.length === 0 && run.exit !== undefined) return undefined;
    return unkillable(left[0] ?? pid);
  };

  readonly adopt = (records: readonly RunRecord[]): void => {
    for (const record of records) {
      const { name, exit } = record;
      const scope = exit === undefined ? openScope(this.#options.domain, name) : undefined;
      const run: Run = { record, scope, exit, swept: exit !== undefined, reaped: false };
      this.#runs.set(name, run);
      if (exit === undefined) void this.#watchAdopted(run);
    }
  };

  readonly records = (): readonly RunRecord[] =>
    [...this.#runs.values()].map(({ record, exit }) =>
      exit === undefined ? record : { ...record, exit },
    );

  readonly owns = (pid: number): boolean =>
    [...this.#runs.values()].some(({ record, exit }) => record.pid === pid && exit === undefined);

  readonly running = (): number =>
    [...this.#runs.values()].filter(({ exit }) => exit === undefined).length;

  #stderrOf(name: string): Stderr {
    const known = this.#errors.get(name);
    if (known !== undefined) return known;
    const opened = openStderr(join(this.#options.folder, `${name}.err`));
    this.#errors.set(name, opened);
    return opened;
  }

  #failed(name: string, run: string, error: NodeJS.ErrnoException): Started {
    const why = `cannot be started: ${error.message}`;
    const exit: Exit = { run, how: 'status', value: 127, afterStartMs: 0, lastLine: why };
    const record = { name, run, pid: 0, ticks: 0, startedMs: monotonicMs() };
    this.#runs.set(name, { record, scope: undefined, exit, swept: true, reaped: false });
    return { ok: false, why, lasting: LASTING.has(error.code ?? '') };
  }

  #ended(run: Run, end: Pick<Exit, 'how' | 'value'>): void {
    if (run.exit !== undefined) return;
    const { name, run: id, startedMs } = run.record;
    const lastLine = this.#stderrOf(name).lines().at(-1) ?? '';
    run.exit = { run: id, ...end, afterStartMs: Math.round(monotonicMs() - startedMs), lastLine };
    this.#options.onChange(name);
    // What the main process leaves behind would stand in the way of the next one.
    void sweep(run, this.owns, monotonicMs() + LEFTOVER_MS);
  }

  async #watchAdopted(run: Run): Promise<void> {
    const { libc } = this.#options;
    const { pid, ticks, name } = run.record;
    this.#stderrOf(name);
    const there = (): boolean => {
      const info = processInfo(pid);
      return info !== undefined && info.ticks === ticks && info.state !== 'Z';
    };
    const pidfd = libc?.pidfdOpen(pid) ?? -1;
    while (there()) {
      if (pidfd >= 0) await libc?.awaitEnd([pidfd], AWAIT_ADOPTED_MS);
      else await pause(POLL_ADOPTED_MS);
    }
    if (pidfd >= 0) closeSync(pidfd);
    this.#ended(run, { how: 'unknown', value: 0 });
  }
}

export function openRuns(options: RunsOptions): Runs {
  return new Keeping(options);
}
