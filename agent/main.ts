#!/usr/bin/env node
/**
 * From argv to a command. Kept small: each command is loaded only when it is asked for, so that the
 * quick ones stay quick. Expected trouble is a line and an exit status; what reaches the handlers here
 * is a bug.
 */
import { writeSync } from 'node:fs';
import { type ParsedArgs, parseArguments } from './commands/args.ts';
import type { CommandName } from './commands/catalog.ts';

const STATUS_FAILED = 1;
const STATUS_WRONG = 2;
/** EX_SOFTWARE of sysexits(3). */
const STATUS_BUG = 70;

interface CommandFile {
  readonly run: (args: ParsedArgs) => Promise<number>;
}

const FILES: Readonly<Record<CommandName, () => Promise<CommandFile>>> = {
  run: () => import('./commands/run.ts'),
  status: () => import('./commands/status.ts'),
  service: () => import('./commands/service.ts'),
  why: () => import('./commands/why.ts'),
  whatif: () => import('./commands/whatif.ts'),
  replay: () => import('./commands/replay.ts'),
  capture: () => import('./commands/capture.ts'),
  check: () => import('./commands/check.ts'),
  switch: () => import('./commands/switch.ts'),
  fence: () => import('./commands/fence.ts'),
  maintenance: () => import('./commands/maintenance.ts'),
  forget: () => import('./commands/forget.ts'),
  disk: () => import('./commands/disk.ts'),
  rules: () => import('./commands/rules.ts'),
  version: () => import('./commands/version.ts'),
};

function endAsBug(error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  try {
    writeSync(2, `nospof: this is a bug, please report it:\n${text}\n`);
  } catch {
    // Nobody reads standard error any more: the exit status has to do.
  }
  process.exit(STATUS_BUG);
}

/**
 * A reader that went away (`| head`) ends a command quietly. The agent itself outlives its log: neither
 * a closed pipe nor a full disk behind it may end it.
 */
function onPrintError(daemon: boolean, error: NodeJS.ErrnoException): void {
  if (daemon) return;
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
  process.stderr.write(`nospof: cannot print: ${error.message}\n`);
  process.exit(STATUS_FAILED);
}

async function help(command: CommandName | undefined): Promise<number> {
  const { commandHelp, generalHelp } = await import('./commands/help.ts');
  const { print } = await import('./commands/print.ts');
  if (command !== undefined) print(commandHelp(command));
  else print(generalHelp(await (await import('./units.ts')).loadCollectors()));
  return 0;
}

async function main(): Promise<number> {
  const parsed = parseArguments(process.argv.slice(2));
  const daemon = parsed.kind === 'command' && parsed.args.command === 'run';
  process.stdout.on('error', (error) => onPrintError(daemon, error));
  // What cannot be said there cannot be said anywhere; the exit status still can.
  process.stderr.on('error', () => undefined);
  switch (parsed.kind) {
    case 'wrong':
      process.stderr.write(`nospof: ${parsed.message}\n`);
      return STATUS_WRONG;
    case 'help':
      return help(parsed.command);
    case 'command':
      return (await FILES[parsed.args.command]()).run(parsed.args);
  }
}

process.on('uncaughtException', endAsBug);
process.on('unhandledRejection', endAsBug);
process.exitCode = await main();
