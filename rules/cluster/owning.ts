/**
 * Having a hierarchy: starting it by fresh proof, its addresses by their own right, keeping it, and losing
 * it. Ownership that is not proven in time is lost; what is lost is killed at once, and a node that cannot
 * show by half the watchdog's time that all of it has stopped resets itself.
 */
import { type Draft, due, note, tell } from './draft.ts';
import { isRidOf } from './peers.ts';
import { type Hierarchy, OWNING } from './state.ts';
import { enter, NOT_OURS } from './turn.ts';

/** A hierarchy waits for others that start at the same time, but never longer. */
export const CRUNCH_MS = 10_000;

/** Why it is ours no longer; undefined: as far as is known it is. */
function lossOf(
  draft: Draft,
  given: Hierarchy,
): { readonly why: string; readonly taint: 'lost' | 'unproven' } | undefined {
  if (given.spec.fencedBy !== 'disk') return undefined;
  if (given.disks?.is === 'lost') return { why: given.disks.why, taint: 'lost' };
  const { verifyMs } = draft.before.config.times;
  const atMs = given.provenMs + verifyMs;
  if (draft.now < atMs) {
    due(draft, atMs);
    return undefined;
  }
  const why = `ownership was not proven for ${Math.round(draft.now - given.provenMs)} ms`;
  return { why, taint: 'unproven' };
}

/** To be asked first in every state in which it is ours. */
export function lose(draft: Draft, given: Hierarchy): Hierarchy | undefined {
  const loss = lossOf(draft, given);
  if (loss === undefined) return undefined;
  return losing(draft, given, loss.why, loss.taint);
}

export function losing(
  draft: Draft,
  given: Hierarchy,
  why: string,
  taint: 'lost' | 'unproven',
): Hierarchy {
  const lost = enter(draft, given, 'losing', why, {
    ...NOT_OURS,
    taint,
    leave: undefined,
    lostMs: Number(draft.now),
  });
  draft.decisions[draft.decisions.length - 1] = {
    hierarchy: given.spec.id,
    from: given.state,
    to: 'losing',
    refusedBy: undefined,
    why,
    taint: given.spec.id,
  };
  return lost;
}

export function moveLosing(draft: Draft, given: Hierarchy): Hierarchy {
  const { services, disks } = given;
  if (services !== undefined && !services.remains && services.running.length === 0) {
    return enter(draft, given, 'idle', 'all of it has stopped', { lostMs: NOT_OURS.lostMs ?? 0 });
  }
  // A late word that it is another's is remembered: it cannot be taken up again then.
  const another = disks?.is === 'lost' && given.taint === 'unproven';
  return another ? { ...given, taint: 'lost' } : given;
}

/** When a hierarchy that is being lost makes the node reset itself. */
export function resetDueMs(draft: Draft, { lostMs }: Hierarchy): number {
  return lostMs + draft.before.config.times.watchdogMs / 2;
}

/** A proof young enough to start anything by, made since we were last late (S3). */
export function isFresh(draft: Draft, given: Hierarchy): boolean {
  const { freshMs } = draft.before.config.times;
  if (given.spec.fencedBy !== 'disk') return draft.now > draft.distrustMs;
  if (given.disks?.is !== 'owned' || given.provenMs <= draft.distrustMs) return false;
  // While another key stands it is not ours alone, however young the last proof.
  if (given.disks.challenged !== undefined) return false;
  const untilMs = given.provenMs + freshMs;
  due(draft, untilMs + 1);
  return draft.now <= untilMs;
}

/** How many others are being started here, of those that were allowed to before. */
function startingNow(draft: Draft, given: Hierarchy): number {
  let count = 0;
  for (const other of draft.hierarchies) {
    if (other !== given && other.state === 'starting' && other.upMs <= draft.now) count += 1;
  }
  return count;
}

/** Whether its services may begin to start (crunch limiter: bounded, so that nothing waits on another, L4). */
function mayBegin(draft: Draft, given: Hierarchy): boolean {
  const untilMs = given.since + CRUNCH_MS;
  if (draft.now >= untilMs) return true;
  due(draft, untilMs);
  return startingNow(draft, given) < draft.before.config.startsAtOnce;
}

/** By what right what no disk fences may start now (S5); undefined: by none yet. */
function addressRight(draft: Draft, given: Hierarchy): string | undefined {
  if (!given.waits) return 'nothing of it has to wait';
  const rid = given.rivals.every((place) =>
    isRidOf(draft, place, given, given.registeredMs, 'sent'),
  );
  if (rid) return 'every other node is off or without it';
  const atMs = given.registeredMs + draft.before.config.times.addressWaitMs;
  if (draft.now >= atMs) return 'no former owner can have fed its watchdog since';
  due(draft, atMs);
  return undefined;
}

function allRunning({ spec, services }: Hierarchy): boolean {
  return services !== undefined && spec.services.every(({ id }) => services.running.includes(id));
}

function begin(draft: Draft, given: Hierarchy): Hierarchy {
  const now = Number(draft.now);
  return { ...given, upMs: now, starts: [...given.starts, now] };
}

export function moveStarting(draft: Draft, given: Hierarchy): Hierarchy {
  let next = given;
  const armed = next.spec.fencedBy !== 'disk' || draft.watchdog?.timeoutMs !== undefined;
  const free = !draft.frozen && armed && isFresh(draft, next);
  if (next.upMs > draft.now && free && mayBegin(draft, next)) next = begin(draft, next);
  if (!next.settled && next.upMs <= draft.now) {
    const right = addressRight(draft, next);
    if (right !== undefined) {
      if (next.waits) note(draft, next, `its addresses may start: ${right}`);
      next = { ...next, settled: true };
    }
  }
  if (next.settled && next.upMs <= draft.now && allRunning(next)) {
    return enter(draft, next, 'running', 'all of it runs');
  }
  return next;
}

/** Running, with or without somebody asking the disk for it. */
export function moveRunning(draft: Draft, given: Hierarchy): Hierarchy {
  const challenged = given.disks?.is === 'owned' ? given.disks.challenged : undefined;
  if (challenged !== undefined && given.state === 'running') {
    return enter(draft, given, 'defending', challenged);
  }
  if (challenged === undefined && given.state === 'defending') {
    return enter(draft, given, 'running', 'proven again');
  }
  return given;
}

/** A start elsewhere on this node has ended: those that waited for it are looked at again. */
export function wakeWaiting(draft: Draft): void {
  for (const { state, upMs, place } of draft.hierarchies) {
    if (state === 'starting' && upMs > draft.now) tell(draft, place, {});
  }
}

/** We were away for so long that ownership is void (F4). */
export function voidAll(draft: Draft, why: string): void {
  for (const given of draft.hierarchies) {
    if (!OWNING.has(given.state) || given.spec.fencedBy !== 'disk') continue;
    tell(draft, given.place, losing(draft, given, why, 'unproven'));
  }
}
