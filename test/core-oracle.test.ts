/**
 * The core is incremental: it touches only what changed. This test plays random histories and holds
 * every step against a world made afresh from the same last observations and inventory. Whatever was
 * forgotten to be touched shows as a difference.
 */
import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { decodeInventory, encodeInventory } from '../rules/inventory.ts';
import type { Group, Health, Observation, Reading, SourceId } from '../rules/model.ts';
import type { Input, World } from '../rules/world.ts';
import { after, group, id, judgementOf, reading, seen, spec, worldOf } from './fakes/readings.ts';

const SOURCES = ['s/one', 's/two', 's/op'].map((name) => name as SourceId);
const NAMES = ['a/1', 'a/2', 'a/3', 'a/4', 'b/1', 'b/2', 'c/1'];
const specs = SOURCES.map((source) => spec(source, { staleMs: 3000, opinion: source === 's/op' }));
const judgement = judgementOf({
  flaps: [],
  groups: [{ name: 'g', kind: 'links', members: ['a/*', 'b/1'], needs: 2 }],
  dependencies: [{ component: 'a/4', needs: [id('c/1')] }],
  ignore: ['b/2'],
});

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
    fc.subarray(['b/1', 'b/2', 'c/1', 'x/9']),
    fc.boolean(),
    fc.integer({ min: 0, max: 5 }),
  )
  .map(([name, is, needs, virtual, flag]) =>
    reading(name, is, {
      needs: needs.map(id),
      ...(virtual ? { virtual: true } : {}),
      ...(flag === 0 ? { unproven: true } : {}),
    }),
  );
const observation: fc.Arbitrary<Observation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.uniqueArray(one, { selector: (r) => r.component }),
        fc.subarray(NAMES),
        fc.subarray(NAMES),
      )
      .map(([readings, left, right]) =>
        seen(readings, [group('g/l', 'psus', left), group('g/r', 'mirror', right)]),
      ),
  },
  { weight: 1, arbitrary: fc.constant<Observation>({ kind: 'blind', why: 'cannot look' }) },
  { weight: 1, arbitrary: fc.constant<Observation>({ kind: 'none', why: 'nothing here' }) },
);
const move = fc.record({
  source: fc.constantFrom(...SOURCES),
  observation,
  pauseMs: fc.constantFrom(0, 100, 1500, 4000),
  forget: fc.option(fc.constantFrom(...NAMES), { freq: 8 }),
});

function told(world: World): unknown {
  const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);
  return {
    components: world.components
      .map(({ since, why, ...rest }) => ({ ...rest, why: why.replace(/\d+ s$/u, 'a while') }))
      .sort(byId),
    groups: world.groups
      .map(({ since, members, ...rest }: Group) => ({ ...rest, members: [...members].sort() }))
      .sort(byId),
    sights: world.sights.map(({ id: source, state, seenAt }) => ({ source, state, seenAt })),
  };
}

function afresh(world: World): World {
  const inventory = decodeInventory(encodeInventory(world));
  let fresh = worldOf(specs, judgement, inventory.ok ? inventory.remembered : []);
  const inputs: Input[] = [];
  for (const [source, state] of world.sources) {
    const { seenAt } = state.sight;
    if (state.observation === undefined || seenAt === undefined) continue;
    inputs.push({
      kind: 'read',
      source,
      at: seenAt,
      observation: state.observation,
      durationMs: 1,
    });
  }
  fresh = after(fresh, world.at, ...inputs);
  for (const [source, state] of world.sources) {
    if (state.sight.failures === 0) continue;
    const blind: Observation = { kind: 'blind', why: 'cannot look' };
    fresh = after(fresh, world.at, {
      kind: 'read',
      source,
      at: world.at,
      observation: blind,
      durationMs: 1,
    });
  }
  return fresh;
}

t.test('an incremental history ends where a fresh look ends', (t) => {
  const history = fc.property(fc.array(move, { maxLength: 12 }), (moves) => {
    let world = worldOf(specs, judgement);
    for (const { source, observation: saw, pauseMs, forget } of moves) {
      const now = world.at + pauseMs;
      const inputs: Input[] = [
        { kind: 'read', source, at: now as never, observation: saw, durationMs: 1 },
      ];
      if (forget !== null) inputs.push({ kind: 'forget', component: id(forget) });
      world = after(world, now, ...inputs);
      deepStrictEqual(told(world), told(afresh(world)));
    }
  });
  t.doesNotThrow(() => fc.assert(history, { numRuns: 300 }));
  t.end();
});
