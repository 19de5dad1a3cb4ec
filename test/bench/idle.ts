/**
 * What the agent takes when nothing happens: memory and time on a processor of each of its processes,
 * with all collectors on and 80 sensors polled each second. Once with values that stand still and once
 * with one value in ten moving each second, as temperatures do.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { cpuMs, familyOf, pssMb, type Role, startNospof, until200, workFolder } from './process.ts';
import type { Figure } from './report.ts';
import { makeTree, SMALL } from './tree.ts';

const PSS_MB_MAX = 96;
const CPU_PERCENT_MAX = 0.5;
/** Compiling and the first collections of garbage are not idleness. */
const SETTLE_MS = 15_000;
const SETTLE_QUICK_MS = 5_000;
const WINDOW_MS = 30_000;
const WINDOW_QUICK_MS = 10_000;
const CHANGE_EVERY_MS = 1_000;

type Family = readonly (readonly [Role, number])[];

async function cpuOver(
  bench: string,
  family: Family,
  windowMs: number,
  note: string,
): Promise<readonly Figure[]> {
  const before = family.map(([, pid]) => cpuMs(pid));
  const started = performance.now();
  await pause(windowMs);
  const elapsed = performance.now() - started;
  const shares = family.map(
    ([, pid], index) => (100 * (cpuMs(pid) - (before[index] ?? 0))) / elapsed,
  );
  const total = shares.reduce((sum, share) => sum + share, 0);
  return [
    ...family.map(
      ([role], index): Figure => ({
        bench,
        what: `processor, ${role}`,
        value: shares[index],
        unit: '%',
        note,
      }),
    ),
    { bench, what: 'processor, total', value: total, unit: '%', atMost: CPU_PERCENT_MAX, note },
  ];
}

export async function benchIdle(quick: boolean): Promise<readonly Figure[]> {
  const bench = 'idle';
  const work = workFolder();
  const machine = join(work.path, 'machine');
  mkdirSync(machine);
  const tree = makeTree(machine, SMALL);
  const config = join(work.path, 'nospof.yaml');
  writeFileSync(config, 'collectors:\n  sensors:\n    every: 1s\n');
  const nospof = await startNospof(tree, work.path, { config });
  let moving: NodeJS.Timeout | undefined;
  try {
    await until200(nospof, '/readyz');
    await pause(quick ? SETTLE_QUICK_MS : SETTLE_MS);
    const family = familyOf(nospof.pid);
    const windowMs = quick ? WINDOW_QUICK_MS : WINDOW_MS;
    const still = await cpuOver(bench, family, windowMs, 'values stand still');
    moving = setInterval(tree.change, CHANGE_EVERY_MS);
    const moved = await cpuOver(bench, family, windowMs, 'one in ten moves each second');
    const memory = family.map(
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
