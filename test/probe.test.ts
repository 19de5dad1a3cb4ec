/**
 * The probe against real files, FIFOs, links and folders: whatever is in place of a file, every read
 * ends, no file hides another, and nothing is left open.
 */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { captureCollector, writeCaptures } from '../agent/capture.ts';
import { KeptFiles, keptFile } from '../agent/ports/files.ts';
import { listGlob, MATCHES_MAX } from '../agent/ports/glob.ts';
import type { ReadPort, ReadPorts, SpecialRead } from '../agent/ports/port.ts';
import { openProbe, type Probe } from '../agent/probe.ts';
import { decodeCapture } from '../collectors/lib/capture.ts';
import type { Read, Snapshot, Source } from '../collectors/lib/collector.ts';
import type { Roots } from '../rules/config.ts';

const nothing: ReadPort<SpecialRead> = {
  read: async () => ({ errno: 'ENOSYS' }),
  close: () => undefined,
};
const ports: ReadPorts = {
  command: nothing,
  dm: nothing,
  multipathd: nothing,
  kmsg: nothing,
  reach: nothing,
};

function source(...reads: readonly Read[]): Source {
  return {
    name: 'things',
    reads,
    wakes: [],
    everyMs: 1_000,
    staleMs: 3_000,
    parse: () => ({ kind: 'none', why: 'a test' }),
  };
}

function sys(glob: string): Read {
  return { kind: 'file', root: 'sys', glob };
}

interface Place {
  readonly roots: Roots;
  readonly probe: Probe;
  readonly write: (path: string, text: string) => void;
  readonly at: (path: string) => string;
}

function place(t: Test, given: ReadPorts = ports): Place {
  const folder = t.testdir({ sys: {}, proc: {}, dev: {}, run: {} });
  const at = (path: string): string => join(folder, path);
  const roots = { proc: at('proc'), sys: at('sys'), dev: at('dev'), run: at('run') };
  const probe = openProbe({ roots, ports: given, runDir: at('run') });
  t.teardown(() => probe.close());
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  return { roots, probe, write, at };
}

