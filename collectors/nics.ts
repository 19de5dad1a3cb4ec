/**
 * Network interfaces, bonds and teams. Decides whether each link is in service and which links stand
 * in for each other. Three sources: `sysfs`, which nothing can hold up; `driver`, the files answered
 * under the kernel's rtnl lock, where a hung driver hangs the reader; `lldp`, which switch is at the
 * far end. Loopback is left out, and a bridge without ports too: it carries nothing and fails nobody.
 */
import type { Observation, Reading } from '../rules/model.ts';
import { bond, isBond, judgeSlave, type Redundancy, team } from './lib/bonding.ts';
import type { Collector, Snapshot } from './lib/collector.ts';
import {
  judgeLink,
  type Link,
  linkNeeds,
  links,
  NET,
  pciAddress,
  unread,
  type Verdict,
} from './lib/links.ts';
import { neighbours } from './lib/lldp.ts';
import { decimal, defined, errno, json, targetName, unlisted, word } from './lib/snapshot.ts';

const SYSFS_FILES = ['operstate', 'flags', 'carrier_changes', 'carrier_up_count'] as const;
const DRIVER_FILES = ['carrier', 'speed', 'duplex'] as const;
const BITS_PER_BYTE = 8;

/** What a slave's bond thinks of it darkens a link that is up; a dead link needs no second reason. */
function judge(snapshot: Snapshot, link: Link, master: Link | undefined): Verdict {
  const own = judgeLink(snapshot, link);
  if (own.health !== 'ok' || master === undefined || !isBond(snapshot, master)) return own;
  return judgeSlave(snapshot, link, master);
}

/** The bond's own choice, for slaves only: 1 carries traffic, 0 stands by. */
function activeGauge(snapshot: Snapshot, link: Link): number | undefined {
  const state = word(snapshot, `${link.key}/bonding_slave/state`);
  if (state === 'active') return 1;
  return state === 'backup' ? 0 : undefined;
}

/**
 * A link that is down and never was up may be a port without a cable: no proof of a fault. A slave is
 * meant to work: somebody configured it.
 */
function unproven(snapshot: Snapshot, link: Link, verdict: Verdict): Pick<Reading, 'unproven'> {
  const isDown = verdict.health === 'failed' || verdict.health === 'absent';
  const isSlave = snapshot.has(`${link.key}/bonding_slave/state`);
  return isDown && link.neverUp && !isSlave ? { unproven: true } : {};
}

function linkReading(
  snapshot: Snapshot,
  link: Link,
  all: { readonly byName: ReadonlyMap<string, Link>; readonly byIndex: ReadonlyMap<number, Link> },
): Reading {
  const verdict = judge(snapshot, link, all.byName.get(link.master ?? ''));
  const slave = `${link.key}/bonding_slave`;
  return {
    component: link.component,
    kind: 'link',
    name: link.name,
    ...verdict,
    gauges: defined({
      carrier_changes_total: decimal(snapshot, `${link.key}/carrier_changes`),
      carrier_up_total: decimal(snapshot, `${link.key}/carrier_up_count`),
      carrier_down_total: decimal(snapshot, `${link.key}/carrier_down_count`),
      active: activeGauge(snapshot, link),
      link_failures_total: decimal(snapshot, `${slave}/link_failure_count`),
    }),
    facts: defined({
      mac: word(snapshot, `${slave}/perm_hwaddr`) ?? word(snapshot, `${link.key}/address`),
      driver: targetName(snapshot, `${link.key}/device/driver`),
      pci: pciAddress(snapshot, link),
      type: link.type,
      master: link.master,
    }),
    needs: linkNeeds(snapshot, link, all.byIndex),
    flap: 'carrier_changes_total',
    // Its speed is told by `driver`. That of a bond or a bridge falls with its ports: no measure.
    ...(link.virtual ? { virtual: true as const } : { peak: 'bytes_per_second' }),
    ...unproven(snapshot, link, verdict),
  };
}

function redundancy(snapshot: Snapshot, link: Link, all: readonly Link[]): Redundancy | undefined {
  const ports = (): readonly Link[] => all.filter((other) => other.master === link.name);
  if (isBond(snapshot, link)) return bond(snapshot, link, ports());
  return link.type === 'team' ? team(link, ports()) : undefined;
}

function parseSysfs(snapshot: Snapshot): Observation {
  const blind = unlisted(snapshot, NET);
  if (blind !== undefined) return { kind: 'blind', why: blind };
  const found = links(snapshot, SYSFS_FILES);
  const masters = new Set(found.map((link) => link.master));
  const all = found.filter((link) => link.type !== 'bridge' || masters.has(link.name));
  if (all.length === 0) return { kind: 'none', why: 'no network interface but loopback' };
  const maps = {
    byName: new Map(all.map((link) => [link.name, link])),
    byIndex: new Map(all.flatMap((link) => (link.index === undefined ? [] : [[link.index, link]]))),
  };
  const sets = all.flatMap((link) => redundancy(snapshot, link, all) ?? []);
  return {
    kind: 'seen',
    readings: [
      ...all.map((link) => linkReading(snapshot, link, maps)),
      ...sets.flatMap((set) => set.readings),
    ],
    groups: sets.flatMap((set) => set.groups),
    advice: sets.flatMap((set) => set.advice),
  };
}

/** Megabits per second; -1, 0 and 4294967295 are the ways drivers say that they do not know. */
function bytesPerSecond(snapshot: Snapshot, link: Link): number | undefined {
  const megabits = decimal(snapshot, `${link.key}/speed`);
  if (megabits === undefined || megabits <= 0 || megabits >= 0xffffffff) return undefined;
  return (megabits * 1e6) / BITS_PER_BYTE;
}

