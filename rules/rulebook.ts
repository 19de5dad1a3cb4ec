/**
 * Rules made ready: conditions and summaries compiled, references between rules checked, and an index by
 * what they are on. A rule is refused when it is loaded, with the place and the mend, never in a step.
 */
import { type CelProblem, type Compiled, compile } from './cel.ts';
import type { Scope } from './cel-eval.ts';
import type { Value } from './cel-values.ts';
import { globMatches } from './glob.ts';
import type { Rule, Subject } from './rule.ts';
import { DOUBTFUL } from './views.ts';

/** What is wrong with a rule; `expression` when it is one of its expressions, else the field as a whole. */
export interface RuleProblem {
  readonly rule: string;
  /** The field as it is written: `if`, `summary`, `unchanged`, `explainedBy`, `ladder`, `name`. */
  readonly field: string;
  readonly message: string;
  readonly mend: string;
  readonly expression?: { readonly text: string; readonly start: number; readonly end: number };
}

export interface ReadyRule {
  readonly rule: Rule;
  readonly condition: Compiled;
  readonly unchanged: Compiled | undefined;
  readonly summary: readonly (string | Compiled)[];
}

export interface Rulebook {
  readonly rules: ReadonlyMap<string, ReadyRule>;
  /** By kind of subject and first part of the glob; `''` holds those that match any. */
  readonly index: ReadonlyMap<string, readonly ReadyRule[]>;
}

const PLACEHOLDER = /\{\{(.*?)\}\}/gsu;

type Part = { readonly text: string } | { readonly expression: string; readonly at: number };

function partsOf(summary: string): readonly Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const match of summary.matchAll(PLACEHOLDER)) {
    parts.push({ text: summary.slice(from, match.index) });
    parts.push({ expression: match[1] ?? '', at: match.index + 2 });
    from = match.index + match[0].length;
  }
  return [...parts, { text: summary.slice(from) }];
}

function problem(rule: Rule, field: string, message: string, mend: string): RuleProblem {
  return { rule: rule.name, field, message, mend };
}

function celProblem(rule: Rule, field: string, text: string, found: CelProblem): RuleProblem {
  const { message, mend, start, end } = found;
  return { rule: rule.name, field, message, mend, expression: { text, start, end } };
}

/** Compiles one field, or notes what is wrong with it. */
function compiled(
  rule: Rule,
  field: string,
  text: string,
  type: 'bool' | 'any',
  problems: RuleProblem[],
): Compiled | undefined {
  const result = compile(text, rule.on.kind, type);
  if (result.ok) return result.compiled;
  problems.push(celProblem(rule, field, text, result.problem));
  return undefined;
}

function summaryOf(rule: Rule, problems: RuleProblem[]): ReadyRule['summary'] {
  return partsOf(rule.summary).flatMap((part): readonly (string | Compiled)[] => {
    if ('text' in part) return part.text === '' ? [] : [part.text];
    const found = compiled(rule, 'summary', part.expression, 'any', problems);
    return found === undefined ? [] : [found];
  });
}

/** A certain rule may not hold because something is not known, and a doubtful one may only tell. */
function certaintyProblems(rule: Rule, condition: Compiled | undefined): readonly RuleProblem[] {
  if (rule.certainty === 'certain') {
    const doubtful = condition?.paths.find(({ path }) => DOUBTFUL.includes(path));
    if (doubtful === undefined) return [];
    const message = `a certain rule cannot go by ${doubtful.path}, which turns on what is not known`;
    const mend = doubtful.path.startsWith('group.')
      ? 'use group.margin.high'
      : 'use the state itself';
    return [problem(rule, 'if', message, `${mend}, or write certainty: doubt`)];
  }
  const deed = rule.ladder.find((remedy) => remedy.deed.kind !== 'notify')?.deed.kind;
  if (deed === undefined) return [];
  const message = `a rule in doubt may only notify, not ${deed}`;
  return [problem(rule, 'ladder', message, 'remove that rung, or make the rule certain')];
}

interface Made {
  readonly ready: ReadyRule | undefined;
  readonly problems: readonly RuleProblem[];
}

function make(rule: Rule): Made {
  const problems: RuleProblem[] = [];
  const condition = compiled(rule, 'if', rule.condition, 'bool', problems);
  const unchanged =
    rule.unchanged === undefined
      ? undefined
      : compiled(rule, 'unchanged', rule.unchanged, 'any', problems);
  const summary = summaryOf(rule, problems);
  problems.push(...certaintyProblems(rule, condition));
  const bad = condition === undefined || problems.length > 0;
  return { ready: bad ? undefined : { rule, condition, unchanged, summary }, problems };
}