function mkfifo(path: string): void {
  const { status } = spawnSync('/usr/bin/mkfifo', [path]);
  if (status !== 0) throw new Error(`mkfifo ${path}`);
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

function object(snapshot: Snapshot): Record<string, unknown> {
  return Object.fromEntries(snapshot);
}

t.test(
  'files under their keys, in order, and the same snapshot while nothing changes',
  async (t) => {
    const { probe, write } = place(t);
    write('sys/class/hwmon/hwmon1/name', 'nct6775\n');
    write('sys/class/hwmon/hwmon0/name', 'coretemp\n');
    write('sys/class/hwmon/hwmon0/fan1_input', '900\n');
    const fans = source(sys('class/hwmon/hwmon*/{name,fan*_input}'), sys('kernel/missing'));
    const first = await probe.read(fans);
    t.strictSame(
      [...first],
      [
        ['sys/class/hwmon/hwmon0/fan1_input', { text: '900\n' }],
        ['sys/class/hwmon/hwmon0/name', { text: 'coretemp\n' }],
        ['sys/class/hwmon/hwmon1/name', { text: 'nct6775\n' }],
        ['sys/kernel/missing', { errno: 'ENOENT' }],
      ],
    );
    t.equal(await probe.read(fans), first, 'the same object');
    t.equal(probe.counts().kept, 3);
    write('sys/class/hwmon/hwmon0/fan1_input', '901\n');
    const second = await probe.read(fans);
    t.not(second, first);
    t.strictSame(second.get('sys/class/hwmon/hwmon0/fan1_input'), { text: '901\n' });
    t.strictSame(
      first.get('sys/class/hwmon/hwmon0/fan1_input'),
      { text: '900\n' },
      'a snapshot once given does not change',
    );
    const [one, other] = [probe.read(fans), probe.read(fans)];
    t.equal(one, other, 'a second call joins the first');
    t.equal(await one, second);
  },
);

t.test('what is no small regular file has an errno and hides no other', async (t) => {
  const { probe, write, at } = place(t);
  write('sys/d/good', 'fine\n');
  write('sys/d/big', '1'.repeat(10_000_000));
  write('sys/d/full', 'x'.repeat(64 * 1024));
  write('sys/d/over', 'x'.repeat(64 * 1024 + 1));
  write('sys/d/empty', '');
  mkdirSync(at('sys/d/folder'));
  symlinkSync('nowhere', at('sys/d/dangling'));
  symlinkSync('/dev/zero', at('sys/d/device'));
  symlinkSync('good', at('sys/d/link'));
  mkfifo(at('sys/d/fifo'));
  const all = source(sys('d/*'));
  const first = await probe.read(all);
  t.match(object(first), {
    'sys/d/big': { errno: 'E2BIG', why: 'more than 65536 bytes' },
    'sys/d/dangling': { errno: 'ENOENT' },
    'sys/d/device': { errno: 'EINVAL', why: 'not a regular file' },
    'sys/d/empty': { text: '' },
    'sys/d/fifo': { errno: 'EINVAL', why: 'not a regular file' },
    'sys/d/folder': { errno: 'EISDIR' },
    'sys/d/full': { text: 'x'.repeat(64 * 1024) },
    'sys/d/good': { text: 'fine\n' },
    'sys/d/link': { text: 'fine\n' },
    'sys/d/over': { errno: 'E2BIG' },
  });
  t.equal(first.size, 10);
  t.equal(await probe.read(all), first);
});

t.test('all files of a read together have a bound', async (t) => {
  const { probe, write } = place(t);
  for (let index = 100; index < 230; index += 1) {
    write(`sys/d/${index}`, 'x'.repeat(64 * 1024));
  }
  const snapshot = await probe.read(source(sys('d/*')));
  t.equal(snapshot.size, 130);
  const texts = [...snapshot.values()].filter((entry) => 'text' in entry);
  t.equal(texts.length, 128, '8 MiB');
  t.match(snapshot.get('sys/d/229'), { errno: 'E2BIG', why: /together/u });
});

t.test('a device folder that goes between two reads is not reported', async (t) => {
  const { probe, write, at } = place(t);
  write('sys/h/hwmon0/name', 'a\n');
  write('sys/h/hwmon1/name', 'b\n');
  write('sys/h/hwmon1/fan1_input', '5\n');
  const fans = source(sys('h/hwmon*/{name,fan1_input}'));
  t.equal((await probe.read(fans)).size, 3);
  rmSync(at('sys/h/hwmon1'), { recursive: true });
  t.strictSame(object(await probe.read(fans)), { 'sys/h/hwmon0/name': { text: 'a\n' } });
  t.equal(probe.counts().kept, 1);
  rmSync(at('sys/h/hwmon0'), { recursive: true });
  probe.relist(fans);
  t.equal((await probe.read(fans)).size, 0);
  t.equal(probe.counts().kept, 0, 'what is not listed any more is closed');
});

t.test(
  'a device that comes back under its name is read anew, not through the old one',
  async (t) => {
    const { probe, write, at } = place(t);
    write('sys/h/hwmon0/name', 'a\n');
    write('sys/new/name', 'b\n');
    write('sys/new/fan1_input', '5\n');
    const fans = source(sys('h/hwmon*/*'));
    await probe.read(fans);
    renameSync(at('sys/h/hwmon0'), at('sys/old'));
    renameSync(at('sys/new'), at('sys/h/hwmon0'));
    const snapshot = await probe.read(fans);
    t.strictSame(snapshot.get('sys/h/hwmon0/name'), { text: 'b\n' });
  },
);

t.test('the kernel itself says what is gone: descriptors on procfs', async (t) => {
  const { roots, at } = place(t);
  const probe = openProbe({ roots: { ...roots, proc: '/proc' }, ports, runDir: at('run') });
  t.teardown(() => probe.close());
  const { spawn } = await import('node:child_process');
  const sleeper = spawn('/usr/bin/sleep', ['60'], { stdio: 'ignore' });
  const reads = source({ kind: 'file', root: 'proc', glob: `${sleeper.pid}/{comm,stat}` });
  const first = await probe.read(reads);
  t.strictSame(first.get(`proc/${sleeper.pid}/comm`), { text: 'sleep\n' });
  t.equal(probe.counts().kept, 2);
  const ended = new Promise((resolve) => sleeper.once('exit', resolve));
  sleeper.kill('SIGKILL');
  await ended;
  const second = await probe.read(reads);
  t.strictSame([...second.values()], [{ errno: 'ENOENT' }, { errno: 'ENOENT' }]);
  t.equal(probe.counts().kept, 0);
  // Longer than a page: the kernel hands it out in several reads.
  const long = await probe.read(source({ kind: 'file', root: 'proc', glob: 'self/maps' }));
  t.match([...long.values()], [{ text: /\[stack\]/u }]);
});

t.test('what comes later is seen after a relist; a plain path at once', async (t) => {
  const { probe, write } = place(t);
  const both = source(sys('h/*/name'), { kind: 'file', root: 'proc', glob: 'mdstat' });
  t.strictSame(object(await probe.read(both)), { 'proc/mdstat': { errno: 'ENOENT' } });
  write('sys/h/hwmon0/name', 'a\n');
  write('proc/mdstat', 'Personalities :\n');
  t.strictSame(object(await probe.read(both)), { 'proc/mdstat': { text: 'Personalities :\n' } });
  probe.relist(both);
  t.strictSame(object(await probe.read(both)), {
    'sys/h/hwmon0/name': { text: 'a\n' },
    'proc/mdstat': { text: 'Personalities :\n' },
  });
});

t.test('globs', async (t) => {
  const { write, at, roots } = place(t);
  for (const name of ['fan10_input', 'fan2_input', 'fan2_min', 'in0', 'xfan1_input', 'f.n1']) {
    write(`sys/h/a/${name}`, '1\n');
    write(`sys/h/b/${name}`, '1\n');
  }
  symlinkSync('h', at('sys/class'));
  const paths = (glob: string): readonly string[] => listGlob(roots.sys, glob).paths;
  t.strictSame(paths('h/a/fan*_input'), ['h/a/fan10_input', 'h/a/fan2_input']);
  t.strictSame(paths('h/{b,a}/fan2_{input,min}'), [
    'h/a/fan2_input',
    'h/a/fan2_min',
    'h/b/fan2_input',
    'h/b/fan2_min',
  ]);
  t.strictSame(paths('class/*/{in0,none}'), ['class/a/in0', 'class/b/in0']);
  t.strictSame(paths('h/a/{fan*_min,in{0,1}}'), ['h/a/fan2_min', 'h/a/in0'], 'nested, mixed');
  t.strictSame(paths('h/*/f.n*'), ['h/a/f.n1', 'h/b/f.n1'], 'a dot is a dot');
  t.strictSame(paths('h/a/in0/*'), [], 'below a file is nothing');
  t.strictSame(paths('h/{no,neither}'), ['h/neither', 'h/no'], 'plain paths need not exist');
  const gone = listGlob(join(roots.sys, 'none'), 'h/*');
  t.strictSame([...gone.failed], [['', 'ENOENT']], 'a missing root is no empty root');
  const many = at('sys/many');
  mkdirSync(many);
  for (let index = 0; index < MATCHES_MAX + 5; index += 1)
    appendFileSync(join(many, `${index}`), '');
  t.match(listGlob(roots.sys, 'many/*'), { dropped: 5, paths: { length: MATCHES_MAX } });
});

t.test('links lead to where they end, in the words of snapshots', async (t) => {
  const { probe, write, at } = place(t);
  write('sys/devices/pci0000:00/eth/address', '02\n');
  write('dev/sda', '');
  mkdirSync(at('sys/class/net'), { recursive: true });
  mkdirSync(at('dev/disk'));
  symlinkSync('../../devices/pci0000:00/eth', at('sys/class/net/eth0'));
  symlinkSync('../../devices/gone', at('sys/class/net/eth1'));
  symlinkSync('/usr', at('sys/class/net/eth2'));
  writeFileSync(at('sys/class/net/masters'), '');
  symlinkSync(at('dev/sda'), at('dev/disk/wwn'));
  const links = source(
    { kind: 'link', root: 'sys', glob: 'class/net/*' },
    { kind: 'link', root: 'dev', glob: 'disk/wwn' },
  );
  const first = await probe.read(links);
  t.match(object(first), {
    'sys/class/net/eth0': { link: 'sys/devices/pci0000:00/eth' },
    'sys/class/net/eth1': { errno: 'ENOENT' },
    'sys/class/net/eth2': { errno: 'EXDEV', why: 'leads to /usr' },
    'sys/class/net/masters': { errno: 'EINVAL' },
    'dev/disk/wwn': { link: 'dev/sda' },
  });
  t.equal(await probe.read(links), first);
  rmSync(at('dev/disk/wwn'));
  symlinkSync('../sdb', at('dev/disk/wwn'));
  write('dev/sdb', '');
  t.strictSame((await probe.read(links)).get('dev/disk/wwn'), { link: 'dev/sdb' });
});

t.test('beyond the bound of kept descriptors files are still read', (t) => {
  const { write, at } = place(t);
  const files = new KeptFiles({ mayBlock: false, keptMax: 2 });
  const some = ['a', 'b', 'c', 'd'].map((name) => {
    write(`sys/${name}`, name);
    return keptFile(at(`sys/${name}`));
  });
  for (const round of ['changed', 'same']) {
    for (const file of some) t.equal(files.read(file, 10), round);
    t.equal(files.kept, 2);
  }
  t.strictSame(
    some.map(({ entry }) => entry),
    [{ text: 'a' }, { text: 'b' }, { text: 'c' }, { text: 'd' }],
  );
  files.close();
  t.equal(files.kept, 0);
  t.end();
});

t.test('a port that throws or never answers is an errno', async (t) => {
  const { probe } = place(t, {
    ...ports,
    dm: {
      read: () => {
        throw Object.assign(new Error('no\n such ioctl'), { code: 'ENOTTY' });
      },
      close: () => undefined,
    },
    command: { read: () => new Promise(() => undefined), close: () => undefined },
  });
  const snapshot = await probe.read(
    source(
      { kind: 'command', name: 'never', argv: ['never'], deadlineMs: 50 },
      { kind: 'dm', target: 'multipath' },
      { kind: 'multipathd', request: 'show maps json' },
      { kind: 'kmsg' },
      { kind: 'reach' },
    ),
  );
  t.strictSame(
    [...snapshot],
    [
      ['command:never', { errno: 'ETIMEDOUT', why: 'no answer within 1050 ms' }],
      ['dm:multipath', { errno: 'ENOTTY', why: 'no such ioctl' }],
      ['multipathd:show maps json', { errno: 'ENOSYS' }],
      ['kmsg', { errno: 'ENOSYS' }],
      ['reach', { errno: 'ENOSYS' }],
    ],
  );
});

t.test('closing leaves no descriptor', async (t) => {
  const { roots, at, write } = place(t);
  for (let index = 0; index < 20; index += 1) write(`sys/d/${index}`, 'x');
  const reads = source(sys('d/*'), sys('none'));
  const cycle = async (): Promise<void> => {
    const probe = openProbe({ roots, ports, runDir: at('run') });
    await probe.read(reads);
    t.equal(probe.counts().kept, 20);
    await probe.close();
    t.match([...(await probe.read(reads)).values()], [{ errno: 'ECANCELED' }]);
  };
  await cycle();
  const before = descriptors();
  await cycle();
  t.equal(descriptors(), before);
});

t.test('a capture reads back as the snapshot', async (t) => {
  const { roots, at, write } = place(t);
  write('sys/d/name', 'a\n');
  write('sys/d/open', 'no newline');
  const things = source(sys('d/*'), sys('none'));
  const captures = await captureCollector(
    { name: 'test', sees: 'things', sources: [things] },
    { roots, ports, runDir: at('run') },
    ['a note'],
  );
  t.equal(captures.length, 1);
  t.match(captures[0]?.text, /^# test\/things\n# a note\n/u);
  const [path = ''] = writeCaptures(at('run'), 'case', captures);
  t.equal(path, at('run/things.case.snap'));
  t.ok(existsSync(path));
  t.strictSame(object(decodeCapture(readFileSync(path, 'utf8'))), {
    'sys/d/name': { text: 'a\n' },
    'sys/d/open': { text: 'no newline' },
    'sys/none': { errno: 'ENOENT' },
  });
  t.throws(() => writeCaptures(at('run'), 'case', captures), { code: 'EEXIST' });
});
