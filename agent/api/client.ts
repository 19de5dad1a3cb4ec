/**
 * Questions to the running agent over its unix socket. Every question has a deadline and a bounded
 * answer; no agent, no permission and a broken answer are told apart, because they are mended apart.
 */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { World } from '../../exporters/status/json.ts';
import { errnoOf } from '../ports/errno.ts';

const DEADLINE_MS = 5_000;
/** An order is waited for longer than the API waits for the agent: its answer says more than our silence. */
const ORDER_DEADLINE_MS = 8_000;
/** A picture of 10,000 components is 5 MB. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;
/** Longer silence than the stream's beat means that it is broken. */
const STREAM_SILENCE_MS = 15_000;

/** Nobody answers on the socket: the agent does not run. Any other trouble is a plain Error. */
export class NoAgentError extends Error {}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

function mended(path: string, error: unknown): Error {
  const code = errnoOf(error);
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new NoAgentError(`no agent answers on ${path}: start it with nospof run`);
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new Error(`${path}: permission denied: ask as the user the agent runs as (root)`);
  }
  return new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`);
}

function open(
  socketPath: string,
  path: string,
  body: string | undefined,
  onResponse: (response: IncomingMessage) => void,
): ClientRequest {
  const headers =
    body === undefined
      ? { host: 'localhost' }
      : {
          host: 'localhost',
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(body)),
        };
  const method = body === undefined ? 'GET' : 'POST';
  return request({ socketPath, path, method, headers, agent: false }, onResponse).end(body);
}

/** One question; `body` makes it a POST of JSON. */
export function ask(socketPath: string, path: string, body?: string): Promise<Answer> {
  const deadlineMs = body === undefined ? DEADLINE_MS : ORDER_DEADLINE_MS;
  return new Promise((resolve, reject) => {
    const asked = open(socketPath, path, body, (response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on('data', (part: Buffer) => {
        length += part.length;
        if (length > ANSWER_BYTES_MAX) asked.destroy(new Error('the answer is too long'));
        else parts.push(part);
      });
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') });
      });
      response.on('error', (error) => reject(mended(socketPath, error)));
    });
    const timer = setTimeout(() => {
      asked.destroy(new Error(`no answer in ${deadlineMs} ms: the agent hangs or was stopped`));
    }, deadlineMs);
    asked.on('error', (error) => {
      clearTimeout(timer);
      reject(mended(socketPath, error));
    });
  });
}

/** The whole picture of the running agent, and its text as it came. */
export async function askWorld(socketPath: string): Promise<{ world: World; text: string }> {
  const { status, body } = await ask(socketPath, '/api/v1/world');
  if (status !== 200) throw new Error(`the agent answers ${status}: ${body.trim()}`);
  return { world: JSON.parse(body) as World, text: body };
}

/** Calls back on every event of the stream until it breaks (then resolves) or the signal aborts it. */
export function follow(
  socketPath: string,
  onEvent: () => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = open(socketPath, '/events', undefined, (response) => {
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        if (text.includes('event: view')) onEvent();
      });
      response.on('close', () => resolve());
      response.on('error', () => resolve());
      if (response.statusCode !== 200) asked.destroy();
    });
    asked.setTimeout(STREAM_SILENCE_MS, () => asked.destroy());
    asked.on('error', (error) => reject(mended(socketPath, error)));
    asked.on('close', () => resolve());
    signal.addEventListener('abort', () => asked.destroy(), { once: true });
    if (signal.aborted) asked.destroy();
  });
}
