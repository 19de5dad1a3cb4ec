/**
 * Puts together what the journal knows of one thing: the course of events, the rule and what it read, the
 * ladder with what became of each rung, and the times. It selects and orders; it decides and rounds nothing.
 */
import type { Action, Alarm, Because, Guard, Order, Outcome } from '../../rules/decision.ts';
import type { Rule } from '../../rules/rule.ts';
import type { World } from '../../rules/world.ts';
import { type Event, eventsOf, type Placed, placed, serviceOf } from './events.ts';
import type { Happening } from './scan.ts';
import type { Target } from './target.ts';

/** Events of a thing that is no alarm: the latest. */
export const EVENTS_MAX = 40;

export interface RungStory {
  readonly deed: Order;
  readonly became: 'done' | 'under way' | 'refused' | 'not tried';
  readonly text: string;
  /** Asked, in order; of a refused one the last said no. */
  readonly guards: readonly Guard[];
}

/** Unix milliseconds; undefined for what has not come, or stands no longer in the journal. */
export interface Times {
  readonly detected: number | undefined;
  readonly decided: number | undefined;
  readonly acted: number | undefined;
  readonly seenDone: number | undefined;
  readonly restored: number | undefined;
}

export interface Story {
  readonly target: Target;
  readonly alarm: Alarm | undefined;
  readonly action: Action | undefined;
  readonly outcome: Outcome | undefined;
  readonly because: Because | undefined;
  readonly rule: Rule | undefined;
  readonly events: readonly Event[];
  readonly ladder: readonly RungStory[];
  readonly times: Times;
  /** The step it was decided in: where to look for the world of that moment. */
  readonly decidedIn: Happening | undefined;
}

/** One life of the alarm, from its onset to before its next: the latest, or the one that holds `during`. */
function lifeOf(
  happenings: readonly Happening[],
  alarm: string,
  during: Happening | undefined,
): readonly Happening[] {
  const onsets = placed(happenings, 'alarm')
    .filter(({ decision }) => decision.alarm.id === alarm && decision.from === 'none')
    .map(({ happening }) => happenings.indexOf(happening));
  const at = during === undefined ? happenings.length : happenings.indexOf(during);
  const from = onsets.findLast((onset) => onset <= at) ?? 0;
  const next = onsets.find((onset) => onset > at);
  return happenings.slice(from, next);
}

function rungOf(
  remedy: Rule['ladder'][number],
  index: number,
  story: {
    readonly actions: readonly Placed<'action'>[];
    readonly outcomes: readonly Placed<'outcome'>[];
    readonly refusals: readonly Placed<'refusal'>[];
  },
): RungStory {
  const action = story.actions.findLast(
    ({ decision: { action: one } }) => one.because.rung === index && one.order.kind !== 'undo',
  );
  if (action !== undefined) {
    const { id, because } = action.decision.action;
    const outcome = story.outcomes.find(({ decision }) => decision.action === id)?.decision.outcome;
    return {
      deed: remedy.deed,
      became: outcome === undefined ? 'under way' : 'done',
      text: outcome === undefined ? id : `${id}: ${outcome.result}: ${outcome.evidence}`,
      guards: because.guards,
    };
  }
  const refusal = story.refusals.findLast(({ decision }) => decision.because.rung === index);
  if (refusal === undefined)
    return { deed: remedy.deed, became: 'not tried', text: '', guards: [] };
  const { guard, because } = refusal.decision;
  return {
    deed: remedy.deed,
    became: 'refused',
    text: `by guard ${guard}`,
    guards: because.guards,
  };
}

function alarmStory(
  happenings: readonly Happening[],
  target: Target,
  id: string,
  during: Happening | undefined,
): Story {
  const life = lifeOf(happenings, id, during);
  const alarms = placed(life, 'alarm').filter(({ decision }) => decision.alarm.id === id);
  const raised = alarms.find(({ decision }) => decision.alarm.state === 'raised') ?? alarms[0];
  const last = alarms.at(-1);
  const over = alarms.findLast(
    ({ decision: { alarm } }) => alarm.state === 'clearing' || alarm.state === 'cleared',
  );
  const isOver = over !== undefined && last?.decision.alarm.state !== 'raised';
  const actions = placed(life, 'action').filter(
    ({ decision }) => decision.action.because.alarm === id,
  );
  const remedies = actions.filter(({ decision }) => decision.action.order.kind !== 'undo');
  const ids = new Set(actions.map(({ decision }) => decision.action.id));
  const outcomes = placed(life, 'outcome').filter(({ decision }) => ids.has(decision.action));
  // Telling people is no cure: the times are those of what was done, where something was.
  const first =
    remedies.find(({ decision }) => decision.action.order.kind !== 'notify') ?? remedies[0];
  const done = outcomes.find(({ decision }) => decision.action === first?.decision.action.id);
  const onset = life[0];
  return {
    target,
    alarm: last?.decision.alarm,
    action: undefined,
    outcome: undefined,
    because: raised?.decision.because,
    rule: undefined,
    events: [],
    ladder: [],
    times: {
      detected: onset?.readAt === undefined ? undefined : onset.readAt + onset.unixMs - onset.at,
      decided: raised?.happening.unixMs,
      acted: first?.happening.unixMs,
      seenDone: done?.happening.unixMs,
      restored: isOver ? over.happening.unixMs : undefined,
    },
    decidedIn: raised?.happening,
  };
}

