/**
 * Everything the cluster's core is told but heartbeats: reports, words, remedies, its own lateness. What it
 * is told is written down and the hierarchies it concerns are marked; what follows is theirs.
 */
import { type Ms, ms } from '../model.ts';
import { type Draft, note, putPeer, tell, tellAll } from './draft.ts';
import { shootNo } from './fences.ts';
import type {
  ClusterInput,
  ClusterWord,
  DiskReport,
  HierarchyId,
  ServicesReport,
} from './model.ts';
import { voidAll } from './owning.ts';
import { absorbHeartbeat, confirmOff, stretchContacts } from './peers.ts';
import { ALWAYS, type Hierarchy, NEVER, OWNING } from './state.ts';

/** A wish of a person or a rule that cannot be followed by then is dropped. */
const ASKED_MS = 60_000;

function placeOf(draft: Draft, id: HierarchyId): number {
  return draft.before.layout.placeOf.get(id) ?? -1;
}

function absorbDisks(draft: Draft, place: number, report: DiskReport): void {
  const hierarchy = draft.hierarchies[place];
  if (hierarchy === undefined || hierarchy.disks === report) return;
  // A proof is written down only of what is ours: an answer that comes late for an earlier try is not.
  const proven = report.is === 'owned' && OWNING.has(hierarchy.state);
  const provenMs = proven ? Math.max(hierarchy.provenMs, report.provenMs) : hierarchy.provenMs;
  const unread = report.is === 'idle' && report.unreadable !== undefined;
  const unreadMs = unread ? Math.min(hierarchy.unreadMs, draft.now) : NEVER;
  tell(draft, place, { disks: report, provenMs, unreadMs });
}

function sameReport(one: ServicesReport | undefined, other: ServicesReport): boolean {
  return (
    one !== undefined &&
    one.remains === other.remains &&
    one.latched === other.latched &&
    one.failed === other.failed &&
    one.running.length === other.running.length &&
    one.running.every((id, at) => id === other.running[at])
  );
}

function absorbServices(draft: Draft, place: number, report: ServicesReport): void {
  const hierarchy = draft.hierarchies[place];
  if (hierarchy === undefined || sameReport(hierarchy.services, report)) return;
  tell(draft, place, { services: report });
}

function absorbMove(draft: Draft, word: ClusterWord & { say: 'move' }): void {
  const hierarchy = draft.hierarchies[placeOf(draft, word.hierarchy)];
  if (hierarchy === undefined) return;
  askAway(draft, hierarchy, { to: word.to, by: 'operator', why: 'an operator moves it' });
}

function askAway(
  draft: Draft,
  hierarchy: Hierarchy,
  asked: Omit<NonNullable<Hierarchy['asked']>, 'untilMs'>,
): void {
  if (!OWNING.has(hierarchy.state)) {
    note(draft, hierarchy, `${asked.why}: this node does not have it`, 'not-owner');
    return;
  }
  if (draft.frozen) {
    note(draft, hierarchy, `${asked.why}: this node is frozen`, 'maintenance');
    return;
  }
  tell(draft, hierarchy.place, { asked: { ...asked, untilMs: draft.now + ASKED_MS } });
}

function absorbWord(draft: Draft, at: Ms, word: ClusterWord): void {
  switch (word.say) {
    case 'move':
      absorbMove(draft, word);
      return;
    case 'standby':
    case 'unstandby':
      draft.standby = word.say === 'standby';
      tellAll(draft);
      return;
    case 'freeze':
    case 'unfreeze':
      draft.frozen = word.say === 'freeze';
      tellAll(draft);
      return;
    case 'confirm-off':
      confirmOff(draft, word.node, at, `a person has seen it: ${word.evidence}`, true);
      return;
    case 'clear': {
      const place = placeOf(draft, word.hierarchy);
      tell(draft, place, {
        latch: undefined,
        clearedMs: Number(draft.now),
        starts: [],
        tries: 0,
        retryMs: ALWAYS,
        spoiledMs: ALWAYS,
        declined: {},
      });
    }
  }
}

