/**
 * The detection table: made from what was measured, put between its markers in the README, and checked
 * for its form. Each cell is the median and the worst.
 */
import { cpus } from 'node:os';
import type { Column, Detection, Measured } from './measure.ts';
import { COLUMNS } from './measure.ts';
import type { DetectionSpec } from './spec.ts';

const BEGIN = '<!-- detection table: written by npm run test:lab -- --table -->';
const END = '<!-- end of the detection table -->';

const HEADS: Readonly<Record<Column, string>> = {
  nospof: 'nospof',
  mdadm: '`mdadm --monitor`',
  mdadmSecond: 'the same, `--delay=1`',
  multipathd: 'multipathd',
  prometheus: 'node_exporter, Prometheus at 15 s',
};
const NOTHING = 'n/a';
const CELL =
  /^(?:n\/a|(-?\d+(?:\.\d+)?) (ms|s), (-?\d+(?:\.\d+)?) (ms|s)(?:, \d+ of \d+ missed)?)$/u;

function timeText(ms: number): string {
  return Math.abs(ms) < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const low = sorted[Math.floor(middle)] ?? Number.NaN;
  return (low + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

function cell(runs: readonly Measured[], column: Column): string {
  const found = runs.flatMap(({ after }) => after[column] ?? []);
  if (found.length === 0) return NOTHING;
  const missed = runs.length - found.length;
  const note = missed === 0 ? '' : `, ${missed} of ${runs.length} missed`;
  return `${timeText(median(found))}, ${timeText(Math.max(...found))}${note}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function headRow(): string {
  return row(['fault', 'counted from', ...COLUMNS.map((column) => HEADS[column])]);
}

export function tableOf(detection: Detection, spec: DetectionSpec): string {
  const { measured, kernel, accel, load, waited, stepMs } = detection;
  const rows = spec.faults.map(({ name }) => {
    const runs = measured.filter(({ fault }) => fault === name);
    const from = runs[0]?.from === 'kernel' ? "the kernel's event" : 'the fault';
    return row([name, from, ...COLUMNS.map((column) => cell(runs, column))]);
  });
  const [before, after] = load.map((one) => one.toFixed(1));
  return [
    headRow(),
    row(COLUMNS.map(() => '---').concat('---', '---')),
    ...rows,
    '',
    `Median and worst of ${spec.repeat}, in the virtual server's own time. Kernel ${kernel} under ${accel === 'kvm' ? 'KVM' : "QEMU's emulation"}, host of ${cpus().length}`,
    `cores with a load average of ${before} before and ${after} after: it kept the server waiting for ${(100 * waited).toFixed(0)} % of the time. A step of the agent took`,
    `${stepMs.toFixed(1)} ms on average, which its figures do not hold.`,
  ].join('\n');
}

/** The README with this table between its markers. */
export function withTable(readme: string, table: string): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('README.md has no place for the detection table');
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${readme.slice(end)}`;
}

function cellsOf(line: string): readonly string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((one) => one.trim());
}

/** What is wrong with the table in the README: its faults, columns or cells are not those measured now. */
export function problemsOf(readme: string, spec: DetectionSpec): readonly string[] {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) return ['it has no markers'];
  const text = readme.slice(begin, end);
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  const problems: string[] = [];
  if (lines[0] !== headRow()) problems.push(`the first row is not ${headRow()}`);
  const rows = lines.slice(2).map(cellsOf);
  const names = rows.map(([name]) => name);
  if (names.join('\n') !== spec.faults.map(({ name }) => name).join('\n')) {
    problems.push(`its faults are ${names.join(', ')}`);
  }
  for (const [name = '', , ...cells] of rows) {
    for (const one of cells) if (!CELL.test(one)) problems.push(`${name}: ${one} is no figure`);
    if (cells[0] === NOTHING) problems.push(`${name}: nospof did not see it`);
  }
  if (!text.includes(`worst of ${spec.repeat},`)) problems.push(`it is not of ${spec.repeat}`);
  return problems;
}
