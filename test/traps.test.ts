/**
 * Traps that are avoided by what is not there: a call, a program, a wake, a package that must not come
 * back. And the table of all traps in `docs/traps.md` must name tests that exist.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { loadCollectors } from '../agent/units.ts';
import type { Snapshot, Source } from '../collectors/lib/collector.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SHIPPED = ['agent', 'collectors', 'exporters', 'rules'];
const collectors = await loadCollectors();
const sources: readonly Source[] = collectors.flatMap((collector) => collector.sources);

/** Path and text of every source file of the product. */
function shipped(): readonly (readonly [string, string])[] {
  return SHIPPED.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map(
        (name) => [`${folder}/${name}`, readFileSync(join(ROOT, folder, name), 'utf8')] as const,
      ),
  );
}

function importersOf(name: string): readonly string[] {
  const forms = [`from '${name}'`, `import('${name}')`, `import '${name}'`, `require('${name}')`];
  return shipped()
    .filter(([, text]) =>
      text.split('\n').some((line) => {
        // A type costs nothing when the program runs.
        return !line.startsWith('import type') && forms.some((form) => line.includes(form));
      }),
    )
    .map(([path]) => path);
}

t.test('no memory is locked in a process that runs JavaScript', async (t) => {
  t.ok(shipped().length > 100, 'the sources were found');
  t.same(
    shipped().flatMap(([path, text]) => (/mlock/iu.test(text) ? [path] : [])),
    [],
  );
});

t.test('what is heavy stays out of the process that decides', async (t) => {
  for (const name of ['fastify', 'prom-client', 'systeminformation', 'ajv']) {
    const importers = importersOf(name);
    t.not(importers.length, 0, `${name} is used`);
    const wrong = importers.filter((path) => !/^agent\/(api|config)\//u.test(path));
    t.same(wrong, [], name);
  }
});

t.test('no program is run on a wake, or more often than each five seconds', async (t) => {
  const running = sources.filter(({ reads }) => reads.some((read) => read.kind === 'command'));
  t.ok(running.length >= 3);
  for (const { name, wakes, everyMs } of running) {
    t.same(wakes, [], `${name}: a storm of events forks nothing`);
    t.ok(everyMs >= 5000, name);
  }
});

t.test('the daemon is asked for maps, and ip for nothing', async (t) => {
  const reads = sources.flatMap((source) => source.reads);
  const requests = reads.flatMap((read) => (read.kind === 'multipathd' ? [read.request] : []));
  t.same([...new Set(requests)], ['show maps json'], 'there is no "show paths json"');
  const programs = reads.flatMap((read) => (read.kind === 'command' ? [read.argv[0]] : []));
  t.notOk(programs.includes('ip'), '"ip -j monitor" prints no JSON: rtnetlink is decoded here');
});

t.test('nothing to read is never healthy', async (t) => {
  for (const { name, sources: its } of collectors) {
    for (const source of its) {
      const all = new Map(source.reads.map((read) => [keyOf(read), { errno: 'EACCES' }]));
      for (const snapshot of [new Map() as Snapshot, all]) {
        const saw = source.parse(snapshot);
        const ok = saw.kind === 'seen' ? saw.readings.filter(({ health }) => health === 'ok') : [];
        t.same(ok, [], `${name}/${source.name}`);
      }
      t.not(source.parse(all).kind, 'none', `${name}/${source.name}: forbidden is not absent`);
    }
  }
});

/** The folder that is listed first for a glob, or the path itself. */
function listedFolder(glob: string): string {
  const segments = glob.split('/');
  const starred = segments.findIndex((segment) => segment.includes('*'));
  return starred < 0 ? glob : segments.slice(0, starred).join('/');
}

function keyOf(read: Source['reads'][number]): string {
  switch (read.kind) {
    case 'file':
    case 'link':
      return `${read.root}/${listedFolder(read.glob)}`;
    case 'command':
      return `command:${read.name}`;
    case 'dm':
      return `dm:${read.target}`;
    case 'multipathd':
      return `multipathd:${read.request}`;
    case 'kmsg':
    case 'reach':
      return read.kind;
  }
}

t.test('fans are polled: hardly a driver tells of a change', async (t) => {
  const fans = collectors.find(({ name }) => name === 'fans')?.sources;
  const hwmon = fans?.find(({ name }) => name === 'hwmon');
  t.ok((hwmon?.everyMs ?? Number.POSITIVE_INFINITY) <= 1000);
});

/** True when a range like `^20.9.0 || >=22` lets a version of this major in. */
function admits(range: string, major: number): boolean {
  return range.split('||').some((part) => {
    const [, sign, first] = /^\s*(\^|>=|~|)\s*(\d+)/u.exec(part) ?? [];
    if (first === undefined) return true;
    return sign === '>=' ? Number(first) <= major : Number(first) === major;
  });
}

t.test('no package that we ship with needs a newer Node than we do', async (t) => {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; engines?: { node?: string } }>;
  };
  const production = Object.entries(lock.packages).filter(([, { dev }]) => dev !== true);
  t.ok(production.length > 20);
  for (const [name, { engines }] of production) {
    if (engines?.node !== undefined) t.ok(admits(engines.node, 20), `${name}: ${engines.node}`);
  }
  t.notOk(admits('>=22', 20));
  t.ok(admits('20 || >=22', 20));
});

t.test('every test that the table of traps names exists', async (t) => {
  const rows = readFileSync(join(ROOT, 'docs/traps.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1);
  t.ok(rows.length > 25);
  for (const row of rows) {
    const cell = row.split(' | ').at(-1) ?? '';
    const named = [...cell.matchAll(/`(test\/[a-z/-]+\.test\.ts)`: ([^;|]+)/gu)];
    t.not(named.length, 0, row);
    for (const [, file, name] of named) {
      const text = readFileSync(join(ROOT, file ?? ''), 'utf8').replaceAll("\\'", "'");
      const [literal] = [`'${name?.trim()}'`, `"${name?.trim()}"`].filter((one) =>
        text.includes(one),
      );
      t.ok(literal, `${file} has a test "${name?.trim()}"`);
    }
  }
});
