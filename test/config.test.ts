/**
 * The configuration: what a good file, flags and defaults give, and that schema, reference and example
 * agree with what is loaded. No text makes it throw. Mistakes are in `config-bad.test.ts`.
 */
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { defaultConfig, defaultFolders, type Surroundings } from '../agent/config/defaults.ts';
import { type ConfigFlags, type Loaded, loadConfig } from '../agent/config/load.ts';
import { formatProblems } from '../agent/config/problems.ts';
import { reference } from '../agent/config/reference.ts';
import { readSchema } from '../agent/config/schema.ts';
import { durationMs, FORMATS, readListen } from '../agent/config/words.ts';
import { loadCollectors } from '../agent/units.ts';
import { nearest } from '../rules/near.ts';

const DOCS = new URL('../../docs/', import.meta.url);
const AROUND: Surroundings = {
  hostname: 'db1.example',
  folders: { stateDir: '/var/lib/nospof', runDir: '/run/nospof' },
  collectors: ['fans', 'gateways', 'links', 'sensors'],
};

function load(t: Test, text: string | Uint8Array, flags: ConfigFlags = {}): Promise<Loaded> {
  const file = join(t.testdir({}), 'n.yaml');
  writeFileSync(file, text);
  return loadConfig(file, flags, AROUND);
}

/** Problems as printed, with the folder of the test taken out. */
async function problems(t: Test, text: string | Uint8Array): Promise<readonly string[]> {
  const loaded = await load(t, text);
  if (loaded.ok) return [];
  return formatProblems(loaded.problems)
    .split('\n')
    .map((line) => line.replace(/^.*n\.yaml:? ?/u, ''));
}

t.test('good files', async (t) => {
  const nothing = ['', '# only a note\n', '---\n', '\uFEFF', '{}', 'null'];
  for (const text of nothing) {
    const loaded = await load(t, text);
    t.match(
      loaded,
      { ok: true, config: defaultConfig(AROUND), warnings: [] },
      JSON.stringify(text),
    );
  }
  const loaded = await load(
    t,
    [
      '\uFEFFnode: n1\r',
      "listen: '[::1]:0'\r",
      'collectors: {fans: {every: 1.5s}, gateways: off, links: on, sensors: false}',
      'roots: {sysfs: /a//b/../c/}',
      'flaps: [{component: fan/x, changes: 2, within: 1m}]',
      'reach: [{name: a, address: 192.0.2.1, method: tcp, port: 443}]',
      'series: {max: 100}',
      'groups:',
      '- {name: a, kind: links, members: &m [link/a, link/b], needs: 2}',
      '- {name: b, kind: links, members: *m, needs: 1}',
    ].join('\n'),
    { procfs: 'p', state: '/s', run: '/r' },
  );
  t.match(loaded, {
    ok: true,
    config: {
      node: 'n1',
      listen: { host: '::1', port: 0 },
      collectors: {
        fans: { enabled: true, everyMs: 1500 },
        gateways: { enabled: false },
        links: { enabled: true },
        sensors: { enabled: false },
      },
      roots: { proc: join(process.cwd(), 'p'), sys: '/a/c', dev: '/dev', run: '/run' },
      stateDir: '/s',
      runDir: '/r',
      seriesMax: 100,
      reach: [{ name: 'a', port: 443, rank: 1 }],
      judgement: {
        groups: [{ members: ['link/a', 'link/b'] }, { members: ['link/a', 'link/b'] }],
        flaps: [{ component: 'fan/x', changes: 2, withinMs: 60_000 }],
      },
    },
  });
  for (const off of ['off', 'false']) {
    t.match(await load(t, `listen: ${off}`), { ok: true, config: { listen: undefined } });
  }
});

