/**
 * Kernel wakes against the real kernel: uevents, rtnetlink, POLLPRI and the kernel log each wake, and
 * nothing else does. Other programs on the machine cause events too, so every test waits for its own.
 */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import koffi from 'koffi';
import t, { type Test } from 'tap';
import { matches } from '../agent/kernel/wakes.ts';
import { monotonicMs } from '../agent/ports/clock.ts';
import {
  CHILD,
  cgroups,
  child,
  HANG_MS,
  missing,
  netns,
  opened,
  recorder,
  wakesChild,
} from './helpers/wakes.ts';

const LOOP = '/sys/block/loop0/uevent';

t.test('a source is read for what it asked for', (t) => {
  const pollpri = { on: 'pollpri', root: 'sys', glob: 'block/md*/md/{degraded,a*}' } as const;
  const uevent = { on: 'uevent', subsystem: 'block', action: 'add' } as const;
  t.ok(matches({ on: 'uevent', subsystem: 'block' }, uevent));
  t.notOk(matches({ on: 'uevent', subsystem: 'net' }, uevent));
  t.ok(matches({ on: 'netlink', about: 'link' }, { on: 'netlink', about: 'link' }));
  t.notOk(matches({ on: 'netlink', about: 'route' }, { on: 'netlink', about: 'link' }));
  t.ok(matches(pollpri, { on: 'pollpri', path: 'sys/block/md0/md/degraded' }));
  t.notOk(matches(pollpri, { on: 'pollpri', path: 'proc/block/md0/md/degraded' }));
  t.notOk(matches(pollpri, { on: 'pollpri', path: 'sys/block/md0/md/level' }));
  t.ok(matches({ on: 'kmsg' }, { on: 'kmsg' }));
  t.notOk(matches({ on: 'kmsg' }, uevent));
  for (const wake of [pollpri, { on: 'kmsg' }, { on: 'uevent', subsystem: 'x' }] as const) {
    t.ok(matches(wake, { on: 'overflow' }), 'after an overflow everything is read');
  }
  t.end();
});

async function uevents(t: Test): Promise<void> {
  const record = recorder();
  const wakes = await opened(t, record, [{ on: 'uevent', subsystem: 'block' }]);
  t.equal(wakes.mode, 'kernel');
  const before = monotonicMs();
  writeFileSync(LOOP, 'change');
  await record.until(() => record.has({ on: 'uevent', subsystem: 'block', action: 'change' }));
  const at = record.at.at(-1) ?? 0;
  t.ok(at >= before && at <= monotonicMs(), 'says when, on the clock of this thread');
  t.strictSame(record.troubles, []);
}

/** Sends a uevent as a program with CAP_NET_ADMIN can: to the kernel's own group, from another port. */
function forge(t: Test, text: string): void {
  const libc = koffi.load('libc.so.6');
  const fd = libc.func('int socket(int, int, int)')(16, 3, 15);
  const bytes = Buffer.from(text);
  const address = Buffer.alloc(12);
  new Uint16Array(address.buffer, address.byteOffset, 1)[0] = 16;
  new Uint32Array(address.buffer, address.byteOffset + 8, 1)[0] = 1;
  const send = libc.func('long sendto(int, void *, size_t, int, void *, uint32_t)');
  t.equal(send(fd, bytes, bytes.length, 0, address, 12), bytes.length, 'was sent');
  libc.func('int close(int)')(fd);
}

async function forgedUevents(t: Test): Promise<void> {
  const record = recorder();
  const subsystems = ['block', 'forged'];
  await opened(
    t,
    record,
    subsystems.map((subsystem) => ({ on: 'uevent', subsystem })),
  );
  forge(t, 'remove@/devices/x\0ACTION=remove\0SUBSYSTEM=forged\0');
  writeFileSync(LOOP, 'change');
  await record.until(() => record.has({ subsystem: 'block' }));
  t.notOk(record.has({ subsystem: 'forged' }), 'only the kernel is believed');
}

