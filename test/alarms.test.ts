/** Alarms as they rise, hold, mute and clear. Each test is one thing that must hold. */
import t from 'tap';
import { ms, type SourceId } from '../rules/model.ts';
import type { Rule } from '../rules/rule.ts';
import type { World } from '../rules/world.ts';
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
import { alarmsOf, decisionsOf, rule } from './fakes/rules.ts';

function worldWith(...rules: readonly Rule[]): World {
  return worldOf([spec()], judgementOf({ rules }));
}

const FAILED = rule('failed', 'component.health == "failed"', {
  summary: '{{component.id}} {{component.why}}',
});
const fan = (health: 'ok' | 'failed' | 'unknown', more = {}) =>
  seen([reading('fan/1', health, more)]);

t.test('an alarm rises and clears, with its values, and leaves the world', async (t) => {
  const raised = after(worldWith(FAILED), 1, read(fan('failed'), 1));
  t.same(alarmsOf(raised), ['raised failed@fan/1']);
  t.equal(raised.alarms[0]?.summary, 'fan/1 said failed');
  const [decision] = raised.decisions;
  t.equal(decision?.kind, 'alarm');
  t.same(decision?.kind === 'alarm' ? decision.because.values : {}, {
    'component.health': 'failed',
  });
  const same = after(raised, 2, read(fan('failed'), 2));
  t.equal(same.alarms, raised.alarms, 'nothing changed, nothing is copied');
  t.same(same.decisions, []);
  const cleared = after(raised, 3, read(fan('ok'), 3));
  t.same(alarmsOf(cleared), []);
  t.same(decisionsOf(cleared), ['alarm failed@fan/1 raised -> cleared']);
});

t.test('for and keepFor hold, and say when to step next', async (t) => {
  const held = rule('held', FAILED.condition, { forMs: 1000, keepForMs: 2000 });
  const pending = after(worldWith(held), 1, read(fan('failed'), 1));
  t.same(alarmsOf(pending), ['pending held@fan/1']);
  t.equal(pending.dueAt, 1001);
  t.same(alarmsOf(after(pending, 1000)), ['pending held@fan/1']);
  const raised = after(pending, 1001);
  t.same(alarmsOf(raised), ['raised held@fan/1']);
  t.equal(raised.alarms[0]?.raisedAt, 1001);
  const clearing = after(raised, 1500, read(fan('ok'), 1500));
  t.same(alarmsOf(clearing), ['clearing held@fan/1']);
  t.equal(clearing.dueAt, 3500);
  const again = after(clearing, 2000, read(fan('failed'), 2000));
  t.same(alarmsOf(again), ['raised held@fan/1']);
  t.equal(again.alarms[0]?.raisedAt, 1001, 'the same alarm');
  const ok = after(again, 2500, read(fan('ok'), 2500));
  t.same(alarmsOf(after(ok, 4499)), ['clearing held@fan/1']);
  t.same(alarmsOf(after(ok, 4500)), []);
  const short = after(pending, 500, read(fan('ok'), 500));
  t.same(alarmsOf(short), [], 'it did not hold');
});

t.test('what is not known neither raises nor clears, and its time does not count', async (t) => {
  const held = rule('held', FAILED.condition, { forMs: 1000, keepForMs: 1000 });
  const start = worldWith(held);
  t.same(alarmsOf(after(start, 1, read(fan('unknown'), 1))), []);
  const pending = after(start, 1, read(fan('failed'), 1));
  const doubt = after(pending, 500, read(fan('unknown'), 500));
  t.same(alarmsOf(after(doubt, 4000)), ['pending held@fan/1 (not known)']);
  const back = after(doubt, 4000, read(fan('failed'), 4000));
  t.same(alarmsOf(back), ['pending held@fan/1'], '499 ms of it were seen');
  t.equal(back.dueAt, 4501);
  const raised = after(back, 4501);
  t.same(alarmsOf(raised), ['raised held@fan/1']);
  const blind = after(raised, 5000, read(fan('unknown'), 5000));
  t.same(alarmsOf(after(blind, 9000)), ['raised held@fan/1 (not known)']);
  t.same(alarmsOf(after(blind, 60_000)), ['raised held@fan/1 (not known)'], 'stale as well');
});

t.test('N in T', async (t) => {
  const often = rule('often', FAILED.condition, { times: { count: 3, withinMs: 1000 } });
  let world = worldWith(often);
  const flap = (at: number): void => {
    world = after(world, at, read(fan('failed'), at));
    world = after(world, at + 1, read(fan('ok'), at + 1));
  };
  flap(100);
  flap(200);
  t.same(alarmsOf(world), ['pending often@fan/1']);
  world = after(world, 300, read(fan('failed'), 300));
  t.same(alarmsOf(world), ['raised often@fan/1']);
  world = after(world, 301, read(fan('ok'), 301));
  t.same(alarmsOf(world), []);
  flap(2000);
  flap(2600);
  flap(3100);
  t.same(alarmsOf(world), ['pending often@fan/1'], 'the first has aged out');
  t.same(alarmsOf(after(world, 4100)), [], 'and then all have');
});

