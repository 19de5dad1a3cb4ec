/**
 * Reading and writing of SCSI's big-endian fields. A reader gives undefined beyond the end of what was
 * received, so that a short answer is noticed where it is read and never becomes a zero.
 */

const BYTE_BITS = 8;

/** The unsigned number of `width` bytes (1 to 4) at `at`; undefined where the bytes end before it does. */
export function numberAt(bytes: Uint8Array, at: number, width: 1 | 2 | 3 | 4): number | undefined {
  if (at < 0 || at + width > bytes.length) return undefined;
  let value = 0;
  for (let index = at; index < at + width; index += 1) {
    value = value * 2 ** BYTE_BITS + (bytes[index] ?? 0);
  }
  return value;
}

/** Lower-case hexadecimal of `length` bytes at `at`, two digits each; undefined where they end before. */
export function hexAt(bytes: Uint8Array, at: number, length: number): string | undefined {
  if (at < 0 || length < 0 || at + length > bytes.length) return undefined;
  let text = '';
  for (let index = at; index < at + length; index += 1) {
    text += (bytes[index] ?? 0).toString(16).padStart(2, '0');
  }
  return text;
}

/** Printable ASCII up to the first NUL; anything else becomes `?`, for these are a stranger's bytes. */
export function textOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    if (byte === 0) break;
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?';
  }
  return text;
}

/** Puts an unsigned number of `width` bytes; higher bits that do not fit are cut. */
export function putNumber(
  bytes: Uint8Array,
  at: number,
  width: 1 | 2 | 3 | 4,
  value: number,
): void {
  let rest = value;
  for (let index = at + width - 1; index >= at; index -= 1) {
    bytes[index] = rest % 2 ** BYTE_BITS;
    rest = Math.floor(rest / 2 ** BYTE_BITS);
  }
}

/** Puts the bytes that a string of hexadecimal digits names. */
export function putHex(bytes: Uint8Array, at: number, hex: string): void {
  for (let index = 0; index * 2 < hex.length; index += 1) {
    bytes[at + index] = Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16);
  }
}
