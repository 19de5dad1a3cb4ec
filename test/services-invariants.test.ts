/**
 * What the policy of services must never do, in histories that chance makes: services that die, hang,
 * fail to start or stop, are lost from sight, and operators and leases in between. A driver that obeys
 * is played beside the world; every order is held against what was true when it was made.
 */
import fc from 'fast-check';
import t from 'tap';
import type { Action, Decision } from '../rules/decision.ts';
import { type ComponentId, ms } from '../rules/model.ts';
import type { Exit, Service, ServiceSeen, ServiceSpec } from '../rules/service.ts';
import type { Input } from '../rules/world.ts';
import { outcome, seen, specOf, stageOf, want, word } from './fakes/services.ts';

const RESTART = { count: 3, withinMs: 60_000, delaysMs: [0, 1_000, 5_000], settleMs: 10_000 };

const SPECS: readonly ServiceSpec[] = [
  specOf('disk', { restart: RESTART }),
  specOf('base', { restart: RESTART, after: ['service/disk' as ComponentId] }),
  specOf('web', {
    restart: RESTART,
    after: ['service/base' as ComponentId, 'service/disk' as ComponentId],
  }),
  specOf('alone', { restart: RESTART, toxic: { count: 2, withinMs: 5_000 } }),
  specOf('watched', { restart: RESTART, wanted: 'observed' }),
];

const EVENTS = [
  'die',
  'die alike',
  'hang',
  'break',
  'lose',
  'find',
  'answer well',
  'answer badly',
  'answer not',
  'clear',
  'want stopped',
  'want running',
  'restart',
  'maintain',
  'look',
] as const;

const history: fc.Arbitrary<
  readonly { event: (typeof EVENTS)[number]; which: number; afterMs: number }[]
> = fc.array(
  fc.record({
    event: fc.constantFrom(...EVENTS),
    which: fc.nat(SPECS.length - 1),
    afterMs: fc.constantFrom(0, 1, 300, 1_000, 4_000, 30_000),
  }),
  { minLength: 5, maxLength: 120 },
);

class Played {
  readonly stage = stageOf(...SPECS);
  readonly truth = new Map<string, ServiceSeen>(
    SPECS.map(({ name }) => [name, { kind: 'stopped' as const }]),
  );
  readonly hidden = new Set<string>();
  readonly counted = new Map<string, number[]>();
  now = 0;
  #runs = 0;

  run(): string {
    this.#runs += 1;
    return `run-${this.#runs}`;
  }

  /** What a driver would tell of all services now. */
  sight(): readonly Input[] {
    return [...this.truth].map(([name, is]) =>
      seen(name, this.hidden.has(name) ? { kind: 'unknown', why: 'lost' } : is, this.now),
    );
  }

  end(name: string, change: Partial<Exit>): void {
    const is = this.truth.get(name);
    if (is === undefined || !('run' in is)) return;
    const exit: Exit = {
      run: is.run,
      how: 'signal',
      value: 11,
      afterStartMs: 100,
      lastLine: '',
      ...change,
    };
    this.truth.set(name, { kind: 'stopped', exit });
  }

  carryOut({ order }: Action, how: string): void {
    if (!('service' in order) || how === 'answer not') return;
    const name = order.service.replace('service/', '');
    const well = how === 'answer well';
    if (order.kind === 'start') {
      const up: ServiceSeen = { kind: 'running', run: this.run() };
      if (this.truth.get(name)?.kind !== 'running') this.truth.set(name, up);
      if (!well) this.end(name, { value: 1 });
    } else if (well) {
      if (this.truth.get(name)?.kind === 'failed') this.truth.set(name, { kind: 'stopped' });
      this.end(name, { value: 15 });
    }
  }
}

function told(played: Played, event: (typeof EVENTS)[number], name: string): readonly Input[] {
  const { now } = played;
  switch (event) {
    case 'die':
      played.end(name, { value: 1 + (now % 7), lastLine: `${now}` });
      return [];
    case 'die alike':
      played.end(name, {});
      return [];
    case 'hang': {
      const is = played.truth.get(name);
      if (is?.kind === 'running') {
        played.truth.set(name, { kind: 'hanging', run: is.run, why: 'no answer' });
      }
      return [];
    }
    case 'break':
      if (played.truth.get(name)?.kind === 'running') {
        played.truth.set(name, { kind: 'failed', why: 'bad', remains: true });
      }
      return [];
    case 'lose':
      played.hidden.add(name);
      return [];
    case 'find':
      played.hidden.clear();
      return [];
    case 'clear':
    case 'restart':
      return [word(event, name, now)];
    case 'want stopped':
      return [want('stopped', name, now)];
    case 'want running':
      return name === 'watched' ? [] : [want('running', name, now)];
    case 'maintain': {
      const lease = { owner: 'ann', reason: 'why', scope: `service/${name}` };
      return [{ kind: 'word', at: ms(now), word: { kind: 'maintain', lease, forMs: 5_000 } }];
    }
    default:
      return [];
  }
}

