/**
 * Taking a hierarchy: one numbered try on its disks, withdrawn as soon as somebody is heard to have it; or,
 * where no disk can be owned, the proof that every other node is off or without it. What the disk answered
 * decides; then it waits, each time longer, and differs from node to node.
 */
import { type Draft, due } from './draft.ts';
import { isRidOf } from './peers.ts';
import { ALWAYS, type Hierarchy, type Peer, TRYING } from './state.ts';
import { enter, NOT_OURS } from './turn.ts';
import { ownerElsewhere, unready } from './worth.ts';

export const BACKOFF_MAX_MS = 60_000;

/** A number in [0, 1) that differs by node, hierarchy and try, without chance. */
export function spread(...words: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const char of words.join('\0')) {
    hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  }
  // FNV leaves the low differences low: mixed once more.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}

/** 10 C after the first answer, doubling to a minute, up to a quarter more or less. */
export function backoffMs(draft: Draft, hierarchy: Hierarchy, tries: number): number {
  const { config } = draft.before;
  const base = Math.min(10 * config.times.challengeMs * 2 ** (tries - 1), BACKOFF_MAX_MS);
  const part = spread(config.self, config.boot, hierarchy.spec.id, tries);
  return Math.round(base * (0.75 + part / 2));
}

function again(draft: Draft, given: Hierarchy, state: 'candidate' | 'blocked', why: string) {
  const tries = given.tries + 1;
  const retryMs = draft.now + backoffMs(draft, given, tries);
  return enter(draft, given, state, why, { ...NOT_OURS, tries, retryMs });
}

/** Somebody was faster: he will be heard soon, and if not, the disk is asked again. */
function beaten(draft: Draft, given: Hierarchy, why: string): Hierarchy {
  const { deadMs, challengeMs } = draft.before.config.times;
  const part = spread(draft.before.config.self, draft.before.config.boot, given.attempt);
  const retryMs = draft.now + Math.round((deadMs + challengeMs) * (1 + part));
  return enter(draft, given, 'candidate', why, { ...NOT_OURS, retryMs });
}

/** Ours from here on. */
function acquired(
  draft: Draft,
  given: Hierarchy,
  why: string,
  change: Partial<Hierarchy>,
): Hierarchy {
  return enter(draft, given, 'starting', why, {
    ...NOT_OURS,
    epoch: given.epoch + 1,
    tries: 0,
    retryMs: ALWAYS,
    ...change,
  });
}

function takeFromDisks(draft: Draft, given: Hierarchy): Hierarchy {
  const { disks } = given;
  if (disks?.is === 'owned') {
    const { from, provenMs } = disks;
    const why = from === undefined ? 'its disks are won' : `its disks are won from ${from}`;
    const registeredMs = disks.registeredMs ?? provenMs;
    return acquired(draft, given, why, { provenMs, registeredMs, from });
  }
  if (disks === undefined || !('attempt' in disks) || disks.attempt !== given.attempt) return given;
  switch (disks.is) {
    case 'taking': {
      const { registeredMs } = disks;
      if (given.state === 'acquiring' || registeredMs === undefined) return given;
      const { challengeMs } = draft.before.config.times;
      const atMs = registeredMs + (given.silent ? 0 : challengeMs);
      due(draft, atMs);
      if (draft.now < atMs) return given;
      return enter(draft, given, 'acquiring', 'nobody has answered the challenge');
    }
    case 'alive': {
      const { invited } = given;
      const denied = invited === undefined ? undefined : { ...invited, denied: invited.denied + 1 };
      const told = { ...given, invited: denied };
      return again(draft, told, 'candidate', `its owner lives: ${disks.why}`);
    }
    case 'beaten':
      return beaten(draft, given, disks.why);
    case 'refused':
      return again(draft, given, 'blocked', disks.why);
    default:
      return given;
  }
}

/** Peers that may still have something of it, and are neither proven off nor known to be without it. */
export function doubtful(draft: Draft, hierarchy: Hierarchy): readonly Peer[] {
  return hierarchy.rivals.flatMap((place) => {
    const peer = draft.peers[place];
    // While it is being acquired it was proven already; then only a newer word counts against it.
    const by = hierarchy.state === 'acquiring' ? 'heard' : 'sent';
    const rid = isRidOf(draft, place, hierarchy, hierarchy.since, by);
    return peer === undefined || rid ? [] : [peer];
  });
}

/** A live rival that tries as well and goes before this node, or does not hear it. */
function contender(draft: Draft, hierarchy: Hierarchy): string | undefined {
  const { self } = draft.before.config;
  for (const place of hierarchy.rivals) {
    const peer = draft.peers[place];
    if (peer === undefined || peer.contact !== 'heard') continue;
    const said = peer.said[hierarchy.place];
    const preference = hierarchy.spec.nodes.indexOf(peer.name);
    if (said !== undefined && TRYING.has(said.state) && preference < hierarchy.preference) {
      return `${peer.name} goes first`;
    }
    if (!peer.hears.includes(self)) return `${peer.name} does not hear this node`;
  }
  return undefined;
}

/**
 * Without a disk nobody but the power switch, or a person, is an arbiter. Having said so for T_dead, and
 * heard of all who live that none of them tries, it is ours.
 */
function takeWithoutDisks(draft: Draft, given: Hierarchy): Hierarchy {
  const doubted = doubtful(draft, given);
  if (doubted.length > 0) {
    const names = doubted.map(({ name }) => name).join(', ');
    const why = `not proven to be off: ${names}`;
    if (given.state === 'acquiring') return enter(draft, given, 'challenging', why);
    return given.why === why ? given : { ...given, why };
  }
  if (given.state === 'challenging') {
    return enter(draft, given, 'acquiring', 'every other node is off or without it');
  }
  const first = contender(draft, given);
  if (first !== undefined) return enter(draft, given, 'candidate', first, NOT_OURS);
  const atMs = given.since + draft.before.config.times.deadMs;
  due(draft, atMs);
  if (draft.now < atMs) return given;
  const now = Number(draft.now);
  const change = { registeredMs: now, provenMs: now, settled: true };
  return acquired(draft, given, 'no other node can have it', change);
}

export function moveTaking(draft: Draft, given: Hierarchy): Hierarchy {
  const onDisk = given.spec.fencedBy === 'disk';
  // Won is won: what is wished with it is decided with it in hand.
  if (onDisk && given.disks?.is === 'owned') return takeFromDisks(draft, given);
  const no = unready(draft, given);
  if (no !== undefined) {
    return enter(draft, given, 'idle', no.why, { ...NOT_OURS, guard: no.guard });
  }
  const owner = ownerElsewhere(draft, given);
  if (owner !== undefined) return enter(draft, given, 'idle', `${owner} has it`, NOT_OURS);
  if (draft.now < draft.accuseMs && given.invited?.phase !== 'released') {
    return enter(draft, given, 'candidate', 'this node was late: it accuses nobody', NOT_OURS);
  }
  return onDisk ? takeFromDisks(draft, given) : takeWithoutDisks(draft, given);
}
