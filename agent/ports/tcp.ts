/**
 * Text over TCP, plain or as telnet (RFC 854). Telnet's options are all refused, politely: WILL is
 * answered DONT, DO is answered WONT, and nothing is offered. An escape that is cut in two by the
 * network is kept until the rest has come.
 */
import { connect, type Socket } from 'node:net';
import { Inbox, type LinePort, paced, type Trouble } from './line.ts';

const IAC = 255;
const DONT = 254;
const DO = 253;
const WONT = 252;
const WILL = 251;
const SB = 250;
const SE = 240;
/** Longest sub-negotiation that is waited for. */
const ESCAPE_BYTES_MAX = 512;

export interface Unescaped {
  readonly text: Buffer;
  readonly answer: Buffer;
  /** The beginning of an escape whose rest has not come. */
  readonly rest: Buffer;
}

/** Length of the escape that begins here; 0 when its end has not come yet. */
function escapeLength(bytes: Buffer, at: number): number {
  const verb = bytes[at + 1];
  if (verb === undefined) return 0;
  if (verb >= WILL && verb <= DONT) return bytes.length > at + 2 ? 3 : 0;
  if (verb !== SB) return 2;
  for (let end = at + 2; end + 1 < bytes.length; end += 1) {
    if (bytes[end] === IAC && bytes[end + 1] === SE) return end + 2 - at;
    if (bytes[end] === IAC) end += 1;
  }
  return bytes.length - at > ESCAPE_BYTES_MAX ? bytes.length - at : 0;
}

/** Takes telnet's escapes out of what came, and says what to answer. */
export function withoutEscapes(bytes: Buffer): Unescaped {
  const text: number[] = [];
  const answer: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0;
    if (byte !== IAC) {
      text.push(byte);
      at += 1;
      continue;
    }
    const length = escapeLength(bytes, at);
    if (length === 0) break;
    const verb = bytes[at + 1] ?? 0;
    const option = bytes[at + 2] ?? 0;
    if (verb === IAC) text.push(IAC);
    if (verb === WILL) answer.push(IAC, DONT, option);
    if (verb === DO) answer.push(IAC, WONT, option);
    at += length;
  }
  return { text: Buffer.from(text), answer: Buffer.from(answer), rest: bytes.subarray(at) };
}

export interface TcpOptions {
  readonly host: string;
  readonly port: number;
  readonly telnet: boolean;
}

function errorText(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? error.message : `connection: ${code}`;
}

/** A port for one device. Each `open` is a new connection. */
export function tcpLine({ host, port, telnet }: TcpOptions): LinePort {
  let socket: Socket | undefined;
  let inbox = new Inbox();

  const receive = (own: Socket, into: Inbox): void => {
    let rest: Buffer = Buffer.alloc(0);
    own.on('data', (chunk: Buffer) => {
      if (!telnet) {
        into.add(chunk);
        return;
      }
      const plain = withoutEscapes(Buffer.concat([rest, chunk]));
      rest = plain.rest;
      if (plain.answer.length > 0) own.write(plain.answer);
      into.add(plain.text);
    });
    own.on('error', (error) => into.end(errorText(error)));
    own.on('close', () => into.end('the device closed the connection'));
  };

  const write = (bytes: Buffer): Promise<Trouble> => {
    const own = socket;
    if (own === undefined || own.destroyed) {
      return Promise.resolve(inbox.ended ?? 'there is no connection');
    }
    return new Promise((resolve) => {
      own.write(bytes, (error) => resolve(error ? errorText(error) : undefined));
    });
  };

  return {
    open: (withinMs) => {
      socket?.destroy();
      const own = connect({ host, port, noDelay: true });
      socket = own;
      inbox = new Inbox();
      receive(own, inbox);
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          own.destroy();
          resolve(`no connection to ${host} port ${port} within ${Math.round(withinMs)} ms`);
        }, withinMs);
        const settle = (trouble: Trouble): void => {
          clearTimeout(timer);
          resolve(trouble);
        };
        own.once('connect', () => settle(undefined));
        own.once('error', (error) => settle(errorText(error)));
      });
    },
    send: (text, { paceMs, fresh }) => {
      if (fresh) inbox.clear();
      // A byte 255 is doubled on telnet, or it would begin an escape.
      const plain = telnet ? text.replaceAll('\xff', '\xff\xff') : text;
      return paced(plain, paceMs, write);
    },
    listen: (ms) => inbox.take(ms),
    lines: () => Promise.resolve('TCP has no modem lines'),
    close: async () => {
      const own = socket;
      socket = undefined;
      if (own === undefined || own.destroyed) return;
      await new Promise<void>((resolve) => {
        // A device that does not answer the goodbye is not waited for.
        const timer = setTimeout(() => own.destroy(), 200);
        own.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        own.end();
      });
    },
  };
}
