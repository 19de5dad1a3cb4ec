/**
 * The few bytes of an SNMPv3 packet that say how it is secured (RFC 3412, 6.4). The package checks a
 * signature only where a packet claims to have one; who asks with a signature must take none without,
 * or anyone who can send packets could answer "off".
 */

interface Field {
  readonly tag: number;
  readonly from: number;
  readonly to: number;
}

const INTEGER = 0x02;
const OCTETS = 0x04;
const SEQUENCE = 0x30;
const REPORT = 0xa8;
const FLAG_SIGNED = 1;

/** The field that begins here (BER, definite lengths). */
function field(packet: Buffer, at: number): Field | undefined {
  const tag = packet[at];
  const first = packet[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  let length = first;
  let from = at + 2;
  if (first >= 0x80) {
    const bytes = first - 0x80;
    if (bytes < 1 || bytes > 4 || from + bytes > packet.length) return undefined;
    length = packet.readUIntBE(from, bytes);
    from += bytes;
  }
  if (from + length > packet.length) return undefined;
  return { tag, from, to: from + length };
}

/** The fields of a sequence, in order; as many as are well formed. */
function fields(packet: Buffer, outer: Field | undefined): readonly Field[] {
  const found: Field[] = [];
  let at = outer?.from ?? 0;
  while (outer !== undefined && at < outer.to && found.length < 16) {
    const one = field(packet, at);
    if (one === undefined || one.to > outer.to) break;
    found.push(one);
    at = one.to;
  }
  return found;
}

/** version, header, security parameters, scoped PDU. */
function parts(packet: Buffer): readonly Field[] {
  const message = field(packet, 0);
  return message?.tag === SEQUENCE ? fields(packet, message) : [];
}

/** The packet claims a signature, which the package then checks. */
export function isSigned(packet: Buffer): boolean {
  const [version, header] = parts(packet);
  if (version?.tag !== INTEGER || header?.tag !== SEQUENCE) return false;
  const flags = fields(packet, header)[2];
  if (flags?.tag !== OCTETS || flags.to - flags.from !== 1) return false;
  return ((packet[flags.from] ?? 0) & FLAG_SIGNED) === FLAG_SIGNED;
}

/** An unsigned report: how v3 devices say which engine they are, and what is wrong with a key. */
export function isReport(packet: Buffer): boolean {
  const scoped = parts(packet)[3];
  if (scoped?.tag !== SEQUENCE) return false;
  return fields(packet, scoped)[2]?.tag === REPORT;
}
