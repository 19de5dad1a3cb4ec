/**
 * Measures how soon each fault is known: to nospof's world, and to each monitor beside it. All faults of a
 * round are done one after the other and stand until Prometheus has scraped them; then all are mended.
 * Times count from the kernel's own note of its event, or where nothing tells the kernel, from the fault.
 */
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { type Lab, startLab } from '../lab.ts';
import { lookAt } from '../look.ts';
import type { LabNode } from '../machine.ts';
import { TRACING, traceCalls } from '../parts/kernel.ts';
import type { Sight } from '../scenario.ts';
import { loadTopology } from '../topology.ts';
import type { Host } from '../vm/vm.ts';
import { loggedAt, type Peers, parseTrace, startPeers } from './peers.ts';
import type { DetectionSpec, MeasuredFault } from './spec.ts';

const LOOK_EVERY_MS = 500;
/** Hang bounds: ten times what is expected. */
const SEEN_MS = 120_000;
const SCRAPED_MS = 60_000;
/** After the start, and between two rounds: what was begun is done, and nothing is measured by accident. */
const CALM_MS = 15_000;
const BETWEEN_MS = 3_000;

export const COLUMNS = ['nospof', 'mdadm', 'mdadmSecond', 'multipathd', 'prometheus'] as const;
export type Column = (typeof COLUMNS)[number];

/** One fault done once. Milliseconds after the kernel knew; undefined: this monitor did not tell. */
export interface Measured {
  readonly fault: string;
  readonly round: number;
  readonly from: 'kernel' | 'fault';
  readonly kernelMs: number | undefined;
  readonly agentMs: number;
  readonly after: Readonly<Record<Column, number | undefined>>;
}

export interface Detection {
  readonly measured: readonly Measured[];
  readonly kernel: string;
  readonly accel: string;
  readonly load: readonly [before: number, after: number];
  /** Share of the time in which the machine's processors wanted to run and this host did not let them. */
  readonly waited: number;
  /** Mean duration of the agent's step, which comes on top of its own time. */
  readonly stepMs: number;
}

interface Clocks {
  readonly at: number;
  readonly wallMs: number;
}

async function clocks({ vm }: LabNode): Promise<Clocks> {
  const { at, text } = await vm.guest.ask({ op: 'now' });
  return { at, wallMs: Number(text) };
}

async function untilSeen(
  lab: Lab,
  see: readonly Sight[],
  what: string,
): Promise<number | undefined> {
  const end = Date.now() + SEEN_MS;
  for (;;) {
    const { missing, since } = await lookAt(lab, see);
    if (missing === undefined) return since;
    if (Date.now() > end) throw new Error(`${what}: not seen: ${missing}`);
    await pause(LOOK_EVERY_MS);
  }
}

interface Standing {
  readonly fault: MeasuredFault;
  readonly before: Clocks;
  readonly from: number;
  readonly kernelMs: number | undefined;
  readonly agentMs: number;
  readonly after: Omit<Measured['after'], 'prometheus'>;
}

async function doOne(
  lab: Lab,
  node: LabNode,
  peers: Peers,
  fault: MeasuredFault,
): Promise<Standing> {
  const before = await clocks(node);
  let done = before.at;
  for (const verb of fault.verbs) done = (await lab.act(verb)).at ?? done;
  await pause(fault.quietMs);
  const agentMs = await untilSeen(lab, fault.see, fault.name);
  if (agentMs === undefined || agentMs < before.at)
    throw new Error(`${fault.name}: it stood before: since ${agentMs}, done after ${before.at}`);
  const trace = parseTrace(await node.vm.guest.read(`${TRACING}/trace`));
  const kernelMs = trace.find(({ who, atMs }) => who === fault.kernel && atMs >= before.at)?.atMs;
  if (fault.kernel !== undefined && kernelMs === undefined) {
    throw new Error(`${fault.name}: the kernel never called ${fault.kernel}`);
  }
  const from = kernelMs ?? done;
  const told = (who: 'mdadm' | 'multipathd', pid?: number): number | undefined => {
    const words = fault.log[who];
    const at = words === undefined ? undefined : loggedAt(trace, who, words, before.at, pid);
    return at === undefined ? undefined : at - from;
  };
  return {
    fault,
    before,
    from,
    kernelMs,
    agentMs,
    after: {
      nospof: agentMs - from,
      mdadm: told('mdadm', peers.mdadm.default),
      mdadmSecond: told('mdadm', peers.mdadm.second),
      multipathd: told('multipathd'),
    },
  };
}

