/**
 * The language of rules: what it accepts, what it says of what it does not, and what it makes of what is
 * not known. Where everything is known it must agree with the library's own evaluator.
 */
import { Environment } from '@marcbachmann/cel-js';
import fc from 'fast-check';
import t from 'tap';
import { compile } from '../rules/cel.ts';
import type { Scope } from '../rules/cel-eval.ts';
import { INCOMPLETE } from '../rules/cel-values.ts';
import type { Subject } from '../rules/rule.ts';

function run(text: string, scope: unknown, kind: Subject['kind'] = 'component'): unknown {
  const result = compile(text, kind, 'any');
  if (!result.ok) return `refused: ${result.problem.message}`;
  return result.compiled.run(scope as Scope);
}

function refusal(text: string, kind: Subject['kind'] = 'component'): string {
  const result = compile(text, kind, 'bool');
  if (result.ok) return 'accepted';
  const { message, mend, start, end } = result.problem;
  return `${message} [${text.slice(start, end)}] ${mend}`;
}

const FAN = {
  component: {
    id: 'fan/1',
    kind: 'fan',
    health: 'failed',
    known: true,
    why: '0 rpm',
    gauges: { rpm: 0, min_rpm: 600.5 },
    facts: { chip: 'nct' },
    needs: ['card/1', 'feed/a'],
    advice: [],
  },
  node: { late_seconds: 0, advice: [] },
};

t.test('numbers compare as the one who writes a rule expects', async (t) => {
  t.equal(run('component.gauges.rpm == 0', FAN), true);
  t.equal(run('component.gauges.rpm == 0.0', FAN), true);
  t.equal(run('component.gauges.rpm < 600', FAN), true);
  t.equal(run('component.gauges.min_rpm > component.gauges.rpm * 2 + 600', FAN), true);
  t.equal(run('component.gauges.rpm in [0, 1]', FAN), true);
  t.equal(run('size(component.needs) == 2 && component.needs.size() > 1', FAN), true);
  t.equal(run('component.gauges.min_rpm / 2 > 1/2', FAN), true, 'no whole-number division');
  t.equal(run('1/2', FAN), 0.5);
  t.equal(run('group.margin.high < 0', { group: { margin: { high: -1 } } }, 'group'), true);
  t.equal(run('-1 == 0 - 1', FAN), true);
});

t.test('what is not known is neither true nor false', async (t) => {
  const scope = { component: { known: false, gauges: { [INCOMPLETE]: true }, needs: ['a'] } };
  for (const text of [
    'component.health == "failed"',
    'component.health != "failed"',
    '!(component.health == "failed")',
    'component.gauges.rpm < 600',
    'has(component.gauges.rpm)',
    '!has(component.gauges.rpm)',
    'component.health in ["failed", "absent"]',
    'component.gauges.rpm < 600 || false',
    'component.gauges.rpm < 600 && true',
    'component.gauges.rpm < 600 ? true : false',
    'component.needs.exists(n, component.health == n)',
    'component.needs.all(n, component.health == n)',
  ]) {
    t.equal(run(text, scope), undefined, text);
  }
  t.equal(run('component.gauges.rpm < 600 || true', scope), true, 'decided by the other side');
  t.equal(run('false && component.gauges.rpm < 600', scope), false);
  t.equal(run('component.needs.exists(n, n == "a" || component.health == n)', scope), true);
  t.equal(run('component.gauges.rpm / 0 > 1', FAN), undefined, 'no number, no verdict');
  t.equal(run('has(component.gauges.volts)', FAN), false, 'seen, and not there');
});

t.test('names that JavaScript knows and the subject does not are not there', async (t) => {
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    t.equal(run(`has(component.gauges.${name})`, FAN), false, name);
    t.equal(run(`component.facts["${name}"] == "x"`, FAN), undefined, name);
  }
});

