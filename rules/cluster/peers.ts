/**
 * What is known of the other nodes: life signs by network, news by sequence, who is heard, witnessed by
 * others, or silent, and who is proven to be off. It says what is so; what follows is decided elsewhere.
 * Silence never proves anything: only `off` does, and any later sign of life takes that back.
 */
import type { Ms } from '../model.ts';
import { type Draft, due, heardMsOf, note, putLife, putPeer, tell, tellAll } from './draft.ts';
import { lifeAfter, newLife, sameNames } from './lives.ts';
import type { ClusterInput, Heartbeat, HierarchySaid, NodeName } from './model.ts';
import { ALWAYS, type Contact, HAVING, type Hierarchy, NEVER, type Peer } from './state.ts';

/** Signs of life received so shortly after the proof that a node is off may have been under way. */
export const LIFE_GRACE_MS = 1000;
/** For so long after it was last seen, two nodes under one name keep that name from acquiring. */
export const DOUBLED_MS = 60_000;

type HeartbeatInput = Extract<ClusterInput, { kind: 'heartbeat' }>;

function sameSaid(one: HierarchySaid | undefined, other: HierarchySaid): boolean {
  if (one === other) return true;
  if (one === undefined) return false;
  const { handover: a } = one;
  const { handover: b } = other;
  return (
    one.state === other.state &&
    one.utility === other.utility &&
    one.hash === other.hash &&
    one.epoch === other.epoch &&
    one.starts === other.starts &&
    one.latched === other.latched &&
    one.remains === other.remains &&
    (a === b ||
      (a !== undefined &&
        b !== undefined &&
        a.to === b.to &&
        a.number === b.number &&
        a.phase === b.phase))
  );
}

/** Starts and latches that a peer knows of, taken over where they are news. */
function gossip(draft: Draft, hierarchy: Hierarchy, peer: Peer, said: HierarchySaid): void {
  const { now } = draft;
  const { startsWithinMs } = hierarchy.spec;
  const known = hierarchy.starts.filter((at) => at > now - startsWithinMs);
  const was = peer.said[hierarchy.place];
  if (now < hierarchy.clearedMs + 2 * draft.before.config.times.deadMs) return;
  if (said.starts > known.length && (was === undefined || said.starts > was.starts)) {
    const more = Array.from({ length: said.starts - known.length }, () => Number(now));
    tell(draft, hierarchy.place, { starts: [...known, ...more] });
  }
  // By its edges: a latch is taken over when it is first heard of, and lifted when it was lifted there.
  if (said.latched && was?.latched !== true && hierarchy.latch === undefined) {
    tell(draft, hierarchy.place, { latch: `${peer.name} has latched it` });
  } else if (!said.latched && was?.latched === true && hierarchy.latch !== undefined) {
    tell(draft, hierarchy.place, { latch: undefined, starts: [] });
    note(draft, hierarchy, `its latch was lifted on ${peer.name}`);
  }
}

function withWords(draft: Draft, peer: Peer, words: readonly HierarchySaid[]): Peer {
  if (words === peer.words) return peer;
  const said: (HierarchySaid | undefined)[] = draft.hierarchies.map(() => undefined);
  for (const word of words) {
    const place = draft.before.layout.placeOf.get(word.id);
    const hierarchy = place === undefined ? undefined : draft.hierarchies[place];
    if (place === undefined || hierarchy === undefined) continue;
    const was = peer.said[place];
    if (sameSaid(was, word)) {
      said[place] = was;
      continue;
    }
    said[place] = word;
    draft.dirty.add(place);
    draft.news = true;
    gossip(draft, hierarchy, peer, word);
  }
  for (const [place, was] of peer.said.entries()) {
    if (was !== undefined && said[place] === undefined) {
      draft.dirty.add(place);
      draft.news = true;
    }
  }
  return { ...peer, words, said };
}

/** The content of a heartbeat that is newer than what was known. */
function withNews(draft: Draft, peer: Peer, said: Heartbeat): Peer {
  const worded = withWords(draft, peer, said.hierarchies);
  const sameHears = sameNames(peer.hears, said.hears);
  const sameNode = sameHears && peer.standby === said.standby && peer.frozen === said.frozen;
  if (!sameNode) tellAll(draft);
  const noFences = peer.fences.length === 0 && said.fences.length === 0;
  if (sameNode && noFences) return worded;
  return {
    ...worded,
    standby: said.standby,
    frozen: said.frozen,
    hears: sameHears ? peer.hears : said.hears,
    fences: said.fences,
    fencesMs: draft.now,
  };
}

