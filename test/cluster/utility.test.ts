/** Utilities of hierarchies: compiled and checked on load, in three values, from what is known of the node. */
import t from 'tap';
import { NO_JUDGEMENT } from '../../rules/config.ts';
import { ms } from '../../rules/model.ts';
import { utilityInputs, utilityProblems } from '../../rules/utility.ts';
import type { World } from '../../rules/world.ts';
import { after, read, reading, seen, spec, worldOf } from '../fakes/readings.ts';
import { idOf } from './made.ts';

const GATE = 'component["fan/1"].health == "ok"';

function worldWith(...texts: readonly string[]): World {
  const utilities = texts.map((text, at) => ({ hierarchy: idOf(`h${at}`), text }));
  return worldOf([spec(undefined, { staleMs: 1000 })], { ...NO_JUDGEMENT, utilities });
}

const values = (world: World) => world.utilities.map(({ value }) => value);

t.test('what is known decides, what is not known is no number', (t) => {
  const texts = [`${GATE} ? 1 : 0`, GATE, '2', 'component["fan/9"].gauges["rpm"]', '0 - 5'];
  let world = worldWith(...texts);
  t.same(values(world), [undefined, undefined, 2, undefined, 0], 'nothing was read yet');
  world = after(world, 1, read(seen([reading('fan/1')]), 1));
  t.same(values(world), [1, 1, 2, undefined, 0]);
  t.equal(world.utilities[0]?.why, 'fan/1 is ok');
  world = after(world, 2, read(seen([reading('fan/1', 'failed')]), 2));
  t.same(values(world), [0, 0, 2, undefined, 0]);
  world = after(world, 3, read(seen([reading('fan/1', 'unknown')]), 3));
  t.same(values(world), [undefined, undefined, 2, undefined, 0], 'unknown is not 0');
  world = after(world, 5000);
  t.equal(world.utilities[3]?.why, 'fan/9 is not known');
  t.end();
});

t.test('only what changed is told to the cluster', (t) => {
  const first = after(worldWith(GATE, '1'), 1, read(seen([reading('fan/1')]), 1));
  const same = after(first, 2, read(seen([reading('fan/1')]), 2));
  t.equal(same.utilities, first.utilities);
  t.same(utilityInputs(first.utilities, same.utilities, ms(2)), []);
  const worse = after(same, 3, read(seen([reading('fan/1', 'failed')]), 3));
  t.same(utilityInputs(same.utilities, worse.utilities, ms(3)), [
    { kind: 'utility', at: 3, hierarchy: idOf('h0'), value: 0, why: 'fan/1 is failed' },
  ]);
  t.end();
});

t.test('mistakes are found on load, with place and mend', (t) => {
  const problems = (text: string) =>
    utilityProblems({ utilities: [{ hierarchy: idOf('db'), text }] }).map(
      ({ message, mend }) => `${message}; ${mend}`,
    );
  t.same(problems(`${GATE} ? 1 : 0`), []);
  t.same(problems('group["mirror/a"].margin.low >= 0 ? 1 : 0.5'), []);
  t.same(problems('service["service/web"].state == "running"'), []);
  t.match(problems('component["fan/1"].helth == "ok"'), [/No such key: helth/]);
  t.match(problems('component["fan/1"].health == "okay"'), [/never 'okay'; it is one of ok/]);
  t.match(problems('component["fan/1"].name'), [
    /is a string, not a number; write CONDITION \? 1 : 0/,
  ]);
  t.match(problems('node.late_seconds'), [/Unknown variable: node; known here: component, group/]);
  t.match(problems(''), [/is empty/]);
  t.end();
});
