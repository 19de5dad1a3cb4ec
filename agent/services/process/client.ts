/**
 * The agent's end of the talk with the keeper: connects to the one that is there, starts one where there
 * is none, and again when it goes. Questions wait for neither: each has its deadline with who asked.
 */
import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Ask,
  type FromKeeper,
  KEEPER_PROTOCOL,
  KEEPER_SOCKET,
  type Kept,
  lineReader,
  type Reply,
} from './protocol.ts';

const KEEPER = fileURLToPath(new URL('./keeper.js', import.meta.url));
/** Kept small: it holds a few numbers for each service. */
const KEEPER_FLAGS: readonly string[] = ['--max-old-space-size=64', '--max-semi-space-size=1'];
const CONNECT_EVERY_MS = 20;
/** A keeper that was started and does not answer is started again no sooner. */
const START_EVERY_MS = 2_000;

export interface KeeperClient {
  /** Rejects when the keeper goes before it answers, or is not there. */
  readonly ask: (words: Ask) => Promise<Reply>;
  readonly listen: (name: string, listener: KeptListener) => void;
  readonly forget: (name: string) => void;
  /** Undefined before the first answer and while there is none. */
  readonly pid: () => number | undefined;
  readonly close: () => void;
}

export interface KeptListener {
  readonly onKept: (kept: Kept) => void;
  /** The keeper went, or is another's: nothing is known until it is back. */
  readonly onGone: (why: string) => void;
  /** It is there (again): time to look. */
  readonly onThere: () => void;
}

interface Asked {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

class Client implements KeeperClient {
  readonly #runDir: string;
  readonly #onTrouble: (why: string) => void;
  readonly #listeners = new Map<string, KeptListener>();
  readonly #asked = new Map<number, Asked>();
  #count = 0;
  #socket: Socket | undefined;
  #pid: number | undefined;
  #startedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(runDir: string, onTrouble: (why: string) => void) {
    this.#runDir = runDir;
    this.#onTrouble = onTrouble;
    this.#connect();
  }

  readonly ask = (words: Ask): Promise<Reply> => {
    const socket = this.#socket;
    if (socket === undefined) return Promise.reject(new Error('the keeper is not there'));
    this.#count += 1;
    const id = this.#count;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      socket.write(`${JSON.stringify({ ask: id, ...words })}\n`);
    });
  };

  readonly listen = (name: string, listener: KeptListener): void => {
    this.#listeners.set(name, listener);
    if (this.#pid !== undefined) listener.onThere();
  };

  readonly forget = (name: string): void => {
    this.#listeners.delete(name);
  };

  readonly pid = (): number | undefined => this.#pid;

  readonly close = (): void => {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
    this.#gone('the agent is ending');
  };

  #connect(): void {
    if (this.#closed) return;
    const socket = connect(join(this.#runDir, KEEPER_SOCKET));
    socket.setEncoding('utf8');
    const read = lineReader(
      (line) => this.#hear(line),
      () => socket.destroy(),
    );
    socket.on('data', (text: string) => read(text));
    socket.on('error', () => undefined);
    socket.once('connect', () => void this.#greet(socket));
    socket.once('close', () => {
      if (this.#socket === socket) this.#gone('the keeper of processes went away');
      else this.#startKeeper();
      if (!this.#closed) this.#timer = setTimeout(() => this.#connect(), CONNECT_EVERY_MS);
    });
  }

  async #greet(socket: Socket): Promise<void> {
    this.#socket = socket;
    try {
      const reply = await this.ask({ do: 'hello' });
      if (!reply.ok || reply.protocol !== KEEPER_PROTOCOL) {
        const why =
          'the keeper of processes is of another version: stop its services, then it ends';
        this.#onTrouble(why);
        this.#gone(why);
        return;
      }
      this.#pid = reply.pid;
      for (const { onThere } of this.#listeners.values()) onThere();
    } catch {
      // It went while it was greeted; that is told by the close.
    }
  }

  #startKeeper(): void {
    const now = performance.now();
    if (this.#closed || now - this.#startedAt < START_EVERY_MS) return;
    this.#startedAt = now;
    const child = spawn(process.execPath, [...KEEPER_FLAGS, KEEPER, this.#runDir], {
      cwd: '/',
      env: {},
      stdio: 'ignore',
      detached: true,
    });
    child.on('error', (error) => {
      this.#onTrouble(`the keeper of processes cannot be started: ${error.message}`);
    });
    child.unref();
  }

  #hear(line: string): void {
    let words: FromKeeper;
    try {
      words = JSON.parse(line) as FromKeeper;
    } catch {
      this.#socket?.destroy();
      return;
    }
    if ('news' in words) {
      this.#listeners.get(words.news)?.onKept(words.kept);
      return;
    }
    const asked = this.#asked.get(words.answer);
    this.#asked.delete(words.answer);
    asked?.resolve(words);
  }

  #gone(why: string): void {
    this.#socket = undefined;
    this.#pid = undefined;
    for (const { reject } of this.#asked.values()) reject(new Error(why));
    this.#asked.clear();
    for (const { onGone } of this.#listeners.values()) onGone(why);
  }
}

/** One for all process services of this run folder. */
export function openKeeper(runDir: string, onTrouble: (why: string) => void): KeeperClient {
  return new Client(runDir, onTrouble);
}
