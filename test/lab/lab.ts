/** A topology that runs: its machines, booted in order, and the verbs that act on them. */

import { part as ac } from './parts/ac.ts';
import { part as bmc } from './parts/bmc.ts';
import { part as disks } from './parts/disks.ts';
import { part as fans } from './parts/fans.ts';
import { part as kernel } from './parts/kernel.ts';
import { part as multipath } from './parts/multipath.ts';
import { part as nics } from './parts/nics.ts';
import type { Node, Part, Plan, Verb } from './parts/part.ts';
import { AGENT_LOG, AGENT_PORT, part as system } from './parts/system.ts';
import { part as target } from './parts/target.ts';
import { part as watchdog } from './parts/watchdog.ts';
import type { NodeSpec, Topology } from './topology.ts';
import type { Host } from './vm/vm.ts';
import { startVm } from './vm/vm.ts';

export const PARTS: readonly Part[] = [
  system,
  fans,
  ac,
  bmc,
  watchdog,
  disks,
  nics,
  target,
  multipath,
  kernel,
];
const READY_MS = 120_000;
const NETWORK_PORT_FIRST = 20_000;
const NETWORK_PORTS = 10_000;

export interface LabNode extends Node {
  /** Where its page and metrics are, on this host. */
  readonly url: string | undefined;
}

export interface Lab {
  readonly topology: Topology;
  readonly nodes: readonly LabNode[];
  /** Does what a line says: `fan stop 2`, or `store: node cut` where there are several nodes. */
  readonly act: (
    line: string,
  ) => Promise<{ readonly node: LabNode; readonly at: number | undefined }>;
  readonly close: () => Promise<void>;
}

export function partsOf(spec: NodeSpec): readonly Part[] {
  return PARTS.filter((part) => part.has(spec));
}

/** The words of a line that stand where the form has capitals; undefined: another verb. */
function match(form: string, words: readonly string[]): readonly string[] | undefined {
  const wanted = form.split(' ');
  if (wanted.length !== words.length) return undefined;
  const args: string[] = [];
  for (const [index, want] of wanted.entries()) {
    const word = words[index] ?? '';
    if (/^[A-Z]+$/u.test(want)) args.push(word);
    else if (want !== word) return undefined;
  }
  return args;
}

export function findVerb(
  spec: NodeSpec,
  line: string,
): { readonly verb: Verb; readonly args: readonly string[] } {
  const words = line.trim().split(/\s+/u);
  for (const { verbs } of partsOf(spec)) {
    for (const verb of verbs) {
      const args = match(verb.form, words);
      if (args !== undefined) return { verb, args };
    }
  }
  throw new Error(`no such verb here: ${line}`);
}

/** Splits `store: node cut` into the node's name and the rest. */
export function addressed(line: string): {
  readonly name: string | undefined;
  readonly rest: string;
} {
  const [, name, rest = line] = /^(\w+):\s+(.*)$/u.exec(line) ?? [];
  return { name, rest };
}

/** Names of networks that join several nodes. */
function sharedNetworks(topology: Topology): ReadonlySet<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const { nics } of Object.values(topology.nodes)) {
    for (const network of new Set(Object.values(nics))) {
      if (seen.has(network)) shared.add(network);
      seen.add(network);
    }
  }
  return shared;
}

async function startNode(
  host: Host,
  plan: Plan,
  port: number,
  onNode: (node: Node) => void,
): Promise<LabNode> {
  const { name, spec } = plan;
  const parts = partsOf(spec);
  const hardware: string[] = [];
  for (const part of parts) hardware.push(...((await part.build?.(plan)) ?? []));
  const vm = await startVm(host, { name, memoryMb: spec.memoryMb, hardware });
  const node: Node = { ...plan, vm };
  onNode(node);
  for (const part of parts) await part.settle?.(node);
  await vm.guest.run(['udevadm', 'settle']);
  if (!spec.agent) return { ...node, url: undefined };
  await findVerb(spec, 'agent start').verb.act(node, []);
  return { ...node, url: `http://127.0.0.1:${await vm.guest.forward(AGENT_PORT, port)}` };
}

/** Waits until the agent has read everything once. */
async function untilReady(node: LabNode): Promise<void> {
  const end = Date.now() + READY_MS;
  let said = 'nothing';
  while (Date.now() < end) {
    try {
      const answer = await fetch(`${node.url}/readyz`, { signal: AbortSignal.timeout(5_000) });
      said = (await answer.text()).trim();
      if (answer.ok) return;
    } catch (error) {
      said = (error as Error).message;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const log = await node.vm.guest.read(AGENT_LOG);
  throw new Error(`the agent on ${node.name} is not ready: ${said}\n${log.slice(-2_000)}`);
}

/** `port` is the port of this host for the first node's page; 0: any. */
export async function startLab(host: Host, topology: Topology, port = 0): Promise<Lab> {
  const started: Node[] = [];
  const shared = sharedNetworks(topology);
  const networks = [...shared];
  const base = NETWORK_PORT_FIRST + ((process.pid * 16) % NETWORK_PORTS);
  const close = async (): Promise<void> => {
    for (const { vm, name } of started) {
      vm.guest.close();
      vm.qmp.close();
      vm.cutPower();
      for (const part of PARTS) part.unbuild?.(name);
    }
    await Promise.all(started.map(({ vm }) => vm.ended));
  };
  const nodes: LabNode[] = [];
  try {
    for (const [name, spec] of Object.entries(topology.nodes)) {
      const plan: Plan = {
        name,
        spec,
        run: host.run,
        networkPort: (network) => base + networks.indexOf(network),
        shared: (network) => shared.has(network),
      };
      const onNode = (node: Node): void => void started.push(node);
      nodes.push(await startNode(host, plan, nodes.length === 0 ? port : 0, onNode));
    }
    for (const node of nodes) if (node.url !== undefined) await untilReady(node);
  } catch (error) {
    await close();
    throw error;
  }
  const act: Lab['act'] = async (line) => {
    const { name, rest } = addressed(line);
    const node = nodes.find((one) => (name === undefined ? one.spec.agent : one.name === name));
    if (node === undefined) throw new Error(`no node ${name ?? 'with an agent'}`);
    const { verb, args } = findVerb(node.spec, rest);
    return { node, at: await verb.act(node, args) };
  };
  return { topology, nodes, act, close };
}
