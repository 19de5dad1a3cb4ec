/** How long one step of the core takes with one change among 10,000 components in 2,000 groups. */
import { ms, type Observation } from '../../rules/model.ts';
import { step } from '../../rules/step.ts';
import { group, read, reading, seen, worldOf } from '../fakes/readings.ts';
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

/** All readings the same objects as before but one, whose health is another than in the round before. */
function changed(round: number): Observation {
  const place = (round * 7919) % COMPONENTS;
  const health = round % 2 === 0 ? 'failed' : 'ok';
  return seen(readings.with(place, reading(`disk/d${place}`, health)), groups);
}

export async function benchCore(quick: boolean): Promise<readonly Figure[]> {
  const rounds = quick ? 300 : 2_000;
  let world = step(worldOf(), ms(1), [read(seen(readings, groups), 1)]);
  const changes: number[] = [];
  const idles: number[] = [];
  for (let round = 0; round < WARM_UP + rounds; round += 1) {
    const now = 2 + 2 * round;
    const observation = changed(round);
    const start = performance.now();
    world = step(world, ms(now), [read(observation, now)]);
    const middle = performance.now();
    world = step(world, ms(now + 1), [read(observation, now + 1)]);
    if (round < WARM_UP) continue;
    changes.push(middle - start);
    idles.push(performance.now() - middle);
  }
  const bench = 'core';
  const size = `${COMPONENTS} components, ${GROUPS} groups`;
  return [
    ...spread({ bench, what: `step, one change of ${size}`, unit: 'ms' }, changes),
    ...spread({ bench, what: 'step, nothing changed', unit: 'ms' }, idles),
  ];
}
