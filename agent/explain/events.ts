/** What happened to some names: changes and decisions of the journal, picked out and put into words. */
import type { Because, Decision, Order } from '../../rules/decision.ts';
import type { Happening } from './scan.ts';
import { decisionText, groupText, healthText, sightText } from './words.ts';

export interface Event {
  readonly happening: Happening;
  readonly kind: 'reading' | 'margin' | 'sight' | Decision['kind'];
  readonly text: string;
}

export interface Placed<K extends Decision['kind']> {
  readonly happening: Happening;
  readonly decision: Extract<Decision, { kind: K }>;
}

export function placed<K extends Decision['kind']>(
  happenings: readonly Happening[],
  kind: K,
): readonly Placed<K>[] {
  return happenings.flatMap((happening) =>
    (happening.verdicts.d ?? []).flatMap((decision) =>
      decision.kind === kind
        ? [{ happening, decision: decision as Extract<Decision, { kind: K }> }]
        : [],
    ),
  );
}

export function serviceOf(order: Order): string | undefined {
  switch (order.kind) {
    case 'start':
    case 'stop':
    case 'kill':
      return order.service;
    case 'restart':
      return order.service.startsWith('service/') ? order.service : `service/${order.service}`;
    default:
      return undefined;
  }
}

/** Whether a decision is part of the story of these names. */
function touches(decision: Decision, names: ReadonlySet<string>, actions: Set<string>): boolean {
  const byAlarm = ({ alarm }: Because): boolean => alarm !== undefined && names.has(alarm);
  switch (decision.kind) {
    case 'alarm':
      return names.has(decision.alarm.id) || names.has(decision.alarm.subject);
    case 'action': {
      const { id, order, because } = decision.action;
      const is = names.has(id) || byAlarm(because) || names.has(serviceOf(order) ?? '');
      if (is) actions.add(id);
      return is;
    }
    case 'refusal':
      return byAlarm(decision.because) || names.has(serviceOf(decision.order) ?? '');
    case 'outcome':
      return names.has(decision.action) || actions.has(decision.action);
    case 'service':
      return names.has(decision.service);
    case 'maintenance':
      return false;
  }
}

/** All that one step came to, each with the name it is about; decisions by what they touch. */
function* eventsIn(
  happening: Happening,
  isOwn: (decision: Decision) => boolean,
): Generator<{ readonly name: string | undefined; readonly event: Event }> {
  const { s = [], h = [], g = [], d = [] } = happening.verdicts;
  for (const one of s)
    yield { name: one[0], event: { happening, kind: 'sight', text: sightText(one) } };
  for (const one of h)
    yield { name: one[0], event: { happening, kind: 'reading', text: healthText(one) } };
  for (const one of g)
    yield { name: one[0], event: { happening, kind: 'margin', text: groupText(one) } };
  for (const one of d) {
    if (!isOwn(one)) continue;
    yield { name: undefined, event: { happening, kind: one.kind, text: decisionText(one) } };
  }
}

export function eventsOf(
  happenings: readonly Happening[],
  names: ReadonlySet<string>,
): readonly Event[] {
  const actions = new Set<string>();
  const isOwn = (decision: Decision): boolean => touches(decision, names, actions);
  return happenings
    .flatMap((happening) => [...eventsIn(happening, isOwn)])
    .filter(({ name }) => name === undefined || names.has(name))
    .map(({ event }) => event);
}
