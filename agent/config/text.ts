/**
 * Reads a configuration file as text: bounded in size, never waiting (a pipe put in its place does not
 * hang the agent), refused as a whole when it is not UTF-8.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { CONFIG_BYTES_MAX } from './defaults.ts';

export type Text =
  | { readonly kind: 'text'; readonly text: string; readonly writableByAll: boolean }
  | { readonly kind: 'missing' }
  | { readonly kind: 'problem'; readonly message: string; readonly mend: string };

const RIGHTS_MEND = 'run as root, or give this user the right to read it';
const ERRNO_SENTENCES: Readonly<Record<string, readonly [message: string, mend: string]>> = {
  ENOTDIR: ['does not exist', 'a part of its path is a file, not a folder'],
  EACCES: ['may not be read by this user', RIGHTS_MEND],
  EPERM: ['may not be read by this user', RIGHTS_MEND],
  ELOOP: ['is a circle of links', 'mend the links'],
  ENAMETOOLONG: ['has too long a name', 'shorten it'],
  ENXIO: ['is not a file', 'name a regular file'],
};

async function readBytes(handle: FileHandle): Promise<Uint8Array> {
  const buffer = new Uint8Array(CONFIG_BYTES_MAX + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

async function readOpened(handle: FileHandle): Promise<Text> {
  const stat = await handle.stat();
  if (stat.isDirectory()) {
    return { kind: 'problem', message: 'is a folder', mend: 'name the file in it' };
  }
  if (!stat.isFile()) {
    return { kind: 'problem', message: 'is not a file', mend: 'name a regular file' };
  }
  const bytes = await readBytes(handle);
  if (bytes.length > CONFIG_BYTES_MAX) {
    return { kind: 'problem', message: 'is larger than 1 MiB', mend: 'check what wrote it' };
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { kind: 'text', text, writableByAll: (stat.mode & 0o002) !== 0 };
  } catch {
    return { kind: 'problem', message: 'is not UTF-8 text', mend: 'save it as UTF-8' };
  }
}

/** The text of a file without its byte order mark, or why there is none. Never throws. */
export async function readText(file: string): Promise<Text> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    return await readOpened(handle);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    if (code === 'ENOENT') return { kind: 'missing' };
    const [message, mend] = ERRNO_SENTENCES[code] ?? [`cannot be read: ${code}`, 'check the disk'];
    return { kind: 'problem', message, mend };
  } finally {
    await handle?.close();
  }
}
