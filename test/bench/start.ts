/** How long after its start the agent has a first complete world, over a made-up machine of 80 sensors. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openClient } from './client.ts';
import { startNospof, until200, workFolder } from './process.ts';
import { type Figure, spread } from './report.ts';
import { makeTree, SMALL, type Tree } from './tree.ts';

const READY_MS_MAX = 1_000;

interface Start {
  /** From making the process to the first 200 of `/readyz`. */
  readonly readyMs: number;
  /** From the agent's own first instruction about reading to its first complete world. */
  readonly insideMs: number;
}

async function once(tree: Tree, folder: string): Promise<Start> {
  const started = performance.now();
  const nospof = await startNospof(tree, folder);
  try {
    await until200(nospof, '/readyz');
    const readyMs = performance.now() - started;
    const client = openClient(nospof.port);
    const { body } = await client.get('/api/v1/world');
    client.close();
    const { vitals } = JSON.parse(body) as { vitals: { startedAt: number; readyAt: number } };
    return { readyMs, insideMs: vitals.readyAt - vitals.startedAt };
  } finally {
    await nospof.stop();
  }
}

export async function benchStart(quick: boolean): Promise<readonly Figure[]> {
  const work = workFolder();
  const machine = join(work.path, 'machine');
  mkdirSync(machine);
  const tree = makeTree(machine, SMALL);
  const starts: Start[] = [];
  try {
    for (let count = 0; count < (quick ? 3 : 10); count += 1) {
      starts.push(await once(tree, work.path));
    }
  } finally {
    tree.close();
    work.remove();
  }
  const bench = 'start';
  return [
    ...spread(
      { bench, what: 'process to first complete world', unit: 'ms' },
      starts.map(({ readyMs }) => readyMs),
      { p50: READY_MS_MAX, p99: READY_MS_MAX },
    ),
    ...spread(
      { bench, what: 'of it from startedAt to readyAt', unit: 'ms' },
      starts.map(({ insideMs }) => insideMs),
    ),
  ];
}
