/**
 * Foreign text made fit for people: labels and sensor names come from firmware and may hold quotes,
 * newlines or 4 KB of noise. Identities are not made here (`idPart` in the model does that).
 */

const LENGTH_MAX = 64;

/** One line of at most 64 characters; undefined when nothing readable is left. */
export function plain(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const line = text
    .slice(0, 4 * LENGTH_MAX)
    .replace(/[\p{C}\p{Z}\s]+/gu, ' ')
    .trim()
    .slice(0, LENGTH_MAX)
    .trim();
  return line === '' ? undefined : line;
}

/** Evidence of an errno in words an operator can act on. */
export function errnoWords(errno: string): string {
  const words = ERRNO_WORDS[errno];
  return words === undefined ? errno : `${errno}: ${words}`;
}

const ERRNO_WORDS: Readonly<Record<string, string>> = {
  EACCES: 'not permitted',
  EAGAIN: 'the chip is busy',
  ECHILD: 'the agent has no process that could read it',
  EIO: 'the bus or the chip failed',
  ENODATA: 'the chip has no value',
  ENODEV: 'the device is gone',
  ENOENT: 'the file is gone',
  ENXIO: 'the chip did not answer',
  EOPNOTSUPP: 'not supported by the chip',
  ETIMEDOUT: 'no answer in time',
};
