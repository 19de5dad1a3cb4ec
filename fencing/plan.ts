/**
 * What it takes to make a node provably silent: its supplies, the outlets that feed them, the devices
 * behind those, in levels. Built once from the configuration; how a plan is carried out is `fence.ts`'s,
 * whether it may be is `guards.ts`'s.
 */
import type { OutletRef } from './reply.ts';

export interface Feed {
  readonly supply: string;
  readonly device: string;
  readonly outlet: OutletRef;
  /** The device can show that the outlet is off. Without that it is ordered, and counts for nothing. */
  readonly proves: boolean;
  /** The device falls with the node that it should cut: a BMC on the node's own power. */
  readonly dependent: boolean;
}

export interface Level {
  readonly level: number;
  readonly feeds: readonly Feed[];
}

export interface PowerPlan {
  readonly node: string;
  /** In the order they are tried; each one is enough. */
  readonly levels: readonly Level[];
  /** All feeds are off for at least so long before the node counts as off. */
  readonly dischargeMs: number;
  /** A drill has shown that these outlets power this node. */
  readonly verified: boolean;
  /** An operator allows the map without a drill, by name. */
  readonly unverifiedAllowed: boolean;
}

/** A node as configured (`rules/config.ts`, NodeConfig). */
export interface PlanSource {
  readonly node: string;
  readonly feeds: readonly {
    readonly supply: string;
    readonly switch: string;
    readonly outlet: string;
    readonly name?: string;
    readonly level: number;
  }[];
  readonly dischargeMs: number;
  readonly unverifiedAllowed: boolean;
}

export interface DeviceFacts {
  /** Its profile can prove that an outlet is off. */
  readonly proves: boolean;
  /** Nodes whose failure takes it away. */
  readonly fallsWith: readonly string[];
}

/** What cuts every supply of a node at once. */
export const ALL_SUPPLIES = 'all';

/** The plan of one node. A device that nobody knows proves nothing. */
export function planOf(
  source: PlanSource,
  devices: ReadonlyMap<string, DeviceFacts>,
  verified: boolean,
): PowerPlan {
  const numbers = [...new Set(source.feeds.map(({ level }) => level))].sort((a, b) => a - b);
  const levels = numbers.map((level): Level => {
    const own = source.feeds.filter((feed) => feed.level === level);
    const feeds = own.map(({ supply, switch: device, outlet, name }): Feed => {
      const facts = devices.get(device);
      return {
        supply,
        device,
        outlet: { id: outlet, ...(name === undefined ? {} : { name }) },
        proves: facts?.proves ?? false,
        dependent: facts?.fallsWith.includes(source.node) ?? false,
      };
    });
    return { level, feeds };
  });
  const { node, dischargeMs, unverifiedAllowed } = source;
  return { node, levels, dischargeMs, verified, unverifiedAllowed };
}

/** Every supply of the node, by any level. */
export function suppliesOf(plan: PowerPlan): readonly string[] {
  const all = plan.levels.flatMap(({ feeds }) => feeds.map(({ supply }) => supply));
  return [...new Set(all)].filter((supply) => supply !== ALL_SUPPLIES);
}

/** Why a level cannot prove that the node is off, whatever its devices answer; undefined if it can. */
export function levelTrouble(plan: PowerPlan, { feeds }: Level): string | undefined {
  if (feeds.length === 0) return 'the level has no feeds';
  const proves = (supply: string): boolean =>
    feeds.some((feed) => feed.proves && (feed.supply === supply || feed.supply === ALL_SUPPLIES));
  const supplies = suppliesOf(plan);
  const blind = supplies.find((supply) => !proves(supply));
  if (blind !== undefined) return `nothing proves that ${blind} is off`;
  return proves(ALL_SUPPLIES) || supplies.length > 0 ? undefined : 'nothing proves anything';
}

/** A level that does not rest on what falls with the node. */
export function standsAlone({ feeds }: Level): boolean {
  return feeds.length > 0 && feeds.every(({ dependent }) => !dependent);
}

/** Outlets by device: what goes to one device goes there in one request. */
export function byDevice(feeds: readonly Feed[]): ReadonlyMap<string, readonly OutletRef[]> {
  const devices = new Map<string, OutletRef[]>();
  for (const { device, outlet } of feeds) {
    const outlets = devices.get(device) ?? [];
    if (!outlets.some(({ id }) => id === outlet.id)) outlets.push(outlet);
    devices.set(device, outlets);
  }
  return devices;
}
