/**
 * How long a change of a link takes from its cause to the main thread. In a network namespace of its own
 * a veth is set up and down by a write into its `flags` file (no fork), and the clock runs from just
 * before that write to `onWake`; so the kernel's own work for the change is part of every number.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openWakes } from '../../agent/kernel/wakes.ts';
import { monotonicMs } from '../../agent/ports/clock.ts';

export interface BenchResult {
  readonly name: string;
  readonly unit: 'ms';
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly n: number;
}

const TOGGLES = 300;
const LINK = 'bench0';
/** Long enough for the last messages of one toggle not to be taken for the first of the next. */
const QUIET_MS = 10;
const DEADLINE_MS = 60_000;
const IFF_UP = 1;

/** The numbers of a sample, in milliseconds; the percentiles are nearest ranks. */
function summary(name: string, sample: readonly number[]): BenchResult {
  const sorted = sample.toSorted((a, b) => a - b);
  const rank = (share: number): number =>
    sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { name, unit: 'ms', p50: rank(0.5), p99: rank(0.99), max: rank(1), n: sorted.length };
}

/** Runs inside the namespace. */
async function measure(): Promise<readonly number[]> {
  let woken: (nowMs: number) => void = () => undefined;
  const wakes = await openWakes({
    roots: { proc: '/proc', sys: '/sys', dev: '/dev', run: '/run' },
    wakes: [{ on: 'netlink', about: 'link' }],
    onWake: () => woken(monotonicMs()),
    onTrouble: (why) => process.stderr.write(`${why}\n`),
  });
  if (wakes.mode !== 'kernel') throw new Error('no kernel wakes to measure');
  const path = `/sys/class/net/${LINK}/flags`;
  const down = Number(readFileSync(path, 'utf8')) & ~IFF_UP;
  const fd = openSync(path, 'w');
  const sample: number[] = [];
  for (let toggle = 0; toggle < TOGGLES; toggle += 1) {
    const seen = new Promise<number>((resolve) => {
      woken = resolve;
    });
    const startMs = monotonicMs();
    writeSync(fd, `${toggle % 2 === 0 ? down | IFF_UP : down}`, 0);
    sample.push((await seen) - startMs);
    await pause(QUIET_MS);
  }
  closeSync(fd);
  await wakes.close();
  return sample;
}

/** Cause of a link event to `onWake`. Needs root and iproute2. */
export async function benchWakes(): Promise<BenchResult> {
  const name = `nospof-bench-${process.pid}`;
  execFileSync('ip', ['netns', 'add', name]);
  try {
    const veth = ['link', 'add', LINK, 'type', 'veth', 'peer', 'name', 'bench1'];
    execFileSync('ip', ['-n', name, ...veth]);
    const argv = ['netns', 'exec', name, process.execPath, fileURLToPath(import.meta.url)];
    const output = execFileSync('ip', [...argv, 'measure'], {
      timeout: DEADLINE_MS,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return summary('link event to wake', JSON.parse(output.toString()) as readonly number[]);
  } finally {
    execFileSync('ip', ['netns', 'del', name]);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === 'measure') {
  process.stdout.write(JSON.stringify(await measure()));
}
