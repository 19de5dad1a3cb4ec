/** Named predicates that hold an order back. The first that says no makes a refusal. */
import type { Maintenance } from './decision.ts';
import { globMatches } from './glob.ts';
import type { Ms } from './model.ts';

/** The lease that holds this subject now, if there is one. */
export function maintenanceOf(
  maintenance: readonly Maintenance[],
  subject: string,
  now: Ms,
): Maintenance | undefined {
  return maintenance.find(
    (lease) => now < lease.endsAt && (lease.scope === '*' || globMatches(lease.scope, subject)),
  );
}
