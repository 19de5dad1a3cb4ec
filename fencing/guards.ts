/**
 * Whether a node may be cut at all, as named predicates; the first that says no makes a refusal. The
 * invariants they keep are S10 (right target), S11 (authority) and S12 (no storm, no loop). What they
 * need to know comes as an argument: ownership, history, and how well we see ourselves.
 */
import type { Ms } from '../rules/model.ts';
import { levelTrouble, type PowerPlan, standsAlone } from './plan.ts';

/** By what right a node is to be cut. */
export type Authority =
  /** We hold, or have just won, a disk that the target might write. */
  | { readonly kind: 'owner'; readonly disk: string }
  /** Nothing of it can be owned, and of the live candidates we come first. */
  | { readonly kind: 'first-candidate'; readonly hierarchy: string }
  | { readonly kind: 'operator'; readonly who: string }
  | { readonly kind: 'none' };

export interface FenceRecord {
  readonly by: string;
  readonly target: string;
  readonly at: Ms;
}

export interface FenceContext {
  readonly self: string;
  readonly now: Ms;
  /** When this node booted. */
  readonly bootedAt: Ms;
  /** Nodes of the cluster, this one included. */
  readonly nodes: number;
  readonly authority: Authority;
  readonly maintenance: boolean;
  /** Our own loop is on time, and our own links are well: we may accuse. */
  readonly sightGood: boolean;
  /** Fences that are known to have been ordered, by anyone. */
  readonly history: readonly FenceRecord[];
  /** Every plan, the target's and our own included. */
  readonly plans: readonly PowerPlan[];
}

export interface Refusal {
  readonly guard: string;
  readonly why: string;
}

export const WINDOW_MS: number = 10 * 60_000;
export const FENCES_MAX = 2;
export const START_GRACE_MS = 60_000;

type Guard = (context: FenceContext, target: string) => string | undefined;

function byOperator({ authority }: FenceContext): boolean {
  return authority.kind === 'operator';
}

function planOfNode({ plans }: FenceContext, node: string): PowerPlan | undefined {
  return plans.find((plan) => plan.node === node);
}

function outletsOf(plan: PowerPlan | undefined): ReadonlySet<string> {
  const feeds = (plan?.levels ?? []).flatMap((level) => level.feeds);
  return new Set(feeds.map(({ device, outlet }) => JSON.stringify([device, outlet.id])));
}

function recent({ history, now }: FenceContext): readonly FenceRecord[] {
  return history.filter(({ at }) => now - at < WINDOW_MS);
}

const maintenance: Guard = (context) =>
  context.maintenance && !byOperator(context) ? 'maintenance is on' : undefined;

const known: Guard = (context, target) =>
  planOfNode(context, target) === undefined ? `there is no power plan for ${target}` : undefined;

const notSelf: Guard = ({ self }, target) =>
  target === self ? 'a node does not cut its own power' : undefined;

/** S10: an outlet belongs to one node. */
const rightTarget: Guard = (context, target) => {
  const own = outletsOf(planOfNode(context, target));
  const other = context.plans.find(
    (plan) => plan.node !== target && [...outletsOf(plan)].some((outlet) => own.has(outlet)),
  );
  return other === undefined ? undefined : `an outlet of ${target} also powers ${other.node}`;
};

/** S10: only a map that a drill has shown to be true. */
const verifiedMap: Guard = (context, target) => {
  const plan = planOfNode(context, target);
  if (plan?.verified === true || plan?.unverifiedAllowed === true || byOperator(context)) {
    return undefined;
  }
  return `the outlets of ${target} were never drilled`;
};

const provable: Guard = (context, target) => {
  const plan = planOfNode(context, target);
  const good = plan?.levels.filter((level) => levelTrouble(plan, level) === undefined) ?? [];
  if (good.length === 0) return 'no level can prove that the node is off';
  return good.some(standsAlone) ? undefined : `every level rests on what falls with ${target}`;
};

/** S11. */
const authority: Guard = ({ authority: right }) =>
  right.kind === 'none'
    ? 'nothing gives us the right (no disk won, not the first candidate)'
    : undefined;

const selfLate: Guard = (context) =>
  context.sightGood || byOperator(context)
    ? undefined
    : 'our own sight is not good: we may be the fault';

/** S12. */
const startGrace: Guard = (context) => {
  const upMs = context.now - context.bootedAt;
  if (upMs >= START_GRACE_MS || byOperator(context)) return undefined;
  return `this node is up for ${Math.round(upMs / 1000)} s only`;
};

/** S12. */
const budget: Guard = (context) => {
  if (byOperator(context)) return undefined;
  const own = recent(context).filter(({ by }) => by === context.self);
  return own.length < FENCES_MAX ? undefined : `${own.length} fences in the last ten minutes`;
};

/** S12: the smaller half of the cluster at most. */
const targets: Guard = (context, target) => {
  if (byOperator(context)) return undefined;
  const most = Math.max(1, Math.floor((context.nodes - 1) / 2));
  const others = new Set([...recent(context).map((record) => record.target), target]);
  return others.size <= most ? undefined : `more than ${most} nodes would be cut in ten minutes`;
};

/** S12: what did not help twice is not done a third time. */
const quarantine: Guard = (context, target) => {
  if (byOperator(context)) return undefined;
  const times = recent(context).filter((record) => record.target === target).length;
  return times < 2 ? undefined : `${target} was fenced ${times} times in ten minutes: quarantine`;
};

/** S12: not eye for eye. */
const alternation: Guard = (context, target) => {
  if (byOperator(context)) return undefined;
  const { self } = context;
  const between = recent(context).filter(
    (one) =>
      (one.by === self && one.target === target) || (one.by === target && one.target === self),
  );
  const theirs = between.some(({ by }) => by === target);
  const ours = between.some(({ by }) => by === self);
  return theirs && ours ? `${self} and ${target} have fenced each other already` : undefined;
};

const GUARDS: Readonly<Record<string, Guard>> = {
  maintenance,
  'not-self': notSelf,
  'known-target': known,
  'right-target': rightTarget,
  'verified-map': verifiedMap,
  provable,
  authority,
  'self-late': selfLate,
  'start-grace': startGrace,
  budget,
  targets,
  quarantine,
  alternation,
};

/** The first guard that says no; undefined when the node may be cut. */
export function refusalOf(context: FenceContext, target: string): Refusal | undefined {
  for (const [guard, says] of Object.entries(GUARDS)) {
    const why = says(context, target);
    if (why !== undefined) return { guard, why };
  }
  return undefined;
}
