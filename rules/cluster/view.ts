/**
 * The cluster as the rest of a node's core sees it: small, told as a level, the same object while nothing
 * changed. Guards ask it whether a handover or a fence makes sense here, and outcomes are read from it: a
 * handover is done when the hierarchy was seen to have left, a fence when the node was proven to be off.
 */
import type { Ms } from '../model.ts';
import { openDraft } from './draft.ts';
import { shootNo } from './fences.ts';
import type { HierarchyId, HierarchyState, NodeName } from './model.ts';
import { type Cluster, HAVING, type Hierarchy } from './state.ts';
import { bestPeer } from './worth.ts';

export interface HierarchyView {
  readonly id: HierarchyId;
  readonly name: string;
  readonly state: HierarchyState;
  readonly why: string;
  /** This node has it, or is not rid of it yet. */
  readonly ours: boolean;
  /** It was asked away, and that is not over. */
  readonly leaving: boolean;
  /** A live peer could serve it. */
  readonly wanted: boolean;
  /** No other node is heard that may run it. */
  readonly alone: boolean;
}

export interface NodeView {
  readonly name: NodeName;
  /** This node has the right to have it cut. */
  readonly mayCut: boolean;
  /** Why it is proven to be off, since when. */
  readonly off: { readonly atMs: number; readonly why: string } | undefined;
  /** When the last fence of it ended without a proof, and how. */
  readonly failed: { readonly atMs: number; readonly outcome: string } | undefined;
}

export interface ClusterView {
  readonly hierarchies: readonly HierarchyView[];
  readonly nodes: readonly NodeView[];
  /** The node that is wished to be cut now. */
  readonly cutting: NodeName | undefined;
}

type Draft = ReturnType<typeof openDraft>;

function hierarchyView(draft: Draft, given: Hierarchy): HierarchyView {
  const { spec, state, why, asked, leave } = given;
  return {
    id: spec.id,
    name: spec.name,
    state,
    why,
    ours: HAVING.has(state),
    leaving: asked !== undefined || (leave !== undefined && HAVING.has(state)),
    wanted: bestPeer(draft, given, false) !== undefined,
    alone: given.rivals.every((place) => draft.peers[place]?.contact !== 'heard'),
  };
}

function mayCut(draft: Draft, node: NodeName): boolean {
  const no = shootNo(draft, node);
  return no === undefined || no.guard === 'one-fence-at-a-time';
}

function kept<T extends object>(was: T | undefined, is: T): T {
  if (was === undefined) return is;
  const keys = Object.keys(is) as (keyof T)[];
  return keys.every((key) => was[key] === is[key]) ? was : is;
}

function keptList<T>(was: readonly T[] | undefined, is: readonly T[]): readonly T[] {
  const same = was?.length === is.length && is.every((one, at) => one === was[at]);
  return same && was !== undefined ? was : is;
}

/** The view of now; what did not change is the same object as in the view before. */
export function viewOf(cluster: Cluster, now: Ms, was: ClusterView | undefined): ClusterView {
  const draft = openDraft(cluster, now);
  const hierarchies = cluster.hierarchies.map((given, at) =>
    kept(was?.hierarchies[at], hierarchyView(draft, given)),
  );
  const nodes = cluster.peers.map((peer, at): NodeView => {
    const { name, off, fence: failed } = peer;
    return kept(was?.nodes[at], { name, mayCut: mayCut(draft, name), off, failed });
  });
  return kept(was, {
    hierarchies: keptList(was?.hierarchies, hierarchies),
    nodes: keptList(was?.nodes, nodes),
    cutting: cluster.wish.fences[0]?.node,
  });
}

/** A hierarchy by its id or its bare name, as rules write it. */
export function hierarchyIn(view: ClusterView, name: string): HierarchyView | undefined {
  return view.hierarchies.find((one) => one.id === name || one.name === name);
}
