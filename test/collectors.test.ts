/**
 * Every collector against its captures. A fixture is `test/fixtures/COLLECTOR/SOURCE.CASE.snap` with the
 * observation it must give beside it as `.json`; `UPDATE=1` writes the latter anew, and then the diff
 * is read. Any text, in any file, must never make a parser throw or a reading malformed.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { loadCollectors } from '../agent/units.ts';
import { decodeCapture } from '../collectors/lib/capture.ts';
import type { Entry, Snapshot, Source } from '../collectors/lib/collector.ts';
import { HEALTHS, type Observation } from '../rules/model.ts';

const FIXTURES = new URL('../../test/fixtures/', import.meta.url);
const collectors = await loadCollectors();

function cases(collector: string, source: string): readonly string[] {
  const folder = new URL(`${collector}/`, FIXTURES);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.startsWith(`${source}.`) && file.endsWith('.snap'))
    .sort();
}

function wellFormed(t: Test, observation: Observation): void {
  if (observation.kind !== 'seen') {
    t.match(observation.why, /\S/u, 'says why');
    return;
  }
  const ids = new Set(observation.readings.map((reading) => reading.component));
  t.equal(ids.size, observation.readings.length, 'no component twice');
  for (const reading of observation.readings) {
    t.ok(HEALTHS.includes(reading.health), `${reading.component} has a health`);
    if (reading.health !== 'ok') t.match(reading.why ?? '', /\S/u, `${reading.component} says why`);
    for (const [key, value] of Object.entries(reading.gauges)) {
      t.match(key, /^[a-z][a-z0-9_]*$/u);
      t.ok(Number.isFinite(value), `${reading.component} ${key} is a number`);
    }
  }
  for (const group of observation.groups) {
    t.equal(new Set(group.members).size, group.members.length, `${group.group}: no member twice`);
  }
}

/** Fixtures of the source with some of their entries replaced by anything at all. */
function mutated(source: Source, snapshots: readonly Snapshot[]): fc.Arbitrary<Snapshot> {
  const foreign: fc.Arbitrary<Entry> = fc.oneof(
    fc.record({ text: fc.string({ unit: 'binary', maxLength: 200 }) }),
    fc.record({
      text: fc.constantFrom(
        '',
        '\n',
        '-1\n',
        '1e999\n',
        '0\n',
        '99999999999999999999\n',
        '{}',
        '[]',
        '"',
      ),
    }),
    fc.record({ link: fc.string({ maxLength: 60 }) }),
    fc.record({
      errno: fc.constantFrom('EIO', 'EAGAIN', 'ENODATA', 'ENODEV', 'E2BIG', 'ETIMEDOUT'),
    }),
  );
  const keys = [...new Set(snapshots.flatMap((snapshot) => [...snapshot.keys()]))];
  const extra = source.reads.map((read) =>
    read.kind === 'command' ? `command:${read.name}` : read.kind,
  );
  return fc
    .tuple(
      fc.constantFrom(...(snapshots.length > 0 ? snapshots : [new Map<string, Entry>()])),
      fc.array(fc.tuple(fc.constantFrom(...keys, ...extra, 'sys/class/x'), foreign), {
        maxLength: 12,
      }),
    )
    .map(([snapshot, changes]) => new Map([...snapshot, ...changes]));
}

for (const { name, sources } of collectors) {
  for (const source of sources) {
    const files = cases(name, source.name);
    t.test(`${name}/${source.name}`, (t) => {
      t.ok(files.length > 0, 'has at least one capture under test/fixtures');
      const snapshots = files.map((file) =>
        decodeCapture(readFileSync(new URL(`${name}/${file}`, FIXTURES), 'utf8')),
      );
      for (const [index, file] of files.entries()) {
        const golden = new URL(`${name}/${file.replace(/\.snap$/u, '.json')}`, FIXTURES);
        const observation = source.parse(snapshots[index] ?? new Map());
        wellFormed(t, observation);
        if (process.env.UPDATE === '1') {
          writeFileSync(golden, `${JSON.stringify(observation, null, 2)}\n`);
        }
        t.strictSame(observation, JSON.parse(readFileSync(golden, 'utf8')), file);
      }
      const parsed = (snapshot: Snapshot): boolean => source.parse(snapshot).kind.length > 0;
      t.doesNotThrow(
        () => fc.assert(fc.property(mutated(source, snapshots), parsed)),
        'never throws',
      );
      t.ok(source.staleMs >= 3 * source.everyMs, 'stale after three periods at the earliest');
      t.end();
    });
  }
}
