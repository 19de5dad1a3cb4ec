/**
 * Every shipped rule: good by the schema, raised in the scenario that fires it and silent in the other,
 * and about things that collectors really report. `docs/rules.md` is written from what is found here.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { readDocument } from '../agent/config/document.ts';
import { ruleCheck, ruleSchema } from '../agent/config/rules.ts';
import { rulesPage } from '../agent/config/rules-page.ts';
import { CATALOG_FOLDER, loadCatalog } from '../agent/ruleset.ts';
import { NO_JUDGEMENT } from '../rules/config.ts';
import { ms, type Observation, type SourceId } from '../rules/model.ts';
import { checkRules, rulebookOf, rulesOn } from '../rules/rulebook.ts';
import { emptyWorld, step } from '../rules/step.ts';
import { scopeOf, surroundingsOf } from '../rules/views.ts';
import { play, readScenario, scenarioNames } from './catalog-run.ts';

const FIXTURES = new URL('../../test/fixtures/', import.meta.url);
const PAGE = new URL('../../docs/rules.md', import.meta.url);
const files = await loadCatalog();
const rules = files.flatMap((file) => file.rule ?? []);
const names = rules.map((rule) => rule.name);

t.test('every file is a good rule', async (t) => {
  const check = await ruleCheck();
  for (const { file, text, problems } of files) {
    t.same(problems, [], file);
    const document = readDocument(file, text);
    t.same(document.ok ? check(document.reading.value) : 'no YAML', [], file);
  }
  t.same(checkRules(rules, names), []);
  t.equal(readdirSync(CATALOG_FOLDER).length, rules.length, 'and nothing else lies there');
  for (const { name, about } of rules)
    t.match(about, /^[A-Z].{20,}[.]$/su, `${name} says what to do`);
});

t.test('every rule has a scenario, and every scenario a rule', async (t) => {
  t.same([...scenarioNames()].sort(), [...names].sort());
});

const examples = new Map<string, string>();

for (const name of names) {
  t.test(name, async (t) => {
    if (!scenarioNames().includes(name)) {
      t.fail('it has no scenario');
      return;
    }
    const { fires, silent } = readScenario(name);
    const fired = play(rules, fires);
    t.ok(fired.raised.has(name), 'is raised');
    examples.set(name, fired.summaries.get(name) ?? '');
    const quiet = play(rules, silent);
    t.notOk(quiet.raised.has(name), 'stays silent in the other');
    for (const { at, stood, wanted } of [...fired.held, ...quiet.held]) {
      if (wanted !== undefined) t.same(stood, wanted, `alarms at ${at}`);
    }
    const named = [...fired.held, ...quiet.held].filter(({ wanted }) => wanted !== undefined);
    t.ok(named.length >= 2, 'both say which alarms stand');
    t.notMatch(fired.summaries.get(name), /unknown/u, 'its summary knows its values');
  });
}

function observations(): readonly (readonly [string, Observation])[] {
  return readdirSync(FIXTURES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name: collector }) =>
      readdirSync(new URL(`${collector}/`, FIXTURES))
        .filter((file) => file.endsWith('.json'))
        .map((file) => {
          const text = readFileSync(new URL(`${collector}/${file}`, FIXTURES), 'utf8');
          return [`${collector}/${file}`, JSON.parse(text) as Observation] as const;
        }),
    )
    .filter(([, observation]) => observation.kind !== undefined);
}

/** Rules that look at what no collector reads: services, the agent itself, and sight. */
const OTHERS: readonly string[] = names.filter((name) =>
  ['service', 'node', 'source'].includes(rules.find((one) => one.name === name)?.on.kind ?? ''),
);

t.test('captures of machines: every rule can be answered on one of them', async (t) => {
  const answered = new Map<string, Set<boolean>>();
  const book = rulebookOf(rules);
  for (const [file, observation] of observations()) {
    const source = file.split('.', 1)[0]?.replace('/', ' ') as SourceId;
    const spec = { id: source, everyMs: 1000, staleMs: 86_400_000, opinion: false };
    const world = step(emptyWorld(ms(0), [spec], NO_JUDGEMENT, []), ms(1), [
      { kind: 'read', source, at: ms(1), observation, durationMs: 1 },
    ]);
    const around = surroundingsOf(0, world.advice);
    const things = [
      ...world.components.map((thing) => ({ kind: 'component' as const, thing })),
      ...world.groups.map((thing) => ({ kind: 'group' as const, thing })),
    ];
    for (const thing of things) {
      for (const { rule, condition } of rulesOn(book, thing.kind, thing.thing.id)) {
        const said = condition.run(scopeOf(thing, around));
        if (typeof said !== 'boolean') continue;
        const known = answered.get(rule.name) ?? new Set();
        answered.set(rule.name, known.add(said));
      }
    }
  }
  for (const name of names.filter((one) => !OTHERS.includes(one))) {
    t.ok(answered.has(name), `${name} can be answered`);
  }
  const raised = names.filter((name) => answered.get(name)?.has(true));
  t.ok(raised.length >= 30, `${raised.length} rules hold on some capture`);
});

t.test('the page lists them', async (t) => {
  const page = rulesPage(await ruleSchema(), rules, examples);
  if (process.env.UPDATE === '1') writeFileSync(PAGE, page);
  t.ok(existsSync(PAGE));
  t.equal(readFileSync(PAGE, 'utf8'), page, 'docs/rules.md is up to date (UPDATE=1 writes it)');
});
