/**
 * Steps a copy of the live world on in virtual time, with readings supposed, until nothing more would
 * happen. Nothing is touched: what would be done is answered by an assumed outcome.
 */
import type { Action, Outcome } from '../../rules/decision.ts';
import { assertNever, type Ms, ms, type Observation, type SourceId } from '../../rules/model.ts';
import type { ServiceId, ServiceSeen } from '../../rules/service.ts';
import { step } from '../../rules/step.ts';
import { type Verdicts, verdictsOf } from '../../rules/verdicts.ts';
import type { Input, World } from '../../rules/world.ts';
import { readAgain, type Supposed, saidNow } from './hypothesis.ts';

/** From a supposed reading, or an order, to what comes of it. */
const TICK_MS = 10;
/** Further than this nobody looks ahead. */
export const HORIZON_MS: number = 24 * 3_600_000;
const STEPS_MAX = 20_000;

export type Assumed = Outcome['result'];

export interface Foreseen {
  /** Since the supposition. */
  readonly afterMs: number;
  readonly verdicts: Verdicts;
}

export interface Prospect {
  readonly events: readonly Foreseen[];
  readonly world: World;
  /** Since the supposition. */
  readonly untilMs: number;
  readonly end: 'quiet' | 'horizon' | 'too many steps';
}

export interface Wish {
  readonly supposed: Extract<Supposed, { ok: true }>;
  /** The suppositions hold so long; for good when undefined. */
  readonly forMs: number | undefined;
  readonly assumed: Assumed;
}

interface Stage {
  world: World;
  readonly services: Map<ServiceId, ServiceSeen>;
  readonly answered: Set<string>;
  runs: number;
}

/** What a service would be seen to be after an order came out well. */
function seenAfter(stage: Stage, action: Action): readonly [ServiceId, ServiceSeen] | undefined {
  const { order } = action;
  switch (order.kind) {
    case 'start':
      stage.runs += 1;
      return [order.service, { kind: 'running', run: `supposed-${stage.runs}` }];
    case 'stop':
    case 'kill':
      return [order.service, { kind: 'stopped' }];
    case 'notify':
    case 'restart':
    case 'shed-power':
    case 'run':
    case 'handover':
    case 'fence':
    case 'undo':
      return undefined;
    default:
      return assertNever(order);
  }
}

/** Answers to what was ordered and is not answered yet. */
function answers(stage: Stage, at: Ms, assumed: Assumed): readonly Input[] {
  const inputs: Input[] = [];
  for (const action of stage.world.actions) {
    // A restart is answered by the policy that carries it out.
    if (stage.answered.has(action.id) || action.order.kind === 'restart') continue;
    stage.answered.add(action.id);
    const seen = assumed === 'verified' ? seenAfter(stage, action) : undefined;
    if (seen !== undefined) stage.services.set(seen[0], seen[1]);
    const outcome: Outcome = { result: assumed, evidence: 'assumed' };
    inputs.push({ kind: 'outcome', action: action.id, at, outcome });
  }
  return inputs;
}

function servicesSeen(stage: Stage, at: Ms): readonly Input[] {
  return stage.world.services.flatMap(({ spec: { id }, seen, seenAt }): readonly Input[] => {
    const now = stage.services.get(id) ?? (seenAt === undefined ? undefined : seen);
    return now === undefined ? [] : [{ kind: 'service', service: id, at, seen: now }];
  });
}

const NOTHING: ReadonlyMap<SourceId, Observation> = new Map();

/** The time of the next step; undefined when nothing would come any more. */
function nextAt({ world, answered }: Stage, backAt: number): Ms | undefined {
  const waits = world.actions.some(
    ({ id, order }) => !answered.has(id) && order.kind !== 'restart',
  );
  const due = Math.min(
    world.dueAt ?? Number.POSITIVE_INFINITY,
    waits ? world.at + TICK_MS : Number.POSITIVE_INFINITY,
    backAt > world.at ? backAt : Number.POSITIVE_INFINITY,
  );
  return due === Number.POSITIVE_INFINITY ? undefined : ms(Math.max(due, world.at + 1));
}

export function foresee(now: World, { supposed, forMs, assumed }: Wish): Prospect {
  const startAt = ms(now.at + TICK_MS);
  const backAt = forMs === undefined ? Number.POSITIVE_INFINITY : startAt + forMs;
  const stage: Stage = {
    world: now,
    services: new Map(supposed.services),
    answered: new Set(),
    runs: 0,
  };
  const said = saidNow(now);
  const events: Foreseen[] = [];
  let at: Ms | undefined = startAt;
  for (let steps = 0; at !== undefined; steps += 1) {
    const untilMs = stage.world.at - startAt;
    if (at - startAt > HORIZON_MS) return { events, world: stage.world, untilMs, end: 'horizon' };
    if (steps >= STEPS_MAX) return { events, world: stage.world, untilMs, end: 'too many steps' };
    const isOver = at >= backAt;
    if (isOver) for (const id of supposed.services.keys()) stage.services.delete(id);
    const readings = isOver ? NOTHING : supposed.observations;
    const inputs = [
      ...readAgain(said, at, readings),
      ...answers(stage, at, assumed),
      ...servicesSeen(stage, at),
    ];
    const before = stage.world;
    stage.world = step(before, at, inputs);
    const verdicts = verdictsOf(before, stage.world);
    if (verdicts !== undefined) events.push({ afterMs: at - startAt, verdicts });
    at = nextAt(stage, backAt);
  }
  return {
    events,
    world: stage.world,
    untilMs: Math.max(0, stage.world.at - startAt),
    end: 'quiet',
  };
}
