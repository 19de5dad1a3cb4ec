/** The command `rules`, and the operator's own rules: what is wrong is said with line, caret and mend. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { formatProblems } from '../agent/config/problems.ts';
import { loadRules } from '../agent/ruleset.ts';
import { askRule } from '../rules/ask.ts';
import { after, read, reading, seen, worldOf } from './fakes/readings.ts';
import { rule } from './fakes/rules.ts';

const MAIN = fileURLToPath(new URL('../agent/main.js', import.meta.url));

function nospof(...args: readonly string[]): { status: number | null; out: string; err: string } {
  const run = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', timeout: 60_000 });
  return { status: run.status, out: run.stdout, err: run.stderr };
}

const GOOD = 'on: component fan/*\nif: component.gauges.rpm < 600\nseverity: info\nsummary: slow\n';

t.test('list shows what is in force, overrides and own rules included', async (t) => {
  const folder = t.testdir({
    'nospof.yaml': 'rules:\n  overrides:\n    fan-failing: off\n    psu-failed: shadow\n',
    rules: { 'own-slow.yaml': GOOD },
  });
  const listed = nospof('rules', '--config', join(folder, 'nospof.yaml'));
  t.equal(listed.status, 0, listed.err);
  t.match(listed.out, /^psu-failed +warning +component psu\/\* +for 2s, SHADOW, notify$/mu);
  t.match(listed.out, /^own-slow +info +component fan\/\* +.*own-slow\.yaml$/mu);
  t.notMatch(listed.out, /^fan-failing /mu);
});

t.test('check says what is wrong, where, and what exists', async (t) => {
  const bad = [
    'on: component fan/*',
    'if: component.gauges.rpm < 600 && component.helth == "failed"',
    'severity: warning',
    "summary: '{{component.nam}} is odd'",
  ].join('\n');
  const folder = t.testdir({ 'bad.yaml': bad, 'good.yaml': GOOD });
  const wrong = nospof('rules', 'check', join(folder, 'bad.yaml'));
  t.equal(wrong.status, 2);
  t.equal(wrong.out, '');
  t.match(
    wrong.err,
    /bad\.yaml:2:45: if: No such key: helth \(did you mean 'health'\? component has id/u,
  );
  t.match(
    wrong.err,
    /\n {4}component\.gauges\.rpm < 600 && component\.helth == "failed"\n {44}\^~+\n/u,
  );
  t.match(wrong.err, /bad\.yaml:4:23: summary: No such key: nam \(did you mean 'name'\?/u);
  t.match(nospof('rules', 'check', join(folder, 'good.yaml')), {
    status: 0,
    out: /good\.yaml: good \(good: info on component fan\/\*\)/u,
  });
  t.match(nospof('rules', 'check'), { status: 2, err: /needs the file/u });
  t.match(nospof('rules', 'chek', 'x'), { status: 2, err: /none of list, check, test/u });
  t.match(nospof('rules', 'test', join(folder, 'good.yaml'), '--run', folder), {
    status: 2,
    err: /no agent answers/u,
  });
});

/** What is said of a folder with this one rule. */
async function complaints(folder: string, text: string): Promise<string> {
  mkdirSync(join(folder, 'rules'), { recursive: true });
  writeFileSync(join(folder, 'rules/mine.yaml'), text);
  const loaded = await loadRules({}, join(folder, 'rules'));
  return formatProblems(loaded.problems).replaceAll(`${folder}/`, '');
}

t.test('bad rules of every sort are refused with a mend', async (t) => {
  const folder = t.testdir({});
  const cases: readonly (readonly [string, RegExp])[] = [
    ['on: fan/*\n', /mine\.yaml:1:5: on: .*component GLOB|'component fan\/\*'/u],
    [`${GOOD}for: 5\n`, /for: must be text, not 5/u],
    [`${GOOD}fro: 5s\n`, /unknown key 'fro' \(did you mean 'for'\?\)/u],
    [`${GOOD}explainedBy: [fan-stoped]\n`, /there is no rule fan-stoped/u],
    [`${GOOD}explainedBy: [mine]\n`, /explains itself by way of mine/u],
    [
      `${GOOD}certainty: doubt\nladder: [{do: run, argv: [/bin/true]}]\n`,
      /in doubt may only notify, not run/u,
    ],
    [`${GOOD}ladder: [{do: run, argv: [true.sh]}]\n`, /is not a path/u],
    [`${GOOD}ladder: [{do: run}]\n`, /run needs 'argv'/u],
    [
      `${GOOD}ladder: [{do: notify, service: x}]\n`,
      /service: is not for notify|is not for notify/u,
    ],
    [
      GOOD.replace('component.gauges.rpm < 600', "'!component.known'"),
      /a certain rule cannot go by component\.known/u,
    ],
    [
      GOOD.replace('component.gauges.rpm < 600', 'component.name.matches("(a+)+$")'),
      /matches\(\) is not for rules/u,
    ],
    [
      GOOD.replace(
        'component.gauges.rpm < 600',
        '>-\n  component.known\n  && component.nme == "x"',
      ),
      /mine\.yaml:2:5: if: No such key: nme[^\n]*\n {4}component\.known && component\.nme == "x"\n {4} +\^/u,
    ],
    ['on: [\n', /mine\.yaml:\d+:\d+: /u],
    ['- a\n', /map of keys/u],
    ['', /mine\.yaml/u],
  ];
  for (const [text, expected] of cases) t.match(await complaints(folder, text), expected, text);
  t.equal(await complaints(folder, GOOD), '', 'and a good one is not');
});

t.test('a rule that anyone can write, or of a shipped name, is refused', async (t) => {
  const folder = t.testdir({ 'fan-stopped.yaml': GOOD, 'open.yaml': GOOD });
  chmodSync(join(folder, 'open.yaml'), 0o666);
  const { problems } = await loadRules({}, folder);
  const text = formatProblems(problems);
  t.match(text, /two rules named fan-stopped \(rename one/u);
  t.match(text, /open\.yaml: can be written by anyone \(chmod o-w/u);
  const unknown = await loadRules({ overrides: { 'fan-stoped': 'off' } }, '/nonexistent');
  t.match(unknown.overrideProblems, [{ name: 'fan-stoped', mend: "did you mean 'fan-stopped'?" }]);
  const named = await loadRules({ folder: '/nonexistent' }, '');
  t.match(formatProblems(named.problems), /holds no rules/u);
});

t.test('a rule is asked of everything it is on, without raising anything', async (t) => {
  const world = after(
    worldOf(),
    1,
    read(
      seen([
        reading('fan/1', 'ok', { gauges: { rpm: 300 } }),
        reading('fan/2', 'ok', { gauges: { rpm: 900 } }),
        reading('fan/3', 'unknown'),
      ]),
      1,
    ),
  );
  const on = { kind: 'component', glob: 'fan/*' } as const;
  const answers = askRule(
    rule('slow', 'component.gauges.rpm < 600', { on, summary: '{{component.id}}' }),
    world,
  );
  t.same(
    answers.map(({ subject, holds, summary }) => [subject, holds, summary]),
    [
      ['fan/1', true, 'fan/1'],
      ['fan/2', false, ''],
      ['fan/3', 'unknown', ''],
    ],
  );
  t.same(world.alarms, []);
});
