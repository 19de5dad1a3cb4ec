/**
 * Services as the operator writes them, and as the core takes them: defaults, units, and the driver.
 * What is wrong with them is `cross-services.ts`'s and, for resource agents, `ocf.ts`'s.
 */
import type { ComponentId } from '../../rules/model.ts';
import type { DriverSpec, MonitorSpec, RestartSpec, ServiceSpec } from '../../rules/service.ts';
import type { AgentMeta } from '../services/ocf/metadata.ts';
import { durationMs } from './words.ts';

export interface RawMonitor {
  readonly depth: MonitorSpec['depth'];
  readonly every: string;
  readonly deadline?: string;
}

export interface RawService {
  readonly name: string;
  readonly systemd?: string;
  readonly ocf?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly user?: string;
  readonly stopSignal?: string;
  readonly check?: readonly string[];
  readonly after?: readonly string[];
  readonly wanted?: ServiceSpec['wanted'];
  readonly startDeadline?: string;
  readonly stopDeadline?: string;
  readonly monitors?: readonly RawMonitor[];
  readonly restart?: {
    readonly count?: number;
    readonly within?: string;
    readonly delays?: readonly string[];
    readonly settle?: string;
  };
  readonly toxic?: { readonly count?: number; readonly within?: string };
}

const START_MS = 60_000;
const STOP_MS = 30_000;
const SHALLOW_MS = 5_000;
const DEEP_MS = 30_000;
/** Less is no proof of a hang on a busy machine. */
const ANSWER_MS = 5_000;
const OCF_EVERY_MS = 10_000;
const OCF_ANSWER_MS = 20_000;
const RESTART: RestartSpec = {
  count: 3,
  withinMs: 600_000,
  delaysMs: [0, 1_000, 5_000, 25_000],
  settleMs: 60_000,
};
const TOXIC = { count: 3, withinMs: 10_000 };

export function serviceId(name: string): ComponentId {
  return `service/${name}` as ComponentId;
}

function driverOf(raw: RawService): DriverSpec {
  if (raw.systemd !== undefined) return { kind: 'systemd', unit: raw.systemd };
  if (raw.ocf !== undefined) {
    return { kind: 'ocf', agent: raw.ocf, parameters: raw.parameters ?? {} };
  }
  return {
    kind: 'process',
    argv: raw.command ?? [],
    environment: raw.environment ?? {},
    directory: raw.directory ?? '/',
    ...(raw.user === undefined ? {} : { user: raw.user }),
    stopSignal: raw.stopSignal ?? 'SIGTERM',
    ...(raw.check === undefined ? {} : { check: raw.check }),
  };
}

function time(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : (durationMs(text) ?? otherwise);
}

function monitorsOf(raw: RawService): readonly MonitorSpec[] {
  const ocf = raw.ocf !== undefined;
  if (raw.monitors !== undefined) {
    return raw.monitors.map(({ depth, every, deadline }) => {
      const everyMs = time(every, SHALLOW_MS);
      const answerMs = ocf ? OCF_ANSWER_MS : Math.max(everyMs, ANSWER_MS);
      return { depth, everyMs, deadlineMs: time(deadline, answerMs) };
    });
  }
  if (ocf) return [{ depth: 'shallow', everyMs: OCF_EVERY_MS, deadlineMs: OCF_ANSWER_MS }];
  const shallow: MonitorSpec = { depth: 'shallow', everyMs: SHALLOW_MS, deadlineMs: ANSWER_MS };
  if (raw.check === undefined) return [shallow];
  return [shallow, { depth: 'deep', everyMs: DEEP_MS, deadlineMs: DEEP_MS }];
}

function specOf(raw: RawService, meta: AgentMeta | undefined): ServiceSpec {
  const { restart, toxic } = raw;
  const advertised = (action: string, otherwise: number): number =>
    Math.max(meta?.timeoutsMs[action] ?? 0, otherwise);
  return {
    id: serviceId(raw.name),
    name: raw.name,
    driver: driverOf(raw),
    after: (raw.after ?? []).map(serviceId),
    startDeadlineMs: time(raw.startDeadline, advertised('start', START_MS)),
    stopDeadlineMs: time(raw.stopDeadline, advertised('stop', STOP_MS)),
    monitors: monitorsOf(raw),
    restart: {
      count: restart?.count ?? RESTART.count,
      withinMs: time(restart?.within, RESTART.withinMs),
      delaysMs: restart?.delays?.map((text) => time(text, 0)) ?? RESTART.delaysMs,
      settleMs: time(restart?.settle, RESTART.settleMs),
    },
    toxic: {
      count: toxic?.count ?? TOXIC.count,
      withinMs: time(toxic?.within, TOXIC.withinMs),
    },
    wanted: raw.wanted ?? 'running',
  };
}

/** `metas` are the meta-data of the resource agents, by their names. */
export function servicesOf(
  raw: readonly RawService[],
  metas: ReadonlyMap<string, AgentMeta>,
): readonly ServiceSpec[] {
  return raw.map((one) => specOf(one, one.ocf === undefined ? undefined : metas.get(one.ocf)));
}
