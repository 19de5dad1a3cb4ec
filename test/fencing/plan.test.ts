/**
 * Plans carried out against made devices whose relays are the judge: whatever devices do, how late they
 * answer and what is heard of the node, success is said only when all its feeds were off at one instant
 * and stayed so (S8, S9), nothing goes on before that, and a sign of life takes it back.
 */
import fc from 'fast-check';
import t from 'tap';
import { nextFence, startFence } from '../../fencing/fence.ts';
import type { Fence, FenceCommand, FenceEvent, FenceWant } from '../../fencing/fence-state.ts';
import { LIFE_GRACE_MS } from '../../fencing/fence-state.ts';
import { byDevice, type PowerPlan, planOf } from '../../fencing/plan.ts';
import type { OutletReply, OutletState, SwitchReply } from '../../fencing/reply.ts';
import { type Ms, ms } from '../../rules/model.ts';

interface Behaviour {
  readonly device: string;
  readonly level: number;
  readonly is: 'good' | 'stuck' | 'blind' | 'silent' | 'liar' | 'returns';
  /** From the order to the relay. */
  readonly delayMs: number;
  /** From a question to its answer. */
  readonly hopMs: number;
  /** `returns`: from off to on again. */
  readonly backMs: number;
}

interface World {
  readonly plan: PowerPlan;
  readonly devices: ReadonlyMap<string, Behaviour>;
  /** When the relay of a device opened and closed again. */
  readonly openedAt: Map<string, number>;
  readonly closedAt: Map<string, number>;
}

const DISCHARGE_MS = 5000;
const ORDER_MS = 10_000;

/** The truth: no current flows through the device's outlet at this time. */
function isOff({ openedAt, closedAt }: World, device: string, at: number): boolean {
  const opened = openedAt.get(device);
  const closed = closedAt.get(device);
  return opened !== undefined && opened <= at && (closed === undefined || closed > at);
}

function shown(world: World, { device, is }: Behaviour, at: number): OutletState {
  if (is === 'blind') return 'unknown';
  if (is === 'liar') return 'off';
  return isOff(world, device, at) ? 'off' : 'on';
}

/** What a device answers to a command, and when. Undefined: never. */
function answered(
  world: World,
  command: FenceCommand,
  now: number,
): [number, SwitchReply] | undefined {
  const one = world.devices.get(command.device);
  if (one === undefined || one.is === 'silent') return undefined;
  const { openedAt, closedAt } = world;
  let at = now + one.hopMs;
  if (command.want === 'on' && one.is !== 'liar') closedAt.set(one.device, now);
  if (command.want === 'off' && (one.is === 'good' || one.is === 'returns')) {
    if (!isOff(world, one.device, at)) {
      openedAt.set(one.device, at + one.delayMs);
      closedAt.delete(one.device);
      if (one.is === 'returns') closedAt.set(one.device, at + one.delayMs + one.backMs);
    }
    at += one.delayMs + one.hopMs;
  } else if (command.want === 'off' && one.is !== 'liar') at += ORDER_MS;
  const from = at - one.hopMs / 2;
  const outlets = command.outlets.map(({ id }): OutletReply => {
    const state = shown(world, one, from);
    return { outlet: id, state, why: one.is, from: ms(from), to: ms(at) };
  });
  return [at, { outlets, ordered: command.want !== 'read' }];
}

interface Told {
  readonly at: number;
  readonly event: FenceEvent;
}

interface End {
  readonly fence: Fence;
  readonly endedAt: number;
  readonly commands: readonly (FenceCommand & { readonly at: number; readonly proven: boolean })[];
  /** When success was first said. */
  readonly saidAt: number | undefined;
}

