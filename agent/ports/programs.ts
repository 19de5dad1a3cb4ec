/**
 * Finds the program behind a bare name, in the system's own folders only, and refuses one that somebody
 * else could have put or changed there: what the agent runs has the agent's rights.
 */
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Entry } from '../../collectors/lib/collector.ts';
import { errnoOf } from './errno.ts';

export const PROGRAM_FOLDERS: readonly string[] = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export type Program = { readonly path: string } | Extract<Entry, { errno: string }>;

const BARE_NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]*$/u;
const OTHERS_WRITE = 0o002;
const GROUP_WRITE = 0o020;

/**
 * Owned by root and writable by nobody else. An agent that does not run as root also trusts what its
 * own user owns: that user could do no more by changing it than by itself.
 */
function isSafe(path: string): boolean {
  const { uid, gid, mode } = statSync(path);
  const self = process.getuid?.() ?? 0;
  if (uid !== 0 && uid !== self) return false;
  return (mode & OTHERS_WRITE) === 0 && ((mode & GROUP_WRITE) === 0 || gid === 0);
}

function programAt(path: string): Program | undefined {
  try {
    const real = realpathSync.native(path);
    if (!statSync(real).isFile()) return undefined;
    accessSync(real, constants.X_OK);
    if (isSafe(real) && isSafe(dirname(real))) return { path };
    return { errno: 'EACCES', why: `${real} or its folder belongs to or is writable by others` };
  } catch (error) {
    const errno = errnoOf(error);
    return errno === 'ENOENT' || errno === 'EACCES' ? undefined : { errno, why: path };
  }
}

/** The program at an absolute path, or why it is not run. */
export function checkProgram(path: string): Program {
  return programAt(path) ?? { errno: 'ENOENT', why: `${path} is no program this user may run` };
}

/** The first usable program of that name, or why there is none. */
export function findProgram(name: string, folders: readonly string[]): Program {
  let refused: Program | undefined;
  for (const folder of BARE_NAME.test(name) ? folders : []) {
    const found = programAt(join(folder, name));
    if (found !== undefined && 'path' in found) return found;
    refused ??= found;
  }
  return refused ?? { errno: 'ENOENT', why: `${name} is not installed` };
}
