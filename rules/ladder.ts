/**
 * Climbs the ladders of raised alarms, rung by rung: ask the guards, order the remedy, wait for its outcome,
 * give it time to settle, and only then the next. Telling people waits for nothing and holds up nothing.
 * What was done for an alarm is taken back when it clears. Nothing is ordered while the condition is not
 * known to hold: what is not known enables nothing.
 */
import { order } from './act.ts';
import type { Alarm, AlarmId, Because, Ended, Guard, Rung, Undo } from './decision.ts';
import { type Draft, dueBy } from './draft.ts';
import { ask, asksAgainAt, goesOn, type Question, STORM_MS } from './guards.ts';
import { ms } from './model.ts';
import type { Deed, Remedy, Rule } from './rule.ts';
import type { Spent } from './world.ts';

/** Long enough for any undo: writing back a few values, or telling people. */
export const UNDO_DEADLINE_MS = 30_000;

/** What a ladder needs to know of its alarm beside the alarm itself. */
export interface Climber {
  readonly rule: Rule;
  readonly alarm: Alarm;
  readonly values: () => Because['values'];
  /** The subject, and what it needs or consists of. */
  readonly names: () => readonly string[];
}

function filled(text: string, subject: string): string {
  return text === '$subject' ? subject : text;
}

function serviceId(name: string): string {
  return name.startsWith('service/') ? name : `service/${name}`;
}

/** The deed with the subject in its place. */
export function deedFor(deed: Deed, subject: string): Deed {
  switch (deed.kind) {
    case 'notify':
    case 'shed-power':
      return deed;
    case 'restart':
      return { ...deed, service: serviceId(filled(deed.service, subject)) };
    case 'run':
      return { ...deed, argv: deed.argv.map((word) => filled(word, subject)) };
    case 'handover':
      return { ...deed, hierarchy: filled(deed.hierarchy, subject) };
    case 'fence':
      return { ...deed, node: filled(deed.node, subject) };
  }
}

function touched(deed: Deed): readonly string[] {
  return deed.kind === 'restart' ? [deed.service] : [];
}

function becauseOf({ alarm, values }: Climber, index: number, guards: readonly Guard[]): Because {
  return {
    alarm: alarm.id,
    rule: alarm.rule,
    rung: index,
    values: values(),
    guards,
    text: alarm.summary,
  };
}

/** A deed that was refuted left nothing to take back; one of unknown outcome may have. */
function undoOf({ action, outcome }: Ended): readonly Undo[] {
  const { order: what } = action;
  if (outcome.result === 'refuted') return [];
  if (what.kind !== 'notify' && what.kind !== 'shed-power') return [];
  return [{ action: action.id, deed: what, before: outcome.before ?? {} }];
}

/** Takes back what was done, latest first. A deed that another alarm still wants is left to that one. */
export function takeBack(draft: Draft, alarm: Alarm, why: string): void {
  for (const undo of alarm.undo.toReversed()) {
    const heir = draft.alarms.findIndex(
      (other) =>
        undo.deed.kind === 'shed-power' &&
        other.id !== alarm.id &&
        other.undo.some((one) => one.deed.kind === undo.deed.kind),
    );
    const next = draft.alarms[heir];
    if (next !== undefined) {
      draft.alarms = draft.alarms.with(heir, { ...next, undo: [undo, ...next.undo] });
      continue;
    }
    const because = { alarm: alarm.id, rule: alarm.rule, values: {}, guards: [], text: why };
    order(draft, { kind: 'undo', ...undo }, because, UNDO_DEADLINE_MS);
  }
}

/** What ended in this step goes to the alarm it was done for; without it, it is taken back at once. */
export function settleEnded(
  draft: Draft,
  rules: ReadonlyMap<string, { readonly rule: Rule }>,
): void {
  for (const ended of draft.ended) {
    const { because, id } = ended.action;
    if (because.alarm === undefined || because.rung === undefined) continue;
    const place = draft.alarms.findIndex((alarm) => alarm.id === because.alarm);
    const alarm = draft.alarms[place];
    const undo = undoOf(ended);
    if (alarm === undefined || alarm.state === 'pending') {
      for (const one of undo) {
        const why = { ...because, values: {}, guards: [], text: 'its alarm has cleared meanwhile' };
        order(draft, { kind: 'undo', ...one }, why, UNDO_DEADLINE_MS);
      }
      continue;
    }
    const acting = alarm.rung.kind === 'acting' && alarm.rung.action === id;
    const remedy = rules.get(alarm.rule)?.rule.ladder[because.rung];
    const rung = acting ? rungAfter(draft, alarm.rung.index, ended, remedy) : alarm.rung;
    draft.alarms = draft.alarms.with(place, { ...alarm, rung, undo: [...alarm.undo, ...undo] });
  }
}

