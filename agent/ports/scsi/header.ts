/**
 * The kernel's `struct sg_io_hdr`, version 3, as it is on machines with 64-bit pointers and little-endian
 * numbers (include/scsi/sg.h). The addresses in it are of buffers that the sender keeps alive until the
 * command has come back or its descriptor is closed.
 */

export const HEADER_BYTES = 88;
/** Sense data is seldom longer than 32 bytes and never longer than 252; the field takes 255. */
export const SENSE_BYTES = 64;

const INTERFACE = 'S'.charCodeAt(0);
const DIRECTION_NONE = -1;
const DIRECTION_OUT = -2;
const DIRECTION_IN = -3;

export interface Fields {
  readonly cdbBytes: number;
  readonly cdbAt: bigint;
  readonly senseAt: bigint;
  readonly data: 'none' | 'in' | 'out';
  readonly dataBytes: number;
  readonly dataAt: bigint;
  /** After this the kernel begins to abort: long, for its error handling stops all I/O of the host. */
  readonly kernelMs: number;
  readonly pack: number;
}

export interface Outcome {
  readonly pack: number;
  readonly status: number;
  readonly host: number;
  readonly driver: number;
  readonly senseBytes: number;
  /** Bytes that were not transferred. */
  readonly residual: number;
}

export function encodeHeader(fields: Fields): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const direction = { none: DIRECTION_NONE, in: DIRECTION_IN, out: DIRECTION_OUT }[fields.data];
  view.setInt32(0, INTERFACE, true);
  view.setInt32(4, direction, true);
  view.setUint8(8, fields.cdbBytes);
  view.setUint8(9, SENSE_BYTES);
  view.setUint32(12, fields.dataBytes, true);
  view.setBigUint64(16, fields.dataAt, true);
  view.setBigUint64(24, fields.cdbAt, true);
  view.setBigUint64(32, fields.senseAt, true);
  view.setUint32(40, fields.kernelMs, true);
  view.setInt32(48, fields.pack, true);
  return bytes;
}

/** What a header that came back says; undefined when it is none of ours. */
export function decodeHeader(bytes: Uint8Array): Outcome | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  if (view.getInt32(0, true) !== INTERFACE) return undefined;
  return {
    pack: view.getInt32(48, true),
    status: view.getUint8(64),
    senseBytes: Math.min(view.getUint8(67), SENSE_BYTES),
    host: view.getUint16(68, true),
    driver: view.getUint16(70, true),
    residual: view.getInt32(72, true),
  };
}
