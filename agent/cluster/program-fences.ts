/**
 * The fences of a node of the cluster: wishes become requests, one for each target at a time, and what comes
 * of them is told to the core once. Whether a fence may be is the guards'; what off means is the fence's.
 */
import type { FenceEvent, FenceOutcome } from '../../fencing/fence-state.ts';
import { type FencesTurn, happened, heardOf, request } from '../../fencing/fences.ts';
import { type Authority, type FenceContext, WINDOW_MS } from '../../fencing/guards.ts';
import type {
  ClusterInput,
  ClusterWish,
  FenceWish,
  Heartbeat,
  NodeName,
} from '../../rules/cluster/model.ts';
import type { Ms } from '../../rules/model.ts';
import type { FenceTried, Program, Sent } from './program-state.ts';

/** After lateness we accuse nobody for so long. */
const BLUR_MS = 10_000;

interface Work {
  program: Program;
  inbox: ClusterInput[];
  readonly out: Sent;
}

function authorityOf({ by }: FenceWish): Authority {
  switch (by.kind) {
    case 'owner':
      return { kind: 'owner', disk: by.of };
    case 'first-candidate':
      return { kind: 'first-candidate', hierarchy: by.of };
    case 'operator':
      return { kind: 'operator', who: by.of };
  }
}

function contextOf(
  { config, blurredUntil }: Program,
  wish: FenceWish,
  frozen: boolean,
  now: Ms,
): Omit<FenceContext, 'history'> {
  return {
    self: config.cluster.self,
    now,
    bootedAt: config.bootedAt,
    nodes: config.cluster.nodes.length,
    authority: authorityOf(wish),
    maintenance: frozen,
    sightGood: now >= blurredUntil,
    plans: config.plans,
  };
}

/** Own lateness, as far as fences are concerned. */
export function sightFrom(
  program: Program,
  late: { readonly at: Ms; readonly lateMs: number },
): Program {
  if (late.lateMs < program.config.cluster.times.lateMs) return program;
  return { ...program, blurredUntil: (late.at + BLUR_MS) as Ms };
}

function told(work: Work, node: NodeName, tried: FenceTried): void {
  const next = new Map(work.program.tried);
  next.set(node, tried);
  work.program = { ...work.program, tried: next };
}

function outcomeInput(node: NodeName, outcome: FenceOutcome, at: Ms): ClusterInput | undefined {
  switch (outcome.kind) {
    case 'running':
      return undefined;
    case 'off':
      return {
        kind: 'fence',
        at,
        node,
        outcome: 'off',
        offAt: outcome.at,
        why: `all feeds were seen off, level ${outcome.level}`,
      };
    case 'failed':
    case 'refuted':
      return { kind: 'fence', at, node, outcome: outcome.kind, why: outcome.why };
  }
}

function afterTurn(work: Work, turn: FencesTurn, now: Ms): void {
  const { fences, commands, wakeAt } = turn;
  work.out.switches.push(...commands);
  work.program = { ...work.program, fences, fencesWakeAt: wakeAt };
  for (const { target, fence } of fences.runs) {
    const node = target as NodeName;
    const input = outcomeInput(node, fence.outcome, now);
    const tried = work.program.tried.get(node);
    if (input?.kind !== 'fence' || tried === undefined || tried.told === input.outcome) continue;
    told(work, node, { ...tried, at: now, told: input.outcome });
    work.inbox.push(input);
  }
}

export function fenceHappened(
  work: Work,
  event: FenceEvent,
  target: string | undefined,
  now: Ms,
): void {
  afterTurn(work, happened(work.program.fences, event, target, now), now);
}

/** A fresh sign of life may take back the proof that its node is off. */
export function lifeSign(work: Work, node: NodeName, at: Ms, now: Ms): void {
  if (!work.program.fences.runs.some(({ target }) => target === node)) return;
  fenceHappened(work, { kind: 'life', node, at }, node, now);
}

/** One fence heard of twice differs by delays and clocks, two of one target by far more. */
const SAME_MS = 10_000;
/** Fences of a node's window that are passed on; the guards allow far fewer. */
const SAID_MAX = 16;

/**
 * Fences that a peer knows of count in our guards: those of others, and our own of a life of this agent that
 * we do not remember.
 */
export function fencesHeard(work: Work, { from, fences }: Heartbeat, at: Ms): void {
  for (const { target, agoMs, by = from } of fences.slice(0, SAID_MAX)) {
    const orderedAt = (at - agoMs) as Ms;
    const { history } = work.program.fences;
    const known = history.some(
      (one) => one.by === by && one.target === target && Math.abs(one.at - orderedAt) < SAME_MS,
    );
    if (known || agoMs > WINDOW_MS || agoMs < 0) continue;
    const kept = history.filter((one) => at - one.at < WINDOW_MS);
    const fences = heardOf(
      { ...work.program.fences, history: kept },
      { by, target, at: orderedAt },
    );
    work.program = { ...work.program, fences };
  }
}

/** What a heartbeat says of fences: all that count in the window, so that a restart forgets none. */
export function fencesSaid({ fences, config }: Program, now: Ms): Heartbeat['fences'] {
  const { self } = config.cluster;
  const lately = fences.history.filter(({ at }) => now - at < WINDOW_MS);
  return lately.slice(-SAID_MAX).map(({ by, target, at }) => ({
    target: target as NodeName,
    agoMs: Math.round(now - at),
    ...(by === self ? {} : { by: by as NodeName }),
  }));
}

/** Asks for what is wished and was not tried lately. */
export function fencesWished(work: Work, wish: ClusterWish, now: Ms): void {
  for (const one of wish.fences) {
    const { config, tried, fences } = work.program;
    const before = tried.get(one.node);
    const last = before?.wished === true ? before : undefined;
    const settled = last?.told === 'off' || (last !== undefined && last.told === undefined);
    if (settled || (last !== undefined && now - last.at < config.fence.againMs)) continue;
    const context = contextOf(work.program, one, wish.say.frozen, now);
    const want = config.fence.afterwards === 'on' ? 'reboot' : 'off';
    const options = { asker: one.by.of, deadlineMs: config.fence.deadlineMs };
    const turn = request(fences, one.node, want, context, options);
    const { refusal } = turn;
    const outcome = refusal === undefined ? undefined : ('refused' as const);
    told(work, one.node, { at: now, told: outcome, wished: true });
    if (refusal !== undefined) {
      const why = `${refusal.guard}: ${refusal.why}`;
      work.inbox.push({ kind: 'fence', at: now, node: one.node, outcome: 'refused', why });
      continue;
    }
    afterTurn(work, turn, now);
  }
  forget(work, wish);
}

/** What is no longer wished is tried afresh when it is wished again. */
function forget(work: Work, wish: ClusterWish): void {
  for (const [node, tried] of work.program.tried) {
    if (!tried.wished || wish.fences.some((one) => one.node === node)) continue;
    told(work, node, { ...tried, wished: false });
  }
}
