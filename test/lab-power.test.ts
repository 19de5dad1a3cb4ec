/**
 * The lab's wired power, with the usual programs as its clients: the switches answer as real ones, and
 * a node's process ends when the last of its feeds goes off, not before. A process stands in for QEMU.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { cacheAt } from './lab/host/files.ts';
import { endOf } from './lab/host/loopback.ts';
import { openPower, outletOf, type Power, type PowerSpec } from './lab/host/power.ts';
import { isOn, onLine, order } from './lab/host/power-client.ts';
import { CONTROL, STATE } from './lab/host/power-snmp.ts';
import { openRunFolder, type RunFolder } from './lab/host/run-folder.ts';

const execute = promisify(execFile);
/** A hang bound; what was measured is said in a comment. */
const GONE_MS = 5_000;

interface Bench {
  readonly power: Power;
  readonly run: RunFolder;
  /** Resolves with the milliseconds from the last feed off to the process's end. */
  readonly gone: (node: string) => Promise<number>;
  readonly lives: (node: string) => boolean;
  readonly backs: readonly string[];
}

async function bench(t: Test, spec: PowerSpec): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'nospof-power-'));
  const run = openRunFolder(cacheAt(folder));
  const backs: string[] = [];
  const children = new Map(
    Object.keys(spec.nodes).map((node) => [node, run.spawn(['sleep', '600'], node)]),
  );
  const power = await openPower(run, spec, {
    lost: (node) => children.get(node)?.kill('SIGKILL'),
    back: (node) => backs.push(node),
  });
  t.teardown(async () => {
    await power.close();
    await run.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const ended = new Map<string, number>();
  for (const [node, child] of children) {
    void endOf(child).then(() => ended.set(node, performance.now()));
  }
  return {
    power,
    run,
    backs,
    lives: (node) => !ended.has(node),
    gone: async (node) => {
      const end = Date.now() + GONE_MS;
      while (!ended.has(node)) {
        if (Date.now() > end) throw new Error(`${node} still runs`);
        await pause(2);
      }
      return (ended.get(node) ?? 0) - (power.darkAt(node) ?? 0);
    },
  };
}

const SPEC = { relayMs: 0, outlets: 4 } as const;

t.test('a node ends with its last feed: SNMP, a serial line, IPMI', async (t) => {
  const { power, gone, lives, backs } = await bench(t, {
    switches: {
      pdu: { kind: 'snmp', ...SPEC },
      strip: { kind: 'nps', ...SPEC },
      bar: { kind: 'rps10', ...SPEC },
      bmc: { kind: 'ipmi', relayMs: 0, outlets: 1 },
    },
    nodes: {
      alpha: { feeds: ['pdu/1', 'strip/1'], chassis: undefined },
      beta: { feeds: ['pdu/2', 'bar/2'], chassis: 'bmc' },
      gamma: { feeds: ['bar/3'], chassis: undefined },
    },
  });
  const pdu = power.address('pdu');
  const strip = power.address('strip');
  const bar = power.address('bar');
  const bmc = power.address('bmc');

  await order(pdu, 1, false);
  t.equal(await isOn(pdu, 1), false, 'snmpset, and snmpget of the status column');
  t.equal(await isOn(pdu, 2), true);
  t.equal(lives('alpha'), true, 'one feed is left');
  t.equal(await isOn(strip, 1), true);
  await order(strip, 1, false);
  t.comment(`serial line: process gone ${(await gone('alpha')).toFixed(1)} ms after its last feed`);
  t.equal(await isOn(strip, 1), false);

  await order(bar, 3, false);
  t.comment(`RPS-10: process gone ${(await gone('gamma')).toFixed(1)} ms after its last feed`);
  t.strictSame([await isOn(bar, 2), await isOn(bar, 3)], [true, false]);

  t.equal(await isOn(bmc, 1), true);
  await order(bmc, 1, false);
  t.comment(`IPMI: process gone ${(await gone('beta')).toFixed(1)} ms after chassis off`);
  t.equal(await isOn(bmc, 1), false);
  t.strictSame(backs, []);
  await order(bmc, 1, true);
  await order(strip, 1, true);
  t.strictSame(backs, ['beta', 'alpha'], 'power is back');
});

t.test('a BMC is silent when its node has no feed', async (t) => {
  const { power, gone } = await bench(t, {
    switches: { pdu: { kind: 'snmp', ...SPEC }, bmc: { kind: 'ipmi', relayMs: 0, outlets: 1 } },
    nodes: { alpha: { feeds: ['pdu/1'], chassis: 'bmc' } },
  });
  const bmc = power.address('bmc');
  await order(power.address('pdu'), 1, false);
  t.comment(`SNMP: process gone ${(await gone('alpha')).toFixed(1)} ms after its last feed`);
  await t.rejects(isOn(bmc, 1), 'it shares the mains');
  await order(power.address('pdu'), 1, true);
  t.equal(await isOn(bmc, 1), true);
});

t.test('a short gap is bridged by the supplies; a relay takes its time, or sticks', async (t) => {
  const { power, lives, gone } = await bench(t, {
    switches: { pdu: { kind: 'snmp', outlets: 2, relayMs: 400 } },
    nodes: { alpha: { feeds: ['pdu/1'], chassis: undefined } },
    holdUpMs: 3_000,
  });
  const pdu = power.address('pdu');
  power.stick('pdu', 1, true);
  await order(pdu, 1, false);
  await pause(600);
  t.equal(await isOn(pdu, 1), true, 'it took the order and did nothing');
  power.stick('pdu', 1, false);
  await order(pdu, 1, false);
  t.equal(await isOn(pdu, 1), true, 'not yet');
  await pause(600);
  t.equal(await isOn(pdu, 1), false);
  await order(pdu, 1, true);
  await pause(600);
  t.equal(await isOn(pdu, 1), true);
  await pause(3_000);
  t.equal(lives('alpha'), true, 'the gap was shorter than the hold-up');
  await order(pdu, 1, false);
  t.ok((await gone('alpha')) >= 2_900);
});

t.test('the switches refuse what real ones refuse', async (t) => {
  const { power } = await bench(t, {
    switches: { pdu: { kind: 'snmp', ...SPEC }, strip: { kind: 'nps', ...SPEC } },
    nodes: {},
  });
  const pdu = power.address('pdu');
  const strip = power.address('strip');
  if (pdu.kind !== 'snmp' || strip.kind !== 'nps') throw new Error('kinds');
  const snmp = async (program: string, community: string, ...words: string[]): Promise<string> => {
    const argv = ['-v2c', '-c', community, '-t', '2', '-r', '1', `127.0.0.1:${pdu.port}`, ...words];
    const { stdout, stderr } = await execute(program, argv).catch((error) => error);
    return `${stdout}${stderr}`;
  };
  t.match(await snmp('snmpset', 'public', `${CONTROL}.1`, 'i', '2'), /noAccess/u);
  t.match(await snmp('snmpset', 'private', `${CONTROL}.1`, 'i', '9'), /wrongValue/u);
  t.match(await snmp('snmpset', 'private', `${CONTROL}.1`, 's', 'off'), /wrongType/u);
  t.match(await snmp('snmpset', 'private', `${CONTROL}.5`, 'i', '2'), /notWritable/u);
  t.match(await snmp('snmpset', 'private', `${STATE}.1`, 'i', '2'), /notWritable/u);
  t.match(await snmp('snmpget', 'public', `${STATE}.5`), /No Such Instance/u);
  const walk = await snmp('snmpwalk', 'public', '-On', STATE);
  t.equal(walk.trim().split('\n').length, 4, 'a row for each outlet, in order');
  t.match(await snmp('snmpget', 'public', '-On', '.1.3.6.1.2.1.1.2.0'), /\.318\.1\.3\.4\.5/u);
  t.match(await onLine(strip.path, '\r', /Password: $/u), /Enter Password/u);
  t.match(await onLine(strip.path, '/off 1,y\r', /Password: $/u), /Invalid password/u);
  t.equal(power.isOn('strip', 1), true, 'no order without the password');
  power.hang('pdu', true);
  await t.rejects(isOn(pdu, 1), 'firmware that hangs answers nothing');
  power.hang('pdu', false);
  t.equal(await isOn(pdu, 1), true);
});

t.test('mistakes in the wiring are refused', async (t) => {
  t.throws(() => outletOf('pdu'), /a feed is SWITCH\/OUTLET/u);
  t.strictSame(outletOf('pdu-2/12'), { name: 'pdu-2', outlet: 12 });
});
