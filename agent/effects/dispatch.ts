/**
 * Carries out what the core ordered: one effect for each kind of order, its outcome told back as an input.
 * It has no policy and judges nothing. It takes the `action` decisions of a step and nothing else, so that
 * whatever a guard or shadow mode refused is never done. Deadlines are the core's: an effect is told how
 * long it has, and an outcome that comes later is told all the same.
 */
import type { ClusterInput } from '../../rules/cluster/model.ts';
import { clusterInputOf } from '../../rules/cluster-deeds.ts';
import type { Action, ActionId, Outcome } from '../../rules/decision.ts';
import { assertNever, type Ms } from '../../rules/model.ts';
import type { Input, World } from '../../rules/world.ts';
import { type Notice, notify, type Sink } from './notify.ts';
import type { Power } from './power.ts';
import type { Programs } from './program.ts';

/** Effects that have not ended; more are refuted: something hangs, and each more would hang with it. */
export const IN_FLIGHT_MAX = 256;

type Told = Extract<Input, { kind: 'outcome' }>;

export interface DispatchOptions {
  readonly now: () => Ms;
  readonly tell: (input: Told) => void;
  readonly sinks: readonly Sink[];
  readonly power: Power;
  readonly programs: Programs;
  /** Takes a start, stop or kill and tells its outcome by itself; false when it does not. */
  readonly services: ((action: Action) => boolean) | undefined;
  /** Takes what a handover or fence becomes; undefined: this node is in no cluster. */
  readonly cluster?: (input: ClusterInput) => void;
  readonly onTrouble: (why: string) => void;
}

export interface Dispatch {
  /** Begins what the step that led to this world ordered. */
  readonly take: (world: World) => void;
  /**
   * After a start: answers what a former life had in flight, and takes back what it left written and
   * nobody here remembers.
   */
  readonly recover: (standing: Pick<World, 'alarms' | 'actions'>) => Promise<void>;
  readonly inFlight: () => number;
  readonly close: () => void;
}

function refuted(evidence: string): Outcome {
  return { result: 'refuted', evidence };
}

const ENDED_MEANWHILE: Outcome = {
  result: 'unknown',
  evidence: 'the agent ended before the outcome was known',
};

class Dispatcher implements Dispatch {
  readonly #options: DispatchOptions;
  readonly #inFlight = new Set<ActionId>();
  #closed = false;

  constructor(options: DispatchOptions) {
    this.#options = options;
  }

  take = (world: World): void => {
    for (const decision of world.decisions) {
      if (decision.kind === 'action') this.#begin(decision.action, world);
    }
  };

  recover = async (world: Pick<World, 'alarms' | 'actions'>): Promise<void> => {
    const { power, onTrouble } = this.#options;
    const remembered = new Set<ActionId>();
    for (const alarm of world.alarms) {
      for (const undo of alarm.undo) remembered.add(undo.action);
    }
    for (const action of world.actions) {
      remembered.add(action.id);
      if (action.order.kind === 'undo') remembered.add(action.order.action);
    }
    for (const action of world.actions) await this.#answerOld(action);
    for (const id of power.noted()) {
      if (remembered.has(id)) continue;
      const { result, evidence } = await power.restore(id, {});
      onTrouble(
        `power was still shed by action ${id} of an agent that ended: ${result}: ${evidence}`,
      );
    }
  };

  inFlight = (): number => this.#inFlight.size;

  close = (): void => {
    this.#closed = true;
    this.#options.programs.close();
  };

  /** An order of a former life. Taking back is done again: it changes nothing where it was done. */
  async #answerOld(action: Action): Promise<void> {
    const { order } = action;
    if (order.kind === 'restart') return;
    if (order.kind === 'undo' && order.deed.kind === 'shed-power') {
      this.#tell(action.id, await this.#options.power.restore(order.action, order.before));
      return;
    }
    const adopted =
      order.kind === 'shed-power' ? await this.#options.power.adopt(action.id) : undefined;
    this.#tell(action.id, adopted ?? ENDED_MEANWHILE);
  }

  #begin(action: Action, world: World): void {
    const { order } = action;
    // A restart is the policy's: it orders the stop and the start, and answers by itself.
    if (order.kind === 'restart') return;
    if (order.kind === 'start' || order.kind === 'stop' || order.kind === 'kill') {
      if (this.#options.services?.(action) === true) return;
      this.#tell(action.id, refuted(`nothing here can ${order.kind} ${order.service}`));
      return;
    }
    if (
      (order.kind === 'handover' || order.kind === 'fence') &&
      this.#options.cluster !== undefined
    ) {
      // Its outcome is read from what the cluster shows.
      const input = clusterInputOf(action, world.cluster);
      if (input === undefined) this.#tell(action.id, refuted(`${order.kind} of what is not known`));
      else this.#options.cluster(input);
      return;
    }
    if (this.#inFlight.size >= IN_FLIGHT_MAX) {
      this.#tell(action.id, refuted(`${this.#inFlight.size} actions have not ended`));
      return;
    }
    this.#inFlight.add(action.id);
    void this.#perform(action, world)
      .catch((error: unknown): Outcome => {
        const why = error instanceof Error ? error.message : String(error);
        return { result: 'unknown', evidence: `the effect failed: ${why}` };
      })
      .then((outcome) => {
        this.#inFlight.delete(action.id);
        this.#tell(action.id, outcome);
      });
  }

  async #perform(action: Action, world: World): Promise<Outcome> {
    const { power, programs, sinks, now } = this.#options;
    const { order, because } = action;
    switch (order.kind) {
      case 'notify':
        return notify(sinks, noticeOf(action, world, 'raised'));
      case 'run':
        return programs.run(order.argv, action.deadlineAt - now());
      case 'shed-power':
        return power.shed(action.id, order.knobs);
      case 'undo':
        if (order.deed.kind === 'shed-power') return power.restore(order.action, order.before);
        if (order.deed.kind === 'notify') return notify(sinks, noticeOf(action, world, 'over'));
        return refuted(`${order.deed.kind} cannot be undone`);
      case 'handover':
      case 'fence':
        return refuted(`${order.kind} needs a cluster (${because.text})`);
      case 'restart':
      case 'start':
      case 'stop':
      case 'kill':
        return refuted(`${order.kind} is not done here`);
      default:
        return assertNever(order);
    }
  }

  #tell(action: ActionId, outcome: Outcome): void {
    if (this.#closed) return;
    this.#options.tell({ kind: 'outcome', action, at: this.#options.now(), outcome });
  }
}

function noticeOf(action: Action, world: World, news: Notice['news']): Notice {
  const alarm = world.alarms.find((one) => one.id === action.because.alarm);
  return { action, alarm, news, text: action.because.text };
}

export function openDispatch(options: DispatchOptions): Dispatch {
  return new Dispatcher(options);
}
