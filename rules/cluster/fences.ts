/**
 * Which nodes are to be cut, and by what right (S11): by the owner of a disk the silent node might write,
 * to shorten the wait of addresses; where no disk can be owned, by the first candidate; on the word of a
 * rule. One at a time. Whether a fence was done is never assumed: it comes back as an input.
 */
import { type Draft, graceUntilMs, note } from './draft.ts';
import type { FenceWish, NodeName } from './model.ts';
import { type Hierarchy, OWNING, type Peer } from './state.ts';
import { doubtful } from './taking.ts';

/** A fence that ended without a proof is wished for again after so long, doubling. */
const AGAIN_MS = 60_000;
const AGAIN_MAX_MS = 600_000;
/** A wish of a rule that could not be followed is dropped after so long. */
export const SHOOT_MS = 120_000;
/** What another node has just ordered is left to it. */
const OTHERS_MS = 30_000;
export const FENCES_KEPT_MS = 600_000;

function mayTry(draft: Draft, { fence, off }: Peer, again: boolean): boolean {
  if (off !== undefined) return false;
  if (fence === undefined) return true;
  if (!again) return false;
  const waitMs = Math.min(AGAIN_MS * 2 ** (fence.tries - 1), AGAIN_MAX_MS);
  return draft.now >= fence.atMs + waitMs;
}

/** When a fence that failed may be wished for again. */
export function fencesDueMs(draft: Draft): number {
  let dueMs = Number.POSITIVE_INFINITY;
  for (const { fence, off } of draft.peers) {
    if (fence === undefined || off !== undefined) continue;
    const atMs = fence.atMs + Math.min(AGAIN_MS * 2 ** (fence.tries - 1), AGAIN_MAX_MS);
    if (atMs > draft.now) dueMs = Math.min(dueMs, atMs);
  }
  for (const { atMs } of draft.shoots) dueMs = Math.min(dueMs, atMs + SHOOT_MS);
  const graceMs = graceUntilMs(draft);
  if (draft.now < graceMs) dueMs = Math.min(dueMs, graceMs);
  if (draft.now < draft.accuseMs) dueMs = Math.min(dueMs, draft.accuseMs);
  return dueMs;
}

function fenceable(draft: Draft, node: NodeName): boolean {
  return draft.before.config.fenceable.includes(node);
}

/** A live peer has ordered it lately; its outcome, or our own wait, comes first. */
function orderedElsewhere(draft: Draft, node: NodeName): boolean {
  return draft.peers.some(
    ({ name, contact, fences, fencesMs }) =>
      contact === 'heard' &&
      fences.some(
        ({ target, agoMs, by = name }) =>
          by === name && target === node && agoMs + (draft.now - fencesMs) < OTHERS_MS,
      ),
  );
}

/** Waiting addresses: the node it was won from, or, of an empty table, any that is silent. */
function wishOfOwner(draft: Draft, given: Hierarchy): FenceWish | undefined {
  if (given.state !== 'starting' || given.settled || !given.waits) return undefined;
  if (given.spec.fencedBy !== 'disk' || given.provenMs <= draft.distrustMs) return undefined;
  const [disk] = given.spec.disks;
  for (const peer of doubtful(draft, given)) {
    if (peer.contact !== 'silent') continue;
    if (given.from !== undefined && peer.name !== given.from) continue;
    if (!fenceable(draft, peer.name) || !mayTry(draft, peer, false)) continue;
    return {
      node: peer.name,
      by: { kind: 'owner', of: disk?.wwid ?? given.spec.name },
      why: `${given.spec.name} was won, and ${peer.name} may still serve its addresses`,
    };
  }
  return undefined;
}

/** No fence from silence alone (S7): somebody else is heard, or our own use to it is known. */
function hasWitness(draft: Draft, given: Hierarchy): boolean {
  if (given.utility !== undefined && given.utility > 0) return true;
  return draft.peers.some(({ contact }) => contact === 'heard');
}

function wishOfCandidate(draft: Draft, given: Hierarchy): FenceWish | undefined {
  if (given.state !== 'challenging' || given.spec.fencedBy !== 'power') return undefined;
  if (!hasWitness(draft, given)) return undefined;
  for (const peer of doubtful(draft, given)) {
    if (peer.contact === 'heard' || peer.contact === 'witnessed') continue;
    if (!fenceable(draft, peer.name) || !mayTry(draft, peer, true)) continue;
    return {
      node: peer.name,
      by: { kind: 'first-candidate', of: given.spec.id },
      why: `${given.spec.name} has no disk to own, and ${peer.name} is silent`,
    };
  }
  return undefined;
}

