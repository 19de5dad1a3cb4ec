/** The kernel's log as a port: on files and pipes we can shape, and on the real device. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { openKmsg, RECORD_LENGTH_MAX, RECORDS_KEPT_MAX } from '../agent/ports/kmsg.ts';
import { collector } from '../collectors/kernel.ts';
import type { Entry } from '../collectors/lib/collector.ts';

const READ = { kind: 'kmsg' } as const;

function portOn(t: Test, dev: string): ReturnType<typeof openKmsg> {
  const port = openKmsg({ roots: { proc: '/proc', sys: '/sys', dev, run: '/run' } });
  t.teardown(() => port.close());
  return port;
}

function textOf(entry: Entry): string {
  if (!('text' in entry)) throw new Error(`no text: ${JSON.stringify(entry)}`);
  return entry.text;
}

function record(priority: number, sequence: number, text: string): string {
  return `${priority},${sequence},${sequence * 1000},-;${text}\n`;
}

t.test('the whole log first, then what came since, and only what is asked for', async (t) => {
  const dev = t.testdir({
    kmsg:
      record(6, 0, 'booting') +
      record(4, 1, 'a warning') +
      ' SUBSYSTEM=block\n DEVICE=b8:0\n' +
      record(5, 2, 'a notice') +
      ' SUBSYSTEM=net\n' +
      record(8, 3, 'Oops: forged') +
      record(3, 4, 'an error'),
  });
  const port = portOn(t, dev);
  const before = '4,1,1000,-;a warning\n SUBSYSTEM=block\n DEVICE=b8:0\n3,4,4000,-;an error\n';
  t.equal(textOf(await port.read(READ)), before);
  t.equal(textOf(await port.read(READ)), before, 'the level, not the change');
  appendFileSync(join(dev, 'kmsg'), `${record(0, 5, 'worse')}2,6,6000,-;cut in `);
  t.equal(textOf(await port.read(READ)), `${before}0,5,5000,-;worse\n`);
  appendFileSync(join(dev, 'kmsg'), 'two\n');
  t.equal(textOf(await port.read(READ)), `${before}0,5,5000,-;worse\n2,6,6000,-;cut in two\n`);
});

t.test('the newest are kept, each cut, whatever comes', async (t) => {
  const count = 3 * RECORDS_KEPT_MAX;
  const records = Array.from({ length: count }, (_, at) => record(3, at, `x${'y'.repeat(2000)}`));
  const port = portOn(t, t.testdir({ kmsg: records.join('') }));
  const lines = textOf(await port.read(READ))
    .trimEnd()
    .split('\n');
  t.equal(lines.length, RECORDS_KEPT_MAX);
  t.match(lines.at(-1), new RegExp(`^3,${count - 1},`, 'u'));
  t.ok(lines.every((line) => line.length <= RECORD_LENGTH_MAX));
});

t.test('a long log is read in batches that let the loop run', async (t) => {
  const line = record(6, 0, 'z'.repeat(8000));
  const port = portOn(t, t.testdir({ kmsg: line.repeat(2000) }));
  let turns = 0;
  let isDone = false;
  const reading = port.read(READ).then(() => {
    isDone = true;
  });
  while (!isDone) {
    turns += 1;
    await setImmediate();
  }
  await reading;
  t.ok(turns > 3, `${turns} turns`);
});

t.test('overwritten records are counted by the gap in their sequence', async (t) => {
  const dev = t.testdir({ kmsg: record(4, 70, 'a') + record(6, 71, 'b') });
  const port = portOn(t, dev);
  t.notMatch(textOf(await port.read(READ)), /lost/u, 'what was before the first is not lost to us');
  appendFileSync(join(dev, 'kmsg'), record(6, 80, 'c') + record(4, 83, 'd'));
  const text = textOf(await port.read(READ));
  t.equal(text, '# lost 10\n4,70,70000,-;a\n4,83,83000,-;d\n');
  const log = collector.sources.find(({ name }) => name === 'log');
  t.match(log?.parse(new Map([['kmsg', { text }]])), {
    readings: [{ health: 'ok', gauges: { lost_total: 10 } }],
  });
});

t.test('a pipe in its place is read without waiting for it', async (t) => {
  const dev = t.testdir({});
  t.equal(spawnSync('mkfifo', [join(dev, 'kmsg')]).status, 0);
  const port = portOn(t, dev);
  t.equal(textOf(await port.read(READ)), '', 'nobody writes');
  const writer = openSync(join(dev, 'kmsg'), constants.O_RDWR | constants.O_NONBLOCK);
  t.teardown(() => closeSync(writer));
  t.equal(textOf(await port.read(READ)), '', 'somebody may write, and does not');
  writeSync(writer, record(3, 1, 'through a pipe'));
  t.equal(textOf(await port.read(READ)), '3,1,1000,-;through a pipe\n');
});

t.test('without permission it says what to grant, and tries anew', async (t) => {
  const dev = t.testdir({ kmsg: record(3, 1, 'x') });
  const path = join(dev, 'kmsg');
  chmodSync(path, 0o000);
  const port = portOn(t, dev);
  const isRoot = process.geteuid?.() === 0;
  // Root reads everything: be nobody for the one call (the open is synchronous within it).
  if (isRoot) process.seteuid?.(65_534);
  const answer = port.read(READ);
  if (isRoot) process.seteuid?.(0);
  t.match(await answer, { errno: 'EACCES', why: /needs CAP_SYSLOG or kernel\.dmesg_restrict=0/u });
  chmodSync(path, 0o644);
  t.match(await port.read(READ), { text: /x/u });
});

t.test('no device, a folder in its place, and after the end', async (t) => {
  const dev = t.testdir({});
  const port = portOn(t, dev);
  t.match(await port.read(READ), { errno: 'ENOENT', why: /kmsg/u });
  mkdirSync(join(dev, 'elsewhere/kmsg'), { recursive: true });
  t.match(await portOn(t, join(dev, 'elsewhere')).read(READ), { errno: 'EISDIR' });
  writeFileSync(join(dev, 'kmsg'), record(3, 1, 'there now'));
  t.match(await port.read(READ), { text: /there now/u });
  port.close();
  port.close();
  t.match(await port.read(READ), { errno: 'ECANCELED' });
});

t.test('who asks while a read is under way gets the same answer', async (t) => {
  const port = portOn(t, t.testdir({ kmsg: record(3, 1, 'once') }));
  const [left, right] = await Promise.all([port.read(READ), port.read(READ)]);
  t.equal(left, right);
});

/** Records of the real device from its oldest on, each as the kernel gives it. */
function rawRecords(): string[] {
  const descriptor = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(8192);
  const records: string[] = [];
  try {
    for (;;) {
      records.push(buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, 8192, null)));
    }
  } catch {
    return records;
  } finally {
    closeSync(descriptor);
  }
}

