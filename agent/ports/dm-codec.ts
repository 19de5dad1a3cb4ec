/**
 * The device-mapper ioctl interface, version 4 (linux/dm-ioctl.h), as bytes: requests out, answers in. No
 * call is made here. A buffer that does not hold what its header promises is `undefined`, never a guess:
 * every offset comes from outside and is checked against the buffer before it is followed.
 *
 *     struct dm_ioctl      version[3] u32, data_size u32 @12, data_start u32 @16, target_count u32 @20,
 *                          open_count s32 @24, flags u32 @28, event_nr u32 @32, dev u64 @40,
 *                          name[128] @48, uuid[129] @176; 312 bytes
 *     struct dm_name_list  dev u64, next u32 @8, name @12; then, 8-aligned, event_nr u32, flags u32, uuid
 *     struct dm_target_spec  start u64, length u64, status s32 @16, next u32 @20, type[16] @24; 40 bytes;
 *                          then the text; `next` counts from the start of the data
 */

export const DM_IOCTL_BYTES = 312;
/** DM_LIST_DEVICES_CMD and DM_TABLE_STATUS_CMD. */
export const LIST_DEVICES = 2;
export const TABLE_STATUS = 12;
/** DM_STATUS_TABLE_FLAG: the table as it was loaded instead of the status. */
export const STATUS_TABLE: number = 1 << 4;
/** DM_BUFFER_FULL_FLAG: the answer did not fit. */
export const BUFFER_FULL: number = 1 << 8;
/** DM_NOFLUSH_FLAG: look, do not commit anything for the look's sake. */
export const NOFLUSH: number = 1 << 11;

const NAME_LIST_HEAD_BYTES = 12;
const TARGET_HEAD_BYTES = 40;
const TARGET_TYPE_BYTES = 16;
/** First minor version whose name list tells whether a UUID follows. */
const UUID_IN_LIST_MINOR = 43;
const HAS_UUID = 1;
const ENTRIES_MAX = 65_536;

export interface DmHeader {
  readonly minor: number;
  readonly dataStart: number;
  /** End of what the kernel wrote. */
  readonly dataEnd: number;
  readonly targets: number;
  readonly flags: number;
}

export interface DmDevice {
  /** Encoded as the kernel wants it back. */
  readonly dev: bigint;
  /** `253:3`. */
  readonly number: string;
  readonly name: string;
  /** Empty when it has none; undefined when this kernel does not list it. */
  readonly uuid: string | undefined;
}

export interface DmTarget {
  readonly start: bigint;
  readonly length: bigint;
  readonly type: string;
  readonly text: string;
}

/** _IOWR(0xfd, command, struct dm_ioctl), for asm-generic. */
export function ioctlNumber(command: number): number {
  return ((3 << 30) | (DM_IOCTL_BYTES << 16) | (0xfd << 8) | command) >>> 0;
}

/** A request in a buffer of `bytes` that the answer is written into. `dev` chooses the device. */
export function encodeRequest(
  little: boolean,
  request: { readonly bytes: number; readonly flags: number; readonly dev?: bigint },
): Uint8Array {
  const buffer = new Uint8Array(Math.max(request.bytes, DM_IOCTL_BYTES));
  const view = new DataView(buffer.buffer);
  view.setUint32(0, 4, little);
  view.setUint32(12, buffer.length, little);
  view.setUint32(16, DM_IOCTL_BYTES, little);
  view.setUint32(28, request.flags, little);
  view.setBigUint64(40, request.dev ?? 0n, little);
  return buffer;
}

function viewOf(buffer: Uint8Array): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** Text up to its NUL; undefined when none comes before `end`. */
function textAt(buffer: Uint8Array, start: number, end: number): string | undefined {
  const stop = buffer.indexOf(0, start);
  if (start > end || stop < 0 || stop >= end) return undefined;
  return Buffer.from(buffer.buffer, buffer.byteOffset + start, stop - start).toString('utf8');
}

function aligned(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}

