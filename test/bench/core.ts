/**
 * How long one step of the core takes with one change among 10,000 components in 2,000 groups, without
 * rules and with 100 of them, all of which look at what changed; and with every alarm of a bad day standing.
 */
import { ms } from '../../rules/model.ts';
import type { Rule } from '../../rules/rule.ts';
import { step } from '../../rules/step.ts';
import { group, judgementOf, read, reading, seen, spec, worldOf } from '../fakes/readings.ts';
import { NOTIFY, rule } from '../fakes/rules.ts';
import { type Figure, spread } from './report.ts';

const COMPONENTS = 10_000;
const GROUPS = 2_000;
const PER_GROUP: number = COMPONENTS / GROUPS;
/** The parsers give the very readings they gave before where nothing changed, or equal ones. */
const WARM_UP = 200;

const readings = Array.from({ length: COMPONENTS }, (_, index) =>
  reading(`disk/d${index}`, 'ok', { gauges: { celsius: 30 }, facts: { slot: `${index}` } }),
);
const groups = Array.from({ length: GROUPS }, (_, index) =>
  group(
    `mirror/m${index}`,
    'mirror',
    Array.from({ length: PER_GROUP }, (_unused, member) => `disk/d${index * PER_GROUP + member}`),
  ),
);

const RULES = 100;
const NONE: readonly Rule[] = [];

/** All of them are asked about each change: 80 of the disk, 20 of its group. Few hold. */
const rules: readonly Rule[] = Array.from({ length: RULES }, (_, index) => {
  const onGroup = index % 5 === 0;
  const condition = onGroup
    ? `group.margin.high < ${index / 5 - 17}`
    : `component.health == "failed" && component.gauges.celsius < ${index - 69} && has(component.facts.slot)`;
  return rule(`bench-${index}`, index === 1 ? 'component.health == "failed"' : condition, {
    on: onGroup ? { kind: 'group', glob: 'mirror/*' } : { kind: 'component', glob: 'disk/*' },
    summary: '{{node.late_seconds}}',
    ladder: [NOTIFY],
  });
});

interface Times {
  readonly first: number;
  readonly changes: readonly number[];
  readonly idles: readonly number[];
  readonly alarms: number;
}

/** `failed`: so many disks stay failed all the time. */
function measure(rounds: number, inForce: readonly Rule[], failed: number): Times {
  const spread = (index: number): boolean => failed > 0 && index % (COMPONENTS / failed) === 0;
  const start = readings.map((one, index) =>
    spread(index) ? reading(`disk/d${index}`, 'failed', { gauges: { celsius: 99 } }) : one,
  );
  const began = performance.now();
  let world = step(worldOf([spec()], judgementOf({ rules: inForce })), ms(1), [
    read(seen(start, groups), 1),
  ]);
  const first = performance.now() - began;
  const changes: number[] = [];
  const idles: number[] = [];
  for (let round = 0; round < WARM_UP + rounds; round += 1) {
    const now = 2 + 2 * round;
    const place = (round * 7919) % COMPONENTS;
    const health = round % 2 === 0 ? 'failed' : 'ok';
    const gauges = { celsius: 30 + (round % 3) };
    const changed = seen(start.with(place, reading(`disk/d${place}`, health, { gauges })), groups);
    const from = performance.now();
    world = step(world, ms(now), [read(changed, now)]);
    const middle = performance.now();
    world = step(world, ms(now + 1), [read(changed, now + 1)]);
    if (round < WARM_UP) continue;
    changes.push(middle - from);
    idles.push(performance.now() - middle);
  }
  return { first, changes, idles, alarms: world.alarms.length };
}

export async function benchCore(quick: boolean): Promise<readonly Figure[]> {
  const rounds = quick ? 300 : 2_000;
  const bench = 'core';
  const size = `${COMPONENTS} components, ${GROUPS} groups`;
  const bare = measure(rounds, NONE, 0);
  const ruled = measure(rounds, rules, 0);
  const bad = measure(rounds, rules, 1_000);
  const full = `${size}, ${RULES} rules`;
  return [
    ...spread({ bench, what: `step, one change of ${size}`, unit: 'ms' }, bare.changes),
    ...spread({ bench, what: 'step, nothing changed', unit: 'ms' }, bare.idles),
    ...spread({ bench, what: `step, one change of ${full}`, unit: 'ms' }, ruled.changes, {
      p99: 2,
    }),
    ...spread({ bench, what: `step, nothing changed, ${RULES} rules`, unit: 'ms' }, ruled.idles),
    ...spread(
      { bench, what: `step, one change while ${bad.alarms} alarms stand`, unit: 'ms' },
      bad.changes,
    ),
    { bench, what: `first step of ${full}: all asked of all`, unit: 'ms', value: ruled.first },
  ];
}
