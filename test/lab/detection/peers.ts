/**
 * The other monitors in the machine, as Debian ships them: mdadm's monitor with its default delay and with
 * one second, multipathd, and Prometheus with its node exporter. What the first two log is written into the
 * kernel's trace, so that all times are of one clock; Prometheus is asked for its samples afterwards.
 */
import { stringify } from 'yaml';
import type { LabNode } from '../machine.ts';
import { TRACING } from '../parts/kernel.ts';
import { run, until } from '../parts/part.ts';
import type { Logger } from './spec.ts';

const EXPORTER = '127.0.0.1:9100';
const PROMETHEUS_PORT = 9090;
const SCRAPE_S = 15;
const START_MS = 240_000;
const TRACE_KIB = 8192;
const LOG = '/run/lab/peers.log';

/** The programs this needs beside what the lab needs, and their packages. */
export const PEER_PROGRAMS: readonly (readonly [string, string])[] = [
  ['prometheus', 'prometheus'],
  ['prometheus-node-exporter', 'prometheus-node-exporter'],
  ['socat', 'socat'],
];

export interface Sample {
  /** When a query could first see it, in the machine's wall clock. */
  readonly wallMs: number;
  readonly value: number;
}

export interface Peers {
  /** Process of each mdadm monitor. */
  readonly mdadm: Readonly<Record<'default' | 'second', number>>;
  /** Samples of a series in the last two minutes, in their order. */
  readonly samples: (series: string) => Promise<readonly Sample[]>;
}

interface RangeAnswer {
  readonly data: {
    readonly result: readonly { readonly values: readonly (readonly [number, string])[] }[];
  };
}

async function start(node: LabNode, ...argv: [string, ...string[]]): Promise<number> {
  const { pid } = await node.vm.guest.ask({ op: 'start', argv, log: LOG });
  if (pid === undefined) throw new Error(`${argv[0]} was not started`);
  return pid;
}

async function range(url: string, series: string): Promise<RangeAnswer['data']['result']> {
  const query = new URLSearchParams({ query: `${series}[2m]` });
  const answer = await fetch(`${url}/api/v1/query?${query}`, {
    signal: AbortSignal.timeout(20_000),
  });
  if (!answer.ok) throw new Error(`Prometheus: ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as RangeAnswer).data.result;
}

async function startPrometheus(node: LabNode): Promise<string> {
  const { guest } = node.vm;
  const config = {
    global: { scrape_interval: `${SCRAPE_S}s` },
    scrape_configs: [{ job_name: 'node', static_configs: [{ targets: [EXPORTER] }] }],
  };
  await guest.write('/run/lab/prometheus.yml', stringify(config));
  await start(node, 'prometheus-node-exporter', `--web.listen-address=${EXPORTER}`);
  await start(
    node,
    'prometheus',
    '--config.file=/run/lab/prometheus.yml',
    '--storage.tsdb.path=/run/lab/prometheus',
    `--web.listen-address=127.0.0.1:${PROMETHEUS_PORT}`,
  );
  const url = `http://127.0.0.1:${await guest.forward(PROMETHEUS_PORT)}`;
  await until('a first scrape', START_MS, async () => {
    const found = await range(url, 'up').catch(() => []);
    return found.some(({ values }) => values.at(-1)?.[1] === '1');
  });
  return url;
}

export async function startPeers(node: LabNode): Promise<Peers> {
  const { guest } = node.vm;
  await guest.write(`${TRACING}/buffer_size_kb`, String(TRACE_KIB));
  // Every datagram of the system's log becomes a mark in the trace.
  await start(node, 'socat', '-u', 'UNIX-RECV:/dev/log', `OPEN:${TRACING}/trace_marker,wronly`);
  await until('the log', START_MS, async () => {
    const [ended] = await guest.runAll([{ argv: ['test', '-S', '/dev/log'] }]);
    return ended?.status === 0;
  });
  const monitor = ['mdadm', '--monitor', '--syslog'] as const;
  const mdadm = {
    default: await start(node, ...monitor, '/dev/md0'),
    second: await start(node, ...monitor, '--delay=1', '/dev/md0'),
  };
  const url = await startPrometheus(node);
  await run(node, 'udevadm', 'settle');
  return {
    mdadm,
    samples: async (series) => {
      const [found] = await range(url, series);
      // A sample bears the time at which its scrape began; it can be asked for when that has ended.
      const [took] = await range(url, 'scrape_duration_seconds');
      const durations = new Map(took?.values);
      return (found?.values ?? []).map(([at, value]) => ({
        wallMs: 1000 * (at + Number(durations.get(at) ?? 0)),
        value: Number(value),
      }));
    },
  };
}

export interface Traced {
  /** The machine's monotonic milliseconds. */
  readonly atMs: number;
  /** A function of the kernel that was called, or the program that logged. */
  readonly who: string;
  readonly pid: number | undefined;
  readonly text: string;
}

const LINE = /\s(\d+\.\d+): (\w+): (.*)$/u;
const LOGGED = /^<\d+>.*?\s(\w+)(?:\[(\d+)\])?: (.*)$/u;

/** The lines of the kernel's trace: calls, and what was logged. */
export function parseTrace(text: string): readonly Traced[] {
  return text.split('\n').flatMap((line) => {
    const [whole, seconds = '', event = '', rest = ''] = LINE.exec(line) ?? [];
    if (whole === undefined) return [];
    const atMs = Number(seconds) * 1000;
    if (event !== 'tracing_mark_write') return [{ atMs, who: event, pid: undefined, text: rest }];
    const [logged, who = '', pid, said = ''] = LOGGED.exec(rest) ?? [];
    if (logged === undefined) return [];
    return [{ atMs, who, pid: pid === undefined ? undefined : Number(pid), text: said }];
  });
}

/** When a program first logged something with these words; `pid` tells two of one name apart. */
export function loggedAt(
  trace: readonly Traced[],
  who: Logger,
  words: string,
  afterMs: number,
  pid?: number,
): number | undefined {
  return trace.find(
    (one) =>
      one.who === who &&
      one.atMs >= afterMs &&
      one.text.includes(words) &&
      (pid === undefined || one.pid === pid),
  )?.atMs;
}
