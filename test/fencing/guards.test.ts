/**
 * The guards of fencing (S10-S12), one by one and together: each says no for its own reason, and no
 * history of requests gets more fences through than they allow. One fence runs for each target.
 */
import fc from 'fast-check';
import t from 'tap';
import { type Fences, happened, heardOf, NO_FENCES, request } from '../../fencing/fences.ts';
import {
  FENCES_MAX,
  type FenceContext,
  type FenceRecord,
  refusalOf,
  START_GRACE_MS,
  WINDOW_MS,
} from '../../fencing/guards.ts';
import { type PowerPlan, planOf } from '../../fencing/plan.ts';
import { ms } from '../../rules/model.ts';

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'];

function plan(node: string, outlet: string, more: Partial<PowerPlan> = {}): PowerPlan {
  const feeds = [{ supply: 'psu1', switch: 'pdu', outlet, level: 1 }];
  const facts = new Map([['pdu', { proves: true, fallsWith: [] }]]);
  const source = { node, feeds, dischargeMs: 0, unverifiedAllowed: false };
  return { ...planOf(source, facts, true), ...more };
}

const PLANS = NODES.map((node, at) => plan(node, String(at + 1)));

const GOOD: FenceContext = {
  self: 'n1',
  now: ms(WINDOW_MS * 2),
  bootedAt: ms(0),
  nodes: NODES.length,
  authority: { kind: 'owner', disk: 'wwn-1' },
  maintenance: false,
  sightGood: true,
  history: [],
  plans: PLANS,
};

function record(by: string, target: string, agoMs = 1000): FenceRecord {
  return { by, target, at: ms(GOOD.now - agoMs) };
}

const dependent = (node: string): PowerPlan => {
  const facts = new Map([['bmc', { proves: true, fallsWith: [node] }]]);
  const feeds = [{ supply: 'all', switch: 'bmc', outlet: '1', level: 1 }];
  return planOf({ node, feeds, dischargeMs: 0, unverifiedAllowed: false }, facts, true);
};

const unproven = (node: string): PowerPlan => {
  const feeds = [{ supply: 'psu1', switch: 'rcd', outlet: '1', level: 1 }];
  return planOf({ node, feeds, dischargeMs: 0, unverifiedAllowed: false }, new Map(), true);
};

/** What differs from a good context, the target, and the guard that says no. */
const CASES: readonly (readonly [string, Partial<FenceContext>, string, string | undefined])[] = [
  ['all is well', {}, 'n2', undefined],
  ['maintenance', { maintenance: true }, 'n2', 'maintenance'],
  ['ourselves', {}, 'n1', 'not-self'],
  ['a node without a plan', {}, 'n9', 'known-target'],
  ['an outlet of two nodes', { plans: [...PLANS, plan('n7', '2')] }, 'n2', 'right-target'],
  ['our own feed', { plans: [plan('n1', '2'), plan('n2', '2')] }, 'n2', 'right-target'],
  [
    'a map without a drill',
    { plans: [plan('n2', '2', { verified: false })] },
    'n2',
    'verified-map',
  ],
  [
    'a map allowed by name',
    { plans: [plan('n2', '2', { verified: false, unverifiedAllowed: true })] },
    'n2',
    undefined,
  ],
  ['only a device without proof', { plans: [unproven('n2')] }, 'n2', 'provable'],
  ['only its own BMC', { plans: [dependent('n2')] }, 'n2', 'provable'],
  ['no disk and no place', { authority: { kind: 'none' } }, 'n2', 'authority'],
  ['our loop is late', { sightGood: false }, 'n2', 'self-late'],
  ['just booted', { bootedAt: ms(GOOD.now - START_GRACE_MS + 1) }, 'n2', 'start-grace'],
  ['grace is over', { bootedAt: ms(GOOD.now - START_GRACE_MS) }, 'n2', undefined],
  ['two already', { history: [record('n1', 'n2'), record('n1', 'n2')] }, 'n2', 'budget'],
  [
    'two long ago',
    { history: [record('n1', 'n2', WINDOW_MS), record('n1', 'n2', WINDOW_MS)] },
    'n2',
    undefined,
  ],
  ['too many nodes', { history: [record('n5', 'n3'), record('n6', 'n4')] }, 'n2', 'targets'],
  ['a cluster of two', { nodes: 2, history: [record('n1', 'n2')] }, 'n2', undefined],
  [
    'fenced twice by others',
    { history: [record('n3', 'n2'), record('n4', 'n2')] },
    'n2',
    'quarantine',
  ],
  [
    'eye for eye',
    { nodes: 9, history: [record('n2', 'n1', 5000), record('n1', 'n2')] },
    'n2',
    'alternation',
  ],
  ['they began', { nodes: 9, history: [record('n2', 'n1')] }, 'n2', undefined],
];

t.test('each guard', async (t) => {
  for (const [name, more, target, guard] of CASES) {
    t.equal(refusalOf({ ...GOOD, ...more }, target)?.guard, guard, name);
  }
});

