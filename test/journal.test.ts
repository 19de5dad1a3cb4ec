/** The journal on a disk: full, read-only, slow, killed in the middle, and always replayable. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { readSegment, segmentPaths } from '../agent/explain/read.ts';
import { type Found, replaySegments, type SegmentResult } from '../agent/explain/replay.ts';
import { openJournal } from '../agent/ports/journal.ts';
import type { Journal, JournalLimits } from '../agent/ports/journal-contract.ts';
import { ms } from '../rules/model.ts';
import type { Input, World } from '../rules/world.ts';
import { after, read, reading, seen, worldOf } from './fakes/readings.ts';
import { until } from './place.ts';

function folder(t: { teardown: (end: () => void) => void }): string {
  const made = mkdtempSync(join(tmpdir(), 'nospof-journal-'));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

interface Fed {
  readonly journal: Journal;
  readonly troubles: string[];
  /** So many steps, each with another temperature. */
  readonly feed: (steps: number) => void;
  readonly world: () => World;
}

function fed(stateDir: string, limits: Partial<JournalLimits> = {}): Fed {
  const troubles: string[] = [];
  const journal = openJournal({
    stateDir,
    version: '0',
    node: 'n',
    boot: 'b',
    life: 'l',
    wallOffsetMs: () => 1_700_000_000_000,
    onTrouble: (why) => troubles.push(why),
    limits: { gatherMs: 0, retryMs: 0, ...limits },
  });
  let world = worldOf();
  let count = 0;
  const feed = (steps: number): void => {
    for (let step = 0; step < steps; step += 1) {
      count += 1;
      const at = 1000 * count;
      const gauges = { celsius: 30 + (count % 7) };
      const observation = seen([reading('sensor/1', 'ok', { gauges }), reading('sensor/2')]);
      const inputs: Input[] = [read(observation, at)];
      const before = world;
      world = after(before, at, ...inputs);
      journal.record({ at: ms(at), inputs, before, after: world });
    }
  };
  return { journal, troubles, feed, world: () => world };
}

async function replayed(
  path: string,
): Promise<{ readonly found: readonly Found[]; readonly results: readonly SegmentResult[] }> {
  const found: Found[] = [];
  const results: SegmentResult[] = [];
  const options = {
    rejudge: undefined,
    onDifference: (one: Found): unknown => found.push(one),
    enough: () => false,
  };
  for await (const result of replaySegments(await segmentPaths(path), options))
    results.push(result);
  return { found, results };
}

function steps(results: readonly SegmentResult[]): number {
  return results.reduce((sum, result) => sum + result.steps, 0);
}

t.test('segments follow each other, each with its checkpoint, within the bounds', async (t) => {
  const stateDir = folder(t);
  const limits = { segmentBytes: 4000, checkpointTimes: 0, totalBytes: 30_000, filesMax: 100 };
  const one = fed(stateDir, limits);
  for (let round = 0; round < 40; round += 1) {
    one.feed(50);
    await pause(2);
  }
  await one.journal.close();
  const { found, results } = await replayed(join(stateDir, 'journal'));
  t.same(found, []);
  t.ok(results.length > 3 && results.length < 12, `${results.length} segments of about 4 kB`);
  t.same(
    results.filter((one) => one.unlike || one.broken !== undefined || one.torn),
    [],
    'each goes on where the one before it ended',
  );
  t.equal(results.at(-1)?.head?.reason, 'end');
  t.equal(one.journal.dropped(), 0);
  t.same(one.troubles, []);
});

t.test('a second life writes beside the first, and nothing is overwritten', async (t) => {
  const stateDir = folder(t);
  for (let life = 0; life < 3; life += 1) {
    const one = fed(stateDir);
    one.feed(10);
    await one.journal.close();
  }
  const { results } = await replayed(join(stateDir, 'journal'));
  t.equal(steps(results), 30);
  t.same(
    results.map(({ head }) => head?.reason),
    ['start', 'end', 'start', 'end', 'start', 'end'],
  );
});

t.test('a changed byte is found and shown with both sides', async (t) => {
  const stateDir = folder(t);
  const one = fed(stateDir);
  one.feed(5);
  await one.journal.close();
  const [first = ''] = await segmentPaths(join(stateDir, 'journal'));
  const text = readFileSync(first, 'utf8').replace('"waiting","seen"', '"waiting","none"');
  const { writeFileSync } = await import('node:fs');
  writeFileSync(first, text);
  const { found } = await replayed(first);
  t.equal(found.length, 1);
  t.match(found[0]?.difference.recorded, /"waiting","none"/u);
  t.match(found[0]?.difference.replayed, /"waiting","seen"/u);
});

t.test('a torn end is named and costs nothing else', async (t) => {
  const stateDir = folder(t);
  const one = fed(stateDir);
  one.feed(5);
  await one.journal.close();
  const [first = ''] = await segmentPaths(join(stateDir, 'journal'));
  appendFileSync(first, '[1000,[[0,0,10');
  const { found, results } = await replayed(first);
  t.same([found.length, results[0]?.torn, results[0]?.steps], [0, true, 5]);
  appendFileSync(first, '\n[1,[]]\n');
  const broken = await replayed(first);
  t.match(
    broken.results[0]?.broken,
    /^0000000001\.jsonl:\d+: it is not JSON/u,
    'but not in between',
  );
});