function judgeDriver(snapshot: Snapshot, link: Link): Verdict {
  const carrier = word(snapshot, `${link.key}/carrier`);
  if (carrier === '0') return { health: 'failed', why: 'no carrier' };
  // The kernel refuses to tell the carrier of an interface that is switched off.
  if (errno(snapshot, `${link.key}/carrier`) === 'EINVAL') {
    return { health: 'absent', why: 'switched off by an administrator' };
  }
  if (carrier !== '1') {
    return { health: 'unknown', why: `carrier: ${unread(snapshot, `${link.key}/carrier`)}` };
  }
  return word(snapshot, `${link.key}/duplex`) === 'half'
    ? { health: 'failing', why: 'half duplex: the far end negotiates otherwise' }
    : { health: 'ok' };
}

function driverReading(snapshot: Snapshot, link: Link): Reading {
  const verdict = judgeDriver(snapshot, link);
  const speed = bytesPerSecond(snapshot, link);
  return {
    component: link.component,
    kind: 'link',
    name: link.name,
    ...verdict,
    gauges: defined({ bytes_per_second: speed }),
    facts: {},
    needs: [],
    ...unproven(snapshot, link, verdict),
  };
}

/**
 * Hardware only: what has no driver has no driver that hangs, and the speed of a veth is made up.
 * Late answers are not the links' fault: without any the source is blind, else those are left out.
 */
function parseDriver(snapshot: Snapshot): Observation {
  const blind = unlisted(snapshot, NET);
  if (blind !== undefined) return { kind: 'blind', why: blind };
  const all = links(snapshot, DRIVER_FILES).filter((link) => !link.virtual);
  if (all.length === 0) return { kind: 'none', why: 'no network hardware' };
  const answered = all.filter((link) => errno(snapshot, `${link.key}/carrier`) !== 'ETIMEDOUT');
  if (answered.length === 0) {
    return {
      kind: 'blind',
      why: 'the kernel does not answer for any interface: a network driver may hang (see dmesg)',
    };
  }
  const readings = answered.map((link) => driverReading(snapshot, link));
  return { kind: 'seen', readings, groups: [], advice: [] };
}

function parseLldp(snapshot: Snapshot): Observation {
  const entry = snapshot.get('command:lldpcli');
  if (entry === undefined || ('errno' in entry && entry.errno === 'ENODEV')) {
    return { kind: 'none', why: 'lldpd is not running' };
  }
  if (!('text' in entry)) {
    const why = 'errno' in entry ? (entry.why ?? entry.errno) : 'no output';
    return { kind: 'blind', why: `lldpcli: ${why}` };
  }
  if ((entry.status ?? 0) !== 0) {
    return { kind: 'blind', why: `lldpcli ended with status ${entry.status}: lldpd refused it` };
  }
  return neighbours(json(entry.text));
}

export const collector: Collector = {
  name: 'nics',
  sees: 'network links, bonds and teams, their cards and the switches they end in',
  sources: [
    {
      name: 'sysfs',
      reads: [
        { kind: 'link', root: 'sys', glob: 'class/net/*', still: true },
        { kind: 'link', root: 'sys', glob: 'class/net/*/master' },
        { kind: 'link', root: 'sys', glob: 'class/net/*/device/driver', still: true },
        {
          kind: 'file',
          root: 'sys',
          glob: 'class/net/*/{operstate,flags,carrier_changes,carrier_up_count,carrier_down_count}',
        },
        { kind: 'file', root: 'sys', glob: 'class/net/*/{address,iflink,uevent}', still: true },
        {
          kind: 'file',
          root: 'sys',
          glob: 'class/net/*/bonding/{mode,mii_status,miimon,arp_interval,primary,min_links,lacp_rate,ad_aggregator,ad_num_ports,ad_partner_mac}',
        },
        {
          kind: 'file',
          root: 'sys',
          glob: 'class/net/*/bonding_slave/{state,mii_status,link_failure_count,perm_hwaddr,ad_aggregator_id,ad_actor_oper_port_state,ad_partner_oper_port_state}',
        },
      ],
      wakes: [
        { on: 'netlink', about: 'link' },
        { on: 'uevent', subsystem: 'net' },
      ],
      everyMs: 5_000,
      staleMs: 20_000,
      parse: parseSysfs,
    },
    {
      // Under the rtnl lock: speed and duplex always, carrier since Linux 6.8. It may wait for as long
      // as a driver holds that lock, so it is asked apart, in a child, and less often.
      name: 'driver',
      reads: [
        { kind: 'link', root: 'sys', glob: 'class/net/*', still: true },
        { kind: 'file', root: 'sys', glob: 'class/net/*/{flags,carrier_up_count}' },
        { kind: 'file', root: 'sys', glob: 'class/net/*/bonding_slave/state' },
        {
          kind: 'file',
          root: 'sys',
          glob: 'class/net/*/{carrier,speed,duplex}',
          mayHang: true,
        },
      ],
      wakes: [{ on: 'netlink', about: 'link' }],
      everyMs: 10_000,
      staleMs: 40_000,
      opinion: true,
      parse: parseDriver,
    },
    {
      name: 'lldp',
      reads: [
        {
          kind: 'command',
          name: 'lldpcli',
          argv: ['lldpcli', '-f', 'json0', 'show', 'neighbors'],
          deadlineMs: 5_000,
          when: { root: 'run', glob: 'lldpd.socket' },
        },
      ],
      wakes: [],
      everyMs: 60_000,
      staleMs: 200_000,
      opinion: true,
      parse: parseLldp,
    },
  ],
};
