/**
 * When a node tries to take a hierarchy: nobody is known to have it, this node is fit, it is its turn among
 * the live ones, and what it waits for is over. Silence makes a candidate; only the disk, or a proven
 * fence, makes an owner.
 */
import { type Draft, due, graceUntilMs } from './draft.ts';
import { isRidOf } from './peers.ts';
import { type Hierarchy, NEVER, TRYING } from './state.ts';
import { enter, NOT_OURS, refuse } from './turn.ts';
import { betterThan, ownerElsewhere, unready } from './worth.ts';

/** How long the less preferred leave the first try to one who could say that he tries. */
export function staggerMs(draft: Draft): number {
  const { heartbeatMs, lateMs } = draft.before.config.times;
  return 4 * heartbeatMs + lateMs;
}

/** A rival that says it tries is left alone for so long. */
function rivalMs(draft: Draft): number {
  const { challengeMs, deadMs } = draft.before.config.times;
  return 3 * challengeMs + 2 * deadMs;
}

function until(draft: Draft, atMs: number): boolean {
  if (draft.now >= atMs) return false;
  due(draft, atMs);
  return true;
}

/** A peer that tries, or one to which another has just given it. */
function rivalOf(draft: Draft, hierarchy: Hierarchy): string | undefined {
  for (const place of hierarchy.rivals) {
    const peer = draft.peers[place];
    const said = peer?.said[hierarchy.place];
    if (peer === undefined || said === undefined || peer.contact !== 'heard') continue;
    if (TRYING.has(said.state)) return `${peer.name} is trying`;
    const { handover } = said;
    if (handover?.phase !== 'released' || handover.to === draft.before.config.self) continue;
    const to = draft.before.layout.peerOf.get(handover.to);
    if (to !== undefined && draft.peers[to]?.contact === 'heard') {
      return `${peer.name} gives it to ${handover.to}`;
    }
  }
  return undefined;
}

/** The preferred nodes were not heard of yet: after a power failure they may only boot more slowly (F87). */
function awaitsPreferred(draft: Draft, hierarchy: Hierarchy): boolean {
  return hierarchy.rivals.some((place) => {
    const peer = draft.peers[place];
    if (peer === undefined || peer.contact !== 'unseen' || peer.off !== undefined) return false;
    return hierarchy.spec.nodes.indexOf(peer.name) < hierarchy.preference;
  });
}

/** Not seen, or not all of it: nothing is known of whose it is. */
export function isUnlooked({ spec, disks }: Hierarchy): boolean {
  if (spec.fencedBy !== 'disk') return false;
  return disks?.is !== 'idle' || disks.seen === undefined || disks.unreadable !== undefined;
}

/** Why a candidate does not try yet. */
function waitsFor(draft: Draft, hierarchy: Hierarchy): string | undefined {
  const { before, now } = draft;
  const { times } = before.config;
  if (until(draft, before.startedMs + times.deadMs)) return 'listening who is there';
  if (isUnlooked(hierarchy)) return 'its disks are being looked at';
  if (until(draft, draft.accuseMs)) return 'this node was late: it accuses nobody';
  if (until(draft, hierarchy.retryMs)) return 'it leaves the last answer its time';
  const { leave, invited } = hierarchy;
  if (leave?.phase === 'released') return `${leave.to ?? 'another'} was given it`;
  if (invited?.phase === 'released') return undefined;
  if (awaitsPreferred(draft, hierarchy) && until(draft, graceUntilMs(draft))) {
    return 'a preferred node may still be starting';
  }
  const rival = rivalOf(draft, hierarchy);
  if (rival !== undefined && until(draft, hierarchy.since + rivalMs(draft))) return rival;
  const listenedMs = before.startedMs + times.deadMs;
  const better = betterThan(draft, hierarchy);
  // A better node that has just come listens for T_dead itself before it tries.
  const theirsMs = Math.max(...better.map(({ contactMs }) => contactMs + times.deadMs));
  const freeMs = Math.max(hierarchy.since, listenedMs, draft.accuseMs, hierarchy.retryMs, theirsMs);
  const turnMs = freeMs + better.length * staggerMs(draft);
  if (now < turnMs && until(draft, turnMs)) return 'a better node goes first';
  return undefined;
}

/** Everybody who could have had it is known to have nothing of it: an empty table needs no wait. */
function isSilent(draft: Draft, hierarchy: Hierarchy): boolean {
  return hierarchy.rivals.every((place) =>
    isRidOf(draft, place, hierarchy, hierarchy.since, 'heard'),
  );
}

export function recentStarts(draft: Draft, hierarchy: Hierarchy): readonly number[] {
  const fromMs = draft.now - hierarchy.spec.startsWithinMs;
  const { starts } = hierarchy;
  return starts.some((at) => at <= fromMs) ? starts.filter((at) => at > fromMs) : starts;
}

/** The next start would latch it everywhere (S21). */
export function isWornOut(draft: Draft, hierarchy: Hierarchy): boolean {
  return recentStarts(draft, hierarchy).length >= hierarchy.spec.startsMax;
}

