/**
 * Decides the next move of one service from what is wanted, what was last seen and what is owed. One
 * move is in flight at a time. What is not known is neither running nor failed: nothing is ordered on it.
 */
import type { Maintenance } from './decision.ts';
import { type Draft, dueBy } from './draft.ts';
import { leaseOver } from './maintenance.ts';
import { ms } from './model.ts';
import type { Service, ServiceId, ServiceSeen, ServiceState } from './service.ts';
import { exitText, noteEnd, within } from './services-ends.ts';
import { fail, newExit } from './services-failure.ts';
import { becauseOf, type Move, orderMove } from './services-order.ts';
import { staleMsOf } from './services-reading.ts';

export interface Bench {
  readonly draft: Draft;
  readonly services: ReadonlyMap<ServiceId, Service>;
  readonly dependents: ReadonlyMap<ServiceId, readonly ServiceId[]>;
}

function at(service: Service, state: ServiceState, why: string): Service {
  return service.state === state && service.why === why ? service : { ...service, state, why };
}

/** What was seen, if it is recent enough to act on. */
function believed({ draft }: Bench, { seen, seenAt, spec }: Service): ServiceSeen {
  if (seenAt === undefined) return { kind: 'unknown', why: 'not looked at yet' };
  const ageMs = draft.now - seenAt;
  if (ageMs <= staleMsOf(spec)) return seen;
  return { kind: 'unknown', why: `not seen for ${Math.round(ageMs / 1000)} s` };
}

function heldText({ owner, reason }: Maintenance): string {
  return `held by maintenance of ${owner}: ${reason}`;
}

/** Orders a move unless it is held; the refusal is written down once. */
function move(bench: Bench, service: Service, what: Move, why: string): Service {
  const { draft } = bench;
  const lease = service.asked ? undefined : leaseOver(draft.maintenance, [service.spec.id]);
  if (lease === undefined) {
    const state = what === 'start' ? 'starting' : 'stopping';
    return at(orderMove(draft, service, what, why), state, why);
  }
  const text = heldText(lease);
  if (service.why !== text) {
    draft.decisions.push({
      kind: 'refusal',
      order: { kind: what, service: service.spec.id },
      guard: 'maintenance',
      because: { ...becauseOf(service, why), guards: ['maintenance'] },
    });
  }
  return at(service, what === 'start' ? 'waiting' : service.state, text);
}

/** The service it comes after that does not run. */
function blocker(bench: Bench, service: Service): string | undefined {
  const id = service.spec.after.find((one) => {
    const other = bench.services.get(one);
    if (other === undefined || other.wanted === 'stopped' || other.state === 'stopping')
      return true;
    return believed(bench, other).kind !== 'running';
  });
  return id === undefined
    ? undefined
    : `waits for ${id}, which is ${bench.services.get(id)?.state}`;
}

/** A service that comes after this one, may be running and so must be stopped first. */
function rider(bench: Bench, service: Service): ServiceId | undefined {
  return bench.dependents.get(service.spec.id)?.find((id) => {
    const other = bench.services.get(id);
    if (other === undefined || other.wanted === 'observed') return false;
    return other.acting !== undefined || isUp(believed(bench, other));
  });
}

function isUp(seen: ServiceSeen): boolean {
  return (
    seen.kind === 'running' ||
    seen.kind === 'starting' ||
    seen.kind === 'stopping' ||
    seen.kind === 'hanging'
  );
}

/** Something it comes after is to be stopped: this one goes first, and comes back with it. */
function stopsFor(bench: Bench, service: Service): string | undefined {
  const id = service.spec.after.find((one) => {
    const other = bench.services.get(one);
    return other !== undefined && other.wanted === 'stopped' && isUp(believed(bench, other));
  });
  return id === undefined ? undefined : `${id} is to be stopped`;
}

function start(bench: Bench, service: Service, counted: boolean): Service {
  const { draft } = bench;
  const blocked = blocker(bench, service);
  if (blocked !== undefined) return at(service, 'waiting', blocked);
  const { lastExit } = service;
  const why =
    counted && lastExit !== undefined ? `start again: ${exitText(lastExit)}` : 'wanted running';
  const moved = move(bench, service, 'start', why);
  if (moved.acting === undefined) return moved;
  const again = counted
    ? {
        attempt: service.attempt + 1,
        restartsTotal: service.restartsTotal + 1,
        restarts: [
          ...within(service.restarts, draft.now, service.spec.restart.withinMs),
          draft.now,
        ],
      }
    : {};
  return { ...moved, ...again, started: moved.acting, dueAt: undefined, runningSince: undefined };
}

