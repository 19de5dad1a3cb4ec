/**
 * The driver of OCF resource agents: starts, stops and asks by the agent's own actions, and reads their
 * return codes by the whole table. An action that does not end is killed with its group. One action of a
 * service at a time; a look waits for none, it is left out.
 */
import type { DriverSpec, Exit, ServiceSeen, ServiceSpec } from '../../../rules/service.ts';
import { type Driver, type Move, type OpenDriver, refuted, unsure, verified } from '../driver.ts';
import { codeOf, type OcfCode } from './codes.ts';
import { type AgentPlace, findAgent } from './place.ts';
import { type AgentEnd, type AgentRun, runAgent } from './run.ts';

type OcfSpec = Extract<DriverSpec, { kind: 'ocf' }>;

/** Agents know three depths; ours are two. */
const LEVELS = { shallow: 0, deep: 10 } as const;
/** Kept of an action's time for looking what came of it. */
const LOOK_SHARE = 0.25;
const LOOK_MS_MAX = 5_000;

class OcfDriver implements Driver {
  readonly #spec: ServiceSpec;
  readonly #ocf: OcfSpec;
  readonly #root: string;
  readonly #onSeen: (seen: ServiceSeen) => void;
  #action: AgentRun | undefined;
  /** Looks wait for each other: agents are not made to be asked twice at once. */
  #asked: Promise<unknown> = Promise.resolve();
  /** The last end, so that the same failure seen again is the same end. */
  #end: Exit | undefined;
  #count = 0;
  /** The present run: from the first time it was seen to run until it was seen not to. */
  #run: { readonly id: string; readonly sinceMs: number } | undefined;
  /** Depths the agent does not know. */
  readonly #unknown = new Set<number>();
  /** What a deep look found, until the next deep look or the next move. */
  #found: ServiceSeen | undefined;

  constructor(spec: ServiceSpec, ocf: OcfSpec, root: string, onSeen: (seen: ServiceSeen) => void) {
    this.#spec = spec;
    this.#ocf = ocf;
    this.#root = root;
    this.#onSeen = onSeen;
  }

  readonly perform: Driver['perform'] = async (move, deadlineMs) => {
    const place = findAgent(this.#ocf.agent, this.#root);
    if (!place.ok) return refuted(place.message);
    // A look under way is of no use any more.
    this.#action?.cancel();
    this.#found = undefined;
    const lookMs = Math.min(LOOK_MS_MAX, deadlineMs * LOOK_SHARE);
    const action = move === 'start' ? 'start' : 'stop';
    const end = await this.#do(place.place, action, 0, deadlineMs - lookMs);
    return this.#judge(move, end, await this.#monitor(place.place, 0, lookMs));
  };

  readonly look: Driver['look'] = (depth, deadlineMs) => {
    const seen = this.#asked.then(() => this.#ask(depth, deadlineMs));
    this.#asked = seen;
    return seen;
  };

  async #ask(depth: keyof typeof LEVELS, deadlineMs: number): Promise<ServiceSeen> {
    const place = findAgent(this.#ocf.agent, this.#root);
    if (!place.ok) return { kind: 'unknown', why: place.message };
    const level = LEVELS[depth];
    const deeper = this.#unknown.has(level) ? 0 : level;
    const end = await this.#do(place.place, 'monitor', deeper, deadlineMs);
    if (end.kind === 'status' && end.status === 3 && deeper > 0) {
      this.#unknown.add(level);
      return this.#ask('shallow', deadlineMs);
    }
    const seen = this.#seenOf(end, deadlineMs);
    if (deeper > 0) this.#found = seen.kind === 'running' ? undefined : seen;
    else if (seen.kind === 'running' && this.#found !== undefined) return this.#found;
    return seen;
  }

  readonly close = async (): Promise<void> => {
    this.#action?.cancel();
  };

  async #do(
    place: AgentPlace,
    action: string,
    level: number,
    deadlineMs: number,
  ): Promise<AgentEnd> {
    const run = runAgent({
      place,
      root: this.#root,
      instance: this.#spec.name,
      action,
      parameters: this.#ocf.parameters,
      level,
      deadlineMs,
    });
    this.#action = run;
    const end = await run.end;
    if (this.#action === run) this.#action = undefined;
    return end;
  }

  async #monitor(place: AgentPlace, level: number, deadlineMs: number): Promise<ServiceSeen> {
    return this.#seenOf(await this.#do(place, 'monitor', level, deadlineMs), deadlineMs);
  }

  #exit(how: Exit['how'], value: number, lastLine: string): Exit {
    const run = this.#run;
    this.#run = undefined;
    this.#count += 1;
    const id = run?.id ?? `${process.pid}-${Math.round(performance.now())}-${this.#count}`;
    const afterStartMs = run === undefined ? 0 : Math.round(performance.now() - run.sinceMs);
    this.#end = { run: id, how, value, afterStartMs, lastLine };
    return this.#end;
  }

