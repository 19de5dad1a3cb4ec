/**
 * A reader of OpenMetrics 1.0 text that finds fault: families not interleaved, samples with the suffix
 * their type wants, labels properly quoted, no series twice, the end mark last. It reads what we use
 * (gauge, counter, info, histogram) and refuses all else.
 */

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  gauge: [''],
  counter: ['_total'],
  info: ['_info'],
  histogram: ['_bucket', '_count', '_sum'],
};
const SAMPLE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$/u;
const NUMBER = /^(?:[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN|[+-]Inf)$/u;

interface Reading {
  readonly problems: string[];
  readonly closed: Set<string>;
  readonly series: Set<string>;
  family: string;
  type: string;
}

function readHeader(state: Reading, line: string): void {
  const [, verb = '', family = '', rest = ''] = /^# (HELP|TYPE|UNIT) (\S+) (.*)$/u.exec(line) ?? [];
  if (verb === '') {
    state.problems.push(`not a header: ${line}`);
    return;
  }
  if (family !== state.family) {
    if (state.closed.has(family)) state.problems.push(`family ${family} comes back`);
    state.closed.add(state.family);
    state.family = family;
    state.type = 'unknown';
  }
  if (verb === 'TYPE') {
    if (SUFFIXES[rest] === undefined) state.problems.push(`type ${rest} of ${family}`);
    state.type = rest;
  }
}

function readSample(state: Reading, line: string): void {
  const match = SAMPLE.exec(line);
  if (match === null) {
    state.problems.push(`not a sample: ${line.slice(0, 120)}`);
    return;
  }
  const [, metric = '', labels = '', value = ''] = match;
  const allowed = (SUFFIXES[state.type] ?? []).map((suffix) => state.family + suffix);
  if (!allowed.includes(metric)) state.problems.push(`${metric} in ${state.type} ${state.family}`);
  if (!NUMBER.test(value)) state.problems.push(`value ${value} of ${metric}`);
  const series = `${metric}{${labels}}`;
  if (state.series.has(series)) state.problems.push(`twice: ${series.slice(0, 120)}`);
  state.series.add(series);
}

/** What is wrong with a text, in order; empty when nothing is. */
export function openMetricsProblems(text: string): readonly string[] {
  const state: Reading = {
    problems: [],
    closed: new Set(),
    series: new Set(),
    family: '',
    type: '',
  };
  if (!text.endsWith('# EOF\n')) state.problems.push('no end mark');
  for (const line of text
    .replace(/# EOF\n$/u, '')
    .split('\n')
    .slice(0, -1)) {
    if (line.startsWith('#')) readHeader(state, line);
    else readSample(state, line);
  }
  return state.problems;
}
