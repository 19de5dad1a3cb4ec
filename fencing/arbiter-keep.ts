/**
 * A hierarchy's disks while they are ours: each is proven and defended by itself, and all of them together
 * are owned only while every one is, but for the legs of a mirror that md has recorded as failed. A leg that
 * comes back is taken only where nobody holds it.
 */
import type { DiskReport, Ms, NodeName } from '../rules/model.ts';
import {
  type Arbiter,
  type ArbiterInput,
  type DiskAsk,
  inputFor,
  type Keeper,
  type Mode,
  machinesOf,
  nextIdOf,
} from './arbiter-state.ts';
import { claimOf, claimPolicy } from './reservation/claim.ts';
import { type DefendMemory, defendOf, defendPolicy } from './reservation/defend.ts';
import { step } from './reservation/engine.ts';
import { begin, succeed } from './reservation/machine.ts';

export interface Taken {
  readonly provenMs: number;
  readonly registeredMs?: number | undefined;
  readonly from: NodeName | undefined;
  /** Why the look that led here was no proof: another key stood there. */
  readonly unproven?: string | undefined;
}

type Keeping = Mode & { is: 'keeping' };

function defender(arbiter: Arbiter, provenMs: number): DefendMemory {
  const { restoreMs, verifyMs } = arbiter.options;
  return defendOf({ restoreMs, verifyMs }, provenMs);
}

export function keepMode(
  arbiter: Arbiter,
  { provenMs, registeredMs, from, unproven }: Taken,
  nowMs: number,
): Keeping {
  const { options, disks, mode } = arbiter;
  const old = machinesOf(mode, disks);
  const keepers = disks.map(({ wwid, paths }): Keeper => {
    const memory = { ...defender(arbiter, provenMs), unproven };
    const before = old.get(wwid);
    const machine =
      before === undefined
        ? begin(options.self, options.times, paths, memory, nowMs, nextIdOf(arbiter))
        : { ...succeed(before, memory, nowMs), paths, times: options.times };
    return { is: 'keep', machine };
  });
  return { is: 'keeping', keepers, excused: [], registeredMs, from };
}

function excusedOf({ wish }: Arbiter): readonly string[] {
  return wish.want === 'keep' ? wish.excused : [];
}

interface Kept {
  readonly keeper: Keeper;
  readonly asks: readonly DiskAsk[];
}

function stepKeeper(
  arbiter: Arbiter,
  keeper: Keeper,
  wwid: string,
  nowMs: number,
  input: ArbiterInput,
): Kept {
  const told = inputFor(input, wwid);
  switch (keeper.is) {
    case 'keep': {
      const { machine, asks, result } = step(keeper.machine, nowMs, told, defendPolicy);
      const sent = asks.map((ask): DiskAsk => ({ wwid, ask }));
      if (result === undefined) return { keeper: { is: 'keep', machine }, asks: sent };
      return { keeper: { is: 'gone', machine, why: `${wwid}: ${result.why}` }, asks: sent };
    }
    case 'again': {
      const { machine, asks, result } = step(keeper.machine, nowMs, told, claimPolicy);
      const sent = asks.map((ask): DiskAsk => ({ wwid, ask }));
      if (result === undefined) return { keeper: { is: 'again', machine }, asks: sent };
      if (result.is !== 'owned') {
        return { keeper: { is: 'gone', machine, why: `${wwid}: ${result.why}` }, asks: sent };
      }
      const kept = succeed(machine, defender(arbiter, result.atMs), nowMs);
      return { keeper: { is: 'keep', machine: kept }, asks: sent };
    }
    case 'gone':
      return { keeper, asks: [] };
  }
}

/** A leg that was excused and is excused no more: md wants it back. */
function returned(keeper: Keeper, wasExcused: boolean, nowMs: number): Keeper {
  if (keeper.is !== 'gone' || !wasExcused) return keeper;
  return { is: 'again', machine: succeed(keeper.machine, claimOf(undefined), nowMs) };
}

export function stepKeep(
  arbiter: Arbiter,
  mode: Keeping,
  nowMs: number,
  input: ArbiterInput,
): { readonly mode: Mode; readonly asks: readonly DiskAsk[] } {
  const excused = excusedOf(arbiter);
  const asks: DiskAsk[] = [];
  const keepers = mode.keepers.map((given, index) => {
    const wwid = arbiter.disks[index]?.wwid ?? '';
    const was = mode.excused.includes(wwid) && !excused.includes(wwid);
    const kept = stepKeeper(arbiter, returned(given, was, nowMs), wwid, nowMs, input);
    asks.push(...kept.asks);
    return kept.keeper;
  });
  const lost = keepers.find(
    (keeper, index) => keeper.is === 'gone' && !excused.includes(arbiter.disks[index]?.wwid ?? ''),
  );
  if (lost?.is === 'gone') return { mode: { is: 'lost', why: lost.why, keepers }, asks };
  return { mode: { ...mode, keepers, excused }, asks };
}

export function keepReport(arbiter: Arbiter, mode: Keeping): DiskReport {
  let provenMs = Number.POSITIVE_INFINITY;
  let challenged: string | undefined;
  for (const [index, keeper] of mode.keepers.entries()) {
    const wwid = arbiter.disks[index]?.wwid ?? '';
    if (mode.excused.includes(wwid)) continue;
    if (keeper.is !== 'keep') {
      challenged ??= `${wwid} is being taken back`;
      continue;
    }
    provenMs = Math.min(provenMs, keeper.machine.memory.provenMs);
    const { unproven } = keeper.machine.memory;
    if (unproven !== undefined) challenged ??= `${wwid}: ${unproven}`;
  }
  return {
    is: 'owned',
    provenMs: provenMs as Ms,
    registeredMs: mode.registeredMs as Ms | undefined,
    from: mode.from,
    challenged,
  };
}
