/**
 * Starts what is measured as processes of their own, and reads what the kernel says of them. Everything
 * started here is ended by its `stop`; the folder of a run is in memory where there is one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openClient } from './client.ts';
import type { Tree } from './tree.ts';

export const EXPORTER = '/usr/bin/prometheus-node-exporter';
const COLLECTORS = ['hwmon', 'mdadm', 'netclass', 'bonding', 'powersupplyclass', 'thermal_zone'];
const AGENT: string = fileURLToPath(new URL('../../agent/main.js', import.meta.url));
const READY_MS_MAX = 30_000;
const STOP_MS_MAX = 3_000;
const MB = 1024 * 1024;
const NS_PER_MS = 1e6;

export interface Running {
  readonly pid: number;
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** A folder of this run's own and its removal. */
export function workFolder(): { readonly path: string; readonly remove: () => void } {
  const memory = '/dev/shm';
  const path = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'nospof-bench-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

/** Ends politely, then not. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await exited;
  clearTimeout(late);
}

function running(child: ChildProcess, port: number): Running {
  if (child.pid === undefined) throw new Error(`${child.spawnfile} cannot be started`);
  return { pid: child.pid, port, stop: () => stop(child) };
}

/** Asks again and again, without a pause worth mentioning, until the answer is 200. */
export async function until200({ pid, port }: Running, path: string): Promise<void> {
  const deadline = performance.now() + READY_MS_MAX;
  for (;;) {
    const client = openClient(port);
    const answer = await client.get(path).catch(() => undefined);
    client.close();
    if (answer?.status === 200) return;
    if (!existsSync(`/proc/${pid}`)) throw new Error(`process ${pid} ended before ${path} was 200`);
    if (performance.now() > deadline)
      throw new Error(`${path} is not 200 after ${READY_MS_MAX} ms`);
    await pause(2);
  }
}

/** The agent as its users run it, over a made-up machine; `/dev` is the real one. Not yet ready. */
export async function startNospof(
  tree: Tree,
  folder: string,
  options: { readonly config?: string; readonly nodeArgs?: readonly string[] } = {},
): Promise<Running> {
  const port = await freePort();
  const [state, run] = [join(folder, 'state'), join(folder, 'agent')];
  for (const path of [state, run]) mkdirSync(path, { recursive: true });
  const flags = {
    sysfs: tree.sys,
    procfs: tree.proc,
    runfs: tree.run,
    state,
    run,
    listen: `127.0.0.1:${port}`,
    ...(options.config === undefined ? {} : { config: options.config }),
  };
  const argv = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), AGENT, 'run', ...argv], {
    stdio: ['ignore', 'ignore', 'inherit'],
    cwd: folder,
  });
  return running(child, port);
}

/** Undefined when it is not installed. */
export async function startExporter(tree: Tree): Promise<Running | undefined> {
  if (!existsSync(EXPORTER)) return undefined;
  const port = await freePort();
  const argv = [
    `--web.listen-address=127.0.0.1:${port}`,
    `--path.sysfs=${tree.sys}`,
    `--path.procfs=${tree.proc}`,
    '--collector.disable-defaults',
    ...COLLECTORS.map((name) => `--collector.${name}`),
  ];
  return running(spawn(EXPORTER, argv, { stdio: 'ignore' }), port);
}

/** Time on a processor since its start, all threads together. Threads that ended are not counted. */
export function cpuMs(pid: number): number {
  let sum = 0;
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const [ran = '0'] = readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ');
    sum += Number(ran);
  }
  return sum / NS_PER_MS;
}

/** Proportional set size, in units of 1024 * 1024 bytes. */
export function pssMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return (Number(/^Pss: +(\d+) kB$/mu.exec(text)?.[1]) * 1024) / MB;
}

export interface Io {
  /** Bytes that read(2) and its like have returned, from files and pipes; sockets of Node count too. */
  readonly bytes: number;
  readonly calls: number;
}

export function ioOf(pid: number): Io {
  const text = readFileSync(`/proc/${pid}/io`, 'utf8');
  return {
    bytes: Number(/^rchar: (\d+)$/mu.exec(text)?.[1]),
    calls: Number(/^syscr: (\d+)$/mu.exec(text)?.[1]),
  };
}

export type Role = 'main' | 'api' | 'reader';

/** The agent and its children. */
export function familyOf(pid: number): readonly (readonly [Role, number])[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((tid) =>
    readFileSync(`/proc/${pid}/task/${tid}/children`, 'utf8').split(' ').filter(Boolean),
  );
  return [
    ['main', pid],
    ...children.map((child): [Role, number] => {
      const words = readFileSync(`/proc/${child}/cmdline`, 'utf8');
      return [words.includes('/reader/child') ? 'reader' : 'api', Number(child)];
    }),
  ];
}
