/** When folders are listed anew: before the read where something came or went, else a little later. */
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { KernelWake } from '../agent/kernel/wakes.ts';
import { openRelists, RELIST_MS } from '../agent/relists.ts';
import { createWatch } from '../agent/watch.ts';
import { type Ms, ms, sourceId } from '../rules/model.ts';
import { sourceOf } from './place.ts';

const watch = createWatch(sourceId('test', 'one'), sourceOf(), 1000, ms(0));

interface Tried {
  readonly said: readonly string[];
  readonly wake: (wake: KernelWake, now: Ms) => void;
  readonly untilSaid: (count: number) => Promise<void>;
}

function tried(t: Test): Tried {
  const said: string[] = [];
  const relists = openRelists({
    relist: () => said.push('relist'),
    refresh: () => said.push('refresh'),
  });
  t.teardown(() => relists.close());
  return {
    said,
    wake: (wake, now) => relists.after([wake], now)(watch),
    untilSaid: async (count) => {
      while (said.length < count) await pause(5);
    },
  };
}

t.test('what came or went is listed before it is read', async (t) => {
  const { said, wake } = tried(t);
  wake({ on: 'uevent', subsystem: 'block', action: 'add' }, ms(0));
  t.same(said, ['relist'], 'at once; the wake itself has it read');
});

t.test(
  'what changed is read first and listed later, once for all that happens meanwhile',
  async (t) => {
    for (const one of [
      { on: 'uevent', subsystem: 'block', action: 'change' },
      { on: 'netlink', about: 'link' },
    ] as const) {
      const { said, wake, untilSaid } = tried(t);
      wake(one, ms(0));
      wake(one, ms(1));
      t.same(said, []);
      await untilSaid(2);
      t.same(said, ['relist', 'refresh']);
    }
  },
);

t.test('wakes that name nothing list seldom', async (t) => {
  const { said, wake, untilSaid } = tried(t);
  wake({ on: 'kmsg' }, ms(0));
  await untilSaid(2);
  wake({ on: 'overflow' }, ms(RELIST_MS));
  await pause(200);
  t.same(said, ['relist', 'refresh']);
  wake({ on: 'pollpri', path: 'proc/mdstat' }, ms(RELIST_MS + 1));
  await untilSaid(4);
});
