/** Services of a real agent: a folder with scripts, what runs, and taking all of it away again. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { openKeeper } from '../../agent/services/process/client.ts';
import type { Service } from '../../rules/service.ts';
import { agentFolder, removeFolder, startTestAgent, type TestAgent, type World } from './agent.ts';

const MAIN = fileURLToPath(new URL('../../agent/main.js', import.meta.url));
const HANG_MS = 20_000;

/** No collector has anything to do with services: all are off. */
const QUIET = [
  'acpi',
  'fans',
  'gateways',
  'kernel',
  'mdraid',
  'multipath',
  'nics',
  'psus',
  'sensors',
].map((name) => `${name}: off`);

export interface Den {
  readonly folder: string;
  readonly path: (name: string) => string;
  /** Writes a program into the folder; its path. */
  readonly script: (name: string, text: string) => string;
  readonly start: (services: string) => Promise<TestAgent>;
  readonly nospof: (...words: readonly string[]) => { status: number | null; text: string };
  readonly read: (name: string) => string;
  readonly keeperPid: () => Promise<number>;
}

export function serviceOf(world: World, name: string): Service | undefined {
  return world.services.find(({ spec }) => spec.name === name);
}

export function pidOf(world: World, name: string): number {
  const seen = serviceOf(world, name)?.seen;
  return seen?.kind === 'running' ? (seen.pid ?? 0) : 0;
}

export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/mu.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export async function until(wish: () => boolean, what: string): Promise<void> {
  const end = performance.now() + HANG_MS;
  while (!wish()) {
    if (performance.now() > end) throw new Error(`never: ${what}`);
    await pause(10);
  }
}

/** Ends all services of a keeper and the keeper itself, by asking it. */
async function endKeeper(runDir: string, names: readonly string[]): Promise<void> {
  const keeper = openKeeper(runDir, () => undefined);
  await until(() => keeper.pid() !== undefined, 'the keeper to answer');
  for (const name of names) {
    await keeper.ask({ do: 'stop', name, signal: 'SIGKILL', deadlineMs: 0, patienceMs: 5_000 });
  }
  const pid = keeper.pid() ?? 0;
  await keeper.ask({ do: 'end' });
  keeper.close();
  await until(() => !isAlive(pid), 'the keeper to end');
}

/** A place for services; at the end of the test nothing of it is left. */
export function denOf(t: Test, names: readonly string[]): Den {
  const folder = agentFolder();
  const run = join(folder, 'run');
  mkdirSync(run, { mode: 0o700 });
  const agents: TestAgent[] = [];
  t.teardown(async () => {
    for (const agent of agents) await agent.stop('SIGKILL');
    await endKeeper(run, names);
    removeFolder(folder);
  });
  const path = (name: string): string => join(folder, name);
  return {
    folder,
    path,
    script: (name, text) => {
      writeFileSync(path(name), text, { mode: 0o755 });
      return path(name);
    },
    start: async (services) => {
      const configuration = `collectors: {${QUIET.join(', ')}}\nservices:\n${services}\n`;
      const agent = await startTestAgent({ folder, configuration });
      agents.push(agent);
      return agent;
    },
    nospof: (...words) => {
      const args = [MAIN, ...words, '--run', run];
      const done = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: HANG_MS });
      return { status: done.status, text: `${done.stdout}${done.stderr}` };
    },
    read: (name) => {
      try {
        return readFileSync(path(name), 'utf8');
      } catch {
        return '';
      }
    },
    keeperPid: async () => {
      const keeper = openKeeper(run, () => undefined);
      await until(() => keeper.pid() !== undefined, 'the keeper to answer');
      const pid = keeper.pid() ?? 0;
      keeper.close();
      return pid;
    },
  };
}
