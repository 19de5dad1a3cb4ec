/**
 * What a service says on standard error: read at once, only the last lines kept. It writes into a named
 * pipe that it holds open in both directions itself, so that the end of the keeper neither kills it
 * (SIGPIPE) nor loses what it says: the next keeper reads on.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, lstatSync, openSync, readSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';

const LINES_MAX = 20;
const LINE_LENGTH_MAX = 500;
const DRAIN_BYTES_MAX = 256 * 1024;
const CHUNK_BYTES = 64 * 1024;

export interface Stderr {
  /** A descriptor for the child; the caller closes it. */
  readonly childFd: () => number;
  /** The last lines, after reading all that is there now. */
  readonly lines: () => readonly string[];
  readonly forget: () => void;
  readonly close: () => void;
}

function makePipe(path: string): void {
  try {
    if (lstatSync(path).isFIFO()) return;
    unlinkSync(path);
  } catch {
    // Not there yet.
  }
  // Node cannot make one. Done once for a service, not for each start.
  const { status, stderr } = spawnSync('/usr/bin/mkfifo', ['-m', '600', path], { env: {} });
  if (status !== 0) throw new Error(`mkfifo ${path}: ${String(stderr).trim()}`);
}

function clean(line: string): string {
  return line
    .replace(/[^\x20-\x7e\u00a0-\uffff]/gu, ' ')
    .trimEnd()
    .slice(0, LINE_LENGTH_MAX);
}

export function openStderr(path: string): Stderr {
  makePipe(path);
  const { O_RDWR, O_NONBLOCK, O_NOFOLLOW } = constants;
  const fd = openSync(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let lines: string[] = [];
  let rest = '';
  const take = (text: string): void => {
    const parts = `${rest}${text}`.split('\n');
    rest = (parts.pop() ?? '').slice(-LINE_LENGTH_MAX);
    const said = parts
      .slice(-LINES_MAX)
      .map(clean)
      .filter((line) => line !== '');
    if (said.length > 0) lines = [...lines, ...said].slice(-LINES_MAX);
  };
  const drain = (): void => {
    for (let bytes = 0; bytes < DRAIN_BYTES_MAX; ) {
      let count = 0;
      try {
        count = readSync(fd, buffer);
      } catch {
        // Nothing more is there now.
        return;
      }
      if (count === 0) return;
      bytes += count;
      take(buffer.toString('utf8', 0, count));
    }
  };
  const socket = new Socket({ fd, readable: true, writable: false });
  socket.on('data', (chunk: Buffer) => take(chunk.toString('utf8')));
  socket.on('error', () => undefined);
  socket.unref();
  return {
    childFd: () => openSync(path, O_RDWR | O_NOFOLLOW),
    lines: () => {
      drain();
      const last = clean(rest);
      return last === '' ? lines : [...lines, last].slice(-LINES_MAX);
    },
    forget: () => {
      lines = [];
      rest = '';
    },
    close: () => {
      socket.destroy();
    },
  };
}

export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // It is closed.
  }
}
