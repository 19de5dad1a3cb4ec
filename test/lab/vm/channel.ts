/**
 * The lab's end of the channel into a machine: requests with answers, and TCP connections carried
 * through it, so that a page inside the machine can be opened from this host's loopback.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Answer,
  type Command,
  type Ended,
  type FromGuest,
  lineReader,
  type Request,
  type ToGuest,
} from './protocol.ts';

const ANSWER_MS = 180_000;

export interface Guest {
  readonly name: string;
  /** Resolves when the machine's end has spoken. */
  readonly up: (deadlineMs: number) => Promise<void>;
  readonly ask: (request: Request) => Promise<Answer>;
  /** Runs programs in order; a failed one is an error with what it printed. */
  readonly run: (
    ...commands: readonly (readonly [string, ...string[]])[]
  ) => Promise<readonly Ended[]>;
  readonly runAll: (commands: readonly Command[]) => Promise<readonly Ended[]>;
  readonly read: (path: string) => Promise<string>;
  readonly write: (path: string, text: string) => Promise<Answer>;
  /** Opens a port of this host's loopback that leads to the machine's; gives its number. */
  readonly forward: (guestPort: number, hostPort?: number) => Promise<number>;
  readonly close: () => void;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

async function connect(path: string, deadlineMs: number): Promise<Socket> {
  const until = Date.now() + deadlineMs;
  for (;;) {
    const socket = await new Promise<Socket | undefined>((resolve) => {
      const one = createConnection(path);
      one.once('connect', () => resolve(one));
      one.once('error', () => resolve(undefined));
    });
    if (socket !== undefined) return socket;
    if (Date.now() > until) throw new Error(`nothing listens on ${path}`);
    await pause(20);
  }
}

function failed(ended: Ended, name: string): Error {
  const said = (ended.err.trim() || ended.out.trim()).slice(0, 2_000);
  return new Error(
    `${name}: ${ended.argv.join(' ')} ended with status ${ended.status ?? 'none'}: ${said}`,
  );
}

class OpenChannel implements Guest {
  readonly name: string;
  #socket: Socket;
  #nextId = 1;
  #nextStream = 1;
  readonly #waiting = new Map<number, Waiting>();
  readonly #streams = new Map<number, Socket>();
  readonly #servers: Server[] = [];
  #hello: () => void = () => {};
  readonly #greeted: Promise<void>;

  constructor(name: string, socket: Socket) {
    this.name = name;
    this.#socket = socket;
    this.#greeted = new Promise((resolve) => {
      this.#hello = resolve;
    });
    socket.setEncoding('utf8');
    socket.on(
      'data',
      lineReader((line) => this.#take(line)),
    );
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${name} is gone`));
      this.#waiting.clear();
      for (const one of this.#streams.values()) one.destroy();
    });
  }

  up = async (deadlineMs: number): Promise<void> => {
    const late = new AbortController();
    const timeout = pause(deadlineMs, 'late', { signal: late.signal }).catch(() => 'ended');
    const gone = new Promise<string>((resolve) =>
      this.#socket.once('close', () => resolve('gone')),
    );
    const first = await Promise.race([this.#greeted.then(() => 'up'), timeout, gone]);
    late.abort();
    if (first === 'late') throw new Error(`${this.name} did not come up in ${deadlineMs / 1000} s`);
    if (first === 'gone') throw new Error(`${this.name} ended while it started`);
  };

  ask = (request: Request): Promise<Answer> => {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`${this.name} did not answer ${JSON.stringify(request).slice(0, 200)}`));
      }, ANSWER_MS);
      this.#waiting.set(id, {
        resolve: (answer) => {
          clearTimeout(late);
          resolve(answer);
        },
        reject: (error) => {
          clearTimeout(late);
          reject(error);
        },
      });
      this.#tell({ id, request });
    });
  };

  runAll = async (commands: readonly Command[]): Promise<readonly Ended[]> =>
    (await this.ask({ op: 'run', commands })).ended ?? [];

  run = async (
    ...argvs: readonly (readonly [string, ...string[]])[]
  ): Promise<readonly Ended[]> => {
    const ended = await this.runAll(argvs.map((argv) => ({ argv })));
    const last = ended.at(-1);
    if (last !== undefined && last.status !== 0) throw failed(last, this.name);
    return ended;
  };

  read = async (path: string): Promise<string> => (await this.ask({ op: 'read', path })).text ?? '';

  write = (path: string, text: string): Promise<Answer> =>
    this.ask({ op: 'write', path, latin1: text });

  forward = (guestPort: number, hostPort = 0): Promise<number> => {
    const server = createServer((socket) => {
      const stream = this.#nextStream++;
      this.#streams.set(stream, socket);
      this.#tell({ stream, port: guestPort });
      socket.on('data', (chunk) => this.#tell({ stream, base64: chunk.toString('base64') }));
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#streams.delete(stream);
        this.#tell({ stream, end: true });
      });
    });
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(hostPort, '127.0.0.1', () => {
        const address = server.address();
        if (address === null || typeof address === 'string') reject(new Error('no port'));
        else resolve(address.port);
      });
    });
  };

  close = (): void => {
    for (const server of this.#servers) server.close();
    for (const one of this.#streams.values()) one.destroy();
    this.#socket.destroy();
  };

  #tell(message: ToGuest): void {
    if (!this.#socket.destroyed) this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  #take(line: string): void {
    const message = JSON.parse(line) as FromGuest;
    if ('hello' in message) this.#hello();
    else if ('stream' in message) {
      const stream = this.#streams.get(message.stream);
      if ('base64' in message) stream?.write(Buffer.from(message.base64, 'base64'));
      else stream?.end();
    } else {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if ('answer' in message) waiting?.resolve(message.answer);
      else waiting?.reject(new Error(`${this.name}: ${message.error}`));
    }
  }
}

export async function openChannel(name: string, path: string, deadlineMs: number): Promise<Guest> {
  return new OpenChannel(name, await connect(path, deadlineMs));
}

export { connect };
