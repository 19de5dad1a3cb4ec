/**
 * The probe against real files, FIFOs and folders: whatever is in place of a file, every read ends, no
 * file hides another, and nothing is left open.
 */
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import t from 'tap';
import { captureCollector, writeCaptures } from '../agent/capture.ts';
import { openProbe } from '../agent/probe.ts';
import { decodeCapture } from '../collectors/lib/capture.ts';
import type { Read } from '../collectors/lib/collector.ts';
import { descriptors, mkfifo, NO_PORTS, object, place, sourceOf } from './place.ts';

function sys(glob: string): Read {
  return { kind: 'file', root: 'sys', glob };
}

t.test(
  'files under their keys, in order, and the same snapshot while nothing changes',
  async (t) => {
    const { probe, write } = place(t);
    write('sys/class/hwmon/hwmon1/name', 'nct6775\n');
    write('sys/class/hwmon/hwmon0/name', 'coretemp\n');
    write('sys/class/hwmon/hwmon0/fan1_input', '900\n');
    const fans = sourceOf(sys('class/hwmon/hwmon*/{name,fan*_input}'), sys('kernel/missing'));
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
  const all = sourceOf(sys('d/*'));
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
  const snapshot = await probe.read(sourceOf(sys('d/*')));
  t.equal(snapshot.size, 130);
  const texts = [...snapshot.values()].filter((entry) => 'text' in entry);
  t.equal(texts.length, 128, '8 MiB');
  t.match(snapshot.get('sys/d/229'), { errno: 'E2BIG', why: /together/u });
});

t.test('what comes later is seen after a relist; a plain path at once', async (t) => {
  const { probe, write } = place(t);
  const both = sourceOf(sys('h/*/name'), { kind: 'file', root: 'proc', glob: 'mdstat' });
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

t.test('a port that throws or never answers is an errno', async (t) => {
  const { probe } = place(t, {
    ...NO_PORTS,
    dm: {
      read: () => {
        throw Object.assign(new Error('no\n such ioctl'), { code: 'ENOTTY' });
      },
      close: () => undefined,
    },
    command: { read: () => new Promise(() => undefined), close: () => undefined },
  });
  const snapshot = await probe.read(
    sourceOf(
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
  const reads = sourceOf(sys('d/*'), sys('none'));
  const cycle = async (): Promise<void> => {
    const probe = openProbe({ roots, ports: NO_PORTS, runDir: at('run') });
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
  const things = sourceOf(sys('d/*'), sys('none'));
  const captures = await captureCollector(
    { name: 'test', sees: 'things', sources: [things] },
    { roots, ports: NO_PORTS, runDir: at('run') },
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

t.test(
  'what stands still is read when listed, and again only until it could be read',
  async (t) => {
    const { probe, write } = place(t);
    write('sys/class/hwmon/hwmon0/fan1_label', 'front\n');
    write('sys/class/hwmon/hwmon0/fan2_label', 'rear\n');
    for (const mayHang of [{}, { mayHang: true } as const]) {
      write('sys/class/hwmon/hwmon0/fan1_label', 'front\n');
      const source = sourceOf({
        kind: 'file',
        root: 'sys',
        glob: 'class/hwmon/*/fan*_label',
        still: true,
        ...mayHang,
      });
      const first = await probe.read(source);
      t.strictSame(first.get('sys/class/hwmon/hwmon0/fan1_label'), { text: 'front\n' });
      write('sys/class/hwmon/hwmon0/fan1_label', 'left\n');
      t.equal(await probe.read(source), first, 'it is not read each time');
      probe.relist(source);
      const second = await probe.read(source);
      t.strictSame(
        second.get('sys/class/hwmon/hwmon0/fan1_label'),
        { text: 'left\n' },
        'a wake reads it',
      );
    }
    write('sys/class/hwmon/hwmon1/fan1_label', 'x'.repeat(70_000));
    const big = sourceOf({
      kind: 'file',
      root: 'sys',
      glob: 'class/hwmon/hwmon1/fan*_label',
      still: true,
    });
    t.match((await probe.read(big)).get('sys/class/hwmon/hwmon1/fan1_label'), { errno: 'E2BIG' });
    write('sys/class/hwmon/hwmon1/fan1_label', 'now\n');
    t.strictSame((await probe.read(big)).get('sys/class/hwmon/hwmon1/fan1_label'), {
      text: 'now\n',
    });
  },
);
