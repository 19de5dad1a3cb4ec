/**
 * One node of the cluster as a value: its core, the arbiters of its disks and its fences, put together. What
 * the core wishes goes to them, what they find goes back, within one step. It touches nothing: commands go
 * out and answers come in, so that the simulator runs this very code.
 */
import { stepArbiter } from '../../fencing/arbiter.ts';
import { reportOf } from '../../fencing/arbiter-report.ts';
import { type Arbiter, type ArbiterInput, dueMsOf } from '../../fencing/arbiter-state.ts';
import { echoesOf } from '../../rules/cluster/lives.ts';
import type {
  ClusterInput,
  ClusterWish,
  DiskWish,
  Heartbeat,
  HierarchyId,
} from '../../rules/cluster/model.ts';
import { stepCluster } from '../../rules/cluster/step.ts';
import type { DiskReport, Ms } from '../../rules/model.ts';
import {
  fenceHappened,
  fencesHeard,
  fencesSaid,
  fencesWished,
  lifeSign,
  sightFrom,
} from './program-fences.ts';
import type { Out, Program, ProgramInput, ProgramTurn, Sent } from './program-state.ts';

/** Core and edges answer each other within a step; more turns than this are left to the next one. */
const ROUNDS_MAX = 6;

/** The program of this step: copied once, changed in place until the step is over. */
type Draft = { -readonly [Name in keyof Program]: Program[Name] };

interface Work {
  program: Draft;
  arbiters: Map<HierarchyId, Arbiter> | undefined;
  reports: Map<HierarchyId, DiskReport> | undefined;
  inbox: ClusterInput[];
  readonly out: Sent;
}

function sameReport(one: DiskReport | undefined, other: DiskReport): boolean {
  if (one === undefined || one.is !== other.is) return false;
  const a: Readonly<Record<string, unknown>> = { ...one };
  const b: Readonly<Record<string, unknown>> = { ...other };
  return Object.keys(b).every((name) => {
    const [left, right] = [a[name], b[name]];
    if (left === right) return true;
    if (name !== 'seen' || left === undefined || right === undefined) return false;
    return sameSeen(left as Seen, right as Seen);
  });
}

type Seen = NonNullable<(DiskReport & { is: 'idle' })['seen']>;

function sameSeen(one: Seen, other: Seen): boolean {
  return one.atMs === other.atMs && one.holder === other.holder && one.node === other.node;
}

function tellArbiter(work: Work, id: HierarchyId, now: Ms, input: ArbiterInput): void {
  const { program } = work;
  const arbiter = (work.arbiters ?? program.arbiters).get(id);
  if (arbiter === undefined) return;
  const turn = stepArbiter(arbiter, now, input);
  for (const { wwid, ask } of turn.asks) work.out.asks.push({ hierarchy: id, wwid, ask });
  work.arbiters ??= new Map(program.arbiters);
  work.arbiters.set(id, turn.arbiter);
  const report = reportOf(turn.arbiter, now);
  if (sameReport((work.reports ?? program.reports).get(id), report)) return;
  work.reports ??= new Map(program.reports);
  work.reports.set(id, report);
  work.inbox.push({ kind: 'disks', at: now, hierarchy: id, report });
}

function absorb(work: Work, now: Ms, input: ProgramInput): void {
  switch (input.kind) {
    case 'tick':
      return;
    case 'disk':
      tellArbiter(work, input.hierarchy, now, {
        is: 'disk',
        wwid: input.wwid,
        input: input.input,
      });
      return;
    case 'switch': {
      const { target, id, reply } = input;
      fenceHappened(work, { kind: 'reply', id, reply }, target, now);
      return;
    }
    case 'heartbeat':
    case 'late':
      work.inbox.push(input);
      if (input.kind === 'heartbeat') {
        if (input.said.fences.length > 0) fencesHeard(work, input.said, input.at);
        lifeSign(work, input.said.from, input.at, now);
      } else work.program = sightFrom(work.program, input);
      return;
    default:
      work.inbox.push(input);
  }
}

