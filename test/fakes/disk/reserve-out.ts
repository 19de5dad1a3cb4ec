/** The simulated disk's PERSISTENT RESERVE OUT: what each service action does to its table (SPC-4 5.12). */
import {
  check,
  conflict,
  type Device,
  good,
  type Nexus,
  nexusName,
  type Registrant,
  type Result,
} from './table.ts';

const ZERO = '0000000000000000';
const TYPES = new Set([1, 3, 5, 6, 7, 8]);
const INVALID_FIELD_CDB: Result = check(5, 0x24, 0);
const INVALID_LIST: Result = check(5, 0x26, 0);
const WRONG_RELEASE: Result = check(5, 0x26, 0x04);

interface Order {
  readonly target: Device;
  readonly nexus: Nexus;
  readonly name: string;
  readonly action: number;
  readonly type: number;
  readonly rk: string;
  readonly sark: string;
  readonly flags: number;
  readonly extra: Buffer;
}

function forAll(type: number): boolean {
  return type === 7 || type === 8;
}

/** Ends the reservation; registrants of the types that others share are told. */
function dropReservation(target: Device, by: string): void {
  const { reservation } = target.table;
  target.table.reservation = undefined;
  if (reservation !== undefined && reservation.type >= 5) target.attendAll(0x2a, 0x04, by);
}

function unregister({ target, name }: Pick<Order, 'target' | 'name'>): void {
  const { registrants, reservation } = target.table;
  registrants.delete(name);
  if (reservation === undefined) return;
  if (reservation.holder === name) dropReservation(target, name);
  else if (reservation.holder === undefined && registrants.size === 0) {
    target.table.reservation = undefined;
  }
}

/** Names of further initiator ports in the list (SPEC_I_PT). */
function furtherInitiators(extra: Buffer): readonly string[] {
  const names: string[] = [];
  const end = Math.min(extra.length, 4 + (extra.length >= 4 ? extra.readUInt32BE(0) : 0));
  for (let at = 4; at + 4 <= end; ) {
    const size = extra.readUInt16BE(at + 2);
    names.push(extra.toString('latin1', at + 4, at + 4 + size).replace(/\0+$/u, ''));
    at += 4 + size;
  }
  return names;
}

function register(order: Order): Result {
  const { target, nexus, name, action, rk, sark, flags } = order;
  const { registrants } = target.table;
  const known = registrants.get(name);
  if (action === 0 && rk !== (known?.key ?? ZERO)) return conflict;
  if ((flags & 1) !== 0 && !target.features.aptpl) return INVALID_LIST;
  if ((flags & 4) !== 0 && !target.features.allPorts) return INVALID_LIST;
  if (sark === ZERO) {
    if (known === undefined) return good();
    target.table.generation += 1;
    unregister(order);
    return good();
  }
  target.table.generation += 1;
  target.aptpl = (flags & 1) !== 0;
  const put = (initiator: string, port: number): void => {
    const registrant: Registrant = { key: sark, initiator, port, allPorts: (flags & 4) !== 0 };
    registrants.set(nexusName({ initiator, port }), registrant);
  };
  put(nexus.initiator, nexus.port);
  if ((flags & 4) !== 0) for (const port of target.features.ports) put(nexus.initiator, port);
  if ((flags & 8) !== 0) for (const one of furtherInitiators(order.extra)) put(one, nexus.port);
  return target.aptpl && !target.features.stateFolder ? check(2, 0x08, 0) : good();
}

function reserve({ target, name, type }: Order): Result {
  const { reservation } = target.table;
  if (!TYPES.has(type)) return INVALID_FIELD_CDB;
  if (reservation === undefined) {
    target.table.reservation = { holder: forAll(type) ? undefined : name, type };
    return good();
  }
  const holds = reservation.holder === undefined || reservation.holder === name;
  return holds && reservation.type === type ? good() : conflict;
}

function release({ target, name, type }: Order): Result {
  const { reservation } = target.table;
  if (reservation === undefined) return good();
  if (reservation.holder !== undefined && reservation.holder !== name) return good();
  if (reservation.type !== type) return WRONG_RELEASE;
  dropReservation(target, name);
  return good();
}

