/**
 * The port behind `multipathd`: one question to the daemon over its socket, in its framing (libmpathcmd):
 * a length in the machine's own `size_t`, then the text with its closing NUL, and the answer the same
 * way. Only questions that begin with `show` are asked: nothing can be changed through here. The answer
 * is handed on as it is; the daemon's errors are plain text and are the collector's to tell apart.
 *
 * Errors: ENOENT, ECONNREFUSED nobody listens; ETIMEDOUT; E2BIG; EPIPE the daemon hung up; EPROTO an
 * answer that is not framed; EPERM a question that is none.
 */
import { connect, type Socket } from 'node:net';
import { endianness } from 'node:os';
import { join } from 'node:path';
import type { Entry, Read } from '../../collectors/lib/collector.ts';
import type { Roots } from '../../rules/config.ts';
import { connectAbstract } from './abstract-socket.ts';
import { errnoOf } from './errno.ts';
import type { ReadPort } from './port.ts';

type MultipathdRead = Extract<Read, { kind: 'multipathd' }>;

/** As long as multipathd's own client waits. */
export const DEADLINE_MS = 4000;
/** 16,000 paths make about 6 MB. */
export const REPLY_BYTES_MAX: number = 8 * 1024 * 1024;
const ABSTRACT_NAME = '/org/kernel/linux/storage/multipathd';
/** Since 0.12 the daemon listens here as well. */
const SOCKET_FILE = 'multipathd.socket';
const NOBODY: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED', 'ENOSYS']);
const NARROW: ReadonlySet<string> = new Set(['arm', 'ia32', 'mips', 'mipsel', 'ppc', 's390']);
/** Bytes of a `size_t`. */
export const LENGTH_BYTES: number = NARROW.has(process.arch) ? 4 : 8;
const LITTLE: boolean = endianness() === 'LE';

/** A text as the daemon wants it. */
export function frame(text: string): Buffer {
  const body = Buffer.from(`${text}\0`, 'utf8');
  const head = Buffer.alloc(LENGTH_BYTES);
  // Lengths here fit 32 bits: the upper half of the number stays 0.
  if (LITTLE) head.writeUInt32LE(body.length, 0);
  else head.writeUInt32BE(body.length, LENGTH_BYTES - 4);
  return Buffer.concat([head, body]);
}

/** Length of the answer that begins with these bytes; undefined when they are too few. */
function announced(bytes: Buffer): number | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  if (LENGTH_BYTES === 4) return LITTLE ? bytes.readUInt32LE(0) : bytes.readUInt32BE(0);
  return Number(LITTLE ? bytes.readBigUInt64LE(0) : bytes.readBigUInt64BE(0));
}

/** Puts an answer together; gives an entry as soon as it is whole or cannot become so. */
export function openReply(): (chunk: Buffer) => Entry | undefined {
  const chunks: Buffer[] = [];
  let size = 0;
  let length: number | undefined;
  return (chunk) => {
    chunks.push(chunk);
    size += chunk.length;
    if (length === undefined) {
      length = announced(size === chunk.length ? chunk : Buffer.concat(chunks));
      if (length === undefined) return undefined;
      if (length > REPLY_BYTES_MAX) {
        return { errno: 'E2BIG', why: `the answer exceeds ${REPLY_BYTES_MAX} bytes` };
      }
    }
    if (size < LENGTH_BYTES + length) return undefined;
    const body = Buffer.concat(chunks).subarray(LENGTH_BYTES, LENGTH_BYTES + length);
    if (body.at(-1) !== 0) return { errno: 'EPROTO', why: 'the answer does not end in a NUL' };
    return { text: body.subarray(0, -1).toString('utf8') };
  };
}

/** One question down one socket. Destroys the socket, whatever happens. */
function converse(socket: Socket, request: string, deadlineMs: number): Promise<Entry> {
  return new Promise((resolve) => {
    const take = openReply();
    const finish = (entry: Entry): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(entry);
    };
    const late = { errno: 'ETIMEDOUT', why: `no answer within ${deadlineMs} ms` };
    const timer = setTimeout(() => finish(late), deadlineMs);
    socket.on('data', (chunk: Buffer) => {
      const entry = take(chunk);
      if (entry !== undefined) finish(entry);
    });
    socket.on('error', (error) => finish({ errno: errnoOf(error) }));
    socket.on('close', () => finish({ errno: 'EPIPE', why: 'the daemon hung up' }));
    socket.write(frame(request));
  });
}

class MultipathdPort implements ReadPort<MultipathdRead> {
  readonly #name: string;
  readonly #file: string;
  readonly #deadlineMs: number;
  readonly #sockets = new Set<Socket>();
  #busy = false;
  #closed = false;

  constructor(name: string, file: string, deadlineMs: number) {
    this.#name = name;
    this.#file = file;
    this.#deadlineMs = deadlineMs;
  }

  async read({ request }: MultipathdRead): Promise<Entry> {
    if (!/^show [a-z0-9 "%]+$/u.test(request)) {
      return { errno: 'EPERM', why: 'only questions that begin with "show" are asked' };
    }
    if (this.#closed) return { errno: 'ECANCELED', why: 'the agent is ending' };
    if (this.#busy) return { errno: 'EBUSY', why: 'the last question is still open' };
    this.#busy = true;
    try {
      return await this.#ask(request);
    } finally {
      this.#busy = false;
    }
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** The abstract name is tried first: every version has it. */
  async #ask(request: string): Promise<Entry> {
    const before = performance.now();
    const connected = connectAbstract(this.#name);
    const first: Entry =
      'errno' in connected
        ? { errno: connected.errno }
        : await this.#through(connected.socket, request, this.#deadlineMs);
    if (!('errno' in first) || !NOBODY.has(first.errno)) return first;
    const leftMs = this.#deadlineMs - (performance.now() - before);
    const second = await this.#through(connect(this.#file), request, Math.max(1, leftMs));
    if (!('errno' in second) || second.errno !== 'ENOENT') return second;
    if (first.errno === 'ENOSYS') {
      return { errno: 'ENOSYS', why: 'Node 20 cannot reach its socket without koffi; use Node 22' };
    }
    return { errno: first.errno, why: 'nobody listens on its socket' };
  }

  async #through(socket: Socket, request: string, deadlineMs: number): Promise<Entry> {
    this.#sockets.add(socket);
    try {
      return await converse(socket, request, deadlineMs);
    } finally {
      this.#sockets.delete(socket);
    }
  }
}

/** `abstractName` is without its leading NUL; tests give their own. */
export function openMultipathd(options: {
  readonly roots: Roots;
  readonly abstractName?: string;
  readonly deadlineMs?: number;
}): ReadPort<MultipathdRead> {
  const { roots, abstractName = ABSTRACT_NAME, deadlineMs = DEADLINE_MS } = options;
  return new MultipathdPort(abstractName, join(roots.run, SOCKET_FILE), deadlineMs);
}
