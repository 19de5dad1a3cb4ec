/**
 * How long a change of a link takes from its cause to the world that knows it: rtnetlink, the wake
 * thread, the loop, a fresh read, a step. In a network namespace of its own the whole agent runs, and
 * another process sets a veth up and down by a write into its `flags` file (no fork). The clock runs from
 * just before that write, so the kernel's own work for the change is part of every number.
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { monotonicNow } from '../../agent/ports/clock.ts';
import type { Health } from '../../rules/model.ts';
import { configOf, startHosted } from './hosted.ts';
import { workFolder } from './process.ts';
import { type Figure, spread } from './report.ts';

const WORLD_P99_MS_MAX = 5;
const TOGGLES = 400;
const TOGGLES_QUICK = 60;
const LINK = 'bench0';
/** Uneven, so that the changes fall everywhere between the agent's own reads. */
const GAP_MS = 50;
const GAP_SPREAD_MS = 60;
const SETTLE_MS = 3_000;
const DEADLINE_MS = 120_000;
const IFF_UP = 1;

interface Toggle {
  readonly up: boolean;
  readonly at: number;
}

/** Runs inside the namespace: sets the link up and down and tells when it began each time. */
async function toggle(count: number): Promise<readonly Toggle[]> {
  const path = `/sys/class/net/${LINK}/flags`;
  const down = Number(readFileSync(path, 'utf8')) & ~IFF_UP;
  const fd = openSync(path, 'w');
  const toggles: Toggle[] = [];
  for (let index = 0; index < count; index += 1) {
    const up = index % 2 === 0;
    const text = `${up ? down | IFF_UP : down}`;
    toggles.push({ up, at: monotonicNow() });
    writeSync(fd, text, 0);
    await pause(GAP_MS + GAP_SPREAD_MS * Math.random());
  }
  closeSync(fd);
  return toggles;
}

/** The same, run by another process in the namespace. */
function toggles(prefix: readonly string[], count: number): Promise<readonly Toggle[]> {
  return new Promise((resolve, reject) => {
    const own = [process.execPath, fileURLToPath(import.meta.url), 'toggle', `${count}`];
    const [file = '', ...argv] = [...prefix, ...own];
    const child = spawn(file, argv, { stdio: ['ignore', 'pipe', 'inherit'], timeout: DEADLINE_MS });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(text) as readonly Toggle[]);
      else reject(new Error(`the toggling process ended with ${code}`));
    });
  });
}

/** From each toggle to the first world after it that shows it, and how many none showed. */
function latencies(
  made: readonly Toggle[],
  changes: readonly { readonly health: Health; readonly at: number }[],
): { readonly sample: readonly number[]; readonly lost: number } {
  const sample: number[] = [];
  for (const [index, { up, at }] of made.entries()) {
    const end = made[index + 1]?.at ?? Number.POSITIVE_INFINITY;
    const shown = changes.find(
      (change) => change.at > at && change.at < end && (change.health !== 'absent') === up,
    );
    if (shown !== undefined) sample.push(shown.at - at);
  }
  return { sample, lost: made.length - sample.length };
}

/** Cause of a link event to the world. Needs root and iproute2. */
export async function benchWakes(quick: boolean): Promise<readonly Figure[]> {
  const name = `nospof-bench-${process.pid}`;
  const work = workFolder();
  execFileSync('ip', ['netns', 'add', name]);
  try {
    const veth = ['link', 'add', LINK, 'type', 'veth', 'peer', 'name', 'bench1'];
    execFileSync('ip', ['-n', name, ...veth]);
    const prefix = ['ip', 'netns', 'exec', name];
    const config = configOf(work.path, {});
    const hosted = await startHosted({ config, api: true, watch: `link/${LINK}` }, prefix);
    try {
      await pause(SETTLE_MS);
      hosted.take();
      const made = await toggles(prefix, quick ? TOGGLES_QUICK : TOGGLES);
      await pause(2_000);
      const { sample, lost } = latencies(made, hosted.changes);
      const inside = hosted.take().filter(({ of }) => of === 'wake_to_world');
      const bench = 'wakes';
      const limit = { p99: WORLD_P99_MS_MAX };
      return [
        ...spread({ bench, what: 'link event to world', unit: 'ms' }, sample, limit),
        { bench, what: 'events no world showed', value: lost, unit: 'count', atMost: 0 },
        ...spread(
          { bench, what: 'of it from wake to world, all sources', unit: 'ms' },
          inside.map(({ seconds }) => 1000 * seconds),
        ),
      ];
    } finally {
      await hosted.stop();
    }
  } finally {
    execFileSync('ip', ['netns', 'del', name]);
    work.remove();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === 'toggle') {
  process.stdout.write(JSON.stringify(await toggle(Number(process.argv[3]))));
}
