/**
 * Runs one action of a resource agent to its end: no shell, its own process group, bounded output, and
 * a deadline after which the whole group is killed. A daemon that the action leaves behind may hold the
 * output open: it is the service, so it is neither waited for nor killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { PROGRAM_FOLDERS } from '../../ports/programs.ts';
import type { AgentPlace } from './place.ts';

export type AgentEnd =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly stdout: string;
      /** There was more of it. */
      readonly cut: boolean;
      readonly reason: string;
    }
  | { readonly kind: 'signal'; readonly signal: string; readonly reason: string }
  | { readonly kind: 'late'; readonly reason: string }
  | { readonly kind: 'unstarted'; readonly why: string };

export interface AgentCall {
  readonly place: AgentPlace;
  readonly root: string;
  readonly instance: string;
  readonly action: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** OCF_CHECK_LEVEL. */
  readonly level: number;
  readonly deadlineMs: number;
  readonly outputMax?: number;
}

export interface AgentRun {
  readonly end: Promise<AgentEnd>;
  /** Kills it, with all it started in its group. */
  readonly cancel: () => void;
}

/** What is kept of each stream; the rest is read and dropped, so that nothing blocks on it. */
const OUTPUT_MAX = 16 * 1024;
/** An action that says more than this has lost its way, and is killed. */
export const FLOOD_BYTES: number = 16 * 1024 * 1024;
const REASON_MAX = 300;
/** From the end of the action to the end of its output. */
const DRAIN_MS = 50;
const REASON = /^ocf-exit-reason:(.*)$/u;

function environment(call: AgentCall): Record<string, string> {
  const env: Record<string, string> = {
    PATH: PROGRAM_FOLDERS.join(':'),
    LC_ALL: 'C',
    OCF_ROOT: call.root,
    OCF_RA_VERSION_MAJOR: '1',
    OCF_RA_VERSION_MINOR: '1',
    OCF_RESOURCE_INSTANCE: call.instance,
    OCF_RESOURCE_TYPE: call.place.type,
    OCF_RESOURCE_PROVIDER: call.place.provider,
    OCF_CHECK_LEVEL: String(call.level),
    // Agents calculate with it in whole numbers.
    OCF_RESKEY_CRM_meta_timeout: String(Math.floor(call.deadlineMs)),
    OCF_EXIT_REASON_PREFIX: 'ocf-exit-reason:',
    HA_LOGD: 'no',
    HA_LOGFACILITY: 'none',
  };
  for (const [name, value] of Object.entries(call.parameters)) env[`OCF_RESKEY_${name}`] = value;
  return env;
}

/** Keeps the first or the last bytes of a stream, and reads on. */
function keep(
  stream: Readable | null,
  max: number,
  end: 'head' | 'tail',
  flooded: () => void,
): { text: string; cut: boolean } {
  const kept = { text: '', cut: false };
  let length = 0;
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    length += chunk.length;
    if (length > FLOOD_BYTES) flooded();
    const text = kept.text.length < max || end === 'tail' ? kept.text + chunk : kept.text;
    kept.cut ||= text.length > max || text === kept.text;
    kept.text = end === 'head' ? text.slice(0, max) : text.slice(-max);
  });
  stream?.on('error', () => undefined);
  return kept;
}

/** The reason the agent gave, else the last thing it said. */
export function reasonOf(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const given = lines.flatMap((line) => REASON.exec(line)?.[1] ?? []).at(-1);
  return (given ?? lines.at(-1) ?? '')
    .replace(/[^\x20-\x7e]/gu, '?')
    .trim()
    .slice(0, REASON_MAX);
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

export function runAgent(call: AgentCall): AgentRun {
  let child: ChildProcess;
  try {
    child = spawn(call.place.path, [call.action], {
      cwd: '/',
      env: environment(call),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
  } catch (error) {
    const why = `${call.place.path} could not be started: ${(error as Error).message}`;
    return { end: Promise.resolve({ kind: 'unstarted', why }), cancel: () => undefined };
  }
  let flood = (): void => undefined;
  const stdout = keep(child.stdout, call.outputMax ?? OUTPUT_MAX, 'head', () => flood());
  const stderr = keep(child.stderr, OUTPUT_MAX, 'tail', () => flood());
  const end = new Promise<AgentEnd>((resolve) => {
    const settle = (is: AgentEnd): void => {
      clearTimeout(late);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve(is);
    };
    flood = () => {
      killGroup(child);
      settle({ kind: 'signal', signal: 'us: it floods its output', reason: '' });
    };
    const late = setTimeout(() => {
      killGroup(child);
      // What the kernel holds must not keep the agent from ending.
      child.unref();
      settle({ kind: 'late', reason: reasonOf(stderr.text) });
    }, call.deadlineMs);
    child.once('error', (error) => {
      if (child.pid !== undefined) return;
      const why = `${call.place.path} could not be started: ${error.message}`;
      settle({ kind: 'unstarted', why });
    });
    child.once('exit', (status, signal) => {
      // Its own output is in the pipe by now; what comes later is not waited for.
      const done = (): void => {
        clearTimeout(drain);
        const reason = reasonOf(stderr.text);
        if (status === null) settle({ kind: 'signal', signal: signal ?? 'a signal', reason });
        else settle({ kind: 'status', status, stdout: stdout.text, cut: stdout.cut, reason });
      };
      const drain = setTimeout(done, DRAIN_MS);
      child.once('close', done);
    });
  });
  return { end, cancel: () => killGroup(child) };
}
