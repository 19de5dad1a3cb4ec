/** Runs a program as a remedy: absolute path, no shell, bounded output, killed with its group when late. */
import { isAbsolute } from 'node:path';
import type { Entry } from '../../collectors/lib/collector.ts';
import type { Outcome } from '../../rules/decision.ts';
import { checkProgram } from '../ports/programs.ts';
import { type Running, runProgram } from '../ports/run.ts';

/** Programs of remedies at once; another one is refuted, which its ladder may answer. */
export const PROGRAMS_MAX = 16;
const LINE_CHARS_MAX = 200;

function firstLine(text: string): string {
  const line = (text.split('\n', 1)[0] ?? '').replace(/[^\x20-\x7e]/gu, '?').trim();
  return line.slice(0, LINE_CHARS_MAX);
}

/** Late, flooding or cancelled ones were killed: what they did until then is not known. */
const UNKNOWN: ReadonlySet<string> = new Set(['ETIMEDOUT', 'E2BIG', 'ECANCELED']);

function outcomeOf(entry: Entry): Outcome {
  if ('errno' in entry) {
    const why = entry.why ?? entry.errno;
    return { result: UNKNOWN.has(entry.errno) ? 'unknown' : 'refuted', evidence: why };
  }
  const status = 'status' in entry ? (entry.status ?? 0) : 0;
  const said = 'text' in entry ? firstLine(entry.text) : '';
  const evidence = `exit status ${status}${said === '' ? '' : `: ${said}`}`;
  return { result: status === 0 ? 'verified' : 'refuted', evidence };
}

export interface Programs {
  readonly run: (argv: readonly string[], deadlineMs: number) => Promise<Outcome>;
  /** Kills what still runs. */
  readonly close: () => void;
}

export function openPrograms(): Programs {
  const running = new Set<Running>();
  return {
    run: async ([path = '', ...args], deadlineMs) => {
      if (!isAbsolute(path)) {
        return { result: 'refuted', evidence: `${path || 'nothing'} is no absolute path` };
      }
      const program = checkProgram(path);
      if ('errno' in program) return { result: 'refuted', evidence: program.why ?? program.errno };
      if (running.size >= PROGRAMS_MAX) {
        return { result: 'refuted', evidence: `${running.size} programs run already` };
      }
      const one = runProgram(path, args, { name: path, deadlineMs: Math.max(1, deadlineMs) });
      running.add(one);
      // A process that the kernel holds after its kill still counts.
      void one.gone.then(() => running.delete(one));
      return outcomeOf(await one.answer);
    },
    close: () => {
      for (const one of running) one.cancel();
    },
  };
}
