/**
 * The port behind `reach`: tries each default gateway and each configured target, all at once, and
 * says what came back. It judges nothing. Its text stays the same while nothing changes (round-trip
 * times are smoothed and rounded), so that an idle machine does not parse it again.
 */
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entry } from '../../collectors/lib/collector.ts';
import type { ReachTarget, Roots } from '../../rules/config.ts';
import { errnoOf } from './errno.ts';
import type { ReadPort } from './port.ts';
import { tryArp } from './reach-arp.ts';
import { tryNdp } from './reach-ndp.ts';
import { tryPlainGateway, tryPlainTcp, tryTable } from './reach-plain.ts';
import { type DefaultRoute, openRoutes } from './reach-routes.ts';
import { type Net, openNet } from './reach-socket.ts';
import { type Answer, type Attempt, type Method, TRY_MS, tryIcmp, tryTcp } from './reach-try.ts';

/** Each costs a socket and up to three packets every two seconds. */
const TARGETS_MAX = 32;
/** Weight of a new round-trip time, as in RFC 6298. */
const RTT_WEIGHT = 1 / 8;
/** What is printed follows the smoothed time only beyond both of these. */
const RTT_STEP_RATIO = 0.25;
const RTT_STEP_MS = 1;

interface Job {
  readonly name: string;
  readonly from: 'route' | 'target';
  readonly address: string;
  readonly link: string | undefined;
  readonly method: Method;
  readonly port: number | undefined;
  readonly metric: number | undefined;
  readonly rank: number;
}

function routeJob({ address, link, metric }: DefaultRoute): Job {
  return {
    name: `default via ${address} dev ${link}`,
    from: 'route',
    address,
    link,
    method: 'icmp',
    port: undefined,
    metric,
    rank: metric,
  };
}

function targetJob({ name, address, link, method, port, rank }: ReachTarget): Job {
  return { name, from: 'target', address, link, method, port, metric: undefined, rank };
}

interface Rtt {
  smoothMs: number;
  shownMs: number;
}

/** Milliseconds in two digits, moved only when the smoothed time has moved away from what is shown. */
function shownRtt(rtts: Map<string, Rtt>, key: string, rttMs: number): number {
  const rtt = rtts.get(key) ?? { smoothMs: rttMs, shownMs: Number.NaN };
  rtt.smoothMs += (rttMs - rtt.smoothMs) * RTT_WEIGHT;
  const stepMs = Math.max(RTT_STEP_MS, rtt.shownMs * RTT_STEP_RATIO);
  if (!(Math.abs(rtt.smoothMs - rtt.shownMs) <= stepMs)) {
    rtt.shownMs = Number(rtt.smoothMs.toPrecision(2));
  }
  rtts.set(key, rtt);
  return rtt.shownMs;
}

/** The first that proves life; when none does, the second if it was silence as well, else the first. */
async function firstProof(answers: readonly [Promise<Answer>, Promise<Answer>]): Promise<Answer> {
  const proofs = answers.map(async (pending) => {
    const answer = await pending;
    if (answer.state !== 'answered') throw new Error(answer.state);
    return answer;
  });
  return Promise.any(proofs).catch(async () => {
    const [echo, wire] = await Promise.all(answers);
    return wire.state === 'silent' && echo.state === 'silent' ? wire : echo;
  });
}

/**
 * A gateway that answers no echo may be told not to: when the first echo is not answered, the wire is
 * asked by ARP or neighbour discovery beside the next ones.
 */
async function tryGateway(net: Net, attempt: Attempt): Promise<Answer> {
  const done = new AbortController();
  const signal = AbortSignal.any([attempt.signal, done.signal]);
  try {
    const icmp = tryIcmp(net, { ...attempt, signal });
    const early = await Promise.race([icmp, sleep(TRY_MS)]);
    if (early?.state === 'answered') return early;
    const ask = attempt.address.includes(':') ? tryNdp : tryArp;
    return await firstProof([icmp, ask(net, { ...attempt, signal })]);
  } finally {
    done.abort();
  }
}

