/**
 * What a scenario asks of the journal that its agent wrote: the decisions of each fault and when they were
 * made, whether `why` explains them, whether `replay` makes them again, and whether `whatif` foresaw them.
 * The journal is copied from the machine; the commands are those an operator types, run on this host.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { segmentPaths } from '../../agent/explain/read.ts';
import { type Happening, scan } from '../../agent/explain/scan.ts';
import { decisionText, orderText } from '../../agent/explain/words.ts';
import { JOURNAL_FOLDER } from '../../agent/ports/journal-files.ts';
import type { Decision, Order } from '../../rules/decision.ts';
import type { Verdicts } from '../../rules/verdicts.ts';
import { DIST } from './host/files.ts';
import type { LabNode } from './machine.ts';
import { STATE } from './parts/system.ts';
import type { Fault, Scenario } from './scenario.ts';
import { fits } from './sight.ts';

const COMMAND_MS = 120_000;
const OUTPUT_BYTES_MAX = 64 << 20;
const SHOWN_CHARS = 2_000;

interface Said {
  readonly status: number;
  readonly out: string;
}

/** A command of nospof, run on this host. */
function nospof(...words: readonly string[]): Promise<Said> {
  const argv = [join(DIST, 'agent/main.js'), ...words];
  const how = { timeout: COMMAND_MS, maxBuffer: OUTPUT_BYTES_MAX };
  return new Promise((resolve) => {
    execFile(process.execPath, argv, how, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ status, out: stdout + stderr });
    });
  });
}

/** Copies the journal of a machine; gives the state folder that it lies in here. */
async function copyJournal({ name, vm, run }: LabNode): Promise<string> {
  const state = run.file(`${name}.state`);
  const to = join(state, JOURNAL_FOLDER);
  const from = `${STATE}/${JOURNAL_FOLDER}`;
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  const { names = [] } = await vm.guest.ask({ op: 'list', path: from });
  for (const file of names) writeFileSync(join(to, file), await vm.guest.read(`${from}/${file}`));
  return state;
}

/** A decision in words that do not change from one run to the next; undefined: it is no part of a forecast. */
function essence(decision: Decision, actions: Map<string, string>): string | undefined {
  switch (decision.kind) {
    case 'alarm': {
      const { id, rule, state, severity, mutedBy = 'nothing' } = decision.alarm;
      // Whether an emulated machine runs late is nothing that can be foreseen.
      if (rule === 'late') return undefined;
      return `${id}: ${decision.from} -> ${state} [${severity}], explained by ${mutedBy}`;
    }
    case 'action': {
      const { id, order, because } = decision.action;
      if (because.rule === 'late') return undefined;
      actions.set(id, `${orderText(order)} for ${because.alarm}, rung ${because.rung}`);
      return actions.get(id);
    }
    case 'refusal':
      return `${decision.guard} refuses ${orderText(decision.order)} for ${decision.because.alarm}`;
    case 'outcome': {
      const action = actions.get(decision.action);
      return action === undefined ? undefined : `${action}: ${decision.outcome.result}`;
    }
    case 'service':
      return `${decision.service}: ${decision.from} -> ${decision.to}`;
    case 'maintenance':
      return `maintenance ${decision.change}`;
  }
}

export function essences(all: readonly Verdicts[]): readonly string[] {
  const actions = new Map<string, string>();
  return all.flatMap(({ d = [] }) => d.flatMap((one) => essence(one, actions) ?? []));
}

/** What `nospof whatif` foresees on the machine as it is now. */
export async function foreseen(node: LabNode, what: string): Promise<readonly string[]> {
  const state = await copyJournal(node);
  const { status, out } = await nospof('whatif', what, '--json', '--state', state);
  if (status !== 0) throw new Error(`whatif ${what}: ${out.slice(0, SHOWN_CHARS)}`);
  const { events } = JSON.parse(out) as { events: readonly { verdicts: Verdicts }[] };
  return essences(events.map(({ verdicts }) => verdicts));
}

/** One fault as it was done: from when to when, in the machine's monotonic milliseconds. */
export interface Span {
  readonly fault: Fault;
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly foreseen: readonly string[] | undefined;
}

/** Identities of alarms that a fault must raise, as its lines say them. */
export function alarmsOf({ see }: Fault): readonly string[] {
  return see.filter(({ id, state }) => id.includes('@') && state === 'raised').map(({ id }) => id);
}

interface Raised {
  readonly id: string;
  readonly at: number;
}

function raisedIn(happenings: readonly Happening[], pattern: string): readonly Raised[] {
  return happenings.flatMap(({ at, verdicts: { d = [] } }) =>
    d.flatMap((one) =>
      one.kind === 'alarm' && one.alarm.state === 'raised' && fits(pattern, one.alarm.id)
        ? [{ id: one.alarm.id, at }]
        : [],
    ),
  );
}

/** The first of the texts that no line holds after the line of the one before it. */
export function missingText(
  lines: readonly string[],
  texts: readonly string[],
): string | undefined {
  let from = 0;
  for (const text of texts) {
    const at = lines.findIndex((line, index) => index >= from && line.includes(text));
    if (at < 0) return text;
    from = at + 1;
  }
  return undefined;
}

