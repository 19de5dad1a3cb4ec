/**
 * How useful a hierarchy is on a node: whether this node may take it at all and why not, what it says of
 * itself, which peers could serve it, and which of them goes before. It looks; it changes nothing.
 */
import type { Draft } from './draft.ts';
import { due } from './draft.ts';
import type { HierarchySaid } from './model.ts';
import { HAVING, type Hierarchy, type Peer } from './state.ts';

export interface No {
  readonly guard: string;
  readonly why: string;
}

/** The hash of a live peer, or of the node that holds it, differs: no automatic takeover (F96). */
function mismatch(draft: Draft, hierarchy: Hierarchy): string | undefined {
  const holder = holderOf(hierarchy);
  for (const place of hierarchy.rivals) {
    const peer = draft.peers[place];
    const said = peer?.said[hierarchy.place];
    if (peer === undefined || said === undefined || said.hash === hierarchy.word.hash) continue;
    if (peer.contact === 'heard' || peer.name === holder) return peer.name;
  }
  return undefined;
}

/** The node that holds its disks, as a look without interest saw it. */
export function holderOf({ disks }: Hierarchy): string | undefined {
  return disks?.is === 'idle' ? disks.seen?.node : undefined;
}

/** What keeps this node from having it for as long as nothing changes; it then says that its utility is 0. */
export function unfit(draft: Draft, hierarchy: Hierarchy): No | undefined {
  const { now, before } = draft;
  const { spec, disks } = hierarchy;
  if (hierarchy.preference < 0) return { guard: 'not-here', why: 'this node may not run it' };
  if (hierarchy.latch !== undefined) return { guard: 'latched', why: hierarchy.latch };
  if (hierarchy.utility === 0) return { guard: 'utility', why: 'its utility is 0 here' };
  if (draft.standby) return { guard: 'standby', why: 'this node is on standby' };
  if (hierarchy.taint !== undefined) {
    return { guard: 'tainted', why: 'it was lost here: only a reboot gives the right back' };
  }
  if (draft.doubledMs > now) {
    due(draft, draft.doubledMs);
    return { guard: 'doubled', why: `another node calls itself ${before.config.self}` };
  }
  if (hierarchy.spoiledMs > now) {
    due(draft, hierarchy.spoiledMs);
    return { guard: 'spoiled', why: 'it did not run here lately' };
  }
  if (hierarchy.services?.latched !== undefined) {
    return { guard: 'service-latched', why: hierarchy.services.latched };
  }
  if (spec.fencedBy !== 'disk') return undefined;
  const timeoutMs = draft.watchdog?.timeoutMs;
  if (draft.watchdog !== undefined && timeoutMs === undefined) {
    return { guard: 'no-watchdog', why: 'no watchdog would stop this node' };
  }
  if (timeoutMs !== undefined && timeoutMs > before.config.times.watchdogMs) {
    return { guard: 'no-watchdog', why: `the watchdog waits ${timeoutMs} ms, which is too long` };
  }
  if (disks?.is === 'idle' && disks.unreadable !== undefined) {
    // A look takes its time, and the first one after a try has only begun.
    const atMs = hierarchy.unreadMs + before.config.times.verifyMs;
    if (now >= atMs) return { guard: 'unreadable', why: disks.unreadable };
    due(draft, atMs);
  }
  if (disks?.is === 'idle' && disks.seen?.holder === 'stranger') {
    return { guard: 'stranger', why: 'its disk is held by a stranger to this cluster' };
  }
  return undefined;
}

/** What keeps this node from taking it now. */
export function unready(draft: Draft, hierarchy: Hierarchy): No | undefined {
  const no = unfit(draft, hierarchy);
  if (no !== undefined) return no;
  if (draft.frozen) return { guard: 'maintenance', why: 'this node is frozen' };
  if (hierarchy.services === undefined) {
    return { guard: 'unseen', why: 'its services were not looked at yet' };
  }
  if (hierarchy.services.remains) {
    return { guard: 'remains', why: 'something of it may still be open here' };
  }
  const other = mismatch(draft, hierarchy);
  if (other !== undefined) {
    return { guard: 'config-differs', why: `${other} has another configuration of it` };
  }
  return undefined;
}

