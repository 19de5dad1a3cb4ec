/**
 * Shows that each scenario can fail: its collector is broken on purpose, in the build that the machines
 * run and nowhere else (`breakages.yaml`), and the scenario must then miss what it waits for. One that
 * stays green, or ends for another reason, proves nothing and counts as failed.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { DATA } from './host/files.ts';
import { type Change, makeBrokenImage } from './host/image.ts';
import { runScenario, type Verdict } from './runner.ts';
import { loadScenario } from './scenario.ts';
import type { Host } from './vm/vm.ts';

/** Enough for what a scenario waits for while nothing is broken, on a loaded host too. */
const WITHIN_S = 30;
const MISSED = /^after .*, (?:not seen within|the journal has no) /u;

export function loadBreakages(): Readonly<Record<string, Change>> {
  return parse(readFileSync(join(DATA, 'breakages.yaml'), 'utf8')) as Record<string, Change>;
}

function judged({ passed, why, ...rest }: Verdict, { in: file }: Change): Verdict {
  const [line = ''] = why.split('\n');
  if (passed) return { ...rest, passed: false, why: `still green with ${file} broken` };
  const red = MISSED.test(line);
  return { ...rest, passed: red, why: red ? `red with ${file} broken: ${line}` : why };
}

/** Passed means: went red. */
export async function runBroken(host: Host, name: string, changed: Change): Promise<Verdict> {
  const { faults, ...rest } = loadScenario(name);
  const scenario = {
    ...rest,
    faults: faults.map((fault) => ({ ...fault, withinS: Math.min(fault.withinS, WITHIN_S) })),
  };
  const image = makeBrokenImage(host.run, changed);
  return judged(await runScenario({ ...host, image }, scenario), changed);
}
