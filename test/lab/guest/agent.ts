/**
 * The guest's end of the channel: carries out what the lab asks, on the machine's own kernel and clock.
 * It decides nothing. The channel is a virtio-serial port, so that no network card is needed for it.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  read as readSome,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  type Answer,
  type Command,
  type Ended,
  type FromGuest,
  lineReader,
  type Request,
  type ToGuest,
} from '../vm/protocol.ts';

const PORTS = '/sys/class/virtio-ports';
const OUTPUT_BYTES_MAX = 4 << 20;
const DEADLINE_MS = 120_000;
const CHUNK_BYTES = 32 << 10;

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function channelPort(): string {
  for (const name of readdirSync(PORTS)) {
    if (readFileSync(`${PORTS}/${name}/name`, 'utf8').trim() === 'lab') return `/dev/${name}`;
  }
  throw new Error('no channel');
}

const channel = openSync(channelPort(), 'r+');

function tell(message: FromGuest): void {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  let done = 0;
  while (done < bytes.length)
    done += writeSync(channel, bytes, done, Math.min(CHUNK_BYTES, bytes.length - done));
}

function runOne({ argv, input, deadlineMs }: Command): Promise<Ended> {
  const [file, ...rest] = argv;
  return new Promise((resolve) => {
    const child = spawn(file, rest, { stdio: 'pipe' });
    let out = '';
    let err = '';
    const late = setTimeout(() => child.kill('SIGKILL'), deadlineMs ?? DEADLINE_MS);
    const end = (status: number | undefined): void => {
      clearTimeout(late);
      resolve({ argv, status, out, err });
    };
    child.stdout.on('data', (chunk: Buffer) => {
      if (out.length < OUTPUT_BYTES_MAX) out += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (err.length < OUTPUT_BYTES_MAX) err += chunk.toString('utf8');
    });
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => {
      err += error.message;
      end(undefined);
    });
    child.on('close', (code) => end(code ?? undefined));
    child.stdin.end(input ?? '');
  });
}

async function runAll(commands: readonly Command[]): Promise<readonly Ended[]> {
  const ended: Ended[] = [];
  for (const command of commands) {
    const one = await runOne(command);
    ended.push(one);
    if (one.status !== 0) break;
  }
  return ended;
}

function start(argv: readonly [string, ...string[]], log: string): number {
  const [file, ...rest] = argv;
  const fd = openSync(log, 'a');
  const child = spawn(file, rest, { stdio: ['ignore', fd, fd], detached: true });
  child.on('error', () => undefined);
  closeSync(fd);
  if (child.pid === undefined) throw new Error(`${file} could not be started`);
  return child.pid;
}

function write(path: string, latin1: string, at: number | undefined, append: boolean): void {
  if (at === undefined) {
    writeFileSync(path, latin1, { encoding: 'latin1', flag: append ? 'a' : 'w' });
    return;
  }
  const fd = openSync(path, 'r+');
  try {
    const bytes = Buffer.from(latin1, 'latin1');
    writeSync(fd, bytes, 0, bytes.length, at);
  } finally {
    closeSync(fd);
  }
}

/** Whole text of a file of procfs or sysfs too, whose size is not known beforehand. */
function readText(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const parts: Buffer[] = [];
    let bytes = 0;
    for (;;) {
      const part = Buffer.alloc(64 << 10);
      const got = readSync(fd, part, 0, part.length, null);
      if (got === 0 || bytes > OUTPUT_BYTES_MAX) return Buffer.concat(parts).toString('utf8');
      parts.push(part.subarray(0, got));
      bytes += got;
    }
  } finally {
    closeSync(fd);
  }
}

async function carryOut(request: Request): Promise<Omit<Answer, 'at'>> {
  switch (request.op) {
    case 'run':
      return { ended: await runAll(request.commands) };
    case 'start':
      return { pid: start(request.argv, request.log) };
    case 'signal':
      process.kill(request.pid, request.signal as NodeJS.Signals);
      return {};
    case 'write':
      write(request.path, request.latin1, request.at, request.append === true);
      return {};
    case 'read':
      return { text: readText(request.path) };
    case 'list':
      return { names: readdirSync(request.path) };
    case 'now':
      return { text: String(Date.now()) };
  }
}

const streams = new Map<number, Socket>();

function openStream(stream: number, port: number): void {
  const socket = createConnection({ host: '127.0.0.1', port });
  streams.set(stream, socket);
  socket.on('data', (chunk) => {
    for (let from = 0; from < chunk.length; from += CHUNK_BYTES) {
      tell({ stream, base64: chunk.subarray(from, from + CHUNK_BYTES).toString('base64') });
    }
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    streams.delete(stream);
    tell({ stream, end: true });
  });
}

function onStream(message: Exclude<ToGuest, { id: number }>): void {
  if ('port' in message) openStream(message.stream, message.port);
  else if ('base64' in message)
    streams.get(message.stream)?.write(Buffer.from(message.base64, 'base64'));
  else streams.get(message.stream)?.end();
}

async function onRequest(id: number, request: Request): Promise<void> {
  try {
    const done = await carryOut(request);
    tell({ id, answer: { ...done, at: nowMs() } });
  } catch (error) {
    const about = 'path' in request ? ` ${request.path}` : '';
    tell({ id, error: `${request.op}${about}: ${(error as Error).message}` });
  }
}

async function serve(): Promise<never> {
  const take = promisify(readSome);
  const onChunk = lineReader((line) => {
    const message = JSON.parse(line) as ToGuest;
    if ('id' in message) void onRequest(message.id, message.request);
    else onStream(message);
  });
  const decoder = new TextDecoder();
  const buffer = Buffer.alloc(64 << 10);
  tell({ hello: true, at: nowMs() });
  for (;;) {
    const { bytesRead } = await take(channel, buffer, 0, buffer.length, null);
    // Nobody at the other end: the lab is being started or is gone.
    if (bytesRead === 0) await pause(50);
    else onChunk(decoder.decode(buffer.subarray(0, bytesRead), { stream: true }));
  }
}

await serve();
