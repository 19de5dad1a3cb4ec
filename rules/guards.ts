/**
 * Guards: named predicates asked before a remedy is ordered. The first that says no makes a refusal. They
 * look and decide nothing else: what a refusal means for the ladder is `ladder.ts`'s.
 */
import { clusterNo } from './cluster-deeds.ts';
import type { Alarm, Guard, Maintenance, Order } from './decision.ts';
import type { Draft } from './draft.ts';
import { globMatches } from './glob.ts';
import type { Ms } from './model.ts';
import type { Deed, Remedy, Rule } from './rule.ts';

/** More remedies than this within the time are a storm: something is wrong with us or with everything. */
export const STORM_ACTIONS = 20;
export const STORM_MS = 60_000;
/** A lateness of this much withdraws the right to act, for so long. */
export const LATE_MS = 1000;
export const LATE_HOLD_MS = 10_000;

export interface Question {
  readonly draft: Draft;
  readonly rule: Rule;
  readonly alarm: Alarm;
  readonly index: number;
  readonly remedy: Remedy;
  /** The deed with `$subject` put in. */
  readonly deed: Deed;
  /** Everything the deed and the alarm touch, by name. */
  readonly names: readonly string[];
}

type SaysNo = (question: Question) => boolean;

/** The lease that holds this subject now, if there is one. */
export function maintenanceOf(
  maintenance: readonly Maintenance[],
  subject: string,
  now: Ms,
): Maintenance | undefined {
  return maintenance.find(
    (lease) => now < lease.endsAt && (lease.scope === '*' || globMatches(lease.scope, subject)),
  );
}

function isNotice(deed: Deed): boolean {
  return deed.kind === 'notify';
}

/** What an order is done to: two at once on the same would not know of each other. */
export function targetOf(order: Order): string {
  switch (order.kind) {
    case 'notify':
      return '';
    case 'start':
    case 'stop':
    case 'kill':
    case 'restart':
      return order.service;
    case 'shed-power':
      return 'power';
    case 'run':
      return order.argv.join('\0');
    case 'handover':
      return order.hierarchy;
    case 'fence':
      return order.node;
    case 'undo':
      return targetOf(order.deed);
  }
}

/** Something is being done to the same thing, or for an alarm of this name that came and went. */
function isBusy({ draft, deed, alarm }: Question): boolean {
  if (isNotice(deed)) return false;
  const target = targetOf(deed);
  return draft.actions.some(({ order, because }) => {
    const own = because.alarm === alarm.id && order.kind !== 'notify' && order.kind !== 'undo';
    return own || targetOf(order) === target;
  });
}

function isLatched({ draft, deed }: Question): boolean {
  if (deed.kind !== 'restart') return false;
  const service = draft.services.find((one) => one.spec.id === deed.service);
  return service?.latch !== undefined;
}

function overBudget({ draft, alarm, index, remedy }: Question): boolean {
  const { count, withinMs } = remedy.budget;
  const spent = draft.spent.filter(
    (one) => one.alarm === alarm.id && one.rung === index && one.at > draft.now - withinMs,
  );
  return spent.length >= count;
}

function isStorm({ draft, deed }: Question): boolean {
  if (isNotice(deed)) return false;
  const recent = draft.spent.filter((one) => !one.notice && one.at > draft.now - STORM_MS);
  return recent.length >= STORM_ACTIONS;
}

function isLate({ draft, deed }: Question): boolean {
  if (isNotice(deed) || draft.late === undefined) return false;
  return draft.late.lateMs >= LATE_MS && draft.late.at > draft.now - LATE_HOLD_MS;
}

/** A guard of the cluster's: none of them has a say in other deeds. */
function isNo(guard: Guard): SaysNo {
  return ({ draft, deed }) => clusterNo(draft.cluster, deed) === guard;
}

/** In the order in which they are asked. */
const ASKED: readonly (readonly [Guard, SaysNo])[] = [
  [
    'maintenance',
    ({ draft, names }) => names.some((name) => maintenanceOf(draft.maintenance, name, draft.now)),
  ],
  ['shadow', ({ rule }) => rule.mode === 'shadow'],
  // Doubt acts on peers only: a fence is there to turn it into knowledge.
  [
    'doubt',
    ({ rule, deed }) => rule.certainty === 'doubt' && !isNotice(deed) && deed.kind !== 'fence',
  ],
  ['no-cluster', isNo('no-cluster')],
  ['not-owner', isNo('not-owner')],
  ['last-survivor', isNo('last-survivor')],
  ['no-better-node', isNo('no-better-node')],
  ['one-fence-at-a-time', isNo('one-fence-at-a-time')],
  ['latched', isLatched],
  ['self-late', isLate],
  ['storm', isStorm],
  ['budget', overBudget],
  ['busy', isBusy],
];

export interface Answer {
  /** The first that said no. */
  readonly refusedBy: Guard | undefined;
  /** All that were asked, in order; the last is the one that said no, if one did. */
  readonly asked: readonly Guard[];
}

export function ask(question: Question): Answer {
  const asked: Guard[] = [];
  for (const [guard, saysNo] of ASKED) {
    asked.push(guard);
    if (saysNo(question)) return { refusedBy: guard, asked };
  }
  return { refusedBy: undefined, asked };
}

const GOES_ON: ReadonlySet<Guard> = new Set([
  'no-cluster',
  'not-owner',
  'no-better-node',
  'last-survivor',
  'latched',
  'budget',
  'doubt',
]);

/**
 * Guards that will not soon say yes: the ladder goes on to its next rung, if it has one. After the others
 * it waits on its rung and asks again.
 */
export function goesOn(guard: Guard): boolean {
  return GOES_ON.has(guard);
}

/** When a guard could say otherwise by time alone. */
export function asksAgainAt({ draft, alarm, index, remedy }: Question, guard: Guard): number {
  const times = draft.spent.filter((one) => one.at <= draft.now);
  switch (guard) {
    case 'self-late':
      return (draft.late?.at ?? draft.now) + LATE_HOLD_MS;
    case 'storm': {
      const recent = times.filter((one) => !one.notice && one.at > draft.now - STORM_MS);
      return (recent.at(-STORM_ACTIONS)?.at ?? draft.now) + STORM_MS;
    }
    case 'budget': {
      const own = times.filter((one) => one.alarm === alarm.id && one.rung === index);
      return (own.at(-remedy.budget.count)?.at ?? draft.now) + remedy.budget.withinMs;
    }
    default:
      return Number.POSITIVE_INFINITY;
  }
}
