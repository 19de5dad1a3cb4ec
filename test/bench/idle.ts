/**
 * What the agent takes when nothing happens: memory and time on a processor of each of its processes,
 * with all collectors on and 80 sensors polled each second. Once with values that stand still and once
 * with one value in ten moving each second, as temperatures do; and the same for a node of 1,000 sensors.
 *
 * A made-up sysfs costs little more than a real one: once for each folder and pass the agent asks whether
 * its files are still the same. What it saves, the work of drivers in a read, no such bench can show.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
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

type Family = readonly (readonly [Role, number])[];

interface Task {
  readonly bench: string;
  readonly family: Family;
  readonly windowMs: number;
  readonly atMost: number;
}

/** One call for each file; those of `api` are messages. */
function readFiles(family: Family): number {
  const readers = family.filter(([role]) => role !== 'api');
  return readers.reduce((sum, [, pid]) => sum + ioOf(pid).calls, 0);
}

async function cpuOver(task: Task, note: string): Promise<readonly Figure[]> {
  const { bench, family, windowMs, atMost } = task;
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
      bench,
      what: 'files read in a second',
      value: Math.round((1000 * files) / elapsed),
      unit: 'count',
      note,
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
    const windowMs = quick ? WINDOW_QUICK_MS : WINDOW_MS;
    const task: Task = { bench, family: familyOf(nospof.pid), windowMs, atMost };
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