export function decodeHeader(little: boolean, buffer: Uint8Array): DmHeader | undefined {
  if (buffer.length < DM_IOCTL_BYTES) return undefined;
  const view = viewOf(buffer);
  const dataEnd = view.getUint32(12, little);
  const dataStart = view.getUint32(16, little);
  if (view.getUint32(0, little) !== 4) return undefined;
  if (dataStart > dataEnd || dataEnd > buffer.length) return undefined;
  return {
    minor: view.getUint32(4, little),
    dataStart,
    dataEnd,
    targets: view.getUint32(20, little),
    flags: view.getUint32(28, little),
  };
}

/** huge_encode_dev: 12 bits of major between the low 8 and the high bits of minor. */
export function deviceNumber(dev: bigint): string {
  const major = (dev & 0xfff00n) >> 8n;
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n);
  return `${major}:${minor}`;
}

/** The UUID behind a name in the list; undefined when it cannot be read or is not told. */
function listedUuid(
  little: boolean,
  buffer: Uint8Array,
  header: DmHeader,
  nameEnd: number,
): string | undefined {
  const at = aligned(nameEnd - header.dataStart) + header.dataStart;
  if (header.minor < UUID_IN_LIST_MINOR || at + 8 > header.dataEnd) return undefined;
  const flags = viewOf(buffer).getUint32(at + 4, little);
  return (flags & HAS_UUID) === 0 ? '' : textAt(buffer, at + 8, header.dataEnd);
}

/** The devices in the answer to LIST_DEVICES. */
export function decodeDevices(
  little: boolean,
  buffer: Uint8Array,
): readonly DmDevice[] | undefined {
  const header = decodeHeader(little, buffer);
  if (header === undefined) return undefined;
  const view = viewOf(buffer);
  const devices: DmDevice[] = [];
  let at = header.dataStart;
  for (;;) {
    if (at + NAME_LIST_HEAD_BYTES > header.dataEnd) return undefined;
    const dev = view.getBigUint64(at, little);
    const next = view.getUint32(at + 8, little);
    // One empty entry is how the kernel says that there are no devices.
    if (dev === 0n && devices.length === 0) return devices;
    const name = textAt(buffer, at + NAME_LIST_HEAD_BYTES, header.dataEnd);
    if (name === undefined || devices.length >= ENTRIES_MAX) return undefined;
    const nameEnd = at + NAME_LIST_HEAD_BYTES + Buffer.byteLength(name) + 1;
    const uuid = listedUuid(little, buffer, header, nameEnd);
    devices.push({ dev, number: deviceNumber(dev), name, uuid });
    if (next === 0) return devices;
    if (next < NAME_LIST_HEAD_BYTES) return undefined;
    at += next;
  }
}

/** The targets in the answer to TABLE_STATUS. */
export function decodeTargets(
  little: boolean,
  buffer: Uint8Array,
): readonly DmTarget[] | undefined {
  const header = decodeHeader(little, buffer);
  if (header === undefined || header.targets > ENTRIES_MAX) return undefined;
  const view = viewOf(buffer);
  const targets: DmTarget[] = [];
  let at = header.dataStart;
  for (let index = 0; index < header.targets; index += 1) {
    if (at + TARGET_HEAD_BYTES > header.dataEnd) return undefined;
    const type = textAt(buffer, at + 24, at + 24 + TARGET_TYPE_BYTES);
    const text = textAt(buffer, at + TARGET_HEAD_BYTES, header.dataEnd);
    if (type === undefined || text === undefined) return undefined;
    const start = view.getBigUint64(at, little);
    targets.push({ start, length: view.getBigUint64(at + 8, little), type, text });
    const next = header.dataStart + view.getUint32(at + 20, little);
    if (next <= at && index + 1 < header.targets) return undefined;
    at = next;
  }
  return targets;
}

/** A name in one line: dm allows any character in it but a slash. */
export function lineName(name: string): string {
  return name.replace(
    /[\p{Cc}\\]/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** One line, as `dmsetup status` or `table` prints it, with the device's number before its name. */
export function targetLine(device: DmDevice, target: DmTarget, word: '' | 'table '): string {
  const { start, length, type, text } = target;
  const clean = text.replace(/\p{Cc}/gu, ' ').trim();
  return `${word}${device.number} ${lineName(device.name)}: ${start} ${length} ${type} ${clean}`;
}
