/**
 * The disks of one hierarchy, taken, kept and given back together. It turns what the cluster's core wishes
 * into reservation machines, one for each disk, and what they find into one report. Whether to wish is the
 * core's; what a table means is the machines'. It never has two PR OUTs on a disk, and hands one that is in
 * doubt from machine to machine until it is settled.
 */
import type { DiskWish, NodeName } from '../rules/model.ts';
import { keepMode, stepKeep } from './arbiter-keep.ts';
import {
  type Arbiter,
  type ArbiterDisk,
  type ArbiterInput,
  type ArbiterOptions,
  type DiskAsk,
  inputFor,
  type LookMemory,
  type Mode,
  machinesOf,
  nextIdOf,
  type Pool,
} from './arbiter-state.ts';
import { step } from './reservation/engine.ts';
import { type Key, partsOf } from './reservation/key.ts';
import { begin, type Machine, type Policy, succeed } from './reservation/machine.ts';
import { type ReleaseMemory, releaseOf, releasePolicy } from './reservation/release.ts';
import { standingOf } from './reservation/table.ts';
import { beginTakeover, stepTakeover, type Takeover } from './reservation/takeover.ts';

export interface ArbiterTurn {
  readonly arbiter: Arbiter;
  readonly asks: readonly DiskAsk[];
}

/** A look without interest: it never ends and never sends. */
const lookPolicy: Policy<LookMemory, never> = {
  decide: ({ table }) => ({ memory: { table, why: undefined }, move: { do: 'wait' } }),
  blind: () => undefined,
  acted: (memory) => memory,
};

function idleMode(arbiter: Arbiter, nowMs: number): Mode {
  const { options, disks } = arbiter;
  const old = machinesOf(arbiter.mode, arbiter.disks);
  const times = { ...options.times, everyMs: options.idleMs };
  const looks = disks.map(({ wwid, paths }): Machine<LookMemory> => {
    const memory: LookMemory = { table: undefined, why: undefined };
    const before = old.get(wwid);
    const machine =
      before === undefined
        ? begin(options.self, times, paths, memory, nowMs, nextIdOf(arbiter))
        : succeed(before, memory, nowMs);
    return { ...machine, paths, times };
  });
  return { is: 'idle', looks };
}

export function beginArbiter(
  options: ArbiterOptions,
  disks: readonly ArbiterDisk[],
  nowMs: number,
): Arbiter {
  const bare: Arbiter = {
    options,
    disks,
    wish: { want: 'none' },
    mode: { is: 'idle', looks: [] },
  };
  return { ...bare, mode: idleMode(bare, nowMs) };
}

function releaseMode(arbiter: Arbiter, after: 'idle' | 'released', nowMs: number): Mode {
  const { options, disks } = arbiter;
  const old = machinesOf(arbiter.mode, arbiter.disks);
  const pool = disks.map(({ wwid, paths }): Machine<ReleaseMemory> => {
    const before = old.get(wwid);
    const machine =
      before === undefined
        ? begin(options.self, options.times, paths, releaseOf(), nowMs, nextIdOf(arbiter))
        : succeed(before, releaseOf(), nowMs);
    return { ...machine, paths, times: options.times };
  });
  return { is: 'releasing', pool, whole: true, after };
}

function takeMode(arbiter: Arbiter, wish: DiskWish & { want: 'take' }, nowMs: number): Mode {
  const { options, disks } = arbiter;
  const inDoubt = [...machinesOf(arbiter.mode, arbiter.disks).values()].some(
    ({ act }) => act !== undefined,
  );
  // What an earlier try left in doubt is settled first: by a release, which sends nothing before it is.
  if (inDoubt) return releaseMode(arbiter, 'idle', nowMs);
  const takeover = beginTakeover(
    disks,
    {
      self: options.self,
      times: options.times,
      waitMs: options.challengeMs,
      ...(wish.silent ? { emptyWaitMs: 0 } : {}),
      readableMs: options.readableMs,
      firstId: nextIdOf(arbiter),
    },
    nowMs,
  );
  return { is: 'taking', attempt: wish.attempt, takeover };
}