/** Plays a fence to its end, and what is told to it later. */
function playFence(world: World, want: FenceWant, lives: readonly number[]): End {
  const start = ms(1000);
  let turn = startFence(world.plan, want, start, 60_000);
  let now: number = start;
  let saidAt: number | undefined;
  const queue: Told[] = lives.map((at) => ({
    at: start + at,
    event: { kind: 'life', node: world.plan.node, at: ms(start + at) },
  }));
  const commands: End['commands'][number][] = [];
  for (let count = 0; count < 500; count += 1) {
    for (const command of turn.commands) {
      commands.push({ ...command, at: now, proven: turn.fence.outcome.kind === 'off' });
      const answer = answered(world, command, now);
      if (answer === undefined) continue;
      const [at, reply] = answer;
      queue.push({ at, event: { kind: 'reply', id: command.id, reply } });
    }
    if (turn.fence.outcome.kind === 'off') saidAt ??= now;
    queue.sort((a, b) => a.at - b.at);
    const [next] = queue;
    const wake = turn.wakeAt;
    if (next === undefined && wake === undefined) {
      return { fence: turn.fence, endedAt: now, commands, saidAt };
    }
    if (next !== undefined && (wake === undefined || next.at <= wake)) {
      queue.shift();
      now = Math.max(now, next.at);
      turn = nextFence(turn.fence, next.event, ms(now));
    } else {
      now = Math.max(now, wake ?? now);
      turn = nextFence(turn.fence, { kind: 'tick' }, ms(now));
    }
  }
  throw new Error('the fence does not end');
}

function makeWorld(behaviours: readonly Behaviour[]): World {
  const devices = new Map(behaviours.map((one) => [one.device, one]));
  const facts = new Map(behaviours.map(({ device }) => [device, { proves: true, fallsWith: [] }]));
  const feeds = behaviours.map(({ device, level }, at) => ({
    supply: level === 1 ? `psu${at}` : 'all',
    switch: device,
    outlet: '1',
    level,
  }));
  const source = { node: 'db2', feeds, dischargeMs: DISCHARGE_MS, unverifiedAllowed: false };
  return { plan: planOf(source, facts, true), devices, openedAt: new Map(), closedAt: new Map() };
}

function good(device: string, level = 1, more: Partial<Behaviour> = {}): Behaviour {
  return { device, level, is: 'good', delayMs: 100, hopMs: 4, backMs: 0, ...more };
}

t.test('two feeds on two devices', async (t) => {
  const world = makeWorld([good('a'), good('b', 1, { delayMs: 2000 })]);
  const { fence, commands, saidAt = 0 } = playFence(world, 'reboot', []);
  t.match(fence.outcome, { kind: 'off', level: 1 });
  t.equal(fence.restored, 'yes');
  t.same(
    commands.map(({ device, want }) => `${want} ${device}`),
    ['off a', 'off b', 'read a', 'read b', 'read a', 'read b', 'on a', 'on b'],
    'off at both, seen at one instant, seen again after the discharge time, then on',
  );
  const off = fence.offAt ?? 0;
  t.ok(saidAt >= off + DISCHARGE_MS);
  const on = commands.find(({ want }) => want === 'on');
  t.ok((on?.at ?? 0) >= off + DISCHARGE_MS, 'nothing goes on before');
});

t.test('two outlets of one device, read in one answer, need no second look', async (t) => {
  const behaviour = good('a');
  const facts = new Map([['a', { proves: true, fallsWith: [] }]]);
  const feeds = ['1', '2'].map((outlet) => ({
    supply: `psu${outlet}`,
    switch: 'a',
    outlet,
    level: 1,
  }));
  const source = { node: 'db2', feeds, dischargeMs: 1000, unverifiedAllowed: false };
  const plan = planOf(source, facts, true);
  t.same([...byDevice(plan.levels[0]?.feeds ?? [])], [['a', [{ id: '1' }, { id: '2' }]]]);
  const world: World = {
    plan,
    devices: new Map([['a', behaviour]]),
    openedAt: new Map(),
    closedAt: new Map(),
  };
  const { fence, commands } = playFence(world, 'off', []);
  t.match(fence.outcome, { kind: 'off' });
  t.same(
    commands.map(({ want }) => want),
    ['off', 'read'],
  );
});

t.test('partial failure fails the level, and the next one is tried', async (t) => {
  const stuck = makeWorld([good('a'), good('b', 1, { is: 'stuck' })]);
  const alone = playFence(stuck, 'reboot', []);
  t.match(alone.fence.outcome, {
    kind: 'failed',
    why: /level 1: b 1 is on \(stuck\); no level is left/u,
  });
  t.notOk(
    alone.commands.some(({ want }) => want === 'on'),
    'and nothing goes on again',
  );
  const second = makeWorld([good('a'), good('b', 1, { is: 'stuck' }), good('c', 2)]);
  const both = playFence(second, 'reboot', []);
  t.match(both.fence.outcome, { kind: 'off', level: 2 });
  t.same(
    both.commands.filter(({ want }) => want === 'on').map(({ device }) => device),
    ['a', 'b', 'c'],
    'what the first level cut goes on too',
  );
});

