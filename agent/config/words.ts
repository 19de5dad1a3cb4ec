/**
 * The small languages inside the configuration's strings: durations, addresses to listen on, addresses
 * to try, identities of components and globs of them. Each is read here and nowhere else. A complaint
 * says what is wrong with a text and how to mend it; undefined means the text is good.
 */
import { isIP } from 'node:net';
import { shown } from './problems.ts';

export interface Complaint {
  readonly message: string;
  readonly mend: string;
}

const DURATION = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)$/u;
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of `500ms`, `2s`, `1.5m`, `1h`, `7d`; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const [, amount, unit = ''] = DURATION.exec(text) ?? [];
  const scale = UNIT_MS[unit];
  return scale === undefined ? undefined : Math.round(Number(amount) * scale);
}

export interface Listen {
  readonly host: string;
  readonly port: number;
}

const LISTEN_MEND = 'write HOST:PORT such as 127.0.0.1:9974, or off';
/** A last colon and digits; the host is judged apart. Bounded by the length checked before it. */
const LISTEN = /^(.*):([0-9]{1,6})$/u;

function listenHost(host: string): string | Complaint {
  if (host === '' || host === '*') {
    return { message: 'names no address', mend: 'write 0.0.0.0:PORT or [::]:PORT for all of them' };
  }
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : undefined;
  if (bare !== undefined && isIP(bare) === 6) return bare;
  if (isIP(host) === 6) {
    return { message: 'needs brackets around IPv6', mend: `write [${host}]:PORT` };
  }
  if (host === 'localhost' || isIP(host) === 4) return host;
  return { message: `${shown(host)} is not an address`, mend: 'write an IPv4 or [IPv6] address' };
}

/** Reads `HOST:PORT`. */
export function readListen(text: string): Listen | Complaint {
  if (text.length > 80) return { message: 'is too long', mend: LISTEN_MEND };
  if (isIP(text) !== 0) return { message: 'has no port', mend: LISTEN_MEND };
  const [, hostText, portText] = LISTEN.exec(text) ?? [];
  if (hostText === undefined || portText === undefined) {
    return { message: `${shown(text)} is not HOST:PORT`, mend: LISTEN_MEND };
  }
  const host = listenHost(hostText);
  if (typeof host !== 'string') return host;
  const port = Number(portText);
  if (port > 65_535) return { message: `port ${port} does not exist`, mend: 'write 0 to 65535' };
  return { host, port };
}

const COMPONENT = /^[a-z][a-z0-9_-]*(\/[A-Za-z0-9._:@+-]{1,120})+$/u;
const GLOB = /^[A-Za-z0-9._:@+/*-]+$/u;

function componentComplaint(text: string): Complaint | undefined {
  if (text.includes('*')) {
    return { message: `${shown(text)} holds a *`, mend: 'name each component by its identity' };
  }
  if (COMPONENT.test(text)) return undefined;
  return { message: `${shown(text)} is no component`, mend: 'write KIND/NAME such as link/eth0' };
}

function globComplaint(text: string): Complaint | undefined {
  if (!text.includes('*')) return componentComplaint(text);
  if (!GLOB.test(text)) {
    return {
      message: `${shown(text)} holds characters that no identity has`,
      mend: 'only * stands for others; write a line for each alternative',
    };
  }
  if (text.includes('/') || text.startsWith('*')) return undefined;
  return { message: `${shown(text)} names no kind`, mend: `write KIND/NAME such as link/${text}` };
}

function addressComplaint(text: string): Complaint | undefined {
  if (text.includes('%')) {
    return { message: 'names its interface', mend: 'write the interface under link' };
  }
  if (isIP(text) === 0) {
    return { message: `${shown(text)} is not an IP address`, mend: 'write one such as 192.0.2.1' };
  }
  if (
    /^(0\.0\.0\.0|::|255\.255\.255\.255|2(2[4-9]|3[0-9])\..*|[fF]{2}[0-9a-fA-F]{2}:.*)$/u.test(text)
  ) {
    return { message: `${text} is not the address of one host`, mend: 'write a host on that line' };
  }
  return undefined;
}

function listenComplaint(text: string): Complaint | undefined {
  if (text === 'off') return undefined;
  const read = readListen(text);
  return 'message' in read ? read : undefined;
}

/** Formats the schema names; those of JSON schema itself are not among them. */
export const FORMATS: Readonly<Record<string, (text: string) => Complaint | undefined>> = {
  listen: listenComplaint,
  glob: globComplaint,
  component: componentComplaint,
  address: addressComplaint,
};
