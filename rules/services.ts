/**
 * The services of the node in one step: what was told of them is taken in, each is moved, and what came
 * of it is shown as a component and written down. Nothing here starts anything: it orders.
 */
import type { Ended, OperatorWord, Outcome } from './decision.ts';
import type { Draft } from './draft.ts';
import { assertNever } from './model.ts';
import type { RememberedService, RestartWish, Service, ServiceId, ServiceSpec } from './service.ts';
import { latch } from './services-failure.ts';
import { type Bench, moveService } from './services-move.ts';
import { answer, becauseOf } from './services-order.ts';
import { closeSource, openSource, showService } from './services-reading.ts';
import type { Input } from './world.ts';

function fresh(spec: ServiceSpec, draft: Draft): Service {
  return {
    spec,
    wanted: spec.wanted,
    state: 'unknown',
    why: 'not looked at yet',
    since: draft.now,
    seen: { kind: 'unknown', why: 'not looked at yet' },
    seenAt: undefined,
    restarts: [],
    restartsTotal: 0,
    attempt: 0,
    ends: [],
    lastExit: undefined,
    runningSince: undefined,
    dueAt: undefined,
    acting: undefined,
    started: undefined,
    wish: undefined,
    asked: false,
    latch: undefined,
  };
}

/** The operator's word holds until the configuration changes its own. */
function respecified(before: Service, spec: ServiceSpec): Service {
  const wanted = before.spec.wanted === spec.wanted ? before.wanted : spec.wanted;
  return { ...before, spec, wanted };
}

/** Brings the list in line with the configuration. A service taken out is let go of, not stopped. */
function reconcile(draft: Draft): void {
  const specs = draft.judgement.services;
  const { services } = draft;
  const same =
    specs.length === services.length && specs.every((spec, at) => services[at]?.spec === spec);
  if (same) return;
  const before = new Map(services.map((service) => [service.spec.id, service]));
  draft.services = specs.map((spec) => {
    const known = before.get(spec.id);
    before.delete(spec.id);
    if (known?.spec === spec) return known;
    openSource(draft, spec);
    return known === undefined ? fresh(spec, draft) : respecified(known, spec);
  });
  for (const gone of before.values()) {
    closeSource(draft, gone.spec);
    draft.actions = draft.actions.filter(({ id }) => id !== gone.acting);
  }
}

function resumed(service: Service, kept: RememberedService): Service {
  const { id: _, word, ...rest } = kept;
  return { ...service, ...rest, wanted: word ?? service.wanted };
}

/** A start owed now, whatever runs; the policy stops that first. */
function wished(draft: Draft, service: Service, wish: RestartWish): Service {
  return { ...service, wish, dueAt: draft.now, asked: wish.by === 'operator' };
}

/** The latch and its evidence go. What is down is started; what runs in spite of it is left alone. */
function cleared(draft: Draft, service: Service): Service {
  const free: Service = {
    ...service,
    latch: undefined,
    restarts: [],
    ends: [],
    attempt: 0,
    dueAt: undefined,
    started: undefined,
    asked: true,
  };
  const down = service.seen.kind === 'stopped' || service.seen.kind === 'failed';
  return down && service.wanted === 'running' ? wished(draft, free, { by: 'operator' }) : free;
}

function heard(draft: Draft, service: Service, word: OperatorWord): Service {
  switch (word.kind) {
    case 'clear':
      return cleared(draft, service);
    case 'want':
      return { ...service, wanted: word.wanted, asked: true, wish: undefined, dueAt: undefined };
    case 'restart':
      if (service.latch !== undefined || service.wanted !== 'running') return service;
      return wished(draft, service, { by: 'operator' });
    case 'maintain':
    case 'end-maintenance':
      return service;
    default:
      return assertNever(word);
  }
}

type Table = Map<ServiceId, Service>;

function change(table: Table, id: ServiceId, by: (service: Service) => Service): void {
  const service = table.get(id);
  if (service !== undefined) table.set(id, by(service));
}

function hear(draft: Draft, table: Table, input: Input): void {
  switch (input.kind) {
    case 'service':
      change(table, input.service, (one) => ({ ...one, seen: input.seen, seenAt: input.at }));
      return;
    case 'word': {
      const { word } = input;
      if ('service' in word) change(table, word.service, (one) => heard(draft, one, word));
      return;
    }
    case 'resume':
      for (const kept of input.services) change(table, kept.id, (one) => resumed(one, kept));
      return;
    default:
      return;
  }
}

