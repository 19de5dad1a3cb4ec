/**
 * From arguments to a command, or to one line that says what is wrong with them. Nothing is guessed:
 * an unknown word is refused, with the nearest known one.
 */
import { parseArgs } from 'node:util';
import { nearest } from '../../rules/near.ts';
import { CATALOG, COMMANDS, type CommandInfo, type CommandName } from './catalog.ts';

export interface ParsedArgs {
  readonly command: CommandName;
  /** Flags with a value, by their names without dashes. */
  readonly values: Readonly<Record<string, string>>;
  /** Switches that were given. */
  readonly switches: ReadonlySet<string>;
  readonly operands: readonly string[];
}

export type Parsed =
  | { readonly kind: 'command'; readonly args: ParsedArgs }
  | { readonly kind: 'help'; readonly command: CommandName | undefined }
  | { readonly kind: 'wrong'; readonly message: string };

function wrong(message: string): Parsed {
  return { kind: 'wrong', message };
}

function hint(word: string, known: readonly string[], dashes: string, help: string): string {
  const near = nearest(word, known);
  return near === undefined ? `(see ${help})` : `(did you mean '${dashes}${near}'?)`;
}

/** A word of the user as it may be printed: one line, no control characters. */
function printable(word: string): string {
  return word.slice(0, 80).replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '?');
}

function isCommand(word: string): word is CommandName {
  return (COMMANDS as readonly string[]).includes(word);
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number];
type OptionToken = Extract<Token, { kind: 'option' }>;

/** What is wrong with one flag; undefined when it is good. */
function flagComplaint(name: CommandName, token: OptionToken): string | undefined {
  const { flags } = CATALOG[name];
  const flag = flags.find((one) => one.name === token.name && token.rawName === `--${one.name}`);
  if (flag === undefined) {
    const known = ['help', ...flags.map((one) => one.name)];
    const word = printable(token.rawName);
    return `unknown flag ${word} ${hint(token.name, known, '--', `nospof ${name} --help`)}`;
  }
  if (flag.value === undefined) {
    return token.value === undefined ? undefined : `--${flag.name} takes no value`;
  }
  const missing = token.value === undefined || token.value === '';
  const swallowed = token.inlineValue === false && token.value?.startsWith('-') === true;
  return missing || swallowed
    ? `--${flag.name} needs a value: --${flag.name} ${flag.value}`
    : undefined;
}

function operandComplaint(name: CommandName, operands: readonly string[]): string | undefined {
  const info: CommandInfo = CATALOG[name];
  const help = `(see nospof ${name} --help)`;
  const missing = info.operands.find(
    (operand, index) => operand.optional !== true && (operands[index] ?? '') === '',
  );
  if (missing !== undefined) return `${name} needs ${missing.name}, ${missing.about} ${help}`;
  if (info.operands.at(-1)?.many === true) return undefined;
  const extra = operands[info.operands.length];
  if (extra === undefined) return undefined;
  return `${name} does not take '${printable(extra)}' ${help}`;
}

function parseCommand(name: CommandName, argv: readonly string[]): Parsed {
  const { flags } = CATALOG[name];
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  };
  for (const flag of flags) {
    options[flag.name] = { type: flag.value === undefined ? 'boolean' : 'string' };
  }
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values: Record<string, string> = {};
  const switches = new Set<string>();
  const operands: string[] = [];
  const given = new Set<string>();
  let complaint: string | undefined;
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    if (token.rawName === '--help' || token.rawName === '-h')
      return { kind: 'help', command: name };
    complaint ??= flagComplaint(name, token);
    if (given.has(token.name)) complaint ??= `--${printable(token.name)} is given twice`;
    given.add(token.name);
    if (token.value === undefined) switches.add(token.name);
    else values[token.name] = token.value;
  }
  complaint ??= operandComplaint(name, operands);
  if (complaint !== undefined) return wrong(complaint);
  return { kind: 'command', args: { command: name, values, switches, operands } };
}

function parseHelp(rest: readonly string[]): Parsed {
  const [topic] = rest;
  return { kind: 'help', command: topic !== undefined && isCommand(topic) ? topic : undefined };
}

/** Reads the arguments after `nospof`. Never throws, whatever they are. */
export function parseArguments(argv: readonly string[]): Parsed {
  const [first, ...rest] = argv;
  switch (first) {
    case undefined:
      return wrong('no command (see nospof --help)');
    case '-h':
    case '--help':
    case 'help':
      return parseHelp(rest);
    case '-V':
    case '--version':
      return parseCommand('version', rest);
    default:
      if (isCommand(first)) return parseCommand(first, rest);
  }
  if (!first.startsWith('-')) {
    const word = printable(first);
    return wrong(`unknown command '${word}' ${hint(first, COMMANDS, '', 'nospof --help')}`);
  }
  const flag = printable(first);
  const mend = hint(first.replace(/^-+/u, ''), ['help', 'version'], '--', 'nospof --help');
  return wrong(`unknown flag ${flag} before a command ${mend}`);
}
