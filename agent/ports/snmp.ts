/**
 * Questions to one SNMP agent, one at a time, each sent once: repeating is the exchange's decision. The
 * package `net-snmp` does the encoding and the security of v3; this file makes its answers strict. The
 * socket is connected, so the kernel takes only what comes from the device asked; larger packets, other
 * objects than were asked for, and unsigned answers to signed questions are dropped.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { SnmpEvent } from '../../fencing/exchange.ts';
import type { SnmpWrite } from '../../fencing/snmp-writes.ts';
import { isReport, isSigned } from './snmp-flags.ts';
import { bindOf, type Callback, loadSnmp, type Session, type Varbind } from './snmp-library.ts';

export const AUTHS = ['md5', 'sha', 'sha224', 'sha256', 'sha384', 'sha512'] as const;
export const PRIVS = ['des', 'aes', 'aes256b', 'aes256r'] as const;

export type SnmpLogin =
  | { readonly version: '1' | '2c'; readonly read: string; readonly write: string }
  | {
      readonly version: '3';
      readonly user: string;
      readonly auth?: { readonly by: (typeof AUTHS)[number]; readonly key: string };
      readonly priv?: { readonly by: (typeof PRIVS)[number]; readonly key: string };
      readonly context?: string;
    };

export interface SnmpPort {
  readonly get: (oids: readonly string[], withinMs: number) => Promise<SnmpEvent>;
  readonly next: (oids: readonly string[], withinMs: number) => Promise<SnmpEvent>;
  readonly set: (writes: readonly SnmpWrite[], withinMs: number) => Promise<SnmpEvent>;
  readonly close: () => void;
}

/** Far above any answer to our questions. */
const PACKET_BYTES_MAX: number = 16 * 1024;

/** The answer to a question for these objects; anything else is an answer to something else. */
function eventOf(
  asked: readonly string[],
  varbinds: readonly Varbind[],
  exact: boolean,
): SnmpEvent {
  const plain = (oid: string): string => oid.replace(/^\./u, '');
  const wrong =
    varbinds.length !== asked.length ||
    (exact && varbinds.some(({ oid }, at) => plain(oid) !== asked[at]));
  if (wrong) return { kind: 'lost', why: 'the answer is about other objects' };
  const binds = varbinds.map((varbind) => bindOf({ ...varbind, oid: plain(varbind.oid) }));
  const good = binds.filter((bind) => bind !== undefined);
  return { kind: 'binds', binds: good };
}

/** v3 says in words what v1 and v2c can only leave unanswered. */
const USM: Readonly<Record<string, string>> = {
  UnsupportedSecurityLevels: 'the device does not allow this level of security',
  NotInTimeWindows: 'its clock went backwards (v3 time window)',
  UnknownUserNames: 'the device does not know this v3 user',
  UnknownEngineIDs: 'its v3 engine changed',
  WrongDigests: 'the v3 authentication key is wrong',
  DecryptionErrors: 'the v3 privacy key is wrong',
};

function failureOf(error: Error & { status?: number }, oids: readonly string[]): SnmpEvent {
  const text = error.message.slice(0, 200);
  if (error.name === 'RequestFailedError') {
    const [status = 'refused', oid] = text.split(': ', 2);
    const named = oids.find((one) => one === oid);
    return { kind: 'refused', status, ...(named === undefined ? {} : { oid: named }) };
  }
  const usm = Object.entries(USM).find(([word]) =>
    text.toLowerCase().replaceAll(' ', '').includes(word.toLowerCase().slice(0, -1)),
  );
  if (usm !== undefined) return { kind: 'lost', why: usm[1] };
  if (error.name === 'RequestTimedOutError') {
    return {
      kind: 'lost',
      why: 'no answer (address, community or key wrong, or the device is dead)',
    };
  }
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return { kind: 'lost', why: 'nothing listens there (ECONNREFUSED)' };
  return { kind: 'lost', why: code ?? text };
}

/** A socket that takes packets of one peer only. What the session calls, and nothing more. */
function strictSocket(
  type: 'udp4' | 'udp6',
  address: string,
  port: number,
  signed: boolean,
  trouble: (error: Error) => void,
): object {
  const socket: Socket = createSocket(type);
  const ready = new Promise<Error | undefined>((resolve) => {
    socket.once('error', resolve);
    socket.connect(port, address, () => resolve(undefined));
  });
  let closed = false;
  return {
    on: (event: string, listener: (...args: readonly unknown[]) => void) => {
      // The package loses errors: nothing listens there (ICMP) would look like silence.
      if (event === 'error') {
        socket.on('error', trouble);
        return;
      }
      if (event !== 'message') {
        socket.on(event, listener);
        return;
      }
      socket.on('message', (packet: Buffer, from: RemoteInfo) => {
        if (packet.length > PACKET_BYTES_MAX || from.port !== port) return;
        if (signed && !isSigned(packet) && !isReport(packet)) return;
        listener(packet, from);
      });
    },
    ref: () => socket.ref(),
    unref: () => socket.unref(),
    send: (
      bytes: Buffer,
      _offset: number,
      _length: number,
      _port: number,
      _host: string,
      done: (error: Error | null) => void,
    ) => {
      void ready.then((trouble) => {
        if (trouble !== undefined || closed) done(trouble ?? new Error('closed'));
        else socket.send(bytes, done);
      });
    },
    close: () => {
      if (closed) return;
      closed = true;
      void ready.then(() => socket.close());
    },
  };
}

