/** From the rows of a table to the outlets of a request: which row is whose, and what it says. */
import type { Ms } from '../rules/model.ts';
import { type Address, addressOf, BY_NAME } from './outlet.ts';
import type { OutletRef } from './reply.ts';
import type { Row, Rows } from './rows.ts';
import type { Look, Talk } from './talk.ts';

/** The name that an outlet must show. */
export function nameAsked(ref: OutletRef | undefined): string | undefined {
  return ref?.id.startsWith(BY_NAME) === true ? ref.id.slice(BY_NAME.length) : ref?.name;
}

/** What a row says of its outlet. */
export function lookOf(row: Row | undefined, name: string | undefined, from: Ms, to: Ms): Look {
  const base = { from, to };
  if (row === undefined) {
    return { ...base, state: 'unknown', why: 'the outlet is not in the table', blocked: undefined };
  }
  if (name !== undefined && row.name?.trim() !== name.trim()) {
    const why = `the device names it '${row.name ?? ''}', not '${name}'`;
    return { ...base, state: 'unknown', why, blocked: why };
  }
  return { ...base, state: row.state, why: row.why, blocked: row.locked };
}

/** Addresses of the outlets that were asked for by name. */
export function found(talk: Talk, rows: Rows): readonly (Address | undefined)[] | string {
  const addresses: (Address | undefined)[] = [];
  for (const [at, ref] of talk.request.outlets.entries()) {
    const known = talk.addresses[at];
    if (known !== undefined) {
      addresses.push(known);
      continue;
    }
    const name = ref.id.slice(BY_NAME.length);
    const hits = rows.rows.filter((row) => row.name?.trim() === name.trim());
    const [hit, second] = hits;
    if (hit?.outlet === undefined) return `no outlet is named '${name}'`;
    if (second !== undefined) return `${hits.length} outlets are named '${name}': give the number`;
    const address = addressOf(talk.profile, { id: hit.outlet });
    if (!address.ok) return address.why;
    addresses.push(address);
  }
  return addresses;
}
