/**
 * BMC rows as readings, as far as fans and supplies share it: names that stay unique, and what the BMC
 * says of redundancy.
 */
import { componentId, type Health, idPart, type Reading } from '../../rules/model.ts';
import type { BmcRow } from './ipmi.ts';

/** Rows with keys that no two share: equal names are numbered in the order of their records. */
export function unique(
  rows: readonly BmcRow[],
): readonly { readonly row: BmcRow; readonly key: string }[] {
  const taken = new Set<string>();
  return rows.map((row) => {
    const base = idPart(row.name);
    let key = base;
    for (let number = 2; taken.has(key); number += 1) key = `${base}-${number}`;
    taken.add(key);
    return { row, key };
  });
}

/** Order matters: "Redundancy Degraded from Non-redundant" holds the words of two states. */
const STATES: readonly (readonly [RegExp, Health, string])[] = [
  [/redundancy degraded/u, 'failing', 'the BMC says redundancy is degraded'],
  [/redundancy lost/u, 'failed', 'the BMC says redundancy is lost'],
  [/non-redundant: ?insufficient/u, 'failed', 'the BMC says too few work'],
  [/non-redundant/u, 'failed', 'the BMC says no spare is left'],
  [/fully redundant/u, 'ok', ''],
];

/**
 * Redundancy as a component of its own (IPMI event type 0Bh). "Not redundant" is also what a BMC says of
 * a machine bought with one supply, so it is `unproven`: it counts where redundancy was once seen.
 */
export function redundancyReading(row: BmcRow, of: string, key: string): Reading {
  const [, health, why] = STATES.find(([words]) => words.test(row.states)) ?? [
    undefined,
    'unknown' as const,
    'the BMC does not say',
  ];
  const proven = health === 'ok' || health === 'failing';
  return {
    component: componentId('redundancy', 'bmc', of, key),
    kind: 'redundancy',
    name: row.name,
    health,
    ...(why === '' ? {} : { why }),
    gauges: {},
    facts: {},
    needs: [],
    ...(proven ? {} : { unproven: true as const }),
  };
}
