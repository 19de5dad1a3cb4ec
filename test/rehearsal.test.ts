/** The rehearsal walks what a fault will walk, changes nothing, and ends. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import type { Libc } from '../agent/kernel/libc.ts';
import { rehearseDrains } from '../agent/kernel/rehearsal.ts';
import { rehearse } from '../agent/rehearsal.ts';
import { createWatch } from '../agent/watch.ts';
import type { Snapshot, Source } from '../collectors/lib/collector.ts';
import { NO_JUDGEMENT } from '../rules/config.ts';
import { componentId, ms, type Observation, sourceId } from '../rules/model.ts';
import { emptyWorld } from '../rules/step.ts';
import { sourceOf } from './place.ts';

function reading(text: string): Observation {
  const health = text === '1' ? 'ok' : 'failed';
  return {
    kind: 'seen',
    readings: [
      {
        component: componentId('fan', 'a'),
        kind: 'fan',
        name: 'a',
        health,
        gauges: {},
        facts: {},
        needs: [],
      },
    ],
    groups: [],
    advice: [],
  };
}

t.test('it parses healthy, failed and unreadable texts, and nothing comes of it', async (t) => {
  const seen = new Set<string>();
  const source: Source = {
    ...sourceOf(),
    wakes: [{ on: 'kmsg' }],
    parse: (snapshot) => {
      const entry = snapshot.get('sys/a');
      const text = entry !== undefined && 'text' in entry ? entry.text : 'unread';
      seen.add(text);
      if (text === 'unread') throw new Error('a bug of the parser');
      return reading(text);
    },
  };
  const idle: Source = { ...sourceOf(), parse: () => t.fail('nothing wakes this') as never };
  const id = sourceId('test', 'one');
  const snapshot: Snapshot = new Map([['sys/a', { text: '1' }]]);
  const spec = { id, everyMs: 1000, staleMs: 3000, opinion: false };
  const world = emptyWorld(ms(0), [spec], NO_JUDGEMENT, []);
  const before = JSON.stringify(world);
  const end = rehearse({
    watches: [
      createWatch(sourceId('test', 'idle'), idle, 1000, ms(0)),
      createWatch(id, source, 1000, ms(0)),
    ],
    snapshot: () => snapshot,
    world: () => world,
  });
  while (seen.size < 3) await pause(5);
  end();
  t.same([...seen].sort(), ['0', '1', 'unread']);
  t.equal(JSON.stringify(world), before);
});

t.test('the way from a datagram to a wake is walked without a descriptor', async (t) => {
  const never = (): never => {
    throw new Error('not to be called');
  };
  const libc: Libc = {
    socket: never,
    bind: never,
    setsockopt: never,
    recvfrom: never,
    poll: never,
    eventfd: never,
    lseek: never,
    errno: never,
  };
  t.doesNotThrow(() => rehearseDrains(libc));
});