/** Everything was seen to be ours by the last looks: the agent has started anew over a living owner. */
function isOwned(mode: Mode & { is: 'idle' }, self: Key): boolean {
  return (
    mode.looks.length > 0 &&
    mode.looks.every(({ memory: { table } }) => {
      const standing = table === undefined ? undefined : standingOf(table, self).is;
      return standing === 'ours' || standing === 'challenged';
    })
  );
}

function onTake(arbiter: Arbiter, wish: DiskWish & { want: 'take' }, nowMs: number): Mode {
  const { mode } = arbiter;
  const free = mode.is === 'idle' || mode.is === 'released';
  const again = mode.is === 'ended' && mode.attempt !== wish.attempt;
  return free || again ? takeMode(arbiter, wish, nowMs) : mode;
}

function onKeep(arbiter: Arbiter, nowMs: number): Mode {
  const { mode, options } = arbiter;
  if (mode.is !== 'idle' || !isOwned(mode, options.self.key)) return mode;
  const proven = mode.looks.map(({ memory }) => memory.table?.atMs ?? Number.NEGATIVE_INFINITY);
  const challenged = mode.looks.some(({ memory: { table } }) => {
    return table !== undefined && standingOf(table, options.self.key).is === 'challenged';
  });
  const unproven = challenged ? 'another key stood there when it was found' : undefined;
  return keepMode(arbiter, { provenMs: Math.min(...proven), from: undefined, unproven }, nowMs);
}

function onRelease(arbiter: Arbiter, nowMs: number): Mode {
  const { mode } = arbiter;
  if (mode.is === 'released') return mode;
  if (mode.is !== 'releasing') return releaseMode(arbiter, 'released', nowMs);
  return mode.after === 'released' ? mode : { ...mode, after: 'released' };
}

function onNone(arbiter: Arbiter, nowMs: number): Mode {
  const { mode } = arbiter;
  if (mode.is === 'taking') return releaseMode(arbiter, 'idle', nowMs);
  return mode.is === 'idle' || mode.is === 'releasing' ? mode : idleMode(arbiter, nowMs);
}

/** The mode that a wish asks for; the present one where it fits, or where it has to come to its end first. */
function wished(arbiter: Arbiter, nowMs: number): Mode {
  const { wish } = arbiter;
  switch (wish.want) {
    case 'none':
      return onNone(arbiter, nowMs);
    case 'take':
      return onTake(arbiter, wish, nowMs);
    case 'keep':
      return onKeep(arbiter, nowMs);
    case 'release':
      return onRelease(arbiter, nowMs);
  }
}

function stepIdle(
  arbiter: Arbiter,
  mode: Mode & { is: 'idle' },
  nowMs: number,
  input: ArbiterInput,
) {
  const asks: DiskAsk[] = [];
  const looks = mode.looks.map((machine, index) => {
    const wwid = arbiter.disks[index]?.wwid ?? '';
    const turn = step(machine, nowMs, inputFor(input, wwid), lookPolicy);
    for (const ask of turn.asks) asks.push({ wwid, ask });
    return turn.machine;
  });
  return { mode: { ...mode, looks }, asks };
}

