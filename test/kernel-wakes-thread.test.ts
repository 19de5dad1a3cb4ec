/**
 * The life of the wake thread: it ends at once, never holds up the process, is replaced when it dies
 * without losing an event, and is stood in for while it is not to be had.
 */
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { openWakes } from '../agent/kernel/wakes.ts';
import { cgroups, HANG_MS, missing, opened, ROOTS, recorder, wakesChild } from './helpers/wakes.ts';

const LOOP = '/sys/block/loop0/uevent';
const BLOCK = [{ on: 'uevent', subsystem: 'block' }] as const;
const EXIT_HANG_MS = 2000;

/** Every worker this process starts during the test. */
function workers(t: Test, started: (worker: Worker) => void): void {
  process.on('worker', started);
  t.teardown(() => process.off('worker', started));
}

async function stops(t: Test): Promise<void> {
  const ended: Promise<number>[] = [];
  workers(t, (worker) => ended.push(new Promise((resolve) => worker.on('exit', resolve))));
  for (let round = 0; round < 10; round += 1) {
    const record = recorder();
    const wakes = await opened(t, record, BLOCK);
    await Promise.all([wakes.close(), wakes.close()]);
    t.equal(wakes.mode, 'polling', 'sees nothing any more');
    t.strictSame(record.troubles, [], 'its end is no trouble');
  }
  t.strictSame(
    await Promise.all(ended),
    Array.from({ length: 10 }, () => 0),
    'ended by itself',
  );
}

async function exits(t: Test): Promise<void> {
  const wakes = [
    ...BLOCK,
    { on: 'kmsg' },
    { on: 'pollpri', root: 'proc', glob: 'mounts' },
  ] as const;
  const quitter = wakesChild(t, { wakes, exitWhenReady: true });
  await quitter.until(({ ready }) => ready === 'kernel');
  const hung = setTimeout(() => quitter.process.kill('SIGKILL'), EXIT_HANG_MS);
  t.equal(await quitter.exit, 0, 'process.exit ends the process');
  clearTimeout(hung);
}

async function replaced(t: Test): Promise<void> {
  let current: Worker | undefined;
  workers(t, (worker) => {
    current = worker;
  });
  const record = recorder();
  const wakes = await opened(t, record, BLOCK);
  await current?.terminate();
  t.equal(wakes.mode, 'polling', 'sees nothing for now');
  // Other tests make such events too: what was seen before does not count.
  record.seen.splice(0);
  writeFileSync(LOOP, 'change');
  await record.until(() => record.has({ subsystem: 'block' }));
  t.equal(wakes.mode, 'kernel', 'the event waited for the next thread');
  t.ok(record.has({ on: 'overflow' }), 'and what no socket keeps is read afresh');
  t.match(record.troubles, [/ended \(it was stopped from outside\): restart 1 of 3/u]);
}

async function givenUp(t: Test): Promise<void> {
  const kill = (worker: Worker): void => {
    worker.on('online', () => worker.terminate().catch(t.threw));
  };
  workers(t, kill);
  const record = recorder();
  const wakes = await opened(t, record, BLOCK);
  await record.until(() => record.troubles.some((why) => why.includes('not started again')));
  t.equal(record.troubles.filter((why) => why.includes('restart')).length, 3);
  const seen = record.seen.length;
  await record.until(() => record.seen.length > seen + 1);
  t.ok(record.seen.every(({ on }) => on === 'overflow'));
  t.equal(wakes.mode, 'polling');
}

async function frozen(t: Test): Promise<void> {
  const root = cgroups(t);
  const group = join(root, `nospof-freeze-${process.pid}`);
  const frozen = join(group, 'thread');
  const watcher = wakesChild(t, { wakes: BLOCK });
  const { threads } = await watcher.until(({ ready }) => ready === 'kernel');
  mkdirSync(group);
  writeFileSync(join(group, 'cgroup.procs'), `${watcher.process.pid}`);
  mkdirSync(frozen);
  t.teardown(async () => {
    writeFileSync(join(frozen, 'cgroup.freeze'), '0');
    watcher.process.kill('SIGKILL');
    await watcher.exit;
    rmdirSync(frozen);
    rmdirSync(group);
  });
  writeFileSync(join(frozen, 'cgroup.type'), 'threaded');
  for (const tid of threads ?? []) writeFileSync(join(frozen, 'cgroup.threads'), tid);
  writeFileSync(join(frozen, 'cgroup.freeze'), '1');
  await watcher.until(({ trouble }) => trouble?.includes('hangs') === true);
  await watcher.until(({ seen, mode }) => seen?.[0]?.on === 'overflow' && mode === 'polling');
  writeFileSync(LOOP, 'change');
  writeFileSync(join(frozen, 'cgroup.freeze'), '0');
  await watcher.until(({ seen }) => seen?.some(({ on }) => on === 'uevent') === true);
}

async function polling(t: Test): Promise<void> {
  const { onWake, onTrouble, until, seen, troubles } = recorder();
  const wakes = await openWakes({
    roots: ROOTS,
    wakes: BLOCK,
    onWake,
    onTrouble,
    pollingOnly: true,
  });
  t.teardown(() => wakes.close());
  t.equal(wakes.mode, 'polling');
  writeFileSync(LOOP, 'change');
  await until(() => seen.length >= 2);
  t.ok(seen.every(({ on }) => on === 'overflow'));
  t.match(troubles, [/each 1000 ms/u], 'said once');
}

async function busyMain(t: Test): Promise<void> {
  const record = recorder();
  await opened(t, record, [...BLOCK, { on: 'uevent', subsystem: 'net' }]);
  const rest = new Int32Array(new SharedArrayBuffer(4));
  for (let event = 0; event < 100; event += 1) {
    writeFileSync(LOOP, 'change');
    // Blocks this thread, and gives the other one time for a round of its own.
    Atomics.wait(rest, 0, 0, 3);
  }
  writeFileSync('/sys/class/net/lo/uevent', 'change');
  await record.until(() => record.has({ subsystem: 'net' }));
  t.ok(record.has({ subsystem: 'block' }));
  t.ok(record.at.length <= 16, `100 events were told in ${record.at.length} messages`);
}

const why = missing();
if (why !== '') t.fail(why);
else {
  const options = { timeout: HANG_MS };
  t.test('it ends at once, again and again', options, stops);
  t.test('it does not hold up process.exit', options, exits);
  t.test('a dead thread is replaced', options, replaced);
  t.test('a thread that always dies is given up', options, givenUp);
  t.test('a frozen thread is stood in for', options, frozen);
  t.test('the polling twin', options, polling);
  t.test('a busy main thread is not buried in messages', options, busyMain);
}
