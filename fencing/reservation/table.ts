/**
 * The table of a disk as it was read at one time, and whose it is. Two reads that were made one after the
 * other are one table only if the generation did not move between them.
 */
import { type Key, relationOf } from './key.ts';
import type { FullStatusReply, KeysReply, Registration, ReservationReply } from './replies.ts';
import { OWN_TYPE, type ReservationType } from './request.ts';

/** A way from this node to a disk: one I_T nexus. */
export interface Path {
  readonly name: string;
  /**
   * Its initiator port as READ FULL STATUS names it, and the relative target port; undefined: not known. An
   * iSCSI name may stand without its ISID where no other path has both the same name and port.
   */
  readonly initiator?: string;
  readonly port?: number;
}

export interface Table {
  /** When the first of its reads was sent: it is true of no earlier time, and proves nothing of a later. */
  readonly atMs: number;
  readonly path: string;
  readonly generation: number;
  readonly holder: Key | undefined;
  readonly type: ReservationType | undefined;
  readonly keys: readonly Key[];
  /** Undefined where the device has no READ FULL STATUS. */
  readonly registrations: readonly Registration[] | undefined;
}

/** One table of three reads; a why when they do not fit together or are cut. */
export function tableOf(
  atMs: number,
  path: string,
  keys: KeysReply,
  reservation: ReservationReply,
  full: FullStatusReply | undefined,
): Table | { readonly why: string } {
  if (keys.cut || full?.cut === true) return { why: 'a list was cut' };
  const { generation } = keys;
  const moved = full !== undefined && full.generation !== generation;
  if (reservation.generation !== generation || moved) return { why: 'the table moved' };
  const { holder, type } = reservation;
  const registrations = full?.registrations;
  return { atMs, path, generation, holder, type, keys: keys.keys, registrations };
}

/** Keys of the cluster's other nodes, and of this one's other boots: each once, sorted. */
export function peersIn({ keys }: Table, self: Key): readonly Key[] {
  const peers = keys.filter((key) => ['peer', 'former'].includes(relationOf(key, self)));
  return [...new Set(peers)].sort();
}

/** Keys of nobody we know: each once, sorted. */
export function strangersIn({ keys, holder }: Table, self: Key): readonly Key[] {
  const all = holder === undefined ? keys : [...keys, holder];
  return [...new Set(all.filter((key) => relationOf(key, self) === 'stranger'))].sort();
}

function isInitiator(told: string, ours: string): boolean {
  const [name, own] = [told.toLowerCase(), ours.toLowerCase()];
  return name === own || name.startsWith(`${own},i,0x`);
}

/** Whether a path is registered with our key, as far as the table tells. */
export function isRegistered(
  table: Table,
  self: Key,
  { initiator, port }: Path,
): 'yes' | 'no' | 'unknown' {
  if (!table.keys.includes(self)) return 'no';
  const { registrations } = table;
  if (registrations === undefined || initiator === undefined || port === undefined) {
    return 'unknown';
  }
  const found = registrations.some(
    (one) =>
      one.key === self &&
      isInitiator(one.initiator, initiator) &&
      (one.allPorts || one.port === port),
  );
  return found ? 'yes' : 'no';
}

/** What one look at the table says of our ownership, apart from single paths. */
export type Standing =
  /** Ours: we hold it with the right type, and no other key is there. */
  | { readonly is: 'ours' }
  /** We hold it, and other nodes of the cluster are registered. */
  | { readonly is: 'challenged'; readonly keys: readonly Key[] }
  /** We hold it, and so are keys that are no business of ours. */
  | { readonly is: 'crowded'; readonly keys: readonly Key[] }
  /** Nobody is registered and nothing is reserved. */
  | { readonly is: 'empty' }
  /** We are registered, and nothing is reserved. */
  | { readonly is: 'unreserved' }
  | { readonly is: 'not-ours'; readonly why: string };

/** Keys without a reservation are no proof, nor is a reservation of another type. */
export function standingOf(table: Table, self: Key): Standing {
  const { holder, type, keys } = table;
  const registered = keys.includes(self);
  if (holder === undefined) {
    if (keys.length === 0) return { is: 'empty' };
    return registered
      ? { is: 'unreserved' }
      : { is: 'not-ours', why: 'others are registered, we are not' };
  }
  if (holder !== self) return { is: 'not-ours', why: `held by ${holder}` };
  if (!registered) return { is: 'not-ours', why: 'our key is gone from the list of keys' };
  if (type !== OWN_TYPE) return { is: 'not-ours', why: `held as ${type ?? 'an unknown type'}` };
  const strangers = strangersIn(table, self);
  if (strangers.length > 0) return { is: 'crowded', keys: strangers };
  const peers = peersIn(table, self);
  return peers.length > 0 ? { is: 'challenged', keys: peers } : { is: 'ours' };
}