t.test('warnings do not stop anything', async (t) => {
  const file = join(t.testdir({}), 'n.yaml');
  writeFileSync(
    file,
    "needs: [{group: 'a/*', needs: 1}, {group: 'a/*', needs: 2}]\nreach: [{name: a, address: 127.0.0.1, method: icmp}]\n",
  );
  chmodSync(file, 0o666);
  const loaded = await loadConfig(file, {}, AROUND);
  t.ok(loaded.ok);
  if (!loaded.ok) return;
  t.strictSame(formatProblems(loaded.warnings).split('\n'), [
    `${file}: can be written by anyone (chmod o-w ${file})`,
    `${file}:1:43: needs[1].group: 'a/*' is here again: the last line wins (keep one)`,
    `${file}:2:28: reach[0].address: 127.0.0.1 is this node itself and proves nothing (name a host beyond the line)`,
  ]);
});

t.test('flags win, and are checked', async (t) => {
  t.match(await load(t, 'listen: 127.0.0.1:1', { listen: '0.0.0.0:2' }), {
    config: { listen: { host: '0.0.0.0', port: 2 } },
  });
  t.match(await load(t, 'listen: 127.0.0.1:1', { listen: 'off' }), {
    config: { listen: undefined },
  });
  const bad = await load(t, 'nod: a', { listen: '1', state: '', run: '/r' });
  t.strictSame(
    bad.ok
      ? []
      : bad.problems.map(({ file, message }) =>
          `${file} ${message}`.replace(/^.*n\.yaml/u, 'n.yaml'),
        ),
    ["--listen '1' is not HOST:PORT", '--state is empty', "n.yaml unknown key 'nod'"],
  );
  const long = await load(t, '', { run: `/${'x'.repeat(200)}` });
  t.match(
    long.ok ? '' : formatProblems(long.problems),
    /^--run: nospof\.sock in this folder has 213 bytes/u,
  );
});

t.test('default folders', (t) => {
  const home = '/home/u';
  t.strictSame(defaultFolders({ uid: 0, home }), {
    stateDir: '/var/lib/nospof',
    runDir: '/run/nospof',
  });
  t.strictSame(defaultFolders({ uid: 7, home }), {
    stateDir: '/home/u/.local/state/nospof',
    runDir: '/tmp/nospof-7',
  });
  t.strictSame(defaultFolders({ uid: 7, home, xdgStateHome: '/s', xdgRuntimeDir: '/r' }), {
    stateDir: '/s/nospof',
    runDir: '/r/nospof',
  });
  t.strictSame(defaultFolders({ uid: 7, home, xdgStateHome: 's', xdgRuntimeDir: '' }), {
    stateDir: '/home/u/.local/state/nospof',
    runDir: '/tmp/nospof-7',
  });
  t.end();
});

