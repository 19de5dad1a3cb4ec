/** The figures of a bench, beside their targets: as a table for people and as JSON for programs. */

export type Unit = 'ms' | 'us' | 'MB' | '%' | 'ratio' | 'series' | 'count' | 'bytes';

export interface Figure {
  readonly bench: string;
  readonly what: string;
  /** Undefined when it could not be measured; `note` then says why. */
  readonly value: number | undefined;
  readonly unit: Unit;
  /** The most it may be; undefined for what is only shown. */
  readonly atMost?: number;
  readonly note?: string;
}

/** Name of the file that holds the figures of the last run. */
export const RESULT_FILE = 'bench-result.json';

/** Nearest rank of a share of the sample: 0.5 is the median, 1 the greatest. */
export function percentile(sample: readonly number[], share: number): number {
  const sorted = sample.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function mean(sample: readonly number[]): number {
  return sample.reduce((sum, one) => sum + one, 0) / sample.length;
}

/** p50, p99 and the greatest of a sample; `atMost` holds for the share it names. */
export function spread(
  base: Pick<Figure, 'bench' | 'what' | 'unit'>,
  sample: readonly number[],
  atMost: { readonly p50?: number; readonly p99?: number } = {},
): readonly Figure[] {
  const n = `n=${sample.length}`;
  const figure = (name: string, share: number, most: number | undefined): Figure => ({
    ...base,
    what: `${base.what} ${name}`,
    value: percentile(sample, share),
    ...(most === undefined ? {} : { atMost: most }),
    note: n,
  });
  return [
    figure('p50', 0.5, atMost.p50),
    figure('p99', 0.99, atMost.p99),
    figure('max', 1, undefined),
  ];
}

export function verdict({ value, atMost }: Figure): 'pass' | 'miss' | '' {
  if (atMost === undefined || value === undefined) return '';
  return value <= atMost ? 'pass' : 'miss';
}

function shown(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-';
  if (Number.isInteger(value)) return `${value}`;
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 3);
}

export function tableOf(figures: readonly Figure[]): string {
  const head = ['bench', 'figure', 'value', 'unit', 'at most', '', 'note'];
  const rows = figures.map((figure) => [
    figure.bench,
    figure.what,
    shown(figure.value),
    figure.unit,
    figure.atMost === undefined ? '' : shown(figure.atMost),
    verdict(figure),
    figure.note ?? '',
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 2 || column === 4 ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [head, ...rows].map(line).join('\n');
}
