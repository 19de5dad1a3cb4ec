/** What the core remembers: components that vanished, were never found, or are no longer seen. */
import t from 'tap';
import { decodeInventory, encodeInventory } from '../rules/inventory.ts';
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

t.test('what vanished is absent and still counted, a supply dead at boot is missed', async (t) => {
  const both = after(worldOf(), 1, read(twoPsus, 1));
  const inventory = decodeInventory(encodeInventory(both));
  t.ok(inventory.ok);
  const remembered = inventory.ok ? inventory.remembered : [];
  const booted = worldOf([spec()], judgementOf({}), remembered);
  t.equal(healthOf(booted, 'psu/2'), 'unknown', 'before the first sight nothing is known');
  t.equal(standingOf(booted, 'psus/bmc'), 'unknown -1..1 of need 1 assumed');
  const alone = seen([reading('psu/1')], [group('psus/bmc', 'psus', ['psu/1'])]);
  const world = after(booted, 1, read(alone, 1));
  t.equal(healthOf(world, 'psu/2'), 'absent');
  t.equal(standingOf(world, 'psus/bmc'), 'exposed 0..0 of need 1 assumed');
  const told = after(world, 2, { kind: 'forget', component: id('psu/2') });
  t.equal(healthOf(told, 'psu/2'), 'not there', 'until the operator says it is gone for good');
  t.equal(standingOf(told, 'psus/bmc'), 'exposed 0..0 of need 1 assumed', '1 of 1 is exposed too');
});

t.test('a source that sees nothing of its sort any more makes what it knew absent', async (t) => {
  const both = after(worldOf(), 1, read(twoPsus, 1));
  const none = after(both, 2, read({ kind: 'none', why: 'no BMC interface' }, 2));
  t.equal(healthOf(none, 'psu/1'), 'absent');
  t.equal(standingOf(none, 'psus/bmc'), 'lost -1..-1 of need 1 assumed');
});

t.test('a virtual component that is gone is forgotten', async (t) => {
  const world = after(
    worldOf(),
    1,
    read(seen([reading('link/veth0', 'ok', { virtual: true })]), 1),
  );
  t.equal(healthOf(world, 'link/veth0'), 'ok');
  t.equal(healthOf(after(world, 2, read(seen([]), 2)), 'link/veth0'), 'not there');
});

t.test('a component the configuration names is missed even if it never was there', async (t) => {
  const groups = [{ name: 'uplinks', kind: 'links', members: ['link/x', 'link/y'], needs: 1 }];
  const world = worldOf([spec()], judgementOf({ groups }));
  t.equal(healthOf(world, 'link/y'), 'unknown');
  const one = after(world, 1, read(seen([reading('link/x', 'ok', { virtual: true })]), 1));
  t.equal(healthOf(one, 'link/y'), 'absent');
  t.equal(standingOf(one, 'links/uplinks'), 'exposed 0..0 of need 1 configured');
  const none = after(one, 2, read(seen([]), 2));
  t.equal(standingOf(none, 'links/uplinks'), 'lost -1..-1 of need 1 configured');
});

t.test(
  'a blind source keeps its word until it is stale, then knows nothing; it never fails a device',
  async (t) => {
    let world = after(worldOf(), 1000, read(twoPsus, 1000));
    world = after(world, 3000, read({ kind: 'blind', why: 'BMC did not answer' }, 3000));
    t.equal(healthOf(world, 'psu/1'), 'ok');
    t.equal(world.sights[0]?.state, 'blind');
    world = after(world, 6001, read({ kind: 'blind', why: 'BMC did not answer' }, 6001));
    t.equal(healthOf(world, 'psu/1'), 'unknown');
    t.equal(whyOf(world, 'psu/1'), 'no longer seen by test/main: BMC did not answer');
    t.equal(standingOf(world, 'psus/bmc'), 'unknown -1..1 of need 1 assumed');
    t.equal(world.sights[0]?.failures, 2);
    world = after(world, 7000, read(twoPsus, 7000));
    t.equal(healthOf(world, 'psu/1'), 'ok', 'and is believed again at once');
  },
);

t.test('silence decays as blindness does', async (t) => {
  const world = after(worldOf(), 1000, read(twoPsus, 1000));
  t.equal(healthOf(after(world, 6000), 'psu/1'), 'ok', 'at the stale time');
  t.equal(healthOf(after(world, 6001), 'psu/1'), 'unknown', 'after it');
});

t.test('an unproven reading counts only for what the inventory knows', async (t) => {
  const fans = [group('fans/chip', 'fans', ['fan/1', 'fan/2', 'fan/3'])];
  const stopped = reading('fan/3', 'failed', { unproven: true });
  const first = after(
    worldOf(),
    1,
    read(seen([reading('fan/1'), reading('fan/2'), stopped], fans), 1),
  );
  t.equal(
    standingOf(first, 'fans/chip'),
    'redundant 1..1 of need 1 assumed',
    'an empty header is no fan',
  );
  const turning = after(
    first,
    2,
    read(seen([reading('fan/1'), reading('fan/2'), reading('fan/3')], fans), 2),
  );
  t.equal(standingOf(turning, 'fans/chip'), 'redundant 1..1 of need 2 assumed');
  const dead = after(
    turning,
    3,
    read(seen([reading('fan/1'), reading('fan/2'), stopped], fans), 3),
  );
  t.equal(
    standingOf(dead, 'fans/chip'),
    'exposed 0..0 of need 2 assumed',
    'a fan once seen turning is one',
  );
});
