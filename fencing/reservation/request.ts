/**
 * What can be asked of a disk, as data, and the bytes each request is sent as. It knows formats and no
 * policy: whether a request may be sent is decided by the machines beside it.
 *
 * Formats: SPC-4 (T10/1731-D) 6.15 and 6.16, SPC-5 6.16 and 6.17 for persistent reservations; SPC-4 6.4
 * INQUIRY, 6.47 TEST UNIT READY.
 */
import { putHex, putNumber } from './bytes.ts';
import { type Key, NO_KEY } from './key.ts';
import { encodeMedia, isMedia, type MediaRequest } from './media.ts';

/** Reservation types by name, with the numbers of SCSI (NVMe and the kernel number them otherwise). */
export const TYPES = {
  'write-exclusive': 1,
  'exclusive-access': 3,
  'write-exclusive-registrants': 5,
  'exclusive-access-registrants': 6,
  'write-exclusive-all': 7,
  'exclusive-access-all': 8,
} as const;
export type ReservationType = keyof typeof TYPES;

/** The one type that ownership rests on: every registrant may write, one of them holds. */
export const OWN_TYPE: ReservationType = 'write-exclusive-registrants';

/** Flags of a registration. */
export interface RegisterFlags {
  /** Keep all registrations over a power loss of the device. */
  readonly aptpl?: boolean;
  /** Register on all target ports. */
  readonly allPorts?: boolean;
}

export type ReadRequest =
  | { readonly ask: 'keys'; readonly bytes?: number }
  | { readonly ask: 'reservation' }
  | { readonly ask: 'capabilities' }
  | { readonly ask: 'full-status'; readonly bytes?: number };

export type WriteRequest =
  | ({
      readonly ask: 'register';
      readonly own: Key;
      readonly next: Key;
      /** TransportIDs of further initiator ports to register (SPEC_I_PT). */
      readonly initiators?: readonly Uint8Array[];
    } & RegisterFlags)
  | ({ readonly ask: 'register-ignore'; readonly next: Key } & RegisterFlags)
  | { readonly ask: 'reserve'; readonly own: Key; readonly type: ReservationType }
  | { readonly ask: 'release'; readonly own: Key; readonly type: ReservationType }
  | { readonly ask: 'clear'; readonly own: Key }
  | {
      readonly ask: 'preempt' | 'preempt-abort';
      readonly own: Key;
      readonly victim: Key;
      readonly type: ReservationType;
    }
  | {
      readonly ask: 'register-move';
      readonly own: Key;
      readonly next: Key;
      readonly type: ReservationType;
      readonly unregister: boolean;
      readonly aptpl?: boolean;
      /** Relative target port and TransportID the reservation moves to. */
      readonly port: number;
      readonly initiator: Uint8Array;
    }
  | { readonly ask: 'replace-lost'; readonly next: Key; readonly type: ReservationType };

export type Request =
  | { readonly ask: 'ready' }
  | { readonly ask: 'inquiry' }
  | { readonly ask: 'device-id' }
  | ReadRequest
  | WriteRequest
  | MediaRequest;

/** A command as the port sends it. `in` is how many bytes may come back; `out` is what goes along. */
export interface Command {
  readonly cdb: Uint8Array;
  readonly in: number;
  readonly out: Uint8Array;
}

const IN = 0x5e;
const OUT = 0x5f;
const INQUIRY = 0x12;
const CDB_BYTES = 10;
const LIST_BYTES = 24;
const LENGTH_BYTES = 4;
const SPEC_I_PT = 0x08;
const ALL_TG_PT = 0x04;
const APTPL = 0x01;
const MOVE_UNREG = 0x02;
/** Holds 8,190 keys: the field has 16 bits. */
export const IN_BYTES_MAX = 0xffff;
/** Room for 127 keys, asked first; a longer list says so and is asked for again. */
export const KEYS_BYTES = 1024;
const RESERVATION_BYTES = 24;
const CAPABILITIES_BYTES = 8;
const FULL_STATUS_BYTES = 8192;
const INQUIRY_BYTES = 96;
const DEVICE_ID_BYTES = 1024;
const DEVICE_ID_PAGE = 0x83;

const READS = { keys: 0, reservation: 1, capabilities: 2, 'full-status': 3 } as const;
const WRITES = {
  register: 0,
  reserve: 1,
  release: 2,
  clear: 3,
  preempt: 4,
  'preempt-abort': 5,
  'register-ignore': 6,
  'register-move': 7,
  'replace-lost': 8,
} as const;
const NOTHING = new Uint8Array(0);

