/**
 * Runs one program to its end: no shell, no input but what is given, bounded output, a deadline after which
 * its whole process group is killed. The answer comes at the deadline even if the kernel holds the
 * process; `gone` tells when it has really ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Entry } from '../../collectors/lib/collector.ts';
import { errnoOf } from './errno.ts';
import { PROGRAM_FOLDERS } from './programs.ts';

/** Standard output and standard error each; more is no answer to a monitoring question. */
export const OUTPUT_BYTES_MAX: number = 1024 * 1024;
/** What is kept of standard error: its first line says what is wrong. */
const ERROR_CHARS_MAX = 200;
/** From a program's exit to the end of its output, which a grandchild may hold open. */
const DRAIN_MS = 100;

export interface Running {
  readonly answer: Promise<Entry>;
  /** Settles when the process has ended. */
  readonly gone: Promise<void>;
  readonly pid: number | undefined;
  /** Kills the group; the answer is then `ECANCELED`. */
  readonly cancel: () => void;
}

/** First line of what a program complained of, printable and short. */
function firstLine(text: string): string {
  const line = text.split('\n', 1)[0] ?? '';
  return line
    .replace(/[^\x20-\x7e]/gu, '?')
    .trim()
    .slice(0, ERROR_CHARS_MAX);
}

/** Collects a stream's bytes; calls `flooded` once when there are too many. */
function collect(stream: Readable | null, keepMax: number, flooded: () => void): () => string {
  const chunks: Buffer[] = [];
  let kept = 0;
  let bytes = 0;
  stream?.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (kept < keepMax) {
      const part = chunk.subarray(0, keepMax - kept);
      chunks.push(part);
      kept += part.length;
    }
    if (bytes > OUTPUT_BYTES_MAX) flooded();
  });
  stream?.on('error', () => undefined);
  return () => Buffer.concat(chunks).toString('utf8');
}

/** The group is the program's own (`detached`): its children die with it. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group has ended already.
  }
}

/** Entry of a program that has ended by itself. */
function ended(code: number | null, signal: string | null, text: string, error: string): Entry {
  if (code === 0 || (code !== null && error === '')) return { text, status: code };
  if (code !== null) return { text, status: code, why: error };
  return { errno: 'EIO', why: `killed by ${signal}${error === '' ? '' : `: ${error}`}` };
}

export function runProgram(
  path: string,
  args: readonly string[],
  options: {
    readonly name: string;
    readonly deadlineMs: number;
    /** What it reads on its standard input; undefined: there is none. */
    readonly input?: string;
  },
): Running {
  const { name, deadlineMs } = options;
  let child: ChildProcess;
  try {
    child = spawn(path, args, {
      argv0: name,
      cwd: '/',
      env: { PATH: PROGRAM_FOLDERS.join(':'), LC_ALL: 'C' },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    // A program that ends without reading it is no fault of ours.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
  } catch (error) {
    const entry: Entry = { errno: errnoOf(error), why: `${name} could not be started` };
    const gone = Promise.resolve();
    return { answer: Promise.resolve(entry), gone, pid: undefined, cancel: () => undefined };
  }
  let finish: (entry: Entry) => void = () => undefined;
  const answer = new Promise<Entry>((resolve) => {
    finish = resolve;
  });
  const stop = (errno: string, why: string): void => {
    killGroup(child);
    // What the kernel holds must not keep the agent from ending.
    child.unref();
    const error = firstLine(stderr());
    settle({ errno, why: error === '' ? why : `${why}: ${error}` });
  };
  const flooded = (): void => stop('E2BIG', `more than ${OUTPUT_BYTES_MAX} bytes of output`);
  const stdout = collect(child.stdout, OUTPUT_BYTES_MAX, flooded);
  const stderr = collect(child.stderr, 4 * ERROR_CHARS_MAX, flooded);
  const deadline = setTimeout(
    () => stop('ETIMEDOUT', `no answer within ${deadlineMs} ms`),
    deadlineMs,
  );
  let drain: NodeJS.Timeout | undefined;
  const settle = (entry: Entry): void => {
    clearTimeout(deadline);
    clearTimeout(drain);
    child.stdout?.destroy();
    child.stderr?.destroy();
    finish(entry);
  };
  child.on('error', (error) => {
    if (child.pid === undefined) {
      settle({ errno: errnoOf(error), why: `${name} could not be started` });
    }
  });
  const gone = new Promise<void>((resolve) => {
    child.once('exit', resolve);
    child.once('error', () => child.pid === undefined && resolve());
  });
  child.once('exit', (code, signal) => {
    const end = (): void => settle(ended(code, signal, stdout(), firstLine(stderr())));
    child.once('close', end);
    // A grandchild that holds the output open is not waited for, nor left behind.
    drain = setTimeout(() => {
      killGroup(child);
      end();
    }, DRAIN_MS);
  });
  return { answer, gone, pid: child.pid, cancel: () => stop('ECANCELED', 'the agent is ending') };
}
