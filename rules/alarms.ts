/**
 * Raises and clears alarms. Conditions are evaluated only where something they can see has changed; the
 * clocks of alarms that stand move on by themselves. What one alarm's life is, `lifecycle.ts` says; what
 * is done about it, `ladder.ts`.
 */
import type { Scope } from './cel-eval.ts';
import type { Alarm, AlarmId, AlarmState, Because, SubjectId } from './decision.ts';
import { type Draft, dueBy } from './draft.ts';
import { LATE_MS } from './guards.ts';
import { climbed, forgetSpent, settleEnded, takeBack } from './ladder.ts';
import { alarmId, begin, dueOf, move } from './lifecycle.ts';
import { type Ms, ms, type SourceId } from './model.ts';
import { related } from './related.ts';
import {
  type ReadyRule,
  type Rulebook,
  rulebookOf,
  rulesOn,
  steadyText,
  summaryText,
  valuesRead,
} from './rulebook.ts';
import { changedComponents, changedThings, counts, idOf, type Scene, thingOf } from './scene.ts';
import { type Surroundings, scopeOf, surroundingsOf, type Thing } from './views.ts';
import type { SourceState } from './world.ts';

/** So long the node is called late after it was. */
export const LATE_SHOWN_MS = 60_000;

interface Pass extends Scene {
  readonly book: Rulebook;
  readonly around: Surroundings;
  readonly alarms: Map<AlarmId, Alarm>;
  /** Alarms whose condition was asked in this step. */
  readonly seen: Set<AlarmId>;
  /** What has alarms, so that nothing is looked up for what has none. */
  readonly subjects: ReadonlySet<SubjectId>;
  readonly cleared: Alarm[];
}

function becauseOf(alarm: Alarm, values: Because['values'], text: string): Because {
  return { alarm: alarm.id, rule: alarm.rule, values, guards: [], text };
}

function note(pass: Pass, alarm: Alarm, from: AlarmState | 'none', because: Because): void {
  pass.draft.decisions.push({ kind: 'alarm', alarm, from, because });
}

/** Puts the alarm where it was, or takes it out when it has cleared; a change of state is noted. */
function put(pass: Pass, before: Alarm | undefined, after: Alarm, because: () => Because): void {
  if (after === before) return;
  if (after.state !== before?.state) note(pass, after, before?.state ?? 'none', because());
  if (after.state !== 'cleared') pass.alarms.set(after.id, after);
  else {
    pass.alarms.delete(after.id);
    pass.cleared.push(after);
  }
}

function close(pass: Pass, alarm: Alarm, why: string): void {
  const { now } = pass.draft;
  const closed: Alarm = { ...alarm, state: 'cleared', since: now, sequence: alarm.sequence + 1 };
  put(pass, alarm, closed, () => becauseOf(closed, {}, why));
}

/** What should stand still has moved: its hold begins anew, and an alarm about it is over. */
function unsettled(pass: Pass, alarm: Alarm, steady: string | undefined): Alarm | undefined {
  if (alarm.state === 'pending') return { ...alarm, steady, heldSince: pass.draft.now };
  close(pass, alarm, `it moves again: ${steady ?? ''}`);
  return undefined;
}

function judgeOne(pass: Pass, ready: ReadyRule, subject: SubjectId, scope: Scope): void {
  const { rule } = ready;
  const { now } = pass.draft;
  const said = ready.condition.run(scope);
  const holds = typeof said === 'boolean' ? said : undefined;
  if (holds !== true && !pass.subjects.has(subject)) return;
  const id = alarmId(rule.name, subject);
  const before = pass.alarms.get(id);
  if (before === undefined && holds !== true) return;
  pass.seen.add(id);
  const because = (alarm: Alarm): Because =>
    becauseOf(alarm, valuesRead(ready, scope), alarm.summary);
  const text = holds === true ? summaryText(ready, scope) : (before?.summary ?? '');
  const steady = holds === true ? steadyText(ready, scope) : before?.steady;
  let alarm = before;
  if (alarm?.held === true && holds === true && alarm.steady !== steady) {
    alarm = unsettled(pass, alarm, steady);
  }
  const begun = alarm ?? begin(rule, subject, now, { summary: text, steady });
  const changed = begun.summary !== text || begun.steady !== steady;
  const renewed = changed ? { ...begun, summary: text, steady } : begun;
  const after = move(renewed, rule, holds, now);
  put(pass, alarm === undefined ? undefined : before, after, () => because(after));
}