  /** The end that this failure is: the same one as long as nothing ran in between. */
  #failure(value: number, lastLine: string): Exit {
    if (this.#run === undefined && this.#end?.how === 'status' && this.#end.value === value) {
      return this.#end;
    }
    return this.#exit('status', value, lastLine);
  }

  #up(why: string | undefined): ServiceSeen {
    if (this.#run === undefined) {
      this.#count += 1;
      const nowMs = performance.now();
      this.#run = { id: `${process.pid}-${Math.round(nowMs)}-${this.#count}`, sinceMs: nowMs };
    }
    return { kind: 'running', run: this.#run.id, ...(why === undefined ? {} : { why }) };
  }

  /** What an answer to `monitor` says of the service. */
  #seenOf(end: AgentEnd, deadlineMs: number): ServiceSeen {
    switch (end.kind) {
      case 'unstarted':
        return { kind: 'unknown', why: end.why };
      case 'late': {
        const why = `no answer to monitor within ${deadlineMs / 1000} s`;
        return { kind: 'hanging', run: this.#run?.id ?? 'unseen', why };
      }
      case 'signal':
        return { kind: 'unknown', why: `monitor was killed by ${end.signal}` };
      case 'status':
        return this.#seenAs(codeOf(end.status), end.status, end.reason);
    }
  }

  #seenAs(code: OcfCode, status: number, reason: string): ServiceSeen {
    const why = reason === '' ? code.text : `${code.text}: ${reason}`;
    switch (code.monitor) {
      case 'running':
        return this.#up(undefined);
      case 'degraded':
        return this.#up(why);
      case 'stopped':
        // Cleanly down. If it was seen to run, that is an end.
        if (this.#run === undefined) return { kind: 'stopped' };
        return { kind: 'stopped', exit: this.#exit('status', status, why) };
      case 'unsupported':
        return { kind: 'unknown', why };
      case 'failed':
        return { kind: 'failed', why, exit: this.#failure(status, why), remains: true };
      case 'lasting':
        return { kind: 'failed', why, exit: this.#failure(status, why), lasting: true };
    }
  }

  #judge(move: Move, end: AgentEnd, seen: ServiceSeen): ReturnType<typeof verified> {
    const said = this.#said(move, end);
    if (move === 'start') return this.#judgeStart(end, said, seen);
    const down = seen.kind === 'stopped' || (seen.kind === 'failed' && seen.lasting === true);
    // Even a stop that failed may have left nothing; one that says it worked is held to what is seen.
    if (down) this.#run = undefined;
    this.#onSeen(down ? { kind: 'stopped' } : seen);
    const well = end.kind === 'status' && end.status === 0;
    if (down && well) return verified(`${said}; monitor says it is not running`);
    if (seen.kind === 'unknown' || seen.kind === 'hanging') {
      return well ? unsure(`${said}; ${seen.why}`) : refuted(`${said}; ${seen.why}`);
    }
    return refuted(`${said}; it is ${seen.kind}`);
  }

  #judgeStart(end: AgentEnd, said: string, seen: ServiceSeen): ReturnType<typeof verified> {
    if (seen.kind === 'running') {
      this.#onSeen(seen);
      return verified(`${said}; monitor says it runs`);
    }
    if (end.kind === 'status' && end.status === 0 && seen.kind === 'unknown') {
      this.#onSeen(seen);
      return unsure(`${said}; ${seen.why}`);
    }
    const code = end.kind === 'status' ? codeOf(end.status) : undefined;
    if (code?.monitor === 'lasting') {
      const value = end.kind === 'status' ? end.status : 0;
      this.#onSeen({
        kind: 'failed',
        why: said,
        exit: this.#exit('status', value, said),
        lasting: true,
      });
    } else {
      // A start that failed is an end, with the agent's reason as its last line. It may have left half of
      // the service behind, whatever monitor says: it is stopped before the next.
      const how = end.kind === 'status' ? 'status' : 'unknown';
      const exit = this.#exit(how, end.kind === 'status' ? end.status : 0, said);
      this.#onSeen({ kind: 'failed', why: said, exit, remains: true });
    }
    return refuted(`${said}; it is ${seen.kind}`);
  }

  #said(move: Move, end: AgentEnd): string {
    const action = move === 'start' ? 'start' : 'stop';
    switch (end.kind) {
      case 'unstarted':
        return end.why;
      case 'late':
        return `${action} did not end in time and was killed${end.reason === '' ? '' : `: ${end.reason}`}`;
      case 'signal':
        return `${action} was killed by ${end.signal}`;
      case 'status': {
        const { text } = codeOf(end.status);
        return `${action} said ${end.status} (${text})${end.reason === '' ? '' : `: ${end.reason}`}`;
      }
    }
  }
}

export function ocfDriver(root: string): OpenDriver {
  return (spec, onSeen) => {
    if (spec.driver.kind !== 'ocf') throw new Error(`${spec.name} is no resource agent`);
    return new OcfDriver(spec, spec.driver, root, onSeen);
  };
}