/** A ladder's restart is taken up by the policy, or answered at once where it cannot be. */
function takeRestarts(draft: Draft, table: Table): void {
  for (const action of draft.actions) {
    if (action.order.kind !== 'restart') continue;
    const { service: name } = action.order;
    const id = (name.startsWith('service/') ? name : `service/${name}`) as ServiceId;
    const service = table.get(id);
    const no = (evidence: string): void =>
      answer(draft, action.id, { result: 'refuted', evidence });
    if (service === undefined) no(`there is no ${id}`);
    else if (service.wish?.action === action.id) continue;
    else if (service.latch !== undefined) no(`latched: ${service.latch.why}`);
    else if (service.wanted !== 'running') no(`it is wanted ${service.wanted}`);
    else if (service.wish !== undefined) no('another restart is under way');
    else {
      const wish: RestartWish = { by: 'rule', action: action.id };
      // What is being started already fulfils it.
      const busy = service.acting !== undefined || service.dueAt !== undefined;
      table.set(id, busy ? { ...service, wish } : wished(draft, service, wish));
    }
  }
}

function afterStart(draft: Draft, service: Service, outcome: Outcome): Service {
  const { wish } = service;
  if (wish === undefined) return service;
  if (wish.action !== undefined) answer(draft, wish.action, outcome);
  return { ...service, wish: undefined };
}

function afterStop(draft: Draft, service: Service, outcome: Outcome): Service {
  const { seen } = service;
  const exit = seen.kind === 'stopped' || seen.kind === 'failed' ? seen.exit : undefined;
  const noted = exit === undefined ? service : { ...service, lastExit: exit };
  if (outcome.result === 'verified')
    return { ...noted, runningSince: undefined, started: undefined };
  if (outcome.result === 'unknown' && seen.kind === 'unknown') return noted;
  return latch(draft, noted, 'it cannot be stopped', outcome.evidence);
}

/** Takes the end of its own action: the outcome, or that there was none in time. */
function afterActing(draft: Draft, service: Service, { action, outcome }: Ended): Service {
  const free: Service = { ...service, acting: undefined };
  return action.order.kind === 'start'
    ? afterStart(draft, free, outcome)
    : afterStop(draft, free, outcome);
}

function closeActing(draft: Draft, service: Service): Service {
  const { acting } = service;
  if (acting === undefined) return service;
  const ended = draft.ended.find(({ action }) => action.id === acting);
  if (ended !== undefined) return afterActing(draft, service, ended);
  const open = draft.actions.some(({ id }) => id === acting);
  return open ? service : { ...service, acting: undefined };
}

function dependentsOf(services: readonly Service[]): ReadonlyMap<ServiceId, readonly ServiceId[]> {
  const dependents = new Map<ServiceId, ServiceId[]>();
  for (const { spec } of services) {
    for (const id of spec.after) {
      const list = dependents.get(id) ?? [];
      list.push(spec.id);
      dependents.set(id, list);
    }
  }
  return dependents;
}

/** Writes down a change of state, and shows what changed or was seen anew. */
function finish(draft: Draft, before: Service | undefined, after: Service): Service {
  if (before === after) return after;
  const moved = before === undefined || before.state !== after.state;
  const service = moved ? { ...after, since: draft.now } : after;
  if (before !== undefined && moved) {
    draft.decisions.push({
      kind: 'service',
      service: after.spec.id,
      from: before.state,
      to: after.state,
      because: becauseOf(after, after.why),
    });
  }
  showService(draft, service);
  return service;
}

/** Moves every service by what was told since the last step, and by time. */
export function moveServices(draft: Draft): void {
  reconcile(draft);
  const { services } = draft;
  const table: Table = new Map(services.map((service) => [service.spec.id, service]));
  for (const input of draft.told) hear(draft, table, input);
  takeRestarts(draft, table);
  if (services.length === 0) return;
  const bench: Bench = { draft, services: table, dependents: dependentsOf(services) };
  for (const id of [...table.keys()]) {
    change(table, id, (service) => moveService(bench, closeActing(draft, service)));
  }
  const moved = services.map((before) => {
    const after = table.get(before.spec.id);
    return after === undefined ? before : finish(draft, before, after);
  });
  if (moved.some((service, at) => service !== services[at])) draft.services = moved;
}
