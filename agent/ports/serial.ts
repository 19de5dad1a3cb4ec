/**
 * A serial port as a line to a switch. The package `serialport` is loaded when a port is opened and not
 * before. What really touches the port is a layer that can be replaced: pseudo terminals have no modem
 * lines, so tests and rehearsals bring their own.
 */
import type { SerialLine } from '../../fencing/profile.ts';
import { Inbox, type LinePort, paced, type Trouble } from './line.ts';

/** One open port. */
export interface OpenSerial {
  readonly write: (bytes: Buffer) => Promise<Trouble>;
  readonly set: (lines: { dtr?: boolean; rts?: boolean }) => Promise<Trouble>;
  readonly close: () => Promise<void>;
}

export interface SerialEvents {
  readonly data: (bytes: Buffer) => void;
  readonly ended: (why: string) => void;
}

/** Opens a port, or says why not. */
export type SerialLayer = (
  path: string,
  line: SerialLine,
  events: SerialEvents,
) => Promise<OpenSerial | string>;

interface Port {
  readonly on: ((event: 'data', listener: (bytes: Buffer) => void) => void) &
    ((event: 'error' | 'close', listener: (error?: Error | null) => void) => void);
  readonly open: (done: (error: Error | null) => void) => void;
  readonly write: (bytes: Buffer, done: (error?: Error | null) => void) => void;
  readonly drain: (done: (error: Error | null) => void) => void;
  readonly set: (
    lines: { dtr?: boolean; rts?: boolean },
    done: (error: Error | null) => void,
  ) => void;
  readonly close: (done: (error: Error | null) => void) => void;
}

interface Package {
  readonly SerialPort: new (options: Record<string, unknown>) => Port;
}

function sentence(path: string, error: Error): string {
  return `${path}: ${error.message.replace(/^Error:? ?/u, '').slice(0, 120)}`;
}

const PSEUDO = /^\/dev\/pts\/[0-9]+$/u;

/** The real layer. The port is locked: two programs on one line would read each other's answers. */
export const serialLayer: SerialLayer = async (path, line, events) => {
  // Typed by hand: its own types ask for the DOM.
  const { SerialPort } = (await import('serialport')) as unknown as Package;
  const port = new SerialPort({
    path,
    baudRate: line.baud,
    dataBits: line.dataBits,
    parity: line.parity,
    stopBits: line.stopBits,
    rtscts: line.flow === 'hardware',
    xon: line.flow === 'software',
    xoff: line.flow === 'software',
    hupcl: false,
    lock: true,
    autoOpen: false,
  });
  const call = (run: (done: (error?: Error | null) => void) => void): Promise<Trouble> =>
    new Promise((resolve) => {
      run((error) => resolve(error ? sentence(path, error) : undefined));
    });
  port.on('data', events.data);
  port.on('error', (error) => events.ended(error ? sentence(path, error) : `${path} failed`));
  port.on('close', () => events.ended(`${path} was closed`));
  const trouble = await call((done) => port.open(done));
  if (trouble !== undefined) return trouble;
  return {
    write: async (bytes) =>
      (await call((done) => port.write(bytes, done))) ?? call((done) => port.drain(done)),
    // A pseudo terminal has no modem lines: what is at its other end needs none.
    set: (lines) =>
      PSEUDO.test(path) ? Promise.resolve(undefined) : call((done) => port.set(lines, done)),
    close: async () => {
      await call((done) => port.close(done));
    },
  };
};

/** Whatever a driver does, the caller goes on. */
function bounded(work: Promise<Trouble>, ms: number, why: string): Promise<Trouble> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(why), ms);
    work.then(
      (trouble) => {
        clearTimeout(timer);
        resolve(trouble);
      },
      (error: unknown) => {
        clearTimeout(timer);
        resolve(String(error).slice(0, 120));
      },
    );
  });
}

/** Flow control by a dead device can hold a write for ever. */
const WRITE_MS = 5000;

/** A port for one device. */
export function serialDevice(
  path: string,
  line: SerialLine,
  layer: SerialLayer = serialLayer,
): LinePort {
  let port: OpenSerial | undefined;
  let inbox = new Inbox();
  return {
    open: (withinMs) => {
      const own = new Inbox();
      inbox = own;
      const opening = layer(path, line, {
        data: (bytes) => own.add(bytes),
        ended: (why) => own.end(why),
      }).then((opened): Trouble => {
        if (typeof opened === 'string') return opened;
        // The caller has given up and begun anew: this one is not wanted any more.
        if (inbox !== own) void opened.close();
        else port = opened;
        return undefined;
      });
      return bounded(opening, withinMs, `${path} did not open`);
    },
    send: (text, { paceMs, fresh }) => {
      if (fresh) inbox.clear();
      const own = port;
      if (own === undefined) return Promise.resolve(`${path} is not open`);
      return paced(text, paceMs, (bytes) =>
        bounded(own.write(bytes), WRITE_MS, `${path} took nothing for ${WRITE_MS} ms`),
      );
    },
    listen: (ms) => inbox.take(ms),
    lines: (set) => {
      if (port === undefined) return Promise.resolve(`${path} is not open`);
      return bounded(port.set(set), WRITE_MS, `${path} did not set its lines`);
    },
    close: async () => {
      const own = port;
      port = undefined;
      inbox = new Inbox();
      if (own === undefined) return;
      await bounded(
        own.close().then(() => undefined),
        WRITE_MS,
        'did not close',
      );
    },
  };
}
