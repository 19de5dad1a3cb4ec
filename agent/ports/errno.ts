/** What went wrong, in the words of errno(3): for errors of Node's own calls and for numbers of libc. */
import { constants } from 'node:os';

/** The symbolic errno of anything thrown; `EIO` when it carries none. */
export function errnoOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^E(?!RR_)[A-Z0-9_]+$/u.test(code) ? code : 'EIO';
}

const NAMES: ReadonlyMap<number, string> = new Map([
  // Not in every Node's table.
  [64, 'ENONET'],
  [112, 'EHOSTDOWN'],
  ...Object.entries(constants.errno).map(([name, code]): [number, string] => [code, name]),
]);

/** The name of a number that libc left in `errno`. */
export function errnoName(code: number): string {
  return NAMES.get(code) ?? `E${code}`;
}
