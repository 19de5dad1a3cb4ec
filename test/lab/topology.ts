/**
 * A topology: which machines there are and what is built into each. It is data, read from YAML; what a
 * piece of hardware needs to exist is known by its part.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { DATA } from './host/files.ts';
import { outletOf, SWITCH_KINDS, type SwitchSpec, type Wiring } from './host/power.ts';

const HARDWARE = ['fans', 'ac', 'bmc', 'watchdog', 'cpufreq'] as const;
export type Hardware = (typeof HARDWARE)[number];

export interface NodeSpec extends Wiring {
  readonly memoryMb: number;
  readonly hardware: readonly Hardware[];
  /** SCSI disks that can be pulled, by letter. */
  readonly disks: readonly string[];
  /** RAID-1 arrays over those disks; more disks than two are spares. */
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
  /** Network card -> the network its cable leads to. */
  readonly nics: Readonly<Record<string, string>>;
  /** Bond -> its network cards, the preferred one first. */
  readonly bonds: Readonly<Record<string, readonly string[]>>;
  /** IPv4 address with prefix length of a card or bond. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Names of disks that two host adapters see. */
  readonly luns: readonly string[];
  /** Whether multipath keeps writes waiting when no path is left, instead of failing them. */
  readonly queueing: boolean;
  /** Serves its first disk as an iSCSI LUN on all its addresses. */
  readonly target: boolean;
  /** Addresses of an iSCSI target that this node logs in to; each is a path. */
  readonly portals: readonly string[];
  /** Address of its default gateway. */
  readonly gateway: string | undefined;
  /** Whether it boots by itself when its power comes back. */
  readonly returns: boolean;
  /** Whether nospof runs on it. */
  readonly agent: boolean;
  /** What its configuration says beyond the lab's own lines. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Units of systemd, name to text; where there are some, systemd is its first process. */
  readonly units: Readonly<Record<string, string>>;
}

export interface Topology {
  readonly name: string;
  readonly about: string;
  /** Power switches, by name; their outlets are the feeds of nodes. */
  readonly switches: Readonly<Record<string, SwitchSpec>>;
  readonly nodes: Readonly<Record<string, NodeSpec>>;
}

const DEFAULTS: NodeSpec = {
  memoryMb: 768,
  hardware: [],
  disks: [],
  mirrors: {},
  nics: {},
  bonds: {},
  addresses: {},
  luns: [],
  queueing: false,
  target: false,
  portals: [],
  gateway: undefined,
  feeds: [],
  chassis: undefined,
  returns: false,
  agent: true,
  config: {},
  units: {},
};

function refuseUnknown(where: string, found: object, known: readonly string[]): void {
  for (const key of Object.keys(found)) {
    if (!known.includes(key)) {
      throw new Error(`${where}: unknown key ${key}; there are ${known.join(', ')}`);
    }
  }
}

function nodeSpec(where: string, given: Partial<NodeSpec>): NodeSpec {
  refuseUnknown(where, given, Object.keys(DEFAULTS));
  for (const one of given.hardware ?? []) {
    if (!HARDWARE.includes(one)) throw new Error(`${where}: unknown hardware ${one}`);
  }
  return { ...DEFAULTS, ...given };
}

const SWITCH: Omit<SwitchSpec, 'kind'> = { outlets: 8, relayMs: 0 };

function switchSpec(where: string, given: Partial<SwitchSpec>): SwitchSpec {
  refuseUnknown(where, given, ['kind', ...Object.keys(SWITCH)]);
  const { kind } = given;
  if (kind === undefined || !SWITCH_KINDS.includes(kind)) {
    throw new Error(`${where}: kind is one of ${SWITCH_KINDS.join(', ')}`);
  }
  return { ...SWITCH, ...given, kind };
}

function refuseFeeds({ name, switches, nodes }: Topology): void {
  const taken = new Map<string, string>();
  for (const [node, { feeds, chassis }] of Object.entries(nodes)) {
    const where = `topology ${name}, node ${node}`;
    for (const feed of feeds) {
      const at = outletOf(feed);
      const found = switches[at.name];
      if (found === undefined || found.kind === 'ipmi' || at.outlet > found.outlets) {
        throw new Error(`${where}: no outlet ${feed}`);
      }
      if (taken.has(feed)) throw new Error(`${where}: ${feed} feeds ${taken.get(feed)}`);
      taken.set(feed, node);
    }
    if (chassis !== undefined && switches[chassis]?.kind !== 'ipmi') {
      throw new Error(`${where}: chassis is the name of a switch of kind ipmi`);
    }
  }
}

interface Given {
  readonly about?: string;
  readonly switches?: Readonly<Record<string, Partial<SwitchSpec>>>;
  readonly nodes?: Readonly<Record<string, Partial<NodeSpec>>>;
}

export function parseTopology(name: string, text: string): Topology {
  const given = parse(text) as Given;
  const where = `topology ${name}`;
  refuseUnknown(where, given, ['about', 'switches', 'nodes']);
  const nodes = Object.entries(given.nodes ?? {}).map(
    ([node, spec]) => [node, nodeSpec(`${where}, node ${node}`, spec)] as const,
  );
  if (nodes.length === 0) throw new Error(`${where} has no nodes`);
  const switches = Object.entries(given.switches ?? {}).map(
    ([one, spec]) => [one, switchSpec(`${where}, switch ${one}`, spec)] as const,
  );
  const topology: Topology = {
    name,
    about: given.about ?? '',
    switches: Object.fromEntries(switches),
    nodes: Object.fromEntries(nodes),
  };
  refuseFeeds(topology);
  return topology;
}

export const TOPOLOGIES: string = join(DATA, 'topologies');

export function loadTopology(name: string): Topology {
  return parseTopology(name, readFileSync(join(TOPOLOGIES, `${name}.yaml`), 'utf8'));
}

export function topologyNames(): readonly string[] {
  return readdirSync(TOPOLOGIES)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -5))
    .sort();
}
