/**
 * The core of the cluster: what was told since the last step gives the next state, the whole of what is
 * wished, and the reasons in words. It touches the hierarchies that something concerns, and no others. It
 * executes nothing and knows no time but `now`.
 */
import { type Ms, ms } from '../model.ts';
import { absorb, absorbLate } from './absorb.ts';
import { moveBlocked, moveCandidate, moveIdle, moveLatched } from './candidacy.ts';
import { type Draft, due, openDraft, putHierarchy } from './draft.ts';
import { fencesDueMs, wishFences } from './fences.ts';
import {
  invitation,
  leaveOrStay,
  moveReleasing,
  moveStopping,
  moveYielding,
  settleReleased,
  stopResetDueMs,
} from './handover.ts';
import { bareLives } from './lives.ts';
import type { ClusterDecision, ClusterInput, ClusterWish } from './model.ts';
import { lose, moveLosing, moveRunning, moveStarting, resetDueMs, wakeWaiting } from './owning.ts';
import { contactsDueMs, judgeContacts } from './peers.ts';
import { type Cluster, HAVING, type Hierarchy, type Life, NEVER, OWNING } from './state.ts';
import { moveTaking } from './taking.ts';
import { enter } from './turn.ts';
import { clusterWish, spoken } from './wishes.ts';
import { ownerElsewhere } from './worth.ts';

export interface ClusterTurn {
  readonly cluster: Cluster;
  readonly wish: ClusterWish;
  readonly decisions: readonly ClusterDecision[];
  /** Step again by then, if nothing else happens. */
  readonly dueAt: Ms | undefined;
}

/** More changes of state than any chain of them has: beyond it they would go round. */
const TURNS_MAX = 12;

/** Two nodes have what no disk decides about: the less preferred stops (a fence had lied). */
function moveConflict(draft: Draft, given: Hierarchy): Hierarchy | undefined {
  if (given.spec.fencedBy === 'disk' || given.state === 'stopping') return undefined;
  for (const place of given.rivals) {
    const peer = draft.peers[place];
    const said = peer?.said[given.place];
    if (peer === undefined || said === undefined || peer.contact !== 'heard') continue;
    if (!HAVING.has(said.state)) continue;
    if (given.spec.nodes.indexOf(peer.name) > given.preference) continue;
    const why = `${peer.name} has it as well, and is preferred`;
    const stopMs = Number(draft.now);
    const number = given.leaves;
    const phase = 'stopping';
    const leave = { to: undefined, number, phase, after: 'idle', why, sinceMs: stopMs, stopMs };
    return enter(draft, given, 'stopping', why, { leave } as Partial<Hierarchy>);
  }
  return undefined;
}

function moveOwned(draft: Draft, given: Hierarchy): Hierarchy {
  const changed = lose(draft, given) ?? moveConflict(draft, given);
  if (changed !== undefined) return changed;
  switch (given.state) {
    case 'starting': {
      const moved = moveStarting(draft, given);
      return moved.state === 'starting' ? leaveOrStay(draft, moved) : moved;
    }
    case 'yielding':
      return moveYielding(draft, given);
    case 'stopping':
      return moveStopping(draft, given);
    default: {
      const moved = moveRunning(draft, given);
      return moved.state === given.state ? leaveOrStay(draft, moved) : moved;
    }
  }
}

function turnOf(draft: Draft, given: Hierarchy): Hierarchy {
  switch (given.state) {
    case 'idle':
      return moveIdle(draft, settleReleased(draft, given));
    case 'candidate':
      return moveCandidate(draft, settleReleased(draft, given));
    case 'challenging':
    case 'acquiring':
      return moveTaking(draft, given);
    case 'starting':
    case 'running':
    case 'defending':
    case 'yielding':
    case 'stopping':
      return moveOwned(draft, given);
    case 'releasing':
      return moveReleasing(draft, given);
    case 'losing':
      return moveLosing(draft, given);
    case 'blocked':
      return moveBlocked(draft, given);
    case 'latched':
      return moveLatched(draft, given);
  }
}

/** Lets one hierarchy go as far as it can, and derives what is wished of it. */
function move(draft: Draft, given: Hierarchy): void {
  draft.dueMs = NEVER;
  const invited = invitation(draft, given);
  let next = invited === given.invited ? given : { ...given, invited };
  for (let turns = 0; turns < TURNS_MAX; turns += 1) {
    const { state } = next;
    next = turnOf(draft, next);
    if (next.state === state) break;
    draft.dueMs = NEVER;
  }
  if (next.state === 'losing') due(draft, resetDueMs(draft, next));
  due(draft, stopResetDueMs(draft, next));
  next = spoken(draft, next);
  const { dueMs } = draft;
  if (dueMs !== next.dueMs) next = { ...next, dueMs };
  if (next !== given) putHierarchy(draft, next);
  if (given.state === 'starting' && next.state !== 'starting') wakeWaiting(draft);
}

function moveAll(draft: Draft): void {
  for (const given of draft.hierarchies) {
    if (draft.all || given.dueMs <= draft.now) draft.dirty.add(given.place);
  }
  // The set grows while it is walked: what a move has woken comes last.
  for (const place of draft.dirty) {
    const given = draft.hierarchies[place];
    draft.dirty.delete(place);
    if (given !== undefined) move(draft, given);
  }
}

