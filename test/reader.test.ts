/**
 * Files that may hang, with FIFOs that nobody writes to: only the hung file loses its value, the loop
 * never waits, and no child outlives its purpose.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { openProbe } from '../agent/probe.ts';
import { ReaderProcess } from '../agent/reader/process.ts';
import type { Answer } from '../agent/reader/protocol.ts';
import { HangReader } from '../agent/reader/reader.ts';
import type { Source } from '../collectors/lib/collector.ts';
import {
  childrenOf,
  descriptors,
  mkfifo,
  NO_PORTS,
  object,
  place,
  sourceOf,
  until,
} from './place.ts';

function source(glob: string): Source {
  return sourceOf({ kind: 'file', root: 'sys', glob, mayHang: true });
}

t.test('no child without a file that may hang', async (t) => {
  const { probe } = place(t);
  const before = childrenOf(process.pid);
  t.equal((await probe.read(source('class/hwmon/*/power1_average'))).size, 0);
  t.strictSame(object(await probe.read(source('plain/file'))), {
    'sys/plain/file': { errno: 'ENOENT' },
  });
  t.strictSame(childrenOf(process.pid), before);
  t.equal(probe.counts().readers, 0);
});

t.test('values through the child, and the same snapshot while nothing changes', async (t) => {
  const { probe, write, at } = place(t);
  write('sys/h/a/power1_average', '120000000\n');
  write('sys/h/b/power1_average', '130000000\n');
  write('sys/h/b/name', 'power_meter\n');
  mkdirSync(at('sys/h/c/power1_average'), { recursive: true });
  write('sys/h/d/power1_average', 'x'.repeat(70_000));
  const meters = source('h/*/{name,power1_average}');
  const first = await probe.read(meters);
  t.strictSame(
    [...first],
    [
      ['sys/h/a/power1_average', { text: '120000000\n' }],
      ['sys/h/b/name', { text: 'power_meter\n' }],
      ['sys/h/b/power1_average', { text: '130000000\n' }],
      ['sys/h/c/power1_average', { errno: 'EISDIR' }],
      ['sys/h/d/power1_average', { errno: 'E2BIG', why: 'more than 65536 bytes' }],
    ],
  );
  t.equal(await probe.read(meters), first);
  write('sys/h/a/power1_average', '125000000\n');
  const second = await probe.read(meters);
  t.strictSame(second.get('sys/h/a/power1_average'), { text: '125000000\n' });
  t.equal(probe.counts().kept, 0, 'nothing is opened here');
  t.equal(childrenOf(process.pid).length, 1);
  t.strictSame(readdirSync(at('run')), [], 'the progress file has no name');
  rmSync(at('sys/h/b'), { recursive: true });
  await probe.read(meters);
  t.strictSame(
    [...(await probe.read(meters)).keys()],
    ['sys/h/a/power1_average', 'sys/h/c/power1_average', 'sys/h/d/power1_average'],
    'a device that went is not listed any more',
  );
});

t.test('a file that hangs: only it changes, nobody waits, it comes back', async (t) => {
  const { probe, write, at } = place(t);
  for (const device of ['a', 'b', 'c']) {
    write(`sys/h/${device}/name`, `${device}\n`);
    write(`sys/h/${device}/power1_average`, '1\n');
  }
  rmSync(at('sys/h/b/name'));
  mkfifo(at('sys/h/b/name'));
  const meters = source('h/*/*');
  let ticks = 0;
  const ticking = setInterval(() => {
    ticks += 1;
  }, 10);
  const first = await probe.read(meters);
  clearInterval(ticking);
  t.ok(ticks >= 50, `the loop went on while the read hung (${ticks} ticks)`);
  const hung = { errno: 'ETIMEDOUT', why: 'no answer within 1000 ms' };
  t.strictSame(object(first), {
    'sys/h/a/name': { text: 'a\n' },
    'sys/h/a/power1_average': { text: '1\n' },
    'sys/h/b/name': hung,
    'sys/h/b/power1_average': { text: '1\n' },
    'sys/h/c/name': { text: 'c\n' },
    'sys/h/c/power1_average': { text: '1\n' },
  });
  t.equal(probe.counts().quarantined, 1);
  t.equal(probe.drops().quarantined, 1);
  t.equal(await probe.read(meters), first, 'the next read leaves it out');

  await pause(1_100);
  write('sys/h/a/power1_average', '2\n');
  const again = await probe.read(meters);
  t.strictSame(
    again.get('sys/h/a/power1_average'),
    { text: '2\n' },
    'the others are read while it is tried again',
  );
  t.strictSame(again.get('sys/h/b/name'), hung);
  t.ok(childrenOf(process.pid).length <= 2, 'at most a reader and a second one');

  rmSync(at('sys/h/b/name'));
  write('sys/h/b/name', 'b\n');
  const back = await until(async () => {
    const entry = (await probe.read(meters)).get('sys/h/b/name');
    return entry !== undefined && 'text' in entry && entry.text === 'b\n';
  }, 15_000);
  t.ok(back, 'it comes back by itself');
  t.equal(probe.counts().quarantined, 0);
  const last = await probe.read(meters);
  t.equal(await probe.read(meters), last);
  t.strictSame(last.get('sys/h/a/power1_average'), { text: '2\n' });
  t.ok(await until(() => childrenOf(process.pid).length === 1, 5_000), 'the second child ended');
});