/** A chain of explanations that comes back to where it began would mute all of it. */
function circleFrom(rule: Rule, byName: ReadonlyMap<string, Rule>): readonly string[] | undefined {
  const work = rule.explainedBy.map((name) => [name]);
  const seen = new Set<string>();
  for (let path = work.pop(); path !== undefined; path = work.pop()) {
    const last = path.at(-1) ?? '';
    if (last === rule.name) return path;
    if (seen.has(last)) continue;
    seen.add(last);
    for (const next of byName.get(last)?.explainedBy ?? []) work.push([...path, next]);
  }
  return undefined;
}

function referenceProblems(rules: readonly Rule[]): readonly RuleProblem[] {
  const byName = new Map(rules.map((rule) => [rule.name, rule]));
  return rules.flatMap((rule): readonly RuleProblem[] => {
    if (byName.get(rule.name) !== rule) {
      const mend = 'rename one, or change a shipped rule by rules.overrides';
      return [problem(rule, 'name', `there are two rules named ${rule.name}`, mend)];
    }
    const circle = circleFrom(rule, byName);
    if (circle === undefined) return [];
    const message = `explains itself by way of ${circle.join(', ')}`;
    return [problem(rule, 'explainedBy', message, 'remove one of them')];
  });
}

/** Everything that is wrong with these rules. Names of rules that are switched off may be named. */
export function checkRules(
  rules: readonly Rule[],
  allNames: readonly string[],
): readonly RuleProblem[] {
  const known = new Set([...allNames, ...rules.map((rule) => rule.name)]);
  const unknownNames = rules.flatMap((rule) =>
    rule.explainedBy
      .filter((name) => !known.has(name))
      .map((name) => problem(rule, 'explainedBy', `there is no rule ${name}`, 'correct the name')),
  );
  return [
    ...rules.flatMap((rule) => make(rule).problems),
    ...unknownNames,
    ...referenceProblems(rules),
  ];
}

/** First part of a glob where it is literal: `fan` of `fan/*`. */
function headOf(on: Subject): string {
  if (on.kind === 'node') return '';
  const literal = on.glob.split('*', 1)[0] ?? '';
  return literal.includes('/') ? (literal.split('/', 1)[0] ?? '') : '';
}

function key(kind: Subject['kind'], head: string): string {
  return `${kind} ${head}`;
}

function build(rules: readonly Rule[]): Rulebook {
  const ready = rules.map((rule) => {
    const made = make(rule);
    if (made.ready === undefined) throw new Error(`rule ${rule.name} was not checked before use`);
    return made.ready;
  });
  const index = new Map<string, ReadyRule[]>();
  for (const one of ready) {
    const at = key(one.rule.on.kind, headOf(one.rule.on));
    index.set(at, [...(index.get(at) ?? []), one]);
  }
  return { rules: new Map(ready.map((one) => [one.rule.name, one])), index };
}

/** Made once for each list of rules: the world holds the rules, not what was made of them. */
const BOOKS = new WeakMap<readonly Rule[], Rulebook>();

export function rulebookOf(rules: readonly Rule[]): Rulebook {
  const known = BOOKS.get(rules) ?? build(rules);
  BOOKS.set(rules, known);
  return known;
}

/** The rules that are on this subject. */
export function rulesOn(book: Rulebook, kind: Subject['kind'], id: string): readonly ReadyRule[] {
  const head = id.split('/', 1)[0] ?? '';
  const named = head === '' ? [] : (book.index.get(key(kind, head)) ?? []);
  const any = book.index.get(key(kind, '')) ?? [];
  const candidates = any.length === 0 ? named : [...named, ...any];
  return candidates.filter(({ rule }) => rule.on.kind === 'node' || globMatches(rule.on.glob, id));
}

const DIGITS = 6;

function inWords(value: Value | undefined): string {
  if (value === undefined) return 'unknown';
  if (typeof value === 'number') return String(Number(value.toPrecision(DIGITS)));
  if (Array.isArray(value)) return value.map(inWords).join(', ');
  return typeof value === 'object' ? Object.keys(value).join(', ') : String(value);
}

export const SUMMARY_LENGTH_MAX = 500;

/** The summary with the values of this moment. */
export function summaryText(ready: ReadyRule, scope: Scope): string {
  const words = ready.summary.map((part) =>
    typeof part === 'string' ? part : inWords(part.run(scope)),
  );
  return words.join('').replaceAll(/\s+/gu, ' ').trim().slice(0, SUMMARY_LENGTH_MAX);
}

/** Names and values the condition read, as they are. */
export function valuesRead(
  ready: ReadyRule,
  scope: Scope,
): Readonly<Record<string, string | number | boolean>> {
  return Object.fromEntries(
    ready.condition.paths.map(({ path, run }) => {
      const value = run(scope);
      const plain = typeof value === 'number' || typeof value === 'boolean';
      return [path, plain ? value : inWords(value)];
    }),
  );
}

/** The value of `unchanged` in words; undefined for rules without it. */
export function steadyText(ready: ReadyRule, scope: Scope): string | undefined {
  return ready.unchanged === undefined ? undefined : inWords(ready.unchanged.run(scope));
}
