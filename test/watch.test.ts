/** When a source is due: its grid, its wakes, and the gap that a storm of them must keep. */
import t from 'tap';
import {
  AHEAD_MS,
  aheadUntil,
  begin,
  createWatch,
  dueOf,
  earliest,
  finish,
  isDue,
  LONG_MS,
  mark,
  nextOnGrid,
  refresh,
  STORM_READS,
  STORM_SHARE,
  WAKE_GAP_MS,
  type Watch,
} from '../agent/watch.ts';
import type { Read } from '../collectors/lib/collector.ts';
import { ms, sourceId } from '../rules/model.ts';
import { sourceOf } from './place.ts';

function watchAt(nowMs: number, everyMs = 1000, name = 'one'): Watch {
  return createWatch(sourceId('test', name), sourceOf(), everyMs, ms(nowMs));
}

/** A watch that was read between the two times. */
function readFrom(startMs: number, endMs: number): Watch {
  const watch = watchAt(startMs);
  begin(watch, ms(startMs));
  finish(watch, ms(endMs));
  return watch;
}

t.test('due at once, then on the grid of its period', async (t) => {
  const watch = watchAt(1234);
  t.ok(isDue(watch, ms(1234)));
  begin(watch, ms(1234));
  finish(watch, ms(1240));
  t.equal(watch.dueAt, 2000);
  t.notOk(isDue(watch, ms(1999)));
  t.ok(isDue(watch, ms(2000)));
  t.equal(nextOnGrid(ms(2000), 1000), 3000, 'on the grid itself it is the next one');
});

t.test('never due while it is read', async (t) => {
  const watch = watchAt(1000);
  begin(watch, ms(1000));
  t.notOk(isDue(watch, ms(9000)));
  mark(watch, ms(9000), ms(9000));
  t.notOk(isDue(watch, ms(9000)), 'not even when woken');
});

t.test('a wake makes it due at once, but for the gap since its last woken read', async (t) => {
  const rested = readFrom(1000, 1001);
  mark(rested, ms(1500), ms(1500));
  t.equal(rested.dueAt, 1500);
  const fresh = readFrom(1000, 1001);
  mark(fresh, ms(1002), ms(1002));
  t.equal(fresh.dueAt, 1002, 'a read by the period keeps no wake waiting');
  begin(fresh, ms(1002));
  finish(fresh, ms(1003));
  mark(fresh, ms(1004), ms(1004));
  t.equal(fresh.dueAt, 1002 + WAKE_GAP_MS, 'a woken one does');
  const late = readFrom(1000, 1001);
  late.dueAt = ms(1001);
  mark(late, ms(1002), ms(1002));
  t.equal(late.dueAt, 1001, 'and never later than it was');
});

t.test('a wake during a read is answered by another read', async (t) => {
  const watch = watchAt(1000);
  begin(watch, ms(1000));
  mark(watch, ms(1001), ms(1001));
  finish(watch, ms(1002));
  t.equal(watch.dueAt, 1002, 'what was read may be older than the wake');
  begin(watch, ms(1020));
  finish(watch, ms(1021));
  t.equal(watch.dueAt, 2000, 'one more, not two');
  begin(watch, ms(1990));
  mark(watch, ms(1991), ms(1991));
  finish(watch, ms(1992));
  t.equal(watch.dueAt, 2000, 'and a wake never puts off the read of the period');
});

t.test('of several wakes the earliest waits for the world', async (t) => {
  const watch = readFrom(1000, 1001);
  mark(watch, ms(1200), ms(1201));
  mark(watch, ms(1300), ms(1301));
  t.equal(watch.wokenAt, 1200);
});

t.test('a read that outlasts its period is not followed by another at once', async (t) => {
  t.equal(readFrom(1000, 4500).dueAt, 5000);
  t.equal(readFrom(1000, 2000).dueAt, 3000);
});