function readCommand(request: ReadRequest): Command {
  const sizes = {
    keys: KEYS_BYTES,
    reservation: RESERVATION_BYTES,
    capabilities: CAPABILITIES_BYTES,
    'full-status': FULL_STATUS_BYTES,
  };
  const asked = 'bytes' in request ? request.bytes : undefined;
  const bytes = Math.min(asked ?? sizes[request.ask], IN_BYTES_MAX);
  const cdb = new Uint8Array(CDB_BYTES);
  cdb[0] = IN;
  cdb[1] = READS[request.ask];
  putNumber(cdb, 7, 2, bytes);
  return { cdb, in: bytes, out: NOTHING };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** REGISTER AND MOVE has a list of its own. */
function moveList(request: Extract<WriteRequest, { ask: 'register-move' }>): Uint8Array {
  const list = new Uint8Array(LIST_BYTES + request.initiator.length);
  putHex(list, 0, request.own);
  putHex(list, 8, request.next);
  list[17] = (request.unregister ? MOVE_UNREG : 0) | (request.aptpl === true ? APTPL : 0);
  putNumber(list, 18, 2, request.port);
  putNumber(list, 20, 4, request.initiator.length);
  list.set(request.initiator, LIST_BYTES);
  return list;
}

/** The key that says who asks, and the one the action is about. */
function keysIn(request: WriteRequest): readonly [own: Key, about: Key] {
  switch (request.ask) {
    case 'register':
    case 'register-move':
      return [request.own, request.next];
    case 'register-ignore':
    case 'replace-lost':
      return [NO_KEY, request.next];
    case 'reserve':
    case 'release':
    case 'clear':
      return [request.own, NO_KEY];
    case 'preempt':
    case 'preempt-abort':
      return [request.own, request.victim];
  }
}

function writeList(request: WriteRequest): Uint8Array {
  if (request.ask === 'register-move') return moveList(request);
  const [own, about] = keysIn(request);
  const list = new Uint8Array(LIST_BYTES);
  putHex(list, 0, own);
  putHex(list, 8, about);
  if (request.ask !== 'register' && request.ask !== 'register-ignore') return list;
  const flags = (request.allPorts === true ? ALL_TG_PT : 0) | (request.aptpl === true ? APTPL : 0);
  list[20] = flags;
  const initiators = request.ask === 'register' ? (request.initiators ?? []) : [];
  if (initiators.length === 0) return list;
  list[20] = flags | SPEC_I_PT;
  const length = new Uint8Array(LENGTH_BYTES);
  const ids = joined(initiators);
  putNumber(length, 0, 4, ids.length);
  return joined([list, length, ids]);
}

function writeCommand(request: WriteRequest): Command {
  const out = writeList(request);
  const cdb = new Uint8Array(CDB_BYTES);
  cdb[0] = OUT;
  cdb[1] = WRITES[request.ask];
  // The scope is the logical unit (0): no other is left in the standard.
  cdb[2] = 'type' in request ? TYPES[request.type] : 0;
  putNumber(cdb, 5, 4, out.length);
  return { cdb, in: 0, out };
}

function inquiry(page: number | undefined, bytes: number): Command {
  const cdb = new Uint8Array(6);
  cdb[0] = INQUIRY;
  cdb[1] = page === undefined ? 0 : 1;
  cdb[2] = page ?? 0;
  putNumber(cdb, 3, 2, bytes);
  return { cdb, in: bytes, out: NOTHING };
}

export function isRead(request: Request): request is ReadRequest {
  return request.ask in READS;
}

/** Whether a request can change registrations or the reservation: its outcome must be known. */
export function isWrite(request: Request): request is WriteRequest {
  return request.ask in WRITES;
}

/** The command a request is sent as. */
export function encode(request: Request): Command {
  if (isRead(request)) return readCommand(request);
  if (isWrite(request)) return writeCommand(request);
  if (isMedia(request)) return encodeMedia(request);
  if (request.ask === 'ready') return { cdb: new Uint8Array(6), in: 0, out: NOTHING };
  if (request.ask === 'inquiry') return inquiry(undefined, INQUIRY_BYTES);
  return inquiry(DEVICE_ID_PAGE, DEVICE_ID_BYTES);
}
