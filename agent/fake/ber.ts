/**
 * The encoding of SNMP v1 and v2c packets (X.690, RFC 3416), as much of it as a fake agent needs: one
 * request in, one response out. What is not well formed is undefined, never an exception.
 */
import type { Bind } from '../../fencing/snmp-table.ts';

export const PDU = { get: 0xa0, next: 0xa1, response: 0xa2, set: 0xa3 } as const;
const TAG = { integer: 2, octets: 4, none: 5, oid: 6, sequence: 0x30, gauge: 0x42 } as const;
const MISSING: Readonly<Record<string, number>> = {
  noSuchObject: 0x80,
  noSuchInstance: 0x81,
  endOfMibView: 0x82,
};

export interface Request {
  readonly version: number;
  readonly community: string;
  readonly pdu: number;
  readonly id: number;
  readonly binds: readonly { readonly oid: string; readonly value: number | string | undefined }[];
}

interface Part {
  readonly tag: number;
  readonly body: Buffer;
}

function split(bytes: Buffer): readonly Part[] | undefined {
  const parts: Part[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at] ?? 0;
    let length = bytes[at + 1] ?? Number.NaN;
    let from = at + 2;
    if (length >= 0x80) {
      const size = length - 0x80;
      if (size < 1 || size > 3 || from + size > bytes.length) return undefined;
      length = bytes.readUIntBE(from, size);
      from += size;
    }
    if (!(from + length <= bytes.length)) return undefined;
    parts.push({ tag, body: bytes.subarray(from, from + length) });
    at = from + length;
  }
  return parts;
}

function integer({ body }: Part): number {
  return body.length === 0 || body.length > 6 ? Number.NaN : body.readIntBE(0, body.length);
}

function oidText(body: Buffer): string {
  const numbers: number[] = [];
  let value = 0;
  for (const byte of body) {
    value = value * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (numbers.length === 0) {
      const first = Math.min(2, Math.floor(value / 40));
      numbers.push(first, value - first * 40);
    } else numbers.push(value);
    value = 0;
  }
  return numbers.join('.');
}

function bindOf(part: Part): Request['binds'][number] | undefined {
  const [name, value] = split(part.body) ?? [];
  if (name?.tag !== TAG.oid || value === undefined) return undefined;
  const oid = oidText(name.body);
  if (value.tag === TAG.integer || value.tag === TAG.gauge) return { oid, value: integer(value) };
  if (value.tag === TAG.octets) return { oid, value: value.body.toString('utf8') };
  return { oid, value: undefined };
}

/** Reads a request. */
export function readRequest(packet: Buffer): Request | undefined {
  const [message] = split(packet) ?? [];
  const [version, community, pdu] = split(message?.body ?? Buffer.alloc(0)) ?? [];
  if (version === undefined || community === undefined || pdu === undefined) return undefined;
  const [id, , , list] = split(pdu.body) ?? [];
  const binds = split(list?.body ?? Buffer.alloc(0))?.map(bindOf);
  if (id === undefined || binds === undefined) return undefined;
  const good = binds.filter((bind) => bind !== undefined);
  if (good.length !== binds.length) return undefined;
  return {
    version: integer(version),
    community: community.body.toString('utf8'),
    pdu: pdu.tag,
    id: integer(id),
    binds: good,
  };
}

function part(tag: number, body: Buffer): Buffer {
  const { length } = body;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), body]);
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), body]);
}

function integerPart(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeIntBE(value, 0, 5);
  let from = 0;
  const spare = (at: number): boolean => {
    const sign = (bytes[at + 1] ?? 0) >= 0x80 ? 0xff : 0;
    return bytes[at] === sign;
  };
  while (from < 4 && spare(from)) from += 1;
  return part(TAG.integer, bytes.subarray(from));
}

function oidPart(oid: string): Buffer {
  const [first = 0, second = 0, ...rest] = oid.split('.').map(Number);
  const bytes: number[] = [];
  for (const number of [first * 40 + second, ...rest]) {
    const groups = [number % 128];
    for (let left = Math.floor(number / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift(0x80 + (left % 128));
    }
    bytes.push(...groups);
  }
  return part(TAG.oid, Buffer.from(bytes));
}

function valuePart(bind: Bind): Buffer {
  switch (bind.kind) {
    case 'number':
      return integerPart(bind.value);
    case 'text':
      return part(TAG.octets, Buffer.from(bind.value));
    case 'oid':
      return oidPart(bind.value);
    case 'missing':
      return part(MISSING[bind.what] ?? TAG.none, Buffer.alloc(0));
  }
}

export interface Answer {
  readonly status: number;
  /** From 1; 0 for none. */
  readonly index: number;
  readonly binds: readonly Bind[];
}

/** Writes the response to a request. */
export function writeResponse(request: Request, { status, index, binds }: Answer): Buffer {
  const list = binds.map((bind) =>
    part(TAG.sequence, Buffer.concat([oidPart(bind.oid), valuePart(bind)])),
  );
  const pdu = Buffer.concat([
    integerPart(request.id),
    integerPart(status),
    integerPart(index),
    part(TAG.sequence, Buffer.concat(list)),
  ]);
  return part(
    TAG.sequence,
    Buffer.concat([
      integerPart(request.version),
      part(TAG.octets, Buffer.from(request.community)),
      part(PDU.response, pdu),
    ]),
  );
}
