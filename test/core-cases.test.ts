/** Odd histories of the core: what goes late, comes back as another, is named, renamed or taken out of view. */
import t from 'tap';
import { decodeInventory, encodeInventory } from '../rules/inventory.ts';
import type { Advice, Observation, Reading, SourceId } from '../rules/model.ts';
import type { Remembered, World } from '../rules/world.ts';
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

const OTHER = 'test/other' as SourceId;
const ELSEWHERE = 'far/main' as SourceId;
const BLIND: Observation = { kind: 'blind', why: 'cannot look' };
const NONE: Observation = { kind: 'none', why: 'nothing of this sort' };

function restarted(world: World): readonly Remembered[] {
  const inventory = decodeInventory(encodeInventory(world));
  if (!inventory.ok) throw new Error(inventory.why);
  return inventory.remembered;
}

const hot = (celsius: number): Reading => reading('sensor/1', 'ok', { gauges: { celsius } });
const HOT = [
  { component: 'sensor/*', gauge: 'celsius', above: { failing: 80, failed: 95, recovers: 75 } },
];

t.test('a number that is no longer read is judged by nobody', async (t) => {
  let world = worldOf([spec()], judgementOf({ limits: HOT }));
  world = after(world, 1000, read(seen([hot(99)]), 1000));
  t.equal(healthOf(world, 'sensor/1'), 'failed');
  world = after(world, 7000);
  t.equal(healthOf(world, 'sensor/1'), 'unknown', 'a late 99 degrees is not 99 degrees now');
  t.same(world.components[0]?.gauges, {}, 'nor is it shown as such');
  world = after(world, 8000, read(seen([hot(78)]), 8000));
  t.equal(healthOf(world, 'sensor/1'), 'failing', 'it had not recovered when it was last read');
});

t.test('of two sources the one that still looks gives the numbers', async (t) => {
  let world = worldOf([spec(), spec(OTHER)], judgementOf({ limits: HOT }));
  world = after(world, 1000, read(seen([hot(99)]), 1000));
  world = after(world, 5000, read(seen([hot(40)]), 5000, OTHER));
  t.equal(healthOf(world, 'sensor/1'), 'failed', 'both are prompt: the first has the word');
  world = after(world, 7000);
  t.equal(healthOf(world, 'sensor/1'), 'ok');
  t.same(world.components[0]?.gauges, { celsius: 40 });
});

t.test('one unreadable sample does not end a limit', async (t) => {
  let world = worldOf([spec()], judgementOf({ limits: HOT }));
  const walk = [hot(81), reading('sensor/1', 'unknown'), hot(78), hot(75)].map((one, index) => {
    world = after(world, index + 1, read(seen([one]), index + 1));
    return healthOf(world, 'sensor/1');
  });
  t.same(walk, ['failing', 'unknown', 'failing', 'ok']);
});

t.test('a reload keeps the hysteresis with its limit, wherever that now stands', async (t) => {
  const warm = { component: 'sensor/*', gauge: 'celsius', above: { failing: 90, recovers: 70 } };
  let world = worldOf([spec()], judgementOf({ limits: HOT }));
  world = after(after(world, 1, read(seen([hot(82)]), 1)), 2, read(seen([hot(78)]), 2));
  t.equal(healthOf(world, 'sensor/1'), 'failing');
  const reload = (limits: readonly (typeof HOT)[number][] | readonly (typeof warm)[]) =>
    ({ kind: 'judgement', judgement: judgementOf({ limits }) }) as const;
  const both = [warm, ...HOT] as typeof HOT;
  world = after(world, 2, reload(both));
  t.equal(healthOf(world, 'sensor/1'), 'failing', 'moved one down');
  world = after(world, 3, read(seen([hot(74)]), 3));
  t.equal(healthOf(world, 'sensor/1'), 'ok', 'and the new limit did not take its level over');
  world = after(world, 4, read(seen([hot(82)]), 4), reload([warm]));
  t.equal(healthOf(world, 'sensor/1'), 'ok', 'a limit that is gone has no say');
});

