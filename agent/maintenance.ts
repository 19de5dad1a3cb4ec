/**
 * What an operator may say of maintenance, checked against the world it is said into, as words for the core.
 * The socket's file mode is the permission; who speaks is what they say they are.
 */
import type { OperatorWord } from '../rules/decision.ts';
import { LEASE_MS_MAX, LEASES_MAX } from '../rules/maintenance.ts';
import type { World } from '../rules/world.ts';

export type MaintenanceCommand =
  | {
      readonly verb: 'begin-maintenance';
      readonly owner: string;
      readonly reason: string;
      readonly scope: string;
      readonly forMs: number;
    }
  /** Without a scope: the one lease there is. */
  | { readonly verb: 'end-maintenance'; readonly by: string; readonly scope?: string };

export interface SaidWord {
  readonly word: OperatorWord;
  /** For the operator, once the core has been told. */
  readonly answer: string;
}

/** Throws with what to tell the operator. */
export function maintenanceWord(
  { maintenance }: Pick<World, 'maintenance'>,
  command: MaintenanceCommand,
): SaidWord {
  if (command.verb === 'begin-maintenance') {
    const { owner, reason, scope, forMs } = command;
    if (!(forMs > 0 && forMs <= LEASE_MS_MAX)) {
      throw new Error(`a lease lasts at most ${LEASE_MS_MAX / 86_400_000} days`);
    }
    const renews = maintenance.some((lease) => lease.scope === scope);
    if (!renews && maintenance.length >= LEASES_MAX) {
      throw new Error(`there are ${maintenance.length} leases already`);
    }
    const word = { kind: 'maintain', lease: { owner, reason, scope }, forMs } as const;
    return { word, answer: `maintenance of ${scope} is ${renews ? 'renewed' : 'begun'}` };
  }
  const { by } = command;
  const scopes = maintenance.map((lease) => lease.scope);
  const [only] = scopes;
  if (only === undefined) throw new Error('there is no maintenance to end');
  if (command.scope === undefined && scopes.length > 1) {
    throw new Error(`which one? There is maintenance of ${scopes.join(', ')} (use --scope)`);
  }
  const scope = command.scope ?? only;
  if (!scopes.includes(scope)) {
    throw new Error(`there is no maintenance of ${scope}, only of ${scopes.join(', ')}`);
  }
  return {
    word: { kind: 'end-maintenance', scope, by },
    answer: `maintenance of ${scope} is ended`,
  };
}
