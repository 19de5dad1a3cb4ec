/**
 * The services of this node as the agent drives them: one driver each, looked at by their monitors, told
 * to the core as they are seen, moved as the core orders. It decides nothing but when to look.
 */
import type { Action, Outcome } from '../../rules/decision.ts';
import type { MonitorSpec, ServiceId, ServiceSeen, ServiceSpec } from '../../rules/service.ts';
import type { Input } from '../../rules/world.ts';
import { monotonicNow } from '../ports/clock.ts';
import { type Driver, type Move, type OpenDriver, refuted, unsure } from './driver.ts';
import { ocfDriver } from './ocf/driver.ts';
import { OCF_ROOT } from './ocf/place.ts';
import { type KeeperClient, openKeeper } from './process/client.ts';
import { processDriver } from './process/driver.ts';
import { openSystemdBus, type SystemdBus } from './systemd/bus.ts';
import { systemdDriver } from './systemd/driver.ts';

type Told = Extract<Input, { kind: 'service' | 'outcome' }>;

export interface ServicesOptions {
  readonly runDir: string;
  /** Where resource agents are, when not in their usual place. */
  readonly ocfRoot?: string;
  /** Socket of D-Bus's system bus. */
  readonly busPath: string;
  readonly services: readonly ServiceSpec[];
  readonly tell: (input: Told) => void;
  readonly onTrouble: (why: string) => void;
}

export interface Services {
  /** Carries out a start, stop or kill; its outcome is told, always. Other orders are not its own. */
  readonly perform: (action: Action) => boolean;
  /** Takes a new configuration: what did not change is left as it is. */
  readonly reload: (services: readonly ServiceSpec[]) => void;
  /** Lets go of all services; they go on. */
  readonly close: () => Promise<void>;
}

interface Held {
  readonly spec: ServiceSpec;
  readonly driver: Driver;
  readonly timers: NodeJS.Timeout[];
  /** Depths of looks that have no answer yet. */
  readonly looking: Set<MonitorSpec['depth']>;
  busy: boolean;
}

function moveOf(action: Action): { readonly move: Move; readonly service: ServiceId } | undefined {
  const { order } = action;
  switch (order.kind) {
    case 'start':
    case 'stop':
    case 'kill':
      return { move: order.kind, service: order.service };
    default:
      return undefined;
  }
}

class Driven implements Services {
  readonly #options: ServicesOptions;
  readonly #held = new Map<ServiceId, Held>();
  #keeper: KeeperClient | undefined;
  #bus: SystemdBus | undefined;
  #closed = false;

  constructor(options: ServicesOptions) {
    this.#options = options;
    this.reload(options.services);
  }

  readonly perform = (action: Action): boolean => {
    const order = moveOf(action);
    if (order === undefined) return false;
    const held = this.#held.get(order.service);
    if (held === undefined) this.#answer(action, refuted(`there is no ${order.service}`));
    else void this.#move(held, order.move, action);
    return true;
  };

  readonly reload = (services: readonly ServiceSpec[]): void => {
    const wanted = new Map(services.map((spec) => [spec.id, spec]));
    for (const [id, held] of this.#held) {
      if (JSON.stringify(wanted.get(id)) === JSON.stringify(held.spec)) continue;
      this.#held.delete(id);
      void this.#letGo(held);
    }
    for (const spec of services) {
      if (!this.#held.has(spec.id)) this.#held.set(spec.id, this.#take(spec));
    }
  };

  readonly close = async (): Promise<void> => {
    this.#closed = true;
    await Promise.all([...this.#held.values()].map((held) => this.#letGo(held)));
    this.#keeper?.close();
    this.#bus?.close();
  };

  #opener(spec: ServiceSpec): OpenDriver {
    const { runDir, onTrouble } = this.#options;
    switch (spec.driver.kind) {
      case 'process':
        this.#keeper ??= openKeeper(runDir, onTrouble);
        return processDriver(this.#keeper);
      case 'ocf':
        return ocfDriver(this.#options.ocfRoot ?? OCF_ROOT);
      case 'systemd':
        this.#bus ??= openSystemdBus(this.#options.busPath);
        return systemdDriver(this.#bus);
    }
  }

  #take(spec: ServiceSpec): Held {
    const driver = this.#opener(spec)(spec, (seen) => this.#tell(spec, seen));
    const held: Held = { spec, driver, timers: [], looking: new Set(), busy: false };
    for (const monitor of spec.monitors) {
      held.timers.push(setInterval(() => void this.#look(held, monitor), monitor.everyMs));
      void this.#look(held, monitor);
    }
    return held;
  }

  async #letGo(held: Held): Promise<void> {
    for (const timer of held.timers) clearInterval(timer);
    await held.driver.close();
  }

  #tell({ id }: ServiceSpec, seen: ServiceSeen): void {
    if (this.#closed) return;
    this.#options.tell({ kind: 'service', service: id, at: monotonicNow(), seen });
  }

  #answer({ id }: Action, outcome: Outcome): void {
    if (this.#closed) return;
    this.#options.tell({ kind: 'outcome', action: id, at: monotonicNow(), outcome });
  }

  /** A look that still waits is not joined by another; a service being moved is not looked at. */
  async #look(held: Held, { depth, deadlineMs }: MonitorSpec): Promise<void> {
    if (held.busy || held.looking.has(depth)) return;
    held.looking.add(depth);
    try {
      const seen = await held.driver.look(depth, deadlineMs);
      if (!held.busy && this.#held.get(held.spec.id) === held) this.#tell(held.spec, seen);
    } finally {
      held.looking.delete(depth);
    }
  }

  async #move(held: Held, move: Move, action: Action): Promise<void> {
    const leftMs = action.deadlineAt - monotonicNow() - ANSWER_MS;
    held.busy = true;
    try {
      const outcome = await held.driver.perform(move, Math.max(MOVE_MS_MIN, leftMs));
      this.#answer(action, outcome);
    } catch (error) {
      this.#answer(action, unsure(`the driver failed: ${(error as Error).message}`));
    } finally {
      held.busy = false;
    }
  }
}

/** Kept of an action's time for its answer to come back. */
const ANSWER_MS = 500;
const MOVE_MS_MIN = 100;

/** Opens all drivers. Nothing is started or stopped by that. */
export function openServices(options: ServicesOptions): Services {
  return new Driven(options);
}
