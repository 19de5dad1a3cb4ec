/**
 * The two Prometheus text forms, which differ in their headers alone: the 0.0.4 text format and
 * OpenMetrics 1.0. Sample lines are the same in both, so they are made once and kept.
 */

export type Format = 'text' | 'openmetrics';
export type FamilyType = 'gauge' | 'counter' | 'info';

/** Longer label values are cut: a name of 4 KB must not multiply through every series. */
export const LABEL_LENGTH_MAX = 256;

const SPECIAL = /[\\"\n]/gu;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };
const METRIC_WORD = /^[a-z][a-z0-9_]*$/u;
const NOT_WORD = /[^a-z0-9_]/gu;

/** A label's value, escaped as both formats want it. */
export function labelValue(text: string): string {
  const cut = text.length > LABEL_LENGTH_MAX ? `${text.slice(0, LABEL_LENGTH_MAX - 1)}…` : text;
  return cut.replace(SPECIAL, (character) => ESCAPES[character] ?? character);
}

/** Labels as they stand between the braces; made once for all lines of a thing. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, text]) => `${name}="${labelValue(text)}"`)
    .join(',');
}

/** One sample line, of a label text. */
export function sample(metric: string, labels: string, value: number): string {
  return `${metric}{${labels}} ${value}\n`;
}

/** True for a gauge key that can be the tail of a metric name. */
export function isMetricWord(word: string): boolean {
  return METRIC_WORD.test(word);
}

/** A word made fit for a metric or label name. */
export function metricWord(word: string): string {
  const safe = word.toLowerCase().replace(NOT_WORD, '_');
  return isMetricWord(safe) ? safe : `x_${safe}`;
}

/** HELP and TYPE of a family. OpenMetrics names counters and infos without their suffix. */
export function header(metric: string, type: FamilyType, help: string, format: Format): string {
  const suffix = type === 'counter' ? '_total' : '_info';
  const family =
    format === 'openmetrics' && type !== 'gauge' && metric.endsWith(suffix)
      ? metric.slice(0, -suffix.length)
      : metric;
  // The text format has no info type: there it is a gauge of value 1.
  const word = format === 'text' && type === 'info' ? 'gauge' : type;
  return `# HELP ${family} ${help}\n# TYPE ${family} ${word}\n`;
}
