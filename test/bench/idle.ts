/**
 * What the agent takes when nothing happens: memory and time on a processor of each of its processes,
 * with all collectors on and 80 sensors polled each second. Once with values that stand still and once
 * with one value in ten moving each second, as temperatures do; and the same for a node of 1,000 sensors.
 *
 * A made-up sysfs costs more than a real one: before each read of a file the agent asks whether it is
 * still the same, and after it whether there is more. What that takes is estimated, and shown apart.
 */
import { closeSync, mkdirSync, openSync, readSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  cpuMs,
  familyOf,
  ioOf,
  pssMb,
  type Role,
  startNospof,
  until200,
  workFolder,
} from './process.ts';
import type { Figure } from './report.ts';
import { LARGE, makeTree, SMALL, type TreeSize } from './tree.ts';

const PSS_MB_MAX = 96;
const CPU_PERCENT_MAX = 0.5;
/** Design's number for 1,000 sensors, 256 links and 64 arrays. */
const CPU_PERCENT_MAX_LARGE = 2;
/** Compiling and the first collections of garbage are not idleness. */
const SETTLE_MS = 30_000;
const SETTLE_QUICK_MS = 5_000;
const WINDOW_MS = 30_000;
const WINDOW_QUICK_MS = 10_000;
const CHANGE_EVERY_MS = 1_000;

const EXTRA_ROUNDS = 500;
/** Beyond the end of any file here. */
const FAR = 1024 * 1024;

type Family = readonly (readonly [Role, number])[];

interface Task {
  readonly bench: string;
  readonly family: Family;
  readonly windowMs: number;
  readonly atMost: number;
  /** What a read of a made-up file takes on top of a real one's. */
  readonly extraMs: number;
}

/** Asking for a file's identity and reading past its end. */
function extraOf(file: string): number {
  const fd = openSync(file, 'r');
  const buffer = Buffer.alloc(64);
  // The quickest of some batches: the others were interrupted by somebody else.
  const batches = Array.from({ length: 10 }, () => {
    const started = performance.now();
    for (let round = 0; round < EXTRA_ROUNDS; round += 1) {
      statSync(file);
      readSync(fd, buffer, 0, buffer.length, FAR);
    }
    return (performance.now() - started) / EXTRA_ROUNDS;
  });
  closeSync(fd);
  return Math.min(...batches);
}

/** Two calls for each file; those of `api` are messages. */
function readFiles(family: Family): number {
  const readers = family.filter(([role]) => role !== 'api');
  return readers.reduce((sum, [, pid]) => sum + ioOf(pid).calls / 2, 0);
}

async function cpuOver(task: Task, note: string): Promise<readonly Figure[]> {
  const { bench, family, windowMs, atMost, extraMs } = task;
  const before = family.map(([, pid]) => cpuMs(pid));
  const filesBefore = readFiles(family);
  const started = performance.now();
  await pause(windowMs);
  const elapsed = performance.now() - started;
  const shares = family.map(
    ([, pid], index) => (100 * (cpuMs(pid) - (before[index] ?? 0))) / elapsed,
  );
  const total = shares.reduce((sum, share) => sum + share, 0);
  const files = readFiles(family) - filesBefore;
  const figure = (what: string, value: number | undefined): Figure => ({
    bench,
    what: `processor, ${what}`,
    value,
    unit: '%',
    note,
  });
  return [
    ...family.map(([role], index) => figure(role, shares[index])),
    { ...figure('total', total), atMost },
    {
      ...figure('of it for files being made up', (100 * files * extraMs) / elapsed),
      note: `estimate: ${Math.round((1000 * files) / elapsed)} reads a second`,
    },
  ];
}

async function measure(size: TreeSize, atMost: number, quick: boolean): Promise<readonly Figure[]> {
  const bench = `idle ${size.sensors} sensors`;
  const work = workFolder();
  const machine = join(work.path, 'machine');
  mkdirSync(machine);
  const tree = makeTree(machine, size);
  const config = join(work.path, 'nospof.yaml');
  writeFileSync(config, 'collectors:\n  sensors:\n    every: 1s\n');
  const nospof = await startNospof(tree, work.path, { config });
  let moving: NodeJS.Timeout | undefined;
  try {
    await until200(nospof, '/readyz');
    await pause(quick ? SETTLE_QUICK_MS : SETTLE_MS);
    const extraMs = extraOf(join(tree.proc, 'mdstat'));
    const windowMs = quick ? WINDOW_QUICK_MS : WINDOW_MS;
    const task: Task = { bench, family: familyOf(nospof.pid), windowMs, atMost, extraMs };
    const still = await cpuOver(task, 'values stand still');
    moving = setInterval(tree.change, CHANGE_EVERY_MS);
    const moved = await cpuOver(task, 'one in ten moves each second');
    const memory = task.family.map(
      ([role, pid]): Figure => ({
        bench,
        what: `PSS, ${role}`,
        value: pssMb(pid),
        unit: 'MB',
        ...(role === 'main' ? { atMost: PSS_MB_MAX } : {}),
      }),
    );
    return [...memory, ...still, ...moved];
  } finally {
    clearInterval(moving);
    tree.close();
    await nospof.stop();
    work.remove();
  }
}

export async function benchIdle(quick: boolean): Promise<readonly Figure[]> {
  return [
    ...(await measure(SMALL, CPU_PERCENT_MAX, quick)),
    ...(await measure(LARGE, CPU_PERCENT_MAX_LARGE, quick)),
  ];
}
