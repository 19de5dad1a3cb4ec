/** Reads `detection.yaml`: which faults the detection table measures, and how each monitor tells of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { DATA } from '../host/files.ts';
import { parseSight, type Sight } from '../scenario.ts';

/** Programs whose lines in the system's log are heard. */
export const LOGGERS = ['mdadm', 'multipathd'] as const;
export type Logger = (typeof LOGGERS)[number];

export interface MeasuredFault {
  readonly name: string;
  readonly verbs: readonly string[];
  readonly mending: readonly string[];
  /** The function of the kernel by whose first call it knew; undefined: nothing tells the kernel. */
  readonly kernel: string | undefined;
  readonly see: readonly Sight[];
  readonly well: readonly Sight[];
  readonly quietMs: number;
  /** The series that shows it, and its value then. */
  readonly prometheus: { readonly series: string; readonly is: number } | undefined;
  /** What a program logs of it. */
  readonly log: Readonly<Partial<Record<Logger, string>>>;
}

export interface DetectionSpec {
  readonly topology: string;
  readonly repeat: number;
  readonly faults: readonly MeasuredFault[];
}

interface Given {
  readonly topology: string;
  readonly repeat: number;
  readonly faults: readonly {
    readonly name: string;
    readonly do: readonly string[];
    readonly undo: readonly string[];
    readonly kernel?: string;
    readonly see: readonly string[];
    readonly well: readonly string[];
    readonly quiet?: number;
    readonly prometheus?: { readonly series: string; readonly is: number };
    readonly log?: Readonly<Partial<Record<Logger, string>>>;
  }[];
}

const QUIET_S = 1.5;
/** Fewer say nothing of a worst case. */
export const REPEAT_LEAST = 5;

export function parseDetection(text: string): DetectionSpec {
  const { topology, repeat, faults } = parse(text) as Given;
  return {
    topology,
    repeat: Math.max(REPEAT_LEAST, repeat),
    faults: faults.map((one) => ({
      name: one.name,
      verbs: one.do,
      mending: one.undo,
      kernel: one.kernel,
      see: one.see.map(parseSight),
      well: one.well.map(parseSight),
      quietMs: (one.quiet ?? QUIET_S) * 1000,
      prometheus: one.prometheus,
      log: one.log ?? {},
    })),
  };
}

export function loadDetection(): DetectionSpec {
  return parseDetection(readFileSync(join(DATA, 'detection.yaml'), 'utf8'));
}
