/** From configured nodes and switches to power plans, and to the devices that these need. */
import { type DeviceFacts, type PowerPlan, planOf } from '../fencing/plan.ts';
import type { Profile } from '../fencing/profile.ts';
import type { Config } from '../rules/config.ts';
import type { SwitchDevice } from './effects/switches.ts';
import { openSwitch } from './switches.ts';

/** `verified`: nodes whose map a drill has shown to be true. */
export function powerPlans(
  { nodes, switches }: Config,
  profiles: ReadonlyMap<string, Profile>,
  verified: ReadonlySet<string> = new Set(),
): readonly PowerPlan[] {
  const facts = new Map(
    switches.map(({ name, profile, fallsWith }): [string, DeviceFacts] => [
      name,
      { proves: (profiles.get(profile)?.proof ?? 'none') !== 'none', fallsWith },
    ]),
  );
  return nodes.map((node) => planOf(node, facts, verified.has(node.node)));
}

export interface OpenedDevices {
  readonly devices: ReadonlyMap<string, SwitchDevice>;
  readonly close: () => Promise<void>;
}

/** A switch that cannot be opened is told of and hides no other: a later level may not need it. */
export async function openDevices(
  { switches }: Config,
  plans: readonly PowerPlan[],
  profiles: ReadonlyMap<string, Profile>,
  told: (line: string) => void,
): Promise<OpenedDevices> {
  const devices = new Map<string, SwitchDevice>();
  const feeds = plans.flatMap(({ levels }) => levels.flatMap((level) => level.feeds));
  const needed = new Set(feeds.map(({ device }) => device));
  for (const one of switches.filter(({ name }) => needed.has(name))) {
    const opened = await openSwitch(one, profiles);
    if (opened.ok) devices.set(one.name, opened.device);
    else told(`${one.name}: ${opened.problem.message} (${opened.problem.mend})`);
  }
  const close = async (): Promise<void> => {
    for (const device of devices.values()) await device.close();
  };
  return { devices, close };
}
