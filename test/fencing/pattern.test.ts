/** The pattern language: what fits, what is kept, and that nothing hangs or is read in two ways. */
import fc from 'fast-check';
import t from 'tap';
import {
  find,
  LINE_CHARS_MAX,
  matchRow,
  type Pattern,
  readPattern,
  stands,
} from '../../fencing/pattern.ts';

function pattern(source: string): Pattern {
  const read = readPattern(source);
  if (typeof read === 'string') throw new Error(read);
  return read;
}

t.test('rows', async (t) => {
  const STATES = { state: ['On', 'Off', 'Not Activated'] };
  const cases: readonly (readonly [string, string, object | string])[] = [
    ['Plug {outlet} {state}', 'Plug 1 On', { outlet: '1', state: 'On' }],
    ['Plug {outlet} {state}', '  Plug   10   Off ', { outlet: '10', state: 'Off' }],
    ['Plug {outlet} {state}', 'Plug 1 Offline', 'none'],
    ['Plug {outlet} {state}', 'Plug 1 On Off', 'none'],
    ['Plug {outlet} {state}', 'xPlug 1 On', 'none'],
    [
      '{outlet} {name} {state}',
      '7 web On server Off',
      { outlet: '7', name: 'web On server', state: 'Off' },
    ],
    ['{outlet} {state}', '12 Not Activated', { outlet: '12', state: 'Not Activated' }],
    ['{outlet} {state} {any}', '1 On Off', { outlet: '1', state: 'On' }],
    ['{any} {state} {any}', 'a On b Off c', 'ambiguous'],
    ['N{outlet}:{state}', 'N3:Off', { outlet: '3', state: 'Off' }],
    ['N{one}{gap}:{state}', 'N3  :Off', { outlet: '3', state: 'Off' }],
    ['{outlet}) {name} : {state}', '2) a : On', { outlet: '2', name: 'a', state: 'On' }],
  ];
  for (const [source, line, expected] of cases) {
    const match = matchRow(pattern(source), line, STATES);
    const got = match.kind === 'row' ? match.captures : match.kind;
    t.same(got, expected, `${source} on ${line}`);
  }
  t.same(
    matchRow(pattern('{outlet} {state}'), '1 On').kind,
    'row',
    'any word where none are given',
  );
});

t.test('anywhere in a line', async (t) => {
  t.ok(stands(pattern('NPS>'), '\x07 NPS> '));
  t.notOk(stands(pattern('{start}NPS>'), ' NPS>'));
  t.ok(stands(pattern('RPC-{number}{end}'), 'at RPC-12'));
  t.notOk(stands(pattern('RPC-{number}{end}'), 'at RPC-12>'));
  t.ok(stands(pattern('pdu#{number}>'), 'pdu#0>'));
  t.ok(stands(pattern('{{x'), 'a{x'));
  t.same(find(pattern('off {outlet},y'), '/off 10,y'), { outlet: '10' });
  t.notOk(stands(pattern('a'), 'a'.repeat(LINE_CHARS_MAX + 1)), 'too long a line is no line');
});

t.test('what is refused', async (t) => {
  for (const source of [
    '',
    '{',
    '{nothing}',
    '{any}{any}',
    '{outlet}{state}',
    '{start}{end}',
    'x{',
  ]) {
    t.type(readPattern(source), 'string', source);
  }
  t.type(readPattern('a {any} '.repeat(20)), 'string', 'too many parts');
});

t.test('no pattern and no line hangs it', async (t) => {
  const part = fc.constantFrom(
    '{any} ',
    '{cell} ',
    '{word} ',
    ' ',
    'a',
    '| ',
    '{name} ',
    '{number} ',
  );
  const lines = fc.string({ unit: fc.constantFrom('a', '1', ' ', '|'), maxLength: 512 });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 15 }), lines, (parts, line) => {
      const read = readPattern(`${parts.join('')}{state}`);
      if (typeof read === 'string') return;
      matchRow(read, line);
      stands(read, line);
    }),
    { numRuns: 200 },
  );
  t.pass();
});