t.test('on the real device, what a user writes is in the log and not in the answer', async (t) => {
  const mark = `nospof-test-${process.pid}`;
  const port = portOn(t, '/dev');
  const before = await port.read(READ);
  let isWritten = false;
  try {
    // Priority 0 is facility kern, level emergency: the kernel makes it facility user.
    writeFileSync('/dev/kmsg', `<0>watchdog: BUG: soft lockup - CPU#0 stuck for 22s! ${mark}\n`);
    isWritten = true;
  } catch (error) {
    t.match(error, { code: /^E[A-Z]+$/u }, 'may not write here: only the answer can be seen');
  }
  const after = await port.read(READ);
  if (isWritten && 'text' in after) {
    const forged = rawRecords().filter((raw) => raw.includes(mark));
    t.equal(forged.length, 1, 'the kernel took the record');
    t.equal(Number(forged[0]?.split(',')[0]) >> 3, 1, 'as facility user');
  }
  t.notMatch(JSON.stringify(after), mark);
  t.equal('text' in after, 'text' in before);
  if ('errno' in after) t.match(after.why, /CAP_SYSLOG|kmsg/u);
  const log = collector.sources.find(({ name }) => name === 'log');
  t.match(log?.parse(new Map([['kmsg', after]])), { kind: /^(?:seen|blind)$/u });
});
