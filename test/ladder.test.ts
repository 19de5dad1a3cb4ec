/** Ladders, guards, outcomes and undoing. Each test is one thing that must hold. */
import t from 'tap';
import type { Action, ActionId, Outcome } from '../rules/decision.ts';
import { ms } from '../rules/model.ts';
import type { Remedy, Rule } from '../rules/rule.ts';
import type { Input, World } from '../rules/world.ts';
import { after, judgementOf, read, reading, seen, spec, worldOf } from './fakes/readings.ts';
import { alarmsOf, decisionsOf, NOTIFY, remedy, rule } from './fakes/rules.ts';

const RUN = (name: string, more: Partial<Remedy> = {}): Remedy =>
  remedy({ kind: 'run', argv: [`/bin/${name}`, '$subject'] }, more);
const SHED: Remedy = remedy({ kind: 'shed-power', knobs: ['governor'] });

function fanWorld(ladder: readonly Remedy[], more: Partial<Rule> = {}): World {
  const failed = rule('failed', 'component.health == "failed"', { ladder, ...more });
  return worldOf([spec(undefined, { staleMs: 1_000_000 })], judgementOf({ rules: [failed] }));
}

const fails = (at: number, ...names: readonly string[]): Input =>
  read(seen((names.length === 0 ? ['fan/1'] : names).map((name) => reading(name, 'failed'))), at);
const mends = (at: number): Input => read(seen([reading('fan/1')]), at);

function orders(world: World): readonly Action[] {
  return world.decisions.flatMap((one) => (one.kind === 'action' ? [one.action] : []));
}

function outcome(action: ActionId | undefined, at: number, result: Outcome['result']): Input {
  return {
    kind: 'outcome',
    action: action ?? ('none' as ActionId),
    at: ms(at),
    outcome: { result, evidence: 'seen', before: { governor: 'performance' } },
  };
}

t.test('rung by rung: outcome, settle, then the next', async (t) => {
  let world = after(fanWorld([NOTIFY, RUN('a'), RUN('b')]), 1, fails(1));
  t.same(decisionsOf(world).slice(-2), ['action notify', 'action run'], 'telling holds nothing up');
  const [, first] = orders(world);
  t.same(first?.order, { kind: 'run', argv: ['/bin/a', 'fan/1'] });
  t.equal(first?.because.text, 'failed');
  t.same(first?.because.values, { 'component.health': 'failed' });
  t.same(world.alarms[0]?.rung, { kind: 'acting', index: 1, action: first?.id });
  world = after(world, 10, outcome(first?.id, 10, 'verified'));
  t.same(world.alarms[0]?.rung, { kind: 'settling', index: 1, until: 1010 });
  t.same(orders(after(world, 1009)), []);
  world = after(world, 1010);
  t.same(orders(world)[0]?.order, { kind: 'run', argv: ['/bin/b', 'fan/1'] });
  world = after(world, 1011, outcome(orders(world)[0]?.id, 1011, 'refuted'));
  t.same(world.alarms[0]?.rung, { kind: 'exhausted' }, 'a refuted one does not settle');
});

t.test('no outcome by the deadline is unknown, and unknown is given its time', async (t) => {
  let world = after(fanWorld([RUN('a'), RUN('b')]), 1, fails(1));
  t.equal(world.dueAt, 5001);
  world = after(world, 5001);
  t.same(decisionsOf(world), ['outcome unknown']);
  t.same(world.actions, []);
  t.same(world.alarms[0]?.rung, { kind: 'settling', index: 0, until: 6001 });
  world = after(world, 6001);
  t.equal(orders(world).length, 1);
  const late = after(world, 6002, outcome('node-1' as ActionId, 6002, 'verified'));
  t.same(decisionsOf(late), ['outcome verified'], 'written down, and nothing follows from it');
});

t.test('what was done is undone when the alarm clears, latest first', async (t) => {
  let world = after(fanWorld([NOTIFY, SHED]), 1, fails(1));
  const [told, shed] = orders(world);
  world = after(world, 2, outcome(told?.id, 2, 'verified'), outcome(shed?.id, 2, 'verified'));
  world = after(world, 3, mends(3));
  t.same(
    orders(world).map(({ order }) =>
      order.kind === 'undo' ? [order.deed.kind, order.before] : [],
    ),
    [
      ['shed-power', { governor: 'performance' }],
      ['notify', { governor: 'performance' }],
    ],
  );
});

t.test(
  'an alarm that cleared while its remedy ran takes it back when the outcome comes',
  async (t) => {
    let world = after(fanWorld([SHED]), 1, fails(1));
    const [shed] = orders(world);
    world = after(world, 2, mends(2));
    t.same(orders(world), []);
    const verified = after(world, 3, outcome(shed?.id, 3, 'verified'));
    t.same(
      orders(verified).map(({ order }) => order.kind),
      ['undo'],
    );
    t.same(orders(after(world, 3, outcome(shed?.id, 3, 'refuted'))), []);
    t.same(
      orders(after(world, 5001)).map(({ order }) => order.kind),
      ['undo'],
      'it may have been done',
    );
  },
);

