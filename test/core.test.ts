/** The core, told what sources saw and asked what it makes of it. Each test is one thing that must hold. */
import t from 'tap';
import { decodeInventory, encodeInventory } from '../rules/inventory.ts';
import { ms, type SourceId } from '../rules/model.ts';
import { step } from '../rules/step.ts';
import {
  after,
  group,
  healthOf,
  id,
  judgementOf,
  read,
  reading,
  seen,
  spec,
  standingOf,
  whyOf,
  worldOf,
} from './fakes/readings.ts';

const PSUS = [group('psus/bmc', 'psus', ['psu/1', 'psu/2'])];
const twoPsus = seen([reading('psu/1'), reading('psu/2')], PSUS);

t.test('two supplies of which one is needed are redundant, then exposed, then lost', async (t) => {
  const both = after(worldOf(), 1, read(twoPsus, 1));
  t.equal(standingOf(both, 'psus/bmc'), 'redundant 1..1 of need 1 assumed');
  const one = after(both, 2, read(seen([reading('psu/1', 'failed'), reading('psu/2')], PSUS), 2));
  t.equal(standingOf(one, 'psus/bmc'), 'exposed 0..0 of need 1 assumed');
  const dead = [reading('psu/1', 'failed'), reading('psu/2', 'failed')];
  t.equal(
    standingOf(after(one, 3, read(seen(dead, PSUS), 3)), 'psus/bmc'),
    'lost -1..-1 of need 1 assumed',
  );
});

t.test('unknown and failing widen the margin and round to neither side', async (t) => {
  for (const health of ['unknown', 'failing'] as const) {
    const world = after(
      worldOf(),
      1,
      read(seen([reading('psu/1', health), reading('psu/2')], PSUS), 1),
    );
    t.equal(standingOf(world, 'psus/bmc'), 'unknown 0..1 of need 1 assumed', health);
  }
});

t.test('four paths through one controller are exposed and the controller is named', async (t) => {
  const names = ['path/a', 'path/b', 'path/c', 'path/d'];
  const through = (cards: readonly string[]) =>
    seen(
      names.map((name, index) => reading(name, 'ok', { needs: [id(cards[index] ?? '')] })),
      [group('paths/w', 'paths', names)],
    );
  const one = after(worldOf(), 1, read(through(['card/1', 'card/1', 'card/1', 'card/1']), 1));
  t.equal(standingOf(one, 'paths/w'), 'exposed 0..0 of need 1 assumed by card/1');
  const two = after(one, 2, read(through(['card/1', 'card/1', 'card/2', 'card/2']), 2));
  t.equal(standingOf(two, 'paths/w'), 'redundant 2..2 of need 1 assumed by card/1');
  const own = after(two, 3, read(through(['card/1', 'card/2', 'card/3', 'card/4']), 3));
  t.equal(standingOf(own, 'paths/w'), 'redundant 3..3 of need 1 assumed');
});

t.test(
  'dependencies count at any depth, and a failed one takes its dependents with it',
  async (t) => {
    const links = ['link/a', 'link/b'];
    const all = (switchHealth: 'ok' | 'failed') =>
      seen(
        [
          reading('link/a', 'ok', { needs: [id('card/1')] }),
          reading('link/b', 'ok', { needs: [id('card/2')] }),
          reading('card/1', 'ok', { needs: [id('bridge/0')] }),
          reading('card/2', 'ok', { needs: [id('bridge/0')] }),
          reading('bridge/0', switchHealth),
        ],
        [group('bond/b', 'bond', links)],
      );
    const good = after(worldOf(), 1, read(all('ok'), 1));
    t.equal(standingOf(good, 'bond/b'), 'exposed 0..0 of need 1 assumed by bridge/0');
    const bad = after(good, 2, read(all('failed'), 2));
    t.equal(healthOf(bad, 'link/a'), 'failed');
    t.equal(whyOf(bad, 'link/a'), 'needs card/1, which is failed');
    t.equal(standingOf(bad, 'bond/b'), 'lost -1..-1 of need 1 assumed');
    const back = after(bad, 3, read(all('ok'), 3));
    t.equal(healthOf(back, 'link/b'), 'ok', 'and gives them back');
  },
);

t.test('a circle of needs neither hangs nor keeps its members down', async (t) => {
  const circle = (health: 'ok' | 'failed') =>
    seen([
      reading('a/1', health, { needs: [id('b/1')] }),
      reading('b/1', 'ok', { needs: [id('c/1')] }),
      reading('c/1', 'ok', { needs: [id('a/1')] }),
    ]);
  const bad = after(worldOf(), 1, read(circle('failed'), 1));
  t.equal(healthOf(bad, 'a/1'), 'failed');
  const good = after(bad, 2, read(circle('ok'), 2));
  for (const one of ['a/1', 'b/1', 'c/1']) t.equal(healthOf(good, one), 'ok', one);
});

