/**
 * One connection to systemd over D-Bus: calls with answers, its signals as wakes, and the end of either
 * side said at once. It comes back by itself. Nothing here knows what a unit is.
 */
import { connect, type Socket } from 'node:net';
import { withinMs } from '../driver.ts';

const SYSTEMD = 'org.freedesktop.systemd1';
const MANAGER_PATH = '/org/freedesktop/systemd1';
export const MANAGER = 'org.freedesktop.systemd1.Manager';
export const PROPERTIES = 'org.freedesktop.DBus.Properties';
const DBUS = 'org.freedesktop.DBus';
const SIGNAL = 4;
const CALL_MS = 5_000;
const RECONNECT_MS = 250;

interface Message {
  readonly type?: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly body?: readonly unknown[];
}

/** The part of the library that is used; its own types name another. */
interface RawBus {
  readonly connection: {
    readonly on: (event: 'message' | 'error' | 'end', listener: (what: never) => void) => void;
  };
  readonly invoke: (
    message: object,
    done: (error: { name?: string; message?: unknown } | null, ...values: unknown[]) => void,
  ) => void;
}

export interface Signal {
  readonly path: string;
  readonly member: string;
  readonly body: readonly unknown[];
}

export interface BusListener {
  readonly onSignal: (signal: Signal) => void;
  readonly onGone: (why: string) => void;
  /** It is there (again), and signals are on. */
  readonly onThere: () => void;
}

export interface SystemdBus {
  /** Rejects with what the other side complained of, or when there is nobody. */
  readonly call: (
    path: string,
    of: string,
    member: string,
    signature: string,
    body: readonly unknown[],
  ) => Promise<readonly unknown[]>;
  readonly manager: (
    member: string,
    signature: string,
    body: readonly unknown[],
  ) => Promise<readonly unknown[]>;
  readonly listen: (listener: BusListener) => () => void;
  /** Connected, and systemd answers. */
  readonly there: () => boolean;
  readonly close: () => void;
}

/** The library parses inside the stream's events: what it cannot read ends the connection, not the agent. */
function guarded(socket: Socket): Socket {
  const emit: (...words: never[]) => boolean = socket.emit.bind(socket);
  const careful = (...words: never[]): boolean => {
    try {
      return emit(...words);
    } catch (error) {
      socket.destroy(error as Error);
      return true;
    }
  };
  socket.emit = careful as Socket['emit'];
  return socket;
}

class Connection implements SystemdBus {
  readonly #path: string;
  readonly #listeners = new Set<BusListener>();
  #bus: RawBus | undefined;
  #socket: Socket | undefined;
  #there = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #gone = 'D-Bus was not reached yet';

  constructor(path: string) {
    this.#path = path;
    void this.#connect();
  }

  readonly call: SystemdBus['call'] = (path, of, member, signature, body) =>
    this.#invoke(SYSTEMD, path, of, member, signature, body);

  readonly manager: SystemdBus['manager'] = (member, signature, body) =>
    this.call(MANAGER_PATH, MANAGER, member, signature, body);

  readonly listen = (listener: BusListener): (() => void) => {
    this.#listeners.add(listener);
    if (this.#there) listener.onThere();
    return () => void this.#listeners.delete(listener);
  };

  readonly there = (): boolean => this.#there;

  readonly close = (): void => {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  };

  #invoke(
    destination: string,
    path: string,
    of: string,
    member: string,
    signature: string,
    body: readonly unknown[],
  ): Promise<readonly unknown[]> {
    const bus = this.#bus;
    if (bus === undefined) return Promise.reject(new Error(this.#gone));
    return new Promise((resolve, reject) => {
      const message = { destination, path, interface: of, member };
      bus.invoke(
        body.length === 0 ? message : { ...message, signature, body },
        (error, ...values) => {
          if (error === null || error === undefined) resolve(values);
          else reject(new Error(`${String(error.message || error.name)}`));
        },
      );
    });
  }

  async #connect(): Promise<void> {
    const { default: dbus } = await import('@homebridge/dbus-native');
    if (this.#closed) return;
    const socket = guarded(connect(this.#path));
    this.#socket = socket;
    socket.on('error', (error) => this.#lost(socket, error.message));
    socket.on('close', () => this.#lost(socket, 'the connection was closed'));
    socket.once('connect', () => {
      const { createClient } = dbus as unknown as {
        createClient: (options: { stream: Socket }) => RawBus;
      };
      const bus = createClient({ stream: socket });
      bus.connection.on('error', ((error: Error) => this.#lost(socket, error.message)) as never);
      bus.connection.on('message', ((message: Message) => this.#hear(message)) as never);
      this.#bus = bus;
      void this.#greet(socket);
    });
  }

  async #greet(socket: Socket): Promise<void> {
    const match = (rule: string): Promise<readonly unknown[]> =>
      this.#invoke(DBUS, '/org/freedesktop/DBus', DBUS, 'AddMatch', 's', [rule]);
    const greeting = (async (): Promise<boolean> => {
      await match(
        `type='signal',sender='${SYSTEMD}',interface='${PROPERTIES}',member='PropertiesChanged'`,
      );
      await match(`type='signal',sender='${SYSTEMD}',interface='${MANAGER}',member='JobRemoved'`);
      await match(`type='signal',sender='${DBUS}',member='NameOwnerChanged',arg0='${SYSTEMD}'`);
      // Without it systemd sends no signals. A second time is an error and no harm.
      await this.manager('Subscribe', '', []).catch(() => undefined);
      await this.call(MANAGER_PATH, PROPERTIES, 'Get', 'ss', [MANAGER, 'Version']);
      return true;
    })();
    const there = await withinMs(greeting, CALL_MS, () => false);
    if (this.#socket !== socket || this.#closed) return;
    if (!there) {
      socket.destroy(new Error('systemd does not answer on D-Bus'));
      return;
    }
    this.#there = true;
    for (const { onThere } of this.#listeners) onThere();
  }

  #hear({ type, path, member, body }: Message): void {
    if (type !== SIGNAL || path === undefined || member === undefined) return;
    if (member === 'NameOwnerChanged') {
      // systemd went or came anew: what was subscribed to is no longer.
      this.#socket?.destroy(new Error('systemd left D-Bus'));
      return;
    }
    for (const { onSignal } of this.#listeners) onSignal({ path, member, body: body ?? [] });
  }

  #lost(socket: Socket, why: string): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#bus = undefined;
    this.#there = false;
    this.#gone = `no systemd on D-Bus (${this.#path}): ${why}`;
    socket.destroy();
    for (const { onGone } of this.#listeners) onGone(this.#gone);
    if (!this.#closed) this.#timer = setTimeout(() => void this.#connect(), RECONNECT_MS);
  }
}

/** `path` is the socket of the bus. */
export function openSystemdBus(path: string): SystemdBus {
  return new Connection(path);
}