/** Another boot speaks: what the former one said and owned is void (F6). Undefined: it is to be dropped. */
function withBoot(draft: Draft, peer: Peer, said: Heartbeat): Peer | undefined {
  const { now } = draft;
  if (said.boot === peer.formerBoot) {
    // What the network kept back comes within T_dead; after that, a second node has this name (F22).
    if (now - peer.bootAt <= draft.before.config.times.deadMs) return undefined;
    if (peer.doubledMs <= now) note(draft, undefined, `two nodes call themselves ${peer.name}`);
    tellAll(draft);
    return { ...peer, doubledMs: now + DOUBLED_MS };
  }
  if (peer.boot !== undefined) note(draft, undefined, `${peer.name} has booted anew`);
  tellAll(draft);
  return {
    ...peer,
    boot: said.boot,
    formerBoot: peer.boot,
    bootAt: now,
    contactMs: now,
    words: [],
    said: peer.said.map(() => undefined),
    hears: [],
  };
}

function absorbOwnName(draft: Draft, said: Heartbeat): void {
  if (said.boot === draft.before.config.boot) return;
  if (draft.doubledMs <= draft.now) {
    note(draft, undefined, `another node calls itself ${said.from}: nothing is acquired here`);
  }
  draft.doubledMs = draft.now + DOUBLED_MS;
  tellAll(draft);
}

/** A life sign of a peer that was not heard until now. */
function welcome(draft: Draft, peer: Peer): Peer {
  const { now } = draft;
  tellAll(draft);
  if (peer.contact !== 'unseen') note(draft, undefined, `${peer.name} is heard again`);
  const refuted = peer.off !== undefined && now > peer.off.atMs + LIFE_GRACE_MS;
  if (refuted) note(draft, undefined, `${peer.name} is not off: it gives signs of life`);
  return {
    ...peer,
    contact: 'heard',
    contactMs: peer.contact === 'heard' ? peer.contactMs : now,
    off: refuted ? undefined : peer.off,
    fence: refuted ? undefined : peer.fence,
  };
}

export function absorbHeartbeat(draft: Draft, { network, said }: HeartbeatInput): void {
  const { layout, config } = draft.before;
  if (said.from === config.self) {
    absorbOwnName(draft, said);
    return;
  }
  const place = layout.peerOf.get(said.from);
  const line = layout.networkOf.get(network);
  if (place === undefined || line === undefined) return;
  const known = draft.peers[place];
  const before = draft.lives[place];
  if (known === undefined || before === undefined) return;
  const booted = said.boot === known.boot ? known : withBoot(draft, known, said);
  if (booted === undefined) return;
  // A second node of this name is no sign of life of the first.
  if (said.boot !== booted.boot) {
    putPeer(draft, place, booted);
    return;
  }
  const life = booted === known ? before : newLife(before);
  if (said.sequence <= (life.sequences[line] ?? -1)) return;
  const told = said.sequence > life.sequence ? withNews(draft, booted, said) : booted;
  putLife(draft, place, lifeAfter(life, line, said, config, draft.now));
  const quiet = told.contact === 'heard' && told.off === undefined;
  const next = quiet ? told : welcome(draft, told);
  if (next !== known) putPeer(draft, place, next);
}

function contactOf(draft: Draft, peer: Peer, place: number): Contact {
  const { deadMs } = draft.before.config.times;
  if (draft.now - heardMsOf(draft, place) < deadMs) return 'heard';
  const witnessed = draft.peers.some(
    (other, at) =>
      at !== place && draft.now - heardMsOf(draft, at) < deadMs && other.hears.includes(peer.name),
  );
  if (witnessed) return 'witnessed';
  return peer.contact === 'unseen' ? 'unseen' : 'silent';
}

/** Heard for so many T_dead without a break, a peer is no flapping link. */
const CALM_DEADS = 4;

