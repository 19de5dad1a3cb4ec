/**
 * Default gateways as /proc/net/route and /proc/net/ipv6_route list them (net/ipv4/fib_trie.c,
 * net/ipv6/route.c). Decides nothing about them. Only the main table is there, and of an IPv4 route over
 * several gateways only the first: what else must be watched is a configured target.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';
import { errnoOf } from './errno.ts';

const RTF_UP = 0x1;
const RTF_GATEWAY = 0x2;
const RTF_REJECT = 0x200;
/** The IPv4 default route stands first; an IPv6 table of this size is a router's, not a server's. */
const BYTES_MAX = 256 * 1024;

export interface DefaultRoute {
  readonly address: string;
  readonly link: string;
  /** Lower is preferred by the kernel. */
  readonly metric: number;
}

function isUsed(flags: number): boolean {
  return (flags & RTF_UP) !== 0 && (flags & RTF_GATEWAY) !== 0 && (flags & RTF_REJECT) === 0;
}

/** The kernel prints the four bytes as one number of its own byte order. */
function ipv4(hex: string): string | undefined {
  if (!/^[0-9A-Fa-f]{8}$/u.test(hex)) return undefined;
  const bytes = [...Buffer.from(hex, 'hex')];
  return (endianness() === 'LE' ? bytes.reverse() : bytes).join('.');
}

export function ipv4Defaults(table: string): readonly DefaultRoute[] {
  return table.split('\n').flatMap((line) => {
    const [link = '', destination, gateway = '', flags = '', , , metric = '', mask] = line
      .trim()
      .split(/\s+/u);
    const address = ipv4(gateway);
    if (destination !== '00000000' || mask !== '00000000' || address === undefined) return [];
    if (!isUsed(Number.parseInt(flags, 16))) return [];
    return [{ address, link, metric: Number(metric) || 0 }];
  });
}

/** 32 hexadecimal digits in the short form of RFC 5952, which the URL standard writes. */
function ipv6(hex: string): string {
  const groups = hex.match(/.{4}/gu) ?? [];
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

export function ipv6Defaults(table: string): readonly DefaultRoute[] {
  return table.split('\n').flatMap((line) => {
    const [destination = '', length, , , gateway = '', metric = '', , , flags = '', link] = line
      .trim()
      .split(/\s+/u);
    if (!/^0{32}$/u.test(destination) || length !== '00' || link === undefined) return [];
    if (!/^[0-9a-f]{32}$/u.test(gateway) || !isUsed(Number.parseInt(flags, 16))) return [];
    return [{ address: ipv6(gateway), link, metric: Number.parseInt(metric, 16) || 0 }];
  });
}

/** A table of the kernel, read through a descriptor that is kept: reading cannot wait, opening is dear. */
class Table {
  readonly #path: string;
  readonly #buffer: Buffer;
  #fd: number | undefined;

  constructor(path: string, buffer: Buffer) {
    this.#path = path;
    this.#buffer = buffer;
  }

  /** Undefined where the kernel does not have the protocol: it has no routes then. */
  text(): string | undefined {
    try {
      this.#fd ??= openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
      let length = 0;
      // procfs hands out at most a page at a time.
      while (length < BYTES_MAX) {
        const bytes = readSync(this.#fd, this.#buffer, length, BYTES_MAX - length, length);
        if (bytes === 0) break;
        length += bytes;
      }
      return this.#buffer.toString('latin1', 0, length);
    } catch (error) {
      this.close();
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

export interface Routes {
  /** Best metric first, each gateway once on each link. Throws the system error of an unreadable table. */
  readonly read: () => readonly DefaultRoute[] | undefined;
  readonly close: () => void;
}

export function openRoutes(proc: string): Routes {
  const buffer = Buffer.allocUnsafeSlow(BYTES_MAX);
  const tables = ['route', 'ipv6_route'].map((name) => new Table(`${proc}/net/${name}`, buffer));
  let texts: readonly (string | undefined)[] = [];
  let routes: readonly DefaultRoute[] | undefined;
  return {
    read: () => {
      const fresh = tables.map((table) => table.text());
      const isKnown = texts.length > 0 && fresh.every((text, index) => text === texts[index]);
      if (!isKnown) routes = defaultRoutes(fresh[0], fresh[1]);
      texts = fresh;
      return routes;
    },
    close: () => {
      for (const table of tables) table.close();
    },
  };
}

function defaultRoutes(
  v4: string | undefined,
  v6: string | undefined,
): readonly DefaultRoute[] | undefined {
  if (v4 === undefined && v6 === undefined) return undefined;
  const routes = [...ipv4Defaults(v4 ?? ''), ...ipv6Defaults(v6 ?? '')];
  routes.sort((a, b) => a.metric - b.metric || (a.address < b.address ? -1 : 1));
  const seen = new Set<string>();
  return routes.filter(({ address, link }) => {
    const key = `${address}@${link}`;
    return !seen.has(key) && seen.add(key);
  });
}
