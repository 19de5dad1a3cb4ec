/**
 * The configuration: what a good file gives, and for every kind of mistake the exact place and words
 * that an operator is shown. All mistakes of a file are reported together. No text makes it throw.
 */
import { chmodSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { defaultConfig, defaultFolders, type Surroundings } from '../agent/config/defaults.ts';
import { type ConfigFlags, type Loaded, loadConfig } from '../agent/config/load.ts';
import { nearest } from '../agent/config/near.ts';
import { formatProblems } from '../agent/config/problems.ts';
import { reference } from '../agent/config/reference.ts';
import { readSchema } from '../agent/config/schema.ts';
import { durationMs, readListen } from '../agent/config/words.ts';
import { loadCollectors } from '../agent/units.ts';

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

const UPLINKS = "{name: a, kind: links, members: ['link/eth*'], needs: 1}";

/** Name, text, and what is printed after the file's name. */
const BAD: readonly (readonly [string, string, readonly string[]])[] = [
  ['a mistyped key', '\nlistn: off\n', ["2:1: unknown key 'listn' (did you mean 'listen'?)"]],
  [
    'a key from elsewhere',
    'roots:\n  proc: /x\n  zzzzzz: /y\n',
    [
      "2:3: roots: unknown key 'proc' (did you mean 'procfs'?)",
      "3:3: roots: unknown key 'zzzzzz' (known here: procfs, sysfs, devfs, runfs)",
    ],
  ],
  [
    'a key twice',
    'node: a\nlisten: off\nnode: b\n',
    ["3:1: key 'node' is here twice (keep one; the first is on line 1)"],
  ],
  [
    'a key twice in an inner map, and more',
    'series: {max: 200,\n  max: 1}\nnode: -\n',
    [
      '3:7: unexpected block-seq-ind on same line with key (check the brackets, commas and quotes before it)',
    ],
  ],
  [
    'a number as a name',
    'node: 12\n',
    ["1:7: node: must be text, not 12 (put it into quotes, if it is meant: '12')"],
  ],
  [
    'a name that is no host',
    "node: 'a b'\n",
    [
      "1:7: node: 'a b' is not right (letters, digits, dots, dashes and underscores, as in a host name)",
    ],
  ],
  [
    'nothing after a key',
    'groups:\nnode: a\n',
    ["1:1: groups: has no value (write a list, each line starting with '- ')"],
  ],
  [
    'a list at the top',
    '- node\n',
    [
      "1:1: must be a map of keys and values, not a list (write keys and values, such as 'node: db1')",
    ],
  ],
  [
    'a text at the top',
    'node\n',
    [
      "1:1: must be a map of keys and values, not 'node' (write keys and values, such as 'node: db1')",
    ],
  ],
  [
    'a port alone',
    'listen: 9974\n',
    ['1:9: listen: cannot be 9974 (write HOST:PORT such as 127.0.0.1:9974, or off)'],
  ],
  [
    'a name to listen on',
    'listen: db1:9974\n',
    ["1:9: listen: 'db1' is not an address (write an IPv4 or [IPv6] address)"],
  ],
  [
    'no address to listen on',
    "listen: ':9974'\n",
    ['1:9: listen: names no address (write 0.0.0.0:PORT or [::]:PORT for all of them)'],
  ],
  [
    'IPv6 without brackets',
    "listen: '::1:9974'\n",
    ['1:9: listen: has no port (write HOST:PORT such as 127.0.0.1:9974, or off)'],
  ],
  [
    'IPv6 that is no more an address',
    "listen: 'fe80:0:0:0:1:2:3:4:9974'\n",
    ['1:9: listen: needs brackets around IPv6 (write [fe80:0:0:0:1:2:3:4]:PORT)'],
  ],
  [
    'a port out of range',
    'listen: 0.0.0.0:65536\n',
    ['1:9: listen: port 65536 does not exist (write 0 to 65535)'],
  ],
  [
    'a relative folder',
    'state: lib\n',
    ["1:8: state: 'lib' is not right (write an absolute path, such as /srv/nospof)"],
  ],
  [
    'a run folder too long for a socket',
    `\nrun: /${'x'.repeat(96)}\n`,
    [
      "2:6: run: nospof.sock in this folder has 109 bytes, a socket's name at most 107 (name a shorter folder)",
    ],
  ],
  [
    'an unknown collector',
    'collectors:\n  fan: off\n',
    ["2:3: collectors: no collector 'fan' (did you mean 'fans'?)"],
  ],
  [
    'an unknown word for a collector',
    'collectors:\n  fans: of\n',
    ["2:9: collectors.fans: cannot be 'of' (write on, off or {every: 2s})"],
  ],
  [
    'an unknown key of a collector',
    'collectors: {fans: {evry: 2s}}',
    ["1:21: collectors.fans: unknown key 'evry' (did you mean 'every'?)"],
  ],
  [
    'a number as a duration',
    'collectors: {fans: {every: 2}}',
    ['1:28: collectors.fans.every: must be text, not 2 (write 500ms, 2s, 5m or 1h)'],
  ],
  [
    'a duration of another language',
    'collectors: {fans: {every: 2 sec}}',
    ["1:28: collectors.fans.every: '2 sec' is not right (write 500ms, 2s, 5m or 1h)"],
  ],
  [
    'a duration too short',
    'collectors: {fans: {every: 99ms}}',
    ["1:28: collectors.fans.every: '99ms' is out of bounds (write 100ms to 1h)"],
  ],
  [
    'a duration too long',
    'collectors: {fans: {every: 61m}}',
    ["1:28: collectors.fans.every: '61m' is out of bounds (write 100ms to 1h)"],
  ],
  [
    'a group without its needs',
    'groups:\n  - name: a\n    kind: links\n    members: [link/eth0]\n',
    ["2:5: groups[0]: 'needs' is missing (add needs: 1)"],
  ],
  [
    'a group whose needs are mistyped: one problem, not two',
    "groups: [{name: a, kind: links, members: ['link/*'], neds: 1}]",
    ["1:54: groups[0]: unknown key 'neds' (did you mean 'needs'?)"],
  ],
  [
    'a group that needs more than it has',
    'groups: [{name: a, kind: links, members: [link/eth0], needs: 2}]',
    ['1:62: groups[0].needs: needs 2 of 1 member (write 1 or less)'],
  ],
  [
    'two groups of one name',
    `groups:\n- ${UPLINKS}\n- ${UPLINKS}\n`,
    ["3:10: groups[1].name: group 'a' is here twice (rename one)"],
  ],
  [
    'a member twice',
    'groups: [{name: a, kind: links, members: [link/a, link/a], needs: 1}]',
    ["1:51: groups[0].members[1]: member 'link/a' is here twice (keep one)"],
  ],
  [
    'no members',
    'groups: [{name: a, kind: links, members: [], needs: 1}]',
    ["1:42: groups[0].members: is empty (write a list such as ['link/eth0', 'link/eth1'])"],
  ],
  [
    'a fraction of a need',
    'needs: [{group: fans/*, needs: 1.5}]',
    ['1:32: needs[0].needs: must be a whole number, not 1.5 (write a whole number such as 1)'],
  ],
  [
    'alternatives in a glob',
    "ignore: ['link/{a,b}*']",
    [
      "1:10: ignore[0]: 'link/{a,b}*' holds characters that no identity has (only * stands for others; write a line for each alternative)",
    ],
  ],
  [
    'a glob without a kind',
    'ignore: [docker*]',
    ["1:10: ignore[0]: 'docker*' names no kind (write KIND/NAME such as link/docker*)"],
  ],
  [
    'an identity without a kind',
    'ignore: [eth0]',
    ["1:10: ignore[0]: 'eth0' is no component (write KIND/NAME such as link/eth0)"],
  ],
  [
    'everything ignored',
    "ignore: ['*']",
    ['1:10: ignore[0]: ignores everything (name a kind: link/docker*)'],
  ],
  [
    'a star without quotes',
    'node: a\nignore: [*/eth0]\n',
    ["2:10: nothing above has the anchor '/eth0' (put a text that starts with * into quotes)"],
  ],
  [
    'limits in the wrong order',
    'limits:\n- component: sensor/*\n  gauge: celsius\n  above: {failing: 80, failed: 75, recovers: 81}\n  below: {failing: 5, failed: 6, recovers: 4}\n',
    [
      '4:32: limits[0].above.failed: failed 75 must be above failing 80 (swap them, or leave one out)',
      '4:46: limits[0].above.recovers: recovers 81 must not be above failing 80 (write 80 or a value below it)',
      '5:31: limits[0].below.failed: failed 6 must be below failing 5 (swap them, or leave one out)',
      '5:44: limits[0].below.recovers: recovers 4 must not be below failing 5 (write 5 or a value above it)',
    ],
  ],
  [
    'limits that leave nothing',
    'limits: [{component: sensor/*, gauge: celsius, above: {failing: 10}, below: {failing: 10}}]',
    [
      '1:77: limits[0].below: 10 (below) and 10 (above) leave no good value (keep below under above)',
    ],
  ],
  [
    'limits that say nothing',
    'limits: [{component: sensor/*, gauge: celsius},\n  {component: sensor/*, gauge: celsius, above: {recovers: 3}}]',
    [
      '1:10: limits[0]: has neither above nor below (add above: {failing: 80}, or below)',
      '2:48: limits[1].above: has neither failing nor failed (give one of them)',
    ],
  ],
  [
    'a limit that is no number',
    'limits: [{component: sensor/*, gauge: celsius, above: {failing: .inf}}]',
    ['1:65: limits[0].above.failing: must be a number, not Infinity'],
  ],
  [
    'dependencies on globs and on itself',
    "dependencies:\n- {component: psu/a, needs: ['feed/*', psu/a, feed]}\n",
    [
      "2:30: dependencies[0].needs[0]: 'feed/*' holds a * (name each component by its identity)",
      "2:47: dependencies[0].needs[2]: 'feed' is no component (write KIND/NAME such as link/eth0)",
    ],
  ],
  [
    'a component that needs itself',
    'dependencies: [{component: psu/a, needs: [feed/a, psu/a]}]',
    ["1:51: dependencies[0].needs[1]: 'psu/a' needs itself (remove it)"],
  ],
  [
    'flaps without bounds',
    'flaps: [{component: link/*, changes: 65, within: 8d}]',
    [
      '1:38: flaps[0].changes: 65 is too large (write 64 or less)',
      "1:50: flaps[0].within: '8d' is out of bounds (write 1s to 7d)",
    ],
  ],
  [
    'targets that cannot be reached',
    [
      'reach:',
      '- {name: a, address: gw.example, method: icmp}',
      '- {name: b, address: 192.0.2.1, method: tcp}',
      '- {name: c, address: 192.0.2.1, method: icmp, port: 80}',
      "- {name: d, address: '2001:db8::1', method: arp}",
      "- {name: e, address: 'fe80::1', method: icmp}",
      "- {name: f, address: 'fe80::1%eth0', method: icmp}",
      '- {name: g, address: 224.0.0.1, method: icpm}',
      '- {name: a, address: 192.0.2.1, method: icmp, link: eth0/1}',
      '- {name: b, address: 192.0.2.1, method: icmp}',
    ].join('\n'),
    [
      "2:22: reach[0].address: 'gw.example' is not an IP address (write one such as 192.0.2.1)",
      "3:41: reach[1].method: method tcp needs a 'port' (add port: 443)",
      '4:53: reach[2].port: method icmp has no port (remove it, or write method: tcp)',
      '5:45: reach[3].method: ARP does not exist for IPv6 (write method: icmp)',
      "6:22: reach[4].address: is on every link (add the link, such as link: 'eth0')",
      '7:22: reach[5].address: names its interface (write the interface under link)',
      '8:22: reach[6].address: 224.0.0.1 is not the address of one host (write a host on that line)',
      "8:41: reach[6].method: 'icpm' is none of icmp, tcp, arp (did you mean 'icmp'?)",
      "9:53: reach[7].link: 'eth0/1' is not right (name an interface as 'ip link' does, such as eth0)",
      "10:10: reach[8].name: target 'b' is here twice (rename one)",
    ],
  ],
  [
    'series out of bounds',
    'series: {max: 99}',
    ['1:15: series.max: 99 is too small (write 100 or more)'],
  ],
  [
    'a tab',
    'roots:\n\tprocfs: /p\n',
    ['2:1: tabs are not allowed as indentation (indent with spaces)'],
  ],
  [
    'an open bracket',
    'ignore: [link/a\nnode: b\n',
    [
      '2:1: flow sequence in block collection must be sufficiently indented and end with a ] (check the indentation and that each [ and { is closed)',
    ],
  ],
  [
    'an open quote',
    'node: "a\n',
    ['2:1: missing closing "quote (close the quote or bracket, or put a space after the colon)'],
  ],
  [
    'two documents',
    'node: a\n---\nnode: b\n',
    ['2:1: a second document starts here (keep one: no second ---)'],
  ],
  [
    'a tag',
    'roots: !!set {procfs}\n',
    ['1:8: unresolved tag: tag:yaml.org,2002:set (remove the tag)'],
  ],
  [
    'an older YAML',
    '%YAML 1.1\n---\nlisten: off\n',
    ['1:1: YAML 1.1 is not read (remove the %YAML line)'],
  ],
  [
    'a merge key',
    'roots: &r {procfs: /p}\n<<: *r\n',
    [
      "2:1: unknown key '<<' (known here: node, listen, state, run, roots, collectors, groups, needs, limits, dependencies, flaps, ignore, reach, series)",
    ],
  ],
  ['a key that is a list', '? [a]\n: b\n', ['1:3: a key that is not text (a key is a plain word)']],
  [
    'a prototype',
    '__proto__: {node: a}\n',
    [
      "1:1: unknown key '__proto__' (known here: node, listen, state, run, roots, collectors, groups, needs, limits, dependencies, flaps, ignore, reach, series)",
    ],
  ],
  [
    'a list that holds itself',
    'node: &a [*a]\n',
    [
      '1:10: node: must be text, not a list (letters, digits, dots, dashes and underscores, as in a host name)',
    ],
  ],
  [
    'control characters',
    'node: "a\\e[2J\\n"\n',
    [
      "1:7: node: 'a?[2J?' is not right (letters, digits, dots, dashes and underscores, as in a host name)",
    ],
  ],
  [
    'a mistake behind an alias',
    'roots: {procfs: &p rel}\nstate: *p\n',
    [
      "1:20: roots.procfs: 'rel' is not right (write an absolute path, such as /srv/nospof)",
      "2:8: state: 'rel' is not right (write an absolute path, such as /srv/nospof)",
    ],
  ],
];

t.test('bad files', async (t) => {
  for (const [name, text, expected] of BAD) {
    t.strictSame(await problems(t, text), expected, name);
  }
});

t.test('all problems at once, in the order of the file', async (t) => {
  const together = [
    'series: {max: 1}',
    'listn: off',
    'node: 12',
    'node: a b',
    'collectors: {fan: off}',
    `groups: [${UPLINKS}, {name: a, kind: links, members: [link/x], needs: 9}]`,
  ].join('\n');
  const places = (await problems(t, together)).map((line) => line.split(': ', 1)[0]);
  t.strictSame(places, ['1:15', '2:1', '4:1', '4:7', '5:14', '6:75', '6:117']);
  const many = `ignore:\n${'- a\n'.repeat(300)}`;
  const shown = await problems(t, many);
  t.equal(shown.length, 101);
  t.equal(shown.at(-1), 'and 200 more problems');
});

t.test('bombs are refused, not run', async (t) => {
  const size = 300_000;
  const levels = [...'bcdefghi'].map(
    (name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(', ')}]`,
  );
  const bombs: readonly (readonly [string, RegExp])[] = [
    ['['.repeat(size), /1:64: is nested deeper than 64 levels/u],
    ['{a: '.repeat(size / 4), /nested deeper/u],
    ['- '.repeat(size / 2), /nested deeper/u],
    ['? '.repeat(size / 2), /nested deeper/u],
    ['k: a\n'.repeat(60_000), /has more than 200000 parts/u],
    [Array.from({ length: 2000 }, (_, index) => `k${index}: 1`).join('\n'), /more than 1000 keys/u],
    [`a: &a [x, x, x, x, x, x, x, x, x]\n${levels.join('\n')}`, /2:8: too many aliases/u],
  ];
  for (const [text, expected] of bombs) {
    const shown = await problems(t, text);
    t.match(shown.join('\n'), expected, text.slice(0, 20));
  }
});

t.test('files that cannot be read', async (t) => {
  const folder = t.testdir({ file: 'node: a\n' });
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('latin1'), Buffer.from([0x6e, 0x6f, 0x64, 0x65, 0x3a, 0x20, 0xe4]));
  writeFileSync(at('large'), '#'.repeat(1024 * 1024 + 1));
  writeFileSync(at('largest'), '#'.repeat(1024 * 1024));
  symlinkSync(at('circle'), at('circle'));
  const cases: readonly (readonly [string, string])[] = [
    [at('none'), 'does not exist (check the name)'],
    [at('file/x'), 'does not exist (a part of its path is a file, not a folder)'],
    [folder, 'is a folder (name the file in it)'],
    [at('latin1'), 'is not UTF-8 text (save it as UTF-8)'],
    [at('large'), 'is larger than 1 MiB (check what wrote it)'],
    [at('circle'), 'is a circle of links (mend the links)'],
    ['/dev/zero', 'is not a file (name a regular file)'],
    ['/proc/self/mem', 'cannot be read: EIO (check the disk)'],
  ];
  for (const [file, expected] of cases) {
    const loaded = await loadConfig(file, {}, AROUND);
    t.equal(loaded.ok ? '' : formatProblems(loaded.problems), `${file}: ${expected}`);
  }
  t.ok((await loadConfig(at('largest'), {}, AROUND)).ok, 'exactly the cap is read');
});

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
      t.strictSame(await problems(t, JSON.stringify({ [key]: example })), [], key);
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
    const loaded = await loadConfig(file, {}, AROUND);
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
