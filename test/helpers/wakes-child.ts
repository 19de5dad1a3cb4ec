/**
 * Opens wakes in a process of its own, for tests that need another namespace, a stopped process or a
 * sudden exit. Prints one JSON object a line; ends when its standard input does.
 *
 *     node wakes-child.js '{"wakes":[...],"exitWhenReady":true}'
 *     node wakes-child.js '{"flood":"/sys/class/net/lo/uevent","times":1000}'
 */
import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { openWakes, type Wakes } from '../../agent/kernel/wakes.ts';
import type { Wake } from '../../collectors/lib/collector.ts';

interface ChildOptions {
  readonly wakes?: readonly Wake[];
  readonly exitWhenReady?: boolean;
  /** A `uevent` file to write `change` into, so many times, instead of opening wakes. */
  readonly flood?: string;
  readonly times?: number;
}

/** By then the thread is in its next wait. */
const IN_POLL_MS = 300;

const options = JSON.parse(process.argv[2] ?? '{}') as ChildOptions;

function print(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

function flood(path: string, times: number): void {
  const fd = openSync(path, 'w');
  for (let count = 0; count < times; count += 1) writeSync(fd, 'change', 0);
  closeSync(fd);
}

const tids = (): readonly string[] => readdirSync('/proc/self/task');

async function watch(): Promise<void> {
  const before = new Set(tids());
  let wakes: Wakes | undefined;
  wakes = await openWakes({
    roots: { proc: '/proc', sys: '/sys', dev: '/dev', run: '/run' },
    wakes: options.wakes ?? [],
    // A slow start is stood in for by the polling twin.
    onWake: (seen) => print({ seen, mode: wakes?.mode ?? 'polling' }),
    onTrouble: (trouble) => print({ trouble }),
  });
  print({ ready: wakes.mode, threads: tids().filter((tid) => !before.has(tid)) });
  if (options.exitWhenReady === true) {
    await pause(IN_POLL_MS);
    process.exit(0);
  }
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.on('end', resolve));
  await wakes.close();
  print({ closed: true });
}

if (options.flood !== undefined) flood(options.flood, options.times ?? 1);
else await watch();