/** What else was decided than was foreseen; `-` did not come, `+` was not foreseen. */
export function unlike(foreseenLines: readonly string[], came: readonly string[]): string {
  if (foreseenLines.join('\n') === came.join('\n')) return '';
  const lost = foreseenLines.filter((line) => !came.includes(line)).map((line) => `- ${line}`);
  const more = came.filter((line) => !foreseenLines.includes(line)).map((line) => `+ ${line}`);
  return [...lost, ...more].join('\n') || `in another order:\n${came.join('\n')}`;
}

function isNotice(order: Order): boolean {
  return order.kind === 'notify' || (order.kind === 'undo' && order.deed.kind === 'notify');
}

/** When the first action beyond telling people was ordered. */
function orderedIn(happenings: readonly Happening[]): number | undefined {
  return happenings.find(({ verdicts: { d = [] } }) =>
    d.some((one) => one.kind === 'action' && !isNotice(one.action.order)),
  )?.at;
}

interface Course {
  readonly raised: readonly Raised[];
  readonly orderedMs: number | undefined;
}

/** What the journal holds of one fault; an error when something lacks. */
function judgeSpan(all: readonly Happening[], span: Span): Course {
  const { fault, name, fromMs, toMs } = span;
  const mine = all.filter(({ at }) => at >= fromMs && at < toMs);
  const raised = alarmsOf(fault).flatMap((pattern) => {
    const found = raisedIn(mine, pattern);
    if (found.length === 0)
      throw new Error(`after "${name}", the journal has no ${pattern} raised`);
    return found;
  });
  const lines = mine.flatMap(({ verdicts: { d = [] } }) => d.map(decisionText));
  const missing = missingText(lines, fault.journal);
  if (missing !== undefined) {
    throw new Error(`after "${name}", the journal has no "${missing}":\n${lines.join('\n')}`);
  }
  const came = essences(mine.map(({ verdicts }) => verdicts));
  const other = span.foreseen === undefined ? '' : unlike(span.foreseen, came);
  if (other !== '') throw new Error(`after "${name}", whatif foresaw something else:\n${other}`);
  const asked = alarmsOf(fault).length + fault.journal.length > 0;
  return { raised, orderedMs: asked ? orderedIn(mine) : undefined };
}

async function judgeWhy(state: string, id: string, texts: readonly string[]): Promise<string> {
  const { status, out } = await nospof('why', id, '--state', state);
  const missing = texts.find((text) => !out.includes(text));
  if (status === 0 && missing === undefined) return out;
  const complaint = missing === undefined ? `status ${status}` : `no "${missing}"`;
  throw new Error(`why ${id}: ${complaint}:\n${out.slice(0, SHOWN_CHARS)}`);
}

async function judgeReplay(node: LabNode, state: string, scenario: Scenario): Promise<void> {
  const journal = join(state, JOURNAL_FOLDER);
  const same = await nospof('replay', journal);
  if (same.status !== 0 || !same.out.includes('every decision is the same, byte for byte')) {
    throw new Error(`replay: status ${same.status}:\n${same.out.slice(-SHOWN_CHARS)}`);
  }
  if (scenario.otherwise === undefined) return;
  const { rules, differs } = scenario.otherwise;
  const config = node.run.file(`${node.name}.otherwise.yaml`);
  writeFileSync(config, stringify({ node: node.name, ...node.spec.config, rules }));
  const other = await nospof('replay', journal, '--rules', config);
  const missing = missingText(other.out.split('\n'), differs);
  if (other.status !== 1 || missing !== undefined) {
    const shown = other.out.slice(-SHOWN_CHARS);
    throw new Error(`replay with other rules: status ${other.status}, no "${missing}":\n${shown}`);
  }
}

export interface Judged {
  /** For each span when the first of its alarms was raised, and the first remedy ordered; undefined: none. */
  readonly times: readonly {
    readonly decideMs: number | undefined;
    readonly orderMs: number | undefined;
  }[];
  /** What `why` said of what a scenario asks it about, for a person to read. */
  readonly whys: Readonly<Record<string, string>>;
}

/** Judges the journal of a whole scenario; an error says what it lacks. */
export async function judgeJournal(
  node: LabNode,
  scenario: Scenario,
  spans: readonly Span[],
): Promise<Judged> {
  const state = await copyJournal(node);
  const all = await scan(await segmentPaths(join(state, JOURNAL_FOLDER)));
  const courses = spans.map((span) => judgeSpan(all, span));
  const whys: Record<string, string> = {};
  for (const { id } of courses.flatMap(({ raised }) => raised)) {
    whys[id] ??= await judgeWhy(state, id, [
      `alarm ${id}: `,
      `rule ${id.split('@', 1)[0]} (`,
      'ladder',
      'course',
      'decided',
    ]);
  }
  for (const { fault } of spans) {
    for (const [id, texts] of Object.entries(fault.why))
      whys[id] = await judgeWhy(state, id, texts);
  }
  await judgeReplay(node, state, scenario);
  const times = courses.map(({ raised, orderedMs: orderMs }) => ({
    decideMs: raised.length === 0 ? undefined : Math.min(...raised.map(({ at }) => at)),
    orderMs,
  }));
  return { times, whys };
}
