/** The state of an arbiter, what it is told, and when it next has something to do; the turns are beside it. */
import type { DiskWish, NodeName } from '../rules/model.ts';
import type { ClaimMemory } from './reservation/claim.ts';
import type { DefendMemory } from './reservation/defend.ts';
import type { Ask } from './reservation/look.ts';
import type { Input, Machine, Self, Times } from './reservation/machine.ts';
import type { ReleaseMemory } from './reservation/release.ts';
import type { Path, Table } from './reservation/table.ts';
import type { Takeover, TakeoverResult } from './reservation/takeover.ts';

export interface ArbiterOptions {
  readonly self: Self;
  /** Names of the cluster's nodes by the number in their keys. */
  readonly nodes: ReadonlyMap<number, NodeName>;
  /** Deadlines of commands; `everyMs` is R. */
  readonly times: Times;
  /** From one look without interest to the next. */
  readonly idleMs: number;
  /** C. */
  readonly challengeMs: number;
  readonly restoreMs: number;
  readonly verifyMs: number;
  /** How long the disks of a hierarchy may take to be read before anything is registered. */
  readonly readableMs: number;
}

export interface ArbiterDisk {
  readonly wwid: string;
  readonly mirror?: string;
  readonly paths: readonly Path[];
}

/** A command for one disk. */
export interface DiskAsk {
  readonly wwid: string;
  readonly ask: Ask;
}

export type ArbiterInput =
  | { readonly is: 'tick' }
  | { readonly is: 'wish'; readonly wish: DiskWish }
  | { readonly is: 'disk'; readonly wwid: string; readonly input: Input };

export interface LookMemory {
  readonly table: Table | undefined;
  readonly why: string | undefined;
}

/** Machines in the order of the disks. */
export type Pool<M> = readonly Machine<M>[];

/** How one disk of a kept hierarchy is kept. */
export type Keeper =
  | { readonly is: 'keep'; readonly machine: Machine<DefendMemory> }
  /** A leg that had failed and was excused is taken back: only where nobody holds it. */
  | { readonly is: 'again'; readonly machine: Machine<ClaimMemory> }
  | { readonly is: 'gone'; readonly machine: Machine<unknown>; readonly why: string };

export type Mode =
  | { readonly is: 'idle'; readonly looks: Pool<LookMemory> }
  | { readonly is: 'taking'; readonly attempt: number; readonly takeover: Takeover }
  | {
      readonly is: 'ended';
      readonly attempt: number;
      readonly result: Exclude<TakeoverResult, { is: 'owned' }>;
      readonly takeover: Takeover;
    }
  | {
      readonly is: 'keeping';
      readonly keepers: readonly Keeper[];
      /** Legs of mirrors that need not be proven. */
      readonly excused: readonly string[];
      readonly registeredMs: number | undefined;
      readonly from: NodeName | undefined;
    }
  | { readonly is: 'lost'; readonly why: string; readonly keepers: readonly Keeper[] }
  | {
      readonly is: 'releasing';
      readonly pool: Pool<ReleaseMemory>;
      readonly whole: boolean;
      readonly after: 'idle' | 'released';
    }
  | { readonly is: 'released'; readonly whole: boolean; readonly pool: Pool<ReleaseMemory> };

export interface Arbiter {
  readonly options: ArbiterOptions;
  readonly disks: readonly ArbiterDisk[];
  readonly wish: DiskWish;
  readonly mode: Mode;
}

function listOf(mode: Mode): readonly Machine<unknown>[] {
  switch (mode.is) {
    case 'idle':
      return mode.looks;
    case 'taking':
    case 'ended':
      return [mode.takeover.phase.machine];
    case 'keeping':
    case 'lost':
      return mode.keepers.map(({ machine }) => machine);
    case 'releasing':
    case 'released':
      return mode.pool;
  }
}

/** The machine that last had to do with each disk; a takeover has one at a time. */
export function machinesOf(
  mode: Mode,
  disks: readonly ArbiterDisk[],
): ReadonlyMap<string, Machine<unknown>> {
  if (mode.is === 'taking' || mode.is === 'ended') {
    const { takeover } = mode;
    const wwid = takeover.disks[takeover.at]?.wwid ?? '';
    return new Map([[wwid, takeover.phase.machine]]);
  }
  return new Map(
    listOf(mode).flatMap((machine, at) => {
      const disk = disks[at];
      return disk === undefined ? [] : [[disk.wwid, machine] as const];
    }),
  );
}

/** A number for asks that none of this arbiter's machines has used. */
export function nextIdOf({ mode }: Arbiter): number {
  return Math.max(1, ...listOf(mode).map(({ nextId }) => nextId));
}

const NOTHING: Input = { is: 'tick' };

/** What a machine of this disk is told. */
export function inputFor(input: ArbiterInput, wwid: string): Input {
  return input.is === 'disk' && input.wwid === wwid ? input.input : NOTHING;
}

/** When a machine next does something by time alone. */
function dueOf({ look, nextLookMs, ended }: Machine<unknown>): number {
  // A look that is not answered is given up by its deadlines, which come as answers.
  return ended || look !== undefined ? Number.POSITIVE_INFINITY : nextLookMs;
}

/** When the arbiter is to be stepped if nothing else happens. */
export function dueMsOf({ mode, options }: Arbiter): number {
  const dues = listOf(mode).map(dueOf);
  if (mode.is === 'keeping') {
    for (const keeper of mode.keepers) {
      if (keeper.is !== 'keep' || keeper.machine.ended) continue;
      dues.push(keeper.machine.memory.provenMs + options.verifyMs);
    }
  }
  return Math.min(...dues);
}
