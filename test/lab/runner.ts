/**
 * Runs a scenario: boots its topology, does each fault, and waits until everything that must be seen is
 * seen. Times are the machine's own: when the fault was done, when its kernel knew, when the agent did.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { alarmsOf, foreseen, judgeJournal, type Span } from './journal.ts';
import { type Lab, startLab } from './lab.ts';
import { lookAt } from './look.ts';
import type { LabNode } from './machine.ts';
import { firstCall, traceCalls, untrace } from './parts/kernel.ts';
import { AGENT_LOG } from './parts/system.ts';
import type { Fault, Scenario } from './scenario.ts';
import { loadTopology } from './topology.ts';
import type { Host } from './vm/vm.ts';

const LOOK_EVERY_MS = 300;
const LOG_CHARS = 2_000;
const LAST_WORDS_MS = 10_000;

export interface Timing {
  readonly fault: string;
  /**
   * From the kernel (or, where no function of it is named, from the fault) to the agent's world; of a
   * power cut from the last feed that went off to the end of the machine's process.
   */
  readonly detectedMs: number | undefined;
  readonly by: 'kernel' | 'fault' | 'feed';
  /** The machine's monotonic milliseconds: its kernel knew, and the agent's world had it. */
  readonly kernelMs: number | undefined;
  readonly agentMs: number | undefined;
  /** A rule had raised the first of the alarms that are asked for; undefined: none is. */
  readonly decideMs: number | undefined;
  /** The first action beyond telling people was ordered; undefined: none was asked for. */
  readonly orderMs: number | undefined;
}

export interface Verdict {
  readonly scenario: string;
  readonly passed: boolean;
  readonly why: string;
  readonly seconds: number;
  readonly timings: readonly Timing[];
  /** What its verbs measured, each in a line. */
  readonly figures: readonly string[];
  /** What `why` said of the things that it is asked about. */
  readonly whys: Readonly<Record<string, string>>;
}

/** How long the machines that a fault took the power of lived on, the longest of them. */
function livedOnMs({ nodes, power }: Lab, fault: Fault): number | undefined {
  const times = nodes.flatMap((node) => {
    const darkAt = power?.darkAt(node.name);
    const endedAt = node.endedAt();
    const isMeant = fault.see.some((sight) => sight.line === `node/${node.name} is off`);
    return isMeant && darkAt !== undefined && endedAt !== undefined ? [endedAt - darkAt] : [];
  });
  return times.length > 0 ? Math.max(...times) : undefined;
}

/** A machine's monotonic clock; undefined: it is off or stands still. */
async function clockOf(node: LabNode): Promise<number | undefined> {
  if (!node.isOn()) return undefined;
  const { status } = (await node.vm.qmp.execute('query-status')) as { readonly status: string };
  return status === 'running' ? (await node.vm.guest.ask({ op: 'now' })).at : undefined;
}

/** When it all became so, in the agent's time. */
async function untilSeen(lab: Lab, fault: Fault, name: string): Promise<number | undefined> {
  const end = Date.now() + fault.withinS * 1000;
  let seen = await lookAt(lab, fault.see);
  while (seen.missing !== undefined) {
    if (Date.now() > end) {
      throw new Error(`after "${name}", not seen within ${fault.withinS} s: ${seen.missing}`);
    }
    await pause(LOOK_EVERY_MS);
    seen = await lookAt(lab, fault.see);
  }
  return seen.since;
}

/** Everything is written by then: the agent hands what holds no decision on each second. */
const WRITTEN_MS = 1_500;

interface Done {
  readonly timing: Timing;
  readonly span: Omit<Span, 'toMs'>;
}

/** When the kernel function that a fault names was first called, which is then traced no longer. */
async function kernelKnew(
  node: LabNode,
  { kernel }: Fault,
  name: string,
  afterMs: number,
): Promise<number | undefined> {
  if (kernel === undefined) return undefined;
  const at = await firstCall(node, kernel, afterMs);
  await untrace(node, kernel);
  if (at === undefined) throw new Error(`after "${name}", the kernel never called ${kernel}`);
  return at;
}

