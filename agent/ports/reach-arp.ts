/**
 * An ARP request (RFC 826) of our own, for gateways that are told not to answer an echo. It asks the
 * wire, never the kernel's table: that keeps a dead neighbour complete for up to a minute.
 */
import { networkInterfaces } from 'node:os';
import {
  AF_PACKET,
  addressBytes,
  type Failure,
  type Net,
  packetAddress,
  SOCK_DGRAM,
} from './reach-socket.ts';
import { type Answer, type Attempt, exchange, failed, withSocket } from './reach-try.ts';

/** linux/if_ether.h. */
const ETH_P_ARP = 0x0806;
const ARP_BYTES = 28;

function arpRequest(mac: Buffer, own: Buffer, wanted: Buffer): Buffer {
  const data = Buffer.alloc(ARP_BYTES);
  data.writeUInt16BE(1, 0);
  data.writeUInt16BE(0x0800, 2);
  data[4] = 6;
  data[5] = 4;
  data.writeUInt16BE(1, 6);
  mac.copy(data, 8);
  own.copy(data, 14);
  wanted.copy(data, 24);
  return data;
}

/** A reply (2) from the wanted address to us. */
function isArpReply(packet: Buffer, mac: Buffer, wanted: Buffer): boolean {
  return (
    packet.length >= ARP_BYTES &&
    packet.readUInt16BE(6) === 2 &&
    packet.subarray(14, 18).equals(wanted) &&
    packet.subarray(18, 24).equals(mac)
  );
}

/** Asks the link who has the address. Only IPv4, and only on a link with hardware addresses. */
export function tryArp(net: Net, { address, link, signal }: Attempt): Promise<Answer> {
  const own = networkInterfaces()[link ?? '']?.find(({ family }) => family === 'IPv4');
  const index = link === undefined ? 0 : net.index(link);
  const mac = Buffer.from((own?.mac ?? '').replaceAll(':', ''), 'hex');
  if (address.includes(':') || own === undefined || index === 0 || mac.length !== 6) {
    const why = `ARP needs an IPv4 address on the link ${link ?? '(none given)'}`;
    return Promise.resolve({ state: 'error', method: 'arp', why });
  }
  // Bound by its interface index below; SO_BINDTODEVICE is not for packet sockets.
  const open = (): number | Failure => net.open(AF_PACKET, SOCK_DGRAM, 0);
  return withSocket(net, 'arp', open, undefined, (fd) => {
    const failure = net.bind(fd, packetAddress(index, ETH_P_ARP));
    if (failure !== undefined) return Promise.resolve(failed('arp', failure, `bind to ${link}`));
    const wanted = addressBytes(address);
    const request = arpRequest(mac, addressBytes(own.address), wanted);
    const everyone = packetAddress(index, ETH_P_ARP, Buffer.alloc(6, 0xff));
    return exchange(
      net,
      fd,
      {
        method: 'arp',
        send: () => net.send(fd, request, everyone),
        // Requests are alike: an answer counts for the first one.
        answers: ({ data }) => (isArpReply(data, mac, wanted) ? 0 : undefined),
      },
      signal,
    );
  });
}
