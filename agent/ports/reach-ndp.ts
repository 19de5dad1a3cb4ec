/**
 * A neighbour solicitation (RFC 4861, 4.3) of our own: what ARP is to IPv4. No filter on a router stops
 * it, or the router would be of no use; and it asks the wire, never the kernel's table.
 */
import { networkInterfaces } from 'node:os';
import {
  AF_INET6,
  addressBytes,
  type Failure,
  type Net,
  SOCK_RAW,
  socketAddress,
} from './reach-socket.ts';
import {
  type Answer,
  type Attempt,
  exchange,
  IPPROTO_ICMPV6,
  letThrough,
  withSocket,
} from './reach-try.ts';

const IPPROTO_IPV6 = 41;
/** linux/in6.h. */
const IPV6_UNICAST_HOPS = 16;
const IPV6_MULTICAST_HOPS = 18;
/** Receivers drop neighbour discovery that any router could have passed on. */
const HOPS = 255;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
const ADVERTISEMENT_BYTES = 24;

function solicitation(wanted: Buffer, mac: Buffer): Buffer {
  const data = Buffer.alloc(mac.length === 6 ? 32 : 24);
  data[0] = SOLICITATION;
  wanted.copy(data, 8);
  if (mac.length !== 6) return data;
  // Source link-layer address; its length counts units of eight bytes.
  data[24] = 1;
  data[25] = 1;
  mac.copy(data, 26);
  return data;
}

/** `ff02::1:ffXX:XXXX`, the group that the owner of the address must have joined. */
function solicitedNode(wanted: Buffer): string {
  const tail = wanted.subarray(13).toString('hex');
  return `ff02::1:ff${tail.slice(0, 2)}:${tail.slice(2)}`;
}

/** Asks the link who has the IPv6 address. The kernel chooses our source address and fills in the sum. */
export function tryNdp(net: Net, { address, link, signal }: Attempt): Promise<Answer> {
  const own = networkInterfaces()[link ?? '']?.find(({ family }) => family === 'IPv6');
  const index = link === undefined ? 0 : net.index(link);
  if (!address.includes(':') || own === undefined || index === 0) {
    const why = `a neighbour solicitation needs an IPv6 address on the link ${link ?? '(none given)'}`;
    return Promise.resolve({ state: 'error', method: 'ndp', why });
  }
  const mac = Buffer.from(own.mac.replaceAll(':', ''), 'hex');
  const wanted = addressBytes(address);
  const open = (): number | Failure => net.open(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
  return withSocket(net, 'ndp', open, link, (fd) => {
    letThrough(net, fd, false, ADVERTISEMENT);
    const hops = Buffer.from(new Int32Array([HOPS]).buffer);
    net.setOption(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops);
    net.setOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops);
    const request = solicitation(wanted, mac);
    const group = socketAddress(solicitedNode(wanted), 0, index);
    return exchange(
      net,
      fd,
      {
        method: 'ndp',
        send: () => net.send(fd, request, group),
        // Requests are alike: an answer counts for the first one.
        answers: ({ data }) =>
          data.length >= ADVERTISEMENT_BYTES &&
          data[0] === ADVERTISEMENT &&
          data.subarray(8, 24).equals(wanted)
            ? 0
            : undefined,
      },
      signal,
    );
  });
}
