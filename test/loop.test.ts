/** The loop on real folders, pipes and programs: who is slow, stuck or broken must cost nobody else anything. */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { KernelWake } from '../agent/kernel/wakes.ts';
import { type Loop, startLoop } from '../agent/loop.ts';
import { monotonicNow } from '../agent/ports/clock.ts';
import { openCommandPort } from '../agent/ports/command.ts';
import { createWatch } from '../agent/watch.ts';
import type { Read, Snapshot, Source } from '../collectors/lib/collector.ts';
import { NO_JUDGEMENT } from '../rules/config.ts';
import { type Observation, type Sample, type Sight, sourceId } from '../rules/model.ts';
import { id, reading } from './fakes/readings.ts';
import { descriptors, mkfifo, NO_PORTS, type Place, place, sourceOf, until } from './place.ts';

/** Longer than any test: what is read again was woken. */
const NEVER_MS = 3_600_000;
const HANG_MS = 20_000;
const POKE: KernelWake = { on: 'pollpri', path: 'sys/poke' };

/** One component whose name is all the text that was read; nothing readable is blind. */
function parseText(name: string): (snapshot: Snapshot) => Observation {
  return (snapshot) => {
    const texts = [...snapshot.values()].flatMap((entry) => ('text' in entry ? entry.text : []));
    if (texts.length === 0) return { kind: 'blind', why: 'nothing could be read' };
    const one = reading(`thing/${name}`, 'ok', { name: texts.join('').trim() });
    return { kind: 'seen', readings: [one], groups: [], advice: [] };
  };
}

function source(name: string, read: Read, more: Partial<Source> = {}): Source {
  const wakes = [{ on: 'pollpri', root: 'sys', glob: 'poke' }] as const;
  const base = { ...sourceOf(read), name, wakes, everyMs: NEVER_MS, staleMs: NEVER_MS };
  return { ...base, parse: parseText(name), ...more };
}

function file(glob: string): Read {
  return { kind: 'file', root: 'sys', glob };
}

interface Running {
  readonly loop: Loop;
  readonly troubles: string[];
  readonly samples: Sample[];
  readonly worlds: () => number;
  readonly text: (name: string) => string;
  readonly sight: (name: string) => Sight | undefined;
}

function run(t: Test, { probe }: Pick<Place, 'probe'>, sources: readonly Source[]): Running {
  const troubles: string[] = [];
  const samples: Sample[] = [];
  let worlds = 0;
  const now = monotonicNow();
  const loop = startLoop({
    watches: sources.map((one) => createWatch(sourceId('test', one.name), one, one.everyMs, now)),
    probe,
    judgement: NO_JUDGEMENT,
    inventory: [],
    era: 'test',
    onWorld: (_, taken) => {
      worlds += 1;
      samples.push(...taken);
    },
    onTrouble: (why) => troubles.push(why),
  });
  t.teardown(() => loop.close());
  return {
    loop,
    troubles,
    samples,
    worlds: () => worlds,
    text: (name) =>
      loop.world().components.find((one) => one.id === `thing/${name}`)?.name ?? 'not there',
    sight: (name) => loop.world().sights.find((one) => one.id === `test/${name}`),
  };
}

/** A place in which programs can be run. */
function commandPlace(t: Test): Place {
  const roots = { proc: '/proc', sys: '/sys', dev: '/dev', run: '/run' };
  return place(t, { ...NO_PORTS, command: openCommandPort({ roots }) });
}

/** `cat` of a pipe: it answers when the test writes, and not before. */
function catOf(name: string, path: string): Read {
  return { kind: 'command', name, argv: ['cat', path], deadlineMs: HANG_MS };
}

/** Writes to a pipe once somebody reads from it. */
/** Handed on after the world, which is there a moment before. */
function wakesAnswered({ samples }: ReturnType<typeof run>): number {
  return samples.filter((sample) => sample.of === 'wake_to_world').length;
}

async function pour(path: string, text: string): Promise<boolean> {
  return until(() => {
    try {
      const descriptor = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      writeSync(descriptor, text);
      closeSync(descriptor);
      return true;
    } catch {
      return false;
    }
  }, HANG_MS);
}

t.test('a wake reads at once what asked for it, and nothing else', async (t) => {
  const here = place(t);
  here.write('sys/a', 'one');
  here.write('sys/b', 'one');
  const it = run(t, here, [source('a', file('a')), source('b', file('b'), { wakes: [] })]);
  await it.loop.ready;
  t.same([it.text('a'), it.text('b')], ['one', 'one']);
  here.write('sys/a', 'two');
  here.write('sys/b', 'two');
  it.loop.wake([{ on: 'pollpri', path: 'sys/other' }], monotonicNow());
  it.loop.wake([POKE], monotonicNow());
  t.ok(await until(() => it.text('a') === 'two', HANG_MS));
  t.equal(it.text('b'), 'one');
  t.ok(await until(() => wakesAnswered(it) > 0, HANG_MS));
  t.equal(wakesAnswered(it), 1);
  t.equal(it.loop.counts().wakes, 2);
});

