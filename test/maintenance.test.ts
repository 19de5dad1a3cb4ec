/** Maintenance leases in the core: who holds back what, since when, and that it ends by itself. */
import t from 'tap';
import { LEASE_MS_MAX, LEASES_MAX, leaseOver } from '../rules/maintenance.ts';
import { ms } from '../rules/model.ts';
import type { Input, World } from '../rules/world.ts';
import { after, worldOf } from './fakes/readings.ts';

function begin(at: number, forMs: number, scope = '*', reason = 'new disk'): Input {
  const lease = { owner: 'root', reason, scope };
  return { kind: 'word', at: ms(at), word: { kind: 'maintain', lease, forMs } };
}

function end(at: number, scope: string): Input {
  return { kind: 'word', at: ms(at), word: { kind: 'end-maintenance', scope, by: 'anna' } };
}

function changes(world: World): readonly string[] {
  return world.decisions.flatMap((one) =>
    one.kind === 'maintenance'
      ? [`${one.change} ${one.lease.scope}${one.by === undefined ? '' : ` by ${one.by}`}`]
      : [],
  );
}

t.test('a lease begins, is due, and ends by itself', async (t) => {
  let world = after(worldOf(), 1000, begin(1000, 5000));
  t.same(changes(world), ['begun *']);
  t.equal(world.dueAt, 6000);
  t.equal(world.maintenance[0]?.startedAt, 1000);
  world = after(world, 5999);
  t.same([changes(world), world.maintenance.length], [[], 1]);
  world = after(world, 6000);
  t.same([changes(world), world.maintenance, world.dueAt], [['ended *'], [], undefined]);
});

t.test('beginning again renews, an operator may end it, another scope stays', async (t) => {
  let world = after(worldOf(), 1000, begin(1000, 5000), begin(1000, 9000, 'service/db'));
  world = after(world, 2000, begin(2000, 5000, '*', 'still at it'));
  t.same(
    world.maintenance.map(({ scope, reason, endsAt }) => [scope, reason, endsAt]),
    [
      ['service/db', 'new disk', 10_000],
      ['*', 'still at it', 7000],
    ],
  );
  world = after(world, 3000, end(3000, '*'), end(3000, 'never/begun'));
  t.same(changes(world), ['ended * by anna']);
  t.same(
    world.maintenance.map((one) => one.scope),
    ['service/db'],
  );
});

t.test('neither endless nor countless', async (t) => {
  let world = after(worldOf(), 1000, begin(1000, Number.MAX_VALUE), begin(1000, -1, 'psu/*'));
  t.same(
    world.maintenance.map((one) => one.endsAt),
    [1000 + LEASE_MS_MAX],
  );
  const many = Array.from({ length: LEASES_MAX + 5 }, (_, i) => begin(2000, 9000, `service/s${i}`));
  world = after(world, 2000, ...many);
  t.equal(world.maintenance.length, LEASES_MAX);
});

t.test('a scope holds back what its glob names', async (t) => {
  const world = after(worldOf(), 1000, begin(1000, 5000, 'service/db*', 'upgrade'));
  t.equal(leaseOver(world.maintenance, ['service/web', 'service/db1'])?.reason, 'upgrade');
  t.equal(leaseOver(world.maintenance, ['service/web']), undefined);
  const node = after(worldOf(), 1000, begin(1000, 5000, '*'));
  t.ok(leaseOver(node.maintenance, []), 'the node holds back what names nothing');
});
