/**
 * What files and links do while somebody watches them: they come, go, are replaced, and lead elsewhere.
 */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { KeptFiles, keptFile } from '../agent/ports/files.ts';
import { listGlob, MATCHES_MAX } from '../agent/ports/glob.ts';
import { openProbe } from '../agent/probe.ts';
import type { Read } from '../collectors/lib/collector.ts';
import { NO_PORTS, object, place, sourceOf } from './place.ts';

function sys(glob: string): Read {
  return { kind: 'file', root: 'sys', glob };
}

t.test('a device folder that goes between two reads is not reported', async (t) => {
  const { probe, write, at } = place(t);
  write('sys/h/hwmon0/name', 'a\n');
  write('sys/h/hwmon1/name', 'b\n');
  write('sys/h/hwmon1/fan1_input', '5\n');
  const fans = sourceOf(sys('h/hwmon*/{name,fan1_input}'));
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
    const fans = sourceOf(sys('h/hwmon*/*'));
    await probe.read(fans);
    renameSync(at('sys/h/hwmon0'), at('sys/old'));
    renameSync(at('sys/new'), at('sys/h/hwmon0'));
    const snapshot = await probe.read(fans);
    t.strictSame(snapshot.get('sys/h/hwmon0/name'), { text: 'b\n' });
  },
);

t.test('the kernel itself says what is gone: descriptors on procfs', async (t) => {
  const { roots, at } = place(t);
  const probe = openProbe({
    roots: { ...roots, proc: '/proc' },
    ports: NO_PORTS,
    runDir: at('run'),
  });
  t.teardown(() => probe.close());
  const sleeper = spawn('/usr/bin/sleep', ['60'], { stdio: 'ignore' });
  const reads = sourceOf({ kind: 'file', root: 'proc', glob: `${sleeper.pid}/{comm,stat}` });
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
  const long = await probe.read(sourceOf({ kind: 'file', root: 'proc', glob: 'self/maps' }));
  t.match([...long.values()], [{ text: /\[stack\]/u }]);
});

t.test('a file that another takes the place of, in a folder that was still for long', async (t) => {
  const { roots, probe, write, at } = place(t);
  write('sys/h/a', 'one\n');
  write('sys/other/b', 'one\n');
  symlinkSync('../other/b', at('sys/h/b'));
  const files = sourceOf(sys('h/*'));
  // Files below the place are of a file system whose descriptors do not tell that they were replaced.
  const long = new Date(Date.now() - 60_000);
  const settle = (): void => {
    for (const folder of ['h', 'other']) utimesSync(join(roots.sys, folder), long, long);
  };
  settle();
  const first = await probe.read(files);
  t.equal(await probe.read(files), first);
  write('sys/new', 'two\n');
  renameSync(at('sys/new'), at('sys/h/a'));
  t.strictSame((await probe.read(files)).get('sys/h/a'), { text: 'two\n' });
  settle();
  await probe.read(files);
  write('sys/newer', 'three\n');
  renameSync(at('sys/newer'), at('sys/other/b'));
  t.strictSame((await probe.read(files)).get('sys/h/b'), { text: 'three\n' }, 'behind a link');
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
  symlinkSync('round', at('sys/round'));
  const round = listGlob(roots.sys, 'round/*');
  t.strictSame([...round.failed], [['round', 'ELOOP']], 'one that cannot be listed is not empty');
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
  const links = sourceOf(
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
