/**
 * One attempt to get a word out of one address: ICMP echo (RFC 792, 4443) and TCP connect; ARP and
 * neighbour discovery stand beside, in `reach-arp.ts` and `reach-ndp.ts`. A lost packet is doubt: three questions before `silent`. Replies are
 * looked for at growing intervals on a non-blocking socket: no thread waits, and a reply that came
 * while this process was held up is still found, because the last look follows the last wait.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AF_INET,
  AF_INET6,
  addressBytes,
  type Failure,
  type Net,
  type Received,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_STREAM,
  socketAddress,
  sourceBytes,
} from './reach-socket.ts';

export type Method = 'icmp' | 'tcp' | 'arp' | 'ndp';
/** `refused` proves life as `answered` does; `error` proves nothing: we could not try. */
export type State = 'answered' | 'refused' | 'silent' | 'unreachable' | 'error';

export interface Answer {
  readonly state: State;
  readonly method: Method;
  readonly rttMs?: number;
  readonly tries?: number;
  readonly why?: string;
}

/** What is tried; `signal` ends the attempt early with `error`. */
export interface Attempt {
  readonly address: string;
  readonly link: string | undefined;
  readonly port: number;
  readonly signal: AbortSignal;
}

const TRIES = 3;
/** Three tries make one second: the longest that one method may take. */
export const TRY_MS = 333;
const LOOKS_MS = [1, 1, 2, 4, 8, 16, 32] as const;
const LOOK_MS_MAX = 50;
const IPPROTO_ICMP = 1;
const IPPROTO_TCP = 6;
export const IPPROTO_ICMPV6 = 58;
const SOL_RAW = 255;
const PACKET_BYTES_MAX = 256;
/** Packets taken from a socket at one look: others' replies reach a raw socket too. */
const PACKETS_PER_LOOK_MAX = 64;

/** The network or the far end said no, as opposed to errors that are our own. */
const UNREACHABLE = new Set([
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'ENETRESET',
  'ENODEV',
  'ENXIO',
]);

export function failed(method: Method, { errno }: Failure, what: string): Answer {
  const state = UNREACHABLE.has(errno) ? 'unreachable' : 'error';
  return { state, method, why: `${what}: ${errno}` };
}

/** Looks until something is found or the try is over; the last look comes after the last wait. */
async function lookFor<T>(
  look: () => T | undefined,
  signal: AbortSignal,
  withinMs: number,
): Promise<T | undefined> {
  const end = performance.now() + withinMs;
  for (let at = 0; ; at += 1) {
    const found = look();
    const leftMs = end - performance.now();
    if (found !== undefined || leftMs <= 0 || signal.aborted) return found;
    await sleep(Math.min(LOOKS_MS[at] ?? LOOK_MS_MAX, Math.max(1, leftMs)));
  }
}

interface Exchange {
  readonly method: Method;
  /** Sends request number `at`; a failure ends the exchange. */
  readonly send: (at: number) => Failure | undefined;
  /** Number of the request that a packet answers; undefined for everything else. */
  readonly answers: (packet: Received) => number | undefined;
}

/** Asks up to three times and takes the first answer to any of the questions. */
export async function exchange(
  net: Net,
  fd: number,
  ask: Exchange,
  signal: AbortSignal,
): Promise<Answer> {
  const sentAt: number[] = [];
  const look = (): Answer | undefined => {
    for (let packets = 0; packets < PACKETS_PER_LOOK_MAX; packets += 1) {
      const packet = net.receive(fd, PACKET_BYTES_MAX);
      if (packet === undefined) return undefined;
      if ('errno' in packet) return failed(ask.method, packet, 'receive');
      const start = sentAt[ask.answers(packet) ?? -1];
      if (start === undefined) continue;
      const rttMs = performance.now() - start;
      return { state: 'answered', method: ask.method, rttMs, tries: sentAt.length };
    }
    return undefined;
  };
  for (let at = 0; at < TRIES && !signal.aborted; at += 1) {
    sentAt.push(performance.now());
    const failure = ask.send(at);
    if (failure !== undefined) return failed(ask.method, failure, 'send');
    const answer = await lookFor(look, signal, TRY_MS);
    if (answer !== undefined) return answer;
  }
  if (signal.aborted) return { state: 'error', method: ask.method, why: 'given up: closing' };
  return { state: 'silent', method: ask.method, tries: TRIES };
}

/** Opens a socket bound to the interface when one is given, and closes it whatever happens. */
export async function withSocket(
  net: Net,
  method: Method,
  open: () => number | Failure,
  link: string | undefined,
  use: (fd: number) => Promise<Answer>,
): Promise<Answer> {
  const fd = open();
  if (typeof fd !== 'number') return failed(method, fd, 'socket');
  try {
    const failure = link === undefined ? undefined : net.bindToDevice(fd, link);
    if (failure !== undefined) return failed(method, failure, `bind to ${link}`);
    return await use(fd);
  } finally {
    net.close(fd);
  }
}