t.test('a component that was proven late is missed in its group all the same', async (t) => {
  for (const first of [
    reading('fan/2', 'unknown'),
    reading('fan/2', 'failed', { unproven: true }),
  ]) {
    const groups = [group('fans/c', 'fans', ['fan/1', 'fan/2'])];
    let world = after(worldOf(), 1, read(seen([reading('fan/1'), first], groups), 1));
    world = after(world, 2, read(seen([reading('fan/1'), reading('fan/2')], groups), 2));
    const alone = seen([reading('fan/1')], [group('fans/c', 'fans', ['fan/1'])]);
    const booted = worldOf([spec()], judgementOf({}), restarted(world));
    for (const [when, now] of [
      ['at once', after(world, 3, read(alone, 3))],
      ['after a restart', after(booted, 1, read(alone, 1))],
    ] as const) {
      t.equal(healthOf(now, 'fan/2'), 'absent', when);
      t.same(now.groups[0]?.members, [id('fan/1'), id('fan/2')], `${first.health} ${when}`);
    }
  }
});

t.test('a second opinion that lags or is late hides no loss', async (t) => {
  const specs = [spec(), spec(OTHER, { opinion: true })];
  const two = seen(
    [reading('path/a'), reading('path/b')],
    [group('paths/w', 'paths', ['path/a', 'path/b'], { needed: 2 })],
  );
  const said = seen([reading('path/a'), reading('path/b')]);
  let world = after(worldOf(specs), 1, read(two, 1), read(said, 1, OTHER));
  t.equal(standingOf(world, 'paths/w'), 'exposed 0..0 of need 2 intrinsic');
  const one = seen([reading('path/a')], [group('paths/w', 'paths', ['path/a'], { needed: 2 })]);
  world = after(world, 2, read(one, 2));
  t.equal(healthOf(world, 'path/b'), 'absent', 'the source that decides looked and did not find');
  t.equal(standingOf(world, 'paths/w'), 'lost -1..-1 of need 2 intrinsic');
  world = after(world, 9000, read(one, 9000));
  t.equal(world.sights[1]?.state, 'stale');
  t.equal(standingOf(world, 'paths/w'), 'lost -1..-1 of need 2 intrinsic', 'the opinion is late');
  const booted = worldOf(specs, judgementOf({}), restarted(world));
  t.equal(
    standingOf(after(booted, 1, read(one, 1), read(seen([]), 1, OTHER)), 'paths/w'),
    'lost -1..-1 of need 2 intrinsic',
    'the inventory kept the path in its group',
  );
});

t.test('one source that proves a component suffices', async (t) => {
  const header = reading('fan/1', 'failed', { unproven: true });
  let world = after(worldOf([spec(), spec(OTHER)]), 1, read(seen([header]), 1));
  t.equal(world.components[0]?.unproven, true);
  world = after(world, 2, read(seen([reading('fan/1')]), 2, OTHER));
  t.equal(world.components[0]?.unproven, false);
  t.equal(restarted(world).length, 1);
});

t.test(
  'what the configuration names is not absent before those who may know it looked',
  async (t) => {
    const groups = [{ name: 'up', kind: 'links', members: ['link/x', 'link/y'], needs: 1 }];
    const specs = [spec(), spec(ELSEWHERE)];
    const link = reading('link/x', 'ok', { virtual: true });
    let world = after(worldOf(specs, judgementOf({ groups })), 1, read(NONE, 1, ELSEWHERE));
    t.equal(healthOf(world, 'link/y'), 'unknown', 'only a source of something else has answered');
    t.equal(standingOf(world, 'links/up'), 'unknown -1..1 of need 1 configured');
    world = after(world, 2, read(BLIND, 2));
    t.equal(whyOf(world, 'link/y'), 'not seen yet: test/main is blind');
    world = after(world, 3, read(seen([link]), 3));
    t.equal(healthOf(world, 'link/y'), 'absent');
    world = after(world, 4, read(BLIND, 4, ELSEWHERE));
    t.equal(healthOf(world, 'link/y'), 'absent', 'one that knows no links has no say in it');
    world = after(world, 9000, read(BLIND, 9000));
    t.equal(healthOf(world, 'link/y'), 'unknown', 'its own source no longer looks');
  },
);