export function ownUtility(draft: Draft, hierarchy: Hierarchy): number | undefined {
  return unfit(draft, hierarchy) === undefined ? hierarchy.utility : 0;
}

/** What a peer says of it, where the peer could serve it now. */
export function usefulSaid(
  draft: Draft,
  peer: Peer | undefined,
  hierarchy: Hierarchy,
): HierarchySaid | undefined {
  if (peer === undefined || peer.contact !== 'heard' || peer.standby || peer.frozen) {
    return undefined;
  }
  if (peer.doubledMs > draft.now) return undefined;
  const said = peer.said[hierarchy.place];
  if (said === undefined || said.utility === 0 || said.latched) return undefined;
  if (said.hash !== hierarchy.word.hash) return undefined;
  return said.state === 'blocked' || said.state === 'losing' ? undefined : said;
}

/** Whether one goes before the other: the more useful, else the preferred. Unknown says nothing. */
function before(
  one: number | undefined,
  other: number | undefined,
  onePlace: number,
  otherPlace: number,
): boolean {
  if (one !== undefined && other !== undefined && one !== other) return one > other;
  return onePlace < otherPlace;
}

/** The live nodes that should have it rather than this one. */
export function betterThan(draft: Draft, hierarchy: Hierarchy): readonly Peer[] {
  const better: Peer[] = [];
  for (const place of hierarchy.rivals) {
    const peer = draft.peers[place];
    const said = usefulSaid(draft, peer, hierarchy);
    if (peer === undefined || said === undefined) continue;
    const preference = hierarchy.spec.nodes.indexOf(peer.name);
    if (before(said.utility, hierarchy.utility, preference, hierarchy.preference))
      better.push(peer);
  }
  return better;
}

/** The live peer that would serve it best; `known`: only one that knows its utility. */
export function bestPeer(
  draft: Draft,
  hierarchy: Hierarchy,
  known: boolean,
): { readonly peer: Peer; readonly utility: number | undefined } | undefined {
  let best: { peer: Peer; utility: number | undefined; preference: number } | undefined;
  for (const place of hierarchy.rivals) {
    const peer = draft.peers[place];
    const said = usefulSaid(draft, peer, hierarchy);
    if (peer === undefined || said === undefined) continue;
    if (known && said.utility === undefined) continue;
    const declinedMs = hierarchy.declined[peer.name] ?? 0;
    if (declinedMs > draft.now) {
      due(draft, declinedMs);
      continue;
    }
    const preference = hierarchy.spec.nodes.indexOf(peer.name);
    const goes =
      best === undefined || before(said.utility, best.utility, preference, best.preference);
    if (goes) best = { peer, utility: said.utility, preference };
  }
  return best;
}

/** The live node that has it, as far as words and the disk go together. */
export function ownerElsewhere(draft: Draft, hierarchy: Hierarchy): string | undefined {
  const { invited } = hierarchy;
  for (const place of hierarchy.rivals) {
    const peer = draft.peers[place];
    const said = peer?.said[hierarchy.place];
    if (peer === undefined || said === undefined || !HAVING.has(said.state)) continue;
    if (peer.contact === 'witnessed' && holderOf(hierarchy) === peer.name) return peer.name;
    if (peer.contact !== 'heard') continue;
    const { handoverMs } = hierarchy.spec;
    const late = invited?.by === peer.name && invited.phase === 'stopping';
    if (late && draft.now - invited.sinceMs >= handoverMs) continue;
    if (late) due(draft, invited.sinceMs + handoverMs);
    return peer.name;
  }
  return undefined;
}