t.test('unknown is not off, and neither is silence', async (t) => {
  for (const is of ['blind', 'silent'] as const) {
    const { fence } = playFence(makeWorld([good('a'), good('b', 1, { is })]), 'off', []);
    t.equal(fence.outcome.kind, 'failed', is);
  }
});

t.test('off after on again is seen', async (t) => {
  for (const backMs of [1, 500, 4000]) {
    const world = makeWorld([good('a'), good('b', 1, { is: 'returns', backMs, delayMs: 700 })]);
    const { fence } = playFence(world, 'off', []);
    t.equal(fence.outcome.kind, 'failed', `on again after ${backMs} ms`);
  }
});

t.test('a sign of life', async (t) => {
  const world = (): World => makeWorld([good('a', 1, { is: 'liar' })]);
  t.match(playFence(world(), 'off', []).fence.outcome, { kind: 'off' }, 'nothing tells the lie');
  const during = playFence(world(), 'off', [3000]).fence;
  t.match(during.outcome, { kind: 'failed', why: /sign of life/u }, 'before the proof is complete');
  const after = playFence(world(), 'off', [30_000]).fence;
  t.match(after.outcome, { kind: 'refuted', why: /sign of life/u }, 'after it');
  const early = playFence(world(), 'off', [0]).fence;
  t.match(early.outcome, { kind: 'off' }, 'what was under way says nothing');
  const reborn = playFence(makeWorld([good('a')]), 'reboot', [20_000]).fence;
  t.match(reborn, { outcome: { kind: 'off' }, restored: 'yes' }, 'after on it is welcome');
});

t.test('what cannot be switched on again was fenced all the same', async (t) => {
  const world = makeWorld([good('a')]);
  const turn = startFence(world.plan, 'reboot', ms(0), 60_000);
  let { fence } = turn;
  const reply = (state: OutletState, at: number, id: number): FenceEvent => ({
    kind: 'reply',
    id,
    reply: { outlets: [{ outlet: '1', state, why: 'x', from: ms(at), to: ms(at) }], ordered: true },
  });
  ({ fence } = nextFence(fence, reply('off', 10, 1), ms(10)));
  ({ fence } = nextFence(fence, { kind: 'tick' }, ms(5010)));
  ({ fence } = nextFence(fence, reply('off', 5011, 2), ms(5012)));
  t.equal(fence.phase, 'restoring');
  const dark = nextFence(fence, reply('unknown', 6000, 3), ms(6000)).fence;
  t.match(dark, { phase: 'done', outcome: { kind: 'off' }, restored: { failed: /unknown/u } });
  const late = nextFence(fence, { kind: 'tick' }, ms(60_000)).fence;
  t.match(late, { phase: 'done', outcome: { kind: 'off' }, restored: { failed: /deadline/u } });
});

t.test('levels that prove nothing', async (t) => {
  const source = {
    node: 'db2',
    feeds: [
      { supply: 'psu1', switch: 'rcd', outlet: '1', level: 1 },
      { supply: 'psu1', switch: 'bmc', outlet: '1', level: 2 },
    ],
    dischargeMs: 0,
    unverifiedAllowed: false,
  };
  const facts = new Map([
    ['rcd', { proves: false, fallsWith: [] }],
    ['bmc', { proves: true, fallsWith: ['db2'] }],
  ]);
  const { fence, commands } = startFence(planOf(source, facts, true), 'off', ms(0), 1000);
  t.match(fence.whys, [/level 1: nothing proves that psu1 is off/u]);
  t.match(commands, [{ device: 'bmc', want: 'off' }], 'a device without proof is not asked alone');
  const unknown = startFence(planOf(source, new Map(), true), 'off', ms(0), 1000);
  t.match(unknown.fence.outcome, { kind: 'failed' }, 'devices that nobody knows prove nothing');
});

