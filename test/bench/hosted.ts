/** Runs `host.ts` as a child and gathers what it tells. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { defaultConfig } from '../../agent/config/defaults.ts';
import type { Config, Roots } from '../../rules/config.ts';
import type { Health, Sample } from '../../rules/model.ts';
import type { HostLine, HostOptions } from './host.ts';

const HOST: string = fileURLToPath(new URL('host.js', import.meta.url));
const READY_MS_MAX = 20_000;
const STOP_MS_MAX = 5_000;

export interface Hosted {
  /** Changes of the watched component, by CLOCK_MONOTONIC of the world that showed them. */
  readonly changes: readonly { readonly health: Health; readonly at: number }[];
  /** Times measured since the last call. */
  readonly take: () => readonly Sample[];
  readonly stop: () => Promise<void>;
}

/** The shipped configuration, with folders of the bench's own and no TCP port unless one is given. */
export function configOf(folder: string, roots: Partial<Roots>, port?: number): Config {
  const [stateDir, runDir] = [join(folder, 'state'), join(folder, 'agent')];
  for (const path of [stateDir, runDir]) mkdirSync(path, { recursive: true });
  const config = defaultConfig({
    hostname: 'bench',
    folders: { stateDir, runDir },
    collectors: [],
  });
  return {
    ...config,
    roots: { ...config.roots, ...roots },
    listen: port === undefined ? undefined : { host: '127.0.0.1', port },
  };
}

/** `prefix` puts it elsewhere: `ip netns exec NAME`. Resolves when every source has answered once. */
export async function startHosted(
  options: HostOptions,
  prefix: readonly string[] = [],
): Promise<Hosted> {
  const [file = process.execPath, ...argv] = [
    ...prefix,
    process.execPath,
    HOST,
    JSON.stringify(options),
  ];
  const child = spawn(file, argv, { stdio: ['pipe', 'pipe', 'ignore'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const changes: { health: Health; at: number }[] = [];
  let samples: Sample[] = [];
  const stop = async (): Promise<void> => {
    child.stdin.end();
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await exited;
    clearTimeout(late);
  };
  const ready = new Promise<boolean>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as HostLine;
      if (line.kind === 'ready') resolve(true);
      else if (line.kind === 'changed') changes.push(line);
      else samples.push(...line.samples);
    });
    void exited.then(() => resolve(false));
    setTimeout(() => resolve(false), READY_MS_MAX).unref();
  });
  if (!(await ready)) {
    await stop();
    throw new Error('the agent did not come up; run dist/test/bench/host.js by hand to see why');
  }
  return {
    changes,
    take: () => {
      const taken = samples;
      samples = [];
      return taken;
    },
    stop,
  };
}