t.test('forgetting what the configuration names leaves it named', async (t) => {
  const groups = [{ name: 'up', kind: 'links', members: ['link/x'], needs: 1 }];
  let world = worldOf([spec()], judgementOf({ groups }));
  world = after(world, 1, read(seen([reading('link/x')]), 1));
  world = after(world, 1, read(seen([]), 1));
  t.equal(whyOf(world, 'link/x'), 'gone');
  world = after(world, 2, { kind: 'forget', component: id('link/x') });
  t.equal(whyOf(world, 'link/x'), 'named in the configuration, not found');
  t.equal(standingOf(world, 'links/up'), 'lost -1..-1 of need 1 configured');
  world = after(world, 3, { kind: 'judgement', judgement: judgementOf({}) });
  t.equal(healthOf(world, 'link/x'), 'not there', 'until it is no longer named');
  t.same(world.groups, []);
});

t.test('what is ignored, or never was proven, takes nothing down with it', async (t) => {
  const card = reading('card/1', 'failed');
  const link = reading('link/x', 'ok', { needs: [id('card/1')] });
  let world = after(worldOf(), 1, read(seen([link, card]), 1));
  t.equal(healthOf(world, 'link/x'), 'failed');
  const ignore = { kind: 'judgement', judgement: judgementOf({ ignore: ['card/*'] }) } as const;
  world = after(world, 2, ignore);
  t.equal(healthOf(world, 'link/x'), 'ok');
  world = after(world, 3, { kind: 'judgement', judgement: judgementOf({}) });
  t.equal(healthOf(world, 'link/x'), 'failed', 'looked at again, it does');
  const empty = reading('card/1', 'failed', { unproven: true });
  t.equal(healthOf(after(worldOf(), 1, read(seen([link, empty]), 1)), 'link/x'), 'ok');
});

t.test('an ignored favourite does not make a group degraded', async (t) => {
  const members = ['gateway/a', 'gateway/b'];
  const lines = seen(
    members.map((one) => reading(one)),
    [group('gateways/d', 'gateways', members, { preference: members.map(id) })],
  );
  const world = worldOf([spec()], judgementOf({ ignore: ['gateway/a'] }));
  t.equal(after(world, 1, read(lines, 1)).groups[0]?.degraded, false);
});

const flapping = (changes: number): Observation =>
  seen([reading('link/e', 'ok', { gauges: { changes_total: changes }, flap: 'changes_total' })]);

t.test('a counter that was reset, not watched or not counted is no flapping', async (t) => {
  let world = after(worldOf(), 1000, read(flapping(100), 1000), read(flapping(3), 1000));
  t.equal(healthOf(world, 'link/e'), 'ok', 'it fell: a new device or driver');
  world = after(world, 2000, read(flapping(7), 2000));
  t.equal(healthOf(world, 'link/e'), 'ok', 'four since');
  world = after(world, 3000, read(flapping(8), 3000));
  t.equal(healthOf(world, 'link/e'), 'failing', 'five since');
  world = after(world, 3_600_000);
  world = after(world, 3_600_001, read(flapping(90), 3_600_001));
  t.equal(healthOf(world, 'link/e'), 'ok', 'an hour unseen: nobody knows when it changed');
  world = after(world, 3_600_002, read(seen([]), 3_600_002));
  world = after(world, 3_600_003, read(flapping(300), 3_600_003));
  t.equal(healthOf(world, 'link/e'), 'ok', 'gone and back: perhaps another one');
  const flaps = [{ component: 'port/*', changes: 5, withinMs: 60_000 }];
  world = after(world, 3_600_004, { kind: 'judgement', judgement: judgementOf({ flaps }) });
  t.same(world.ageing, [], 'nothing is kept of what is not counted');
  world = after(world, 3_600_005, read(flapping(400), 3_600_005));
  world = after(world, 3_600_006, { kind: 'judgement', judgement: judgementOf({}) });
  world = after(world, 3_600_007, read(flapping(401), 3_600_007));
  t.equal(healthOf(world, 'link/e'), 'ok', 'counted anew since the reload');
});