function tryNative(net: Net, job: Job, attempt: Attempt): Promise<Answer> {
  if (job.from === 'route') return tryGateway(net, attempt);
  switch (job.method) {
    case 'icmp':
      return tryIcmp(net, attempt);
    case 'tcp':
      return tryTcp(net, attempt);
    case 'arp':
      return tryArp(net, attempt);
    case 'ndp':
      return tryNdp(net, attempt);
  }
}

function tryPlain(proc: string, job: Job, attempt: Attempt): Promise<Answer> {
  if (job.from === 'route') return tryPlainGateway(proc, attempt);
  if (job.method === 'arp') return tryTable(proc, attempt);
  if (job.method === 'tcp' && job.link === undefined) return tryPlainTcp(attempt);
  const why =
    job.method === 'icmp'
      ? 'ICMP needs koffi, which did not load'
      : `binding to ${job.link} needs koffi, which did not load`;
  return Promise.resolve({ state: 'error', method: job.method, why });
}

function refusal(job: Job, at: number): string | undefined {
  if (at >= TARGETS_MAX) return `not tried: more than ${TARGETS_MAX} targets`;
  if (isIP(job.address) === 0) return 'not an IP address: names are not looked up';
  if (job.method === 'tcp' && job.port === undefined) return 'method tcp needs a port';
  return undefined;
}

interface ReachOptions {
  readonly roots: Roots;
  readonly targets: readonly ReachTarget[];
  /** `node` leaves koffi aside, as where it does not load. */
  readonly calls?: 'node';
}

/**
 * Opens the port. Each line of an answer is JSON: `name`, `from` (`route` or `target`), `address`,
 * `link`, `port`, `method`, `metric`, `rank`, `state` (`answered`, `refused`, `silent`, `unreachable`,
 * `error`), `rttMs`, `tries`, `why`. No line: nothing to try. The errno of an unreadable routing table
 * is the answer's own, because a route that cannot be seen is not a route that is gone. One read takes
 * 1.4 s at most, with a gateway that answers neither echo nor the link; a few milliseconds as a rule.
 */
export function openReach(options: ReachOptions): ReadPort<{ readonly kind: 'reach' }> {
  const { roots, targets } = options;
  const net = options.calls === 'node' ? undefined : openNet();
  const closing = new AbortController();
  const rtts = new Map<string, Rtt>();
  const routes = openRoutes(roots.proc);
  let inFlight: Promise<Entry> | undefined;

  const line = async (job: Job, at: number): Promise<string> => {
    const { name, from, address, link, port, metric, rank } = job;
    const attempt: Attempt = { address, link, port: port ?? 0, signal: closing.signal };
    const why = refusal(job, at);
    let answer: Answer;
    if (why !== undefined) answer = { state: 'error', method: job.method, why };
    else if (net === undefined) answer = await tryPlain(roots.proc, job, attempt);
    else answer = await tryNative(net, job, attempt);
    const { rttMs, ...rest } = answer;
    const shown = rttMs === undefined ? undefined : shownRtt(rtts, `${name} ${rest.method}`, rttMs);
    return JSON.stringify({ name, from, address, link, port, metric, rank, ...rest, rttMs: shown });
  };

  const readOnce = async (): Promise<Entry> => {
    try {
      const found = routes.read();
      if (found === undefined && targets.length === 0) {
        return { errno: 'ENOENT', why: `${roots.proc}/net has no routing table` };
      }
      const jobs = [...targets.map(targetJob), ...(found ?? []).map(routeJob)];
      const lines = await Promise.all(jobs.map(line));
      return { text: lines.map((text) => `${text}\n`).join('') };
    } catch (error) {
      return { errno: errnoOf(error), why: error instanceof Error ? error.message : String(error) };
    }
  };

  return {
    read: () => {
      inFlight ??= readOnce().finally(() => {
        inFlight = undefined;
      });
      return inFlight;
    },
    close: () => {
      closing.abort();
      routes.close();
    },
  };
}
