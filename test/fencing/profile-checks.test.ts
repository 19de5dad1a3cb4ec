/** Profiles with mistakes: each is refused with its place and its mend, as printed. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatProblems } from '../../agent/config/problems.ts';
import { loadProfiles, profileFrom } from '../../agent/profiles.ts';

const HEAD = 'title: made\nconfidence: low\nevidence: [made]\n';
const INDEX = 'index: {parts: [{name: outlet, first: 1, last: 8}]}';

function snmp(table: string, more = '', index = INDEX): string {
  return `${HEAD}snmp:\n  versions: ['2c']\n  match: []\n  ${index}\n${more}  table:\n${table}`;
}

function line(text: string): string {
  return `${HEAD}line:\n  over: [telnet]\n  end: "\\r"\n  outlets: {first: 1, last: 8}\n${text}`;
}

const GOOD = `    state: {oid: 1.3.6.1.4.1.9.1, values: {off: [2], on: [1]}}
    off: [{oid: 1.3.6.1.4.1.9.2, value: 2}]
    on: [{oid: 1.3.6.1.4.1.9.2, value: 1}]
`;
const STATUS = `  status: {steps: [{send: s}], rows: ['{outlet} {state}'], values: {off: ['Off'], on: ['On']}}\n`;
const ORDERS = `  off: [{send: 'off {outlet}'}]\n  on: [{send: 'on {outlet}'}]\n`;

const CASES: readonly (readonly [string, string, readonly (string | RegExp)[]])[] = [
  ['a good table', snmp(GOOD), []],
  ['a good line', line(STATUS + ORDERS), []],
  [
    'a value with two meanings',
    snmp(GOOD.replace('on: [1]', 'on: [1, 2]')),
    [
      '9:62: snmp.table.state.values.on[1]: 2 already means off (keep one: a value has one meaning)',
    ],
  ],
  ['no value proves off', snmp(GOOD.replace('off: [2], ', '')), [/no value proves off/u]],
  [
    'a template without the outlet',
    snmp(
      GOOD.replace('off: [{oid: 1.3.6.1.4.1.9.2', "off: [{oid: '1.3.6.1.4.1.{product}.2'"),
      '  product: 1.3.6.1.4.1.9\n',
    ),
    [/off\[0\]\.oid: does not hold \{outlet\}: it is the same for every one/u],
  ],
  [
    'a template that can reach the object of all outlets',
    snmp(
      GOOD.replace('off: [{oid: 1.3.6.1.4.1.9.2,', "off: [{oid: '1.3.6.1.4.1.9.2.{outlet}.0',"),
      '  never: [1.3.6.1.4.1.9.2.1.0]\n',
    ),
    [/off\[0\]\.oid: can become 1\.3\.6\.1\.4\.1\.9\.2\.1\.0, which switches every outlet/u],
  ],
  [
    'the same one beside it',
    snmp(
      GOOD.replace('off: [{oid: 1.3.6.1.4.1.9.2,', "off: [{oid: '1.3.6.1.4.1.9.2.{outlet+1}.0',"),
      '  never: [1.3.6.1.4.1.9.2.1.0]\n',
    ),
    [],
  ],
  [
    'a column that reaches the object of all outlets',
    snmp(
      GOOD,
      '  never: [1.3.6.1.4.1.9.2.0]\n',
      'index: {parts: [{name: outlet, first: 0, last: 8}]}',
    ),
    [/off\[0\]\.oid: can become/u, /on\[0\]\.oid: can become/u],
  ],
  [
    'only shared writes',
    snmp(GOOD.replace('value: 2}]', 'value: 2, shared: true}]')),
    [/no write names the outlet/u],
  ],
  [
    'off and on are the same order',
    snmp(GOOD.replace('value: 1}', 'value: 2}')),
    [/is the same order as off/u],
  ],
  [
    'state in the column of the order, and nothing said',
    snmp(GOOD.replaceAll('9.2,', '9.1,')),
    [/may show the order and not the relay/u],
  ],
  [
    'a word that no index has',
    snmp(
      GOOD.replace('9.2, value: 2', "9.2.{plug}', value: 2").replace(
        '[{oid: 1.3.6.1.4.1.9.2.{plug}',
        "[{oid: '1.3.6.1.4.1.9.2.{plug}",
      ),
    ),
    [/\{plug\} is no part of the index/u, /does not hold \{outlet\}/u],
  ],
  [
    'a prefix that every vendor has',
    snmp(GOOD).replace('match: []', 'match: [1.3.6.1.4.1]'),
    [/is no prefix of one vendor/u],
  ],
  [
    'firmware that is known whatever it says',
    snmp(GOOD, "  firmware: {oid: 1.3.6.1.4.1.9.9.0, known: [{sees: '{any}', use: base}]}\n"),
    [/knows every firmware/u],
  ],
  [
    'a variant that is not there',
    snmp(GOOD, '  firmware: {oid: 1.3.6.1.4.1.9.9.0, known: [{sees: a, use: b}]}\n'),
    [/there is no variant 'b'/u],
  ],
  [
    'neither snmp nor line',
    HEAD,
    ['1:1: needs either snmp, line or program (describe one device a file)'],
  ],
  [
    'no proof and not said',
    line(ORDERS),
    [/nothing proves off \(add status, or say 'proof: none' at the top\)/u],
  ],
  ['no proof, and said', `proof: none\n${line(ORDERS)}`, []],
  [
    'an order without its outlet',
    line(STATUS + ORDERS.replace('off {outlet}', 'off')),
    [/no step names \{outlet\}/u],
  ],
  [
    'an order for everything',
    line(STATUS + ORDERS.replace('off {outlet}', 'off {all}')),
    [/no step names/u, /\{all\} is not known/u],
  ],
  [
    'a bad pattern',
    line(STATUS.replace('{outlet} {state}', '{outlet}{state}') + ORDERS),
    [/follows a part it cannot be told from/u],
  ],
  [
    'a row without an outlet',
    line(STATUS.replace('{outlet} {state}', 'x {state}') + ORDERS),
    [/tells no \{outlet\}/u],
  ],
  [
    'outlet 0',
    line(STATUS + ORDERS).replace('first: 1', 'first: 0'),
    [/outlet 0 is all outlets on many devices/u],
  ],
  [
    'an unknown key',
    snmp(GOOD).replace('confidence', 'confidance'),
    [/unknown key 'confidance' \(did you mean 'confidence'\?\)/u],
  ],
];

t.test('mistakes in profiles', async (t) => {
  for (const [name, text, expected] of CASES) {
    const { profile, problems } = await profileFrom({
      name: 'made',
      file: 'made.yaml',
      text,
      writableByAll: false,
    });
    const shown = formatProblems(problems)
      .split('\n')
      .filter((one) => one !== '');
    t.equal(shown.length, expected.length, `${name}: ${shown.join(' | ')}`);
    for (const [at, one] of expected.entries()) {
      if (typeof one === 'string') t.equal(shown[at], `made.yaml:${one}`, name);
      else t.match(shown[at], one, name);
    }
    t.equal(profile === undefined, expected.length > 0, `${name}: refused as a whole`);
  }
});

t.test('profiles of the user, beside the shipped ones', async (t) => {
  const folder = t.testdir({});
  mkdirSync(join(folder, 'more'));
  writeFileSync(join(folder, 'more', 'mine.yaml'), snmp(GOOD));
  writeFileSync(join(folder, 'more', 'apc-rpdu.yaml'), snmp(GOOD));
  writeFileSync(join(folder, 'more', 'Bad Name.yaml'), snmp(GOOD));
  writeFileSync(join(folder, 'more', 'broken.yaml'), 'title: [');
  const { profiles, problems } = await loadProfiles(join(folder, 'more'));
  t.ok(profiles.has('mine') && profiles.has('apc-rpdu'));
  t.match(profiles.get('apc-rpdu')?.title, /^APC/u, 'a shipped one is not replaced');
  t.equal(problems.length, 3, formatProblems(problems));
  t.same((await loadProfiles(join(folder, 'none'))).problems, [], 'no folder is no problem');
});