async function kernelLog(t: Test): Promise<void> {
  const record = recorder();
  await opened(t, record, [{ on: 'kmsg' }]);
  writeFileSync('/dev/kmsg', 'nospof: a test of kernel wakes\n');
  await record.until(() => record.has({ on: 'kmsg' }));
}

async function oldRecords(t: Test): Promise<void> {
  // Others may write to the log at any time, but not at every time.
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const record = recorder();
    const wakes = await opened(t, record, [{ on: 'kmsg' }, { on: 'uevent', subsystem: 'block' }]);
    writeFileSync(LOOP, 'change');
    await record.until(() => record.has({ subsystem: 'block' }));
    await wakes.close();
    if (!record.has({ on: 'kmsg' })) return;
  }
  t.fail('woken by records from before it was opened');
}

async function rtnetlink(t: Test): Promise<void> {
  const name = netns(t, 'rtnl');
  const both = wakesChild(
    t,
    {
      wakes: [
        { on: 'netlink', about: 'link' },
        { on: 'netlink', about: 'route' },
      ],
    },
    ['ip', 'netns', 'exec', name],
  );
  const links = wakesChild(t, { wakes: [{ on: 'netlink', about: 'link' }] }, [
    'ip',
    'netns',
    'exec',
    name,
  ]);
  await Promise.all([both, links].map((each) => each.until(({ ready }) => ready === 'kernel')));
  execFileSync('ip', ['-n', name, 'link', 'add', 'a0', 'type', 'veth', 'peer', 'name', 'a1']);
  const about = (what: string) => (line: { readonly seen?: readonly object[] }) =>
    line.seen?.some((wake) => Reflect.get(wake, 'about') === what) === true;
  await both.until(about('link'));
  await links.until(about('link'));
  t.notOk(both.lines.some(about('route')));
  execFileSync('ip', ['-n', name, 'route', 'add', 'blackhole', '192.0.2.0/24']);
  await both.until(about('route'));
  execFileSync('ip', ['-n', name, 'link', 'del', 'a0']);
  links.process.stdin?.end();
  await links.until(({ closed }) => closed === true);
  t.notOk(links.lines.some(about('route')), 'routes wake only who asked for them');
}

async function mounts(t: Test): Promise<void> {
  const sleeper = child(t, ['unshare', '-m', 'sleep', '60']);
  const pid = `${sleeper.process.pid}`;
  const own = readlinkSync('/proc/self/ns/mnt');
  while (readlinkSync(`/proc/${pid}/ns/mnt`) === own) await pause(10);
  const record = recorder();
  await opened(t, record, [{ on: 'pollpri', root: 'proc', glob: 'mou*s' }], {
    proc: `/proc/${pid}`,
  });
  for (const count of [1, 2]) {
    execFileSync('nsenter', ['-t', pid, '-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']);
    await record.until(() => record.seen.length >= count);
  }
  t.ok(record.seen.every((wake) => wake.on === 'pollpri' && wake.path === 'proc/mounts'));
}

async function kernfs(t: Test): Promise<void> {
  const sys = cgroups(t);
  const group = join(sys, `nospof-${process.pid}`);
  mkdirSync(group);
  const record = recorder();
  const glob = `nospof-${process.pid}*/cgroup.{events,nothing}`;
  await opened(
    t,
    record,
    [
      { on: 'pollpri', root: 'sys', glob },
      { on: 'uevent', subsystem: 'block' },
    ],
    { sys },
  );
  const key = `sys/nospof-${process.pid}/cgroup.events`;
  const count = (path: string) =>
    record.seen.filter((wake) => wake.on === 'pollpri' && wake.path === path).length;
  const synchronise = async () => {
    const before = record.seen.length;
    writeFileSync(LOOP, 'change');
    await record.until(() => record.seen.slice(before).some(({ on }) => on === 'uevent'));
  };
  await synchronise();
  t.equal(count(key), 0, 'a file that was read once is silent');

  const member = child(t, ['sleep', '60']);
  writeFileSync(join(group, 'cgroup.procs'), `${member.process.pid}`);
  await record.until(() => count(key) === 1);
  await synchronise();
  t.equal(count(key), 1, 'and silent again after its wake');
  member.process.kill('SIGKILL');
  await record.until(() => count(key) === 2);

  rmdirSync(group);
  await synchronise();
  // Of one round the uevent is told before the files.
  await synchronise();
  const gone = count(key);
  await synchronise();
  t.equal(count(key), gone, 'a file whose device is gone does not fire for ever');

  mkdirSync(`${group}-late`);
  t.teardown(() => rmdirSync(`${group}-late`));
  const late = `sys/nospof-${process.pid}-late/cgroup.events`;
  writeFileSync(LOOP, 'change');
  await record.until(() => count(late) === 1);
  t.strictSame(record.troubles, [], 'a new file is found after a uevent, and its source is read');
}

