/**
 * A fake line switch on a TCP port or a pseudo terminal. What it says is `fencing/fake-line.ts`'s. One
 * session at a time, like the real ones: the next one is told so and hung up on.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { BankOptions } from '../../fencing/fake.ts';
import {
  type LineFake,
  lineHeard,
  lineOpened,
  linePlugged,
  makeLineFake,
  type Said,
} from '../../fencing/fake-line.ts';
import type { LineProfile } from '../../fencing/profile.ts';
import { monotonicNow } from '../ports/clock.ts';
import { withoutEscapes } from '../ports/tcp.ts';
import { openPty } from './pty.ts';
import type { FakeServer } from './snmp-server.ts';

export interface LineFakeServer extends FakeServer {
  readonly now: () => LineFake;
}

export interface LineServeOptions extends BankOptions {
  readonly host?: string;
  readonly port?: number;
  readonly telnet?: boolean;
  readonly told?: (what: string) => void;
}

function made(device: LineProfile, options: BankOptions): LineFake {
  const fake = makeLineFake(device, monotonicNow(), options);
  if (fake === undefined) throw new Error('this profile has no fake');
  return fake;
}

/** What a telnet server asks for at the start: our side must refuse politely. */
const NEGOTIATION: Buffer = Buffer.from([255, 251, 1, 255, 251, 3, 255, 253, 24, 255, 253, 31]);

/** Serves a profile over TCP until it is closed. */
export async function serveTcp(
  device: LineProfile,
  options: LineServeOptions = {},
): Promise<LineFakeServer> {
  const { host = '127.0.0.1', telnet = true, told } = options;
  let fake = made(device, options);
  let session: Socket | undefined;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    if (session !== undefined) {
      socket.end(fake.script.busy ?? 'busy\r\n', 'latin1');
      return;
    }
    session = socket;
    const show = (said: Said): void => {
      fake = said.fake;
      if (said.say !== '') socket.write(Buffer.from(said.say, 'latin1'));
      if (said.hangUp) socket.end();
    };
    socket.on('close', () => {
      if (session === socket) session = undefined;
    });
    socket.on('data', (bytes) => {
      const text = telnet ? withoutEscapes(bytes).text : bytes;
      told?.(`heard ${JSON.stringify(text.toString('latin1'))}`);
      show(lineHeard(fake, text.toString('latin1'), monotonicNow()));
    });
    if (telnet) socket.write(NEGOTIATION);
    show(lineOpened(fake, monotonicNow()));
  });
  server.listen(options.port ?? 0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    at: `${host}:${port}`,
    port,
    now: () => fake,
    close: async () => {
      session?.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface PtyFakeServer extends LineFakeServer {
  /** DTR rises: for layers that have modem lines. */
  readonly raise: () => void;
}

/** Serves a profile on a pseudo terminal. Where DTR would wake it, opening the other end does. */
export function servePty(device: LineProfile, options: LineServeOptions = {}): PtyFakeServer {
  let fake = made(device, options);
  const show = (said: Said): void => {
    fake = said.fake;
    if (said.say !== '') pty.write(said.say);
    // Nobody can be hung up on here: the login is shown again.
    if (!said.hangUp) return;
    const again = lineOpened(fake, monotonicNow());
    fake = again.fake;
    pty.write(again.say);
  };
  const pty = openPty({
    opened: () => {
      // The one who opens sets the line first; what comes before that is flushed.
      setTimeout(() => show(linePlugged(fake, monotonicNow())), 50);
    },
    data: (text) => {
      options.told?.(`heard ${JSON.stringify(text)}`);
      show(lineHeard(fake, text, monotonicNow()));
    },
    closed: () => undefined,
  });
  return {
    at: pty.path,
    port: 0,
    now: () => fake,
    raise: () => show(linePlugged(fake, monotonicNow())),
    close: () => {
      pty.close();
      return Promise.resolve();
    },
  };
}
