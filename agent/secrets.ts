/**
 * Secrets from files: the first line of a file that nobody but its owner may read. A file that others
 * may read is refused, because whoever reads it can cut power.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

const SECRET_BYTES_MAX = 4096;
const SECRET_CHARS_MAX = 256;

export type Secret =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly mend: string };

function bad(message: string, mend: string): Secret {
  return { ok: false, message, mend };
}

/** The secret in a file, or why it is not taken. Never throws. */
export async function readSecret(file: string): Promise<Secret> {
  let handle: Awaited<ReturnType<typeof open>> | undefined;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await handle.stat();
    if (!stat.isFile()) return bad('is not a file', 'name a regular file');
    if ((stat.mode & 0o077) !== 0) return bad('may be read by others', `chmod 600 ${file}`);
    const own = stat.uid === 0 || stat.uid === process.geteuid?.();
    if (!own) return bad('belongs to another user', `chown root ${file}`);
    const buffer = Buffer.alloc(SECRET_BYTES_MAX);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    const [text = ''] = buffer.toString('utf8', 0, bytesRead).split(/\r?\n/u, 1);
    if (text === '') return bad('is empty', 'put the secret into its first line');
    if (text.length > SECRET_CHARS_MAX) return bad('has too long a line', 'shorten it');
    if (!/^[\x20-\x7e]+$/u.test(text)) return bad('holds other than printable ASCII', 'change it');
    return { ok: true, text };
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return bad('does not exist', 'write the secret into its first line');
    if (code === 'EACCES') return bad('may not be read by this user', 'run as root');
    return bad(`cannot be read: ${code}`, 'check it');
  } finally {
    await handle?.close();
  }
}
