/**
 * Rungs of ladders as they are written, in rules and in the configuration: what each deed needs, and what
 * holds where nothing is said.
 */
import type { Deed, PowerKnob, Remedy } from '../../rules/rule.ts';
import type { Finding } from './schema.ts';
import { durationMs } from './words.ts';

export interface RawRemedy {
  readonly do: Deed['kind'];
  readonly service?: string;
  readonly knobs?: readonly PowerKnob[];
  readonly argv?: readonly string[];
  readonly hierarchy?: string;
  readonly node?: string;
  readonly deadline?: string;
  readonly settle?: string;
  readonly budget?: { readonly count: number; readonly within: string };
}

const SETTLE_MS = 30_000;
const DEADLINE_MS = 30_000;
/** What each deed must name, and may. */
const TARGETS: Readonly<Record<Deed['kind'], keyof RawRemedy | undefined>> = {
  notify: undefined,
  restart: 'service',
  'shed-power': 'knobs',
  run: 'argv',
  handover: 'hierarchy',
  fence: 'node',
};
const ALL_KNOBS: readonly PowerKnob[] = [
  'energy-preference',
  'governor',
  'platform-profile',
  'rapl-limit',
];

function deedOf(raw: RawRemedy): Deed {
  switch (raw.do) {
    case 'notify':
      return { kind: 'notify' };
    case 'restart':
      return { kind: 'restart', service: raw.service ?? '$subject' };
    case 'shed-power':
      return { kind: 'shed-power', knobs: raw.knobs ?? ALL_KNOBS };
    case 'run':
      return { kind: 'run', argv: raw.argv ?? [] };
    case 'handover':
      return { kind: 'handover', hierarchy: raw.hierarchy ?? '' };
    case 'fence':
      return { kind: 'fence', node: raw.node ?? '' };
  }
}

export function remedyOf(raw: RawRemedy): Remedy {
  const isNotice = raw.do === 'notify';
  const { count, within } = raw.budget ?? (isNotice ? HOURLY : TEN_MINUTES);
  return {
    deed: deedOf(raw),
    deadlineMs: durationMs(raw.deadline ?? '') ?? DEADLINE_MS,
    settleMs: durationMs(raw.settle ?? '') ?? (isNotice ? 0 : SETTLE_MS),
    budget: { count, withinMs: durationMs(within) ?? 0 },
  };
}

const HOURLY = { count: 10, within: '1h' };
const TEN_MINUTES = { count: 3, within: '10m' };

/** What a rung names that its deed does not use, or lacks. */
export function ladderFindings(
  ladder: readonly RawRemedy[],
  at: readonly (string | number)[],
): readonly Finding[] {
  return ladder.flatMap((raw, index): readonly Finding[] => {
    const own = TARGETS[raw.do];
    const foreign = Object.values(TARGETS).find(
      (key) => key !== undefined && key !== own && raw[key] !== undefined,
    );
    const path = [...at, index];
    if (foreign !== undefined) {
      const mend = 'remove it';
      return [{ path: [...path, foreign], of: 'key', message: `is not for ${raw.do}`, mend }];
    }
    const must = own !== undefined && own !== 'knobs' && raw[own] === undefined;
    if (must) {
      const message = `${raw.do} needs '${own}'`;
      return [{ path, of: 'value', message, mend: `add ${own}` }];
    }
    const program = raw.argv?.[0];
    if (program === undefined || program.startsWith('/')) return [];
    const mend = 'write the absolute path of the program';
    return [{ path: [...path, 'argv', 0], of: 'value', message: 'is not a path', mend }];
  });
}
