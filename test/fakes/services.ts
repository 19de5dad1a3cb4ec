/** A world of services alone, told things and stepped by hand. */
import { NO_JUDGEMENT } from '../../rules/config.ts';
import type { Action, Decision, Outcome } from '../../rules/decision.ts';
import { type ComponentId, ms } from '../../rules/model.ts';
import type { Exit, Service, ServiceSeen, ServiceSpec } from '../../rules/service.ts';
import { emptyWorld, step } from '../../rules/step.ts';
import type { Input, World } from '../../rules/world.ts';

export function specOf(name: string, change: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    id: `service/${name}` as ComponentId,
    name,
    driver: {
      kind: 'process',
      argv: [`/bin/${name}`],
      environment: {},
      directory: '/',
      stopSignal: 'SIGTERM',
    },
    after: [],
    startDeadlineMs: 10_000,
    stopDeadlineMs: 5_000,
    monitors: [{ depth: 'shallow', everyMs: 5_000, deadlineMs: 5_000 }],
    restart: { count: 3, withinMs: 600_000, delaysMs: [0, 1_000, 5_000, 25_000], settleMs: 60_000 },
    toxic: { count: 3, withinMs: 10_000 },
    wanted: 'running',
    ...change,
  };
}

export function exitOf(run: string, change: Partial<Exit> = {}): Exit {
  return { run, how: 'signal', value: 11, afterStartMs: 100_000, lastLine: '', ...change };
}

export interface Stage {
  readonly world: () => World;
  readonly service: (name?: string) => Service;
  /** Steps at this time, telling what is given; the decisions of that step. */
  readonly at: (time: number, ...inputs: readonly Input[]) => readonly Decision[];
  /** Orders of the last step: `start web`. */
  readonly orders: () => readonly string[];
  readonly open: (name?: string) => Action | undefined;
}

export function seen(name: string, what: ServiceSeen, time: number): Input {
  return { kind: 'service', service: `service/${name}` as ComponentId, at: ms(time), seen: what };
}

export function outcome(
  action: Action | undefined,
  result: Outcome['result'],
  time: number,
  evidence = 'seen',
): Input {
  if (action === undefined) throw new Error('no action');
  return { kind: 'outcome', action: action.id, at: ms(time), outcome: { result, evidence } };
}

export function word(kind: 'clear' | 'restart', name: string, time: number): Input {
  const service = `service/${name}` as ComponentId;
  return { kind: 'word', at: ms(time), word: { kind, service, by: 'test' } };
}

export function want(wanted: 'running' | 'stopped', name: string, time: number): Input {
  const service = `service/${name}` as ComponentId;
  return { kind: 'word', at: ms(time), word: { kind: 'want', service, wanted, by: 'test' } };
}

export function ordersOf(decisions: readonly Decision[]): readonly string[] {
  return decisions.flatMap((decision) => {
    if (decision.kind !== 'action') return [];
    const { order } = decision.action;
    return 'service' in order ? [`${order.kind} ${order.service.replace('service/', '')}`] : [];
  });
}

export function stageOf(...services: readonly ServiceSpec[]): Stage {
  let world = emptyWorld(ms(0), [], { ...NO_JUDGEMENT, services }, []);
  const first = services[0]?.name ?? '';
  const find = (name: string): Service => {
    const found = world.services.find((one) => one.spec.name === name);
    if (found === undefined) throw new Error(`no service ${name}`);
    return found;
  };
  return {
    world: () => world,
    service: (name = first) => find(name),
    at: (time, ...inputs) => {
      world = step(world, ms(time), inputs);
      return world.decisions;
    },
    orders: () => ordersOf(world.decisions),
    open: (name = first) =>
      world.actions.find(({ order }) => 'service' in order && order.service === `service/${name}`),
  };
}

/** Starts it for the first time and sees it run. */
export function running(stage: Stage, name: string, time: number, run = 'r1'): void {
  stage.at(time, seen(name, { kind: 'stopped' }, time));
  const up = seen(name, { kind: 'running', run, pid: 1 }, time);
  stage.at(time, up, outcome(stage.open(name), 'verified', time));
}