t.test('words', (t) => {
  const durations: readonly (readonly [string, number | undefined])[] = [
    ['500ms', 500],
    ['2s', 2000],
    ['1.5m', 90_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['0.001s', 1],
    ['', undefined],
    ['2', undefined],
    ['-2s', undefined],
    ['2S', undefined],
    ['1e3s', undefined],
    [' 2s', undefined],
    ['2s\n', undefined],
  ];
  for (const [text, expected] of durations)
    t.equal(durationMs(text), expected, JSON.stringify(text));
  t.strictSame(readListen('[2001:db8::1]:9974'), { host: '2001:db8::1', port: 9974 });
  t.strictSame(readListen('localhost:1'), { host: 'localhost', port: 1 });
  t.equal(nearest('lisetn', ['node', 'listen']), 'listen');
  t.equal(nearest('NODE', ['node', 'listen']), 'node');
  t.equal(nearest('x', ['node', 'run']), undefined);
  t.equal(nearest('', ['a']), undefined);
  t.end();
});

t.test('every identity that a collector gives can be named', (t) => {
  const folder = new URL('../../test/fixtures/', import.meta.url);
  const ids = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.json'))
    .flatMap(
      (file) => readFileSync(new URL(file, folder), 'utf8').match(/"component": "[^"]+"/gu) ?? [],
    )
    .map((line) => line.slice(14, -1));
  t.ok(ids.length > 100);
  t.strictSame(
    ids.filter((id) => FORMATS.component?.(id) !== undefined),
    [],
  );
  t.end();
});

t.test('the schema is valid, and tells the defaults that hold', async (t) => {
  const schema = await readSchema();
  const ajv = new Ajv({ strict: false, validateFormats: false });
  t.ok(ajv.validateSchema(schema), JSON.stringify(ajv.errors));
  const { properties = {} } = schema;
  const value = Object.fromEntries(
    ['listen', 'flaps', 'roots', 'series'].map((key) => [key, properties[key]?.default]),
  );
  const inner = (key: string): unknown =>
    Object.fromEntries(
      Object.entries(properties[key]?.properties ?? {}).map(([name, part]) => [name, part.default]),
    );
  const told = { ...value, roots: inner('roots'), series: inner('series') };
  t.match(await load(t, JSON.stringify(told)), { ok: true, config: defaultConfig(AROUND) });
});

t.test('every example of the schema is good', async (t) => {
  const { properties = {} } = await readSchema();
  for (const [key, schema] of Object.entries(properties)) {
    t.ok((schema.examples ?? []).length > 0, `${key} has an example`);
    for (const example of schema.examples ?? []) {
      // Feeds name switches that must be there.
      const beside = key === 'nodes' ? { switches: properties.switches?.examples?.[0] } : {};
      t.strictSame(await problems(t, JSON.stringify({ ...beside, [key]: example })), [], key);
    }
  }
});

t.test('docs', async (t) => {
  const page = new URL('configuration.md', DOCS);
  const text = reference(await readSchema());
  if (process.env.UPDATE === '1') writeFileSync(page, text);
  t.equal(
    readFileSync(page, 'utf8'),
    text,
    'configuration.md is what the schema says (UPDATE=1 writes it)',
  );
  const example = readFileSync(new URL('nospof.example.yaml', DOCS), 'utf8');
  t.strictSame(await problems(t, example), [], 'the example loads');
  const collectors = (await loadCollectors()).map(({ name }) => name);
  const file = join(t.testdir({}), 'n.yaml');
  writeFileSync(file, example);
  t.match(await loadConfig(file, {}, { ...AROUND, collectors }), { ok: true, warnings: [] });
  const keys = Object.keys((await readSchema()).properties ?? {});
  for (const key of keys)
    t.match(example, new RegExp(`^(# )?${key}:`, 'mu'), `the example shows ${key}`);
});

t.test('no text makes it throw', async (t) => {
  const file = join(t.testdir({}), 'n.yaml');
  const good = readFileSync(new URL('nospof.example.yaml', DOCS), 'utf8');
  const answers = async (text: string | Uint8Array): Promise<boolean> => {
    writeFileSync(file, text);
    // Agents would be run to describe themselves, hundreds of times.
    const loaded = await loadConfig(file, {}, { ...AROUND, ocfRoot: join(file, 'none') });
    if (loaded.ok) return true;
    return loaded.problems.every(
      ({ line, column, message }) =>
        message !== '' &&
        !/[\n\r\p{Cc}]/u.test(message) &&
        (line === 0 || (line >= 1 && column >= 1)),
    );
  };
  const yamlish = fc
    .array(
      fc.constantFrom(
        'a',
        'node',
        ': ',
        '\n',
        '  ',
        '- ',
        '[',
        ']',
        '{',
        '}',
        '*a',
        '&a ',
        '"',
        "'",
        '|',
        '>',
        '!',
        '#',
        ',',
        '? ',
        '---\n',
        '\t',
        'off',
        '1',
        '<<',
        '%',
        '@',
        '\\',
        'é',
      ),
      { maxLength: 60 },
    )
    .map((parts) => parts.join(''));
  const cut = fc
    .tuple(fc.nat(good.length), fc.nat(40), fc.string({ unit: 'binary', maxLength: 6 }))
    .map(([at, gone, put]) => good.slice(0, at) + put + good.slice(at + gone));
  const keys = Object.keys((await readSchema()).properties ?? {});
  const shaped = fc
    .dictionary(fc.constantFrom(...keys, '__proto__'), fc.jsonValue({ maxDepth: 4 }))
    .map((value) => JSON.stringify(value));
  const any = fc.oneof(yamlish, cut, shaped, fc.string({ unit: 'binary' }), fc.uint8Array());
  await t.resolves(fc.assert(fc.asyncProperty(any, answers), { numRuns: 200 }));
});