async function scrapedAfter(peers: Peers, one: Standing): Promise<number | undefined> {
  const { prometheus } = one.fault;
  if (prometheus === undefined) return undefined;
  const end = Date.now() + SCRAPED_MS;
  const fromWallMs = one.before.wallMs + (one.from - one.before.at);
  for (;;) {
    const samples = await peers.samples(prometheus.series);
    const first = samples.find(
      ({ wallMs, value }) => wallMs >= fromWallMs && value === prometheus.is,
    );
    if (first !== undefined) return first.wallMs - fromWallMs;
    if (Date.now() > end) throw new Error(`${one.fault.name}: Prometheus never had it`);
    await pause(LOOK_EVERY_MS);
  }
}

async function doRound(
  lab: Lab,
  node: LabNode,
  peers: Peers,
  spec: DetectionSpec,
  round: number,
): Promise<readonly Measured[]> {
  await node.vm.guest.write(`${TRACING}/trace`, '');
  const standing: Standing[] = [];
  for (const fault of spec.faults) standing.push(await doOne(lab, node, peers, fault));
  const measured: Measured[] = [];
  for (const one of standing) {
    measured.push({
      fault: one.fault.name,
      round,
      from: one.kernelMs === undefined ? 'fault' : 'kernel',
      kernelMs: one.kernelMs,
      agentMs: one.agentMs,
      after: { ...one.after, prometheus: await scrapedAfter(peers, one) },
    });
  }
  for (const { mending } of spec.faults) for (const verb of mending) await lab.act(verb);
  for (const { well, name } of spec.faults) await untilSeen(lab, well, `${name}, mended`);
  await pause(BETWEEN_MS);
  return measured;
}

/** Nanoseconds the threads of the machine's processors waited for a processor of this host. */
async function waitedNs({ vm }: LabNode): Promise<number> {
  const cpus = (await vm.qmp.execute('query-cpus-fast')) as readonly { 'thread-id': number }[];
  let sum = 0;
  for (const cpu of cpus) {
    const fields = readFileSync(`/proc/${cpu['thread-id']}/schedstat`, 'utf8').split(' ');
    sum += Number(fields[1]) / cpus.length;
  }
  return sum;
}

async function stepMs({ url }: LabNode): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const value = (name: string): number =>
    Number(new RegExp(`^nospof_step_seconds_${name} (\\S+)$`, 'mu').exec(text)?.[1]);
  return (1000 * value('sum')) / value('count');
}

export async function measureDetection(
  host: Host,
  spec: DetectionSpec,
  onRound: (measured: readonly Measured[]) => void,
): Promise<Detection> {
  const lab = await startLab(host, loadTopology(spec.topology));
  try {
    const [node] = lab.nodes;
    if (node === undefined) throw new Error('no node');
    const kernels = spec.faults.flatMap(({ kernel }) => kernel ?? []);
    for (const name of new Set(kernels)) await traceCalls(node, name);
    const peers = await startPeers(node);
    for (const { well, name } of spec.faults) await untilSeen(lab, well, `${name}, before all`);
    await pause(CALM_MS);
    const before = { load: loadavg()[0] ?? 0, at: performance.now(), waited: await waitedNs(node) };
    const measured: Measured[] = [];
    for (let round = 0; round < spec.repeat; round += 1) {
      const some = await doRound(lab, node, peers, spec, round);
      measured.push(...some);
      onRound(some);
    }
    const spentNs = 1e6 * (performance.now() - before.at);
    return {
      measured,
      kernel: host.kernel.version,
      accel: host.accel,
      load: [before.load, loadavg()[0] ?? 0],
      waited: ((await waitedNs(node)) - before.waited) / spentNs,
      stepMs: await stepMs(node),
    };
  } finally {
    await lab.close();
  }
}