/**
 * New evidence: what the disk answered before it is no reason to wait any more. Of a peer that comes and goes
 * it is none: then the back-off holds, or each flap would ask the disk (F31).
 */
function fellSilent(draft: Draft, { name, contactMs }: Peer, place: number): void {
  note(draft, undefined, `${name} is silent on all networks`);
  if (draft.now - contactMs < CALM_DEADS * draft.before.config.times.deadMs) return;
  for (const { state, rivals, retryMs, place: at } of draft.hierarchies) {
    if (state !== 'candidate' && state !== 'idle') continue;
    if (retryMs > draft.now && rivals.includes(place))
      tell(draft, at, { retryMs: Number(draft.now), tries: 0 });
  }
}

/** Who has fallen silent by now. */
export function judgeContacts(draft: Draft): void {
  for (const [place, peer] of draft.peers.entries()) {
    const contact = contactOf(draft, peer, place);
    if (contact === peer.contact) continue;
    putPeer(draft, place, { ...peer, contact, contactMs: Number(draft.now) });
    tellAll(draft);
    if (contact === 'silent') fellSilent(draft, peer, place);
    if (contact === 'witnessed') note(draft, undefined, `${peer.name} is heard by others only`);
  }
}

/** When the next peer would fall silent. */
export function contactsDueMs(draft: Draft): number {
  const { deadMs } = draft.before.config.times;
  let dueMs = NEVER;
  for (const [place, { contact }] of draft.peers.entries()) {
    if (contact === 'heard') dueMs = Math.min(dueMs, heardMsOf(draft, place) + deadMs);
  }
  return dueMs;
}

/** Our own lateness is nobody's silence: every peer gets the time that we were away. */
export function stretchContacts(draft: Draft, lateMs: number): void {
  for (const [place, peer] of draft.peers.entries()) {
    const life = draft.lives[place];
    if (peer.contact !== 'heard' || life === undefined) continue;
    const heardMs = Math.min(draft.now, life.heardMs + lateMs);
    putLife(draft, place, { ...life, heardMs });
  }
}

/** `seen`: by a person, who has no instant to measure later signs of life by. */
export function confirmOff(
  draft: Draft,
  node: NodeName,
  offAt: Ms,
  why: string,
  seen = false,
): void {
  const place = draft.before.layout.peerOf.get(node);
  const peer = place === undefined ? undefined : draft.peers[place];
  const life = place === undefined ? undefined : draft.lives[place];
  if (place === undefined || peer === undefined || life === undefined) return;
  const lives = seen && (peer.contact === 'heard' || peer.contact === 'witnessed');
  if (lives || life.heardMs > offAt + LIFE_GRACE_MS) {
    note(draft, undefined, `${node} is not off: it gave a sign of life since`, 'life-sign');
    return;
  }
  // Off nodes are silent by proof, not by the clock.
  const heardMs = Math.min(life.heardMs, draft.now - draft.before.config.times.deadMs);
  const contact = peer.contact === 'heard' ? 'silent' : peer.contact;
  putLife(draft, place, { ...life, heardMs });
  putPeer(draft, place, { ...peer, contact, off: { atMs: offAt, why }, fence: undefined });
  tellAll(draft);
  note(draft, undefined, `${node} is off: ${why}`);
}

/**
 * Nothing of a hierarchy can be at a peer: proven off, or alive and without it by its own word. What the disk
 * decides in the end may go by a word that was `heard` since; what no disk fences needs one that was `sent`
 * since: it knows of a heartbeat of ours that is younger. A word may be under way for seconds (F28).
 */
export function isRidOf(
  draft: Draft,
  place: number,
  hierarchy: Hierarchy,
  sinceMs: number,
  by: 'heard' | 'sent',
): boolean {
  const peer = draft.peers[place];
  if (peer === undefined) return false;
  if (peer.off !== undefined) return true;
  if (peer.contact !== 'heard' || heardMsOf(draft, place) < sinceMs) return false;
  if (by === 'sent' && (draft.lives[place]?.echoMs ?? ALWAYS) < sinceMs) {
    due(draft, draft.now + draft.before.config.times.heartbeatMs);
    return false;
  }
  const said = peer.said[hierarchy.place];
  return said !== undefined && !said.remains && !HAVING.has(said.state) && said.state !== 'losing';
}