/** Lost here, of use here, and in nobody's reach but ours. */
function isStranded(draft: Draft, given: Hierarchy): boolean {
  const { disks, taint, state } = given;
  if (taint === undefined || state !== 'idle' || given.preference < 0) return false;
  if (disks?.is !== 'idle' || disks.unreadable !== undefined || disks.seen === undefined) {
    return false;
  }
  if (disks.seen.holder === 'stranger' || given.utility === 0) return false;
  if (given.latch !== undefined || ownerElsewhere(draft, given) !== undefined) return false;
  return !given.rivals.some((place) => {
    const peer = draft.peers[place];
    const said = peer?.said[given.place];
    return peer?.contact === 'heard' && said !== undefined && said.utility !== 0;
  });
}

/**
 * Lost here, served nowhere, readable again, and nothing else to be harmed: only a reboot gives the right to
 * it back, so the node takes that reboot. At most once for each loss, because it comes back owning nothing.
 */
function rebootFor(draft: Draft): string | undefined {
  const { graceMs } = draft.before.config.times;
  if (draft.frozen || draft.standby || draft.now < draft.accuseMs) return undefined;
  for (const given of draft.hierarchies) {
    if (OWNING.has(given.state) || given.state === 'releasing') return undefined;
  }
  for (const given of draft.hierarchies) {
    if (!isStranded(draft, given)) continue;
    const atMs = given.since + graceMs;
    due(draft, atMs);
    if (draft.now >= atMs) {
      return `${given.spec.name} was lost here and nobody else can serve it: a reboot gives the right back`;
    }
  }
  return undefined;
}

function resetWhy(draft: Draft): string | undefined {
  for (const given of draft.hierarchies) {
    if (given.state === 'losing') {
      const atMs = resetDueMs(draft, given);
      if (draft.now >= atMs) return `${given.spec.name} was lost and has not stopped: ${given.why}`;
      due(draft, atMs);
    }
    if (given.state === 'stopping') {
      const atMs = stopResetDueMs(draft, given);
      if (draft.now >= atMs) return `${given.spec.name} does not stop, and another node waits`;
    }
  }
  return rebootFor(draft);
}

function isFullStep(draft: Draft): boolean {
  return (
    draft.decisions.length > 0 ||
    draft.news ||
    draft.all ||
    draft.dirty.size > 0 ||
    draft.now >= draft.before.dueMs
  );
}

function closed(draft: Draft): Cluster {
  draft.dueMs = NEVER;
  wishFences(draft);
  draft.reset = resetWhy(draft);
  const wish = clusterWish(draft);
  due(draft, contactsDueMs(draft));
  due(draft, fencesDueMs(draft));
  if (draft.doubledMs > draft.now) due(draft, draft.doubledMs);
  let { dueMs } = draft;
  for (const given of draft.hierarchies) {
    if (given.dueMs > draft.now && given.dueMs < dueMs) dueMs = given.dueMs;
  }
  const { before } = draft;
  return {
    config: before.config,
    layout: before.layout,
    startedMs: before.startedMs,
    peers: draft.peers,
    lives: draft.lives,
    hierarchies: draft.hierarchies,
    standby: draft.standby,
    frozen: draft.frozen,
    watchdog: draft.watchdog,
    distrustMs: draft.distrustMs,
    accuseMs: draft.accuseMs,
    doubledMs: draft.doubledMs,
    fences: draft.fences,
    shoots: draft.shoots,
    dueMs,
    wish,
  };
}

function dueOf(cluster: Cluster): Ms | undefined {
  return cluster.dueMs === NEVER ? undefined : ms(cluster.dueMs);
}

const NO_DECISIONS: readonly ClusterDecision[] = [];

function withLives(cluster: Cluster, lives: readonly Life[]): Cluster {
  if (lives === cluster.lives) return cluster;
  // Written out: spreading so wide a value costs more than all the rest of such a step.
  return {
    config: cluster.config,
    layout: cluster.layout,
    startedMs: cluster.startedMs,
    peers: cluster.peers,
    lives,
    hierarchies: cluster.hierarchies,
    standby: cluster.standby,
    frozen: cluster.frozen,
    watchdog: cluster.watchdog,
    distrustMs: cluster.distrustMs,
    accuseMs: cluster.accuseMs,
    doubledMs: cluster.doubledMs,
    fences: cluster.fences,
    shoots: cluster.shoots,
    dueMs: cluster.dueMs,
    wish: cluster.wish,
  };
}

function quietTurn(cluster: Cluster): ClusterTurn {
  return { cluster, wish: cluster.wish, decisions: NO_DECISIONS, dueAt: dueOf(cluster) };
}

/** A caller that comes late was away, whether it knows or not; known first, because it voids what follows. */
function latenessOf(
  { dueMs, startedMs }: Cluster,
  now: Ms,
  inbox: readonly ClusterInput[],
): number {
  let lateMs = dueMs > startedMs ? now - dueMs : 0;
  for (const input of inbox) {
    if (input.kind === 'late') lateMs = Math.max(lateMs, input.lateMs);
  }
  return lateMs;
}

/** The next state of the cluster's core. `now` never runs backwards. */
export function stepCluster(
  cluster: Cluster,
  now: Ms,
  inbox: readonly ClusterInput[],
): ClusterTurn {
  if (now < cluster.dueMs) {
    const lives = bareLives(cluster, now, inbox);
    if (lives !== undefined) return quietTurn(withLives(cluster, lives));
  }
  const draft = openDraft(cluster, now);
  absorbLate(draft, latenessOf(cluster, now, inbox));
  for (const input of inbox) absorb(draft, input);
  if (!isFullStep(draft)) {
    const next = withLives(cluster, draft.lives);
    return quietTurn(draft.peers === cluster.peers ? next : { ...next, peers: draft.peers });
  }
  judgeContacts(draft);
  moveAll(draft);
  const next = closed(draft);
  const { decisions } = draft;
  return { cluster: next, wish: next.wish, decisions, dueAt: dueOf(next) };
}
