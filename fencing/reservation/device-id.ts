/**
 * The identity of a logical unit and of the target port it was reached by (VPD page 83h, SPC-4 7.8.5). Two
 * paths lead to one disk when its world-wide identity is the same, and only then.
 */
import { hexAt, numberAt, textOf } from './bytes.ts';

export interface DeviceId {
  /** In the form of sysfs: `naa.6001405...`, `eui.`, `t10.`, or the SCSI name; undefined when none is given. */
  readonly wwid: string | undefined;
  /** Relative target port of the path the page was read by; undefined when it is not told. */
  readonly port: number | undefined;
}

const PAGE = 0x83;
const HEADER_BYTES = 4;
const ASSOCIATION_UNIT = 0;
const ASSOCIATION_PORT = 1;
const T10 = 1;
const EUI = 2;
const NAA = 3;
const RELATIVE_PORT = 4;
const SCSI_NAME = 8;

interface Designator {
  readonly association: number;
  readonly type: number;
  readonly body: Uint8Array;
}

/** All designators that are wholly there; undefined when this is not the page or it lies about lengths. */
function designatorsOf(bytes: Uint8Array): readonly Designator[] | undefined {
  const length = numberAt(bytes, 2, 2);
  if (length === undefined || bytes[1] !== PAGE) return undefined;
  const end = Math.min(bytes.length, HEADER_BYTES + length);
  const found: Designator[] = [];
  let at = HEADER_BYTES;
  while (at + HEADER_BYTES <= end) {
    const kind = numberAt(bytes, at + 1, 1) ?? 0;
    const size = numberAt(bytes, at + 3, 1) ?? 0;
    if (at + HEADER_BYTES + size > end) break;
    const body = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + size);
    found.push({ association: (kind >> 4) & 3, type: kind & 0x0f, body });
    at += HEADER_BYTES + size;
  }
  return found;
}

/** How much a designator is worth as an identity, as the kernel weighs them; 0: it is none. */
function worth({ association, type, body }: Designator): number {
  if (association !== ASSOCIATION_UNIT || body.length === 0) return 0;
  const first = (body[0] ?? 0) >> 4;
  switch (type) {
    case NAA:
      // Type 3 is chosen by whoever configures it, so that copies share it.
      if (first === 6 && body.length === 16) return 100;
      return (first === 2 || first === 5) && body.length === 8 ? 90 : first === 3 ? 20 : 0;
    case EUI:
      return [8, 12, 16].includes(body.length) ? 80 + body.length / 8 : 0;
    case SCSI_NAME:
      return 60;
    case T10:
      return 40;
    default:
      return 0;
  }
}

function wwidText({ type, body }: Designator): string {
  if (type === NAA) return `naa.${hexAt(body, 0, body.length) ?? ''}`;
  if (type === EUI) return `eui.${hexAt(body, 0, body.length) ?? ''}`;
  const text = textOf(body).trimEnd().slice(0, 200);
  return type === T10 ? `t10.${text}` : text;
}

/** What the page says; undefined when it is no page 83h. */
export function decodeDeviceId(bytes: Uint8Array): DeviceId | undefined {
  const designators = designatorsOf(bytes);
  if (designators === undefined) return undefined;
  let best: Designator | undefined;
  let port: number | undefined;
  for (const one of designators) {
    if (worth(one) > (best === undefined ? 0 : worth(best))) best = one;
    if (one.association === ASSOCIATION_PORT && one.type === RELATIVE_PORT) {
      port = numberAt(one.body, 2, 2) ?? port;
    }
  }
  return { wwid: best === undefined ? undefined : wwidText(best), port };
}