/** The deadline is past, the takeover was defended, and the stop has still not ended: it consented. */
function wishOfHeir(draft: Draft, given: Hierarchy): FenceWish | undefined {
  const { invited, spec } = given;
  if (invited?.phase !== 'stopping' || invited.denied === 0) return undefined;
  if (draft.now - invited.sinceMs < 2 * spec.handoverMs) return undefined;
  const place = draft.before.layout.peerOf.get(invited.by);
  const peer = place === undefined ? undefined : draft.peers[place];
  if (peer === undefined || !fenceable(draft, peer.name) || !mayTry(draft, peer, false)) {
    return undefined;
  }
  // Not for one hierarchy where others are served.
  const others = peer.said.some(
    (said, at) => at !== given.place && said !== undefined && OWNING.has(said.state),
  );
  if (others) return undefined;
  return {
    node: peer.name,
    by: { kind: 'first-candidate', of: spec.id },
    why: `${peer.name} gives ${spec.name} away and cannot stop it`,
  };
}

/** The right that this node has to cut another on the word of a rule; undefined: none. */
function rightOver(draft: Draft, node: NodeName): FenceWish['by'] | undefined {
  for (const given of draft.hierarchies) {
    if (!OWNING.has(given.state) || !given.spec.nodes.includes(node)) continue;
    const [disk] = given.spec.disks;
    if (disk !== undefined && given.disks?.is === 'owned') return { kind: 'owner', of: disk.wwid };
  }
  return undefined;
}

export interface ShootNo {
  readonly guard: string;
  readonly why: string;
}

/** Why a rule's fence is not ordered. */
export function shootNo(draft: Draft, node: NodeName): ShootNo | undefined {
  const { config, layout } = draft.before;
  if (node === config.self) return { guard: 'not-self', why: 'a node does not cut itself' };
  const place = layout.peerOf.get(node);
  const peer = place === undefined ? undefined : draft.peers[place];
  if (peer === undefined)
    return { guard: 'known-target', why: `${node} is no node of the cluster` };
  if (!fenceable(draft, node)) return { guard: 'known-target', why: `no power plan for ${node}` };
  if (draft.frozen) return { guard: 'maintenance', why: 'this node is frozen' };
  if (draft.now < draft.accuseMs) return { guard: 'self-late', why: 'this node was late itself' };
  if (draft.now < graceUntilMs(draft)) {
    return { guard: 'start-grace', why: 'this node has only just started' };
  }
  if (rightOver(draft, node) === undefined) {
    return { guard: 'authority', why: `this node owns no disk that ${node} might write` };
  }
  const other = draft.fenceWishes.find((wish) => wish.node !== node);
  if (other !== undefined) {
    return { guard: 'one-fence-at-a-time', why: `${other.node} is being cut` };
  }
  return undefined;
}

function wishesOf(draft: Draft): readonly FenceWish[] {
  const wishes: FenceWish[] = [];
  for (const { node, why } of draft.shoots) {
    const by = rightOver(draft, node);
    if (by !== undefined) wishes.push({ node, by, why });
  }
  if (draft.now < graceUntilMs(draft)) return wishes;
  for (const given of draft.hierarchies) {
    const wish =
      wishOfOwner(draft, given) ?? wishOfCandidate(draft, given) ?? wishOfHeir(draft, given);
    if (wish !== undefined) wishes.push(wish);
  }
  return wishes;
}

/** The one fence that is wished for now; one that was begun stays the one until it ends. */
export function wishFences(draft: Draft): void {
  draft.shoots = draft.shoots.some(({ atMs }) => draft.now >= atMs + SHOOT_MS)
    ? draft.shoots.filter(({ atMs }) => draft.now < atMs + SHOOT_MS)
    : draft.shoots;
  const blind = draft.frozen || draft.now < draft.accuseMs;
  const wishes = blind ? [] : wishesOf(draft);
  const [was] = draft.fenceWishes;
  const same = wishes.find(({ node }) => node === was?.node);
  const next = same ?? wishes.find(({ node }) => !orderedElsewhere(draft, node));
  if (next === undefined) {
    if (was !== undefined) draft.fenceWishes = [];
    return;
  }
  if (was !== undefined && was.node === next.node && was.why === next.why) return;
  if (was?.node !== next.node) {
    note(draft, undefined, `${next.node} is to be cut: ${next.why}`);
    const kept = draft.fences.filter(({ atMs }) => draft.now - atMs < FENCES_KEPT_MS);
    draft.fences = [...kept, { target: next.node, atMs: Number(draft.now) }];
  }
  draft.fenceWishes = [next];
}
