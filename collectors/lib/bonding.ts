/**
 * What a bond says of itself and of its slaves (drivers/net/bonding, Documentation/networking/
 * bonding.rst). Decides which slaves can really stand in for each other: a slave with carrier that the
 * bond holds down, or that no LACP partner answers, is redundancy that was lost without a sound.
 * Membership is read from the slaves' `master` links: `bonding/slaves` takes the rtnl lock.
 */
import type { Advice, GroupReading, Reading } from '../../rules/model.ts';
import { componentId, groupId } from '../../rules/model.ts';
import type { Snapshot } from './collector.ts';
import { judgeLink, type Link, linkId, unread, type Verdict } from './links.ts';
import { decimal, defined, errno, word } from './snapshot.ts';

/** Port state bits of IEEE 802.1AX 6.4.2.3. */
const SYNCHRONIZATION = 0x08;
const DEFAULTED = 0x40;
const EXPIRED = 0x80;
const NO_PARTNER = '00:00:00:00:00:00';
const LACP = '802.3ad';

/** `mode` prints a word and a number: `active-backup 1`. */
function firstWord(snapshot: Snapshot, key: string): string | undefined {
  return word(snapshot, key)?.split(/\s/u, 1)[0];
}

function mode(snapshot: Snapshot, bond: Link): string | undefined {
  return firstWord(snapshot, `${bond.key}/bonding/mode`);
}

/** True when nothing watches the slaves; undefined when that could not be read. */
function isUnmonitored(snapshot: Snapshot, bond: Link): boolean | undefined {
  const miimon = decimal(snapshot, `${bond.key}/bonding/miimon`);
  const arpInterval = decimal(snapshot, `${bond.key}/bonding/arp_interval`);
  if (miimon === 0 && arpInterval === 0) return true;
  return (miimon ?? 0) > 0 || (arpInterval ?? 0) > 0 ? false : undefined;
}

/** Whether a partner at the far end takes part in LACP on this port; undefined when unread. */
function hasPartner(snapshot: Snapshot, slave: Link): boolean | undefined {
  const actor = decimal(snapshot, `${slave.key}/bonding_slave/ad_actor_oper_port_state`);
  const partner = decimal(snapshot, `${slave.key}/bonding_slave/ad_partner_oper_port_state`);
  if (actor !== undefined && (actor & (DEFAULTED | EXPIRED)) !== 0) return false;
  return partner === undefined ? undefined : (partner & SYNCHRONIZATION) !== 0;
}

/** An 802.3ad slave that is up: is it part of the aggregate that carries the traffic? */
function judgeAggregation(snapshot: Snapshot, slave: Link, bond: Link): Verdict {
  const own = decimal(snapshot, `${slave.key}/bonding_slave/ad_aggregator_id`);
  const active = decimal(snapshot, `${bond.key}/bonding/ad_aggregator`);
  const partner = hasPartner(snapshot, slave);
  if (own !== undefined && active !== undefined && own !== active) {
    return partner === true
      ? {
          health: 'failing',
          why: `not in the aggregate: in ${own}, ${bond.name} uses ${active}; only stands by`,
        }
      : { health: 'failed', why: 'not in the aggregate: no LACP partner answers' };
  }
  const isAlone = word(snapshot, `${bond.key}/bonding/ad_partner_mac`) === NO_PARTNER;
  return partner === false || isAlone
    ? { health: 'failing', why: `no LACP partner answers: ${bond.name} does not aggregate it` }
    : { health: 'ok' };
}

/** What the bond says of a slave whose own link is up. */
export function judgeSlave(snapshot: Snapshot, slave: Link, bond: Link): Verdict {
  const key = `${slave.key}/bonding_slave/mii_status`;
  const status = word(snapshot, key);
  switch (status) {
    case 'up':
      return mode(snapshot, bond) === LACP
        ? judgeAggregation(snapshot, slave, bond)
        : { health: 'ok' };
    case 'going down':
    case 'going back':
      return { health: 'failing', why: `${bond.name}: ${status}` };
    case 'down':
      return { health: 'failed', why: `has a link, but ${bond.name} holds it down` };
    default: {
      // Enslaved or freed while it was read: it says nothing about this slave.
      const cause = errno(snapshot, key);
      if (cause === 'ENOENT' || cause === 'ENODEV' || !snapshot.has(key)) return { health: 'ok' };
      return { health: 'unknown', why: `mii_status: ${unread(snapshot, key)}` };
    }
  }
}

