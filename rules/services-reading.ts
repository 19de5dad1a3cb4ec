/**
 * Shows each service as a component `service/NAME`, through the same slots as any reading, so that
 * groups, needs and rules may name it. It decides the health of a service and nothing of its moves.
 */
import { absorb } from './absorb.ts';
import { changeSlot, type Draft, setSeen } from './draft.ts';
import { type Health, type Observation, type Reading, type SourceId, sourceId } from './model.ts';
import type { Service, ServiceSpec } from './service.ts';

export function sourceOf(spec: ServiceSpec): SourceId {
  return sourceId('services', spec.name);
}

function everyMsOf(spec: ServiceSpec): number {
  return Math.min(...spec.monitors.map(({ everyMs }) => everyMs));
}

/** A look may take its deadline; three in a row without an answer, and nothing is known any longer. */
export function staleMsOf(spec: ServiceSpec): number {
  return 3 * everyMsOf(spec) + Math.max(...spec.monitors.map(({ deadlineMs }) => deadlineMs));
}

/** Gives the service a source of its own: sight of it can go stale like any other. */
export function openSource(draft: Draft, spec: ServiceSpec): void {
  const id = sourceOf(spec);
  const everyMs = everyMsOf(spec);
  const staleMs = staleMsOf(spec);
  const known = draft.sources.get(id);
  draft.sources.set(id, {
    spec: { id, everyMs, staleMs, opinion: false },
    sight:
      known === undefined
        ? {
            id,
            state: 'waiting',
            why: 'not looked at yet',
            since: draft.now,
            seenAt: undefined,
            durationMs: 0,
            failures: 0,
            readings: 0,
            everyMs,
            staleMs,
          }
        : { ...known.sight, everyMs, staleMs },
    readings: known?.readings ?? [],
    groups: [],
    advice: [],
    observation: undefined,
  });
}

/** Takes back all that the source said. */
export function closeSource(draft: Draft, spec: ServiceSpec): void {
  const id = sourceOf(spec);
  for (const reading of draft.sources.get(id)?.readings ?? []) {
    setSeen(draft, reading.component, { source: id, reading }, false);
  }
  const place = draft.places.get(spec.id);
  if (place !== undefined) changeSlot(draft, place, {});
  draft.sources.delete(id);
}

interface Verdict {
  readonly health: Health;
  readonly why: string;
}

/** Undefined: it is not there because nobody wants it to be. */
function verdictOf(service: Service): Verdict | undefined {
  const { state, why, wanted } = service;
  switch (state) {
    case 'running':
      // It says something of itself, or was restarted and has not settled yet.
      return { health: why === '' ? 'ok' : 'failing', why };
    case 'unknown':
      return { health: 'unknown', why };
    case 'stopped':
      return wanted === 'stopped' ? undefined : { health: 'failed', why };
    case 'starting':
    case 'stopping':
    case 'waiting':
    case 'failed':
    case 'latched':
      return { health: 'failed', why: why === '' ? state : why };
  }
}

function factsOf({ driver }: ServiceSpec): Readonly<Record<string, string>> {
  switch (driver.kind) {
    case 'systemd':
      return { driver: 'systemd', unit: driver.unit };
    case 'ocf':
      return { driver: 'ocf', agent: driver.agent };
    case 'process':
      return { driver: 'process', program: driver.argv[0] ?? '' };
  }
}

function observationOf(service: Service): Observation {
  const { spec } = service;
  const verdict = verdictOf(service);
  const reading: Reading | undefined =
    verdict === undefined
      ? undefined
      : {
          component: spec.id,
          kind: 'service',
          name: spec.name,
          health: verdict.health,
          ...(verdict.why === '' ? {} : { why: verdict.why }),
          gauges: {},
          facts: factsOf(spec),
          needs: spec.after,
          // The configuration remembers it; the inventory need not.
          virtual: true,
        };
  return { kind: 'seen', readings: reading === undefined ? [] : [reading], groups: [], advice: [] };
}

/** Tells the core of a service as a collector would, at the time it was last seen. */
export function showService(draft: Draft, service: Service): void {
  if (service.seenAt === undefined) return;
  absorb(draft, {
    kind: 'read',
    source: sourceOf(service.spec),
    at: service.seenAt,
    observation: observationOf(service),
    durationMs: 0,
  });
}
