/**
 * The driver of services that are a program of their own: what it wants done it tells the keeper, which
 * is their parent. A deep look runs the service's own check; no answer in time is a hanging service.
 */
import { readFileSync } from 'node:fs';
import type { Outcome } from '../../../rules/decision.ts';
import type { DriverSpec, ServiceSeen, ServiceSpec } from '../../../rules/service.ts';
import { runProgram } from '../../ports/run.ts';
import { type Driver, type OpenDriver, refuted, unsure, verified, withinMs } from '../driver.ts';
import type { KeeperClient } from './client.ts';
import type { Kept, Reply, StartOrder } from './protocol.ts';

type ProcessSpec = Extract<DriverSpec, { kind: 'process' }>;

/** From SIGKILL until nothing may be left. */
const KILL_MS = 4_000;
const RETRY_MS = 20;

/** Uid and gid of a user of this machine. */
function userOf(name: string): { readonly uid: number; readonly gid: number } | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined
    ? undefined
    : { uid: Number(uid), gid: Number(gid) };
}

function seenOf(kept: Kept): ServiceSeen {
  switch (kept.is) {
    case 'none':
      return { kind: 'stopped' };
    case 'ended':
      return { kind: 'stopped', exit: kept.exit };
    case 'running':
      // Stopped by SIGSTOP or a debugger: it is there and answers nobody.
      return kept.state === 'T'
        ? { kind: 'hanging', run: kept.run, why: `process ${kept.pid} is stopped by a signal` }
        : { kind: 'running', run: kept.run, pid: kept.pid };
  }
}

function orderOf(name: string, spec: ProcessSpec): StartOrder | undefined {
  const { argv, environment, directory, user } = spec;
  const who = user === undefined ? {} : userOf(user);
  return who === undefined ? undefined : { name, argv, environment, directory, ...who };
}

async function checked(
  check: readonly string[],
  running: Extract<ServiceSeen, { kind: 'running' }>,
  deadlineMs: number,
): Promise<ServiceSeen> {
  const [path = '', ...args] = check;
  const entry = await runProgram(path, args, { name: path, deadlineMs }).answer;
  if ('text' in entry) {
    if (entry.status === 0) return running;
    return { kind: 'failed', why: `its check ended with status ${entry.status}`, remains: true };
  }
  if (!('errno' in entry)) return { kind: 'unknown', why: 'its check is no program' };
  const why = entry.why ?? entry.errno;
  if (entry.errno === 'ETIMEDOUT') {
    return { kind: 'hanging', run: running.run, why: `its check gave ${why}` };
  }
  // The check itself could not be run: that says nothing of the service.
  return { kind: 'unknown', why: `its check: ${why}` };
}

class ProcessDriver implements Driver {
  readonly #spec: ServiceSpec;
  readonly #process: ProcessSpec;
  readonly #keeper: KeeperClient;
  readonly #onSeen: (seen: ServiceSeen) => void;
  /** A hang or failure that the check found holds until the next deep look or the next run. */
  #found: { readonly run: string; readonly seen: ServiceSeen } | undefined;

  constructor(
    spec: ServiceSpec,
    process: ProcessSpec,
    keeper: KeeperClient,
    onSeen: (seen: ServiceSeen) => void,
  ) {
    this.#spec = spec;
    this.#process = process;
    this.#keeper = keeper;
    this.#onSeen = onSeen;
    keeper.listen(spec.name, {
      onKept: (kept) => onSeen(this.#seen(kept)),
      onGone: (why) => onSeen({ kind: 'unknown', why }),
      onThere: () => void this.look('shallow', 1_000).then(onSeen),
    });
  }

  readonly perform: Driver['perform'] = async (move, deadlineMs) => {
    const { name } = this.#spec;
    const late = (): Reply | undefined => undefined;
    const reply = await withinMs(this.#ask(move, deadlineMs), deadlineMs, late);
    if (reply === undefined) return unsure('the keeper of processes did not answer');
    const { kept } = reply;
    const seen = this.#seen(kept);
    // A lasting failure is known of the start alone.
    const lasting = !reply.ok && reply.lasting === true && seen.kind === 'stopped';
    this.#onSeen(
      lasting ? { ...seen, kind: 'failed', why: reply.ok ? '' : reply.why, lasting: true } : seen,
    );
    const there = move === 'start' && kept.is === 'running';
    if (!reply.ok && !there) return refuted(reply.why);
    return this.#outcome(move, name, kept);
  };

  readonly look: Driver['look'] = async (depth, deadlineMs) => {
    const { name } = this.#spec;
    const none: ServiceSeen = { kind: 'unknown', why: 'the keeper of processes does not answer' };
    const asked = this.#keeper.ask({ do: 'look', name }).then(({ kept }) => this.#seen(kept));
    const seen = await withinMs(asked, deadlineMs, () => none);
    const { check } = this.#process;
    if (depth === 'shallow' || check === undefined) return seen;
    if (seen.kind !== 'running' && this.#found?.seen !== seen) return seen;
    const run = 'run' in seen ? seen.run : (this.#found?.run ?? '');
    const found = await checked(check, { kind: 'running', run, ...pidOf(seen) }, deadlineMs);
    this.#found =
      found.kind === 'hanging' || found.kind === 'failed' ? { run, seen: found } : undefined;
    return found;
  };

  readonly close = async (): Promise<void> => {
    this.#keeper.forget(this.#spec.name);
  };

  /** What the keeper knows, and what the last check found of the same run. */
  #seen(kept: Kept): ServiceSeen {
    if (kept.is === 'running' && this.#found?.run === kept.run) return this.#found.seen;
    return seenOf(kept);
  }

  async #ask(move: 'start' | 'stop' | 'kill', deadlineMs: number): Promise<Reply> {
    const { name } = this.#spec;
    const untilMs = performance.now() + deadlineMs;
    for (;;) {
      try {
        if (move === 'start') {
          const start = orderOf(name, this.#process);
          if (start !== undefined) return await this.#keeper.ask({ do: 'start', start });
          const why = `there is no user '${this.#process.user}' in /etc/passwd`;
          return { ok: false, why, kept: { is: 'none' }, lasting: true };
        }
        const patienceMs = Math.min(KILL_MS, deadlineMs);
        return await this.#keeper.ask({
          do: 'stop',
          name,
          signal: move === 'kill' ? 'SIGKILL' : this.#process.stopSignal,
          deadlineMs: Math.max(0, deadlineMs - KILL_MS),
          patienceMs,
        });
      } catch (error) {
        // A keeper that went is started again at once; what it was told may have been done or not.
        if (performance.now() > untilMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #outcome(move: 'start' | 'stop' | 'kill', name: string, kept: Kept): Outcome {
    if (move === 'start') {
      if (kept.is === 'running') return verified(`${name} runs as process ${kept.pid}`);
      return refuted(`${name} ended at once`);
    }
    if (kept.is === 'running') return refuted(`process ${kept.pid} is still there`);
    return verified(`nothing of ${name} is left`);
  }
}

function pidOf(seen: ServiceSeen): { readonly pid?: number } {
  return seen.kind === 'running' && seen.pid !== undefined ? { pid: seen.pid } : {};
}

/** Process services of one keeper. */
export function processDriver(keeper: KeeperClient): OpenDriver {
  return (spec, onSeen) => {
    if (spec.driver.kind !== 'process') throw new Error(`${spec.name} is no process`);
    return new ProcessDriver(spec, spec.driver, keeper, onSeen);
  };
}