function actionStory(happenings: readonly Happening[], target: Target): Story {
  const found = placed(happenings, 'action').find(
    ({ decision: { action } }) => action.id === target.id,
  );
  const action = found?.decision.action;
  const outcome = placed(happenings, 'outcome').find(
    ({ decision }) => decision.action === target.id,
  );
  const { alarm } = action?.because ?? {};
  const base =
    alarm === undefined
      ? plainStory(target)
      : alarmStory(happenings, target, alarm, found?.happening);
  return {
    ...base,
    action,
    outcome: outcome?.decision.outcome,
    because: action?.because,
    times: { ...base.times, acted: found?.happening.unixMs, seenDone: outcome?.happening.unixMs },
    decidedIn: found?.happening,
  };
}

/** The story without the world: who is related is not known yet. */
export function storyOf(happenings: readonly Happening[], target: Target): Story {
  switch (target.kind) {
    case 'alarm':
      return alarmStory(happenings, target, target.id, undefined);
    case 'action':
      return actionStory(happenings, target);
    case 'service':
    case 'component':
    case 'group':
    case 'source':
      return plainStory(target);
  }
}

function plainStory(target: Target): Story {
  const none = undefined;
  return {
    target,
    alarm: none,
    action: none,
    outcome: none,
    because: none,
    rule: none,
    events: [],
    ladder: [],
    times: { detected: none, decided: none, acted: none, seenDone: none, restored: none },
    decidedIn: none,
  };
}

/** Subject, what it needs at any depth, the groups it is in; for a group its members and their needs. */
export function relatedIn(world: World | undefined, subject: string): readonly string[] {
  if (world === undefined) return [subject];
  const { topology, slots, places } = world;
  const names = new Set<string>([subject]);
  const addComponent = (place: number): void => {
    const id = slots[place]?.id;
    if (id !== undefined) names.add(id);
    for (const need of topology.closure[place] ?? []) names.add(need);
  };
  const place = places.get(subject as never);
  if (place !== undefined) {
    addComponent(place);
    for (const group of topology.groupsOf[place] ?? []) {
      const id = topology.groups[group]?.id;
      if (id !== undefined) names.add(id);
    }
  }
  const shape = topology.groups.find(({ id }) => id === subject);
  for (const member of shape?.members ?? []) addComponent(member);
  return [...names];
}

/** The story with the world of the moment it was decided in. */
export function told(
  story: Story,
  happenings: readonly Happening[],
  world: World | undefined,
): Story {
  const { target, alarm, action, decidedIn } = story;
  const names = new Set([...relatedIn(world, alarm?.subject ?? target.id), target.id]);
  // Without its alarm an action is told by the service it moves.
  if (alarm !== undefined) names.add(alarm.id);
  else if (action !== undefined) names.add(serviceOf(action.order) ?? '');
  const life = alarm === undefined ? happenings : lifeOf(happenings, alarm.id, decidedIn);
  // Other alarms on the same things are stories of their own.
  const isOwn = ({ kind, text }: Event): boolean =>
    alarm === undefined || kind !== 'alarm' || text.startsWith(`alarm ${alarm.id}:`);
  const events = eventsOf(life, names).filter(isOwn).slice(-EVENTS_MAX);
  const rule = world?.judgement.rules.find(({ name }) => name === alarm?.rule);
  const isFor = ({ alarm: id }: Because): boolean => id !== undefined && id === alarm?.id;
  const parts = {
    actions: placed(life, 'action').filter(({ decision }) => isFor(decision.action.because)),
    outcomes: placed(life, 'outcome'),
    refusals: placed(life, 'refusal').filter(({ decision }) => isFor(decision.because)),
  };
  const ladder = rule?.ladder.map((remedy, index) => rungOf(remedy, index, parts)) ?? [];
  return { ...story, rule, events, ladder };
}
