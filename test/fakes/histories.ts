/** Random histories of a small world: whatever a source may say of seven components, in any order. */
import fc from 'fast-check';
import type { Judgement } from '../../rules/config.ts';
import type { Health, Observation, Reading, SourceId } from '../../rules/model.ts';
import type { SourceSpec } from '../../rules/world.ts';
import { group, id, judgementOf, reading, seen, spec } from './readings.ts';

const SOURCES = ['s/one', 's/two', 's/op'].map((name) => name as SourceId);
const NAMES = ['a/1', 'a/2', 'a/3', 'a/4', 'b/1', 'b/2', 'c/1'];
export const specs: readonly SourceSpec[] = SOURCES.map((source) =>
  spec(source, { staleMs: 3000, opinion: source === 's/op' }),
);
export const judgement: Judgement = judgementOf({
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
export interface Move {
  readonly source: SourceId;
  readonly observation: Observation;
  readonly pauseMs: number;
  readonly forget: string | null;
}
export const move: fc.Arbitrary<Move> = fc.record({
  source: fc.constantFrom(...SOURCES),
  observation,
  pauseMs: fc.constantFrom(0, 100, 1500, 4000),
  forget: fc.option(fc.constantFrom(...NAMES), { freq: 8 }),
});
