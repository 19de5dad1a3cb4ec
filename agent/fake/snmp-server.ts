/**
 * A fake SNMP switch on a UDP port, for v1 and v2c. What it answers is `fencing/fake-snmp.ts`'s; here it
 * gets a socket, communities and the errors of the protocol.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { occupied } from '../../fencing/fake.ts';
import {
  fakeGet,
  fakeNext,
  fakeSet,
  makeSnmpFake,
  type SnmpFake,
  type SnmpFakeOptions,
} from '../../fencing/fake-snmp.ts';
import type { SnmpProfile } from '../../fencing/profile.ts';
import type { Bind } from '../../fencing/snmp-table.ts';
import { monotonicNow } from '../ports/clock.ts';
import { type Answer, PDU, type Request, readRequest, writeResponse } from './ber.ts';

export interface FakeServer {
  /** Where it is: `127.0.0.1:16100`, `/dev/pts/3`. */
  readonly at: string;
  readonly port: number;
  readonly close: () => Promise<void>;
}

export interface SnmpFakeServer extends FakeServer {
  readonly now: () => SnmpFake;
}

export interface ServeOptions extends SnmpFakeOptions {
  readonly host?: string;
  readonly port?: number;
  readonly read?: string;
  readonly write?: string;
  readonly told?: (what: string) => void;
}

/** Error statuses of v1 and v2c (RFC 3416). */
const STATUS = {
  noSuchName: 2,
  badValue: 3,
  notWritable: 17,
  noAccess: 6,
  wrongValue: 10,
} as const;

function missingAt(binds: readonly Bind[]): number {
  return binds.findIndex(({ kind }) => kind === 'missing');
}

/** In v1 a missing object is an error, and nothing else is answered. */
function shaped(request: Request, binds: readonly Bind[]): Answer {
  const at = missingAt(binds);
  if (request.version !== 0 || at < 0) return { status: 0, index: 0, binds };
  return { status: STATUS.noSuchName, index: at + 1, binds: refusedBinds(request) };
}

function refusedBinds(request: Request): readonly Bind[] {
  return request.binds.map(({ oid, value }): Bind => {
    if (typeof value === 'number') return { oid, kind: 'number', value };
    if (typeof value === 'string') return { oid, kind: 'text', value };
    return { oid, kind: 'missing', what: 'null' };
  });
}

/** Serves a profile until it is closed. */
export async function serveSnmp(
  device: SnmpProfile,
  options: ServeOptions = {},
): Promise<SnmpFakeServer> {
  const { host = '127.0.0.1', read = 'public', write = 'private', told } = options;
  let fake = makeSnmpFake(device, monotonicNow(), options);
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');

  const setAll = (request: Request): Answer | undefined => {
    const now = monotonicNow();
    const before = fake.bank.orders;
    let next = fake;
    for (const [at, { oid, value }] of request.binds.entries()) {
      const done = fakeSet(next, oid, value ?? '', now);
      if (done.refused !== undefined) {
        const status = request.version === 0 ? STATUS.noSuchName : STATUS.notWritable;
        return { status, index: at + 1, binds: refusedBinds(request) };
      }
      next = done.fake;
      told?.(`set ${oid} = ${value}`);
    }
    fake = next;
    const first = before === 0 && fake.bank.orders > 0;
    const { faults } = fake.bank;
    if (first && (faults.has('lost') || faults.has('closes'))) return undefined;
    return { status: 0, index: 0, binds: refusedBinds(request) };
  };

  const answer = (request: Request): Answer | undefined => {
    const now = monotonicNow();
    if (fake.bank.faults.has('silent') || occupied(fake.bank, now)) return undefined;
    const reads = request.community === read || request.community === write;
    if (!reads || request.version > 1) return undefined;
    const oids = request.binds.map(({ oid }) => oid);
    switch (request.pdu) {
      case PDU.get:
        return shaped(request, fakeGet(fake, oids, now));
      case PDU.next:
        return shaped(request, fakeNext(fake, oids, now));
      case PDU.set:
        if (request.community === write) return setAll(request);
        return {
          status: request.version === 0 ? STATUS.noSuchName : STATUS.noAccess,
          index: 1,
          binds: refusedBinds(request),
        };
      default:
        return undefined;
    }
  };

  socket.on('message', (packet, from) => {
    const request = readRequest(packet);
    const found = request === undefined ? undefined : answer(request);
    if (request === undefined || found === undefined) return;
    const bytes = writeResponse(request, found);
    if (fake.bank.faults.has('garbage')) {
      // Noise, the answer to another question, and then the answer.
      socket.send(Buffer.from([0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 1, 2]), from.port, from.address);
      const other = writeResponse({ ...request, id: request.id + 1 }, found);
      socket.send(other, from.port, from.address);
    }
    socket.send(bytes, from.port, from.address);
  });
  socket.on('error', () => undefined);
  socket.bind(options.port ?? 0, host);
  await once(socket, 'listening');
  const { port } = socket.address() as AddressInfo;
  return {
    at: `${host}:${port}`,
    port,
    now: () => fake,
    close: () =>
      new Promise((resolve) => {
        socket.close(() => resolve());
      }),
  };
}