function judgeThing(pass: Pass, thing: Thing, readsNodeOnly: boolean): void {
  const id = idOf(thing);
  let scope: Scope | undefined;
  for (const ready of rulesOn(pass.book, thing.kind, id)) {
    if (readsNodeOnly && !readsNode(ready)) continue;
    scope ??= scopeOf(thing, pass.around);
    judgeOne(pass, ready, id, scope);
  }
}

function readsNode({ condition }: ReadyRule): boolean {
  return condition.paths.some(({ path }) => path.startsWith('node.'));
}

/** Some source has not been read yet: what is not there may only not have been looked for. */
function isStarting(sources: ReadonlyMap<SourceId, SourceState>): boolean {
  for (const { sight } of sources.values()) if (sight.state === 'waiting') return true;
  return false;
}

/** Alarms of rules that are gone, or whose subject is. */
function closeOrphans(pass: Pass): void {
  const starting = isStarting(pass.draft.sources);
  for (const alarm of [...pass.alarms.values()]) {
    const rule = pass.book.rules.get(alarm.rule)?.rule;
    if (rule === undefined) close(pass, alarm, 'its rule is no longer in force');
    else if (!rulesOn(pass.book, rule.on.kind, alarm.subject).some((one) => one.rule === rule)) {
      close(pass, alarm, 'its rule is about other things now');
    } else if (!starting && thingOf(pass, rule.on.kind, alarm.subject) === undefined) {
      close(pass, alarm, 'its subject is no longer looked at');
    }
  }
}

/** Alarms that were not evaluated: their condition is what it was, but time has passed. */
function moveClocks(pass: Pass): void {
  const { now } = pass.draft;
  for (const alarm of [...pass.alarms.values()]) {
    const ready = pass.book.rules.get(alarm.rule);
    if (ready === undefined || pass.seen.has(alarm.id)) continue;
    // A raised alarm waits for news, not for time.
    if (alarm.state === 'raised' && ready.rule.times === undefined) continue;
    const holds = alarm.holds === 'unknown' ? undefined : alarm.holds;
    const after = move(alarm, ready.rule, holds, now);
    put(pass, alarm, after, () => becauseOf(after, {}, after.summary));
  }
  for (const alarm of pass.alarms.values()) {
    const rule = pass.book.rules.get(alarm.rule)?.rule;
    const due = rule === undefined ? undefined : dueOf(alarm, rule);
    if (due !== undefined) dueBy(pass.draft, due > now ? due : ms(now + 1));
  }
}

/** A rule that was changed by a reload gives its alarms its new severity and mode. */
function followRules(pass: Pass): void {
  for (const alarm of pass.alarms.values()) {
    const rule = pass.book.rules.get(alarm.rule)?.rule;
    if (rule === undefined) continue;
    const shadow = rule.mode === 'shadow';
    if (alarm.severity === rule.severity && alarm.shadow === shadow) {
      if (alarm.labels !== rule.labels)
        pass.alarms.set(alarm.id, { ...alarm, labels: rule.labels });
      continue;
    }
    const { severity, labels } = rule;
    const after = { ...alarm, severity, labels, shadow, sequence: alarm.sequence + 1 };
    pass.alarms.set(alarm.id, after);
    note(pass, after, alarm.state, becauseOf(after, {}, 'its rule was changed'));
  }
}

function stands(alarm: Alarm): boolean {
  return alarm.state === 'raised' || alarm.state === 'clearing';
}

/** The alarm that explains this one: of a rule it names, on something its subject needs. */
function explanationOf(pass: Pass, alarm: Alarm, ready: ReadyRule): AlarmId | undefined {
  const { explainedBy, on } = ready.rule;
  const names = related(pass.draft, pass.assessed.topology, on.kind, alarm.subject);
  for (const rule of explainedBy) {
    for (const name of names) {
      const id = alarmId(rule, name as SubjectId);
      const found = pass.alarms.get(id);
      if (found !== undefined && found.id !== alarm.id && stands(found)) return id;
    }
  }
  return undefined;
}

function mute(pass: Pass): void {
  for (const alarm of [...pass.alarms.values()]) {
    const ready = pass.book.rules.get(alarm.rule);
    if (ready === undefined || ready.rule.explainedBy.length === 0) continue;
    const mutedBy = explanationOf(pass, alarm, ready);
    if (mutedBy === alarm.mutedBy) continue;
    const after = { ...alarm, mutedBy, sequence: alarm.sequence + 1 };
    pass.alarms.set(alarm.id, after);
    const why = mutedBy === undefined ? 'no longer explained' : `explained by ${mutedBy}`;
    if (stands(after)) note(pass, after, after.state, becauseOf(after, {}, why));
  }
}