t.test('an opinion darkens, and never decides', async (t) => {
  const second = 'test/opinion' as SourceId;
  const specs = [spec(), spec(second, { opinion: true })];
  let world = after(worldOf(specs), 1, read(seen([reading('path/a')]), 1));
  world = after(world, 2, read(seen([reading('path/a', 'failed')]), 2, second));
  t.equal(healthOf(world, 'path/a'), 'failing');
  world = after(world, 3, read(seen([reading('path/a', 'failed')]), 3));
  world = after(world, 4, read(seen([reading('path/a', 'ok')]), 4, second));
  t.equal(healthOf(world, 'path/a'), 'failed', 'it cannot heal');
  world = after(world, 5, read(seen([]), 5));
  t.equal(healthOf(world, 'path/a'), 'absent', 'nor keep alive what the other looked for in vain');
  const alone = after(worldOf(specs), 1, read(seen([reading('path/b')]), 1, second));
  t.equal(healthOf(alone, 'path/b'), 'unknown', 'nor stand alone');
});

t.test(
  'limits darken with hysteresis; the best seen is a measure; flaps are counted',
  async (t) => {
    const limits = [
      { component: 'sensor/*', gauge: 'celsius', above: { failing: 80, failed: 95, recovers: 75 } },
      { component: 'fan/*', gauge: 'rpm', below: { failing: 900, failed: 300, recovers: 1000 } },
    ];
    let world = worldOf([spec()], judgementOf({ limits }));
    const walk = [70, 80, 78, 96, 90, 75, 70].map((celsius, index) => {
      world = after(
        world,
        index + 1,
        read(seen([reading('sensor/1', 'ok', { gauges: { celsius } })]), index + 1),
      );
      return healthOf(world, 'sensor/1');
    });
    t.same(walk, ['ok', 'failing', 'failing', 'failed', 'failing', 'ok', 'ok']);
    const speeds = [1200, 899, 950, 299, 999, 1000].map((rpm, index) => {
      world = after(
        world,
        index + 10,
        read(seen([reading('fan/1', 'ok', { gauges: { rpm } })]), index + 10),
      );
      return healthOf(world, 'fan/1');
    });
    t.same(speeds, ['ok', 'failing', 'failing', 'failed', 'failing', 'ok']);
  },
);

t.test('a link slower than it ever was is failing, across restarts too', async (t) => {
  const link = (speed: number) =>
    seen([
      reading('link/e', 'ok', { gauges: { bytes_per_second: speed }, peak: 'bytes_per_second' }),
    ]);
  let world = after(worldOf(), 1, read(link(125e6), 1));
  const inventory = decodeInventory(encodeInventory(world));
  world = worldOf([spec()], judgementOf({}), inventory.ok ? inventory.remembered : []);
  world = after(world, 1, read(link(12.5e6), 1));
  t.equal(healthOf(world, 'link/e'), 'failing');
  t.equal(healthOf(after(world, 2, read(link(125e6), 2)), 'link/e'), 'ok');
});

t.test(
  'a link that changed five times within a minute is flapping until the minute is over',
  async (t) => {
    const link = (changes: number) =>
      seen([
        reading('link/e', 'ok', {
          gauges: { carrier_changes_total: changes },
          flap: 'carrier_changes_total',
        }),
      ]);
    const specs = [spec(undefined, { staleMs: 1_000_000 })];
    let world = after(worldOf(specs), 1000, read(link(7), 1000));
    world = after(world, 2000, read(link(11), 2000));
    t.equal(
      healthOf(world, 'link/e'),
      'ok',
      'four are not five, and those before our time do not count',
    );
    world = after(world, 3000, read(link(12), 3000));
    t.equal(healthOf(world, 'link/e'), 'failing');
    t.equal(healthOf(after(world, 61_999), 'link/e'), 'failing');
    t.equal(healthOf(after(world, 62_000), 'link/e'), 'ok', 'with no further reading');
  },
);

t.test('a gateway group on its slower line is degraded', async (t) => {
  const members = ['gateway/a', 'gateway/b'];
  const groups = [group('gateways/default', 'gateways', members, { preference: members.map(id) })];
  const good = after(
    worldOf(),
    1,
    read(
      seen(
        members.map((one) => reading(one)),
        groups,
      ),
      1,
    ),
  );
  t.equal(good.groups[0]?.degraded, false);
  const slow = seen([reading('gateway/a', 'failed'), reading('gateway/b')], groups);
  t.equal(after(good, 2, read(slow, 2)).groups[0]?.degraded, true);
});

t.test(
  'what did not change keeps its object, so that readers of the picture can compare by identity',
  async (t) => {
    const first = after(worldOf(), 1, read(twoPsus, 1));
    const second = after(
      first,
      2,
      read(seen([reading('psu/1'), reading('psu/2', 'failing')], PSUS), 2),
    );
    t.equal(second.components[0], first.components[0]);
    t.not(second.components[1], first.components[1]);
    const third = after(second, 3);
    t.equal(third.components, second.components);
    t.equal(third.groups, second.groups);
  },
);

t.test('time never runs backwards', async (t) => {
  t.throws(() => step(after(worldOf(), 5), ms(4), []), { message: /backwards/u });
});

t.test('a torn or foreign inventory is refused whole', async (t) => {
  const good = encodeInventory(after(worldOf(), 1, read(twoPsus, 1)));
  const bad = ['', '{', '[]', '{}', good.slice(0, -20), good.replace('"needs": []', '"needs": 3')];
  for (const text of bad)
    t.match(decodeInventory(text), { ok: false, why: /\S/u }, text.slice(0, 20));
  t.match(decodeInventory(good), { ok: true });
});
