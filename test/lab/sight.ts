/**
 * Compares what must be seen with what the agent says: its world, and the metrics made from it. The two
 * must agree: a state that is in the world and not in `/metrics` is not seen.
 */
import type { World } from '../../exporters/status/json.ts';
import { ALARM_STATES } from '../../rules/decision.ts';
import { HEALTHS, STANDINGS } from '../../rules/model.ts';
import type { Sight } from './scenario.ts';

const STATES: Readonly<Record<Thing['sort'], readonly string[]>> = {
  component: HEALTHS,
  group: STANDINGS,
  source: ['waiting', 'seen', 'none', 'blind', 'stale'],
  alarm: ALARM_STATES,
};

/** One thing of the world, whatever its sort, in the words of its metric. */
interface Thing {
  readonly sort: 'component' | 'group' | 'source' | 'alarm';
  readonly id: string;
  readonly state: string;
  readonly why: string;
  readonly since: number;
  /** Beginning of the metric line that says the same. */
  readonly metric: string;
  readonly words: Readonly<Record<string, number | string>>;
}

export interface Seen {
  readonly ok: boolean;
  /** What was found instead. */
  readonly instead: string;
  /** The latest time at which one of the things became so, in the agent's monotonic milliseconds. */
  readonly since: number | undefined;
}

function things(world: World): readonly Thing[] {
  const restarts = new Map<string, number>(
    world.services.map(({ spec, restartsTotal }) => [spec.id, restartsTotal]),
  );
  return [
    ...world.components.map(({ id, health, why, since, gauges, facts }) => ({
      sort: 'component' as const,
      id,
      state: health,
      why,
      since,
      metric: `nospof_component_health{component="${id}"`,
      words: {
        ...facts,
        ...gauges,
        ...(restarts.has(id) ? { restarts: restarts.get(id) ?? 0 } : {}),
      },
    })),
    ...world.groups.map(({ id, standing, since }) => ({
      sort: 'group' as const,
      id,
      state: standing,
      why: '',
      since,
      metric: `nospof_group_standing{group="${id}"`,
      words: {},
    })),
    ...world.sights.map(({ id, state, why, since }) => ({
      sort: 'source' as const,
      id,
      state,
      why,
      since,
      metric: '',
      words: {},
    })),
    ...world.alarms.map(({ id, rule, subject, state, summary, since }) => ({
      sort: 'alarm' as const,
      id,
      state,
      why: summary,
      since,
      metric: `nospof_alarm{rule="${rule}",subject="${subject}"`,
      words: {},
    })),
  ];
}

/** Whether an identity is the one of a line; `*` stands for any characters. */
export function fits(pattern: string, id: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === id;
  if (!id.startsWith(first)) return false;
  let from = first.length;
  for (const [index, piece] of rest.entries()) {
    const at = index === rest.length - 1 ? id.length - piece.length : id.indexOf(piece, from);
    if (at < from || !id.startsWith(piece, at)) return false;
    from = at + piece.length;
  }
  return true;
}

function isSo(sight: Sight, thing: Thing, metrics: string): boolean {
  if (sight.key !== undefined) return String(thing.words[sight.key] ?? '') === sight.value;
  if (thing.state !== sight.state) return false;
  if (sight.why !== undefined && !thing.why.includes(sight.why)) return false;
  if (thing.metric === '') return true;
  return metrics
    .split('\n')
    .some(
      (line) =>
        line.startsWith(thing.metric) && line.includes(`"${sight.state}"`) && /\} 1$/u.test(line),
    );
}

/** What a line is about: its state tells sorts apart whose identities are the same (a bond is both). */
function isMeant(sight: Sight, thing: Thing): boolean {
  if (!fits(sight.id, thing.id)) return false;
  if (sight.state === undefined) return thing.sort === 'component';
  return STATES[thing.sort].includes(sight.state);
}

function words(sight: Sight, thing: Thing): string {
  if (sight.key !== undefined) return `${thing.id} has ${sight.key} ${thing.words[sight.key]}`;
  return `${thing.id} is ${thing.state}${thing.why === '' ? '' : `: ${thing.why}`}`;
}

export function seenOf(sight: Sight, world: World, metrics: string): Seen {
  const found = things(world).filter((thing) => isMeant(sight, thing));
  // A cleared alarm leaves the world.
  if (sight.state === 'cleared') {
    const instead = found.map((one) => words(sight, one)).join('; ');
    return { ok: found.length === 0, instead, since: undefined };
  }
  if (found.length === 0) return { ok: false, instead: `no ${sight.id}`, since: undefined };
  const wrong = found.filter((thing) => !isSo(sight, thing, metrics));
  if (wrong.length > 0) {
    return {
      ok: false,
      instead: wrong.map((one) => words(sight, one)).join('; '),
      since: undefined,
    };
  }
  // An alarm is decided, not seen: its time is taken from the journal.
  const timed = sight.key === undefined ? found.filter(({ sort }) => sort !== 'alarm') : [];
  const times = timed.map(({ since }) => since);
  return { ok: true, instead: '', since: times.length > 0 ? Math.max(...times) : undefined };
}
