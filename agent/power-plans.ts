/** From configured nodes and switches to power plans, with what the profiles know of the devices. */
import { type DeviceFacts, type PowerPlan, planOf } from '../fencing/plan.ts';
import type { Profile } from '../fencing/profile.ts';
import type { Config } from '../rules/config.ts';

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