/** The worst lateness that is still shown. */
function takeLateness(draft: Draft): void {
  for (const input of draft.told) {
    if (input.kind !== 'late') continue;
    const { at, lateMs } = input;
    const old =
      draft.late !== undefined && draft.late.at > at - LATE_SHOWN_MS ? draft.late : undefined;
    if (old === undefined || lateMs >= LATE_MS || lateMs >= old.lateMs) {
      draft.late = { at, lateMs: Math.max(lateMs, old?.lateMs ?? 0) };
    }
  }
}

function shownLateMs(late: Draft['late'], now: Ms): number {
  return late !== undefined && late.at > now - LATE_SHOWN_MS ? late.lateMs : 0;
}

function openPass(scene: Scene): Pass {
  const { draft, advice } = scene;
  return {
    ...scene,
    book: rulebookOf(draft.judgement.rules),
    around: surroundingsOf(shownLateMs(draft.late, draft.now), advice),
    alarms: new Map(draft.alarms.map((alarm) => [alarm.id, alarm])),
    seen: new Set(),
    subjects: new Set(draft.alarms.map((alarm) => alarm.subject)),
    cleared: [],
  };
}

function judgeAll(pass: Pass): void {
  const { draft, assessed, around } = pass;
  const { before } = draft;
  const adopted = draft.told.some((input) => input.kind === 'adopt');
  const all = adopted || draft.judgement.rules !== before.judgement.rules;
  const reshaped =
    all ||
    assessed.topology !== before.topology ||
    assessed.groups.length !== before.groups.length ||
    draft.services.length !== before.services.length;
  const dropped = changedComponents(pass, false).some((component) => !counts(component));
  const started = isStarting(before.sources) && !isStarting(draft.sources);
  if (pass.alarms.size > 0 && (reshaped || dropped || started)) closeOrphans(pass);
  if (all) followRules(pass);
  for (const thing of changedThings(pass, all)) judgeThing(pass, thing, false);
  const past = surroundingsOf(shownLateMs(before.late, before.at), before.advice).node;
  if (!all && JSON.stringify(past) !== JSON.stringify(around.node)) {
    for (const thing of changedThings(pass, true)) judgeThing(pass, thing, true);
  }
  moveClocks(pass);
  if (draft.late !== undefined && draft.now < draft.late.at + LATE_SHOWN_MS) {
    dueBy(draft, ms(draft.late.at + LATE_SHOWN_MS));
  }
}

function climbAll(pass: Pass): void {
  const { draft, assessed, book } = pass;
  for (const [place, alarm] of draft.alarms.entries()) {
    const ready = book.rules.get(alarm.rule);
    if (ready === undefined || alarm.rung.kind === 'exhausted') continue;
    const { kind } = ready.rule.on;
    const values = (): Because['values'] => {
      const thing = thingOf(pass, kind, alarm.subject);
      return thing === undefined ? {} : valuesRead(ready, scopeOf(thing, pass.around));
    };
    const names = (): readonly string[] => related(draft, assessed.topology, kind, alarm.subject);
    const after = climbed(draft, { rule: ready.rule, alarm, values, names });
    if (after !== alarm) draft.alarms = draft.alarms.with(place, after);
  }
}

function sameAlarms(before: readonly Alarm[], after: readonly Alarm[]): boolean {
  return before.length === after.length && before.every((alarm, place) => alarm === after[place]);
}

/** Alarms and remedies of this step, into the draft. */
export function judgeAlarms(scene: Scene): void {
  const { draft } = scene;
  takeLateness(draft);
  const { rules } = draft.judgement;
  if (rules.length === 0 && draft.alarms.length === 0) return;
  settleEnded(draft, rulebookOf(rules).rules);
  const pass = openPass(scene);
  judgeAll(pass);
  mute(pass);
  const after = [...pass.alarms.values()];
  draft.alarms = sameAlarms(draft.alarms, after) ? draft.alarms : after;
  for (const alarm of pass.cleared) takeBack(draft, alarm, `over: ${alarm.summary}`);
  climbAll(pass);
  forgetSpent(draft, pass.book.rules.values());
}
