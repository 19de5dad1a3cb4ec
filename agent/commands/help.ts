/**
 * Prints help: what a command is for, its flags and one example that works. Written from the catalog,
 * so that no flag is left out.
 */
import { CATALOG, COMMANDS, type CommandInfo, type CommandName } from './catalog.ts';

export interface HelpEntry {
  readonly name: string;
  readonly sees: string;
}

const EXIT_STATUS = [
  'Exit status:',
  '  0   done',
  '  1   could not be done: no agent answers, or it refused; for status: not all is redundant',
  '  2   the command line, the configuration or a folder is wrong; for status: nothing is known',
  '  70  a bug in nospof: please report what it printed',
];

function columns(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

function usage(name: CommandName, info: CommandInfo): string {
  const operands = info.operands.map((one) => {
    const name = one.many === true ? `${one.name}...` : one.name;
    return one.optional === true ? `[${name}]` : name;
  });
  const flags = info.flags.length > 0 ? ['[FLAGS]'] : [];
  return ['nospof', name, ...operands, ...flags].join(' ');
}

/** Help of one command. */
export function commandHelp(name: CommandName): string {
  const info = CATALOG[name];
  const rows: [string, string][] = [
    ...info.operands.map((one): [string, string] => [one.name, one.about]),
    ...info.flags.map((one): [string, string] => [
      one.value === undefined ? `--${one.name}` : `--${one.name} ${one.value}`,
      one.about,
    ]),
    ['--help', 'print this'],
  ];
  const notes = info.notes.length > 0 ? ['', ...info.notes] : [];
  return [
    `${usage(name, info)} - ${info.about}`,
    '',
    ...columns(rows),
    ...notes,
    '',
    `Example: ${info.example}`,
    '',
  ].join('\n');
}

/** Help of the whole, with the collectors there are. */
export function generalHelp(collectors: readonly HelpEntry[]): string {
  const seen = columns(collectors.map(({ name, sees }) => [name, sees]));
  return [
    'nospof - sees every redundant part of this node and how many more may fail',
    '',
    'Commands:',
    ...columns(COMMANDS.map((name) => [usage(name, CATALOG[name]), CATALOG[name].about])),
    '',
    ...(seen.length > 0 ? ['Collectors:', ...seen, ''] : []),
    ...EXIT_STATUS,
    '',
    'Help of one command: nospof COMMAND --help',
    'Example: nospof run --listen 127.0.0.1:9974',
    '',
  ].join('\n');
}
