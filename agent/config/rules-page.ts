/**
 * Writes the page about rules: how one is written, from the schema and the core's own lists, and every
 * shipped one with what it said in its scenario. Text in, text out; a test keeps `docs/rules.md` up to date.
 */
import { FUNCTIONS } from '../../rules/cel-eval.ts';
import type { Rule } from '../../rules/rule.ts';
import { ENUMERATIONS, TYPES, VARIABLES } from '../../rules/views.ts';
import { keyLines } from './reference.ts';
import type { Schema } from './schema.ts';

const HEAD = `# Rules

<!-- Written from the schema, rules/catalog and test/scenarios by agent/config/rules-page.ts. Run UPDATE=1 npm test. -->

A rule is a condition on something, held for a time, and what is done about it. Each thing that it is about
has an alarm of its own, named RULE@THING. Shipped rules are changed in the configuration under
\`rules: {overrides: ...}\`; your own are files \`NAME.yaml\` in the folder \`rules\` beside the configuration.
\`nospof rules\` lists what is in force, \`nospof rules check FILE\` checks a file, \`nospof rules test FILE\`
tries it on what the agent sees now.

\`\`\`yaml
# /etc/nospof/rules/fan-slow.yaml
on: component fan/*
if: component.gauges.rpm < 600 && component.health != "failed"
for: 30s
severity: warning
summary: '{{component.name}} turns at {{component.gauges.rpm}} rpm'
ladder:
  - {do: notify}
  - {do: run, argv: [/usr/local/bin/fan-full-speed, $subject], deadline: 10s}
\`\`\`

## What is not known

A condition has three answers. What is missing, unread or \`unknown\` makes it unknown, unless the rest of it
decides: \`false && x\` is false, \`true || x\` is true, \`x < 3\` is unknown. An alarm neither rises nor clears
while its condition is unknown, time spent so does not count, and nothing is ordered for it. So
\`component.health == "failed"\` never becomes false because somebody stopped looking. A rule that is *about*
not knowing goes by \`component.known\`, \`group.known\`, \`group.margin.low\` or \`group.healthy\`; it is
\`certainty: doubt\`, and may only notify.

Alarms outlive the agent as far as its journal does: the next agent takes over those that stood, as not
known until their subject is read again, with their ladders and what has to be taken back. Without a journal
each alarm is found again from what is seen, with its time begun anew.

## The language

Conditions are [CEL](https://cel.dev), less what could take long: no \`matches\`, no dates, no loop inside a
loop. There is one kind of number: \`rpm == 0\`, \`rpm < 600\` and \`ratio < 1/2\` mean what they say.
`;

function typeLines(): readonly string[] {
  return Object.entries(TYPES).map(([name, fields]) => {
    const list = Object.entries(fields).map(([field, type]) => `\`${field}\` ${type}`);
    return `- **${name}**: ${list.join(', ')}`;
  });
}

function languageLines(): readonly string[] {
  const variables = Object.entries(VARIABLES).map(
    ([on, names]) => `- on ${on}: ${names.map((name) => `\`${name}\``).join(', ')}`,
  );
  const states = Object.entries(ENUMERATIONS).map(
    ([path, words]) => `- \`${path}\`: ${words.join(', ')}`,
  );
  return [
    '',
    'Names, by what the rule is on:',
    '',
    ...variables,
    '',
    'Fields:',
    '',
    ...typeLines(),
    '',
    'Words of states (what is unknown has no word):',
    '',
    ...states,
    '',
    `Functions: ${FUNCTIONS.map((one) => `\`${one}\``).join(', ')}.`,
    '`component.gauges` and `component.facts` hold what collectors report; `nospof status --json` shows them.',
    '',
  ];
}

const GUARDS = `
## Remedies

The ladder of an alarm is climbed one rung at a time: guards are asked, the remedy is ordered, its outcome is
awaited until its deadline, then it has its settle time; only while the alarm still stands does the next rung
follow. A refuted outcome goes on at once; no outcome by the deadline is *unknown* and is given its settle
time. \`notify\` waits for nothing and holds up nothing. When the alarm clears, \`notify\` tells that it is over
and \`shed-power\` is taken back, once no other alarm wants it.

Guards, in the order in which they are asked; the first that says no makes a refusal, told once:

| Guard | Says no | Then |
|---|---|---|
| maintenance | a lease is held over the subject, or something it needs | waits |
| shadow | the rule is in shadow mode | written down as if it were done |
| doubt | the rule is in doubt and the remedy is more than telling, or a fence | next rung |
| no-cluster | handover and fence, on a single node | next rung |
| not-owner | the hierarchy is not here; this node owns no disk that the other might write | next rung |
| last-survivor | no other node that may run the hierarchy is heard | next rung |
| no-better-node | no live node could serve the hierarchy | next rung |
| one-fence-at-a-time | another node is being cut | waits |
| latched | the service to restart was given up | next rung |
| self-late | the agent itself was late by 1 s or more in the last 10 s | waits; people are told all the same |
| storm | 20 remedies were ordered within a minute | waits; people are told all the same |
| budget | this rung was used up for this alarm | next rung, or waits |
| busy | something is being done to the same thing, or for the same alarm | waits |

## Keys of a rule

`;

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function hold(rule: Rule): string {
  const seconds = rule.forMs / 1000;
  return seconds === 0 ? 'at once' : `${seconds} s`;
}

function deeds(rule: Rule): string {
  return rule.ladder.map(({ deed }) => deed.kind).join(', ') || 'nothing';
}

function ruleLines(rule: Rule, example: string): readonly string[] {
  const on = rule.on.kind === 'node' ? 'node' : `${rule.on.kind} ${rule.on.glob}`;
  const muted =
    rule.explainedBy.length === 0 ? '' : ` Explained by ${rule.explainedBy.join(', ')}.`;
  return [
    `### ${rule.name}`,
    '',
    `${rule.severity} on \`${on}\`, ${hold(rule)}${rule.certainty === 'doubt' ? ', in doubt' : ''}; does: ${deeds(rule)}.${muted}`,
    '',
    rule.about,
    '',
    '```',
    rule.condition.trim(),
    '```',
    ...(example === '' ? [] : [`In its scenario: ${cell(example)}`]),
    '',
  ];
}

/** Markdown of the whole page. `examples` are summaries by the names of rules. */
export function rulesPage(
  schema: Schema,
  rules: readonly Rule[],
  examples: ReadonlyMap<string, string>,
): string {
  const rows = rules.map(
    (rule) =>
      `| [${rule.name}](#${rule.name}) | ${rule.severity} | ${cell(examples.get(rule.name) ?? '')} |`,
  );
  return [
    HEAD,
    ...languageLines(),
    GUARDS.trimStart(),
    ...keyLines(schema, schema, 0),
    '',
    `## Shipped rules`,
    '',
    `${rules.length} rules; each is raised in one scenario of \`test/scenarios/rules\` and silent in another.`,
    '',
    '| Rule | Severity | Said in its scenario |',
    '|---|---|---|',
    ...rows,
    '',
    ...rules.flatMap((rule) => ruleLines(rule, examples.get(rule.name) ?? '')),
  ].join('\n');
}
