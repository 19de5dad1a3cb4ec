/**
 * The part of a peer that every heartbeat changes: when it was heard, what of it was newest, and which of our
 * own heartbeats it had heard by then. Most heartbeats change nothing else, and cost some hundred nanoseconds.
 */
import type { Ms } from '../model.ts';
import type { ClusterInput, Echo, Heartbeat, NodeName } from './model.ts';
import { ALWAYS, type Cluster, type Life, type Peer } from './state.ts';

export function sameNames(one: readonly NodeName[], other: readonly NodeName[]): boolean {
  return (
    one === other || (one.length === other.length && one.every((name, at) => name === other[at]))
  );
}

export function lifeAfter(
  life: Life,
  line: number,
  said: Heartbeat,
  { self, boot }: Cluster['config'],
  now: number,
): Life {
  const sequences = life.sequences.slice();
  sequences[line] = said.sequence;
  const echo = said.echoes[self];
  // What it heard of an earlier boot of ours was sent by another clock.
  const echoMs = echo?.boot === boot ? echo.sentMs : ALWAYS;
  return {
    sequence: Math.max(life.sequence, said.sequence),
    sequences,
    heardMs: now,
    sentMs: Math.max(life.sentMs, said.sentMs),
    echoMs: Math.max(life.echoMs, echoMs),
  };
}

/** What a heartbeat that is sent now has heard of others. */
export function echoesOf({ peers, lives }: Cluster): Readonly<Record<NodeName, Echo>> {
  const echoes: Record<NodeName, Echo> = {};
  for (const [place, { name, boot }] of peers.entries()) {
    const { sentMs } = lives[place] ?? { sentMs: ALWAYS };
    if (boot !== undefined && sentMs !== ALWAYS) echoes[name] = { boot, sentMs };
  }
  return echoes;
}

export function newLife({ sequences, heardMs }: Life): Life {
  const none = { sentMs: ALWAYS, echoMs: ALWAYS };
  return { sequence: -1, sequences: sequences.map(() => -1), heardMs, ...none };
}

/** Whether a heartbeat says only that its node lives: nothing of it is news. */
function isBareLife(peer: Peer, life: Life, said: Heartbeat): boolean {
  if (said.boot !== peer.boot || peer.contact !== 'heard' || peer.off !== undefined) return false;
  if (said.sequence <= life.sequence) return true;
  return (
    said.hierarchies === peer.words &&
    said.standby === peer.standby &&
    said.frozen === peer.frozen &&
    said.fences.length === 0 &&
    peer.fences.length === 0 &&
    sameNames(said.hears, peer.hears)
  );
}

/**
 * The lives after heartbeats that bring no news, which most do; undefined when any of the inputs has to be
 * looked at. It keeps the cost of a peer that is well at some hundred nanoseconds.
 */
export function bareLives(
  { config, layout, peers, lives }: Cluster,
  now: Ms,
  inbox: readonly ClusterInput[],
): readonly Life[] | undefined {
  let next: Life[] | undefined;
  for (const input of inbox) {
    if (input.kind !== 'heartbeat') return undefined;
    const { said, network } = input;
    const place = layout.peerOf.get(said.from);
    const line = layout.networkOf.get(network);
    if (place === undefined || line === undefined) return undefined;
    const peer = peers[place];
    const life = (next ?? lives)[place];
    if (peer === undefined || life === undefined || !isBareLife(peer, life, said)) return undefined;
    if (said.sequence <= (life.sequences[line] ?? -1)) continue;
    next ??= lives.slice();
    next[place] = lifeAfter(life, line, said, config, now);
  }
  return next ?? lives;
}