export function isBond(snapshot: Snapshot, link: Link): boolean {
  return link.type === 'bond' || snapshot.has(`${link.key}/bonding/mode`);
}

function judgeBond(snapshot: Snapshot, bond: Link, slaves: readonly Link[]): Verdict {
  const own = judgeLink(snapshot, bond);
  if (own.health === 'absent') return own;
  const key = `${bond.key}/bonding/mii_status`;
  const status = word(snapshot, key);
  if (status === 'down') {
    return { health: 'failed', why: slaves.length === 0 ? 'has no slaves' : 'no slave works' };
  }
  if (status !== 'up') return { health: 'unknown', why: `mii_status: ${unread(snapshot, key)}` };
  return isUnmonitored(snapshot, bond) === true
    ? { health: 'failing', why: 'watches no slave (miimon 0, arp_interval 0): never fails over' }
    : { health: 'ok' };
}

function bondReading(snapshot: Snapshot, bond: Link, slaves: readonly Link[]): Reading {
  const key = `${bond.key}/bonding`;
  return {
    component: componentId('bond', bond.name),
    kind: 'bond',
    name: bond.name,
    ...judgeBond(snapshot, bond, slaves),
    gauges: defined({
      slaves: slaves.length,
      aggregated_slaves: decimal(snapshot, `${key}/ad_num_ports`),
    }),
    facts: defined({
      mode: mode(snapshot, bond),
      primary: word(snapshot, `${key}/primary`),
      miimon_ms: word(snapshot, `${key}/miimon`),
      lacp_rate: firstWord(snapshot, `${key}/lacp_rate`),
    }),
    needs: [],
    virtual: true,
    ...(slaves.length === 0 && bond.neverUp ? { unproven: true as const } : {}),
  };
}

/** Order of service when the bond names a primary; undefined when its slaves are equal. */
function preference(
  snapshot: Snapshot,
  bond: Link,
  slaves: readonly Link[],
): Pick<GroupReading, 'preference'> {
  const primary = word(snapshot, `${bond.key}/bonding/primary`);
  const first = slaves.find((slave) => slave.name === primary);
  if (first === undefined) return {};
  const others = slaves.filter((slave) => slave !== first);
  return { preference: [first, ...others].map((slave) => slave.component) };
}

function bondGroup(snapshot: Snapshot, bond: Link, slaves: readonly Link[]): GroupReading {
  // With min_links the bond itself goes down below that many: its own need, not ours.
  const minLinks = decimal(snapshot, `${bond.key}/bonding/min_links`) ?? 0;
  return {
    group: groupId('bond', bond.name),
    kind: 'bond',
    name: bond.name,
    members: slaves.map((slave) => slave.component),
    ...(mode(snapshot, bond) === LACP && minLinks > 1 ? { needed: minLinks } : {}),
    ...preference(snapshot, bond, slaves),
  };
}

function bondAdvice(snapshot: Snapshot, bond: Link): readonly Advice[] {
  if (isUnmonitored(snapshot, bond) !== true) return [];
  return [
    {
      code: 'bond-unmonitored',
      about: componentId('bond', bond.name),
      text: `${bond.name} watches none of its slaves and will never fail over: set miimon to 100 or use arp_interval with arp_ip_target`,
    },
  ];
}

export interface Redundancy {
  readonly readings: readonly Reading[];
  readonly groups: readonly GroupReading[];
  readonly advice: readonly Advice[];
}

/** Component and group of one bond. A bond without slaves is no group: there is nothing to count. */
export function bond(snapshot: Snapshot, link: Link, slaves: readonly Link[]): Redundancy {
  return {
    readings: [bondReading(snapshot, link, slaves)],
    groups: slaves.length === 0 ? [] : [bondGroup(snapshot, link, slaves)],
    advice: bondAdvice(snapshot, link),
  };
}

/** A team's ports stand in for each other; what its runner thinks of them is not in sysfs. */
export function team(link: Link, ports: readonly Link[]): Redundancy {
  const group: GroupReading = {
    group: groupId('team', link.name),
    kind: 'bond',
    name: link.name,
    members: ports.map((port) => linkId(port.name)),
  };
  return { readings: [], groups: ports.length === 0 ? [] : [group], advice: [] };
}
