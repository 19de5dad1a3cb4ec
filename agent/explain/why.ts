/**
 * `why` in words: one story as lines, the most wanted first: what it is, what was seen, by which rule, what
 * was done or refused, and how long each took.
 */
import { gaugeText } from '../../exporters/status/words.ts';
import type { Component, Group } from '../../rules/model.ts';
import { openReplay } from '../../rules/replay.ts';
import type { Rule } from '../../rules/rule.ts';
import type { World } from '../../rules/world.ts';
import { entriesOf, JournalError, readSegment } from './read.ts';
import type { Happening } from './scan.ts';
import { relatedIn, type Story, type Times } from './story.ts';
import { marginText, momentText, orderText, outcomeText, spanText, valuesText } from './words.ts';

const READINGS_MAX = 12;

/** The world after the step of that line; undefined where the segment cannot be stepped through. */
export async function worldAfter({ path, line }: Happening): Promise<World | undefined> {
  const replay = openReplay();
  const segment = await readSegment(path);
  try {
    for (const { entry, place } of entriesOf(segment)) {
      replay.take(entry);
      if (place.endsWith(`:${line + 1}`)) return replay.world();
    }
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
  }
  return undefined;
}

function headline({ target, alarm, action, outcome }: Story): readonly string[] {
  if (action !== undefined) {
    const came = outcome === undefined ? 'no outcome yet' : outcomeText(outcome);
    const from = alarm === undefined ? [] : [`  for alarm ${alarm.id}: ${alarm.summary}`];
    return [`action ${action.id}: ${orderText(action.order)}`, ...from, `  ${came}`];
  }
  if (alarm !== undefined) {
    const muted = alarm.mutedBy === undefined ? '' : `, explained by ${alarm.mutedBy}`;
    const shadow = alarm.shadow ? ', in shadow: nothing is done' : '';
    return [
      `alarm ${alarm.id}: ${alarm.state} [${alarm.severity}${muted}${shadow}]`,
      `  ${alarm.summary}`,
    ];
  }
  return [`${target.kind} ${target.id}`];
}

function readingLine({ id, health, why, gauges }: Component): string {
  const values = Object.entries(gauges).map(([key, value]) => gaugeText(key, value));
  const said = values.length === 0 ? '' : ` (${values.slice(0, 4).join(', ')})`;
  return `  ${id}: ${health}${why === '' ? '' : `, ${why}`}${said}`;
}

function marginLine({ id, standing, needed, healthy, members, margin }: Group): string {
  const { low, high, limitedBy } = margin;
  const counts = `${healthy} of ${members.length} healthy, ${needed} needed`;
  return `  group ${id}: ${standing}, ${marginText(low, high, limitedBy ?? '')} (${counts})`;
}

function seenLines(story: Story, world: World | undefined): readonly string[] {
  if (world === undefined) return [];
  const names = new Set(relatedIn(world, story.alarm?.subject ?? story.target.id));
  const groups = world.groups.filter(({ id }) => names.has(id)).map(marginLine);
  const all = world.components.filter(({ id }) => names.has(id));
  // What is well in a large group is not what is asked for.
  const sorted = [
    ...all.filter((one) => one.health !== 'ok'),
    ...all.filter((one) => one.health === 'ok'),
  ];
  const shown = sorted.slice(0, READINGS_MAX).map(readingLine);
  if (shown.length + groups.length === 0) return [];
  const more = sorted.length - shown.length;
  const rest = more > 0 ? [`  and ${more} more`] : [];
  return ['seen when it was decided', ...shown, ...rest, ...groups];
}

function ruleLines(rule: Rule | undefined, { because }: Story): readonly string[] {
  const values = because === undefined ? '' : valuesText(because);
  const read = values === '' ? [] : [`  read: ${values}`];
  if (rule === undefined) return read.length === 0 ? [] : ['rule', ...read];
  const { name, origin, severity, certainty, mode, condition, forMs, keepForMs } = rule;
  const hold = forMs > 0 ? `, for ${spanText(forMs)}` : '';
  const keep = keepForMs > 0 ? `, cleared after ${spanText(keepForMs)}` : '';
  return [
    `rule ${name} (${origin}): ${severity}, ${certainty}, ${mode}`,
    `  if ${condition}${hold}${keep}`,
    ...read,
  ];
}

function ladderLines({ ladder }: Story): readonly string[] {
  if (ladder.length === 0) return [];
  const rows = ladder.flatMap(({ deed, became, text, guards }, index) => {
    const row = `  ${index + 1} ${orderText(deed)}: ${became}${text === '' ? '' : ` (${text})`}`;
    return guards.length === 0 ? [row] : [row, `    guards asked: ${guards.join(', ')}`];
  });
  return ['ladder', ...rows];
}

function courseLines({ events }: Story): readonly string[] {
  const [first] = events;
  if (first === undefined) return [];
  let life = first.happening.life;
  const rows = events.flatMap(({ happening, text }) => {
    const isSame = life === happening.life;
    life = happening.life;
    const row = `  ${momentText(happening.unixMs)}  ${text}`;
    return isSame ? [row] : ['  -- the agent was started anew --', row];
  });
  return ['course', ...rows];
}

function timeLines({ detected, decided, acted, seenDone, restored }: Times): readonly string[] {
  const start = detected ?? decided ?? acted;
  if (start === undefined) return [];
  const row = (name: string, at: number | undefined): readonly string[] =>
    at === undefined
      ? []
      : [`  ${name.padEnd(9)} ${momentText(at)}  +${spanText(Math.max(0, at - start))}`];
  return [
    'times',
    ...row('detected', detected),
    ...row('decided', decided),
    ...row('acted', acted),
    ...row('seen done', seenDone),
    ...row('restored', restored),
  ];
}

export function whyLines(story: Story, world: World | undefined): readonly string[] {
  const sections = [
    headline(story),
    story.rule === undefined || story.rule.about === '' ? [] : [story.rule.about.trim()],
    seenLines(story, world),
    ruleLines(story.rule, story),
    ladderLines(story),
    courseLines(story),
    timeLines(story.times),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .flatMap((lines) => [...lines, ''])
    .slice(0, -1);
}

/** The same for programs: times are Unix milliseconds. */
export function whyJson(story: Story, world: World | undefined): unknown {
  const { target, alarm, action, outcome, because, rule, ladder, times, events } = story;
  const names = new Set(relatedIn(world, alarm?.subject ?? target.id));
  return {
    target,
    alarm,
    action,
    outcome,
    because,
    rule,
    ladder,
    times,
    seen: {
      components: world?.components.filter(({ id }) => names.has(id)) ?? [],
      groups: world?.groups.filter(({ id }) => names.has(id)) ?? [],
    },
    course: events.map(({ happening, kind, text }) => ({
      unixMs: happening.unixMs,
      place: happening.place,
      kind,
      text,
    })),
  };
}