function checkOrder(played: Played, action: Action, before: ReadonlyMap<string, Service>): void {
  const { order } = action;
  if (!('service' in order)) throw new Error('not a service order');
  const name = order.service.replace('service/', '');
  const service = played.stage.service(name);
  const say = (why: string): never => {
    throw new Error(`${order.kind} ${name} at ${played.now}: ${why}`);
  };
  if (service.spec.wanted === 'observed') say('it is only observed');
  if (service.seen.kind === 'unknown') say('nothing is known of it');
  if (service.latch !== undefined && order.kind === 'start') say('it is latched');
  if (before.get(name)?.acting !== undefined && service.acting !== action.id) say('two at once');
  if (order.kind !== 'start') return;
  if (service.wanted !== 'running') say('nobody wants it to run');
  if (service.seen.kind === 'running' || service.seen.kind === 'hanging') say('it runs');
  for (const id of service.spec.after) {
    const below = played.stage.service(id.replace('service/', ''));
    if (below.seen.kind !== 'running') say(`${id} does not run`);
  }
  if (service.restarts.at(-1) === played.now) {
    const times = played.counted.get(name) ?? [];
    times.push(played.now);
    played.counted.set(name, times);
  }
}

function checkStep(
  played: Played,
  decisions: readonly Decision[],
  before: ReadonlyMap<string, Service>,
): void {
  const ordered = new Set<string>();
  for (const decision of decisions) {
    if (decision.kind !== 'action') continue;
    checkOrder(played, decision.action, before);
    const { order } = decision.action;
    const id = 'service' in order ? order.service : '';
    if (ordered.has(id)) throw new Error(`${id} was ordered twice in one step`);
    ordered.add(id);
  }
  for (const [service, times] of played.counted) {
    for (const start of times) {
      const inside = times.filter((at) => at >= start && at - start < RESTART.withinMs);
      if (inside.length > RESTART.count) throw new Error(`${service} restarted too often`);
    }
  }
}

function play(
  events: readonly { event: (typeof EVENTS)[number]; which: number; afterMs: number }[],
): Played {
  const played = new Played();
  const { stage } = played;
  for (const { event, which, afterMs } of events) {
    played.now += afterMs;
    const name = SPECS[which]?.name ?? '';
    const before = new Map(stage.world().services.map((one) => [one.spec.name, one]));
    const inputs = [...told(played, event, name)];
    if (event === 'clear') played.counted.delete(name);
    if (event.startsWith('answer')) {
      for (const action of stage.world().actions) {
        played.carryOut(action, event);
        const result =
          event === 'answer well' ? 'verified' : event === 'answer badly' ? 'refuted' : 'unknown';
        inputs.unshift(outcome(action, result, played.now));
      }
    }
    const decisions = stage.at(played.now, ...played.sight(), ...inputs);
    checkStep(played, decisions, before);
  }
  return played;
}

t.test('no history makes the policy do what it must not', async (t) => {
  let restarts = 0;
  let latched = 0;
  fc.assert(
    fc.property(history, (events) => {
      const played = play(events);
      for (const { restartsTotal, latch } of played.stage.world().services) {
        restarts += restartsTotal;
        latched += latch === undefined ? 0 : 1;
      }
    }),
    { numRuns: 100, seed: 20261123 },
  );
  t.ok(restarts > 50, `the histories restart services: ${restarts} times`);
  t.ok(latched > 8, `and latch them: ${latched} times`);
});

/** Nothing goes wrong any more, for long enough. */
function calm(played: Played): void {
  const { stage } = played;
  played.hidden.clear();
  for (let count = 0; count < 80; count += 1) {
    played.now += 1_000;
    const inputs: Input[] = [];
    for (const action of stage.world().actions) {
      played.carryOut(action, 'answer well');
      inputs.push(outcome(action, 'verified', played.now));
    }
    for (const [name, is] of played.truth) {
      // A latched one that hangs is left as it is, for an operator to look at.
      if (is.kind === 'hanging' && stage.service(name).latch !== undefined) {
        played.truth.set(name, { kind: 'stopped' });
      }
    }
    stage.at(played.now, ...played.sight(), ...inputs);
  }
}

function checkCalm({ stage }: Played): void {
  for (const { wanted, latch, spec, state, why } of stage.world().services) {
    const below = spec.after.map((id) => stage.service(id.replace('service/', '')));
    const free = below.every((one) => one.state === 'running' && one.wanted === 'running');
    if (wanted === 'running' && latch === undefined && free && state !== 'running') {
      throw new Error(`${spec.name} is ${state}: ${why}`);
    }
    if (wanted === 'stopped' && !['stopped', 'latched'].includes(state)) {
      throw new Error(`${spec.name} is wanted stopped and ${state}: ${why}`);
    }
  }
}

t.test('when all is well again, what is wanted runs and what is latched rests', async (t) => {
  fc.assert(
    fc.property(history, (events) => {
      const played = play(events);
      calm(played);
      checkCalm(played);
    }),
    { numRuns: 60, seed: 20261124 },
  );
  t.pass('all histories come to rest');
});
