/**
 * What follows from the failure of a service: another start after its delay, or the latch. Restarts are
 * bounded by a sliding window; the same end soon after each start skips those that are left, because
 * the data is toxic and a restart would only feed it again.
 */
import type { Draft } from './draft.ts';
import { ms } from './model.ts';
import type { Exit, Service } from './service.ts';
import { delayOf, exitText, noteEnd, toxicEvidence, within } from './services-ends.ts';
import { answer } from './services-order.ts';

/** Ends the trying: only an operator's `clear` starts it again. */
export function latch(draft: Draft, service: Service, why: string, evidence: string): Service {
  const { wish } = service;
  if (wish?.action !== undefined) {
    answer(draft, wish.action, { result: 'refuted', evidence: `${why}: ${evidence}` });
  }
  return {
    ...service,
    latch: { at: draft.now, why, evidence },
    dueAt: undefined,
    started: undefined,
    wish: undefined,
    asked: false,
  };
}

/** The end that is seen, if it is a new one. */
export function newExit(service: Service): Exit | undefined {
  const { seen, lastExit } = service;
  const exit = seen.kind === 'stopped' || seen.kind === 'failed' ? seen.exit : undefined;
  return exit === undefined || exit.run === lastExit?.run ? undefined : exit;
}

/** An end of which nothing was seen but that it is over, or hangs. */
function supposedExit(service: Service, draft: Draft): Exit {
  const { seen, runningSince, started } = service;
  const lastLine = 'why' in seen ? (seen.why ?? '') : '';
  const run = 'run' in seen ? seen.run : (started ?? `unseen-${draft.now}`);
  const afterStartMs = runningSince === undefined ? 0 : draft.now - runningSince;
  return { run, how: 'unknown', value: 0, afterStartMs, lastLine };
}

/** A count in words an operator reads: `3 restarts within 10 min`. */
function windowText(count: number, withinMs: number): string {
  const minutes = withinMs / 60_000;
  const span = minutes >= 1 ? `${Math.round(minutes)} min` : `${withinMs / 1000} s`;
  return `${count} restart${count === 1 ? '' : 's'} within ${span}`;
}

/** Accounts for one failure: the evidence kept, and what is owed now. */
export function fail(draft: Draft, service: Service): Service {
  const { restart, toxic } = service.spec;
  const { seen } = service;
  const exit = newExit(service) ?? supposedExit(service, draft);
  const noted: Service = {
    ...noteEnd(service, exit, draft.now),
    runningSince: undefined,
    started: undefined,
    restarts: within(service.restarts, draft.now, restart.withinMs),
    // It had settled, though no step may have fallen into that time.
    attempt: exit.afterStartMs >= restart.settleMs ? 0 : service.attempt,
  };
  if (seen.kind === 'failed' && seen.lasting === true) {
    return latch(draft, noted, 'a restart here cannot help', seen.why);
  }
  const evidence = toxicEvidence(noted.ends, toxic);
  if (evidence !== undefined) {
    const left = Math.max(0, restart.count - noted.restarts.length);
    const skipped = left === 0 ? '' : `, ${left} more restart${left === 1 ? '' : 's'} skipped`;
    return latch(draft, noted, `toxic data is likely${skipped}`, evidence);
  }
  if (noted.restarts.length >= restart.count) {
    const why = `failed again after ${windowText(restart.count, restart.withinMs)}`;
    return latch(draft, noted, why, exitText(exit));
  }
  return { ...noted, dueAt: ms(draft.now + delayOf(restart, noted.attempt)) };
}