t.test('a folder that cannot be made costs the journal, not the agent', async (t) => {
  const stateDir = folder(t);
  appendFileSync(join(stateDir, 'journal'), 'a file in its place');
  const one = fed(stateDir);
  for (let round = 1; round <= 5; round += 1) {
    one.feed(10);
    t.ok(await until(() => one.journal.dropped() === 10 * round, 10_000), 'each step is counted');
  }
  t.equal(one.troubles.length, 1, 'said once');
  t.match(one.troubles[0], /ENOTDIR|EEXIST/u);
  await one.journal.close();
});

t.test(
  'a full disk: the loss is counted and said once, and there is a gap, not a hole',
  async (t) => {
    const stateDir = folder(t);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', stateDir]);
    t.equal(mounted.status, 0, String(mounted.stderr));
    t.teardown(() => spawnSync('umount', [stateDir]));
    const one = fed(stateDir);
    for (let round = 0; round < 200 && one.journal.dropped() === 0; round += 1) {
      one.feed(100);
      await pause(2);
    }
    t.ok(one.journal.dropped() > 0);
    t.equal(one.troubles.length, 1);
    t.match(one.troubles[0], /ENOSPC; the agent goes on/u);
    // To the last page, and again after what the failure took back.
    for (let lost = -1; lost !== one.journal.dropped(); ) {
      const filled = spawnSync('dd', [
        'if=/dev/zero',
        'bs=1k',
        'oflag=append',
        'conv=notrunc',
        `of=${join(stateDir, 'filler')}`,
      ]);
      t.not(filled.status, 0);
      lost = one.journal.dropped() + 1;
      one.feed(1);
      await until(() => one.journal.dropped() === lost, 200);
    }
    const lostFirst = one.journal.dropped();
    const files = readdirSync(join(stateDir, 'journal')).length;
    for (let round = 0; round < 10; round += 1) {
      one.feed(5);
      await pause(5);
    }
    t.ok(
      await until(() => one.journal.dropped() === lostFirst + 50, 10_000),
      'still full, still counted',
    );
    t.equal(one.troubles.length, 1, 'and not said again');
    t.equal(readdirSync(join(stateDir, 'journal')).length, files, 'no try leaves a file');
    t.equal(spawnSync('mount', ['-o', 'remount,size=2m', stateDir]).status, 0);
    const isBack = await until(() => {
      one.feed(1);
      return one.troubles.length === 2;
    }, 10_000);
    t.ok(isBack);
    t.match(one.troubles[1], /written to .* again; \d+ steps were not written/u);
    one.feed(20);
    await one.journal.close();
    const { found, results } = await replayed(join(stateDir, 'journal'));
    t.same(found, [], 'what is there replays');
    t.same(
      results.filter((result) => result.broken !== undefined || result.torn || result.unlike),
      [],
      'half a line was taken back',
    );
    const gaps = results.filter(({ head }) => head?.reason === 'gap');
    t.ok(gaps.length > 0);
    const lost = results.reduce((sum, { head }) => sum + (head?.lost ?? 0), 0);
    t.equal(lost, one.journal.dropped(), 'the heads say how much is missing');
  },
);

t.test('a disk that becomes read-only', async (t) => {
  const stateDir = folder(t);
  t.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', stateDir]).status, 0);
  t.teardown(() => spawnSync('umount', [stateDir]));
  const one = fed(stateDir, { segmentBytes: 2000, checkpointTimes: 0 });
  one.feed(20);
  await pause(20);
  // As after an error of the disk; a file open for writing would keep a remount from it.
  await one.journal.close();
  t.equal(spawnSync('mount', ['-o', 'remount,ro', stateDir]).status, 0);
  const two = fed(stateDir);
  two.feed(20);
  t.ok(await until(() => two.journal.dropped() === 20, 10_000));
  t.match(two.troubles, [/EROFS/u]);
  t.equal(spawnSync('mount', ['-o', 'remount,rw', stateDir]).status, 0);
  two.feed(5);
  await until(() => two.troubles.length === 2, 10_000);
  await two.journal.close();
  const { found, results } = await replayed(join(stateDir, 'journal'));
  t.same([found.length, results.at(-1)?.head?.reason], [0, 'end']);
});

t.test('a disk that does not keep up: the queue is bounded', async (t) => {
  const stateDir = folder(t);
  const one = fed(stateDir, { queueBytes: 2000 });
  one.feed(500);
  t.ok(one.journal.dropped() > 300, 'no write could end within one turn of the loop');
  await until(() => {
    one.feed(1);
    return one.troubles.length === 2;
  }, 10_000);
  t.match(one.troubles, [/does not keep up/u, /again/u]);
  one.feed(3);
  await one.journal.close();
  const { found, results } = await replayed(join(stateDir, 'journal'));
  t.same([found.length, results.some(({ head }) => head?.reason === 'gap')], [0, true]);
});

t.test('nobody else may read it', async (t) => {
  const stateDir = folder(t);
  const one = fed(stateDir);
  one.feed(1);
  await one.journal.close();
  const { statSync } = await import('node:fs');
  t.equal(statSync(join(stateDir, 'journal')).mode & 0o777, 0o700);
  for (const name of readdirSync(join(stateDir, 'journal')))
    t.equal(statSync(join(stateDir, 'journal', name)).mode & 0o777, 0o600);
  mkdirSync(join(stateDir, 'empty'));
  await t.rejects(segmentPaths(join(stateDir, 'empty')), /holds no journal/u);
  await t.rejects(segmentPaths(join(stateDir, 'never')), /does not exist/u);
  await t.rejects(readSegment(join(stateDir, 'never')), /ENOENT/u);
});