t.test('power shed for two alarms is given back after the second', async (t) => {
  let world = after(fanWorld([SHED]), 1, fails(1, 'fan/1', 'fan/2'));
  t.same(decisionsOf(world).slice(-2), ['action shed-power', 'refusal shed-power by busy']);
  world = after(world, 2, outcome(orders(world)[0]?.id, 2, 'verified'));
  world = after(world, 3, outcome(orders(world)[0]?.id, 3, 'verified'));
  t.equal(world.alarms.flatMap((alarm) => alarm.undo).length, 2);
  world = after(world, 4, read(seen([reading('fan/1'), reading('fan/2', 'failed')]), 4));
  t.same(orders(world), [], 'the other alarm still wants it');
  world = after(world, 5, read(seen([reading('fan/1'), reading('fan/2')]), 5));
  t.equal(orders(world).length, 2);
});

t.test('the budget is counted across alarms that come back', async (t) => {
  const once = RUN('a', { budget: { count: 1, withinMs: 10_000 } });
  let world = after(fanWorld([once]), 1, fails(1));
  world = after(world, 2, outcome(orders(world)[0]?.id, 2, 'verified'), mends(2));
  world = after(world, 3, fails(3));
  t.same(decisionsOf(world).slice(-1), ['refusal run by budget']);
  t.same(decisionsOf(after(world, 4, fails(4))), [], 'said once');
  t.equal(world.dueAt, 10_001);
  world = after(world, 10_001);
  t.same(orders(world).length, 1, 'asked again when the time is over');
  const two = fanWorld([once, RUN('b')]);
  let next = after(two, 1, fails(1));
  next = after(next, 2, outcome(orders(next)[0]?.id, 2, 'verified'), mends(2));
  next = after(next, 3, fails(3));
  t.same(
    decisionsOf(next).slice(-2),
    ['refusal run by budget', 'action run'],
    'on to the next rung',
  );
});

t.test('guards refuse, once, and are asked again', async (t) => {
  const lease = {
    owner: 'ann',
    reason: 'new fans',
    scope: 'fan/*',
    startedAt: ms(0),
    endsAt: ms(1000),
  };
  const held: World = { ...fanWorld([RUN('a')]), maintenance: [lease] };
  let world = after(held, 1, fails(1));
  t.same(decisionsOf(world).slice(-1), ['refusal run by maintenance']);
  t.same(decisionsOf(after(world, 2, fails(2))), []);
  world = after({ ...world, maintenance: [] }, 3);
  t.same(decisionsOf(world), ['action run'], 'the lease ended');

  world = after(fanWorld([RUN('a')], { mode: 'shadow' }), 1, fails(1));
  t.same(decisionsOf(world).slice(-1), ['refusal run by shadow']);
  t.equal(world.alarms[0]?.shadow, true);

  world = after(fanWorld([remedy({ kind: 'handover', hierarchy: 'db' }), NOTIFY]), 1, fails(1));
  t.same(decisionsOf(world).slice(-2), ['refusal handover by no-cluster', 'action notify']);
  world = after(fanWorld([remedy({ kind: 'fence', node: 'b' })]), 1, fails(1));
  t.same(decisionsOf(world).slice(-1), ['refusal fence by no-cluster']);

  world = after(
    fanWorld([NOTIFY, RUN('a')]),
    1,
    { kind: 'late', at: ms(1), lateMs: 1500 },
    fails(1),
  );
  t.same(decisionsOf(world).slice(-2), ['action notify', 'refusal run by self-late']);
  t.same(
    decisionsOf(after(world, 10_001)).slice(-1),
    ['action run'],
    'and then it is trusted again',
  );
});

t.test('a storm of faults orders a bounded number of remedies, and still tells', async (t) => {
  const names = Array.from({ length: 60 }, (_, index) => `fan/${index}`);
  const world = after(fanWorld([NOTIFY, RUN('a')]), 1, fails(1, ...names));
  t.equal(
    world.decisions.filter((one) => one.kind === 'refusal' && one.guard === 'storm').length,
    40,
  );
  const kinds = orders(world).map(({ order }) => order.kind);
  t.equal(kinds.filter((kind) => kind === 'run').length, 20);
  t.equal(kinds.filter((kind) => kind === 'notify').length, 60);
});

t.test('nothing is ordered for an alarm that is muted or no longer known to hold', async (t) => {
  const run = RUN('a', { settleMs: 100 });
  let world = after(fanWorld([run, RUN('b')]), 1, fails(1));
  world = after(world, 2, outcome(orders(world)[0]?.id, 2, 'verified'));
  world = after(world, 3, read(seen([reading('fan/1', 'unknown')]), 3));
  t.same(alarmsOf(after(world, 500)), ['raised failed@fan/1 (not known)']);
  t.same(orders(after(world, 500)), []);
  t.same(orders(after(world, 500, fails(500))).length, 1, 'it is known again');
});

t.test('names of actions are never used twice', async (t) => {
  const world = after(fanWorld([NOTIFY, RUN('a')]), 1, fails(1, 'fan/1', 'fan/2'));
  const ids = orders(world).map((action) => action.id);
  t.equal(new Set(ids).size, ids.length);
});
