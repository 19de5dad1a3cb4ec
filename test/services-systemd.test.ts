/**
 * Units of a real systemd, over its real D-Bus: started, stopped, watched without polling; ends told with
 * how they ended; and when the bus or systemd itself goes, nothing is claimed.
 */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Driver } from '../agent/services/driver.ts';
import { openSystemdBus, type SystemdBus } from '../agent/services/systemd/bus.ts';
import { systemdDriver } from '../agent/services/systemd/driver.ts';
import type { ServiceSeen } from '../rules/service.ts';
import { agentFolder, removeFolder } from './fakes/agent.ts';
import { until } from './fakes/keeper.ts';
import { specOf } from './fakes/services.ts';
import { startSystemd, type TestSystemd } from './fakes/systemd.ts';

function folderOf(t: Test): string {
  const folder = agentFolder();
  t.teardown(() => removeFolder(folder));
  return folder;
}

interface Seat {
  readonly systemd: TestSystemd;
  readonly bus: SystemdBus;
  readonly drive: (unit: string) => { driver: Driver; sights: ServiceSeen[] };
}

async function seat(t: Test): Promise<Seat> {
  const systemd = await startSystemd(t, folderOf(t));
  const bus = openSystemdBus(systemd.bus);
  t.teardown(() => bus.close());
  await until(bus.there, 'systemd to answer');
  return {
    systemd,
    bus,
    drive: (unit) => {
      const sights: ServiceSeen[] = [];
      const spec = specOf('x', { driver: { kind: 'systemd', unit } });
      return { driver: systemdDriver(bus)(spec, (seen) => sights.push(seen)), sights };
    },
  };
}

const kinds = (sights: readonly ServiceSeen[]): readonly string[] => sights.map(({ kind }) => kind);

t.test('start, an end it did not ask for, start again, stop', async (t) => {
  const { systemd, drive } = await seat(t);
  systemd.unit('web.service', '[Service]\nExecStart=/bin/sleep 1000\n');
  const { driver, sights } = drive('web.service');
  await until(() => sights.length > 0 && sights.at(-1)?.kind !== 'unknown', 'a first sight');
  t.match(sights.at(-1), { kind: 'stopped', exit: undefined });
  t.match(await driver.perform('start', 10_000), {
    result: 'verified',
    evidence: "the job of StartUnit ended with 'done'; web.service is running",
  });
  const up = sights.at(-1);
  t.match(up, { kind: 'running', run: /^[0-9a-f]{32}$/u, pid: Number });
  await systemd.systemctl('kill', '--signal=SEGV', 'web.service');
  await until(() => sights.at(-1)?.kind === 'failed', 'the failure, unasked');
  const failed = sights.at(-1);
  t.match(failed, { kind: 'failed', why: /^systemd says (core-dump|signal)$/u });
  t.match(failed?.kind === 'failed' && failed.exit, {
    how: 'signal',
    value: 11,
    run: up?.kind === 'running' ? up.run : '',
  });
  t.match(await driver.perform('start', 10_000), { result: 'verified' });
  const again = sights.at(-1);
  t.not(again?.kind === 'running' && again.run, up?.kind === 'running' && up.run);
  t.match(await driver.perform('stop', 10_000), { result: 'verified' });
  t.match(sights.at(-1), { kind: 'stopped' });
  await driver.close();
});

t.test('what ends at once, with its status; what fails too often for systemd', async (t) => {
  const { systemd, drive } = await seat(t);
  systemd.unit('bad.service', '[Service]\nType=oneshot\nExecStart=/bin/sh -c "exit 9"\n');
  const { driver, sights } = drive('bad.service');
  for (let count = 0; count < 8; count += 1) {
    t.match(await driver.perform('start', 10_000), {
      result: 'refuted',
      evidence: "the job of StartUnit ended with 'failed'",
    });
    t.match(sights.at(-1), {
      kind: 'failed',
      why: 'systemd says exit-code',
      exit: { how: 'status', value: 9, lastLine: 'exit-code' },
    });
  }
  const runs = sights.flatMap((seen) => (seen.kind === 'failed' ? (seen.exit?.run ?? []) : []));
  t.equal(new Set(runs).size, 8, 'each start is a run of its own');
  await driver.close();
});

