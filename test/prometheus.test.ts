/**
 * The exporter against those who read it: promtool for the text format, a strict reader of our own for
 * OpenMetrics, and a renderer made afresh for the kept lines.
 */
import { deepStrictEqual } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import t from 'tap';
import { createOwnMetrics } from '../agent/api/own-metrics.ts';
import { createRenderer } from '../exporters/prometheus/render.ts';
import type { Picture, Vitals } from '../rules/model.ts';
import { ms } from '../rules/model.ts';
import type { World } from '../rules/world.ts';
import { openMetricsProblems } from './fakes/openmetrics.ts';
import {
  after,
  group,
  id,
  judgementOf,
  read,
  reading,
  seen,
  spec,
  worldOf,
} from './fakes/readings.ts';

const NASTY = [
  'a"b',
  'back\\slash',
  'new\nline',
  'ünïcode ☃',
  '$(reboot)',
  'x'.repeat(4096),
  '\u0000',
];

function nastyWorld(): World {
  const readings = NASTY.map((name, index) =>
    reading(`fan/${index}`, 'ok', {
      name,
      gauges: { rpm: 1200 + index, min_rpm: 300, errors_total: index, 'not a word': 3 },
      facts: { chip: name, Kind: name, name },
    }),
  );
  const needs = [id('card/1')];
  const paths = ['path/a', 'path/b'].map((one) => reading(one, 'ok', { needs }));
  const groups = [
    group(
      'fans/x',
      'fans',
      readings.map((one) => one.component),
    ),
    group('paths/w', 'paths', ['path/a', 'path/b']),
  ];
  return after(worldOf(), 5, read(seen([...readings, ...paths], groups), 5));
}

const VITALS: Vitals = {
  node: 'no"de',
  version: '0.1.0',
  wallOffsetMs: 1.7e12,
  startedAt: ms(0),
  readyAt: ms(4),
  wakeMode: 'kernel',
  steps: 3,
  wakes: 2,
  drops: { series: 1 },
};

async function full(format: 'text' | 'openmetrics', picture: Picture): Promise<string> {
  const renderer = createRenderer({ seriesMax: 20_000 });
  renderer.update(picture, 1.7e12);
  const own = createOwnMetrics();
  own.observe([{ of: 'step', seconds: 0.0003 }]);
  own.count(VITALS);
  return (await own.render(format)) + renderer.render(format);
}

t.test('promtool has nothing to say', async (t) => {
  const text = await full('text', nastyWorld());
  const run = spawnSync('/usr/bin/promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  t.equal(run.error, undefined, 'promtool is there (Debian package prometheus)');
  t.equal(run.stdout + run.stderr, '');
  t.equal(run.status, 0);
});

t.test('a strict reader accepts the OpenMetrics form', async (t) => {
  const text = `${await full('openmetrics', nastyWorld())}# EOF\n`;
  t.same(openMetricsProblems(text), []);
});

t.test('the strict reader is strict', async (t) => {
  const bad = [
    'a 1\n',
    '# TYPE a counter\na 1\n# EOF\n',
    '# TYPE a gauge\na{b="c" 1\n# EOF\n',
    '# TYPE a gauge\na{b="c\n"} 1\n# EOF\n',
    '# TYPE a gauge\na 1\na 1\n# EOF\n',
    '# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\na{x="1"} 2\n# EOF\n',
    '# TYPE a gauge\na one\n# EOF\n',
  ];
  for (const text of bad) t.not(openMetricsProblems(text).length, 0, JSON.stringify(text));
});

t.test('what is unknown reads unknown and nothing else', async (t) => {
  const world = after(
    worldOf(),
    1,
    read(seen([reading('psu/1', 'unknown')], [group('psus/b', 'psus', ['psu/1'])]), 1),
  );
  const text = await full('text', world);
  t.match(text, 'nospof_component_health{component="psu/1",kind="psu",health="unknown"} 1\n');
  t.match(text, 'nospof_component_health{component="psu/1",kind="psu",health="ok"} 0\n');
  t.match(text, 'nospof_component_health{component="psu/1",kind="psu",health="failed"} 0\n');
  t.match(text, 'nospof_group_margin{group="psus/b",kind="psus",bound="low"} -1\n');
  t.match(text, 'nospof_group_margin{group="psus/b",kind="psus",bound="high"} 0\n');
  t.match(text, 'nospof_group_standing{group="psus/b",kind="psus",standing="unknown"} 1\n');
});

t.test('what does not count says so', async (t) => {
  const all = [reading('fan/1'), reading('fan/2', 'failed', { unproven: true }), reading('fan/3')];
  const world = worldOf([spec()], judgementOf({ ignore: ['fan/3'] }));
  const text = await full('text', after(world, 1, read(seen(all), 1)));
  t.match(text, 'nospof_component_counted{component="fan/1",kind="fan"} 1\n');
  t.match(text, 'nospof_component_counted{component="fan/2",kind="fan"} 0\n');
  t.match(text, 'nospof_component_counted{component="fan/3",kind="fan"} 0\n');
});

t.test('booleans are never scaled and numbers come through as they are', async (t) => {
  const gauges = { alarm: 1, celsius: 0.001, watts: 1e21, joules_total: 12 };
  const world = after(worldOf(), 1, read(seen([reading('sensor/1', 'ok', { gauges })]), 1));
  const text = await full('text', world);
  t.match(text, 'nospof_sensor_alarm{component="sensor/1"} 1\n');
  t.match(text, 'nospof_sensor_celsius{component="sensor/1"} 0.001\n');
  t.match(text, 'nospof_sensor_watts{component="sensor/1"} 1e+21\n');
  t.match(text, '# TYPE nospof_sensor_joules_total counter\n');
});

t.test(
  'series beyond the limit are dropped and counted, the sight of sources last of all',
  async (t) => {
    const renderer = createRenderer({ seriesMax: 40 });
    renderer.update(nastyWorld(), 0);
    const text = renderer.render('text');
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    t.ok(series <= 40);
    t.equal(renderer.dropped() > 0, true);
    t.match(text, 'nospof_collector_up{collector="test",source="main"} 1');
  },
);

const names = ['fan/1', 'fan/2', 'psu/1', 'psu/2'];
const observation = fc
  .tuple(
    fc.subarray(names),
    fc.integer({ min: 0, max: 3 }),
    fc.constantFrom('ok' as const, 'failed' as const),
    fc.boolean(),
  )
  .map(([present, rpm, health, gauge]) =>
    seen(
      present.map((name) => reading(name, health, { virtual: true, gauges: gauge ? { rpm } : {} })),
      [group('fans/x', 'fans', present)],
    ),
  );

t.test('kept lines are those a fresh renderer makes, also when series run short', (t) => {
  const sorted = (text: string): readonly string[] => text.split('\n').sort();
  const limit = fc.constantFrom(20, 30, 40, 50, 1000);
  const history = fc.property(fc.array(observation, { maxLength: 8 }), limit, (all, seriesMax) => {
    let world = worldOf();
    const kept = createRenderer({ seriesMax });
    for (const [index, one] of all.entries()) {
      world = after(world, index + 1, read(one, index + 1));
      kept.update(world, 7);
      const fresh = createRenderer({ seriesMax });
      fresh.update(world, 7);
      deepStrictEqual(sorted(kept.render('text')), sorted(fresh.render('text')));
      deepStrictEqual(kept.dropped(), fresh.dropped());
    }
  });
  t.doesNotThrow(() => fc.assert(history));
  t.end();
});