function clear({ target, name }: Order): Result {
  target.attendAll(0x2a, 0x03, name);
  target.table.registrants.clear();
  target.table.reservation = undefined;
  target.table.generation += 1;
  return good();
}

/** Whether the key names the holder: one key for types with one holder, 0 for those all hold. */
function isHolderKey({ target, sark }: Order): boolean {
  const { reservation, registrants } = target.table;
  if (reservation === undefined) return false;
  if (reservation.holder === undefined) return sark === ZERO;
  return registrants.get(reservation.holder)?.key === sark;
}

/** Removes the registrations the preempt names; gives the nexuses that lost theirs. */
function eject(order: Order, takes: boolean): ReadonlySet<string> {
  const { target, name, sark } = order;
  const gone = new Set<string>();
  for (const [other, { key }] of target.table.registrants) {
    const named = sark === ZERO || key === sark;
    if (named && !(takes && other === name)) gone.add(other);
  }
  for (const other of gone) {
    if (other !== name) target.attend(other, 0x2a, 0x05);
    target.table.registrants.delete(other);
  }
  return gone;
}

function preempt(order: Order): Result {
  const { target, name, action, type, sark } = order;
  const { table } = target;
  if (action === 5 && !target.features.preemptAbort) return INVALID_FIELD_CDB;
  if (!TYPES.has(type)) return INVALID_FIELD_CDB;
  const takes = isHolderKey(order);
  if (sark === ZERO && !takes) return INVALID_LIST;
  const known = [...table.registrants.values()].some(({ key }) => key === sark);
  if (!takes && !known) return conflict;
  const before = table.reservation;
  const gone = eject(order, takes);
  table.generation += 1;
  if (takes) {
    table.reservation = { holder: forAll(type) ? undefined : name, type };
    if (before?.type !== type) target.attendAll(0x2a, 0x04, name);
  }
  if (action === 5) target.abort(gone);
  return good();
}

function move(order: Order): Result {
  const { target, name, sark, extra, type } = order;
  const { reservation, registrants } = target.table;
  if (reservation?.holder !== name) return conflict;
  if (sark === ZERO || extra.length < 4) return INVALID_LIST;
  const initiator = extra.toString('latin1', 4).replace(/\0+$/u, '');
  const port = order.flags >> 8;
  const to = nexusName({ initiator, port });
  registrants.set(to, { key: sark, initiator, port, allPorts: false });
  target.table.reservation = { holder: to, type: type === 0 ? reservation.type : type };
  target.table.generation += 1;
  if ((order.flags & 2) !== 0) registrants.delete(name);
  return good();
}

function orderOf(target: Device, nexus: Nexus, cdb: Uint8Array, list: Buffer): Order {
  const action = (cdb[1] ?? 0) & 0x1f;
  const moves = action === 7;
  return {
    target,
    nexus,
    name: nexusName(nexus),
    action,
    type: (cdb[2] ?? 0) & 0x0f,
    rk: list.toString('hex', 0, 8),
    sark: list.toString('hex', 8, 16),
    flags: moves ? (list[17] ?? 0) | (list.readUInt16BE(18) << 8) : (list[20] ?? 0),
    extra: list.subarray(24),
  };
}

export function reserveOut(target: Device, nexus: Nexus, cdb: Uint8Array, out: Uint8Array): Result {
  const length = Buffer.from(cdb).readUInt32BE(5);
  if (length !== out.length || length < 24) return check(5, 0x1a, 0);
  if ((cdb[2] ?? 0) >> 4 !== 0) return INVALID_FIELD_CDB;
  const order = orderOf(target, nexus, cdb, Buffer.from(out));
  if (order.action === 0 || order.action === 6) return register(order);
  const known = target.table.registrants.get(order.name);
  if (known === undefined || known.key !== order.rk) return conflict;
  switch (order.action) {
    case 1:
      return reserve(order);
    case 2:
      return release(order);
    case 3:
      return clear(order);
    case 4:
    case 5:
      return preempt(order);
    case 7:
      return move(order);
    default:
      return INVALID_FIELD_CDB;
  }
}