t.test('an operator overrules care, but not right and wrong', async (t) => {
  const operator = { authority: { kind: 'operator', who: 'eve' } } as const;
  const history = [record('n1', 'n2'), record('n1', 'n3'), record('n2', 'n1')];
  const hasty = { maintenance: true, sightGood: false, bootedAt: GOOD.now, history, nodes: 2 };
  t.equal(refusalOf({ ...GOOD, ...hasty, ...operator }, 'n2'), undefined);
  t.equal(refusalOf({ ...GOOD, ...operator }, 'n1')?.guard, 'not-self');
  const shared = { plans: [plan('n2', '2'), plan('n3', '2')] };
  t.equal(refusalOf({ ...GOOD, ...shared, ...operator }, 'n2')?.guard, 'right-target');
  t.equal(refusalOf({ ...GOOD, plans: [unproven('n2')], ...operator }, 'n2')?.guard, 'provable');
});

t.test('one fence for each target: equal requests are one', async (t) => {
  const ask = { asker: 'rule', deadlineMs: 60_000 };
  const first = request(NO_FENCES, 'n2', 'reboot', GOOD, ask);
  t.match(first.commands, [{ device: 'pdu', want: 'off', target: 'n2' }]);
  const second = request(first.fences, 'n2', 'off', GOOD, { ...ask, asker: 'operator' });
  t.same(second.commands, [], 'nothing is ordered twice');
  t.match(second.fences.runs, [{ asked: ['rule', 'operator'], fence: { want: 'off' } }]);
  t.equal(second.fences.history.length, 1, 'and it counts once');
  const off = { outlet: '2', state: 'off', why: 'x', from: GOOD.now, to: GOOD.now } as const;
  const reply = { outlets: [off], ordered: true };
  const done = happened(second.fences, { kind: 'reply', id: 1, reply }, 'n2', GOOD.now);
  t.match(done.fences.runs, [{ fence: { phase: 'done', outcome: { kind: 'off' } } }]);
  const again = request(done.fences, 'n2', 'off', GOOD, ask);
  t.match(again.commands, [{ want: 'off' }], 'a new request is a new fence');
});

interface Asked {
  readonly afterMs: number;
  readonly target: string;
  readonly authority: 'owner' | 'none';
  readonly foreign: boolean;
}

const asked: fc.Arbitrary<Asked> = fc.record({
  afterMs: fc.integer({ min: 0, max: 200_000 }),
  target: fc.constantFrom(...NODES),
  authority: fc.constantFrom('owner', 'owner', 'none'),
  foreign: fc.boolean(),
});

interface Played {
  readonly fences: Fences;
  /** Fences that were let through, and those of others too. */
  readonly own: readonly FenceRecord[];
  readonly all: readonly FenceRecord[];
}

/** What must hold after each fence that was let through. */
function holds({ own, all }: Played, now: number, target: string, nodes: number): void {
  const window = (records: readonly FenceRecord[]): readonly FenceRecord[] =>
    records.filter(({ at }) => now - at < WINDOW_MS);
  const targets = new Set(window(all).map((one) => one.target));
  const faults: readonly (readonly [string, boolean])[] = [
    ['itself', target === 'n1'],
    ['in the grace after boot', now < START_GRACE_MS],
    ['over budget', window(own).length > FENCES_MAX],
    ['a storm', targets.size > Math.max(1, Math.floor((nodes - 1) / 2))],
    ['a third time', window(all).filter((one) => one.target === target).length > 2],
  ];
  const [fault] = faults.find(([, is]) => is) ?? [];
  if (fault !== undefined) throw new Error(fault);
}

function askOnce(played: Played, one: Asked, now: number, nodes: number): Played {
  const { target, authority, foreign } = one;
  const { own, all } = played;
  if (foreign) {
    const heard = { by: 'n3', target, at: ms(now) };
    return { own, all: [...all, heard], fences: heardOf(played.fences, heard) };
  }
  const right = authority === 'owner' ? GOOD.authority : ({ kind: 'none' } as const);
  const context = { ...GOOD, now: ms(now), nodes, authority: right };
  const turn = request(played.fences, target, 'off', context, { asker: 'x', deadlineMs: 1000 });
  if (turn.commands.length === 0) return { ...played, fences: turn.fences };
  if (authority === 'none') throw new Error('without authority');
  const record = { by: 'n1', target, at: ms(now) };
  const next = { own: [...own, record], all: [...all, record], fences: turn.fences };
  holds(next, now, target, nodes);
  const late = happened(next.fences, { kind: 'tick' }, undefined, ms(now + 1000));
  return { ...next, fences: late.fences };
}

t.test('S10-S12: no history of requests gets more through', async (t) => {
  const lists = fc.array(asked, { maxLength: 40 });
  const property = fc.property(lists, fc.integer({ min: 2, max: 6 }), (list, nodes) => {
    let played: Played = { fences: NO_FENCES, own: [], all: [] };
    let now = 0;
    for (const one of list) {
      now += one.afterMs;
      played = askOnce(played, one, now, nodes);
    }
  });
  fc.assert(property, { numRuns: 2000 });
  t.pass();
});
