/**
 * The deeds of rules that are the cluster's: `handover` and `fence`. What they become is told to the
 * cluster's core as an input; whether they were done is read from what is told of it. A request that was
 * not seen to be taken up has no outcome but its deadline's.
 */

import type { ClusterInput, NodeName } from './cluster/model.ts';
import { type ClusterView, type HierarchyView, hierarchyIn } from './cluster/view.ts';
import type { Action, Guard, Order, Outcome } from './decision.ts';
import type { Draft } from './draft.ts';
import type { Ms } from './model.ts';
import type { Deed } from './rule.ts';

/** What the cluster's core is told when such an action is ordered; undefined: it is none of its. */
export function clusterInputOf(
  { order, because, at }: Action,
  view: ClusterView | undefined,
): ClusterInput | undefined {
  const why = because.text;
  if (order.kind === 'fence') return { kind: 'shoot', at, node: order.node as NodeName, why };
  if (order.kind !== 'handover' || view === undefined) return undefined;
  const hierarchy = hierarchyIn(view, order.hierarchy);
  return hierarchy === undefined
    ? undefined
    : { kind: 'handover', at, hierarchy: hierarchy.id, why };
}

function handoverNo(hierarchy: HierarchyView | undefined): Guard | undefined {
  if (hierarchy === undefined || !hierarchy.ours) return 'not-owner';
  if (hierarchy.alone) return 'last-survivor';
  return hierarchy.wanted ? undefined : 'no-better-node';
}

function fenceNo(view: ClusterView, name: string): Guard | undefined {
  const node = view.nodes.find((one) => one.name === name);
  if (node === undefined || !node.mayCut) return 'not-owner';
  const busy = view.cutting !== undefined && view.cutting !== name;
  return busy ? 'one-fence-at-a-time' : undefined;
}

/** Which of the cluster's guards says no to a deed; the others of the rules were asked before. */
export function clusterNo(view: ClusterView | undefined, deed: Deed): Guard | undefined {
  if (deed.kind !== 'handover' && deed.kind !== 'fence') return undefined;
  if (view === undefined) return 'no-cluster';
  return deed.kind === 'handover'
    ? handoverNo(hierarchyIn(view, deed.hierarchy))
    : fenceNo(view, deed.node);
}

function handoverOutcome(
  was: ClusterView | undefined,
  is: ClusterView,
  name: string,
): Outcome | undefined {
  const hierarchy = hierarchyIn(is, name);
  if (hierarchy === undefined) return undefined;
  if (!hierarchy.ours) {
    const lost = hierarchy.state === 'losing';
    return lost ? undefined : { result: 'verified', evidence: `it has left: ${hierarchy.why}` };
  }
  const before = was === undefined ? undefined : hierarchyIn(was, name);
  if (before?.leaving !== true || hierarchy.leaving) return undefined;
  return { result: 'refuted', evidence: hierarchy.why };
}

function fenceOutcome(is: ClusterView, name: string, at: Ms): Outcome | undefined {
  const node = is.nodes.find((one) => one.name === name);
  if (node?.off !== undefined) return { result: 'verified', evidence: node.off.why };
  if (node?.failed === undefined || node.failed.atMs < at) return undefined;
  return { result: 'refuted', evidence: `the fence ${node.failed.outcome}` };
}

function outcomeOf(draft: Draft, order: Order, at: Ms): Outcome | undefined {
  const { cluster, before } = draft;
  if (cluster === undefined) return undefined;
  if (order.kind === 'handover') return handoverOutcome(before.cluster, cluster, order.hierarchy);
  return order.kind === 'fence' ? fenceOutcome(cluster, order.node, at) : undefined;
}

/** Takes in what was told of the cluster, and the outcomes that it shows. To be asked before actions end. */
export function moveCluster(draft: Draft): void {
  for (const input of draft.told) {
    if (input.kind === 'cluster') draft.cluster = input.view;
  }
  if (draft.cluster === draft.before.cluster) return;
  for (const { id, order, at } of draft.actions) {
    const outcome = outcomeOf(draft, order, at);
    if (outcome !== undefined) {
      draft.told.push({ kind: 'outcome', action: id, at: draft.now, outcome });
    }
  }
}