t.test('an error names the place and what exists', async (t) => {
  t.equal(
    refusal('componet.health == "ok"'),
    'Unknown variable: componet [componet] known here: component, node',
  );
  t.match(refusal('component.helth == "ok"'), /No such key: helth .*did you mean 'health'\?/u);
  t.match(
    refusal('group.margin.hi < 0', 'group'),
    /did you mean 'high'|group.margin has low, high/u,
  );
  t.match(refusal('component.gauges.rpm < "600"'), /no such overload: double < string/u);
  t.match(refusal('component.health == 3'), /no such overload/u);
  t.match(
    refusal('component.health == "faild"'),
    /never 'faild' \["faild"\] did you mean 'failed'\?/u,
  );
  t.match(refusal('component.health == "unknown"'), /write !component.known/u);
  t.match(refusal('"faild" != component.health'), /did you mean 'failed'/u);
  t.match(refusal('component.health in ["ok", "faild"]'), /did you mean 'failed'/u);
  t.match(refusal('component.gauges.rpm'), /is a double, not true or false/u);
  t.match(refusal('component.known &&'), /Unexpected token/u);
  t.match(refusal(''), /is empty/u);
  t.match(refusal(`component.known || ${'x'.repeat(3000)}`), /longer than/u);
});

t.test('what could take long, or depends on the machine, is not there', async (t) => {
  t.match(refusal('component.name.matches("(a+)+$")'), /matches\(\) is not for rules.*startsWith/u);
  t.match(refusal('timestamp("2024-01-01T00:00:00Z").getFullYear() == 2024'), /not for rules/u);
  t.match(refusal('component.needs.map(n, n) == []'), /not for rules/u);
  t.match(
    refusal('component.needs.exists(a, component.needs.exists(b, a == b))'),
    /loop inside a loop/u,
  );
  t.match(refusal(`${'('.repeat(300)}true${')'.repeat(300)}`), /depth|nest|Exceeded/iu);
  t.match(refusal('{"a": 1}.size() == 1'), /not for rules|only/u);
  t.match(refusal('b"x" == b"x"'), /only numbers/u);
});

t.test('what it reads is told', async (t) => {
  const result = compile(
    'component.gauges.rpm < 600 && component.health != "ok" && component.needs.exists(n, n == "x")',
    'component',
    'bool',
  );
  t.same(result.ok ? result.compiled.paths.map(({ path }) => path).sort() : [], [
    'component.gauges.rpm',
    'component.health',
    'component.needs',
  ]);
});

const atoms = ['a', 'b', 'c'].map((name) => `component.facts.${name} == "1"`);
const condition: fc.Arbitrary<string> = fc.letrec<{ all: string }>((tie) => ({
  all: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(...atoms, 'true', 'false', 'component.gauges.x < 2.0'),
    fc.tuple(tie('all'), tie('all')).map(([a, b]) => `(${a} && ${b})`),
    fc.tuple(tie('all'), tie('all')).map(([a, b]) => `(${a} || ${b})`),
    tie('all').map((a) => `!(${a})`),
    fc.tuple(tie('all'), tie('all'), tie('all')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
  ),
})).all;
const some = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });

t.test('it agrees with the library, which throws where something is missing', async (t) => {
  const library = new Environment({ unlistedVariablesAreDyn: false }).registerVariable({
    name: 'component',
    schema: { facts: 'map<string, string>', gauges: 'map<string, double>' } as never,
  } as never);
  const word = some(fc.constantFrom('0', '1'));
  const given = fc.record({ a: word, b: word, c: word, x: some(fc.integer({ min: 0, max: 3 })) });
  const property = fc.property(condition, given, (text, { a, b, c, x }) => {
    const present = (bag: Record<string, unknown>): Record<string, unknown> =>
      Object.fromEntries(Object.entries(bag).filter(([, value]) => value !== undefined));
    const scope = { component: { facts: present({ a, b, c }), gauges: present({ x }) } };
    let theirs: unknown;
    try {
      theirs = library.evaluate(text, scope);
    } catch {
      theirs = undefined;
    }
    const ours = run(text, scope);
    if (ours !== theirs) throw new Error(`${text}: ${String(ours)}, the library ${String(theirs)}`);
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 2000 }));
});
