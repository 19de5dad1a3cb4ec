/**
 * The twin of the ioctl for machines without koffi: three runs of `dmsetup`, joined into the same lines.
 * Slower, and a fork each; otherwise the same truth.
 */
import type { Entry } from '../../collectors/lib/collector.ts';
import { findProgram, PROGRAM_FOLDERS } from './programs.ts';
import { runProgram } from './run.ts';

const LINE = /^(.*): (\d+ \d+ \S+ .*)$/u;

/** Device numbers by name, from `dmsetup info -c -o major,minor,name` with `:` between. */
export function numbersOf(text: string): ReadonlyMap<string, string> {
  const numbers = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, number, name] = /^\s*(\d+:\d+):(.*)$/u.exec(line) ?? [];
    if (number !== undefined && name !== undefined) numbers.set(name, number);
  }
  return numbers;
}

/** `dmsetup status` or `table` with numbers before the names; a line without a number is left out. */
export function numbered(
  text: string,
  numbers: ReadonlyMap<string, string>,
  word: '' | 'table ',
): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, name = '', rest] = LINE.exec(line) ?? [];
    const number = numbers.get(name);
    return number === undefined || rest === undefined ? [] : [`${word}${number} ${name}: ${rest}`];
  });
}

/** All lines for a target by `dmsetup`, within the time given for all runs together. */
export async function dmsetup(target: string, deadlineMs: number): Promise<Entry> {
  const program = findProgram('dmsetup', PROGRAM_FOLDERS);
  if (!('path' in program)) return program;
  const { path } = program;
  const own = ['--manglename', 'none'];
  const columns = ['-c', '--noheadings', '--separator', ':', '-o', 'major,minor,name'];
  const runs = [
    ['info', ...own, ...columns],
    ['status', ...own, '--noflush', '--target', target],
    ['table', ...own, '--target', target],
  ].map((args) => runProgram(path, args, { name: 'dmsetup', deadlineMs }).answer);
  const [info, status, table] = await Promise.all(runs);
  for (const answer of [info, status]) {
    if (answer === undefined || !('text' in answer)) return answer ?? { errno: 'EIO' };
    if (answer.status !== 0) return { errno: 'EIO', why: `dmsetup ended with ${answer.status}` };
  }
  const text = (answer: Entry | undefined): string =>
    answer !== undefined && 'text' in answer ? answer.text : '';
  const numbers = numbersOf(text(info));
  const lines = [
    ...numbered(text(status), numbers, ''),
    ...numbered(text(table), numbers, 'table '),
  ];
  return { text: lines.map((line) => `${line}\n`).join('') };
}