t.test('sources do not lose their values to the hung file of another', async (t) => {
  const { probe, write, at } = place(t);
  write('sys/good/value', '1\n');
  mkfifo(at('sys/bad/one'));
  mkfifo(at('sys/bad/two'));
  write('sys/worse/value', '2\n');
  const [bad, good] = await Promise.all([
    probe.read(source('{bad,worse}/*')),
    probe.read(source('good/*')),
  ]);
  t.strictSame(object(good), { 'sys/good/value': { text: '1\n' } });
  t.match(object(bad), {
    'sys/bad/one': { errno: 'ETIMEDOUT' },
    'sys/bad/two': { errno: 'ETIMEDOUT' },
    'sys/worse/value': { text: '2\n' },
  });
  t.equal(probe.counts().quarantined, 2);
});

t.test('a child that dies is replaced; its file is no value', async (t) => {
  const { probe, write } = place(t);
  write('sys/h/a', '1\n');
  const meters = source('h/*');
  const first = await probe.read(meters);
  const [child = 0] = childrenOf(process.pid);
  process.kill(child, 'SIGKILL');
  t.ok(await until(() => !existsSync(`/proc/${child}`), 5_000));
  t.equal(await probe.read(meters), first, 'the new child says the same');
  t.not(childrenOf(process.pid)[0], child);
});

t.test('a child that dies in a read: that file is not tried in the same breath', async (t) => {
  const { probe, write, at } = place(t);
  mkfifo(at('sys/h/a'));
  write('sys/h/b', '1\n');
  const meters = source('h/*');
  const underWay = probe.read(meters);
  t.ok(await until(() => childrenOf(process.pid).length === 1, 5_000));
  await pause(500);
  const [child = 0] = childrenOf(process.pid);
  process.kill(child, 'SIGKILL');
  t.strictSame(object(await underWay), {
    'sys/h/a': { errno: 'EIO', why: 'the process that read it died' },
    'sys/h/b': { text: '1\n' },
  });
  t.equal(probe.counts().quarantined, 1);
});

t.test('the child says only what changed', async (t) => {
  const { at, write } = place(t);
  write('sys/h/a', '1\n');
  write('sys/h/b', '2\n');
  const child = new ReaderProcess({ runDir: at('run'), hangMs: 2_000 });
  t.teardown(() => child.close());
  const files = ['a', 'b'].map((name, index) => ({ index, path: at(`sys/h/${name}`) }));
  const read = async (): Promise<readonly Answer[]> => {
    const heard: Answer[] = [];
    const done: number[] = [];
    const hearing = {
      answered: (answers: readonly Answer[]) => heard.push(...answers),
      done: (list: number) => done.push(list),
    };
    t.strictSame(await child.read([{ list: 1, seldom: false, files }], hearing), { how: 'done' });
    t.strictSame(done, [1]);
    return heard;
  };
  t.equal((await read()).length, 2);
  t.strictSame(await read(), []);
  write('sys/h/b', '3\n');
  t.strictSame(await read(), [{ index: 1, entry: { text: '3\n' }, vanished: false }]);
});

