/**
 * The port for `command` reads. It decides whether a command runs at all (installed, superseded, its
 * device there), that only one call of a name is in flight, and how long a failing one rests; running
 * it is another file's work. A command that the kernel holds after its kill is not started again until
 * it is gone: a dead BMC must not gather processes.
 */
import type { Entry, Read } from '../../collectors/lib/collector.ts';
import type { Roots } from '../../rules/config.ts';
import { monotonicMs } from './clock.ts';
import { exists, listGlob } from './glob.ts';
import type { ReadPort } from './port.ts';
import { findProgram, PROGRAM_FOLDERS, type Program } from './programs.ts';
import { type Running, runProgram } from './run.ts';

/** A failing command rests 1, 2, 4 ... times its deadline, up to this. */
export const REST_MS_MAX = 300_000;
/** A program that was not found is looked for again after this long. */
export const LOOKUP_MS = 60_000;

type CommandRead = Extract<Read, { kind: 'command' }>;

interface Call {
  answer: Promise<Entry>;
  running: Running;
  /** The answer has been given. */
  answered: boolean;
}

interface CommandState {
  call: Call | undefined;
  failure: Entry | undefined;
  restMs: number;
  nextMs: number;
}

/** Looks names up once; what was not found, again after a while. */
function openLookup(folders: readonly string[]): {
  readonly find: (name: string) => Program;
  readonly forget: (name: string) => void;
} {
  const known = new Map<string, { readonly program: Program; readonly atMs: number }>();
  return {
    find: (name) => {
      const found = known.get(name);
      const nowMs = monotonicMs();
      if (found !== undefined && ('path' in found.program || nowMs - found.atMs < LOOKUP_MS)) {
        return found.program;
      }
      const program = findProgram(name, folders);
      known.set(name, { program, atMs: nowMs });
      return program;
    },
    forget: (name) => {
      known.delete(name);
    },
  };
}

function resting(failure: Entry, leftMs: number): Entry {
  if (!('errno' in failure)) return failure;
  const next = `next try in ${Math.ceil(leftMs / 1_000)} s`;
  return {
    errno: failure.errno,
    why: failure.why === undefined ? next : `${failure.why}; ${next}`,
  };
}

/** `folders` stand for the system's program folders in tests. */
export function openCommandPort(options: {
  readonly roots: Roots;
  readonly folders?: readonly string[];
}): ReadPort<CommandRead> {
  const { roots } = options;
  const lookup = openLookup(options.folders ?? PROGRAM_FOLDERS);
  const states = new Map<string, CommandState>();
  let closed = false;

  /** Why the command is not run at all; no failure of it, so nothing rests. */
  function skipped({ unless, when }: CommandRead): Entry | undefined {
    const other = unless?.find((name) => 'path' in lookup.find(name));
    if (other !== undefined) return { errno: 'ENOENT', why: `superseded by ${other}` };
    if (when === undefined) return undefined;
    const root = roots[when.root];
    if (listGlob(root, when.glob).paths.some((path) => exists(`${root}/${path}`))) return undefined;
    return { errno: 'ENODEV', why: `nothing matches ${when.root}/${when.glob}` };
  }

  function start(read: CommandRead, path: string, state: CommandState): Promise<Entry> {
    const [name, ...args] = read.argv;
    const running = runProgram(path, args, { name, deadlineMs: read.deadlineMs });
    const answer = running.answer.then((entry) => {
      call.answered = true;
      if ('errno' in entry) {
        if (entry.errno === 'ENOENT') lookup.forget(name);
        state.restMs = Math.min(Math.max(read.deadlineMs, 2 * state.restMs), REST_MS_MAX);
        state.nextMs = monotonicMs() + state.restMs;
        state.failure = entry;
      } else {
        state.restMs = 0;
        state.failure = undefined;
      }
      return entry;
    });
    const call: Call = { answer, running, answered: false };
    state.call = call;
    void Promise.all([answer, running.gone]).then(() => {
      state.call = undefined;
    });
    return answer;
  }

  async function ask(read: CommandRead): Promise<Entry> {
    if (closed) return { errno: 'ECANCELED', why: 'the agent is ending' };
    const state = states.get(read.name) ?? {
      call: undefined,
      failure: undefined,
      restMs: 0,
      nextMs: 0,
    };
    states.set(read.name, state);
    if (state.call !== undefined && !state.call.answered) return state.call.answer;
    const reason = skipped(read);
    if (reason !== undefined) return reason;
    const program = lookup.find(read.argv[0]);
    if ('errno' in program) return program;
    const leftMs = state.nextMs - monotonicMs();
    if (state.failure !== undefined && leftMs > 0) return resting(state.failure, leftMs);
    if (state.call !== undefined) {
      const { pid } = state.call.running;
      return { errno: 'ETIMEDOUT', why: `process ${pid} was killed and the kernel still holds it` };
    }
    return start(read, program.path, state);
  }

  return {
    read: ask,
    close: () => {
      closed = true;
      for (const { call } of states.values()) call?.running.cancel();
    },
  };
}
