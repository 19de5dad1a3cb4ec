/**
 * One keep-alive HTTP connection that asks one question after the other. It is written on a bare socket,
 * so that what a client library costs is not added to what it measures.
 */
import { connect, type Socket } from 'node:net';
import { monotonicNow } from '../../agent/ports/clock.ts';

export interface Answered {
  readonly status: number;
  readonly body: string;
  /** From the question to the last byte of the answer. */
  readonly ms: number;
}

export interface Client {
  readonly get: (path: string) => Promise<Answered>;
  readonly close: () => void;
}

const DEADLINE_MS = 30_000;
const HEAD_END = '\r\n\r\n';
const CHUNKS_END = '\r\n0\r\n\r\n';

interface Head {
  readonly length: number;
  readonly status: number;
  /** Undefined for an answer in chunks. */
  readonly bodyLength: number | undefined;
}

function headOf(bytes: Buffer): Head | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const text = bytes.toString('latin1', 0, end);
  const length = /^content-length: *(\d+)/imu.exec(text)?.[1];
  return {
    length: end + HEAD_END.length,
    status: Number(text.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length)),
    bodyLength: length === undefined ? undefined : Number(length),
  };
}

function unchunked(bytes: Buffer, from: number): string {
  const parts: Buffer[] = [];
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const length = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (!(length > 0)) return Buffer.concat(parts).toString('utf8');
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
}

/** Gathers one answer; the whole of it is looked at only when its end may have come. */
class Gathering {
  readonly #parts: Buffer[] = [];
  #bytes = 0;
  #head: Head | undefined;

  /** True when the answer is whole. */
  add(part: Buffer): boolean {
    this.#parts.push(part);
    this.#bytes += part.length;
    this.#head ??= headOf(this.#parts.length === 1 ? part : Buffer.concat(this.#parts));
    if (this.#head === undefined) return false;
    const { bodyLength, length } = this.#head;
    if (bodyLength !== undefined) return this.#bytes >= length + bodyLength;
    const tail = Buffer.concat(this.#parts.slice(-2)).subarray(-CHUNKS_END.length);
    return tail.toString('latin1') === CHUNKS_END;
  }

  answer(): { status: number; body: string } {
    const bytes = Buffer.concat(this.#parts);
    const { status = 0, bodyLength, length = 0 } = this.#head ?? {};
    const body =
      bodyLength === undefined ? unchunked(bytes, length) : bytes.toString('utf8', length);
    return { status, body };
  }
}

function opened(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.setNoDelay(true);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

function ask(socket: Socket, path: string): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const gathering = new Gathering();
    const end = (): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
    };
    const failed = (why: string): void => {
      end();
      socket.destroy();
      reject(new Error(`GET ${path}: ${why}`));
    };
    const timer = setTimeout(() => failed(`no answer in ${DEADLINE_MS} ms`), DEADLINE_MS);
    socket.on('error', (error) => failed(error.message));
    socket.on('close', () => failed('the connection was closed'));
    socket.on('data', (part: Buffer) => {
      if (!gathering.add(part)) return;
      const ms = monotonicNow() - startedMs;
      end();
      resolve({ ...gathering.answer(), ms });
    });
    const startedMs = monotonicNow();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  });
}

/** Opens its connection with the first question and again when the other side closed it. */
export function openClient(port: number): Client {
  let socket: Socket | undefined;
  return {
    get: async (path) => {
      if (socket === undefined || socket.destroyed || !socket.writable) socket = await opened(port);
      return ask(socket, path);
    },
    close: () => socket?.destroy(),
  };
}
