/**
 * Runs a scenario: boots its topology, does each fault, and waits until everything that must be seen is
 * seen. Times are the machine's own: when the fault was done, when its kernel knew, when the agent did.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { World } from '../../exporters/status/json.ts';
import { type Lab, type LabNode, startLab } from './lab.ts';
import { firstCall, traceCalls, untrace } from './parts/kernel.ts';
import { AGENT_LOG } from './parts/system.ts';
import type { Fault, Scenario } from './scenario.ts';
import { seenOf } from './sight.ts';
import { loadTopology } from './topology.ts';
import type { Host } from './vm/vm.ts';

const LOOK_EVERY_MS = 300;
const REQUEST_MS = 20_000;
const LOG_CHARS = 2_000;
const LAST_WORDS_MS = 10_000;

export interface Timing {
  readonly fault: string;
  /** From the kernel (or, where no function of it is named, from the fault) to the agent's world. */
  readonly detectedMs: number | undefined;
  readonly by: 'kernel' | 'fault';
}

export interface Verdict {
  readonly scenario: string;
  readonly passed: boolean;
  readonly why: string;
  readonly seconds: number;
  readonly timings: readonly Timing[];
}

async function text(node: LabNode, path: string): Promise<string> {
  const answer = await fetch(`${node.url}${path}`, { signal: AbortSignal.timeout(REQUEST_MS) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${(await answer.text()).trim()}`);
  return answer.text();
}

/** Undefined when all is seen, with the time it was; else what is seen instead. */
async function look(
  node: LabNode,
  fault: Fault,
): Promise<{ readonly missing: string | undefined; readonly since: number | undefined }> {
  let world: World;
  let metrics: string;
  try {
    world = JSON.parse(await text(node, '/api/v1/world')) as World;
    metrics = await text(node, '/metrics');
  } catch (error) {
    return { missing: (error as Error).message, since: undefined };
  }
  const seen = fault.see.map((sight) => ({ sight, ...seenOf(sight, world, metrics) }));
  const missing = seen.filter(({ ok }) => !ok);
  if (missing.length > 0) {
    const told = missing.map(({ sight, instead }) => `${sight.line} (${instead})`).join(', ');
    return { missing: told, since: undefined };
  }
  const times = seen.flatMap(({ since }) => since ?? []);
  return { missing: undefined, since: times.length > 0 ? Math.max(...times) : undefined };
}

async function doFault(lab: Lab, fault: Fault): Promise<Timing> {
  const node = lab.nodes.find(({ url }) => url !== undefined);
  if (node === undefined) throw new Error('no node runs the agent');
  const name = fault.verbs.join(', ') || 'at rest';
  if (fault.kernel !== undefined) await traceCalls(node, fault.kernel);
  const before = (await node.vm.guest.ask({ op: 'now' })).at;
  let done = before;
  for (const verb of fault.verbs) done = (await lab.act(verb)).at ?? done;
  const end = Date.now() + fault.withinS * 1000;
  let seen = await look(node, fault);
  while (seen.missing !== undefined) {
    if (Date.now() > end) {
      throw new Error(`after "${name}", not seen within ${fault.withinS} s: ${seen.missing}`);
    }
    await pause(LOOK_EVERY_MS);
    seen = await look(node, fault);
  }
  const kernelAt =
    fault.kernel === undefined ? undefined : await firstCall(node, fault.kernel, before);
  if (fault.kernel !== undefined) {
    await untrace(node, fault.kernel);
    if (kernelAt === undefined)
      throw new Error(`after "${name}", the kernel never called ${fault.kernel}`);
  }
  const from = kernelAt ?? done;
  const fresh = seen.since !== undefined && seen.since >= before && fault.verbs.length > 0;
  return {
    fault: name,
    detectedMs: fresh && seen.since !== undefined ? seen.since - from : undefined,
    by: kernelAt === undefined ? 'fault' : 'kernel',
  };
}

async function lastWords(lab: Lab): Promise<string> {
  const said: string[] = [];
  for (const { name, url, vm } of lab.nodes) {
    if (url !== undefined) {
      const late = pause(LAST_WORDS_MS, 'no answer');
      const log = await Promise.race([vm.guest.read(AGENT_LOG), late]).catch(String);
      said.push(`agent on ${name}: ${log.slice(-LOG_CHARS)}`);
    }
    said.push(`console of ${name}: ${vm.consoleLog().slice(-LOG_CHARS)}`);
  }
  return said.join('\n');
}

export async function runScenario(host: Host, scenario: Scenario): Promise<Verdict> {
  const started = Date.now();
  const timings: Timing[] = [];
  const verdict = (passed: boolean, why: string): Verdict => ({
    scenario: scenario.name,
    passed,
    why,
    seconds: (Date.now() - started) / 1000,
    timings,
  });
  let lab: Lab;
  try {
    lab = await startLab(host, loadTopology(scenario.topology));
  } catch (error) {
    return verdict(false, (error as Error).message);
  }
  try {
    for (const fault of scenario.faults) timings.push(await doFault(lab, fault));
    return verdict(true, '');
  } catch (error) {
    return verdict(false, `${(error as Error).message}\n${await lastWords(lab)}`);
  } finally {
    await lab.close();
  }
}
