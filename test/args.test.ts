/**
 * The command line: what each form means, and the one line that a wrong one is answered with. No
 * argument makes it throw.
 */
import fc from 'fast-check';
import t from 'tap';
import { type Parsed, parseArguments } from '../agent/commands/args.ts';
import { CATALOG, COMMANDS } from '../agent/commands/catalog.ts';
import { commandHelp, generalHelp } from '../agent/commands/help.ts';

/** Arguments and the message they are answered with. */
const WRONG: readonly (readonly [string, string])[] = [
  ['', 'no command (see nospof --help)'],
  ['statsu', "unknown command 'statsu' (did you mean 'status'?)"],
  ['frobnicate', "unknown command 'frobnicate' (see nospof --help)"],
  ['Run', "unknown command 'Run' (did you mean 'run'?)"],
  ['--hlep', "unknown flag --hlep before a command (did you mean '--help'?)"],
  ['--config x run', 'unknown flag --config before a command (see nospof --help)'],
  ['-x', 'unknown flag -x before a command (see nospof --help)'],
  ['-- run', 'unknown flag -- before a command (see nospof --help)'],
  ['run --listn off', "unknown flag --listn (did you mean '--listen'?)"],
  ['run --json', 'unknown flag --json (see nospof run --help)'],
  ['run -x', 'unknown flag -x (see nospof run --help)'],
  ['run -listen', 'unknown flag -l (see nospof run --help)'],
  ['run --no-polling', "unknown flag --no-polling (did you mean '--polling'?)"],
  ['run --listen', '--listen needs a value: --listen HOST:PORT'],
  ['run --listen=', '--listen needs a value: --listen HOST:PORT'],
  ['run --listen --polling', '--listen needs a value: --listen HOST:PORT'],
  ['run --polling=yes', '--polling takes no value'],
  ['run --state a --state b', '--state is given twice'],
  ['run now', "run does not take 'now' (see nospof run --help)"],
  ['capture', 'capture needs NAME, the collector (see nospof capture --help)'],
  ['forget a b', "forget does not take 'b' (see nospof forget --help)"],
  ['version --short', 'unknown flag --short (see nospof version --help)'],
  ['check a b', "check does not take 'b' (see nospof check --help)"],
];

function split(text: string): readonly string[] {
  return text.split(' ').filter((word) => word !== '');
}

/** A command as plain data. */
function plain(parsed: Parsed): unknown {
  if (parsed.kind !== 'command') return parsed;
  const { command, values, switches, operands } = parsed.args;
  return [command, { ...values }, [...switches], operands];
}

t.test('wrong arguments', (t) => {
  for (const [text, message] of WRONG) {
    t.strictSame(parseArguments(split(text)), { kind: 'wrong', message }, text || 'nothing');
  }
  const nasty = parseArguments(['run', '--\u001b[2J\n']);
  t.match(
    nasty,
    { kind: 'wrong', message: /^unknown flag --\?\[2J\? \(/u },
    'no control characters',
  );
  t.end();
});

t.test('right arguments', (t) => {
  t.strictSame(plain(parseArguments(split('run --config f --listen=off --polling'))), [
    'run',
    { config: 'f', listen: 'off' },
    ['polling'],
    [],
  ]);
  t.strictSame(plain(parseArguments(split('capture --out d fans'))), [
    'capture',
    { out: 'd' },
    [],
    ['fans'],
  ]);
  t.strictSame(plain(parseArguments(split('check -- --odd'))), ['check', {}, [], ['--odd']]);
  t.strictSame(plain(parseArguments(split('check'))), ['check', {}, [], []]);
  t.strictSame(plain(parseArguments(split('status --json --watch'))), [
    'status',
    {},
    ['json', 'watch'],
    [],
  ]);
  t.strictSame(plain(parseArguments(['run', '--state=-odd'])), ['run', { state: '-odd' }, [], []]);
  for (const text of ['version', '--version', '-V']) {
    t.strictSame(plain(parseArguments([text])), ['version', {}, [], []]);
  }
  t.end();
});

t.test('help is asked for in any usual way', (t) => {
  for (const text of ['--help', '-h', 'help', 'help nonsense']) {
    t.strictSame(parseArguments(split(text)), { kind: 'help', command: undefined }, text);
  }
  for (const text of ['run --help', 'run -h', 'help run', '--help run', 'run --bad --help']) {
    t.strictSame(parseArguments(split(text)), { kind: 'help', command: 'run' }, text);
  }
  t.end();
});

t.test('help tells every flag, and its example is accepted', (t) => {
  for (const name of COMMANDS) {
    const text = commandHelp(name);
    for (const { name: flag } of CATALOG[name].flags)
      t.match(text, `--${flag}`, `${name} --${flag}`);
    for (const line of text.split('\n')) t.ok(line.length <= 100, line);
    const { example } = CATALOG[name];
    t.match(text, `Example: ${example}`);
    const [program, ...argv] = split(example);
    t.equal(program, 'nospof');
    t.match(parseArguments(argv), { kind: 'command', args: { command: name } });
    t.match(generalHelp([]), CATALOG[name].about);
  }
  t.match(
    generalHelp([{ name: 'fans', sees: 'fans and their speed' }]),
    /fans +fans and their speed/u,
  );
  t.end();
});

t.test('no arguments make it throw', (t) => {
  const words = fc.constantFrom(
    ...COMMANDS,
    '--',
    '-',
    '--help',
    '--listen',
    '--config=x',
    '--__proto__',
    '--run',
    '',
  );
  const argv = fc.array(fc.oneof(words, fc.string({ unit: 'binary' })), { maxLength: 6 });
  const answers = (list: readonly string[]): boolean => {
    const parsed = parseArguments(list);
    return parsed.kind !== 'wrong' || /^[^\n\r]+$/u.test(parsed.message);
  };
  t.doesNotThrow(() => fc.assert(fc.property(argv, answers), { numRuns: 2000 }));
  t.end();
});
