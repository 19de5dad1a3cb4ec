/**
 * One SCSI child seen from the agent. When the kernel holds it up while it hands over a command, it is left
 * behind with what it has under way, and tells of that when it wakes; another child takes its place.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, constants, openSync, readSync, unlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Completion } from '../../../fencing/reservation/answer.ts';
import {
  type FromChild,
  fromWire,
  type Group,
  lines,
  NO_NOTE,
  NOTE_BYTES,
  type Start,
  type ToChild,
} from './messages.ts';

const CHILD: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? 'child.ts' : 'child.js', import.meta.url),
);
const NODE_ARGS = ['--max-old-space-size=32', '--max-semi-space-size=1', '--v8-pool-size=0'];

export interface InFlight {
  readonly group: Group;
  readonly answer: (completions: readonly Completion[]) => void;
  readonly late: (index: number, completion: Completion) => void;
  answered: boolean;
  /** Commands that are not back. */
  readonly missing: Set<number>;
}

function openNote(folder: string): number {
  const path = join(folder, `scsi-${randomUUID()}`);
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const fd = openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  unlinkSync(path);
  return fd;
}

export class Lane {
  readonly #child: ChildProcess;
  readonly #channel: Socket;
  readonly #inFlight = new Map<number, InFlight>();
  readonly #note: number;
  readonly #onIdle: () => void;
  #ended = false;
  #untold = '';
  /** Resolves when the child has spoken, from when on it answers within the deadlines, or has ended. */
  readonly ready: Promise<void>;
  isReady = false;
  #speaks: () => void = () => undefined;
  /** Why the child is not there any more; undefined while it is. */
  why: string | undefined;
  readonly exited: Promise<void>;

  /** Throws what the system says when no child can be made. */
  constructor(options: {
    readonly runDir: string;
    readonly start: Start;
    readonly onIdle: () => void;
  }) {
    this.#onIdle = options.onIdle;
    this.#note = openNote(options.runDir);
    this.ready = new Promise((resolve) => {
      this.#speaks = resolve;
    });
    this.#child = spawn(process.execPath, [...NODE_ARGS, CHILD, JSON.stringify(options.start)], {
      cwd: '/',
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', this.#note],
    });
    this.#channel = this.#child.stdio[3] as Socket;
    const take = lines((line) => this.#hear(JSON.parse(line) as FromChild));
    this.#channel.setEncoding('latin1').on('data', take);
    this.#channel.on('error', () => undefined);
    this.exited = new Promise((resolve) => {
      const end = (why: string): void => {
        this.#gone(why);
        resolve();
      };
      this.#child.once('exit', (code, signal) => end(`ended with ${signal ?? code}`));
      this.#child.once('error', (error) => end(error.message));
    });
  }

  get held(): readonly InFlight[] {
    return [...this.#inFlight.values()];
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(one: InFlight): void {
    this.#inFlight.set(one.group.id, one);
    this.#tell({ op: 'send', group: one.group });
  }

  close(device: string): void {
    this.#tell({ op: 'close', device });
  }

  /** The device the child is handing a command to, by its place; undefined: none. */
  noted(): number | undefined {
    if (this.#ended) return undefined;
    const note = new Int32Array(1);
    const got = readSync(this.#note, note, 0, NOTE_BYTES, 0);
    return got < NOTE_BYTES || note[0] === NO_NOTE ? undefined : note[0];
  }

  /** Asks the child to end by itself; `kill` does not ask. */
  end(kill = false): void {
    this.#flush();
    this.#channel.end();
    if (kill) this.#child.kill('SIGKILL');
    this.#child.unref();
    this.#channel.unref();
  }

  /** What is told in one turn goes in one message: to wake the child costs more than all the rest. */
  #tell(message: ToChild): void {
    if (this.#ended || !this.#channel.writable) return;
    if (this.#untold === '') queueMicrotask(() => this.#flush());
    this.#untold += `${JSON.stringify(message)}\n`;
  }

  #flush(): void {
    const text = this.#untold;
    this.#untold = '';
    if (!this.#ended && this.#channel.writable) this.#channel.write(text, 'latin1');
  }

  #hear(message: FromChild): void {
    if (message.op === 'ready') {
      this.isReady = true;
      this.#speaks();
      return;
    }
    const one = this.#inFlight.get(message.id);
    if (one === undefined) return;
    if (message.op === 'answer') {
      const completions = message.completions.map(fromWire);
      for (const [index, { kind }] of completions.entries()) {
        if (kind !== 'late') one.missing.delete(index);
      }
      // A read whose disk nobody could identify is over, too.
      if (completions.every(({ kind }) => kind !== 'late')) one.missing.clear();
      if (!one.answered) {
        one.answered = true;
        one.answer(completions);
      } else for (const [index, each] of completions.entries()) one.late(index, each);
    } else {
      one.missing.delete(message.index);
      one.late(message.index, fromWire(message.completion));
    }
    if (one.missing.size === 0) this.#inFlight.delete(message.id);
    if (this.#inFlight.size === 0) this.#onIdle();
  }

  #gone(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#speaks();
    this.why = why;
    closeSync(this.#note);
    const all = this.held;
    this.#inFlight.clear();
    for (const one of all) {
      if (one.answered) continue;
      one.answered = true;
      const text = `the SCSI child ${why}`;
      one.answer(one.group.commands.map(() => ({ kind: 'late', why: text })));
    }
    this.#onIdle();
  }
}
