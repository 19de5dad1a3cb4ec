/**
 * What the tests of kernel wakes share: the tools and rights they need, a record of what was woken, and
 * children in other namespaces. Everything made here is undone by the test's teardown.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { type KernelWake, openWakes, type Wakes } from '../../agent/kernel/wakes.ts';
import type { Wake } from '../../collectors/lib/collector.ts';
import type { Roots } from '../../rules/config.ts';
import type { Ms } from '../../rules/model.ts';

export const ROOTS: Roots = { proc: '/proc', sys: '/sys', dev: '/dev', run: '/run' };
/** Wherever something would hang. */
export const HANG_MS = 20_000;
export const CHILD: string = fileURLToPath(new URL('wakes-child.js', import.meta.url));

function usable(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function installed(tool: string): boolean {
  return ['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((folder) =>
    usable(join(folder, tool), constants.X_OK),
  );
}

/** What is missing here, in one line; empty when the tests can run. */
export function missing(): string {
  const wants = [
    ...(process.getuid?.() === 0 ? [] : ['root']),
    ...['ip', 'unshare', 'nsenter', 'mount', 'umount', 'setpriv', 'sleep'].filter(
      (tool) => !installed(tool),
    ),
    ...['/dev/kmsg', '/sys/class/net/lo/uevent', '/sys/block/loop0/uevent'].filter(
      (path) => !usable(path, constants.R_OK | constants.W_OK),
    ),
    ...(readFileSync('/proc/filesystems', 'utf8').includes('cgroup2') ? [] : ['cgroup2']),
  ];
  return wants.length === 0 ? '' : `these tests need ${wants.join(', ')}`;
}

/** What was woken and told, in order. */
export interface Recorder {
  readonly seen: KernelWake[];
  readonly at: Ms[];
  readonly troubles: string[];
  readonly onWake: (wakes: readonly KernelWake[], at: Ms) => void;
  readonly onTrouble: (why: string) => void;
  /** Resolves when the condition holds, looked at whenever something is recorded. */
  readonly until: (condition: () => boolean) => Promise<void>;
  readonly has: (wanted: Readonly<Record<string, string>>) => boolean;
}

export function recorder(): Recorder {
  const seen: KernelWake[] = [];
  const at: Ms[] = [];
  const troubles: string[] = [];
  let waiting: { condition: () => boolean; resolve: () => void }[] = [];
  const look = (): void => {
    const met = waiting.filter(({ condition }) => condition());
    waiting = waiting.filter((each) => !met.includes(each));
    for (const { resolve } of met) resolve();
  };
  return {
    seen,
    at,
    troubles,
    onWake: (wakes, when) => {
      seen.push(...wakes);
      at.push(when);
      look();
    },
    onTrouble: (why) => {
      troubles.push(why);
      look();
    },
    until: (condition) =>
      condition()
        ? Promise.resolve()
        : new Promise((resolve) => waiting.push({ condition, resolve })),
    has: (wanted) =>
      seen.some((wake) =>
        Object.entries(wanted).every(([key, value]) => Reflect.get(wake, key) === value),
      ),
  };
}

/** Opens wakes that the test's teardown closes. */
export async function opened(
  t: Test,
  record: Recorder,
  wakes: readonly Wake[],
  roots: Partial<Roots> = {},
): Promise<Wakes> {
  const { onWake, onTrouble } = record;
  const open = await openWakes({ roots: { ...ROOTS, ...roots }, wakes, onWake, onTrouble });
  t.teardown(() => open.close());
  return open;
}

export interface Line {
  readonly ready?: string;
  readonly threads?: readonly string[];
  readonly seen?: readonly KernelWake[];
  readonly mode?: string;
  readonly trouble?: string;
  readonly closed?: boolean;
}

export interface Child {
  readonly process: ChildProcess;
  readonly lines: Line[];
  readonly until: (condition: (line: Line) => boolean) => Promise<Line>;
  readonly exit: Promise<number | null>;
}

/** Runs a program whose output is one JSON object a line; killed by the test's teardown. */
export function child(t: Test, argv: readonly [string, ...string[]]): Child {
  const [file, ...args] = argv;
  const run = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: Line[] = [];
  const record = recorder();
  createInterface({ input: run.stdout }).on('line', (text) => {
    lines.push(JSON.parse(text) as Line);
    record.onTrouble('');
  });
  const exit = new Promise<number | null>((resolve) => run.on('exit', resolve));
  t.teardown(() => run.kill('SIGKILL'));
  return {
    process: run,
    lines,
    until: async (condition) => {
      await record.until(() => lines.some(condition));
      return lines.find(condition) ?? {};
    },
    exit,
  };
}

export function wakesChild(
  t: Test,
  options: { readonly wakes: readonly Wake[]; readonly exitWhenReady?: boolean },
  prefix: readonly string[] = [],
): Child {
  const [file = process.execPath, ...args] = [
    ...prefix,
    process.execPath,
    CHILD,
    JSON.stringify(options),
  ];
  return child(t, [file, ...args]);
}

/** A network namespace of the test's own. */
export function netns(t: Test, name: string): string {
  const full = `nospof-${name}-${process.pid}`;
  execFileSync('ip', ['netns', 'add', full]);
  t.teardown(() => execFileSync('ip', ['netns', 'del', full]));
  return full;
}

/** A cgroup2 hierarchy mounted in a folder of the test's own. */
export function cgroups(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'nospof-cgroup-'));
  execFileSync('mount', ['-t', 'cgroup2', 'none', folder]);
  t.teardown(() => {
    execFileSync('umount', ['-l', folder]);
    rmdirSync(folder);
  });
  return folder;
}
