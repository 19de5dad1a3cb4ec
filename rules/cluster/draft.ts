/**
 * One step of the cluster's core under way: the parts that changed are copied once, the others are shared
 * with the step before. It marks which hierarchies have to be looked at, and decides nothing.
 */
import type { Ms } from '../model.ts';
import type { ClusterDecision, FenceWish } from './model.ts';
import type { Cluster, Hierarchy, Life, Peer } from './state.ts';

export interface Draft {
  readonly before: Cluster;
  readonly now: Ms;
  /** Copied from `before` when first written to. */
  peers: readonly Peer[];
  lives: readonly Life[];
  hierarchies: readonly Hierarchy[];
  standby: boolean;
  frozen: boolean;
  watchdog: Cluster['watchdog'];
  distrustMs: number;
  accuseMs: number;
  doubledMs: number;
  fences: Cluster['fences'];
  shoots: Cluster['shoots'];
  fenceWishes: readonly FenceWish[];
  reset: string | undefined;
  /** Places of hierarchies to look at in this step; `all` of them. */
  readonly dirty: Set<number>;
  all: boolean;
  /** Anything but lateness of life signs changed: wishes are to be made anew. */
  news: boolean;
  /** When the hierarchy at hand has something to do by time alone. */
  dueMs: number;
  readonly decisions: ClusterDecision[];
}

export function openDraft(before: Cluster, now: Ms): Draft {
  return {
    before,
    now,
    peers: before.peers,
    lives: before.lives,
    hierarchies: before.hierarchies,
    standby: before.standby,
    frozen: before.frozen,
    watchdog: before.watchdog,
    distrustMs: before.distrustMs,
    accuseMs: before.accuseMs,
    doubledMs: before.doubledMs,
    fences: before.fences,
    shoots: before.shoots,
    fenceWishes: before.wish.fences,
    reset: undefined,
    dirty: new Set(),
    all: false,
    news: false,
    dueMs: Number.POSITIVE_INFINITY,
    decisions: [],
  };
}

export function putPeer(draft: Draft, place: number, peer: Peer): void {
  if (draft.peers === draft.before.peers) draft.peers = draft.peers.slice();
  (draft.peers as Peer[])[place] = peer;
}

export function putLife(draft: Draft, place: number, life: Life): void {
  if (draft.lives === draft.before.lives) draft.lives = draft.lives.slice();
  (draft.lives as Life[])[place] = life;
}

export function heardMsOf(draft: Draft, place: number): number {
  return draft.lives[place]?.heardMs ?? Number.NEGATIVE_INFINITY;
}

export function putHierarchy(draft: Draft, hierarchy: Hierarchy): void {
  if (draft.hierarchies === draft.before.hierarchies) {
    draft.hierarchies = draft.hierarchies.slice();
  }
  (draft.hierarchies as Hierarchy[])[hierarchy.place] = hierarchy;
}

/** A change to one hierarchy that has to be looked at. */
export function tell(draft: Draft, place: number, change: Partial<Hierarchy>): void {
  const hierarchy = draft.hierarchies[place];
  if (hierarchy === undefined) return;
  putHierarchy(draft, { ...hierarchy, ...change });
  draft.dirty.add(place);
  draft.news = true;
}

/** Something that may concern every hierarchy. */
export function tellAll(draft: Draft): void {
  draft.all = true;
  draft.news = true;
}

/** The hierarchy at hand is to be looked at again by then. */
export function due(draft: Draft, atMs: number): void {
  if (atMs > draft.now && atMs < draft.dueMs) draft.dueMs = atMs;
}

/** Until then the node counts as one that has only just booted. */
export function graceUntilMs({ before: { config, startedMs } }: Draft): number {
  return (config.bootedMs ?? startedMs) + config.times.graceMs;
}

/** A sentence that belongs to no change of state. */
export function note(
  draft: Draft,
  hierarchy: Hierarchy | undefined,
  why: string,
  refusedBy?: string,
): void {
  draft.decisions.push({
    hierarchy: hierarchy?.spec.id,
    from: undefined,
    to: undefined,
    refusedBy,
    why,
  });
}
