/**
 * Lists the rules in force, checks a file of one's own, or asks its rule of what the agent sees now. Only
 * `test` needs an agent.
 */
import { type AnswerOf, askRule } from '../../rules/ask.ts';
import type { Rule } from '../../rules/rule.ts';
import { checkRules } from '../../rules/rulebook.ts';
import { askWorld } from '../api/client.ts';
import { formatProblems } from '../config/problems.ts';
import { placed } from '../config/rules.ts';
import { loadCatalog, loadRuleFile } from '../ruleset.ts';
import type { ParsedArgs } from './args.ts';
import { columnsText } from './columns.ts';
import { complain, complainLines, print } from './print.ts';
import { setUp } from './setup.ts';
import { findSocket } from './socket.ts';

const DEEDS: readonly string[] = ['list', 'check', 'test'];
const SUBJECTS_SHOWN_MAX = 50;

function subjectText({ on }: Rule): string {
  return on.kind === 'node' ? 'node' : `${on.kind} ${on.glob}`;
}

function notesOf(rule: Rule): string {
  const notes = [
    rule.forMs === 0 ? '' : `for ${rule.forMs / 1000}s`,
    rule.certainty === 'doubt' ? 'doubt' : '',
    rule.mode === 'shadow' ? 'SHADOW' : '',
    rule.ladder.map(({ deed }) => deed.kind).join('+'),
    rule.origin === 'catalog' ? '' : rule.origin,
  ];
  return notes.filter((note) => note !== '').join(', ');
}

/** The table of rules, in order of their names. */
export function rulesTable(rules: readonly Rule[]): string {
  const sorted = rules.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const rows = sorted.map((rule) => [rule.name, rule.severity, subjectText(rule), notesOf(rule)]);
  return columnsText([['RULE', 'SEVERITY', 'ON', ''], ...rows]);
}

async function list(args: ParsedArgs): Promise<number> {
  const setup = await setUp(args, { rules: true });
  if (setup === undefined) return 2;
  const { rules } = setup.config.judgement;
  print(args.switches.has('json') ? JSON.stringify(rules) : rulesTable(rules));
  return 0;
}

/** The rule of a file, after everything that is wrong with it was printed. */
async function checked(file: string): Promise<Rule | undefined> {
  const found = await loadRuleFile(file);
  const names = (await loadCatalog()).map(({ name }) => name);
  const rules = found.rule === undefined ? [] : [found.rule];
  const faults = checkRules(rules, names).map((problem) => placed(found, problem));
  const problems = [...found.problems, ...faults];
  complainLines(formatProblems(problems));
  return problems.length > 0 ? undefined : found.rule;
}

async function check(file: string): Promise<number> {
  const rule = await checked(file);
  if (rule === undefined) return 2;
  print(`${file}: good (${rule.name}: ${rule.severity} on ${subjectText(rule)})`);
  return 0;
}

function answerLine({ subject, holds, values, summary }: AnswerOf): string {
  const word = holds === 'unknown' ? '?  unknown' : holds ? '!! holds' : '   no';
  const read = Object.entries(values).map(([name, value]) => `${name}=${String(value)}`);
  const text = summary === '' ? read.join(', ') : `${summary} (${read.join(', ')})`;
  return `${word.padEnd(10)} ${subject}  ${text.replace(/[\p{Cc}\p{Cf}]/gu, ' ')}`;
}

function order({ holds }: AnswerOf): number {
  return holds === true ? 0 : holds === 'unknown' ? 1 : 2;
}

async function test(file: string, args: ParsedArgs): Promise<number> {
  const rule = await checked(file);
  if (rule === undefined) return 2;
  const socket = await findSocket(args);
  if (!socket.ok) {
    complainLines(socket.message);
    return 2;
  }
  const { world } = await askWorld(socket.path);
  const answers = askRule(rule, world).toSorted((a, b) => order(a) - order(b));
  if (args.switches.has('json')) print(JSON.stringify(answers));
  else if (answers.length === 0) print(`nothing here is ${subjectText(rule)}`);
  else print(answers.slice(0, SUBJECTS_SHOWN_MAX).map(answerLine).join('\n'));
  const more = answers.length - SUBJECTS_SHOWN_MAX;
  if (more > 0 && !args.switches.has('json')) print(`... and ${more} more`);
  return answers.some(({ holds }) => holds === true) ? 1 : 0;
}

export async function run(args: ParsedArgs): Promise<number> {
  const [deed = 'list', file = ''] = args.operands;
  if (!DEEDS.includes(deed)) {
    complain(`'${deed}' is none of ${DEEDS.join(', ')}`);
    return 2;
  }
  if (deed === 'list') return list(args);
  if (file === '') {
    complain(`${deed} needs the file of a rule`);
    return 2;
  }
  if (deed === 'check') return check(file);
  try {
    return await test(file, args);
  } catch (error) {
    complain((error as Error).message);
    return 2;
  }
}
