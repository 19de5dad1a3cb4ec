/**
 * A switch behind a program of the system (ipmitool, a fence agent): takes each run that the machine asks for
 * to the system and back. It decides nothing. Secrets go by the program's input or by a file, never by its
 * arguments.
 */
import type { Profile, ProgramProfile } from '../../fencing/profile.ts';
import { type Ended, nextProgram, type ProgramEvent, startProgram } from '../../fencing/program.ts';
import { monotonicNow } from '../ports/clock.ts';
import { runProgram } from '../ports/run.ts';
import { inTurn, type SwitchDevice, type Trace } from './switches.ts';

export interface ProgramRun {
  readonly name: string;
  readonly path: string;
}

function pause(forMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, forMs));
}

async function ended(
  { name, path }: ProgramRun,
  argv: readonly string[],
  input: readonly string[],
  deadlineMs: number,
): Promise<Ended> {
  const text = input.length === 0 ? {} : { input: `${input.join('\n')}\n` };
  const entry = await runProgram(path, argv, { name, deadlineMs, ...text }).answer;
  if ('errno' in entry) return { status: undefined, text: '', why: entry.why ?? entry.errno };
  if (!('text' in entry)) return { status: undefined, text: '', why: 'no output' };
  const { status = 0, why = '' } = entry;
  return { status, text: 'text' in entry ? entry.text : '', why };
}

export function programSwitch(
  name: string,
  profile: Profile & { readonly device: ProgramProfile },
  run: ProgramRun,
  given: {
    readonly words: Readonly<Record<string, string>>;
    readonly lines: readonly string[];
  },
  trace: Trace = () => undefined,
): SwitchDevice {
  return inTurn(
    name,
    profile.timing.deadlineMs,
    async (request, deadlineAt) => {
      let exchange = startProgram(profile, profile.device, request, given, deadlineAt);
      let event: ProgramEvent = { kind: 'start' };
      for (;;) {
        const turn = nextProgram(exchange, event, monotonicNow());
        ({ exchange } = turn);
        const { command } = turn;
        switch (command.kind) {
          case 'done':
            return command.reply;
          case 'wait':
            await pause(command.ms);
            event = { kind: 'waited' };
            continue;
          case 'run': {
            const one = await ended(run, command.argv, command.input, command.withinMs);
            const said = JSON.stringify(one.text.trim().slice(0, 200));
            trace(`${run.name} ${command.argv.join(' ')} -> ${one.status ?? one.why} ${said}`);
            event = { kind: 'ended', ended: one };
          }
        }
      }
    },
    () => Promise.resolve(),
  );
}
