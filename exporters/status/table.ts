/**
 * The view as lines for a terminal: worst first, symbols and words (colour only repeats them), every
 * line cut to the width and the whole to the height. What does not fit is counted in the last line,
 * so that a short screen never looks like a healthy machine. Works on a serial console of 80x24.
 */
import type { Health, Standing } from '../../rules/model.ts';
import { fit, pad, wrap } from './plain.ts';
import { alarmBlock, leaseBlock, serviceBlock } from './table-alarms.ts';
import type { Block, Tint } from './table-block.ts';
import type { ComponentLine, GroupLine, SightLine, View } from './view.ts';
import { count } from './words.ts';

export interface TableOptions {
  /** Columns of the terminal; lines are never wider. */
  readonly columns: number;
  /** Lines of the terminal; undefined prints everything. */
  readonly rows: number | undefined;
  /** ANSI colours on top of the words. */
  readonly colour: boolean;
}

const COLUMNS_MIN = 20;
const ROWS_MIN = 4;
const STATE_COLUMNS = 12;
const NAME_COLUMNS_MAX = 34;
/** Lines the headline may take before it is cut. */
const HEADLINE_LINES_MAX = 3;
/** Members in trouble shown below their group; more are counted. */
const MEMBERS_SHOWN_MAX = 4;

const TINTS: Readonly<Record<Tint, string>> = {
  bad: '\u001b[1;31m',
  warn: '\u001b[1;33m',
  doubt: '\u001b[1;35m',
  good: '\u001b[32m',
  head: '\u001b[1m',
  plain: '',
};
const TINT_END = '\u001b[0m';

const STANDING_STATES: Readonly<Record<Standing, { tint: Tint; state: string }>> = {
  lost: { tint: 'bad', state: 'XX LOST' },
  exposed: { tint: 'warn', state: '!! EXPOSED' },
  unknown: { tint: 'doubt', state: '?? UNKNOWN' },
  redundant: { tint: 'good', state: '   redundant' },
};
const HEALTH_STATES: Readonly<Record<Health, { tint: Tint; state: string }>> = {
  failed: { tint: 'bad', state: ' x failed' },
  absent: { tint: 'bad', state: ' x absent' },
  failing: { tint: 'warn', state: ' ! failing' },
  unknown: { tint: 'doubt', state: ' ? unknown' },
  ok: { tint: 'good', state: '   ok' },
};

function head(text: string): Block {
  return {
    head: true,
    lines: [
      { tint: 'plain', state: '', text: '' },
      { tint: 'head', state: text, text: '' },
    ],
  };
}

function titled(line: {
  readonly name: string;
  readonly kind: string;
  readonly id: string;
}): string {
  return line.name.trim() === '' ? `${line.id} (${line.kind})` : `${line.name} (${line.kind})`;
}

function because(why: string, held: string): string {
  return [held, why].filter((part) => part !== '').join(': ');
}

function memberLines(group: GroupLine): Block['lines'] {
  const troubled = group.members.filter(({ health }) => health !== 'ok');
  const lines = troubled.slice(0, MEMBERS_SHOWN_MAX).map((member) => ({
    tint: HEALTH_STATES[member.health].tint,
    state: HEALTH_STATES[member.health].state,
    text: `  ${fit(member.name || member.id, NAME_COLUMNS_MAX)}  ${because(member.why, member.held)}`,
  }));
  const more = troubled.length - lines.length;
  if (more === 0) return lines;
  return [
    ...lines,
    { tint: 'plain', state: '', text: `  and ${count(more, 'member')} more not ok` },
  ];
}

/** The margin without the word that the first column has said already. */
function marginTail(margin: string): string {
  return margin.replace(/^[A-Z]+: /u, '');
}

function groupBlock(group: GroupLine, nameColumns: number): Block {
  const parts = [marginTail(group.margin)];
  if (group.limitedBy !== '') parts.push(group.limitedBy);
  parts.push(group.counts);
  if (group.degraded) parts.push('degraded: works on a less preferred member');
  if (group.standing !== 'redundant') parts.push(group.held);
  return {
    head: false,
    lines: [
      {
        ...STANDING_STATES[group.standing],
        text: `${pad(titled(group), nameColumns)}  ${parts.join('; ')}`,
      },
      ...memberLines(group),
    ],
  };
}

function componentBlock(line: ComponentLine, nameColumns: number): Block {
  const why = [because(line.why, line.held), line.detail].filter((part) => part !== '');
  return {
    head: false,
    lines: [
      {
        ...HEALTH_STATES[line.health],
        text: `${pad(titled(line), nameColumns)}  ${why.join('; ')}`,
      },
    ],
  };
}

function sightBlock(line: SightLine, nameColumns: number): Block {
  const tint = line.state === 'blind' || line.state === 'stale' ? 'doubt' : 'plain';
  const symbol = tint === 'doubt' ? '? ' : '  ';
  return {
    head: false,
    lines: [
      {
        tint,
        state: ` ${symbol}${line.state}`,
        text: `${pad(line.name, nameColumns)}  ${because(line.why, line.held)}`,
      },
    ],
  };
}