function stepTaking(
  arbiter: Arbiter,
  mode: Mode & { is: 'taking' },
  nowMs: number,
  input: ArbiterInput,
): { readonly mode: Mode; readonly asks: readonly DiskAsk[] } {
  const { disks, at } = mode.takeover;
  const wwid = disks[at]?.wwid ?? '';
  const { disks: now } = arbiter;
  const turn = stepTakeover({ ...mode.takeover, disks: now }, nowMs, inputFor(input, wwid));
  const asks = turn.asks.map((ask): DiskAsk => ({ wwid: turn.wwid, ask }));
  const { takeover } = turn;
  const { result } = takeover;
  if (result === undefined) return { mode: { ...mode, takeover }, asks };
  if (result.is !== 'owned') {
    return { mode: { is: 'ended', attempt: mode.attempt, result, takeover }, asks };
  }
  const from = nodeOf(takeover, arbiter.options);
  const { registeredMs } = takeover;
  const taken = { ...arbiter, mode: { ...mode, takeover } };
  return {
    mode: keepMode(taken, { provenMs: result.atMs, registeredMs, from }, nowMs),
    asks,
  };
}

function nodeOf({ victim }: Takeover, { nodes }: ArbiterOptions): NodeName | undefined {
  return victim === undefined ? undefined : nodes.get(partsOf(victim).node);
}

function stepReleasing(
  arbiter: Arbiter,
  mode: Mode & { is: 'releasing' },
  nowMs: number,
  input: ArbiterInput,
): { readonly mode: Mode; readonly asks: readonly DiskAsk[] } {
  const asks: DiskAsk[] = [];
  let { whole } = mode;
  const pool = mode.pool.map((machine, index) => {
    const wwid = arbiter.disks[index]?.wwid ?? '';
    const turn = step(machine, nowMs, inputFor(input, wwid), releasePolicy);
    for (const ask of turn.asks) asks.push({ wwid, ask });
    if (turn.result?.is === 'left-behind') whole = false;
    return turn.machine;
  });
  const going: Pool<ReleaseMemory> = pool;
  if (going.some(({ ended }) => !ended)) return { mode: { ...mode, pool: going, whole }, asks };
  const ended = { ...arbiter, mode: { ...mode, pool: going } };
  return {
    mode: mode.after === 'idle' ? idleMode(ended, nowMs) : { is: 'released', whole, pool: going },
    asks,
  };
}

function stepMode(
  arbiter: Arbiter,
  nowMs: number,
  input: ArbiterInput,
): { readonly mode: Mode; readonly asks: readonly DiskAsk[] } {
  const { mode } = arbiter;
  switch (mode.is) {
    case 'idle':
      return stepIdle(arbiter, mode, nowMs, input);
    case 'taking':
      return stepTaking(arbiter, mode, nowMs, input);
    case 'keeping':
      return stepKeep(arbiter, mode, nowMs, input);
    case 'releasing':
      return stepReleasing(arbiter, mode, nowMs, input);
    case 'ended':
    case 'released':
    case 'lost':
      return { mode, asks: [] };
  }
}

function withPaths(disks: readonly ArbiterDisk[], input: ArbiterInput): readonly ArbiterDisk[] {
  if (input.is !== 'disk') return disks;
  const told = input.input;
  if (told.is !== 'paths' && told.is !== 'gone') return disks;
  return disks.map((disk) => {
    if (disk.wwid !== input.wwid) return disk;
    const paths =
      told.is === 'paths' ? told.paths : disk.paths.filter(({ name }) => name !== told.path);
    return { ...disk, paths };
  });
}

/** One step: what happened first, then what is wished; a wish that changes the mode acts at once. */
export function stepArbiter(given: Arbiter, nowMs: number, input: ArbiterInput): ArbiterTurn {
  const told = input.is === 'wish' ? { ...given, wish: input.wish } : given;
  const arbiter = { ...told, disks: withPaths(told.disks, input) };
  const first = stepMode(arbiter, nowMs, input);
  const stepped = { ...arbiter, mode: first.mode };
  const mode = wished(stepped, nowMs);
  if (mode === stepped.mode) return { arbiter: stepped, asks: first.asks };
  const moved = { ...stepped, mode };
  const second = stepMode(moved, nowMs, { is: 'tick' });
  return { arbiter: { ...moved, mode: second.mode }, asks: [...first.asks, ...second.asks] };
}
