/** A real agent as a process of its own, on a free port and in folders of its own, and what it says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Component, Group, Picture, Vitals } from '../../rules/model.ts';

const MAIN = fileURLToPath(new URL('../../agent/main.js', import.meta.url));
/** A hang bound: what takes longer on the slowest machine has failed. */
const PATIENCE_MS = 30_000;
const POLL_MS = 25;
/** A test that is killed leaves no agent behind. */
const ENDS_WITH_US = ['/usr/bin/setpriv', '--pdeathsig', 'KILL'];

export type World = Picture & { readonly vitals: Vitals; readonly headline: string };

export interface TestAgent {
  readonly folder: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** What it has printed on both outputs so far. */
  readonly said: () => string;
  readonly get: (
    path: string,
    headers?: Record<string, string>,
  ) => Promise<{ status: number; body: string }>;
  readonly world: () => Promise<World>;
  /** The first world that satisfies, or an error that shows the last one's components. */
  readonly until: (wish: (world: World) => boolean, what: string) => Promise<World>;
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export function componentOf(world: World, id: string): Component | undefined {
  return world.components.find((one) => one.id === id);
}

export function groupOf(world: World, id: string): Group | undefined {
  return world.groups.find((one) => one.id === id);
}

/** A folder for state, run files and whatever tree a test writes into it. */
export function agentFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nospof-agent-'));
  mkdirSync(join(folder, 'tree'));
  return folder;
}

export interface AgentChoice {
  readonly folder: string;
  readonly flags?: readonly string[];
  readonly configuration?: string;
  /** Words before the program: `ip netns exec NAME`. */
  readonly prefix?: readonly string[];
}

/** Starts one and waits until every source was read. Without a port (a namespace) ask by the socket. */
export async function startTestAgent(choice: AgentChoice): Promise<TestAgent> {
  const { folder } = choice;
  const port = await freePort();
  const flags = ['--state', join(folder, 'state'), '--run', join(folder, 'run')];
  if (choice.configuration !== undefined) {
    const file = join(folder, 'nospof.yaml');
    writeFileSync(file, choice.configuration, { mode: 0o600 });
    flags.push('--config', file);
  }
  const words = [
    ...ENDS_WITH_US,
    ...(choice.prefix ?? []),
    process.execPath,
    MAIN,
    'run',
    '--listen',
    `127.0.0.1:${port}`,
  ];
  const [program = '', ...args] = [...words, ...flags, ...(choice.flags ?? [])];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const get: TestAgent['get'] = async (path, headers = {}) => {
    const { request } = await import('node:http');
    const socketPath = join(folder, 'run', 'nospof.sock');
    const sent = request({ socketPath, path, headers: { host: 'localhost', ...headers } });
    sent.end();
    const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
    let body = '';
    for await (const chunk of response.setEncoding('utf8')) body += chunk;
    return { status: response.statusCode ?? 0, body };
  };
  const world = async (): Promise<World> => JSON.parse((await get('/api/v1/world')).body) as World;
  const until: TestAgent['until'] = async (wish, what) => {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      const now = await world().catch(() => undefined);
      if (now !== undefined && now.components !== undefined && wish(now)) return now;
      if (child.exitCode !== null) throw new Error(`the agent ended waiting for ${what}: ${said}`);
      if (performance.now() > end) {
        const all = now?.components?.map((one) => `${one.id} ${one.health}`).join('\n');
        throw new Error(`never: ${what}\n${all}\n${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };
  const stop: TestAgent['stop'] = async (signal = 'SIGINT') => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    child.kill(signal);
    await once(child, 'close');
    return child.exitCode;
  };
  const agent: TestAgent = {
    folder,
    port,
    process: child,
    said: () => said,
    get,
    world,
    until,
    stop,
  };
  await until((now) => now.vitals.readyAt !== undefined, 'every source read once');
  return agent;
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