function section(title: string, blocks: readonly Block[]): readonly Block[] {
  return blocks.length === 0 ? [] : [head(title), ...blocks];
}

/** All that can be shown, in the order in which it may be left out from the end. */
function blocksOf(view: View, columns: number): readonly Block[] {
  const nameColumns = Math.min(NAME_COLUMNS_MAX, Math.max(12, Math.floor(columns / 4)));
  const groupBlocks = (wanted: (group: GroupLine) => boolean): readonly Block[] =>
    view.groups.filter(wanted).map((group) => groupBlock(group, nameColumns));
  const component = (line: ComponentLine): Block => componentBlock(line, nameColumns);
  const sight = (line: SightLine): Block => sightBlock(line, nameColumns);
  return [
    ...section('MAINTENANCE', view.leases.map(leaseBlock)),
    ...section('ALARMS', view.alarms.map(alarmBlock)),
    ...section(
      'SERVICES',
      view.services.map((line) => serviceBlock(line, nameColumns)),
    ),
    ...section(
      'GROUPS WITHOUT REDUNDANCY',
      groupBlocks(({ standing }) => standing !== 'redundant'),
    ),
    ...section('NOT OK, IN NO GROUP', view.troubled.map(component)),
    ...section('CANNOT SEE', [...view.blind, ...view.waiting].map(sight)),
    ...section(
      'REDUNDANT',
      groupBlocks(({ standing }) => standing === 'redundant'),
    ),
    ...section(
      'ADVICE',
      view.advice.map(({ about, text }) => ({
        head: false,
        lines: [{ tint: 'plain' as const, state: ' -', text: `${text} (${about})` }],
      })),
    ),
    ...section('UNPROVEN (never seen working; not counted)', view.unproven.map(component)),
    ...section('NOTHING OF THIS SORT HERE', view.none.map(sight)),
  ];
}

/** Blocks that fit into the lines left, headings only with something below them; and what did not fit. */
function fitting(blocks: readonly Block[], rows: number): { shown: Block[]; left: number } {
  const things = blocks.filter((block) => !block.head).length;
  const shown: Block[] = [];
  let used = 0;
  let pending: Block | undefined;
  let kept = 0;
  for (const block of blocks) {
    if (block.head) {
      pending = block;
      continue;
    }
    const lines = block.lines.length + (pending?.lines.length ?? 0);
    if (used + lines > rows) break;
    if (pending !== undefined) shown.push(pending);
    pending = undefined;
    shown.push(block);
    used += lines;
    kept += 1;
  }
  return { shown, left: things - kept };
}

function banner(view: View, columns: number): Block['lines'] {
  const lines: { tint: Tint; state: string; text: string }[] = [];
  const add = (tint: Tint, state: string): void => {
    for (const line of wrap(state, columns, HEADLINE_LINES_MAX)) {
      lines.push({ tint, state: line, text: '' });
    }
  };
  const from =
    view.wakeMode === 'once'
      ? 'one look without an agent: only what an agent once saw is missed'
      : `agent up ${view.uptime}`;
  add('plain', `nospof ${view.version} on ${view.node}, ${view.time}, ${from}`);
  if (view.old !== undefined) {
    add('bad', `OLD: the agent has said nothing for ${view.old}. What follows may be wrong.`);
  }
  const { lost, exposed, unknown, redundant } = view.counts;
  const worst = lost > 0 ? 'bad' : exposed > 0 ? 'warn' : unknown > 0 ? 'doubt' : 'good';
  add(lost + exposed + unknown + redundant === 0 ? 'head' : worst, view.headline);
  if (view.why !== '') add('plain', view.why);
  return lines;
}

/** The lines of the table. Never wider than `columns` nor more than `rows`; safe to print. */
export function tableLines(view: View, options: TableOptions): readonly string[] {
  const columns = Math.max(COLUMNS_MIN, Math.floor(options.columns) || COLUMNS_MIN);
  const top = banner(view, columns);
  const blocks = blocksOf(view, columns);
  const room =
    options.rows === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(ROWS_MIN, Math.floor(options.rows)) - top.length;
  let { shown, left } = fitting(blocks, room);
  if (left > 0) ({ shown, left } = fitting(blocks, room - 1));
  const lines = [...top, ...shown.flatMap((block) => block.lines)].map(({ tint, state, text }) => {
    if (text === '') return tinted(fit(state, columns), tint, options.colour);
    const rest = fit(text, columns - STATE_COLUMNS - 1).trimEnd();
    return `${tinted(pad(state, STATE_COLUMNS), tint, options.colour)} ${rest}`;
  });
  if (left > 0) lines.push(tinted(fit(`... and ${left} more`, columns), 'head', options.colour));
  return lines;
}

function tinted(text: string, tint: Tint, colour: boolean): string {
  return colour && TINTS[tint] !== '' ? `${TINTS[tint]}${text}${TINT_END}` : text;
}
