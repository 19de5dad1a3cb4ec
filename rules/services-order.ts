/**
 * Makes a service's orders and takes their outcomes: numbers them, writes down why, and gives up waiting
 * when one has had its time. Whether anything is to be ordered is decided elsewhere.
 */
import { order } from './act.ts';
import type { Action, ActionId, Because, Outcome } from './decision.ts';
import { type Draft, dueBy } from './draft.ts';
import type { Service, ServiceSeen } from './service.ts';

export type Move = 'start' | 'stop' | 'kill';

/** What a stop may take beyond its deadline: the kill, and seeing that nothing is left. */
export const KILL_MS = 5_000;
/** What an answer may take from the driver to here. */
const ANSWER_MS = 1_000;
const NO_ANSWER: Outcome = { result: 'unknown', evidence: 'no outcome by its deadline' };

function timeOf({ spec }: Service, move: Move): number {
  switch (move) {
    case 'start':
      return spec.startDeadlineMs + ANSWER_MS;
    case 'stop':
      return spec.stopDeadlineMs + KILL_MS + ANSWER_MS;
    case 'kill':
      return KILL_MS + ANSWER_MS;
  }
}

export function seenText(seen: ServiceSeen): string {
  return 'why' in seen && seen.why !== undefined ? `${seen.kind}: ${seen.why}` : seen.kind;
}

/** What a service decision was made on. */
export function becauseOf(service: Service, text: string): Because {
  const { seen, lastExit, attempt, restarts, wanted } = service;
  return {
    values: {
      wanted,
      seen: seenText(seen),
      attempt,
      restarts_in_window: restarts.length,
      ...(lastExit === undefined
        ? {}
        : { exit: `${lastExit.how} ${lastExit.value}`, last_line: lastExit.lastLine }),
    },
    guards: [],
    text,
  };
}

/** The action ordered, and the service that waits for it. */
export function orderMove(draft: Draft, service: Service, move: Move, why: string): Service {
  const what = { kind: move, service: service.spec.id } as const;
  const action = order(draft, what, becauseOf(service, why), timeOf(service, move));
  return { ...service, acting: action.id };
}

/** The service's own action, while it has no outcome. */
export function actingOf(draft: Draft, service: Service): Action | undefined {
  const { acting } = service;
  return acting === undefined ? undefined : draft.actions.find(({ id }) => id === acting);
}

/** Answers a restart that a rule's ladder ordered; its alarm hears it in this very step. */
export function answer(draft: Draft, action: ActionId, outcome: Outcome): void {
  draft.told.push({ kind: 'outcome', action, at: draft.now, outcome });
}

/** The outcome of the service's own action, told or given up; its action is closed. */
export function closeAction(
  draft: Draft,
  action: Action,
  told: ReadonlyMap<ActionId, Outcome>,
): Outcome | undefined {
  const outcome = told.get(action.id) ?? (draft.now >= action.deadlineAt ? NO_ANSWER : undefined);
  if (outcome === undefined) {
    dueBy(draft, action.deadlineAt);
    return undefined;
  }
  draft.actions = draft.actions.filter((one) => one !== action);
  draft.decisions.push({ kind: 'outcome', action: action.id, outcome });
  return outcome;
}
