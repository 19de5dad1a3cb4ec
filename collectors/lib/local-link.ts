/**
 * The link that a software iSCSI session leaves by. No file names it; the host's own address does, when
 * just one link has it (IPv6) or a route to its network (IPv4). Two links into one network are doubt, and
 * doubt names none. Decides nothing about health.
 */
import type { Read, Snapshot } from './collector.ts';
import { word } from './snapshot.ts';

/** What `localLink` looks into. */
export const LOCAL_LINK_READS: readonly Read[] = [
  { kind: 'file', root: 'sys', glob: 'class/iscsi_host/*/{ipaddress,netdev}', still: true },
  { kind: 'file', root: 'proc', glob: 'net/{route,if_inet6}', still: true },
];

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/u;
const HEX32 = /^[0-9A-Fa-f]{8}$/u;
/** What the driver prints where the session is bound to no link. */
const UNBOUND = /^(default|<NULL>|\(null\))$/u;

function ipv4Number(address: string): number | undefined {
  const bytes = IPV4.exec(address)?.slice(1).map(Number);
  if (bytes === undefined || bytes.some((byte) => byte > 255)) return undefined;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** The kernel prints addresses as numbers of its own byte order; the mask tells which that is. */
function reversed(hex: string): string {
  return (hex.match(/../gu) ?? []).reverse().join('');
}

function isMask(hex: string): boolean {
  return /^1*0*$/u.test(Number.parseInt(hex, 16).toString(2).padStart(32, '0'));
}

/** Links with a route of their own to the network of the address, from /proc/net/route. */
function ipv4Links(table: string, address: number): readonly string[] {
  return table.split('\n').flatMap((line) => {
    const [link = '', network = '', gateway, , , , , mask = ''] = line.trim().split(/\s+/u);
    if (!HEX32.test(network) || !HEX32.test(mask) || /^0+$/u.test(mask)) return [];
    if (gateway !== '00000000') return [];
    const turn = isMask(reversed(mask)) ? reversed : (hex: string): string => hex;
    const bits = Number.parseInt(turn(mask), 16);
    const inside = (address & bits) >>> 0 === Number.parseInt(turn(network), 16);
    return inside ? [link] : [];
  });
}

/** Eight groups of four digits, as /proc/net/if_inet6 prints them without colons. */
function ipv6Digits(address: string): string {
  const [head = '', tail] = address.split('::', 2);
  const groups = (text: string | undefined): string[] =>
    text === undefined || text === '' ? [] : text.split(':');
  const missing = Math.max(0, 8 - groups(head).length - groups(tail).length);
  const all = [...groups(head), ...Array.from({ length: missing }, () => '0'), ...groups(tail)];
  return all.map((group) => group.padStart(4, '0')).join('');
}

function ipv6Links(table: string, address: string): readonly string[] {
  const wanted = ipv6Digits(address.toLowerCase());
  return table.split('\n').flatMap((line) => {
    const [digits, , , , , link] = line.trim().split(/\s+/u);
    return digits === wanted && link !== undefined ? [link] : [];
  });
}

/** The link of a SCSI host (`host3`) that is a software iSCSI session; undefined when it is not sure. */
export function localLink(snapshot: Snapshot, host: string | undefined): string | undefined {
  const folder = `sys/class/iscsi_host/${host ?? ''}`;
  const bound = word(snapshot, `${folder}/netdev`);
  if (bound !== undefined && !UNBOUND.test(bound)) return bound;
  const address = word(snapshot, `${folder}/ipaddress`);
  if (address === undefined) return undefined;
  const number = ipv4Number(address);
  const links =
    number === undefined
      ? ipv6Links(word(snapshot, 'proc/net/if_inet6') ?? '', address)
      : ipv4Links(word(snapshot, 'proc/net/route') ?? '', number);
  const [link, ...others] = new Set(links);
  return others.length === 0 ? link : undefined;
}