function internetChecksum(data: Buffer): number {
  let sum = 0;
  for (let at = 0; at < data.length; at += 2) sum += data.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const ECHO_BYTES = 24;

function echoRequest(isV4: boolean, id: number, sequence: number, nonce: Buffer): Buffer {
  const data = Buffer.alloc(ECHO_BYTES);
  data[0] = isV4 ? 8 : 128;
  data.writeUInt16BE(id, 4);
  data.writeUInt16BE(sequence, 6);
  nonce.copy(data, 8);
  // The kernel fills it in for ICMPv6, whose sum covers the addresses.
  if (isV4) data.writeUInt16BE(internetChecksum(data), 2);
  return data;
}

/**
 * The ICMP message in a packet: raw IPv4 sockets hand out the IP header too, ping sockets do not. The
 * ping socket's own id replaces ours, so only the nonce, the sequence and the source are compared.
 */
function echoSequence(packet: Buffer, isV4: boolean, isRaw: boolean, nonce: Buffer): number {
  const skip = isV4 && isRaw ? ((packet[0] ?? 0) & 0x0f) * 4 : 0;
  const message = packet.subarray(skip);
  if (message.length < ECHO_BYTES || message[0] !== (isV4 ? 0 : 129) || message[1] !== 0) return -1;
  return message.subarray(8, ECHO_BYTES).equals(nonce) ? message.readUInt16BE(6) : -1;
}

/** A raw socket sees every ICMP packet of the machine: let only one type through. */
export function letThrough(net: Net, fd: number, isV4: boolean, type: number): void {
  const filter = Buffer.alloc(isV4 ? 4 : 32, 0xff);
  // A set bit blocks its type; words are in the machine's byte order.
  const words = new Uint32Array(filter.buffer, filter.byteOffset, filter.length / 4);
  words[type >> 5] = ~(1 << (type & 31));
  net.setOption(fd, isV4 ? SOL_RAW : IPPROTO_ICMPV6, 1, filter);
}

/** ICMP echo by a ping socket where `net.ipv4.ping_group_range` allows it, else by a raw one. */
export function tryIcmp(net: Net, { address, link, signal }: Attempt): Promise<Answer> {
  const isV4 = !address.includes(':');
  const family = isV4 ? AF_INET : AF_INET6;
  const protocol = isV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
  let isRaw = false;
  const open = (): number | Failure => {
    const fd = net.open(family, SOCK_DGRAM, protocol);
    if (typeof fd === 'number') return fd;
    isRaw = true;
    return net.open(family, SOCK_RAW, protocol);
  };
  return withSocket(net, 'icmp', open, link, (fd) => {
    if (isRaw) letThrough(net, fd, isV4, isV4 ? 0 : 129);
    const nonce = randomBytes(ECHO_BYTES - 8);
    const id = nonce.readUInt16BE(0);
    // A raw socket takes no port; a ping socket ignores it.
    const to = socketAddress(address, 0, link === undefined ? 0 : net.index(link));
    const source = addressBytes(address);
    return exchange(
      net,
      fd,
      {
        method: 'icmp',
        send: (at) => net.send(fd, echoRequest(isV4, id, at, nonce), to),
        answers: ({ data, from }) =>
          sourceBytes(from, isV4).equals(source)
            ? echoSequence(data, isV4, isRaw, nonce)
            : undefined,
      },
      signal,
    );
  });
}

/** Outcome of a finished or pending connect; undefined while it is under way. */
function connected(
  failure: Failure | undefined,
): Omit<Answer, 'method' | 'rttMs' | 'tries'> | undefined {
  const errno = failure?.errno ?? 'EISCONN';
  switch (errno) {
    case 'EISCONN':
      return { state: 'answered' };
    case 'EINPROGRESS':
    case 'EALREADY':
      return undefined;
    case 'ECONNREFUSED':
    case 'ECONNRESET':
      return { state: 'refused' };
    default:
      return failed('tcp', { errno }, 'connect');
  }
}

/** TCP connect, closed at once. The kernel itself repeats a lost SYN after one second: a second try. */
export function tryTcp(net: Net, { address, link, port, signal }: Attempt): Promise<Answer> {
  const family = address.includes(':') ? AF_INET6 : AF_INET;
  const open = (): number | Failure => net.open(family, SOCK_STREAM, IPPROTO_TCP);
  return withSocket(net, 'tcp', open, link, async (fd) => {
    const to = socketAddress(address, port, link === undefined ? 0 : net.index(link));
    const start = performance.now();
    // Calling connect again asks how the first call went.
    const look = (): Answer | undefined => {
      const outcome = connected(net.connect(fd, to));
      if (outcome === undefined) return undefined;
      return { ...outcome, method: 'tcp', rttMs: performance.now() - start, tries: 1 };
    };
    const answer = await lookFor(look, signal, TRIES * TRY_MS);
    if (answer !== undefined) return answer;
    if (signal.aborted) return { state: 'error', method: 'tcp', why: 'given up: closing' };
    return { state: 'silent', method: 'tcp', tries: 1 };
  });
}