t.test('a wake during a read leads to one more read', async (t) => {
  const here = commandPlace(t);
  const pipe = here.at('sys/pipe');
  mkfifo(pipe);
  const it = run(t, here, [source('a', catOf('a', pipe))]);
  for (let count = 0; count < 3; count += 1) it.loop.wake([POKE], monotonicNow());
  t.ok(await pour(pipe, 'before'));
  t.ok(await until(() => it.text('a') === 'before', HANG_MS));
  t.equal(wakesAnswered(it), 0, 'not answered');
  t.ok(await pour(pipe, 'after'), 'it is read again, with nothing else to cause it');
  t.ok(await until(() => it.text('a') === 'after', HANG_MS));
  t.ok(await until(() => wakesAnswered(it) > 0, HANG_MS));
  t.equal(wakesAnswered(it), 1);
});

t.test('sources that are stuck hold up nobody, and go stale while they are read', async (t) => {
  const here = commandPlace(t);
  const pipe = here.at('sys/pipe');
  mkfifo(pipe);
  mkfifo(here.at('sys/hung/value'));
  here.write('sys/quick', '0');
  const often = { everyMs: 100, staleMs: 300 };
  const it = run(t, here, [
    source('hung', { kind: 'file', root: 'sys', glob: 'hung/value', mayHang: true }, often),
    source('stuck', catOf('stuck', pipe), often),
    source('quick', file('quick'), often),
  ]);
  t.ok(await pour(pipe, 'once'));
  t.ok(await until(() => it.text('stuck') === 'once', HANG_MS));
  t.ok(await until(() => it.sight('stuck')?.state === 'stale', HANG_MS), 'its second read hangs');
  t.equal(it.loop.world().components.find((one) => one.id === 'thing/stuck')?.health, 'unknown');
  for (const text of ['1', '2', '3']) {
    here.write('sys/quick', text);
    t.ok(await until(() => it.text('quick') === text, HANG_MS), 'read while the others hang');
  }
  await it.loop.ready;
  t.equal(it.sight('hung')?.state, 'blind', 'given up at last');
  t.ok(await pour(pipe, 'again'));
  t.ok(await until(() => it.text('stuck') === 'again', HANG_MS), 'and back when it answers');
  t.equal(it.sight('stuck')?.state, 'seen');
});

t.test(
  'a parser that throws blinds its own source, is told of once, and may recover',
  async (t) => {
    const here = place(t);
    here.write('sys/a', 'bad 1');
    here.write('sys/b', 'fine');
    const parse = (snapshot: Snapshot): Observation => {
      const entry = snapshot.get('sys/a');
      if (entry !== undefined && 'text' in entry && entry.text.startsWith('bad')) {
        throw new Error('cannot make sense of it');
      }
      return parseText('a')(snapshot);
    };
    const it = run(t, here, [source('a', file('a'), { parse }), source('b', file('b'))]);
    await it.loop.ready;
    t.match(it.sight('a'), {
      state: 'blind',
      why: 'the parser of test/a failed: cannot make sense of it',
    });
    t.equal(it.text('b'), 'fine');
    here.write('sys/a', 'bad 2');
    it.loop.wake([POKE], monotonicNow());
    t.ok(await until(() => it.sight('a')?.failures === 2, HANG_MS));
    t.equal(it.troubles.length, 1, 'the same words are not said again');
    here.write('sys/a', 'good');
    it.loop.wake([POKE], monotonicNow());
    t.ok(await until(() => it.text('a') === 'good', HANG_MS));
    t.equal(it.sight('a')?.state, 'seen');
  },
);

t.test('with nothing to read the world is stepped all the same', async (t) => {
  const here = place(t);
  here.write('sys/a', 'one');
  const it = run(t, here, [source('a', file('a'), { staleMs: 1 })]);
  await it.loop.ready;
  const worlds = it.worlds();
  t.ok(await until(() => it.worlds() > worlds, HANG_MS));
  t.equal(it.sight('a')?.state, 'seen', 'not stale before three of its periods');
  t.equal(it.sight('a')?.staleMs, 3 * NEVER_MS);
});

t.test('what is told comes into the world', async (t) => {
  const here = place(t);
  here.write('sys/a', 'one');
  const it = run(t, here, [source('a', file('a'))]);
  await it.loop.ready;
  const judgement = { ...NO_JUDGEMENT, ignore: ['thing/*'] };
  it.loop.tell({ kind: 'judgement', judgement });
  t.ok(await until(() => it.loop.world().components[0]?.ignored === true, HANG_MS));
  t.equal(it.loop.knows(id('thing/a')), true);
  t.equal(it.loop.knows(id('thing/b')), false);
});

t.test('closed during a read it steps no more, and nothing is left open', async (t) => {
  const before = descriptors();
  const here = commandPlace(t);
  const pipe = here.at('sys/pipe');
  mkfifo(pipe);
  here.write('sys/a', 'one');
  const it = run(t, here, [source('stuck', catOf('stuck', pipe)), source('a', file('a'))]);
  t.ok(await until(() => it.text('a') === 'one', HANG_MS));
  const worlds = it.worlds();
  it.loop.close();
  await here.probe.close();
  it.loop.wake([POKE], monotonicNow());
  it.loop.tell({ kind: 'forget', component: id('thing/a') });
  await pause(1500);
  t.equal(it.worlds(), worlds, 'neither answers, wakes nor the heartbeat make a world');
  t.equal(it.sight('stuck')?.state, 'waiting');
  t.equal(descriptors(), before);
});
