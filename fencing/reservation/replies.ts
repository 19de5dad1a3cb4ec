/**
 * What PERSISTENT RESERVE IN answers, taken apart. Lengths that do not fit are told, never papered over: an
 * answer that was cut is marked `cut`, and one that cannot be what was asked for is refused with a why.
 *
 * Formats: SPC-4 6.15.2 to 6.15.5; TransportIDs SPC-4 7.6.4.
 */
import { hexAt, numberAt, textOf } from './bytes.ts';
import type { Key } from './key.ts';
import { type ReservationType, TYPES } from './request.ts';

export type Decoded<T> = { readonly value: T } | { readonly why: string };

export interface KeysReply {
  readonly generation: number;
  /** One for each registration: a node with two paths stands here twice. */
  readonly keys: readonly Key[];
  /** How many the device has; more than `keys` where the answer was cut. */
  readonly count: number;
  readonly cut: boolean;
}

export interface ReservationReply {
  readonly generation: number;
  /** Undefined: nothing is reserved. A key of zeros: all registrants hold it. */
  readonly holder: Key | undefined;
  /** Undefined where nothing is reserved, or the type is none that SCSI still has. */
  readonly type: ReservationType | undefined;
}

export interface CapabilitiesReply {
  /** Can keep registrations over a power loss, and does so now. */
  readonly aptplCapable: boolean;
  readonly aptplActive: boolean;
  readonly allPorts: boolean;
  readonly specifyInitiators: boolean;
  readonly replaceLost: boolean;
  /** Undefined: the device does not say which types it has. */
  readonly types: readonly ReservationType[] | undefined;
}

/** One registration: which key came by which initiator port to which target port. */
export interface Registration {
  readonly key: Key;
  readonly holder: boolean;
  readonly allPorts: boolean;
  readonly type: ReservationType | undefined;
  /** Relative target port; meaningless with `allPorts`. */
  readonly port: number;
  /** The initiator port in words: `iqn.1993-08.org.debian:01:ab,i,0x00023d000001`, `fc.2100...`. */
  readonly initiator: string;
}

export interface FullStatusReply {
  readonly generation: number;
  readonly registrations: readonly Registration[];
  readonly cut: boolean;
}

const HEADER_BYTES = 8;
const KEY_BYTES = 8;
const RESERVATION_BYTES = 16;
const DESCRIPTOR_BYTES = 24;

/** The type of a byte that holds scope and type; the scope must be that of the whole unit. */
function typeOf(byte: number): ReservationType | undefined {
  const names = Object.keys(TYPES) as ReservationType[];
  return byte >> 4 === 0 ? names.find((name) => TYPES[name] === (byte & 0x0f)) : undefined;
}

/** Generation and additional length; the part of the body that came. */
function opened(
  bytes: Uint8Array,
): Decoded<{ generation: number; length: number; body: Uint8Array }> {
  const generation = numberAt(bytes, 0, 4);
  const length = numberAt(bytes, 4, 4);
  if (generation === undefined || length === undefined) {
    return { why: `the answer has ${bytes.length} bytes, its header alone has ${HEADER_BYTES}` };
  }
  const body = bytes.subarray(HEADER_BYTES, HEADER_BYTES + length);
  return { value: { generation, length, body } };
}

export function decodeKeys(bytes: Uint8Array): Decoded<KeysReply> {
  const open = opened(bytes);
  if ('why' in open) return open;
  const { generation, length, body } = open.value;
  if (length % KEY_BYTES !== 0) return { why: `a list of keys cannot have ${length} bytes` };
  const keys: Key[] = [];
  for (let at = 0; at + KEY_BYTES <= body.length; at += KEY_BYTES) {
    keys.push((hexAt(body, at, KEY_BYTES) ?? '') as Key);
  }
  const count = length / KEY_BYTES;
  return { value: { generation, keys, count, cut: keys.length < count } };
}

