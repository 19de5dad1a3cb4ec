/**
 * A real API process for tests: on a free port and a socket in a temporary directory, ended with the test.
 * It judges nothing.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Test } from 'tap';
import { type Api, type ApiCommand, openApi } from '../../agent/api/feed.ts';
import type { ApiLimits } from '../../agent/api/messages.ts';
import { type Config, NO_JUDGEMENT } from '../../rules/config.ts';

const HANG_MS = 15_000;
/** Short where a test must wait for it; the order of the defaults is kept. */
export const LIMITS: Partial<ApiLimits> = { listenPatienceMs: 200 };

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Polls until the check gives a value; a hang bound, not a speed. */
export async function until<T>(what: string, check: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = performance.now() + HANG_MS; performance.now() < deadline; ) {
    const value = await check().catch(() => undefined);
    if (value !== undefined) return value;
    await wait(20);
  }
  throw new Error(`never came: ${what}`);
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Opened {
  readonly api: Api;
  readonly port: number;
  readonly socketPath: string;
  readonly runDir: string;
  readonly troubles: string[];
  readonly commands: ApiCommand[];
  /** One request over TCP with exactly these headers. */
  readonly get: (path: string, headers?: Record<string, string>, method?: string) => Promise<Reply>;
  readonly childPid: () => number | undefined;
}

function send(
  port: number,
  path: string,
  headers: Record<string, string>,
  method: string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers, agent: false };
    request(options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part) => {
        body += part;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    })
      .on('error', reject)
      .end();
  });
}

/** The one child of this process with the API's title. */
export function childPid(): number | undefined {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
  return children
    .trim()
    .split(' ')
    .map(Number)
    .find((pid) => pid > 0);
}

export function config(port: number | undefined, runDir: string): Config {
  return {
    node: 'alpha',
    listen: port === undefined ? undefined : { host: '127.0.0.1', port },
    roots: { proc: '/proc', sys: '/sys', dev: '/dev', run: '/run' },
    stateDir: runDir,
    runDir,
    collectors: {},
    reach: [],
    switches: [],
    nodes: [],
    judgement: NO_JUDGEMENT,
    seriesMax: 10_000,
  };
}

export async function opened(t: Test, limits: Partial<ApiLimits> = {}): Promise<Opened> {
  const runDir = mkdtempSync(join(tmpdir(), 'nospof-api-'));
  const port = await freePort();
  const troubles: string[] = [];
  const commands: ApiCommand[] = [];
  const api = await openApi({
    config: config(port, runDir),
    onCommand: async (command) => {
      commands.push(command);
      if (command.verb === 'service') return `${command.deed} ${command.service}`;
      if (command.verb !== 'forget') return command.verb;
      if (command.component === 'fan/none') throw new Error('fan/none is not known');
      return `forgot ${command.component}`;
    },
    onTrouble: (why) => troubles.push(why),
    limits: { ...LIMITS, ...limits },
  });
  t.teardown(async () => {
    await api.close();
    rmSync(runDir, { recursive: true });
  });
  return {
    api,
    port,
    socketPath: join(runDir, 'nospof.sock'),
    runDir,
    troubles,
    commands,
    get: (path, headers = {}, method = 'GET') => send(port, path, headers, method),
    childPid,
  };
}
