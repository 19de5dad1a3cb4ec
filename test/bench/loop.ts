/**
 * Whether scrapes reach the loop: how long its steps take and how late it wakes, with 1,000 sensors,
 * while nobody asks and while somebody asks all the time. Both in turns, so that a busy minute of the
 * machine does not count for one side alone.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Sample } from '../../rules/model.ts';
import { openClient } from './client.ts';
import { configOf, type Hosted, startHosted } from './hosted.ts';
import { freePort, workFolder } from './process.ts';
import { type Figure, percentile, spread } from './report.ts';
import { LARGE, makeTree } from './tree.ts';

const TURNS = 3;
const TURN_MS = 10_000;
const TURN_QUICK_MS = 4_000;
const CHANGE_EVERY_MS = 1_000;
/** A Prometheus asks four times a minute; this is many of them. */
const SCRAPE_EVERY_MS = 100;
const SETTLE_MS = 3_000;
/** A step counts as unmoved when scraping makes its p90 at most so much longer; a p99 here is one step. */
const UNMOVED_MAX = 1.1;

async function scrapeFor(port: number, turnMs: number): Promise<number> {
  const client = openClient(port);
  const end = performance.now() + turnMs;
  let count = 0;
  while (performance.now() < end) {
    const next = performance.now() + SCRAPE_EVERY_MS;
    await client.get('/metrics');
    count += 1;
    await pause(Math.max(0, next - performance.now()));
  }
  client.close();
  return count;
}

type Times = Readonly<Record<'step' | 'loop_lag', number[]>>;

async function turns(
  hosted: Hosted,
  port: number,
  turnMs: number,
): Promise<[Times, Times, number]> {
  const quiet: Times = { step: [], loop_lag: [] };
  const asked: Times = { step: [], loop_lag: [] };
  const note = (times: Times, samples: readonly Sample[]): void => {
    for (const { of, seconds } of samples) {
      if (of === 'step' || of === 'loop_lag') times[of].push(1000 * seconds);
    }
  };
  let scrapes = 0;
  hosted.take();
  for (let turn = 0; turn < TURNS; turn += 1) {
    await pause(turnMs);
    note(quiet, hosted.take());
    scrapes += await scrapeFor(port, turnMs);
    note(asked, hosted.take());
  }
  return [quiet, asked, scrapes];
}

export async function benchLoop(quick: boolean): Promise<readonly Figure[]> {
  const work = workFolder();
  const machine = join(work.path, 'machine');
  mkdirSync(machine);
  const tree = makeTree(machine, LARGE);
  const port = await freePort();
  const roots = { sys: tree.sys, proc: tree.proc, run: tree.run };
  const hosted = await startHosted({ config: configOf(work.path, roots, port), api: true });
  const moving = setInterval(tree.change, CHANGE_EVERY_MS);
  try {
    await pause(SETTLE_MS);
    const [quiet, asked, scrapes] = await turns(hosted, port, quick ? TURN_QUICK_MS : TURN_MS);
    const bench = 'loop';
    const ratio = (of: 'step' | 'loop_lag'): Figure => ({
      bench,
      what: `${of} p90, scraped / quiet`,
      value: percentile(asked[of], 0.9) / percentile(quiet[of], 0.9),
      unit: 'ratio',
      ...(of === 'step' ? { atMost: UNMOVED_MAX } : {}),
      note: `${scrapes} scrapes`,
    });
    return (['step', 'loop_lag'] as const).flatMap((of) => [
      ...spread({ bench, what: `${of} while quiet`, unit: 'ms' }, quiet[of]),
      ...spread({ bench, what: `${of} while scraped`, unit: 'ms' }, asked[of]),
      ratio(of),
    ]);
  } finally {
    clearInterval(moving);
    tree.close();
    await hosted.stop();
    work.remove();
  }
}
