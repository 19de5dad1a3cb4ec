/**
 * The text form of a snapshot, for people to read, diff and send with a bug report: what `nospof
 * capture` writes and the fixtures are kept in. Written and read here only, so both always agree.
 *
 *     file sys/class/hwmon/hwmon0/name
 *     | nct6775
 *     link sys/class/hwmon/hwmon0/device -> sys/devices/platform/nct6775.656
 *     errno sys/class/hwmon/hwmon0/fan3_input EIO
 *     command ipmi-sensors 0
 *     | 1,Fan 1,Fan,Nominal,...
 *     command ipmitool-fans 1 Could not open device
 *
 * A text that does not end in a newline has a line `\` after it. Lines that start with `#` are notes.
 */
import type { Entry, Snapshot } from './collector.ts';

const COMMAND = 'command:';
/** A key may hold blanks (`multipathd:show maps json`); the first errno after it ends it. */
const ERRNO = /^(.+?) (E[A-Z0-9]+)(?: (.*))?$/u;

function encodeEntry(key: string, entry: Entry): string[] {
  if ('link' in entry) return [`link ${key} -> ${entry.link}`];
  if ('errno' in entry) {
    return [`errno ${key} ${entry.errno}${entry.why === undefined ? '' : ` ${entry.why}`}`];
  }
  const head = key.startsWith(COMMAND)
    ? ['command', key.slice(COMMAND.length), entry.status ?? 0, entry.why ?? ''].join(' ').trim()
    : `file ${key}`;
  const lines = entry.text.split('\n');
  const tail = lines.at(-1) === '' ? [] : ['\\'];
  if (tail.length === 0) lines.pop();
  return [head, ...lines.map((line) => (line === '' ? '|' : `| ${line}`)), ...tail];
}

/** Text of a snapshot. Keys and errnos never hold newlines or spaces at their ends; texts may. */
export function encodeCapture(snapshot: Snapshot, notes: readonly string[] = []): string {
  const lines = notes.map((note) => `# ${note}`);
  for (const [key, entry] of snapshot) lines.push(...encodeEntry(key, entry));
  return `${lines.join('\n')}\n`;
}

function headEntry(line: string): [string, Entry] | undefined {
  const [verb = '', ...words] = line.split(' ');
  const rest = words.join(' ');
  if (verb === 'file') return [rest, { text: '' }];
  if (verb === 'link') {
    const [key = '', link = ''] = rest.split(' -> ', 2);
    return [key, { link }];
  }
  if (verb === 'errno') {
    const [, key = '', errno = 'EIO', why] = ERRNO.exec(rest) ?? [undefined, rest];
    return [key, why === undefined ? { errno } : { errno, why }];
  }
  if (verb === 'command') {
    const [name = '', status = '0', ...why] = words;
    const entry = { text: '', status: Number(status) };
    return [`${COMMAND}${name}`, why.length === 0 ? entry : { ...entry, why: why.join(' ') }];
  }
  return undefined;
}

interface OpenText {
  text: string;
  readonly status?: number;
  readonly why?: string;
}

/** Adds a line to the open text; false when the line is not part of one. */
function continued(open: OpenText | undefined, line: string): boolean {
  if (open === undefined) return false;
  if (line === '\\') {
    open.text = open.text.replace(/\n$/u, '');
    return true;
  }
  if (!line.startsWith('|')) return false;
  open.text += `${line.slice(line.startsWith('| ') ? 2 : 1)}\n`;
  return true;
}

/** The snapshot a text describes. Throws on a line it does not know: a fixture is ours to mend. */
export function decodeCapture(text: string): Snapshot {
  const snapshot = new Map<string, Entry>();
  let open: OpenText | undefined;
  for (const [index, line] of text.replace(/\n$/u, '').split('\n').entries()) {
    if (continued(open, line) || line === '' || line.startsWith('#')) continue;
    const head = headEntry(line);
    if (head === undefined) throw new Error(`line ${index + 1} of the capture: ${line}`);
    const [key, entry] = head;
    open = 'text' in entry ? { ...entry } : undefined;
    snapshot.set(key, open ?? entry);
  }
  return snapshot;
}
