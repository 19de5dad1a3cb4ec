/**
 * Makes a service's orders, with the time each may take and why it was made, and answers restarts that
 * a rule's ladder ordered. Whether anything is to be ordered is decided elsewhere.
 */
import { order } from './act.ts';

import type { ActionId, Because, Outcome } from './decision.ts';
import type { Draft } from './draft.ts';

import type { Service, ServiceSeen } from './service.ts';

export type Move = 'start' | 'stop' | 'kill';

/** What a stop may take beyond its deadline: the kill, and seeing that nothing is left. */
export const KILL_MS = 5_000;
/** What an answer may take from the driver to here. */
const ANSWER_MS = 1_000;

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

/** The move ordered, and the service that waits for it. */
export function orderMove(draft: Draft, service: Service, move: Move, why: string): Service {
  const what = { kind: move, service: service.spec.id } as const;
  const { id } = order(draft, what, becauseOf(service, why), timeOf(service, move));
  return { ...service, acting: id };
}

/** Ends a restart that a rule's ladder ordered; its alarm hears it in this very step. */
export function answer(draft: Draft, id: ActionId, outcome: Outcome): void {
  const action = draft.actions.find((one) => one.id === id);
  if (action === undefined) return;
  draft.actions = draft.actions.filter((one) => one !== action);
  draft.ended = [...draft.ended, { action, outcome }];
  draft.decisions.push({ kind: 'outcome', action: id, outcome });
}