export function decodeReservation(bytes: Uint8Array): Decoded<ReservationReply> {
  const open = opened(bytes);
  if ('why' in open) return open;
  const { generation, length, body } = open.value;
  if (length === 0) return { value: { generation, holder: undefined, type: undefined } };
  const holder = hexAt(body, 0, KEY_BYTES);
  const byte = numberAt(body, 13, 1);
  if (length < RESERVATION_BYTES || holder === undefined || byte === undefined) {
    return { why: `a reservation cannot have ${Math.min(length, body.length)} bytes` };
  }
  return { value: { generation, holder: holder as Key, type: typeOf(byte) } };
}

export function decodeCapabilities(bytes: Uint8Array): Decoded<CapabilitiesReply> {
  const [two, three, mask] = [numberAt(bytes, 2, 1), numberAt(bytes, 3, 1), numberAt(bytes, 4, 2)];
  const length = numberAt(bytes, 0, 2) ?? 0;
  if (length < 8 || two === undefined || three === undefined || mask === undefined) {
    return { why: `capabilities cannot have ${Math.min(length, bytes.length)} bytes` };
  }
  const bits: readonly (readonly [number, ReservationType])[] = [
    [0x0200, 'write-exclusive'],
    [0x0800, 'exclusive-access'],
    [0x2000, 'write-exclusive-registrants'],
    [0x4000, 'exclusive-access-registrants'],
    [0x8000, 'write-exclusive-all'],
    [0x0001, 'exclusive-access-all'],
  ];
  const types = bits.filter(([bit]) => (mask & bit) !== 0).map(([, type]) => type);
  return {
    value: {
      aptplCapable: (two & 0x01) !== 0,
      aptplActive: (three & 0x01) !== 0,
      allPorts: (two & 0x04) !== 0,
      specifyInitiators: (two & 0x08) !== 0,
      replaceLost: (two & 0x80) !== 0,
      types: (three & 0x80) === 0 ? undefined : types,
    },
  };
}

/** A TransportID in words; what is of no known protocol is given in hexadecimal. */
export function initiatorText(id: Uint8Array): string {
  const first = numberAt(id, 0, 1);
  if (first === undefined) return 'unknown';
  const hex = (at: number, length: number): string => hexAt(id, at, length) ?? 'cut';
  switch (first & 0x0f) {
    case 0:
      return `fc.${hex(8, 8)}`;
    case 4:
      return `srp.${hex(8, 16)}`;
    case 5:
      return textOf(id.subarray(4, 4 + (numberAt(id, 2, 2) ?? 0))) || 'unknown';
    case 6:
      return `sas.${hex(4, 8)}`;
    default:
      return `protocol-${first & 0x0f}.${hexAt(id, 0, Math.min(id.length, 24)) ?? ''}`;
  }
}

function registrationAt(body: Uint8Array, at: number, size: number): Registration | undefined {
  const key = hexAt(body, at, KEY_BYTES);
  const flags = numberAt(body, at + 12, 1);
  const byte = numberAt(body, at + 13, 1);
  const port = numberAt(body, at + 18, 2);
  if (key === undefined || flags === undefined || byte === undefined || port === undefined) {
    return undefined;
  }
  const holder = (flags & 0x01) !== 0;
  const id = body.subarray(at + DESCRIPTOR_BYTES, at + DESCRIPTOR_BYTES + size);
  return {
    key: key as Key,
    holder,
    allPorts: (flags & 0x02) !== 0,
    type: holder ? typeOf(byte) : undefined,
    port,
    initiator: initiatorText(id),
  };
}

export function decodeFullStatus(bytes: Uint8Array): Decoded<FullStatusReply> {
  const open = opened(bytes);
  if ('why' in open) return open;
  const { generation, length, body } = open.value;
  const registrations: Registration[] = [];
  let at = 0;
  while (at + DESCRIPTOR_BYTES <= body.length) {
    const size = numberAt(body, at + 20, 4) ?? 0;
    if (at + DESCRIPTOR_BYTES + size > body.length) break;
    const one = registrationAt(body, at, size);
    if (one !== undefined) registrations.push(one);
    at += DESCRIPTOR_BYTES + size;
  }
  return { value: { generation, registrations, cut: at < length } };
}