async function doFault(lab: Lab, node: LabNode, fault: Fault): Promise<Done> {
  const name = fault.verbs.join(', ') || 'at rest';
  await pause(1000 * fault.calmS);
  if (fault.whatif !== undefined) await pause(WRITTEN_MS);
  const foresaw = fault.whatif === undefined ? undefined : await foreseen(node, fault.whatif);
  if (fault.kernel !== undefined) await traceCalls(node, fault.kernel);
  const before = await clockOf(node);
  let done = before ?? 0;
  for (const verb of fault.verbs) done = (await lab.act(verb)).at ?? done;
  const since = await untilSeen(lab, fault, name);
  const kernelAt = await kernelKnew(node, fault, name, before ?? 0);
  // What stands at rest was decided before anybody looked.
  const fromMs = fault.verbs.length === 0 ? 0 : (before ?? 0);
  const span = { fault, name, fromMs, foreseen: foresaw };
  const livedOn = livedOnMs(lab, fault);
  const times = { kernelMs: kernelAt, agentMs: undefined, decideMs: undefined, orderMs: undefined };
  if (livedOn !== undefined) {
    return { timing: { fault: name, detectedMs: livedOn, by: 'feed', ...times }, span };
  }
  const from = kernelAt ?? done;
  // What was seen before, by a machine of an earlier life, or at no known time is no detection.
  const fresh = before !== undefined && since !== undefined && since >= before;
  const agentMs = fresh && fault.verbs.length > 0 ? since : undefined;
  const timing: Timing = {
    fault: name,
    detectedMs: agentMs === undefined ? undefined : agentMs - from,
    by: kernelAt === undefined ? 'fault' : 'kernel',
    ...times,
    agentMs,
  };
  return { timing, span };
}

/** What the journal adds to the times; an error when it does not hold what it should. */
async function judged(
  node: LabNode,
  scenario: Scenario,
  done: readonly Done[],
): Promise<Pick<Verdict, 'timings' | 'whys'>> {
  const timings = done.map(({ timing }) => timing);
  const asks = done.some(
    ({ span: { fault } }) => alarmsOf(fault).length + fault.journal.length > 0,
  );
  // One that asks nothing may end with a machine that is off, or whose agent has not started yet.
  if (!asks) return { timings, whys: {} };
  await pause(WRITTEN_MS);
  const spans = done.map(({ span }, index) => ({
    ...span,
    toMs: done[index + 1]?.span.fromMs ?? Number.POSITIVE_INFINITY,
  }));
  const { times, whys } = await judgeJournal(node, scenario, spans);
  return {
    timings: timings.map((timing, index) => ({ ...timing, ...times[index] })),
    whys,
  };
}

async function lastWords(lab: Lab): Promise<string> {
  const said: string[] = [];
  for (const { name, url, vm, isOn } of lab.nodes) {
    if (url !== undefined && isOn()) {
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
  const done: Done[] = [];
  const figures: string[] = [];
  let found: Pick<Verdict, 'timings' | 'whys'> = { timings: [], whys: {} };
  const verdict = (passed: boolean, why: string): Verdict => ({
    scenario: scenario.name,
    passed,
    why,
    seconds: (Date.now() - started) / 1000,
    figures,
    ...found,
  });
  let lab: Lab;
  try {
    lab = await startLab(host, loadTopology(scenario.topology));
  } catch (error) {
    return verdict(false, (error as Error).message);
  }
  try {
    const node = lab.nodes.find(({ spec }) => spec.agent);
    if (node === undefined) throw new Error('no node runs the agent');
    for (const fault of scenario.faults) done.push(await doFault(lab, node, fault));
    found = { timings: done.map(({ timing }) => timing), whys: {} };
    for (const { figures: some } of lab.nodes) figures.push(...some);
    found = await judged(node, scenario, done);
    return verdict(true, '');
  } catch (error) {
    if (found.timings.length === 0) found = { timings: done.map(({ timing }) => timing), whys: {} };
    return verdict(false, `${(error as Error).message}\n${await lastWords(lab)}`);
  } finally {
    await lab.close();
  }
}
