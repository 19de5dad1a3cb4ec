/**
 * The conversation in which an owner gives a hierarchy away: asked, ready, stopping, released. Until the
 * release it can be taken back; nothing is released under a service that still runs (S16); and it has a
 * deadline, past which the stop is forced and the node, where even that fails, resets itself. The words
 * only say what is going on: the next owner has it from the disk.
 */
import { isUnlooked, isWornOut } from './candidacy.ts';
import { type Draft, due, note } from './draft.ts';
import { wantsAway } from './leaving.ts';
import type { HierarchySaid, NodeName } from './model.ts';
import { HAVING, type Hierarchy, type Leave, NEVER } from './state.ts';
import { enter, NOT_OURS } from './turn.ts';
import { unready, usefulSaid } from './worth.ts';

/** A peer that would not take it, or did not answer, is not asked again for so long. */
export const DECLINED_MS = 60_000;

const NO_LEAVE: Leave = {
  to: undefined,
  number: 0,
  phase: 'stopping',
  after: 'idle',
  why: '',
  sinceMs: 0,
  stopMs: 0,
};

function answerMs(draft: Draft): number {
  const { deadMs } = draft.before.config.times;
  return 2 * deadMs;
}

/** Starts the conversation, where there is a reason to. */
export function leaveOrStay(draft: Draft, given: Hierarchy): Hierarchy {
  const { hierarchy, away } = wantsAway(draft, given);
  if (away === undefined) return overLimit(draft, hierarchy) ?? hierarchy;
  const number = hierarchy.leaves + 1;
  const leave: Leave = {
    to: away.to,
    number,
    phase: 'asked',
    after: 'idle',
    why: away.why,
    sinceMs: Number(draft.now),
    stopMs: NEVER,
  };
  const why = `${away.why}: asking ${away.to}`;
  return enter(draft, hierarchy, 'yielding', why, { leave, leaves: number, better: undefined });
}

/** Given up here, and to be started nowhere else: it is stopped, released, and left to a person (F105). */
function overLimit(draft: Draft, given: Hierarchy): Hierarchy | undefined {
  const { services } = given;
  // A latch heard of while it runs well here concerns the next start, not this one.
  if (services?.latched === undefined || draft.frozen) return undefined;
  if (given.latch === undefined && !isWornOut(draft, given)) return undefined;
  const latch = given.latch ?? `${services.latched}, and it was started as often as it may be`;
  const leave: Leave = {
    to: undefined,
    number: given.leaves,
    phase: 'stopping',
    after: 'latched',
    why: latch,
    sinceMs: Number(draft.now),
    stopMs: Number(draft.now),
  };
  return enter(draft, given, 'stopping', latch, { leave, latch });
}

function peerNamed(draft: Draft, name: NodeName | undefined) {
  const place = name === undefined ? undefined : draft.before.layout.peerOf.get(name);
  return place === undefined ? undefined : draft.peers[place];
}

/** What the next owner says of this conversation. */
function answerOf(
  draft: Draft,
  given: Hierarchy,
  { to, number }: Leave,
): 'ready' | 'refused' | 'gone' | 'none' {
  const peer = peerNamed(draft, to);
  if (peer === undefined || peer.contact !== 'heard') return 'gone';
  const handover = peer.said[given.place]?.handover;
  if (handover !== undefined && handover.to === to && handover.number === number) {
    if (handover.phase === 'ready') return 'ready';
    if (handover.phase === 'refused') return 'refused';
  }
  return usefulSaid(draft, peer, given) === undefined ? 'refused' : 'none';
}

/** Not to this one after all. */
function takeBack(draft: Draft, given: Hierarchy, leave: Leave, why: string): Hierarchy {
  const { to } = leave;
  const declined =
    to === undefined ? given.declined : { ...given.declined, [to]: draft.now + DECLINED_MS };
  // What has been stopped, or had not started yet, is started from here on.
  const whole = given.state !== 'stopping' && given.settled;
  const upMs = given.upMs <= draft.now ? Number(draft.now) : given.upMs;
  const change = whole ? { leave: undefined, declined } : { leave: undefined, declined, upMs };
  return enter(draft, given, whole ? 'running' : 'starting', `${why}: it stays here`, change);
}

export function moveYielding(draft: Draft, given: Hierarchy): Hierarchy {
  const { leave } = given;
  if (leave === undefined) return enter(draft, given, 'starting', 'nobody is asked any more');
  if (draft.frozen) return takeBack(draft, given, leave, 'this node was frozen');
  const answer = answerOf(draft, given, leave);
  switch (answer) {
    case 'ready':
      return enter(draft, given, 'stopping', `${leave.to} is ready`, {
        leave: { ...leave, phase: 'stopping', stopMs: Number(draft.now) },
      });
    case 'gone':
      return takeBack(draft, given, leave, `${leave.to} is not heard any more`);
    case 'refused':
      return takeBack(draft, given, leave, `${leave.to} would not take it`);
    case 'none': {
      const atMs = leave.sinceMs + answerMs(draft);
      due(draft, atMs);
      if (draft.now < atMs) return given;
      return takeBack(draft, given, leave, `${leave.to} did not answer`);
    }
  }
}

/** When a stop that does not end is forced, and when the node is reset because even that did not end it. */
export function forceDueMs({ spec, leave }: Hierarchy): number {
  return (leave?.stopMs ?? NEVER) + Math.min(spec.stopMs, spec.handoverMs);
}