t.test(
  'a unit that ignores its end is killed by systemd, and one that takes too long is not claimed',
  async (t) => {
    const { systemd, drive } = await seat(t);
    systemd.unit(
      'stubborn.service',
      '[Service]\nExecStart=/bin/sh -c \'trap "" TERM; while :; do sleep 1; done\'\nTimeoutStopSec=1500ms\n',
    );
    const { driver, sights } = drive('stubborn.service');
    t.match(await driver.perform('start', 10_000), { result: 'verified' });
    t.match(await driver.perform('stop', 300), { result: 'unknown' });
    t.equal(sights.at(-1)?.kind, 'stopping');
    await until(() => sights.at(-1)?.kind === 'failed', 'systemd kills it');
    t.match(sights.at(-1), { why: 'systemd says timeout', exit: { how: 'signal', value: 9 } });
    await driver.close();
  },
);

t.test('units that are not there, masked, and not to be started', async (t) => {
  const { systemd, drive } = await seat(t);
  const none = drive('none.service');
  await until(() => none.sights.some(({ kind }) => kind === 'failed'), 'not found');
  t.match(none.sights.at(-1), { why: 'none.service is not-found', lasting: true });
  t.match(await none.driver.perform('start', 5_000), { result: 'refuted' });
  systemd.unit('masked.service', '');
  const masked = drive('masked.service');
  await until(() => masked.sights.some(({ kind }) => kind === 'failed'), 'masked');
  t.match(masked.sights.at(-1), { lasting: true });
  await none.driver.close();
  await masked.driver.close();
});

t.test(
  'D-Bus and systemd go: unknown at once; they come back: seen without being asked',
  async (t) => {
    const { systemd, drive } = await seat(t);
    systemd.unit('web.service', '[Service]\nExecStart=/bin/sleep 1000\n');
    const { driver, sights } = drive('web.service');
    t.match(await driver.perform('start', 10_000), { result: 'verified' });
    const pending = driver.perform('stop', 10_000);
    await systemd.kill();
    await until(() => sights.at(-1)?.kind === 'unknown', 'nothing is known');
    t.match(sights.at(-1), { why: /no systemd on D-Bus/u });
    t.notMatch(kinds(sights.slice(-2)), ['failed']);
    t.ok(['unknown', 'verified', 'refuted'].includes((await pending).result), 'it does not hang');
    t.match(await driver.look('shallow', 1_000), { kind: 'unknown' });
    t.match(await driver.perform('start', 1_000), { result: 'unknown' });
    const before = sights.length;
    await systemd.restart();
    await until(() => sights.slice(before).some(({ kind }) => kind === 'stopped'), 'seen again');
    t.match(await driver.perform('start', 10_000), { result: 'verified' });
    await driver.close();
  },
);

t.test('a socket that nobody serves, or that speaks nonsense, is unknown', async (t) => {
  const { createServer } = await import('node:net');
  const folder = folderOf(t);
  const path = join(folder, 'bus');
  const bus = openSystemdBus(path);
  t.teardown(() => bus.close());
  const sights: ServiceSeen[] = [];
  const spec = specOf('x', { driver: { kind: 'systemd', unit: 'x.service' } });
  const driver = systemdDriver(bus)(spec, (seen) => sights.push(seen));
  t.match(await driver.look('shallow', 1_000), { kind: 'unknown' });
  const words = [
    '',
    'REJECTED EXTERNAL\r\n',
    `OK 0\r\n${'\u0001'.repeat(64)}`,
    'OK 0\r\nl\u0002\u0001\u0001',
  ];
  let asked = 0;
  const server = createServer((socket) => {
    asked += 1;
    socket.on('error', () => undefined);
    socket.end(Buffer.from(words[asked % words.length] ?? '', 'latin1'));
  }).listen(path);
  t.teardown(() => server.close());
  await until(() => asked > 8, 'it to try again');
  t.strictSame(new Set(kinds(sights)), new Set(['unknown']));
  await driver.close();
});
