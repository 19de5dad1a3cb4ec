/**
 * From the text of a rule's file to a rule: YAML, schema, units, and then the core's own check of its
 * expressions, each problem put back to its line, column and caret. It decides defaults; what a rule
 * means is the core's. Used for shipped rules and the operator's own alike.
 */
import type { Remedy, Rule, Severity, Subject } from '../../rules/rule.ts';
import type { RuleProblem } from '../../rules/rulebook.ts';
import { type Reading, readDocument } from './document.ts';
import { type Problem, pathText } from './problems.ts';
import { ladderFindings, type RawRemedy, remedyOf } from './remedies.ts';
import { type Finding, readSchema, type Schema, schemaCheck } from './schema.ts';
import { durationMs } from './words.ts';

interface RawRule {
  readonly about?: string;
  readonly on: string;
  readonly if: string;
  readonly for?: string;
  readonly keepFor?: string;
  readonly times?: { readonly count: number; readonly within: string };
  readonly unchanged?: string;
  readonly severity: Severity;
  readonly summary: string;
  readonly certainty?: Rule['certainty'];
  readonly explainedBy?: readonly string[];
  readonly mode?: Rule['mode'];
  readonly labels?: Readonly<Record<string, string>>;
  readonly ladder?: readonly RawRemedy[];
}

/** A file's rule, with what is needed to say where something in it stands. */
export interface RuleFile {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly rule: Rule | undefined;
  readonly problems: readonly Problem[];
  readonly reading: Reading | undefined;
}

/** The part of the schema that is one rule. */
export async function ruleSchema(): Promise<Schema> {
  const { definitions = {} } = await readSchema();
  return { ...definitions.rule, definitions };
}

/** Checks the value of a rule's file. Made once, for it takes longer than all files together. */
export type RuleCheck = (value: unknown) => readonly Finding[];

export async function ruleCheck(): Promise<RuleCheck> {
  return schemaCheck(await ruleSchema());
}

function subjectOf(text: string): Subject {
  const [kind, glob = '*'] = text.split(' ', 2);
  switch (kind) {
    case 'component':
    case 'group':
    case 'source':
    case 'service':
      return { kind, glob };
    default:
      return { kind: 'node' };
  }
}

/** Without a word about it people are told; of what is only good to know they are not. */
function ladderOf(raw: RawRule): readonly Remedy[] {
  if (raw.ladder !== undefined) return raw.ladder.map(remedyOf);
  return raw.severity === 'info' ? [] : [remedyOf({ do: 'notify' })];
}

function ruleOf(name: string, origin: string, raw: RawRule): Rule {
  const { times, unchanged } = raw;
  return {
    name,
    on: subjectOf(raw.on),
    condition: raw.if,
    forMs: durationMs(raw.for ?? '') ?? 0,
    ...(unchanged === undefined ? {} : { unchanged }),
    keepForMs: durationMs(raw.keepFor ?? '') ?? 0,
    ...(times === undefined
      ? {}
      : { times: { count: times.count, withinMs: durationMs(times.within) ?? 0 } }),
    severity: raw.severity,
    labels: raw.labels ?? {},
    summary: raw.summary,
    about: raw.about ?? '',
    certainty: raw.certainty ?? 'certain',
    explainedBy: raw.explainedBy ?? [],
    mode: raw.mode ?? 'armed',
    ladder: ladderOf(raw),
    origin,
  };
}

function problemAt(file: string, reading: Reading, found: Finding): Problem {
  const { line, column } = reading.place(found.path, found.of);
  const path = found.of === 'key' ? found.path.slice(0, -1) : found.path;
  return {
    file,
    line,
    column,
    path: pathText(path),
    message: found.message,
    mend: found.mend,
  };
}

const FILE_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/u;

/** Reads one file. `check` is left out for shipped rules, which a test checks. */
export function readRule(
  name: string,
  file: string,
  text: string,
  check: RuleCheck | undefined,
): RuleFile {
  const origin = check === undefined ? 'catalog' : file;
  const document = readDocument(file, text);
  const none = { name, file, text, rule: undefined };
  if (!document.ok) return { ...none, problems: document.problems, reading: undefined };
  const { reading } = document;
  const findings: Finding[] = [...(check?.(reading.value) ?? [])];
  if (!FILE_NAME.test(name)) {
    const mend = 'rename the file: small letters, digits and dashes, then .yaml';
    findings.push({ path: [], of: 'value', message: `'${name}' is no name for a rule`, mend });
  }
  const raw = reading.value as RawRule;
  if (findings.length === 0) findings.push(...ladderFindings(raw.ladder ?? [], ['ladder']));
  const problems = [
    ...document.problems,
    ...findings.map((found) => problemAt(file, reading, found)),
  ];
  const rule = problems.length > 0 ? undefined : ruleOf(name, origin, raw);
  return { name, file, text, rule, problems, reading };
}

/** The line of the expression that holds the fault, and a mark under it. */
function excerptOf({ text, start, end }: NonNullable<RuleProblem['expression']>): string {
  const from = text.lastIndexOf('\n', start - 1) + 1;
  const stop = text.indexOf('\n', start);
  const line = text.slice(from, stop < 0 ? undefined : stop);
  const length = Math.max(1, Math.min(end - start, line.length - (start - from)));
  return `    ${line}\n    ${' '.repeat(start - from)}^${'~'.repeat(length - 1)}`;
}

/** Column of a place in an expression, where that stands on the line as it is; else of its value. */
function columnOf(line: string, text: string, start: number, column: number): number {
  const at = text.includes('\n') ? -1 : line.indexOf(text, column - 1);
  return at < 0 ? column : at + 1 + start;
}

/** A problem the core found, at its place in the file. */
export function placed(found: RuleFile, problem: RuleProblem): Problem {
  const { field, message, mend, expression } = problem;
  const { line, column } = found.reading?.place([field], 'value') ?? { line: 0, column: 0 };
  const at = { file: found.file, line, path: field, message, mend };
  if (expression === undefined) return { ...at, column };
  const source = found.text.split('\n')[line - 1] ?? '';
  return {
    ...at,
    column: columnOf(source, expression.text, expression.start, column),
    excerpt: excerptOf(expression),
  };
}