t.test('who waits longest is first', async (t) => {
  const names = ['a', 'b', 'c', 'd'];
  const watches = names.map((name) => watchAt(0, 1000, name));
  for (const [index, dueAt] of [30, 10, 99, 20].entries()) {
    const watch = watches[index];
    if (watch !== undefined) watch.dueAt = ms(dueAt);
  }
  t.same(
    dueOf(watches, ms(50)).map((watch) => watch.id),
    ['test/b', 'test/d', 'test/a'],
  );
});

t.test('in a storm a dear source keeps a longer gap, up to its period', async (t) => {
  const stormy = (readMs: number): Watch => {
    const watch = watchAt(0, 1000);
    for (let read = 0; read <= STORM_READS; read += 1) {
      mark(watch, ms(2000), ms(2000));
      begin(watch, ms(2000));
      finish(watch, ms(2000 + readMs));
    }
    mark(watch, ms(2000 + readMs), ms(2000 + readMs));
    return watch;
  };
  t.equal(stormy(40).dueAt, 2000 + STORM_SHARE * 40);
  t.equal(stormy(900).dueAt, 3000, 'never later than without a wake');
  const calm = stormy(40);
  calm.wokenAt = undefined;
  begin(calm, ms(3000));
  finish(calm, ms(3040));
  mark(calm, ms(3050), ms(3050));
  t.equal(calm.dueAt, 3050, 'a read by its period ends the storm');
});

t.test(
  'of those due together what answers at once comes first, the longest waiting before all',
  async (t) => {
    const port = createWatch(sourceId('test', 'port'), sourceOf({ kind: 'reach' }), 1000, ms(1000));
    const file = createWatch(
      sourceId('test', 'file'),
      sourceOf({ kind: 'file', root: 'sys', glob: 'a' }),
      1000,
      ms(1000),
    );
    t.same(
      dueOf([port, file], ms(1000)).map((one) => one.id),
      ['test/file', 'test/port'],
    );
    port.dueAt = ms(999);
    t.same(
      dueOf([port, file], ms(1000)).map((one) => one.id),
      ['test/file', 'test/port'],
      'a moment of waiting changes nothing',
    );
    port.dueAt = ms(1000 - LONG_MS - 1);
    t.same(
      dueOf([port, file], ms(1000)).map((one) => one.id),
      ['test/port', 'test/file'],
    );
  },
);

t.test(
  'device-mapper is asked alone, and the others wait for it no longer than a moment',
  async (t) => {
    const at = (name: string, read: Read): Watch =>
      createWatch(sourceId('test', name), sourceOf(read), 1000, ms(1000));
    const dm = at('dm', { kind: 'dm', target: 'multipath' });
    const hanging = at('hanging', { kind: 'file', root: 'sys', glob: 'a', mayHang: true });
    const file = at('file', { kind: 'file', root: 'sys', glob: 'a' });
    const watches = [hanging, file, dm];
    t.same(
      dueOf(watches, ms(1000)).map((one) => one.id),
      ['test/dm', 'test/file', 'test/hanging'],
    );
    t.equal(aheadUntil(watches, ms(1000)), undefined);
    begin(dm, ms(1000));
    t.equal(aheadUntil(watches, ms(1001)), 1000 + AHEAD_MS);
    t.equal(
      earliest(watches, ms(1001), ms(2000)),
      1000 + AHEAD_MS,
      'the loop need not wake before',
    );
    t.equal(aheadUntil(watches, ms(1000 + AHEAD_MS)), undefined, 'it does not answer');
    finish(dm, ms(1002));
    t.equal(aheadUntil(watches, ms(1003)), undefined, 'it answered');
    t.equal(earliest(watches, ms(1003), ms(2000)), 1003);
  },
);

t.test(
  'a read of our own accord comes after the one under way, which still answers its wake',
  async (t) => {
    const watch = watchAt(1000);
    mark(watch, ms(1000), ms(1000));
    begin(watch, ms(1000));
    refresh(watch, ms(1001));
    t.equal(watch.dirty, false);
    finish(watch, ms(1002));
    t.ok(isDue(watch, ms(1000 + WAKE_GAP_MS)), 'read once more');
    begin(watch, ms(1030));
    finish(watch, ms(1031));
    t.notOk(isDue(watch, ms(1100)), 'and no more');
  },
);
