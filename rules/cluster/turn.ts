/** How a hierarchy changes its state: with a reason in words, once, and into the journal. */
import { type Draft, note } from './draft.ts';
import type { HierarchyState } from './model.ts';
import { ALWAYS, type Hierarchy, NEVER } from './state.ts';
import type { No } from './worth.ts';

export function enter(
  draft: Draft,
  hierarchy: Hierarchy,
  state: HierarchyState,
  why: string,
  change: Partial<Hierarchy> = {},
): Hierarchy {
  draft.decisions.push({
    hierarchy: hierarchy.spec.id,
    from: hierarchy.state,
    to: state,
    refusedBy: change.guard,
    why,
  });
  return { ...hierarchy, guard: undefined, ...change, state, since: draft.now, why };
}

/** Stays where it is because a guard says no; told when it is another guard than before. */
export function refuse(draft: Draft, hierarchy: Hierarchy, no: No): Hierarchy {
  if (hierarchy.guard === no.guard) return hierarchy;
  note(draft, hierarchy, no.why, no.guard);
  return { ...hierarchy, guard: no.guard, why: no.why };
}

/** What is forgotten when a hierarchy is no longer ours. */
export const NOT_OURS: Partial<Hierarchy> = {
  provenMs: ALWAYS,
  registeredMs: NEVER,
  from: undefined,
  upMs: NEVER,
  settled: false,
  lostMs: NEVER,
  better: undefined,
  silent: false,
};
