/**
 * Finds an outlet by the name the device shows for it, by walking the column of names to its end: a
 * name that two outlets carry must be refused, so the first hit is not enough.
 */
import { type Address, indexAddress, indexNumbers } from './outlet.ts';
import type { Index } from './profile.ts';
import type { Bind } from './snmp-table.ts';
import { below } from './template.ts';

const ROWS_MAX = 2048;

export interface NameWalk {
  readonly column: string;
  /** Where the next question begins. */
  readonly at: string;
  readonly rows: number;
  /** Instances that carry the name. */
  readonly hits: readonly string[];
}

export type Walked =
  | { readonly kind: 'more'; readonly walk: NameWalk }
  | { readonly kind: 'found'; readonly address: Address }
  | { readonly kind: 'none'; readonly why: string };

export function startWalk(column: string): NameWalk {
  return { column, at: column, rows: 0, hits: [] };
}

/** Numeric order of object identifiers. */
export function comesAfter(oid: string, before: string): boolean {
  const left = oid.split('.').map(Number);
  const right = before.split('.').map(Number);
  for (const [at, number] of left.entries()) {
    const other = right[at];
    if (other === undefined) return true;
    if (number !== other) return number > other;
  }
  return false;
}

function ended({ hits }: NameWalk, index: Index, name: string): Walked {
  const [instance, second] = hits;
  if (instance === undefined) return { kind: 'none', why: `no outlet is named '${name}'` };
  if (second !== undefined) {
    return { kind: 'none', why: `${hits.length} outlets are named '${name}': give the number` };
  }
  if (index.byNameOnly !== true) {
    const address = indexAddress(index, instance);
    return address.ok ? { kind: 'found', address } : { kind: 'none', why: address.why };
  }
  const numbers = indexNumbers(index, instance.split('.').map(Number));
  return { kind: 'found', address: { ok: true, id: instance, instance, numbers } };
}

/** One row further; undefined ends the walk (v1 says so with an error). */
export function walked(walk: NameWalk, bind: Bind | undefined, index: Index, name: string): Walked {
  const out = bind === undefined || bind.kind === 'missing' || !below(bind.oid, walk.column);
  if (out) return ended(walk, index, name);
  if (walk.rows >= ROWS_MAX) return { kind: 'none', why: `more than ${ROWS_MAX} names` };
  if (!comesAfter(bind.oid, walk.at))
    return { kind: 'none', why: 'its names go round in a circle' };
  const hit = bind.kind === 'text' && bind.value.trim() === name.trim();
  const hits = hit ? [...walk.hits, bind.oid.slice(walk.column.length + 1)] : walk.hits;
  return { kind: 'more', walk: { ...walk, at: bind.oid, rows: walk.rows + 1, hits } };
}