/** What failed for certain calls for the next rung; what worked, or may have, gets its time. */
function rungAfter(
  draft: Draft,
  index: number,
  { outcome }: Ended,
  remedy: Remedy | undefined,
): Rung {
  if (outcome.result === 'refuted' || remedy === undefined) {
    return { kind: 'before', index: index + 1 };
  }
  return { kind: 'settling', index, until: ms(draft.now + remedy.settleMs) };
}

function spend(draft: Draft, alarm: AlarmId, index: number, deed: Deed): void {
  const one: Spent = { at: draft.now, alarm, rung: index, notice: deed.kind === 'notify' };
  draft.spent = [...draft.spent, one];
}

/** One rung is tried; the rung the ladder then stands on. */
function climb(draft: Draft, climber: Climber, index: number, refused: Guard | undefined): Rung {
  const { rule, alarm } = climber;
  const remedy = rule.ladder[index];
  if (remedy === undefined) return { kind: 'exhausted' };
  const deed = deedFor(remedy.deed, alarm.subject);
  const names = [...climber.names(), ...touched(deed)];
  const question: Question = { draft, rule, alarm, index, remedy, deed, names };
  const { refusedBy, asked } = ask(question);
  if (refusedBy === undefined) {
    const action = order(draft, deed, becauseOf(climber, index, asked), remedy.deadlineMs);
    spend(draft, alarm.id, index, deed);
    return deed.kind === 'notify'
      ? { kind: 'before', index: index + 1 }
      : { kind: 'acting', index, action: action.id };
  }
  if (refusedBy !== refused) {
    const because = becauseOf(climber, index, asked);
    draft.decisions.push({ kind: 'refusal', order: deed, guard: refusedBy, because });
  }
  if (refusedBy === 'shadow') {
    const until = ms(draft.now + (deed.kind === 'notify' ? 0 : remedy.settleMs));
    return { kind: 'settling', index, until };
  }
  if (goesOn(refusedBy) && index + 1 < rule.ladder.length) {
    return { kind: 'before', index: index + 1 };
  }
  const again = asksAgainAt(question, refusedBy);
  if (again < Number.POSITIVE_INFINITY) dueBy(draft, ms(Math.max(again, draft.now + 1)));
  return { kind: 'refused', index, guard: refusedBy };
}

/** The rung after this step. Ends, because every turn goes to a later rung or stops. */
function nextRung(draft: Draft, climber: Climber): Rung {
  let { rung } = climber.alarm;
  for (let turns = 0; turns <= climber.rule.ladder.length * 2; turns += 1) {
    switch (rung.kind) {
      case 'acting':
      case 'exhausted':
        return rung;
      case 'settling':
        if (draft.now < rung.until) {
          dueBy(draft, rung.until);
          return rung;
        }
        rung = { kind: 'before', index: rung.index + 1 };
        break;
      case 'before':
      case 'refused': {
        const guard: Guard | undefined = rung.kind === 'refused' ? rung.guard : undefined;
        const after: Rung = climb(draft, climber, rung.index, guard);
        if (after.kind === 'refused') return after.guard === guard ? climber.alarm.rung : after;
        rung = after;
      }
    }
  }
  return rung;
}

/** The alarm with its ladder climbed as far as it may be now. */
export function climbed(draft: Draft, climber: Climber): Alarm {
  const { alarm } = climber;
  if (alarm.state !== 'raised' || alarm.holds !== true || alarm.mutedBy !== undefined) return alarm;
  const rung = nextRung(draft, climber);
  return rung === alarm.rung ? alarm : { ...alarm, rung };
}

/** Forgets what no budget and no guard will ask for any more. */
export function forgetSpent(draft: Draft, rules: Iterable<{ readonly rule: Rule }>): void {
  const [first] = draft.spent;
  if (first === undefined) return;
  let widest = STORM_MS;
  for (const { rule } of rules) {
    for (const { budget } of rule.ladder) widest = Math.max(widest, budget.withinMs);
  }
  if (first.at > draft.now - widest) return;
  draft.spent = draft.spent.filter((one) => one.at > draft.now - widest);
}