function absorbFence(draft: Draft, input: Extract<ClusterInput, { kind: 'fence' }>): void {
  const place = draft.before.layout.peerOf.get(input.node);
  const peer = place === undefined ? undefined : draft.peers[place];
  if (place === undefined || peer === undefined) return;
  draft.shoots = draft.shoots.filter(({ node }) => node !== input.node);
  if (input.outcome === 'off') {
    // Without its instant it proves nothing.
    if (input.offAt !== undefined) confirmOff(draft, input.node, input.offAt, input.why);
    return;
  }
  const tries = (peer.fence?.tries ?? 0) + 1;
  const fence = { atMs: Number(draft.now), outcome: input.outcome, tries };
  const off = input.outcome === 'refuted' ? undefined : peer.off;
  putPeer(draft, place, { ...peer, fence, off });
  note(draft, undefined, `fence of ${input.node} ${input.outcome}: ${input.why}`);
  tellAll(draft);
}

function absorbShoot(draft: Draft, input: Extract<ClusterInput, { kind: 'shoot' }>): void {
  const no = shootNo(draft, input.node);
  if (no !== undefined) {
    note(draft, undefined, `${input.why}: ${no.why}`, no.guard);
    return;
  }
  if (draft.shoots.some(({ node }) => node === input.node)) return;
  const shoot = { node: input.node, why: input.why, atMs: Number(draft.now) };
  draft.shoots = [...draft.shoots, shoot];
  draft.news = true;
}

/** Suspect yourself first: stretch every wait, accuse nobody for a while, have ownership proven again. */
export function absorbLate(draft: Draft, lateMs: number): void {
  const { times } = draft.before.config;
  if (lateMs < times.lateMs) return;
  draft.distrustMs = Number(draft.now);
  draft.accuseMs = draft.now + times.deadMs;
  stretchContacts(draft, lateMs);
  tellAll(draft);
  const why = `this node was late by ${Math.round(lateMs)} ms`;
  note(draft, undefined, why, 'self-late');
  if (lateMs >= times.voidMs) voidAll(draft, `${why}: ownership is void`);
}

export function absorb(draft: Draft, input: ClusterInput): void {
  switch (input.kind) {
    case 'heartbeat':
      absorbHeartbeat(draft, input);
      return;
    case 'disks':
      absorbDisks(draft, placeOf(draft, input.hierarchy), input.report);
      return;
    case 'services':
      absorbServices(draft, placeOf(draft, input.hierarchy), input.report);
      return;
    case 'utility': {
      const place = placeOf(draft, input.hierarchy);
      const { value } = input;
      if (draft.hierarchies[place]?.utility !== value) tell(draft, place, { utility: value });
      return;
    }
    case 'mirror':
      tell(draft, placeOf(draft, input.hierarchy), { failedLegs: input.failed });
      return;
    case 'fence':
      absorbFence(draft, input);
      return;
    case 'word':
      absorbWord(draft, ms(input.at), input.word);
      return;
    case 'handover': {
      const hierarchy = draft.hierarchies[placeOf(draft, input.hierarchy)];
      if (hierarchy === undefined) return;
      askAway(draft, hierarchy, { to: undefined, by: 'rule', why: input.why });
      return;
    }
    case 'shoot':
      absorbShoot(draft, input);
      return;
    case 'late':
      // Taken in before everything else.
      return;
    case 'watchdog':
      if (draft.watchdog === undefined || draft.watchdog.timeoutMs !== input.timeoutMs) {
        draft.watchdog = { timeoutMs: input.timeoutMs };
        tellAll(draft);
      }
      return;
    case 'resume':
      for (const id of input.tainted) tell(draft, placeOf(draft, id), { taint: 'lost' });
  }
}