/** A start is owed: after its delay, and once nothing of the last run is left. */
function startOwed(bench: Bench, service: Service, seen: ServiceSeen, dueAt: number): Service {
  const { draft } = bench;
  if (seen.kind === 'hanging') {
    // Others end by force what does not stop; a process is ours to kill.
    const how = service.spec.driver.kind === 'process' ? 'kill' : 'stop';
    return move(bench, service, how, seen.why);
  }
  const left = seen.kind === 'running' || (seen.kind === 'failed' && seen.remains === true);
  if (left) return move(bench, service, 'stop', 'to be started anew');
  if (dueAt > draft.now) {
    dueBy(draft, ms(dueAt));
    const { lastExit, attempt } = service;
    const end = lastExit === undefined ? '' : `, ${exitText(lastExit)}`;
    return at(service, 'waiting', `restart ${attempt + 1} follows${end}`);
  }
  return start(bench, service, service.wish?.by !== 'operator');
}

function settled(bench: Bench, service: Service): Service {
  const { draft } = bench;
  const runningSince = service.runningSince ?? draft.now;
  const settlesAt = ms(runningSince + service.spec.restart.settleMs);
  const up: Service = { ...service, runningSince, asked: false };
  if (service.attempt === 0) return up;
  if (draft.now >= settlesAt) return { ...up, attempt: 0 };
  dueBy(draft, settlesAt);
  return up;
}

/** It runs: nothing is owed, unless a restart was asked for. */
function whenRunning(bench: Bench, service: Service, seen: ServiceSeen): Service {
  const { dueAt, wish } = service;
  const reason = stopsFor(bench, service);
  if (reason !== undefined && service.wanted === 'running')
    return move(bench, service, 'stop', reason);
  if (wish !== undefined && dueAt !== undefined) return startOwed(bench, service, seen, dueAt);
  const up = settled(bench, dueAt === undefined ? service : { ...service, dueAt: undefined });
  const note = seen.kind === 'running' ? (seen.why ?? '') : '';
  if (service.latch !== undefined)
    return at(up, 'running', 'latched, but it runs: not started by this agent');
  if (up.attempt === 0) return at(up, 'running', note);
  const times = `restarted ${up.attempt} time${up.attempt === 1 ? '' : 's'}, not settled yet`;
  return at(up, 'running', note === '' ? times : `${times}; ${note}`);
}

/** Notes how a run ended that was meant to end, or that is nobody's to mend. */
function noteQuietEnd(service: Service): Service {
  const exit = newExit(service);
  const known = exit === undefined ? service : { ...service, lastExit: exit };
  const { runningSince, started, dueAt } = known;
  if (runningSince === undefined && started === undefined && dueAt === undefined) return known;
  return { ...known, runningSince: undefined, started: undefined, dueAt: undefined };
}

function whenStoppedWanted(bench: Bench, service: Service, seen: ServiceSeen): Service {
  const down = seen.kind === 'stopped' || (seen.kind === 'failed' && seen.remains !== true);
  if (down) {
    const quiet = noteQuietEnd(service);
    return at({ ...quiet, attempt: 0, wish: undefined, asked: false }, 'stopped', '');
  }
  const first = rider(bench, service);
  if (first !== undefined) return at(service, service.state, `stops after ${first}`);
  return move(bench, service, 'stop', 'wanted stopped');
}

function whenObserved(bench: Bench, service: Service, seen: ServiceSeen): Service {
  if (seen.kind === 'running') return at(settled(bench, service), 'running', seen.why ?? '');
  const exit = newExit(service);
  const died = service.runningSince !== undefined && exit !== undefined;
  const noted = noteQuietEnd(died ? noteEnd(service, exit, bench.draft.now) : service);
  if (seen.kind === 'stopped' && noted.lastExit === undefined)
    return at(noted, 'stopped', 'not running');
  const why = 'why' in seen ? (seen.why ?? '') : '';
  const { lastExit } = noted;
  return at(noted, 'failed', why === '' && lastExit !== undefined ? exitText(lastExit) : why);
}

/** It does not run and should. */
function whenDown(bench: Bench, service: Service, seen: ServiceSeen): Service {
  if (service.latch !== undefined) {
    const { why, evidence } = service.latch;
    const quiet = noteQuietEnd(service);
    return at(quiet, 'latched', `${why}; ${evidence}`);
  }
  const { dueAt } = service;
  if (dueAt !== undefined) return startOwed(bench, service, seen, dueAt);
  const ran = service.runningSince !== undefined || service.started !== undefined;
  if (seen.kind === 'stopped' && !ran && newExit(service) === undefined) {
    return start(bench, service, false);
  }
  const failed = fail(bench.draft, service);
  if (failed.latch !== undefined) return whenDown(bench, failed, seen);
  return startOwed(bench, failed, seen, failed.dueAt ?? bench.draft.now);
}

/** The service after this step, with its order, if one was made. */
export function moveService(bench: Bench, service: Service): Service {
  const seen = believed(bench, service);
  if (service.acting !== undefined) return service;
  if (seen.kind === 'unknown') return at(service, 'unknown', seen.why);
  if (seen.kind === 'stopping') return at(service, 'stopping', '');
  if (service.wanted === 'stopped') return whenStoppedWanted(bench, service, seen);
  if (seen.kind === 'starting') return at(service, 'starting', '');
  if (service.wanted === 'observed') return whenObserved(bench, service, seen);
  if (seen.kind === 'running') return whenRunning(bench, service, seen);
  return whenDown(bench, service, seen);
}
