/**
 * From the order to proven off, beyond the relay's own delay: our exchange over SNMP, the same as a
 * command, and Debian's fence_apc_snmp, one after the other on one simulated PDU (a real snmpd with a
 * relay behind it); and a line device over telnet. All in one run: figures of two runs do not compare.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { lineSwitch, type SwitchDevice, snmpSwitch } from '../../agent/effects/switches.ts';
import { serveTcp } from '../../agent/fake/line-server.ts';
import { snmpPort } from '../../agent/ports/snmp.ts';
import { tcpLine } from '../../agent/ports/tcp.ts';
import { loadProfiles } from '../../agent/profiles.ts';
import { startSnmpd } from '../fencing/snmpd.ts';
import { benchFenceMany } from './fence-many.ts';
import { type Figure, percentile, spread } from './report.ts';

const BENCH = 'fence';
const RELAY_MS = 300;
const AGENT = '/usr/sbin/fence_apc_snmp';
const SNMP_AT_MOST_MS = 50;
const MAIN = new URL('../../agent/main.js', import.meta.url).pathname;
const run = promisify(execFile);

async function took(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started - RELAY_MS;
}

async function mustSee(device: SwitchDevice, want: 'on' | 'off', id: string): Promise<void> {
  const reply = await device.perform({ want, outlets: [{ id }] });
  const [outlet] = reply.outlets;
  if (outlet?.state !== want) throw new Error(`${device.name}: ${outlet?.why}`);
}

/** Times of `off`, with `on` in between. */
async function rounds(
  count: number,
  device: SwitchDevice,
  id: string,
  off: () => Promise<unknown>,
): Promise<readonly number[]> {
  const sample: number[] = [];
  for (let round = 0; round < count; round += 1) {
    await mustSee(device, 'on', id);
    sample.push(await took(off));
  }
  return sample;
}

async function benchSnmp(folder: string, quick: boolean): Promise<readonly Figure[]> {
  const { profiles } = await loadProfiles();
  const profile = profiles.get('apc-rpdu');
  if (profile?.device.kind !== 'snmp') throw new Error('no profile apc-rpdu');
  const pdu = {
    profile: 'apc-rpdu',
    tree: '1.3.6.1.4.1.318.1.1',
    objectId: '1.3.6.1.4.1.318.1.3.4.5',
  };
  const snmpd = await startSnmpd(folder, { ...pdu, delayMs: RELAY_MS });
  const port = snmpPort('127.0.0.1', snmpd.port, {
    version: '2c',
    read: 'public',
    write: 'private',
  });
  const device = snmpSwitch('pdu', { ...profile, device: profile.device }, port, {});
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'private\n', { mode: 0o600 });
  const config = join(folder, 'nospof.yaml');
  const login = `{version: 2c, readFile: ${secret}}`;
  writeFileSync(
    config,
    `switches: {pdu: {profile: apc-rpdu, address: 127.0.0.1, port: ${snmpd.port}, snmp: ${login}}}\n`,
  );
  const stock = [
    '--ip',
    '127.0.0.1',
    '--ipport',
    `${snmpd.port}`,
    '--snmp-version',
    '2c',
    '--community',
    'private',
    '--plug',
    '3',
    '--action',
    'off',
  ];
  const own = ['switch', 'off', 'pdu', '3', '--yes', '--config', config];
  try {
    await mustSee(device, 'off', '3');
    const ours = await rounds(quick ? 5 : 20, device, '3', () => mustSee(device, 'off', '3'));
    const command = await rounds(quick ? 2 : 5, device, '3', () =>
      run(process.execPath, [MAIN, ...own]),
    );
    const figures: Figure[] = [
      ...spread(
        { bench: BENCH, what: 'SNMP, order to proven off beyond the relay', unit: 'ms' },
        ours,
        { p50: SNMP_AT_MOST_MS },
      ),
      ...spread(
        { bench: BENCH, what: 'the same as a command (nospof switch off)', unit: 'ms' },
        command,
      ),
    ];
    if (!existsSync(AGENT)) {
      const note = 'Debian package fence-agents is not installed';
      return [
        ...figures,
        { bench: BENCH, what: 'fence_apc_snmp', value: undefined, unit: 'ms', note },
      ];
    }
    const theirs = await rounds(quick ? 2 : 5, device, '3', () => run(AGENT, stock));
    const ratio = percentile(ours, 0.5) / percentile(theirs, 0.5);
    return [
      ...figures,
      ...spread({ bench: BENCH, what: 'fence_apc_snmp, the same PDU', unit: 'ms' }, theirs),
      {
        bench: BENCH,
        what: 'ours to fence_apc_snmp, p50',
        value: ratio,
        unit: 'ratio',
        atMost: 0.2,
      },
    ];
  } finally {
    await device.close();
    await snmpd.close();
  }
}

async function benchLine(quick: boolean): Promise<readonly Figure[]> {
  const { profiles } = await loadProfiles();
  const profile = profiles.get('wti-nps');
  if (profile?.device.kind !== 'line') throw new Error('no profile wti-nps');
  const server = await serveTcp(profile.device, { delayMs: RELAY_MS });
  const port = tcpLine({ host: '127.0.0.1', port: server.port, telnet: true });
  const device = lineSwitch('nps', { ...profile, device: profile.device }, port, { password: 'x' });
  const ours = await rounds(quick ? 3 : 8, device, '3', () => mustSee(device, 'off', '3'));
  await device.close();
  await server.close();
  const what = 'telnet (WTI), log in to proven off beyond the relay';
  return spread({ bench: BENCH, what, unit: 'ms' }, ours);
}

export async function benchFence(quick: boolean): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'nospof-fence-'));
  try {
    const one = [...(await benchSnmp(folder, quick)), ...(await benchLine(quick))];
    return [...one, ...(await benchFenceMany(quick))];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
