/**
 * Conditions are evaluated only where something changed. This test plays random histories twice: once so,
 * and once with every rule asked of every thing in every step, and wants the same alarms and decisions.
 * On the way it watches what must hold whatever happens: one remedy at a time for an alarm, no budget
 * exceeded, nothing ordered for what is not known, and no certain rule raised by what is unknown.
 */
import { deepStrictEqual, ok } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { Action, Alarm, Outcome } from '../rules/decision.ts';
import { type Health, ms, type Observation, type Reading, type SourceId } from '../rules/model.ts';
import type { Rule } from '../rules/rule.ts';
import type { Input, World } from '../rules/world.ts';
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
import { NOTIFY, remedy, rule } from './fakes/rules.ts';

const SOURCES = ['s/one', 's/two'].map((name) => name as SourceId);
const specs = SOURCES.map((source) => spec(source, { staleMs: 6000 }));
const NAMES = ['a/1', 'a/2', 'b/1', 'b/2', 'c/1'];
const RUN = remedy(
  { kind: 'run', argv: ['/bin/mend', '$subject'] },
  { deadlineMs: 1000, settleMs: 500, budget: { count: 1, withinMs: 20_000 } },
);
const SHED = remedy({ kind: 'shed-power', knobs: ['governor'] }, { deadlineMs: 700, settleMs: 0 });

const RULES: readonly Rule[] = [
  rule('failed', 'component.health == "failed"', { ladder: [NOTIFY, RUN, SHED] }),
  rule('held', 'component.health in ["failed", "failing"]', {
    on: { kind: 'component', glob: 'a/*' },
    forMs: 1000,
    keepForMs: 1500,
    explainedBy: ['needed-failed'],
    ladder: [RUN, RUN],
  }),
  rule('needed-failed', 'component.health == "failed"', { on: { kind: 'component', glob: 'c/*' } }),
  rule('hot', 'component.gauges.celsius > 50 || component.health == "absent"', { keepForMs: 300 }),
  rule('often', 'component.health != "ok"', {
    times: { count: 2, withinMs: 4000 },
    keepForMs: 200,
  }),
  rule('stalled', 'component.gauges.celsius > 10', {
    forMs: 1200,
    unchanged: 'component.gauges.celsius',
  }),
  rule('advised', '"odd" in component.advice'),
  rule('advised-node', '"odd" in node.advice && component.health == "ok"'),
  rule('late-too', 'node.late_seconds > 1 && component.id == "b/1"'),
  rule('exposed', 'group.margin.high <= 0', {
    on: { kind: 'group', glob: '*' },
    forMs: 500,
    ladder: [SHED],
  }),
  rule('doubtful', 'group.margin.low < 1', {
    on: { kind: 'group', glob: 'g/*' },
    certainty: 'doubt',
    ladder: [NOTIFY],
  }),
  rule('blind', 'source.state in ["blind", "stale"]', {
    on: { kind: 'source', glob: '*' },
    forMs: 800,
  }),
  rule('late', 'node.late_seconds > 0.5', { on: { kind: 'node' }, ladder: [RUN] }),
];

const health: fc.Arbitrary<Health> = fc.constantFrom(
  'ok',
  'ok',
  'failing',
  'failed',
  'absent',
  'unknown',
);
const one: fc.Arbitrary<Reading> = fc
  .tuple(
    fc.constantFrom(...NAMES),
    health,
    fc.option(fc.constantFrom(5, 20, 60)),
    fc.boolean(),
    fc.boolean(),
  )
  .map(([name, is, celsius, needs, virtual]) =>
    reading(name, is, {
      gauges: celsius === null ? {} : { celsius },
      needs: needs && name !== 'c/1' ? [id('c/1')] : [],
      ...(virtual ? { virtual: true } : {}),
    }),
  );
const observation: fc.Arbitrary<Observation> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.uniqueArray(one, { selector: (r) => r.component }),
        fc.subarray(NAMES),
        fc.boolean(),
      )
      .map(([readings, members, odd]): Observation => {
        const all = seen(readings, [group('g/x', 'psus', members), group('h/y', 'mirror', NAMES)]);
        const advice = odd ? [{ code: 'odd', about: id('a/1'), text: 'odd' }] : [];
        return all.kind === 'seen' ? { ...all, advice } : all;
      }),
  },
  { weight: 1, arbitrary: fc.constant<Observation>({ kind: 'blind', why: 'cannot look' }) },
  { weight: 1, arbitrary: fc.constant<Observation>({ kind: 'none', why: 'nothing here' }) },
);
const result: fc.Arbitrary<Outcome['result'] | null> = fc.constantFrom(
  'verified',
  'refuted',
  'unknown',
  null,
);
interface Move {
  readonly source: SourceId;
  readonly observation: Observation | null;
  readonly pauseMs: number;
  readonly result: Outcome['result'] | null;
  readonly lateMs: number | null;
}
const move: fc.Arbitrary<Move> = fc.record({
  source: fc.constantFrom(...SOURCES),
  observation: fc.option(observation, { freq: 6 }),
  pauseMs: fc.constantFrom(0, 50, 300, 900, 2500, 7000),
  result,
  lateMs: fc.option(fc.constantFrom(300, 1500), { freq: 5 }),
});

