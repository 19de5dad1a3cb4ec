/** A topology that runs: its power, its machines, booted together, and the verbs that act on them. */
import { openPower, type Power } from './host/power.ts';
import { type LabNode, Machine } from './machine.ts';
import { addressed, findVerb } from './parts/all.ts';
import type { Topology } from './topology.ts';
import type { Host } from './vm/vm.ts';

const NETWORK_PORT_FIRST = 20_000;
const NETWORK_PORTS = 10_000;

export interface Lab {
  readonly topology: Topology;
  readonly nodes: readonly LabNode[];
  readonly power: Power | undefined;
  /** Does what a line says: `fan stop 2`, or `store: node cut` where there are several nodes. */
  readonly act: (
    line: string,
  ) => Promise<{ readonly node: LabNode; readonly at: number | undefined }>;
  readonly close: () => Promise<void>;
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

async function powerOf(
  { run }: Host,
  { switches, nodes }: Topology,
  machines: ReadonlyMap<string, Machine>,
): Promise<Power | undefined> {
  if (Object.keys(switches).length === 0) return undefined;
  return openPower(
    run,
    { switches, nodes },
    {
      lost: (name) => machines.get(name)?.cut(),
      back: (name) => {
        if (nodes[name]?.returns === true) machines.get(name)?.startAlone();
      },
    },
  );
}

async function allDone(all: readonly Promise<void>[]): Promise<void> {
  for (const one of await Promise.allSettled(all)) if (one.status === 'rejected') throw one.reason;
}

/** `port` is the port of this host for the first node's page; 0: any. */
export async function startLab(host: Host, topology: Topology, port = 0): Promise<Lab> {
  const shared = sharedNetworks(topology);
  const networks = [...shared];
  const base = NETWORK_PORT_FIRST + ((process.pid * 16) % NETWORK_PORTS);
  const machines = new Map<string, Machine>();
  const power = await powerOf(host, topology, machines);
  for (const [name, spec] of Object.entries(topology.nodes)) {
    const plan = {
      name,
      spec,
      power,
      run: host.run,
      networkPort: (network: string) => base + networks.indexOf(network),
      shared: (network: string) => shared.has(network),
    };
    machines.set(name, new Machine(host, plan, machines.size === 0 ? port : 0));
  }
  const nodes = [...machines.values()];
  const close = async (): Promise<void> => {
    await power?.close();
    await Promise.all(nodes.map((node) => node.close()));
  };
  try {
    await allDone(nodes.map((node) => node.powerOn()));
    // One after the other: a node may need what an earlier one serves.
    for (const node of nodes) await node.settle();
    for (const node of nodes) if (node.spec.agent) await node.untilReady();
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
  return { topology, nodes, power, act, close };
}
