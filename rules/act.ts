/**
 * Orders actions and ends them. An action lives in the world until its outcome is told or its deadline
 * passes; then its outcome is `unknown`, for a timeout is no success and no failure either. Whether
 * something is to be done is decided elsewhere; this file only keeps the books.
 */
import type { Action, ActionId, Because, Ended, Order, Outcome } from './decision.ts';
import { type Draft, dueBy } from './draft.ts';
import { ms } from './model.ts';

/** Orders an action now. Its name is never used again. */
export function order(draft: Draft, what: Order, because: Because, deadlineMs: number): Action {
  draft.actionCount += 1;
  const action: Action = {
    id: `${draft.before.era}-${draft.actionCount}` as ActionId,
    order: what,
    because,
    at: draft.now,
    deadlineAt: ms(draft.now + deadlineMs),
  };
  draft.actions = [...draft.actions, action];
  draft.decisions.push({ kind: 'action', action });
  dueBy(draft, action.deadlineAt);
  // The policy of services takes it up in the next step, which nothing else would call for.
  if (what.kind === 'restart') dueBy(draft, draft.now);
  return action;
}

function timedOut(action: Action): Outcome {
  const seconds = Math.round(action.deadlineAt - action.at) / 1000;
  return { result: 'unknown', evidence: `no outcome within ${seconds} s` };
}

/**
 * Takes the outcomes that were told, and gives up what is past its deadline. An outcome that comes after
 * that is written down and changes nothing.
 */
export function endActions(draft: Draft): void {
  const told = new Map<ActionId, Outcome>();
  const known = new Set(draft.before.actions.map((action) => action.id));
  const open = new Set(draft.actions.map((action) => action.id));
  for (const input of draft.told) {
    if (input.kind !== 'outcome' || told.has(input.action)) continue;
    const { action, outcome } = input;
    told.set(action, outcome);
    // What a service's own order came to is written down by the policy of services, which ended it.
    if (known.has(action) && !open.has(action)) continue;
    draft.decisions.push({ kind: 'outcome', action, outcome });
  }
  const ended: Ended[] = [];
  const left: Action[] = [];
  for (const action of draft.actions) {
    const outcome = told.get(action.id);
    if (outcome !== undefined) ended.push({ action, outcome });
    else if (action.deadlineAt <= draft.now) {
      ended.push({ action, outcome: timedOut(action) });
      draft.decisions.push({ kind: 'outcome', action: action.id, outcome: timedOut(action) });
    } else {
      left.push(action);
      dueBy(draft, action.deadlineAt);
    }
  }
  if (ended.length > 0) draft.actions = left;
  draft.ended = ended;
}
