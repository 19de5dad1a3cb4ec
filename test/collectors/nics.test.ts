/**
 * What an operator would be woken for, and what not, asked of the `nics` collector by changing one
 * thing at a time in a capture.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { decodeCapture } from '../../collectors/lib/capture.ts';
import type { Entry, Snapshot } from '../../collectors/lib/collector.ts';
import { collector } from '../../collectors/nics.ts';
import type { GroupReading, Observation, Reading } from '../../rules/model.ts';

const FIXTURES = new URL('../../../test/fixtures/nics/', import.meta.url);

function capture(file: string): Snapshot {
  return decodeCapture(readFileSync(new URL(`${file}.snap`, FIXTURES), 'utf8'));
}

function parse(source: string, snapshot: Snapshot): Observation {
  const found = collector.sources.find(({ name }) => name === source);
  if (found === undefined) throw new Error(`no source ${source}`);
  return found.parse(snapshot);
}

function changed(snapshot: Snapshot, changes: Readonly<Record<string, Entry | string>>): Snapshot {
  const entries = Object.entries(changes).map(([path, value]): [string, Entry] => [
    `sys/class/net/${path}`,
    typeof value === 'string' ? { text: `${value}\n` } : value,
  ]);
  return new Map([...snapshot, ...entries]);
}

function reading(observation: Observation, component: string): Reading | undefined {
  if (observation.kind !== 'seen') return undefined;
  return observation.readings.find((one) => one.component === component);
}

function group(observation: Observation, id: string): GroupReading | undefined {
  if (observation.kind !== 'seen') return undefined;
  return observation.groups.find((one) => one.group === id);
}

t.test('a pulled cable fails a link; the administrator does not', (t) => {
  const server = capture('sysfs.server');
  const of = (changes: Readonly<Record<string, Entry | string>>): Reading | undefined =>
    reading(parse('sysfs', changed(server, changes)), 'link/eth0');
  t.match(of({}), { health: 'ok', flap: 'carrier_changes_total' });
  t.match(of({ 'eth0/operstate': 'down' }), { health: 'failed', why: 'no carrier' });
  t.match(of({ 'eth0/operstate': 'down', 'eth0/flags': '0x1002' }), {
    health: 'absent',
    why: 'switched off by an administrator',
  });
  t.match(of({ 'eth0/operstate': { errno: 'EIO' } }), { health: 'unknown', why: /EIO/u });
  t.match(of({ 'eth0/operstate': 'sideways' }), { health: 'unknown', why: /not understood/u });
  t.end();
});

t.test('a port that never had a cable proves no fault; one that had, or is a slave, does', (t) => {
  const server = parse('sysfs', capture('sysfs.server'));
  t.equal(reading(server, 'link/eth2')?.unproven, true, 'never up since boot');
  t.equal(reading(server, 'link/eth4')?.health, 'failed');
  t.equal(reading(server, 'link/eth4')?.unproven, undefined, 'was up before');
  const bonds = parse('sysfs', capture('sysfs.bonds'));
  t.match(reading(bonds, 'link/eth6'), { health: 'failed', gauges: { carrier_up_total: 0 } });
  t.equal(reading(bonds, 'link/eth6')?.unproven, undefined, 'a slave dead at boot is a dead slave');
  t.end();
});

t.test('ports of one card need that card, a VLAN its link, a veth nothing by chance', (t) => {
  const server = parse('sysfs', capture('sysfs.server'));
  t.strictSame(reading(server, 'link/eth0')?.needs, ['card/0000:03:00']);
  t.strictSame(reading(server, 'link/eth1')?.needs, ['card/0000:03:00']);
  t.strictSame(reading(server, 'link/vlan10')?.needs, ['link/eth0']);
  // Its iflink is an index of another namespace, the same number as our eth0.
  t.strictSame(reading(server, 'link/veth12ab')?.needs, []);
  t.end();
});

t.test('loopback, idle bridges and what is no interface are not reported', (t) => {
  const server = parse('sysfs', capture('sysfs.server'));
  t.equal(reading(server, 'link/lo'), undefined);
  t.equal(reading(server, 'link/docker0'), undefined, 'no container, no fault');
  t.match(reading(server, 'link/br0'), { health: 'ok', virtual: true });
  const broken = parse('sysfs', capture('sysfs.broken'));
  t.equal(reading(broken, 'link/gone0'), undefined, 'vanished while it was read');
  t.equal(reading(broken, 'link/bonding_masters'), undefined);
  t.match(reading(broken, 'link/eth0'), { health: 'ok' }, 'a broken one hides nobody');
  t.match(reading(broken, 'link/eth1'), { health: 'unknown' });
  t.match(reading(broken, 'link/eth7'), { health: 'ok' }, 'nor does a broken slave');
  t.end();
});

t.test('a bond that nothing watches is failing and says how to mend it', (t) => {
  const bonds = capture('sysfs.bonds');
  const observation = parse('sysfs', bonds);
  t.match(reading(observation, 'bond/bond1'), { health: 'failing', why: /never fails over/u });
  t.match(observation, { advice: [{ code: 'bond-unmonitored', about: 'bond/bond1' }] });
  const mended = parse('sysfs', changed(bonds, { 'bond1/bonding/miimon': '100' }));
  t.match(reading(mended, 'bond/bond1'), { health: 'ok' });
  t.match(mended, { advice: { length: 0 } });
  const unread = parse('sysfs', changed(bonds, { 'bond1/bonding/miimon': { errno: 'EIO' } }));
  t.match(unread, { advice: { length: 0 } }, 'what was not read is not accused');
  t.end();
});

t.test('a bond is the group of its slaves, its primary first', (t) => {
  const observation = parse('sysfs', capture('sysfs.bonds'));
  t.strictSame(group(observation, 'bond/bond0')?.members, ['link/eth0', 'link/eth1', 'link/eth6']);
  t.equal(group(observation, 'bond/bond0')?.preference?.[0], 'link/eth0');
  t.equal(group(observation, 'bond/bond1')?.preference, undefined);
  t.equal(group(observation, 'bond/bond2'), undefined, 'no slaves, nothing to count');
  t.match(reading(observation, 'link/eth4'), { health: 'failed', why: /bond3 holds it down/u });
  t.match(reading(observation, 'link/eth1'), { gauges: { active: 1 } });
  t.end();
});

t.test('a slave outside the aggregate is no redundancy, though its link is up', (t) => {
  const lacp = capture('sysfs.lacp');
  const observation = parse('sysfs', lacp);
  t.match(reading(observation, 'link/eth0'), { health: 'ok' });
  t.match(reading(observation, 'link/eth2'), { health: 'failed', why: /no LACP partner/u });
  t.match(reading(observation, 'link/eth3'), { health: 'failing', why: /only stands by/u });
  t.match(reading(observation, 'link/eth4'), { health: 'failing', why: /no LACP partner/u });
  t.equal(group(observation, 'bond/bond0')?.needed, 2, 'min_links');
  const silent = changed(lacp, { 'eth1/bonding_slave/ad_partner_oper_port_state': '7' });
  t.match(reading(parse('sysfs', silent), 'link/eth1'), { health: 'failing' }, 'not in sync');
  t.end();
});

t.test('what the driver says darkens, and its silence accuses no link', (t) => {
  const server = capture('driver.server');
  const observation = parse('driver', server);
  t.match(reading(observation, 'link/eth0'), {
    health: 'ok',
    gauges: { bytes_per_second: 1.25e9 },
  });
  const sysfs = parse('sysfs', capture('sysfs.server'));
  t.equal(
    reading(sysfs, 'link/eth0')?.peak,
    'bytes_per_second',
    'the source that decides names it',
  );
  t.equal(reading(sysfs, 'link/br0')?.peak, undefined);
  t.match(reading(observation, 'link/eth1'), { health: 'failing', why: /half duplex/u });
  t.strictSame(reading(observation, 'link/eth2')?.gauges, {}, 'speed -1 is no speed');
  t.match(reading(observation, 'link/eth4'), { health: 'failed', why: 'no carrier' });
  t.equal(reading(observation, 'link/eth6'), undefined, 'late');
  t.equal(parse('driver', capture('driver.hung')).kind, 'blind');
  t.ok(collector.sources.filter(({ name }) => name !== 'sysfs').every(({ opinion }) => opinion));
  t.end();
});

t.test('folders that cannot be listed blind or are unknown, no link is gone for it', (t) => {
  const server = capture('sysfs.server');
  const full = new Map<string, Entry>([['sys/class/net', { errno: 'EMFILE' }]]);
  for (const source of ['sysfs', 'driver']) {
    t.match(parse(source, full), { kind: 'blind', why: /cannot be listed: EMFILE/u });
  }
  const without = [...server].filter(([key]) => !key.startsWith('sys/class/net/eth0'));
  const one = new Map<string, Entry>([...without, ['sys/class/net/eth0', { errno: 'EMFILE' }]]);
  t.match(reading(parse('sysfs', one), 'link/eth0'), { health: 'unknown' });
  t.match(reading(parse('sysfs', one), 'link/eth1'), { health: 'ok' });
  t.end();
});

t.test('a carrier that is refused is no lost carrier', (t) => {
  const server = capture('driver.server');
  const refused = changed(server, { 'eth4/carrier': { errno: 'EINVAL' } });
  t.equal(reading(parse('driver', server), 'link/eth4')?.health, 'failed');
  t.equal(reading(parse('driver', refused), 'link/eth4')?.health, 'absent', 'switched off');
  const broken = changed(server, { 'eth4/carrier': { errno: 'EIO' } });
  t.equal(reading(parse('driver', broken), 'link/eth4')?.health, 'unknown');
  t.end();
});

t.test('nothing that the kernel answers under its rtnl lock is read with the rest', (t) => {
  const sysfs = collector.sources.find(({ name }) => name === 'sysfs');
  const globs = (sysfs?.reads ?? []).map((read) => ('glob' in read ? read.glob : ''));
  for (const file of ['carrier,', '{carrier}', 'speed', 'duplex', 'bonding/slaves', '{slaves']) {
    t.notOk(
      globs.some((glob) => glob.includes(file)),
      file,
    );
  }
  t.end();
});

t.test('two ports in one switch share it', (t) => {
  const observation = parse('lldp', capture('lldp.one-switch'));
  const needs = (link: string): unknown => reading(observation, link)?.needs;
  t.strictSame(needs('link/eth0'), ['switch/00:23:04:ee:be:01']);
  t.strictSame(needs('link/eth1'), ['switch/00:23:04:ee:be:01']);
  t.strictSame(needs('link/eth2'), ['switch/00:23:04:ee:be:02']);
  t.equal(parse('lldp', capture('lldp.absent')).kind, 'none');
  t.equal(parse('lldp', capture('lldp.not-installed')).kind, 'blind');
  t.end();
});