export function stopResetDueMs(draft: Draft, given: Hierarchy): number {
  // Without one who would take it, a node is not reset for a service that does not stop.
  if (given.state !== 'stopping' || given.leave?.to === undefined) return NEVER;
  return forceDueMs(given) + draft.before.config.times.watchdogMs;
}

export function moveStopping(draft: Draft, given: Hierarchy): Hierarchy {
  const { leave, services } = given;
  if (leave === undefined) return enter(draft, given, 'starting', 'nobody is asked any more');
  if (draft.frozen && leave.to !== undefined) {
    return takeBack(draft, given, leave, 'this node was frozen');
  }
  if (leave.to !== undefined) {
    const answer = answerOf(draft, given, leave);
    if (answer === 'gone' || answer === 'refused') {
      const what = answer === 'gone' ? 'is not heard any more' : 'would not take it after all';
      return takeBack(draft, given, leave, `${leave.to} ${what}`);
    }
  }
  const down = services !== undefined && !services.remains && services.running.length === 0;
  if (!down) {
    due(draft, forceDueMs(given));
    return given;
  }
  const what = given.spec.fencedBy === 'disk' ? 'releasing' : 'idle';
  if (what === 'idle') return released(draft, given, leave, true);
  return enter(draft, given, 'releasing', 'all of it has stopped');
}

/** Said only where the next owner may rely on it: what waits was ours to stop (S5). */
function released(draft: Draft, given: Hierarchy, leave: Leave, whole: boolean): Hierarchy {
  const left = whole ? '' : ', but for registrations that nobody can use';
  const why = `released${leave.to === undefined ? '' : ` to ${leave.to}`}${left}`;
  const { settled } = given;
  const change = { ...NOT_OURS, retryMs: draft.now + given.spec.handoverMs };
  if (leave.after === 'latched') {
    return enter(draft, given, 'latched', leave.why, { ...NOT_OURS, leave: undefined });
  }
  const said = settled && leave.to !== undefined;
  const kept = said ? ({ ...leave, phase: 'released' } as const) : undefined;
  return enter(draft, given, 'idle', why, {
    ...change,
    leave: kept === undefined ? undefined : { ...kept, sinceMs: Number(draft.now) },
  });
}

export function moveReleasing(draft: Draft, given: Hierarchy): Hierarchy {
  const { leave, disks, services } = given;
  if (services !== undefined && services.running.length > 0) {
    note(draft, given, 'it runs again while it is released', 'release-order');
  }
  if (disks?.is === 'released') {
    return released(draft, given, leave ?? NO_LEAVE, disks.whole);
  }
  if (disks?.is === 'lost') {
    // Somebody took what was about to be given: nothing of it runs here.
    return enter(draft, given, 'idle', disks.why, { ...NOT_OURS, leave: undefined });
  }
  return given;
}

/** The last owner keeps out of the way of the next one until that one runs, or will not. */
export function settleReleased(draft: Draft, given: Hierarchy): Hierarchy {
  const { leave } = given;
  if (leave?.phase !== 'released') return given;
  const peer = peerNamed(draft, leave.to);
  const said = peer?.said[given.place];
  const runs = said !== undefined && (said.state === 'running' || said.state === 'defending');
  const untilMs = leave.sinceMs + given.spec.handoverMs;
  due(draft, untilMs);
  const answer = answerOf(draft, given, leave);
  const has = said !== undefined && HAVING.has(said.state);
  const failed = answer === 'gone' || (answer === 'refused' && !has);
  if (!runs && !failed && (has || draft.now < untilMs)) return given;
  return { ...given, leave: undefined, retryMs: Number(draft.now) };
}

/** What live owners offer this node, and since when. */
export function invitation(draft: Draft, given: Hierarchy): Hierarchy['invited'] {
  const { self } = draft.before.config;
  for (const place of given.rivals) {
    const peer = draft.peers[place];
    const handover = peer?.said[given.place]?.handover;
    if (peer === undefined || handover === undefined || peer.contact !== 'heard') continue;
    const { to, number, phase } = handover;
    if (to !== self || phase === 'ready' || phase === 'refused') continue;
    const was = given.invited;
    if (was?.by === peer.name && was.number === number && was.phase === phase) return was;
    return { by: peer.name, number, phase, sinceMs: Number(draft.now), denied: 0 };
  }
  return undefined;
}

/** What this node says of the conversation it takes part in. */
export function handoverSaid(draft: Draft, given: Hierarchy): HierarchySaid['handover'] {
  const { leave, invited } = given;
  if (leave?.to !== undefined) {
    return { to: leave.to, number: leave.number, phase: leave.phase };
  }
  if (invited === undefined) return undefined;
  const { disks } = given;
  const unlooked = disks?.is === 'idle' && isUnlooked(given);
  const untilMs = given.unreadMs + draft.before.config.times.freshMs;
  const unread = unlooked && draft.now >= untilMs;
  if (unlooked) due(draft, untilMs);
  // Asked before it has looked, it answers when it has.
  if (unlooked && !unread && invited.phase === 'asked') return undefined;
  const free = unready(draft, given) === undefined && !isWornOut(draft, given) && !unread;
  const may = HAVING.has(given.state) || free;
  const { self } = draft.before.config;
  return { to: self, number: invited.number, phase: may ? 'ready' : 'refused' };
}