t.test('stale, then blind, then seen: each word is right, and time jumps do no harm', async (t) => {
  let world = after(worldOf(), 1000, read(seen([reading('psu/1')]), 1000));
  const history: readonly (readonly [number, Observation?])[] = [
    [1e9],
    [1e9 + 1, BLIND],
    [1e9 + 2, NONE],
    [1e9 + 3, BLIND],
    [2e9],
    [2e9 + 1, seen([reading('psu/1')])],
  ];
  const states = history.map(([at, saw]) => {
    world = after(world, at, ...(saw === undefined ? [] : [read(saw, at)]));
    return `${world.sights[0]?.state} ${healthOf(world, 'psu/1')}`;
  });
  t.same(states, [
    'stale unknown',
    'stale unknown',
    'none absent',
    'blind absent',
    'stale unknown',
    'seen ok',
  ]);
});

t.test('a group that lost all its members is lost, and gone once they are forgotten', async (t) => {
  const disks = ['disk/a', 'disk/b'];
  const mirror = seen(
    disks.map((one) => reading(one)),
    [group('mirror/m', 'mirror', disks)],
  );
  let world = after(worldOf(), 1, read(mirror, 1));
  world = after(world, 1, read(seen([]), 1));
  t.equal(standingOf(world, 'mirror/m'), 'lost -1..-1 of need 1 assumed');
  world = after(world, 2, ...disks.map((one) => ({ kind: 'forget', component: id(one) }) as const));
  t.same([world.groups, world.components], [[], []]);
});

t.test(
  'a replaced disk is a new member; the old one is missed until it is forgotten',
  async (t) => {
    const raid = (...disks: readonly string[]): Observation =>
      seen(
        disks.map((one) => reading(one)),
        [group('raid/r', 'raid5', disks, { needed: 2 })],
      );
    let world = after(worldOf(), 1, read(raid('disk/a', 'disk/b', 'disk/c'), 1));
    world = after(world, 2, read(raid('disk/a', 'disk/b', 'disk/d'), 2));
    t.equal(healthOf(world, 'disk/c'), 'absent');
    t.equal(
      standingOf(world, 'raid/r'),
      'redundant 1..1 of need 2 intrinsic',
      'and costs no margin',
    );
    world = after(world, 3, { kind: 'forget', component: id('disk/c') });
    t.equal(standingOf(world, 'raid/r'), 'redundant 1..1 of need 2 intrinsic');
    t.equal(world.groups[0]?.members.length, 3);
  },
);

t.test('advice that is about another component is other advice', async (t) => {
  const advised = (about: string): Observation => {
    const advice: Advice = { code: 'x', about: id(about), text: 'the same words' };
    return { kind: 'seen', readings: [], groups: [], advice: [advice] };
  };
  const world = after(worldOf(), 1, read(advised('fan/1'), 1));
  t.equal(after(world, 2, read(advised('fan/2'), 2)).advice[0]?.about, 'fan/2');
});

t.test('an inventory that names one component twice is refused', async (t) => {
  const world = after(worldOf(), 1, read(seen([reading('psu/1'), reading('psu/2')]), 1));
  const twice = encodeInventory(world).replaceAll('psu/2', 'psu/1');
  t.match(decodeInventory(twice), { ok: false, why: /entry 2 is there twice/u });
});