async function overflow(t: Test): Promise<void> {
  const name = netns(t, 'flood');
  const inside = ['ip', 'netns', 'exec', name] as const;
  const watcher = wakesChild(t, { wakes: [{ on: 'uevent', subsystem: 'net' }] }, inside);
  await watcher.until(({ ready }) => ready === 'kernel');
  watcher.process.kill('SIGSTOP');
  const flood = { flood: '/sys/class/net/lo/uevent', times: 60_000 };
  const flooder = child(t, [...inside, process.execPath, CHILD, JSON.stringify(flood)]);
  t.equal(await flooder.exit, 0);
  watcher.process.kill('SIGCONT');
  await watcher.until(({ seen }) => seen?.some(({ on }) => on === 'overflow') === true);
  const last = watcher.lines.at(-1);
  t.equal(last?.mode, 'kernel', 'it is the kernel that said so, not the polling twin');
}

async function notToBeHad(t: Test): Promise<void> {
  const dev = mkdtempSync(join(tmpdir(), 'nospof-dev-'));
  t.teardown(() => rmSync(dev, { recursive: true }));
  const wanted = [{ on: 'kmsg' }, { on: 'uevent', subsystem: 'block' }] as const;
  const record = recorder();
  await opened(t, record, wanted, { dev });
  t.match(record.troubles, [/kmsg \(ENOENT\)/u]);
  symlinkSync('/dev/null', join(dev, 'kmsg'));
  const other = recorder();
  const wakes = await opened(t, other, wanted, { dev });
  t.match(other.troubles, [/not the kernel log device/u]);
  writeFileSync(LOOP, 'change');
  await other.until(() => other.has({ subsystem: 'block' }));
  t.equal(wakes.mode, 'kernel', 'the rest goes on');
  const alone = recorder();
  const blind = await opened(t, alone, [{ on: 'kmsg' }], { dev });
  t.equal(blind.mode, 'polling', 'nothing at all to wait for');
}

async function withoutRights(t: Test): Promise<void> {
  const poor = wakesChild(t, { wakes: [{ on: 'uevent', subsystem: 'block' }] }, [
    'setpriv',
    '--bounding-set=-net_admin',
  ]);
  await poor.until(({ trouble }) => trouble?.includes('CAP_NET_ADMIN') === true);
  await poor.until(({ ready }) => ready === 'kernel');
  writeFileSync(LOOP, 'change');
  await poor.until(({ seen }) => seen?.some(({ on }) => on === 'uevent') === true);
}

const why = missing();
if (why !== '') t.fail(why);
else {
  const options = { timeout: HANG_MS };
  t.test('a uevent wakes', options, uevents);
  t.test('a uevent from another sender does not', options, forgedUevents);
  t.test('a kernel message wakes', options, kernelLog);
  t.test('an old kernel message does not', options, oldRecords);
  t.test('links and routes wake', options, rtnetlink);
  t.test('a watched file wakes, again and again', options, mounts);
  t.test('a kernfs file wakes, and is let go when it is gone', options, kernfs);
  t.test('lost events make everything dirty', options, overflow);
  t.test('what cannot be opened is told', options, notToBeHad);
  t.test('without CAP_NET_ADMIN it still wakes', options, withoutRights);
}
