/**
 * Every profile driven for real: UDP, telnet and a pseudo terminal on this machine, with the ports and
 * packages that drive real devices. The judge is the fake's relay.
 */
import t from 'tap';
import { lineSwitch, type SwitchDevice, snmpSwitch } from '../../agent/effects/switches.ts';
import { type LineFakeServer, servePty, serveTcp } from '../../agent/fake/line-server.ts';
import { serveSnmp } from '../../agent/fake/snmp-server.ts';
import { monotonicNow } from '../../agent/ports/clock.ts';
import type { LinePort } from '../../agent/ports/line.ts';
import { type SerialLayer, serialDevice, serialLayer } from '../../agent/ports/serial.ts';
import { snmpPort } from '../../agent/ports/snmp.ts';
import { tcpLine } from '../../agent/ports/tcp.ts';
import { loadProfiles } from '../../agent/profiles.ts';
import { type Bank, type Fault, flows } from '../../fencing/fake.ts';
import type { LineProfile, Profile, SnmpProfile } from '../../fencing/profile.ts';
import { faked, refOf, SECRETS } from './drive.ts';

interface Served {
  readonly device: SwitchDevice;
  readonly bank: () => Bank;
  readonly close: () => Promise<void>;
}

/** The real layer on a pseudo terminal, with the one modem line that it lacks. */
function withDtr(raise: () => void): SerialLayer {
  return async (path, line, events) => {
    const opened = await serialLayer(path, line, events);
    if (typeof opened === 'string') return opened;
    return {
      ...opened,
      set: async ({ dtr }) => {
        if (dtr === true) raise();
        return undefined;
      },
    };
  };
}

const LOGIN = { user: 'admin', password: 'sesame' };

async function overSnmp(
  profile: Profile & { readonly device: SnmpProfile },
  version: '1' | '2c',
  faults: readonly Fault[],
): Promise<Served> {
  const server = await serveSnmp(profile.device, { faults, secrets: SECRETS });
  const port = snmpPort('127.0.0.1', server.port, { version, read: 'public', write: 'private' });
  const device = snmpSwitch('a', profile, port, SECRETS);
  const close = async (): Promise<void> => {
    await device.close();
    await server.close();
  };
  return { device, bank: () => server.now().bank, close };
}

async function overLine(
  profile: Profile & { readonly device: LineProfile },
  over: 'serial' | 'telnet' | 'tcp',
  faults: readonly Fault[],
): Promise<Served> {
  const telnet = over === 'telnet';
  const { serial } = profile.device;
  let server: LineFakeServer;
  let port: LinePort;
  if (over === 'serial' && serial !== undefined) {
    const pty = servePty(profile.device, { faults });
    server = pty;
    port = serialDevice(pty.at, serial, withDtr(pty.raise));
  } else {
    server = await serveTcp(profile.device, { faults, telnet });
    port = tcpLine({ host: '127.0.0.1', port: server.port, telnet });
  }
  const device = lineSwitch('a', profile, port, { ...LOGIN, over });
  const close = async (): Promise<void> => {
    await device.close();
    await server.close();
  };
  return { device, bank: () => server.now().bank, close };
}

async function serve(
  profile: Profile,
  over: string,
  faults: readonly Fault[] = [],
): Promise<Served> {
  const { device } = profile;
  if (device.kind === 'snmp') {
    return overSnmp({ ...profile, device }, over === '1' ? '1' : '2c', faults);
  }
  if (device.kind === 'program') throw new Error('no fake');
  const carrier = over === 'serial' || over === 'telnet' ? over : 'tcp';
  return overLine({ ...profile, device }, carrier, faults);
}

function carriers({ device }: Profile): readonly string[] {
  if (device.kind === 'line') return device.over;
  if (device.kind === 'program') return [];
  return device.versions.filter((version) => version !== '3');
}

/** The device shows names for its outlets: then one may be asked for. */
function named({ device }: Profile): boolean {
  return device.kind !== 'snmp' || device.table.names !== undefined;
}

/** What the ports and packages could treat differently; one profile of each sort is enough for them. */
function sortOf({ name, device }: Profile): string {
  if (device.kind !== 'snmp') return name;
  const { table, index, versions } = device;
  const writes = [...table.off, ...table.on].map(({ type, list, value }) => [
    type,
    list?.separator,
    typeof value,
  ]);
  const oids = [table.state.oid, ...table.off.map(({ oid }) => oid)];
  const shape = oids.map((oid) => oid.includes('{'));
  return JSON.stringify([
    versions,
    index.parts.length,
    index.shifts,
    writes,
    shape,
    table.feedback !== undefined,
    (table.checks ?? []).map(({ as }) => as).sort(),
    device.product,
  ]);
}

const loaded = await loadProfiles();
const sorts = new Map(faked(loaded.profiles).map(([, profile]) => [sortOf(profile), profile]));
const profiles = new Map([...sorts.values()].map((profile) => [profile.name, profile]));
// Most of the time is the devices' own: side by side it is short.
t.jobs = 16;

for (const [name, profile] of faked(profiles)) {
  t.test(name, { buffered: true }, async (t) => {
    for (const over of carriers(profile)) {
      const served = await serve(profile, over);
      const [outlet = '', other = ''] = served.bank().outlets;
      const off = await served.device.perform({
        want: 'off',
        outlets: [{ id: refOf(profile, outlet) }],
      });
      t.match(
        off,
        { outlets: [{ state: 'off' }], ordered: true },
        `${over}: ${JSON.stringify(off)}`,
      );
      t.notOk(flows(served.bank(), outlet, monotonicNow()), `${over}: no current flows`);
      t.ok(flows(served.bank(), other, monotonicNow()), `${over}: the next outlet is untouched`);
      const on = await served.device.perform({
        want: 'on',
        outlets: [{ id: refOf(profile, outlet) }],
      });
      t.match(on, { outlets: [{ state: 'on' }], ordered: true }, `${over}: and on again`);
      const both = await served.device.perform({
        want: 'read',
        outlets: [
          { id: refOf(profile, outlet) },
          { id: refOf(profile, other), ...(named(profile) ? { name: `outlet-${other}` } : {}) },
        ],
      });
      t.same(both.outlets[0]?.state, 'on', over);
      await served.close();
    }
  });
}

for (const fault of ['garbage', 'closes', 'busy'] as const) {
  t.test(`all of them with the fault ${fault}`, { buffered: true }, async (t) => {
    const tried = [...profiles].map(async ([name, profile]) => {
      const served = await serve(profile, carriers(profile)[0] ?? '', [fault]);
      const [outlet = ''] = served.bank().outlets;
      const off = await served.device.perform({
        want: 'off',
        outlets: [{ id: refOf(profile, outlet) }],
      });
      t.match(off.outlets[0], { state: 'off' }, `${name}: ${off.outlets[0]?.why}`);
      t.notOk(flows(served.bank(), outlet, monotonicNow()), name);
      await served.close();
    });
    await Promise.all(tried);
  });
}