const behaviour = (device: string, level: number): fc.Arbitrary<Behaviour> =>
  fc.record({
    device: fc.constant(device),
    level: fc.constant(level),
    is: fc.constantFrom('good', 'good', 'good', 'stuck', 'blind', 'silent', 'liar', 'returns'),
    delayMs: fc.integer({ min: 0, max: 8000 }),
    hopMs: fc.integer({ min: 0, max: 300 }),
    backMs: fc.integer({ min: 0, max: 12_000 }),
  }) as fc.Arbitrary<Behaviour>;

const worlds = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 1 }))
  .chain(([first, second]) =>
    fc.tuple(
      ...Array.from({ length: first }, (_, at) => behaviour(`pdu${at}`, 1)),
      ...Array.from({ length: second }, () => behaviour('bmc', 2)),
    ),
  );

/** From the one time to just before the other every feed of the level was off. */
function darkFrom(world: World, level: number, from: number, to: number): boolean {
  const feeds = world.plan.levels.find((one) => one.level === level)?.feeds ?? [];
  const moments = [from, ...world.openedAt.values(), ...world.closedAt.values()];
  return moments
    .filter((at) => at >= from && at < to)
    .every((at) => feeds.every(({ device }) => isOff(world, device, at)));
}

t.test('S8, S9: success is physical, for every device, delay and order of answers', async (t) => {
  fc.assert(
    fc.property(worlds, fc.constantFrom('off', 'reboot'), (behaviours, want) => {
      const world = makeWorld(behaviours);
      const { fence, commands, saidAt } = playFence(world, want as FenceWant, []);
      if (commands.some((one) => one.want === 'on' && !one.proven))
        throw new Error('on before off');
      if (fence.outcome.kind !== 'off') return;
      const { at, level } = fence.outcome;
      const own = behaviours.filter((one) => one.level === level);
      if (own.some(({ is }) => is === 'stuck' || is === 'blind' || is === 'silent')) {
        throw new Error('success with a feed that is not off');
      }
      if (own.some(({ is }) => is === 'liar')) return;
      if (!darkFrom(world, level, at, at + DISCHARGE_MS)) throw new Error('not dark throughout');
      if ((saidAt ?? 0) < at + DISCHARGE_MS) throw new Error('said too early');
    }),
    { numRuns: 1500 },
  );
  t.pass();
});

t.test('S8: a fresh sign of life leaves no success standing', async (t) => {
  fc.assert(
    fc.property(worlds, fc.integer({ min: 0, max: 90_000 }), (behaviours, lifeMs) => {
      const quiet = playFence(makeWorld(behaviours), 'off', []).fence;
      const { fence } = playFence(makeWorld(behaviours), 'off', [lifeMs]);
      if (fence.outcome.kind !== 'off' || quiet.outcome.kind !== 'off') return;
      if (1000 + lifeMs > fence.outcome.at + LIFE_GRACE_MS) throw new Error('the sign was ignored');
    }),
    { numRuns: 800 },
  );
  t.pass();
});

t.test('every fence ends by its deadline', async (t) => {
  fc.assert(
    fc.property(worlds, (behaviours) => {
      const { fence, endedAt } = playFence(makeWorld(behaviours), 'reboot', []);
      if (fence.phase !== 'done') throw new Error('not done');
      if (endedAt > 61_000 + 20_000) throw new Error(`ended at ${endedAt}`);
    }),
    { numRuns: 300 },
  );
  t.pass();
});

t.test('answers to what is not asked any more prove nothing', async (t) => {
  const world = makeWorld([good('a'), good('b')]);
  const { fence } = startFence(world.plan, 'off', ms(0), 1000);
  const off: SwitchReply = {
    outlets: [{ outlet: '1', state: 'off', why: 'x', from: ms(0), to: ms(0) }],
    ordered: true,
  };
  const stray = nextFence(fence, { kind: 'reply', id: 99, reply: off }, ms(1));
  t.same(stray.fence, fence);
  const other = { ...off, outlets: [{ ...(off.outlets[0] as OutletReply), outlet: '2' }] };
  const wrong = nextFence(fence, { kind: 'reply', id: 1, reply: other }, ms(1) as Ms);
  t.match(wrong.fence.outcome, { kind: 'failed' }, 'nor does an answer for another outlet');
});