t.test('without a folder for the progress file every file says so', async (t) => {
  const { write, at } = place(t);
  write('sys/h/a', '1\n');
  const reader = new HangReader({ runDir: at('none') });
  const list = reader.list();
  reader.setFiles(list, [{ key: 'sys/h/a', path: at('sys/h/a') }]);
  await reader.read(list, 1_000);
  t.match(list.files[0]?.entry, { errno: 'ENOENT', why: /no reader process: ENOENT in .*none/u });
  await reader.read(list, 1_000);
  t.match(list.files[0]?.entry, { errno: 'ECHILD', why: /no reader process: ENOENT in .*none/u });
  await reader.close();
});

t.test('more hung files than one read can wait for', async (t) => {
  const { at, write } = place(t);
  const reader = new HangReader({ runDir: at('run'), hangMs: 2_000 });
  t.teardown(() => reader.close());
  for (const name of ['1', '2', '3']) {
    mkfifo(at(`sys/${name}/value`));
  }
  write('sys/4/value', '4\n');
  const list = reader.list();
  reader.setFiles(
    list,
    ['1', '2', '3', '4'].map((name) => ({ key: name, path: at(`sys/${name}/value`) })),
  );
  await reader.read(list, 1_000);
  t.match(
    list.files.map(({ entry }) => entry),
    [
      { errno: 'ETIMEDOUT', why: 'no answer within 2000 ms' },
      // A machine with more to do may not come to it.
      { errno: 'ETIMEDOUT', why: /no answer within 2000 ms|not reached/u },
      { errno: 'ETIMEDOUT', why: 'not reached within 5000 ms' },
      { errno: 'ETIMEDOUT', why: 'not reached within 5000 ms' },
    ],
    'settles, and guesses nothing',
  );
  await reader.read(list, 1_000);
  t.match(list.files[3]?.entry, { text: '4\n' }, 'the next read has it');
});

t.test('closing ends the children, hung ones too, and leaves no descriptor', async (t) => {
  const { roots, write, at } = place(t);
  write('sys/h/a', '1\n');
  mkfifo(at('sys/h/fifo'));
  const cycle = async (): Promise<void> => {
    const probe = openProbe({ roots, ports: NO_PORTS, runDir: at('run') });
    const underWay = probe.read(source('h/*'));
    await pause(500);
    const children = childrenOf(process.pid);
    t.equal(children.length, 1);
    await probe.close();
    t.match(object(await underWay), { 'sys/h/fifo': { errno: 'ECANCELED' } });
    for (const pid of children) t.notOk(existsSync(`/proc/${pid}`), 'gone');
    t.equal(probe.counts().readers, 0);
  };
  await cycle();
  const before = descriptors();
  await cycle();
  t.equal(descriptors(), before);
});

for (const hangs of [false, true]) {
  t.test(`an agent that is killed leaves no ${hangs ? 'hung' : 'idle'} child`, async (t) => {
    const { roots, write, at } = place(t);
    write('sys/h/a', '1\n');
    if (hangs) mkfifo(at('sys/h/b'));
    const agent = new URL('../agent/reader/reader.js', import.meta.url).href;
    const script = `
      const { HangReader } = await import(${JSON.stringify(agent)});
      const reader = new HangReader({ runDir: ${JSON.stringify(roots.run)}, hangMs: 60000 });
      const list = reader.list();
      reader.setFiles(list, ${JSON.stringify([at('sys/h/a'), ...(hangs ? [at('sys/h/b')] : [])].map((path) => ({ key: path, path })))});
      reader.read(list, 0).then(() => console.log('read'));
      setInterval(() => undefined, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const pid = parent.pid ?? 0;
    t.ok(await until(() => childrenOf(pid).length === 1, 10_000));
    const [child = 0] = childrenOf(pid);
    const waits = (): boolean => {
      const fds = readdirSync(`/proc/${child}/fd`).length;
      // The hung child stands in open(); an idle one has its file open and sleeps in epoll.
      const wchan = readFileSync(`/proc/${child}/status`, 'utf8');
      return fds > 5 && /State:\s+S/u.test(wchan);
    };
    t.ok(await until(waits, 10_000));
    await pause(300);
    process.kill(pid, 'SIGKILL');
    t.ok(await until(() => !existsSync(`/proc/${child}`), 5_000), 'gone with its parent');
  });
}
