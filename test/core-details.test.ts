/** Small promises of the core, each of which could be broken without any other test noticing. */
import t from 'tap';
import { decodeInventory, encodeInventory, INVENTORY_MAX } from '../rules/inventory.ts';
import type { Observation, Reading, SourceId } from '../rules/model.ts';
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
  worldOf,
} from './fakes/readings.ts';

const PATHS = ['path/a', 'path/b', 'path/c', 'path/d'];

t.test('of several lines that match the last one counts', async (t) => {
  const paths = seen(
    PATHS.map((one) => reading(one)),
    [group('paths/w', 'paths', PATHS)],
  );
  const needs = [
    { group: 'paths/*', needs: 2 },
    { group: 'paths/w', needs: 3 },
  ];
  const world = after(worldOf([spec()], judgementOf({ needs })), 1, read(paths, 1));
  t.equal(standingOf(world, 'paths/w'), 'redundant 1..1 of need 3 configured');
  const flaps = [
    { component: 'link/*', changes: 1, withinMs: 1000 },
    { component: 'link/e', changes: 9, withinMs: 1000 },
  ];
  const link = (changes_total: number): Observation =>
    seen([reading('link/e', 'ok', { gauges: { changes_total }, flap: 'changes_total' })]);
  const quiet = after(worldOf([spec()], judgementOf({ flaps })), 1, read(link(0), 1));
  t.equal(healthOf(after(quiet, 2, read(link(8), 2)), 'link/e'), 'ok');
});

t.test('a group that works is never lost to what might fail', async (t) => {
  const needs = [id('card/1')];
  const paths = seen(
    PATHS.map((one) => reading(one, 'ok', { needs })),
    [group('paths/w', 'paths', PATHS, { needed: 2 })],
  );
  const world = after(worldOf(), 1, read(paths, 1));
  t.equal(standingOf(world, 'paths/w'), 'exposed 0..0 of need 2 intrinsic by card/1');
});

t.test('a margin that shrinks within its word is no news of the group', async (t) => {
  const paths = (last: Reading): Observation =>
    seen([...PATHS.slice(1).map((one) => reading(one)), last], [group('paths/w', 'paths', PATHS)]);
  const before = after(worldOf(), 1, read(paths(reading('path/a')), 1));
  const world = after(before, 2, read(paths(reading('path/a', 'failed')), 2));
  t.equal(standingOf(world, 'paths/w'), 'redundant 2..2 of need 1 assumed');
  t.equal(world.groups[0]?.since, 1);
});

t.test('of two dependencies that limit alike the first by name is the culprit', async (t) => {
  const needs = [id('card/2'), id('card/1')];
  const paths = seen(
    PATHS.map((one) => reading(one, 'ok', { needs })),
    [group('paths/w', 'paths', PATHS)],
  );
  const world = after(worldOf(), 1, read(paths, 1));
  t.equal(world.groups[0]?.margin.limitedBy, 'card/1');
});

t.test('since: when the word last changed, not when it was last said', async (t) => {
  const psus = (first: Reading): Observation =>
    seen([first, reading('psu/2')], [group('psus/b', 'psus', ['psu/1', 'psu/2'])]);
  const blind: Observation = { kind: 'blind', why: 'no answer' };
  let world = after(worldOf(), 1000, read(psus(reading('psu/1', 'failed')), 1000));
  const hotter = reading('psu/1', 'failed', { gauges: { celsius: 40 } });
  world = after(world, 2000, read(psus(hotter), 2000));
  const times = () => [world.components[0]?.since, world.groups[0]?.since, world.sights[0]?.since];
  t.same(times(), [1000, 1000, 1000]);
  world = after(world, 3000, read(psus(reading('psu/1')), 3000));
  t.same(times(), [3000, 3000, 1000]);
  world = after(world, 9000);
  world = after(world, 9500, read(blind, 9500));
  t.same(times(), [9000, 9000, 9000], 'blindness is no other word for stale');
  t.equal(world.sights[0]?.state, 'stale');
});

t.test('what is counted is bounded', async (t) => {
  const flaps = [{ component: 'link/*', changes: 5, withinMs: 1e9 }];
  let world = worldOf([spec()], judgementOf({ flaps }));
  for (let count = 0; count < 200; count += 1) {
    const gauges = { changes_total: count };
    const link = seen([reading('link/e', 'ok', { gauges, flap: 'changes_total' })]);
    world = after(world, count, read(link, count));
  }
  t.equal(world.slots[0]?.memory.flaps.length, 64);
  t.equal(healthOf(world, 'link/e'), 'failing');
});

t.test('a need that the configuration adds takes its dependents down', async (t) => {
  const dependencies = [{ component: 'path/*', needs: [id('card/1')] }];
  const both = seen([reading('path/a'), reading('fan/1'), reading('card/1', 'failed')]);
  const world = after(worldOf([spec()], judgementOf({ dependencies })), 1, read(both, 1));
  t.equal(healthOf(world, 'path/a'), 'failed');
  t.equal(healthOf(world, 'fan/1'), 'ok');
});

t.test('two sources add up: facts and needs of both, the first has the word', async (t) => {
  const other = 'test/other' as SourceId;
  const one = reading('path/a', 'ok', { facts: { a: 'one', b: 'one' }, needs: [id('x/1')] });
  const two = reading('path/a', 'ok', { facts: { b: 'two', c: 'two' }, needs: [id('x/2')] });
  let world = after(worldOf([spec(), spec(other)]), 1, read(seen([two]), 1, other));
  world = after(world, 2, read(seen([one]), 2));
  t.same(world.components[0]?.facts, { a: 'one', b: 'one', c: 'two' });
  t.same(world.components[0]?.needs, ['x/1', 'x/2']);
});

t.test('what is kept: all that was known for certain, and its intrinsic need', async (t) => {
  const raid = seen(
    [...PATHS.map((one) => reading(one)), reading('path/e', 'unknown')],
    [group('raid/r', 'raid', PATHS, { needed: 3 })],
  );
  const world = after(worldOf(), 1, read(raid, 1));
  t.equal(world.inventoryVersion, worldOf().inventoryVersion + 1, 'to be written');
  t.equal(after(world, 2, read(raid, 2)).inventoryVersion, world.inventoryVersion, 'and not again');
  const text = encodeInventory(world);
  const inventory = decodeInventory(text);
  t.ok(inventory.ok);
  if (!inventory.ok) return;
  t.same(
    inventory.remembered.map((one) => one.id),
    PATHS,
    'what was never known is not',
  );
  const booted = worldOf([spec()], judgementOf({}), inventory.remembered);
  t.equal(standingOf(booted, 'raid/r'), 'unknown -3..1 of need 3 intrinsic');
  t.match(decodeInventory(text.replace('"needed": 3', '"needed": 2.5')), { ok: false });
});

t.test('an inventory beyond its bound is cut when written and refused when read', async (t) => {
  const count = INVENTORY_MAX + 1;
  const all = Array.from({ length: count }, (_, index) => reading(`fan/${index}`));
  const text = encodeInventory(after(worldOf(), 1, read(seen(all), 1)));
  const inventory = decodeInventory(text);
  t.equal(inventory.ok && inventory.remembered.length, INVENTORY_MAX);
  const [first] = inventory.ok ? inventory.remembered : [];
  const more = text.replace(
    '"remembered": [',
    `"remembered": [${JSON.stringify({ ...first, id: 'fan/more' })},`,
  );
  t.match(decodeInventory(more), { ok: false, why: /at most/u });
});