function inputsOf(world: World, now: number, what: Move): Input[] {
  const inputs: Input[] = [];
  if (what.observation !== null) inputs.push(read(what.observation, now, what.source));
  if (what.lateMs !== null) inputs.push({ kind: 'late', at: ms(now), lateMs: what.lateMs });
  const [first] = world.actions;
  if (first !== undefined && what.result !== null) {
    const outcome: Outcome = { result: what.result, evidence: 'told', before: { a: '1' } };
    inputs.push({ kind: 'outcome', action: first.id, at: ms(now), outcome });
  }
  return inputs;
}

/** Alarms as far as both ways must agree: the order in which they arose is not one of these. */
function shown(world: World): readonly Alarm[] {
  return world.alarms.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function kinds(world: World): readonly string[] {
  return world.decisions
    .flatMap((decision) =>
      decision.kind === 'alarm' ? `${decision.from} ${decision.alarm.id}` : [],
    )
    .toSorted();
}

function remediesOf(world: World): readonly Action[] {
  return world.actions.filter(({ order }) => order.kind !== 'notify' && order.kind !== 'undo');
}

/** What must hold after every step. */
function watch(world: World, ordered: Map<string, number[]>): void {
  const busy = remediesOf(world).map((action) => action.because.alarm ?? '');
  deepStrictEqual(busy.length, new Set(busy).size, 'one remedy at a time for an alarm');
  for (const decision of world.decisions) {
    if (decision.kind !== 'action' || decision.action.order.kind === 'undo') continue;
    const { alarm = '', rung = -1 } = decision.action.because;
    const holder = world.alarms.find((candidate) => candidate.id === alarm);
    ok(holder?.state === 'raised' && holder.holds === true, 'ordered for what is known to hold');
    ok(holder.mutedBy === undefined, 'and is not explained');
    const key = `${alarm} ${rung}`;
    const times = [...(ordered.get(key) ?? []), world.at as number];
    ordered.set(key, times);
    const name = holder.rule;
    const budget = RULES.find((candidate) => candidate.name === name)?.ladder[rung]?.budget;
    const within = times.filter((at) => at > world.at - (budget?.withinMs ?? 0));
    ok(within.length <= (budget?.count ?? 0), `${key} is within its budget`);
  }
}

t.test('what changed is enough to look at', async (t) => {
  const even = RULES;
  const odd = [...RULES];
  let compared = 0;
  const history = fc.property(fc.array(move, { minLength: 1, maxLength: 14 }), (moves) => {
    let lazy = worldOf(specs, judgementOf({ rules: even }));
    let full = lazy;
    const ordered = new Map<string, number[]>();
    for (const [index, what] of moves.entries()) {
      const now = lazy.at + what.pauseMs;
      const rules = index % 2 === 0 ? odd : even;
      const again: Input = { kind: 'judgement', judgement: judgementOf({ rules }) };
      const [left, right] = [inputsOf(lazy, now, what), inputsOf(full, now, what)];
      lazy = after(lazy, now, ...left);
      full = after(full, now, again, ...right);
      const bare = (world: World): unknown =>
        shown(world).map(({ rung, undo, sequence, ...rest }) => rest);
      deepStrictEqual(bare(lazy), bare(full));
      deepStrictEqual(kinds(lazy), kinds(full));
      watch(lazy, ordered);
      compared += lazy.alarms.length;
    }
  });
  t.doesNotThrow(() => fc.assert(history, { numRuns: 300 }));
  t.ok(compared > 1000, `${compared} alarms were compared`);
});

function raisedBy(observed: Observation, rules: readonly Rule[]): readonly string[] {
  const world = after(worldOf([spec()], judgementOf({ rules })), 1, read(observed, 1));
  return world.alarms.filter((alarm) => alarm.state === 'raised').map((alarm) => alarm.id);
}

t.test('a certain alarm stands even if all that is unknown turns out well', async (t) => {
  const certain = RULES.filter((one) => one.certainty === 'certain');
  const rules = certain.map((one) => ({ ...one, forMs: 0, ladder: [] }));
  const property = fc.property(observation, (observed) => {
    if (observed.kind !== 'seen') return;
    const readings = observed.readings.map((one) =>
      one.health === 'unknown' ? { ...one, health: 'ok' as const } : one,
    );
    const known = raisedBy({ ...observed, readings }, rules);
    for (const alarm of raisedBy(observed, rules)) ok(known.includes(alarm), alarm);
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 1000 }));
});
