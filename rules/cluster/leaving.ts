/**
 * Why an owner would give a hierarchy away, and to whom: an operator or a rule asked, this node is on
 * standby or of no use to it, its services were given up here, or a peer has been better for long enough
 * (S22). With no peer of use it stays: the last node standing serves.
 */
import { isWornOut } from './candidacy.ts';
import { type Draft, due, note } from './draft.ts';
import type { NodeName } from './model.ts';
import type { Asked, Hierarchy } from './state.ts';
import { bestPeer, ownUtility, usefulSaid } from './worth.ts';

export interface Away {
  readonly to: NodeName;
  readonly why: string;
}

/** The reason to leave that holds at once, whoever is there to take it. */
function pressing(draft: Draft, given: Hierarchy): string | undefined {
  if (given.services?.latched !== undefined) return given.services.latched;
  if (given.state === 'starting' && given.services?.failed !== undefined) {
    return given.services.failed;
  }
  const { upMs, spec, state } = given;
  if (state === 'starting' && upMs <= draft.now && given.settled) {
    const lateMs = Math.max(upMs, given.registeredMs) + spec.startMs;
    if (draft.now >= lateMs) return `it did not start within ${spec.startMs} ms`;
    due(draft, lateMs);
  }
  if (draft.standby) return 'this node is on standby';
  if (given.utility === 0) return 'its utility is 0 here';
  return undefined;
}

function askedAway(draft: Draft, given: Hierarchy, asked: Asked): Away | No {
  const { to } = asked;
  if (to !== undefined) {
    const place = draft.before.layout.peerOf.get(to);
    const peer = place === undefined ? undefined : draft.peers[place];
    const may = given.spec.nodes.includes(to) && usefulSaid(draft, peer, given) !== undefined;
    const declined = (given.declined[to] ?? 0) > draft.now;
    return may && !declined ? { to, why: asked.why } : { guard: 'no-better-node' };
  }
  const best = bestPeer(draft, given, false);
  if (best !== undefined) return { to: best.peer.name, why: asked.why };
  const alone = given.rivals.every((place) => draft.peers[place]?.contact !== 'heard');
  return { guard: alone ? 'last-survivor' : 'no-better-node' };
}

interface No {
  readonly guard: string;
}

/** A peer that has been better for long enough, by utility or as the preferred one. */
function better(
  draft: Draft,
  given: Hierarchy,
): { readonly away?: Away; readonly better: Hierarchy['better'] } {
  const best = bestPeer(draft, given, true);
  const own = ownUtility(draft, given);
  if (best?.utility === undefined || own === undefined) return { better: undefined };
  const { spec } = given;
  const more = best.utility > own + spec.hysteresis;
  const { name: node } = best.peer;
  const home = spec.failbackMs !== undefined && spec.nodes.indexOf(node) < given.preference;
  const back = !more && home && best.utility >= own;
  if (!more && !back) return { better: undefined };
  const sinceMs = given.better?.node === node ? given.better.sinceMs : Number(draft.now);
  const waitMs = more ? spec.holdMs : (spec.failbackMs ?? 0);
  due(draft, sinceMs + waitMs);
  const seen = { node, sinceMs };
  const kept = given.better?.node === node ? given.better : seen;
  if (draft.now < sinceMs + waitMs) return { better: kept };
  const why = more
    ? `${node} is more useful to it: ${best.utility} to ${own}`
    : `${node} is preferred, and has been well for ${Math.round(waitMs / 1000)} s`;
  return { away: { to: node, why }, better: kept };
}

const NO: Readonly<Record<string, string>> = {
  'last-survivor': 'no other node is there',
  storm: 'it was started as often as it may be, and stays where it runs',
};

/** What is asked is dropped when it cannot be had, and that is told once. */
function refused(draft: Draft, given: Hierarchy, asked: Asked, guard: string): Hierarchy {
  note(draft, given, `${asked.why}: ${NO[guard] ?? 'no other node could serve it'}`, guard);
  return { ...given, asked: undefined };
}

/** Whether it is to be given away now, and what was learnt on the way. */
export function wantsAway(
  draft: Draft,
  given: Hierarchy,
): { readonly hierarchy: Hierarchy; readonly away: Away | undefined } {
  if (draft.frozen) return { hierarchy: given, away: undefined };
  if (isWornOut(draft, given)) {
    // Elsewhere its next start would be the end of it; here it may still run.
    const kept = given.asked === undefined ? given : refused(draft, given, given.asked, 'storm');
    return { hierarchy: kept, away: undefined };
  }
  if (given.asked !== undefined && given.asked.untilMs <= draft.now) {
    return { hierarchy: { ...given, asked: undefined }, away: undefined };
  }
  if (given.asked !== undefined) {
    const away = askedAway(draft, given, given.asked);
    if ('to' in away) return { hierarchy: { ...given, asked: undefined }, away };
    return { hierarchy: refused(draft, given, given.asked, away.guard), away: undefined };
  }
  const why = pressing(draft, given);
  if (why !== undefined) {
    const best = bestPeer(draft, given, true);
    const away = best === undefined ? undefined : { to: best.peer.name, why };
    return { hierarchy: given, away };
  }
  // A start is finished before it is compared with others.
  if (given.state === 'starting') return { hierarchy: given, away: undefined };
  const found = better(draft, given);
  const same = found.better === given.better;
  return {
    hierarchy: same ? given : { ...given, better: found.better },
    away: found.away,
  };
}
