/** The loop by itself: what a stopped process may and may not conclude when it goes on. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startLoop } from '../agent/loop.ts';
import { monotonicNow } from '../agent/ports/clock.ts';
import type { Probe } from '../agent/probe.ts';
import { createWatch } from '../agent/watch.ts';
import type { Source } from '../collectors/lib/collector.ts';
import { NO_JUDGEMENT } from '../rules/config.ts';
import { type Sight, sourceId } from '../rules/model.ts';
import { until } from './place.ts';

const STOPPED_MS = 3_000;

function source(name: string): Source {
  return {
    name,
    reads: [],
    wakes: [],
    everyMs: 100,
    staleMs: 300,
    parse: () => ({ kind: 'none', why: 'a test' }),
  };
}

t.test('after a stop sources are read before they are called stale', async (t) => {
  const well = source('well');
  const mute = source('mute');
  let silent = false;
  const probe: Probe = {
    read: async (wanted) => {
      await pause(wanted === mute && silent ? 1_000_000 : 20, undefined, { ref: false });
      return new Map([['read', { text: String(monotonicNow()) }]]);
    },
    relist: () => undefined,
    drops: () => ({ matches: 0, quarantined: 0 }),
    counts: () => ({ kept: 0, dropped: 0, quarantined: 0, readers: 0 }),
    close: async () => undefined,
  };
  const now = monotonicNow();
  const seen: (readonly Sight[])[] = [];
  const loop = startLoop({
    watches: [well, mute].map((one) => createWatch(sourceId('test', one.name), one, 100, now)),
    probe,
    judgement: NO_JUDGEMENT,
    inventory: [],
    era: 'test',
    onWorld: (world) => seen.push(world.sights),
    onTrouble: () => undefined,
  });
  t.teardown(loop.close);
  await loop.ready;
  silent = true;
  await pause(150);
  seen.length = 0;
  // As SIGSTOP or a paused virtual machine would: nothing of this process runs.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STOPPED_MS);
  const states = (name: string): readonly string[] =>
    seen.flatMap((sights) => sights.filter(({ id }) => id === `test/${name}`)).map((s) => s.state);
  t.ok(await until(() => states('mute').includes('stale'), 10_000), 'silence is told all the same');
  t.notOk(states('well').includes('stale'), 'what answers was never called stale');
});