export function moveCandidate(draft: Draft, given: Hierarchy): Hierarchy {
  const attached = reattached(draft, given);
  if (attached !== undefined) return attached;
  const no = unready(draft, given);
  if (no !== undefined) {
    return enter(draft, given, 'idle', no.why, { guard: no.guard, silent: false });
  }
  const owner = ownerElsewhere(draft, given);
  if (owner !== undefined) return enter(draft, given, 'idle', `${owner} has it`);
  const waits = waitsFor(draft, given);
  if (waits !== undefined) return waits === given.why ? given : { ...given, why: waits };
  const starts = recentStarts(draft, given);
  const { startsMax, startsWithinMs } = given.spec;
  if (starts.length >= startsMax) {
    const why = `started ${starts.length} times in ${Math.round(startsWithinMs / 60_000)} min: will not start again`;
    return enter(draft, given, 'latched', why, { latch: why });
  }
  const attempt = given.attempt + 1;
  const silent = isSilent(draft, given);
  const why =
    given.invited?.phase === 'released'
      ? `${given.invited.by} has released it to this node`
      : 'nobody is known to have it';
  return enter(draft, given, 'challenging', why, { attempt, silent, starts });
}

/** Found held by this very boot of ours: the agent has started anew over a living owner (L10, F91). */
function reattached(draft: Draft, hierarchy: Hierarchy): Hierarchy | undefined {
  const { disks, services, taint, spec } = hierarchy;
  if (services === undefined) return undefined;
  if (spec.fencedBy !== 'disk') {
    if (services.running.length === 0 || taint !== undefined) return undefined;
    const now = Number(draft.now);
    const change = { upMs: now, registeredMs: now, settled: true };
    return enter(draft, hierarchy, 'starting', 'found running here', change);
  }
  if (disks?.is !== 'idle' || disks.seen?.holder !== 'own') return undefined;
  // Seen since it became idle, since we were last late, and just now: an old look proves nothing.
  const { atMs } = disks.seen;
  const fromMs = Math.max(hierarchy.since, draft.distrustMs);
  if (atMs < fromMs || draft.now - atMs > draft.before.config.times.freshMs) return undefined;
  // What was voided or not to be proven, and never was another's, is still ours once all of it has stopped.
  if (taint === 'lost' || (taint === 'unproven' && services.remains)) return undefined;
  const waiting = spec.services.filter(({ waits }) => waits);
  const settled = waiting.every(({ id }) => services.running.includes(id)) && waiting.length > 0;
  return enter(draft, hierarchy, 'starting', 'its disks are found to be ours', {
    provenMs: disks.seen.atMs,
    registeredMs: disks.seen.atMs,
    upMs: services.running.length > 0 ? Number(draft.now) : NEVER,
    taint: undefined,
    settled,
    epoch: hierarchy.epoch + 1,
  });
}

/** Running here, and not ours: the agent was away while it was lost. */
function stray(draft: Draft, hierarchy: Hierarchy): string | undefined {
  const { services, disks, spec } = hierarchy;
  if (services === undefined || services.running.length === 0) return undefined;
  if (spec.fencedBy !== 'disk') return undefined;
  if (disks?.is === 'idle' && disks.seen !== undefined && disks.seen.holder !== 'own') {
    return 'it runs here, and its disks are not ours';
  }
  const { startedMs, config } = draft.before;
  // Since the last proof, of which the former life of the agent knew, at most so long.
  if (until(draft, Math.max(startedMs, hierarchy.since) + config.times.verifyMs)) return undefined;
  return 'it runs here, and ownership cannot be proven';
}

/** What could not be proven, and is now seen not to be ours, was lost. */
function withTaint(given: Hierarchy): Hierarchy {
  const { taint, disks } = given;
  if (taint !== 'unproven' || disks?.is !== 'idle' || disks.seen === undefined) return given;
  return disks.seen.holder === 'own' ? given : { ...given, taint: 'lost' };
}

export function moveIdle(draft: Draft, idle: Hierarchy): Hierarchy {
  const given = withTaint(idle);
  const attached = reattached(draft, given);
  if (attached !== undefined) return attached;
  const strayed = stray(draft, given);
  if (strayed !== undefined) {
    return enter(draft, given, 'losing', strayed, {
      ...NOT_OURS,
      taint: 'lost',
      lostMs: Number(draft.now),
    });
  }
  if (given.latch !== undefined) return enter(draft, given, 'latched', given.latch);
  const { retryMs } = given;
  const no = unready(draft, given);
  if (no !== undefined) return refuse(draft, given, no);
  const owner = ownerElsewhere(draft, given);
  if (owner !== undefined) {
    const why = `${owner} has it`;
    return given.why === why && given.guard === undefined
      ? given
      : { ...given, why, guard: undefined };
  }
  if (isUnlooked(given)) {
    return refuse(draft, given, { guard: 'unlooked', why: 'its disks were not looked at yet' });
  }
  return enter(draft, given, 'candidate', 'nobody is known to have it', { retryMs });
}

export function moveBlocked(draft: Draft, given: Hierarchy): Hierarchy {
  if (given.latch !== undefined) return enter(draft, given, 'latched', given.latch);
  if (until(draft, given.retryMs)) return given;
  return enter(draft, given, 'idle', 'it is time to look again');
}

export function moveLatched(draft: Draft, given: Hierarchy): Hierarchy {
  if (given.latch === undefined) return enter(draft, given, 'idle', 'its latch was lifted');
  return given;
}