t.test('what should move and stands still', async (t) => {
  const stalled = rule('stalled', 'component.gauges.busy == 1', {
    forMs: 1000,
    unchanged: 'component.gauges.ratio',
  });
  const at = (now: number, ratio: number) =>
    read(seen([reading('array/1', 'ok', { gauges: { busy: 1, ratio } })]), now);
  let world = after(worldWith(stalled), 1, at(1, 0.1));
  world = after(world, 900, at(900, 0.2));
  t.same(alarmsOf(after(world, 1500)), ['pending stalled@array/1']);
  world = after(world, 1900);
  t.same(alarmsOf(world), ['raised stalled@array/1']);
  const moving = after(world, 2000, at(2000, 0.3));
  t.same(decisionsOf(moving), [
    'alarm stalled@array/1 raised -> cleared',
    'alarm stalled@array/1 none -> pending',
  ]);
  t.same(alarmsOf(after(moving, 3000)), ['raised stalled@array/1']);
});

t.test('an alarm is muted by one that explains it, and shown', async (t) => {
  const feed = rule('feed-lost', FAILED.condition, { on: { kind: 'component', glob: 'feed/*' } });
  const stopped = rule('stopped', FAILED.condition, {
    on: { kind: 'component', glob: 'fan/*' },
    explainedBy: ['feed-lost'],
  });
  const both = (feedHealth: 'ok' | 'failed') =>
    seen([
      reading('fan/1', 'failed', { needs: [id('box/1')] }),
      reading('box/1', 'ok', { needs: [id('feed/a')] }),
      reading('feed/a', feedHealth),
      reading('fan/2', 'failed'),
    ]);
  const world = after(worldWith(stopped, feed), 1, read(both('failed'), 1));
  t.same(alarmsOf(world).toSorted(), [
    'raised feed-lost@feed/a',
    'raised stopped@fan/1 muted by feed-lost@feed/a',
    'raised stopped@fan/2',
  ]);
  const back = after(world, 2, read(both('ok'), 2));
  t.same(alarmsOf(back).toSorted(), ['raised stopped@fan/1', 'raised stopped@fan/2']);
});

t.test('groups, sources, the node, and what is ignored', async (t) => {
  const rules = [
    rule('exposed', 'group.margin.high == 0', { on: { kind: 'group', glob: '*' } }),
    rule('blind', 'source.state in ["blind", "stale"]', { on: { kind: 'source', glob: '*' } }),
    rule('late', 'node.late_seconds > 1', { on: { kind: 'node' } }),
    FAILED,
  ];
  let world = worldOf([spec()], judgementOf({ rules, ignore: ['fan/3'] }));
  const fans = (...healths: readonly ('ok' | 'failed')[]) =>
    seen(
      healths.map((health, index) => reading(`fan/${index + 1}`, health)),
      [group('fans/x', 'fans', ['fan/1', 'fan/2', 'fan/3'])],
    );
  world = after(world, 1, read(fans('ok', 'ok', 'failed'), 1));
  t.same(alarmsOf(world), [], 'the third is ignored, one of two is needed');
  world = after(world, 2, read(fans('ok', 'failed', 'failed'), 2));
  t.same(alarmsOf(world).toSorted(), ['raised exposed@fans/x', 'raised failed@fan/2']);
  world = after(world, 3, {
    kind: 'judgement',
    judgement: judgementOf({ rules, ignore: ['fan/*'] }),
  });
  t.same(alarmsOf(world), [], 'nobody counts any more');
  world = after(world, 4, read({ kind: 'blind', why: 'EACCES' }, 4));
  t.same(alarmsOf(world), ['raised blind@test/main']);
  world = after(world, 5, { kind: 'late', at: ms(5), lateMs: 3000 });
  t.same(alarmsOf(world), ['raised blind@test/main', 'raised late@node']);
  world = after(world, 65_000);
  t.same(alarmsOf(world), ['raised blind@test/main'], 'forgotten after a minute');
});

t.test('a reload changes rules and keeps what goes on', async (t) => {
  const held = rule('held', FAILED.condition, { keepForMs: 5000 });
  const world = after(worldWith(held, rule('other', FAILED.condition)), 1, read(fan('failed'), 1));
  const changed = { ...held, severity: 'critical' as const };
  const reloaded = after(world, 2, {
    kind: 'judgement',
    judgement: judgementOf({ rules: [changed] }),
  });
  t.same(alarmsOf(reloaded), ['raised held@fan/1']);
  t.equal(reloaded.alarms[0]?.severity, 'critical');
  t.equal(reloaded.alarms[0]?.raisedAt, 1);
  t.ok((reloaded.alarms[0]?.sequence ?? 0) > (world.alarms[0]?.sequence ?? 0), 'told as news');
});

t.test(
  'a subject that goes takes its alarms with it; a source that is only one of two does not',
  async (t) => {
    const two = [spec('s/a' as SourceId), spec('s/b' as SourceId)];
    const world = worldOf(two, judgementOf({ rules: [FAILED] }));
    const veth = seen([reading('link/veth1', 'failed', { virtual: true })]);
    const other = read(seen([]), 1, 's/b' as SourceId);
    const there = after(world, 1, read(veth, 1, 's/a' as SourceId), other);
    t.same(alarmsOf(there), ['raised failed@link/veth1']);
    const gone = after(there, 2, read(seen([]), 2, 's/a' as SourceId));
    t.same(alarmsOf(gone), []);
    t.same(decisionsOf(gone), ['alarm failed@link/veth1 raised -> cleared']);
  },
);
