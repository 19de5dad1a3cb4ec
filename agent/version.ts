/** The version of this build, as its package says. */
import { readFileSync } from 'node:fs';

let read: string | undefined;

export function version(): string {
  read ??= readVersion();
  return read;
}

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
