/**
 * Reads rules from their folders: those that are shipped, and the operator's own. Hands on what is good
 * and says what is not; with one bad rule there is no rulebook, and a running agent keeps the one it has.
 */
import { basename } from 'node:path';
import { nearest } from '../rules/near.ts';
import type { Rule } from '../rules/rule.ts';
import { checkRules } from '../rules/rulebook.ts';
import { fileProblem, type Problem } from './config/problems.ts';
import { type RawRemedy, remedyOf } from './config/remedies.ts';
import { placed, type RuleCheck, type RuleFile, readRule, ruleCheck } from './config/rules.ts';
import { readText } from './config/text.ts';
import { durationMs } from './config/words.ts';
import { type BadUnit, type DataUnit, loadUnits, shippedFolder } from './load.ts';

/** Shipped beside `dist/`. */
export const CATALOG_FOLDER: string = shippedFolder('rules/catalog');

/** What the configuration says of one rule. */
export type RawOverride =
  | 'off'
  | 'shadow'
  | 'armed'
  | false
  | {
      readonly mode?: Rule['mode'];
      readonly severity?: Rule['severity'];
      readonly for?: string;
      readonly keepFor?: string;
      readonly labels?: Readonly<Record<string, string>>;
      readonly ladder?: readonly RawRemedy[];
    };

export interface RawRules {
  readonly folder?: string;
  readonly overrides?: Readonly<Record<string, RawOverride>>;
}

/** A problem with an override; the configuration's own reader knows its place. */
export interface OverrideProblem {
  readonly name: string;
  readonly message: string;
  readonly mend: string;
}

export interface LoadedRules {
  readonly rules: readonly Rule[];
  /** Names of rules that are switched off. */
  readonly off: readonly string[];
  readonly problems: readonly Problem[];
  readonly overrideProblems: readonly OverrideProblem[];
}

/** The shipped rules, in order of their names. */
export async function loadCatalog(folder: string = CATALOG_FOLDER): Promise<readonly RuleFile[]> {
  const { units, bad } = await loadUnits(folder);
  const [first] = bad;
  if (first !== undefined) throw new Error(`${first.file}: ${first.message}`);
  if (units.length === 0) throw new Error(`${folder} holds no rules: the installation is broken`);
  return units.map(({ name, file, text }) => readRule(name, file, text, undefined));
}

function wrongFile({ file, message, mend }: BadUnit): RuleFile {
  const problems = [fileProblem(file, message, mend)];
  const name = basename(file, '.yaml');
  return { name, file, text: '', rule: undefined, problems, reading: undefined };
}

function ownRule({ name, file, text, writableByAll }: DataUnit, check: RuleCheck): RuleFile {
  if (!writableByAll) return readRule(name, file, text, check);
  // A rule can run programs with the rights of the agent.
  return wrongFile({ file, message: 'can be written by anyone', mend: `chmod o-w ${file}` });
}

/** One file of the operator's, checked by itself. */
export async function loadRuleFile(file: string): Promise<RuleFile> {
  const text = await readText(file);
  switch (text.kind) {
    case 'missing':
      return wrongFile({ file, message: 'does not exist', mend: 'check the name' });
    case 'problem':
      return wrongFile({ file, message: text.message, mend: text.mend });
    case 'text': {
      const { writableByAll } = text;
      const unit = { name: basename(file, '.yaml'), file, text: text.text, writableByAll };
      return ownRule(unit, await ruleCheck());
    }
  }
}

async function loadOwn(folder: string, named: boolean): Promise<readonly RuleFile[]> {
  const { units, bad } = await loadUnits(folder);
  if (units.length === 0 && bad.length === 0) {
    const mend = 'put your rules there, or remove the line';
    return named ? [wrongFile({ file: folder, message: 'holds no rules', mend })] : [];
  }
  const check = await ruleCheck();
  return [...bad.map(wrongFile), ...units.map((unit) => ownRule(unit, check))];
}

function overridden(rule: Rule, change: RawOverride): Rule {
  if (change === false || change === 'off') return rule;
  if (typeof change === 'string') return { ...rule, mode: change };
  const forMs = durationMs(change.for ?? '');
  const keepForMs = durationMs(change.keepFor ?? '');
  return {
    ...rule,
    mode: change.mode ?? rule.mode,
    severity: change.severity ?? rule.severity,
    forMs: forMs ?? rule.forMs,
    keepForMs: keepForMs ?? rule.keepForMs,
    labels: change.labels ?? rule.labels,
    ladder: change.ladder?.map(remedyOf) ?? rule.ladder,
  };
}

function isOff(change: RawOverride | undefined): boolean {
  return change === 'off' || change === false;
}

function unknownOverrides(overrides: object, names: readonly string[]): readonly OverrideProblem[] {
  return Object.keys(overrides)
    .filter((name) => !names.includes(name))
    .map((name) => {
      const near = nearest(name, names);
      const mend = near === undefined ? "'nospof rules' lists them" : `did you mean '${near}'?`;
      return { name, message: `there is no rule of this name`, mend };
    });
}

/** Whose file a problem is in: of two rules of one name the later is the one that is too many. */
function fileOf(files: readonly RuleFile[], name: string): RuleFile | undefined {
  return files.findLast((file) => file.name === name);
}

/** The rules in force: shipped ones and the operator's, changed as the configuration says. */
export async function loadRules(raw: RawRules, defaultFolder: string): Promise<LoadedRules> {
  const { overrides = {} } = raw;
  const own = await loadOwn(raw.folder ?? defaultFolder, raw.folder !== undefined);
  const files = [...(await loadCatalog()), ...own];
  const names = files.map((file) => file.name);
  const problems = files.flatMap((file) => file.problems);
  const all = files.flatMap((file) => file.rule ?? []);
  const on = all.filter((rule) => !isOff(overrides[rule.name]));
  const rules = on.map((rule) => overridden(rule, overrides[rule.name] ?? {}));
  const found = checkRules(rules, names).map((problem): Problem => {
    const file = fileOf(files, problem.rule);
    if (file !== undefined) return placed(file, problem);
    return fileProblem(problem.rule, problem.message, problem.mend);
  });
  return {
    rules,
    off: all.filter((rule) => isOff(overrides[rule.name])).map((rule) => rule.name),
    problems: [...problems, ...found],
    overrideProblems: unknownOverrides(overrides, names),
  };
}