function applyWishes(work: Work, now: Ms, wish: ClusterWish): void {
  const before = work.program.wish;
  if (wish !== before) {
    const old = new Map<HierarchyId, DiskWish>();
    for (const one of before?.hierarchies ?? []) old.set(one.id, one.disks);
    for (const { id, disks } of wish.hierarchies) {
      if (disks !== old.get(id)) tellArbiter(work, id, now, { is: 'wish', wish: disks });
    }
  }
  work.program.wish = wish;
  fencesWished(work, wish, now);
}

/** Arbiters and fences that have something to do by time alone. */
function onTime(work: Work, now: Ms): void {
  for (const [id, arbiter] of work.program.arbiters) {
    if (dueMsOf((work.arbiters ?? work.program.arbiters).get(id) ?? arbiter) <= now) {
      tellArbiter(work, id, now, { is: 'tick' });
    }
  }
  const { fencesWakeAt } = work.program;
  if (fencesWakeAt !== undefined && fencesWakeAt <= now) {
    fenceHappened(work, { kind: 'tick' }, undefined, now);
  }
}

/** Said when it is due, and at once when it says something new. */
function heartbeat(work: Work, now: Ms, wish: ClusterWish): Heartbeat | undefined {
  const { program } = work;
  if (wish.say === program.said && now < program.beatAt) return undefined;
  // Monotonic over all lives of the agent in this boot, without a file: peers drop what is not newer.
  const sequence = Math.max(program.sequence + 1, Math.floor(now));
  const beatAt = (now + program.config.cluster.times.heartbeatMs) as Ms;
  program.sequence = sequence;
  program.beatAt = beatAt;
  program.said = wish.say;
  const own = { sequence, sentMs: now, echoes: echoesOf(program.cluster) };
  const { history } = program.fences;
  return history.length === 0
    ? { ...wish.say, ...own }
    : { ...wish.say, fences: fencesSaid(program, now), ...own };
}

function dueAt({ arbiters, fencesWakeAt, beatAt, coreDueAt }: Program): Ms {
  let due = Math.min(beatAt, fencesWakeAt ?? beatAt, coreDueAt ?? beatAt);
  for (const arbiter of arbiters.values()) due = Math.min(due, dueMsOf(arbiter));
  return due as Ms;
}

/** One step of a node: everything that happened, then everything that follows from it. */
export function stepProgram(given: Program, now: Ms, inputs: readonly ProgramInput[]): ProgramTurn {
  const out: Sent = { asks: [], switches: [], decisions: [] };
  const work: Work = {
    program: { ...given },
    arbiters: undefined,
    reports: undefined,
    inbox: [...given.left],
    out,
  };
  for (const input of inputs) absorb(work, now, input);
  onTime(work, now);
  let wish: ClusterWish | undefined;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const { inbox } = work;
    if (round > 0 && inbox.length === 0) break;
    work.inbox = [];
    const turn = stepCluster(work.program.cluster, now, inbox);
    out.decisions.push(...turn.decisions);
    work.program.cluster = turn.cluster;
    work.program.coreDueAt = turn.dueAt;
    wish = turn.wish;
    applyWishes(work, now, wish);
  }
  if (wish === undefined) throw new Error('a step without a turn of the core');
  const said = heartbeat(work, now, wish);
  const { program, arbiters, reports } = work;
  if (arbiters !== undefined) program.arbiters = arbiters;
  if (reports !== undefined) program.reports = reports;
  // What the last round found is the first news of the next step.
  program.left = work.inbox;
  const result: Out = {
    asks: out.asks,
    switches: out.switches,
    decisions: out.decisions,
    services: wish.hierarchies,
    heartbeat: said,
    watchdog: wish.watchdog,
    reset: wish.reset,
    dueAt: work.inbox.length > 0 ? now : dueAt(program),
  };
  return { program, out: result };
}