function userOf(login: Extract<SnmpLogin, { version: '3' }>): object {
  const { SecurityLevel, AuthProtocols, PrivProtocols } = loadSnmp();
  const { user, auth, priv } = login;
  const level =
    auth === undefined ? 'noAuthNoPriv' : priv === undefined ? 'authNoPriv' : 'authPriv';
  return {
    name: user,
    level: SecurityLevel[level],
    ...(auth === undefined ? {} : { authProtocol: AuthProtocols[auth.by], authKey: auth.key }),
    ...(priv === undefined ? {} : { privProtocol: PrivProtocols[priv.by], privKey: priv.key }),
  };
}

interface Sessions {
  readonly read: Session;
  readonly write: Session;
}

function sessions(
  address: string,
  port: number,
  login: SnmpLogin,
  trouble: (error: Error) => void,
): Sessions {
  const net = loadSnmp();
  const type = isIP(address) === 6 ? 'udp6' : 'udp4';
  const signed = login.version === '3' && login.auth !== undefined;
  const dgramModule = { createSocket: () => strictSocket(type, address, port, signed, trouble) };
  const base = {
    port,
    retries: 0,
    transport: type,
    dgramModule,
    reportOidMismatchErrors: true,
    strictIntRangeChecks: true,
  };
  const watched = (session: Session): Session => {
    session.on('error', trouble);
    return session;
  };
  if (login.version === '3') {
    const context = login.context === undefined ? {} : { context: login.context };
    const options = { ...base, ...context, version: net.Version3 };
    const session = watched(net.createV3Session(address, userOf(login), options));
    return { read: session, write: session };
  }
  const options = { ...base, version: login.version === '1' ? net.Version1 : net.Version2c };
  const read = watched(net.createSession(address, login.read, options));
  if (login.write === login.read) return { read, write: read };
  return { read, write: watched(net.createSession(address, login.write, options)) };
}

async function resolved(host: string): Promise<string | Error> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    return error as Error;
  }
}

/** A port for one device. Host names are looked up at the first question. */
export function snmpPort(host: string, port: number, login: SnmpLogin): SnmpPort {
  let open: Sessions | undefined;
  let garbage: ((error: Error) => void) | undefined;
  const ask = async (
    which: 'read' | 'write',
    oids: readonly string[],
    withinMs: number,
    exact: boolean,
    send: (session: Session, done: Callback) => void,
  ): Promise<SnmpEvent> => {
    if (open === undefined) {
      const address = await resolved(host);
      if (typeof address !== 'string') {
        return {
          kind: 'lost',
          why: `${host} cannot be looked up: ${address.message.slice(0, 80)}`,
        };
      }
      open = sessions(address, port, login, (error) => garbage?.(error));
    }
    const session = open[which];
    session.timeout = withinMs;
    const event = await new Promise<SnmpEvent>((resolve) => {
      // What cannot be parsed belongs to no question: it is noise, and the question waits on.
      garbage = (error) => {
        if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') return;
        resolve(failureOf(error, oids));
      };
      send(session, (error, varbinds) => {
        resolve(error === null ? eventOf(oids, varbinds ?? [], exact) : failureOf(error, oids));
      });
    });
    garbage = undefined;
    return event;
  };
  return {
    get: (oids, withinMs) =>
      ask('read', oids, withinMs, true, (session, done) => session.get(oids, done)),
    next: (oids, withinMs) =>
      ask('read', oids, withinMs, false, (session, done) => session.getNext(oids, done)),
    set: (writes, withinMs) => {
      const { ObjectType } = loadSnmp();
      const types = { integer: 'Integer', unsigned: 'Gauge', text: 'OctetString' } as const;
      const varbinds = writes.map(({ oid, type, value }) => ({
        oid,
        type: ObjectType[types[type]] ?? 2,
        value,
      }));
      const oids = writes.map(({ oid }) => oid);
      return ask('write', oids, withinMs, true, (session, done) => session.set(varbinds, done));
    },
    close: () => {
      open?.read.close();
      if (open?.write !== open?.read) open?.write.close();
      open = undefined;
    },
  };
}
