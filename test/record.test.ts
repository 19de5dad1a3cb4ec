/**
 * The journal's lines without a disk: whatever happens, a history that is written down and stepped through
 * again comes to the same, byte for byte, from the first checkpoint and from any later one.
 */
import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { openDecoder, openEncoder } from '../rules/codec.ts';
import { ms, type SourceId } from '../rules/model.ts';
import { openRecorder, openSegmentReader } from '../rules/record.ts';
import { openReplay } from '../rules/replay.ts';
import type { Input, World } from '../rules/world.ts';
import { judgement, type Move, move, specs } from './fakes/histories.ts';
import { after, id, judgementOf, read, reading, seen, spec, worldOf } from './fakes/readings.ts';

const HEAD = {
  version: '0',
  node: 'n',
  boot: 'b',
  life: 'l',
  segment: 1,
  reason: 'start',
  lost: 0,
  wallOffsetMs: 0,
} as const;

interface Recorded {
  readonly lines: readonly string[];
  readonly world: World;
}

/** Plays moves; a new segment begins before the move of the number `cut`. */
function record(moves: readonly Move[], cut: number): Recorded {
  const recorder = openRecorder();
  let world = worldOf(specs, judgement);
  let lines: string[] = [];
  for (const [index, { source, observation, pauseMs, forget }] of moves.entries()) {
    if (index === 0 || index === cut) lines = [...recorder.begin(HEAD, world)];
    const at = world.at + pauseMs;
    const inputs: Input[] = [
      { kind: 'read', source, at: ms(at), observation, durationMs: pauseMs / 3 },
    ];
    if (forget !== null) inputs.push({ kind: 'forget', component: id(forget) });
    const before = world;
    world = after(before, at, ...inputs);
    lines.push(recorder.step({ at: ms(at), inputs, before, after: world }).line);
  }
  return { lines, world };
}

function replay(lines: readonly string[]): World | undefined {
  const reader = openSegmentReader();
  const replayed = openReplay();
  for (const line of lines) {
    const entry = reader.take(line);
    if (entry !== undefined) deepStrictEqual(replayed.take(entry), undefined);
  }
  return replayed.world();
}

/** Decisions are written with their step and are not in a checkpoint. */
function bare(world: World | undefined): unknown {
  return world === undefined ? undefined : { ...world, decisions: [] };
}

t.test(
  'any history replays byte for byte, from any checkpoint, and ends in the same world',
  (t) => {
    const history = fc.property(
      fc.array(move, { minLength: 1, maxLength: 12 }),
      fc.nat({ max: 12 }),
      (moves, cut) => {
        const { lines, world } = record(moves, cut);
        deepStrictEqual(bare(replay(lines)), bare(world));
      },
    );
    t.doesNotThrow(() => fc.assert(history, { numRuns: 300 }));
    t.end();
  },
);

t.test('any value survives, and what was one object is one again', (t) => {
  const value = fc.anything({
    withBigInt: true,
    withMap: true,
    withSet: true,
    withNullPrototype: false,
    withObjectString: false,
    withSparseArray: false,
  });
  const same = fc.property(value, (one) => {
    const text = JSON.stringify(openEncoder().encode([one, one, { $r: 1, __proto__: 2 }]));
    const back = openDecoder().decode(JSON.parse(text)) as unknown[];
    deepStrictEqual(back, [one, one, { $r: 1, __proto__: 2 }]);
    deepStrictEqual(back[0], back[1]);
  });
  t.doesNotThrow(() => fc.assert(same, { numRuns: 2000 }));
  const shared = { a: [1] };
  const [first, second] = openDecoder().decode(
    openEncoder().encode([shared, shared]),
  ) as readonly object[];
  t.equal(first, second);
  t.throws(() => openEncoder().encode(() => 1), /function is no plain data/u);
  t.end();
});

t.test('what is read again costs a few bytes, what moved only its change', async (t) => {
  const sensors = (celsius: number): ReturnType<typeof seen> =>
    seen(
      Array.from({ length: 80 }, (_, index) =>
        reading(`sensor/s${index}`, 'ok', {
          gauges: { celsius: index === 7 ? celsius : 40, maximum: 90 },
          facts: { chip: 'coretemp', label: `core ${index}` },
        }),
      ),
    );
  const recorder = openRecorder();
  let world = after(worldOf(), 1000, read(sensors(40), 1000));
  recorder.begin(HEAD, world);
  const lineOf = (at: number, celsius: number): string => {
    const before = world;
    const input = read(sensors(celsius), at);
    world = after(before, at, input);
    return recorder.step({ at: ms(at), inputs: [input], before, after: world }).line;
  };
  t.equal(lineOf(2000, 40), '[1000000,[[0,0,1000]]]', 'a fresh but equal observation');
  t.equal(lineOf(3000, 41.5), '[1000000,[[0,0,1000,[[7,0,41.5]]]]]');
});

t.test('a file that is not what it says is refused, never guessed', async (t) => {
  const { lines } = record([{ source: specs[0]?.id as SourceId, ...still() }], 0);
  const [head = '', ...rest] = lines;
  const refuses = (broken: readonly string[], why: RegExp): void => {
    const reader = openSegmentReader();
    t.throws(() => broken.map(reader.take), why);
  };
  refuses([head.replace('journal 1', 'journal 2'), ...rest], /does not start with/u);
  refuses([head, ...rest.slice(1)], /nothing at|lines of/u);
  refuses([...lines, lines.at(-1)?.slice(0, -3) ?? ''], /cut off/u);
  refuses([...lines, '[1,[[99,0,0]]]'], /no source has the number 99/u);
  refuses([...lines, '[1,[["s/never",0,0]]]'], /changed what was never read/u);
  refuses([...lines, '["soon"]'], /no time/u);
  refuses([...lines, '{"x":1}'], /no step/u);
});

function still(): Omit<Move, 'source'> {
  return { observation: seen([reading('a/1')]), pauseMs: 1000, forget: null };
}

t.test('with another judgement the difference is shown', async (t) => {
  const recorder = openRecorder();
  let world = worldOf([spec()]);
  const lines = [...recorder.begin(HEAD, world)];
  const inputs = [read(seen([reading('fan/1', 'ok', { gauges: { rpm: 400 } })]), 10)];
  const before = world;
  world = after(before, 10, ...inputs);
  lines.push(recorder.step({ at: ms(10), inputs, before, after: world }).line);
  const limits = [{ component: 'fan/*', gauge: 'rpm', below: { failed: 500 } }];
  const reader = openSegmentReader();
  const replayed = openReplay(() => judgementOf({ limits }));
  const found = lines.flatMap((line) => {
    const entry = reader.take(line);
    return entry === undefined ? [] : [replayed.take(entry) ?? []].flat();
  });
  t.same(
    found.map(({ recorded, replayed: now }) => [
      recorded.includes('failed'),
      now.includes('failed'),
    ]),
    [[false, true]],
  );
});
