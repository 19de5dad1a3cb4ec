/**
 * What one network interface says of itself in sysfs: whether it is in service, what carries it, and
 * whether it has hardware. Judged from files the kernel answers without the rtnl lock (`operstate`,
 * `flags`, the carrier counts), so that a driver that hangs under that lock cannot stop this reading.
 * The driver's own answers (carrier, speed, duplex) are a second opinion, in `nics.ts`.
 */
import type { ComponentId, Health } from '../../rules/model.ts';
import { componentId } from '../../rules/model.ts';
import type { Snapshot } from './collector.ts';
import { decimal, errno, names, target, targetName, word } from './snapshot.ts';

export const NET = 'sys/class/net';
/** linux/if.h. */
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
/** Interfaces that sit on exactly one other, named by `iflink`. A veth's `iflink` is its far end. */
const STACKED = new Set(['vlan', 'macvlan', 'macvtap', 'ipvlan']);
const GONE = new Set(['ENOENT', 'ENODEV', 'ENOTDIR']);
/** Where a device stands on PCI; the last one of a path is the device itself. */
const PCI_ADDRESS = /^([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2})\.[0-7]$/u;

export interface Verdict {
  readonly health: Health;
  readonly why?: string;
}

export interface Link {
  readonly name: string;
  /** `sys/class/net/NAME`, for further questions. */
  readonly key: string;
  readonly component: ComponentId;
  readonly virtual: boolean;
  /** `bond`, `bridge`, `vlan`, ...; undefined for plain Ethernet. */
  readonly type: string | undefined;
  /** Name of the bond, bridge or team it is a port of. */
  readonly master: string | undefined;
  readonly index: number | undefined;
  /** It never had a carrier since it was made: perhaps no cable was ever plugged in. */
  readonly neverUp: boolean;
}

export function linkId(name: string): ComponentId {
  return componentId('link', name);
}

/** A bit mask as sysfs prints it (`0x1003`). */
function mask(text: string | undefined): number | undefined {
  return text !== undefined && /^0x[0-9a-f]{1,8}$/u.test(text) ? Number(text) : undefined;
}

/** One value of a uevent file: `DEVTYPE=bond`. */
function ueventValue(snapshot: Snapshot, key: string, name: string): string | undefined {
  const line = word(snapshot, `${key}/uevent`)
    ?.split('\n')
    .find((text) => text.startsWith(`${name}=`));
  return line?.slice(name.length + 1).trim();
}

/** What asking for a link or a folder answers where there is a plain file. */
const NO_FOLDER: ReadonlySet<string> = new Set(['EINVAL', 'ENOTDIR']);

/** False for what is no interface (`bonding_masters`) and for one that vanished while it was read. */
function isPresent(snapshot: Snapshot, key: string, files: readonly string[]): boolean {
  const folder = errno(snapshot, key);
  if (folder !== undefined && !GONE.has(folder) && !NO_FOLDER.has(folder)) return true;
  return files.some((file) => {
    const entry = snapshot.get(`${key}/${file}`);
    return entry !== undefined && !('errno' in entry && GONE.has(entry.errno));
  });
}

function isLoopback(snapshot: Snapshot, name: string): boolean {
  const flags = mask(word(snapshot, `${NET}/${name}/flags`));
  return flags === undefined ? name === 'lo' : (flags & IFF_LOOPBACK) !== 0;
}

/** True without hardware of its own. Undecided (the link was not read) counts as hardware: it is kept. */
function isVirtual(snapshot: Snapshot, key: string): boolean {
  return target(snapshot, key)?.includes('/devices/virtual/') === true;
}

function index(snapshot: Snapshot, key: string): number | undefined {
  const text = ueventValue(snapshot, key, 'IFINDEX');
  return text !== undefined && /^\d{1,10}$/u.test(text) ? Number(text) : undefined;
}

/** All interfaces but loopback for which one of the files was listed and is not gone. */
export function links(snapshot: Snapshot, files: readonly string[]): readonly Link[] {
  return names(snapshot, NET)
    .filter((name) => isPresent(snapshot, `${NET}/${name}`, files) && !isLoopback(snapshot, name))
    .map((name) => {
      const key = `${NET}/${name}`;
      return {
        name,
        key,
        component: linkId(name),
        virtual: isVirtual(snapshot, key),
        type: ueventValue(snapshot, key, 'DEVTYPE'),
        master: targetName(snapshot, `${key}/master`),
        index: index(snapshot, key),
        neverUp: (decimal(snapshot, `${key}/carrier_up_count`) ?? 0) === 0,
      };
    });
}

/** Why a file has no usable value: its errno, or that it holds something else. */
export function unread(snapshot: Snapshot, key: string): string {
  return errno(snapshot, key) ?? (word(snapshot, key) === undefined ? 'empty' : 'not understood');
}

/**
 * Administrative switch first, then RFC 2863 `operstate`. `unknown` there is the normal word of
 * interfaces that have no carrier to lose (tun, dummy); one that loses it says `down`.
 */
export function judgeLink(snapshot: Snapshot, link: Link): Verdict {
  const flags = mask(word(snapshot, `${link.key}/flags`));
  if (flags !== undefined && (flags & IFF_UP) === 0) {
    return { health: 'absent', why: 'switched off by an administrator' };
  }
  const operstate = word(snapshot, `${link.key}/operstate`);
  switch (operstate) {
    case 'up':
    case 'unknown':
      return flags === undefined && operstate === 'unknown'
        ? { health: 'unknown', why: `flags: ${unread(snapshot, `${link.key}/flags`)}` }
        : { health: 'ok' };
    case 'down':
      return flags === undefined
        ? { health: 'unknown', why: 'down: no carrier, or switched off by an administrator' }
        : { health: 'failed', why: 'no carrier' };
    case 'lowerlayerdown':
      return { health: 'failed', why: 'no carrier: the interface below it is down' };
    case 'notpresent':
      return { health: 'absent', why: 'the hardware is not present' };
    case 'dormant':
      return { health: 'failed', why: 'dormant: waits for something outside, such as 802.1X' };
    case 'testing':
      return { health: 'failed', why: 'in test mode: passes no packets' };
    default:
      return {
        health: 'unknown',
        why: `operstate: ${unread(snapshot, `${link.key}/operstate`)}`,
      };
  }
}

/** Last PCI address on the way to the device, without the function: `0000:03:00`. */
export function pciCard(snapshot: Snapshot, link: Link): string | undefined {
  const segments = target(snapshot, link.key)?.split('/') ?? [];
  return segments.map((segment) => PCI_ADDRESS.exec(segment)?.[1]).findLast((card) => card);
}

/** Last PCI address on the way to the device, with the function: `0000:03:00.1`. */
export function pciAddress(snapshot: Snapshot, link: Link): string | undefined {
  const segments = target(snapshot, link.key)?.split('/') ?? [];
  return segments.findLast((segment) => PCI_ADDRESS.test(segment));
}

/**
 * What it cannot work without: the card of its port (the ports of one card share it), or the one
 * interface it is stacked on.
 */
export function linkNeeds(
  snapshot: Snapshot,
  link: Link,
  byIndex: ReadonlyMap<number, Link>,
): readonly ComponentId[] {
  const card = pciCard(snapshot, link);
  if (card !== undefined) return [componentId('card', card)];
  if (link.type === undefined || !STACKED.has(link.type)) return [];
  const below = byIndex.get(decimal(snapshot, `${link.key}/iflink`) ?? -1);
  return below === undefined || below === link ? [] : [below.component];
}
