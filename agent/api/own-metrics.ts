/**
 * What the agent says of its own work, kept in prom-client: histograms of its times, counters of its
 * steps and drops. The picture's series are not here; `exporters/prometheus` renders those.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Format } from '../../exporters/prometheus/text.ts';
import type { Sample, Vitals } from '../../rules/model.ts';
import type { MachineFacts } from './machine.ts';

export interface OwnMetrics {
  readonly observe: (samples: readonly Sample[]) => void;
  /** Brings the counters up to what the agent says. */
  readonly count: (vitals: Vitals) => void;
  /** What machine this is; told once, some time after the start. */
  readonly machine: (facts: MachineFacts) => void;
  readonly render: (format: Format) => Promise<string>;
}

const BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const FINE_BUCKETS = [0.0001, 0.0002, 0.0005, ...BUCKETS.slice(0, -2)];

const HISTOGRAMS: Readonly<Record<Sample['of'], readonly [string, readonly number[], string]>> = {
  wake_to_world: [
    'nospof_wake_to_world_seconds',
    BUCKETS,
    'From the moment the kernel woke us to the world that knows.',
  ],
  step: ['nospof_step_seconds', FINE_BUCKETS, 'Duration of one step of the core.'],
  loop_lag: ['nospof_loop_lag_seconds', BUCKETS, 'How late the loop woke from its own timer.'],
  read: ['nospof_read_seconds', BUCKETS, 'Duration of reading one source.'],
};

/** Adds what a counter of ours has grown by; ours restart from zero with the agent. */
function raise(counter: Counter, labels: Record<string, string>, from: number, to: number): void {
  if (to > from) counter.inc(labels, to - from);
}

/** The same text with OpenMetrics headers: families of counters and infos lose their suffix. */
function asOpenMetrics(text: string): string {
  return text
    .replace(/^# TYPE (\S+)_info gauge$/gmu, '# TYPE $1 info')
    .replace(/^# HELP (\S+)_info /gmu, '# HELP $1 ')
    .replace(/^# (HELP|TYPE) (\S+)_total /gmu, '# $1 $2 ');
}

export function createOwnMetrics(): OwnMetrics {
  const registry = new Registry();
  const registers = [registry];
  const histograms = new Map<Sample['of'], Histogram>();
  for (const [of, [name, buckets, help]] of Object.entries(HISTOGRAMS)) {
    const histogram = new Histogram({ name, help, buckets: [...buckets], registers });
    histograms.set(of as Sample['of'], histogram);
  }
  const steps = new Counter({ name: 'nospof_steps_total', help: 'Steps of the core.', registers });
  const wakes = new Counter({
    name: 'nospof_wakes_total',
    help: 'Wakes by the kernel.',
    registers,
  });
  const drops = new Counter({
    name: 'nospof_drops_total',
    help: 'Things left out because a limit was reached.',
    labelNames: ['what'],
    registers,
  });
  const info = new Gauge({
    name: 'nospof_agent_info',
    help: 'The agent; wakes tells whether the kernel wakes it or periods do.',
    labelNames: ['node', 'version', 'wakes'],
    registers,
  });
  const started = new Gauge({
    name: 'nospof_agent_start_timestamp_seconds',
    help: 'Start of the agent in Unix time.',
    registers,
  });
  let last: Vitals | undefined;
  return {
    observe: (samples) => {
      for (const { of, seconds } of samples) histograms.get(of)?.observe(seconds);
    },
    count: (vitals) => {
      raise(steps, {}, last?.steps ?? 0, vitals.steps);
      raise(wakes, {}, last?.wakes ?? 0, vitals.wakes);
      for (const [what, count] of Object.entries(vitals.drops)) {
        raise(drops, { what }, last?.drops[what] ?? 0, count);
      }
      info.reset();
      info.set({ node: vitals.node, version: vitals.version, wakes: vitals.wakeMode }, 1);
      started.set((vitals.startedAt + vitals.wallOffsetMs) / 1000);
      last = vitals;
    },
    machine: (facts) => {
      const labelNames = Object.keys(facts);
      const name = 'nospof_machine_info';
      const help = 'The hardware: maker, model, board and BIOS.';
      new Gauge({ name, help, labelNames, registers }).set(facts, 1);
    },
    render: async (format) => {
      // OpenMetrics knows no empty lines, and nobody needs them.
      const text = (await registry.metrics()).replace(/\n{2,}/gu, '\n');
      return format === 'openmetrics' ? asOpenMetrics(text) : text;
    },
  };
}
