/** Short ways to write readings and worlds in tests; every default is a healthy, plain thing. */
import { type Judgement, NO_JUDGEMENT } from '../../rules/config.ts';
import {
  type ComponentId,
  type GroupId,
  type GroupReading,
  type Health,
  ms,
  type Observation,
  type Reading,
  type SourceId,
} from '../../rules/model.ts';
import { emptyWorld, step } from '../../rules/step.ts';
import type { Input, Remembered, SourceSpec, World } from '../../rules/world.ts';

export const SOURCE: SourceId = 'test/main' as SourceId;

export function id(text: string): ComponentId {
  return text as ComponentId;
}

export function reading(text: string, health: Health = 'ok', more: Partial<Reading> = {}): Reading {
  return {
    component: id(text),
    kind: text.split('/', 1)[0] ?? '',
    name: text,
    health,
    ...(health === 'ok' ? {} : { why: `said ${health}` }),
    gauges: {},
    facts: {},
    needs: [],
    ...more,
  };
}

export function group(
  text: string,
  kind: string,
  members: readonly string[],
  more: Partial<GroupReading> = {},
): GroupReading {
  return { group: text as GroupId, kind, name: text, members: members.map(id), ...more };
}

export function seen(
  readings: readonly Reading[],
  groups: readonly GroupReading[] = [],
): Observation {
  return { kind: 'seen', readings, groups, advice: [] };
}

export function read(observation: Observation, at: number, source: SourceId = SOURCE): Input {
  return { kind: 'read', source, at: ms(at), observation, durationMs: 1 };
}

export function spec(source: SourceId = SOURCE, more: Partial<SourceSpec> = {}): SourceSpec {
  return { id: source, everyMs: 1000, staleMs: 5000, opinion: false, ...more };
}

export function judgementOf(more: Partial<Judgement>): Judgement {
  return { ...NO_JUDGEMENT, ...more };
}

export function worldOf(
  specs: readonly SourceSpec[] = [spec()],
  judgement: Judgement = NO_JUDGEMENT,
  inventory: readonly Remembered[] = [],
): World {
  return emptyWorld(ms(0), specs, judgement, inventory);
}

export function after(world: World, at: number, ...inputs: readonly Input[]): World {
  return step(world, ms(at), inputs);
}

export function healthOf(world: World, text: string): string {
  const component = world.components.find((one) => one.id === text);
  return component === undefined ? 'not there' : component.health;
}

export function whyOf(world: World, text: string): string {
  return world.components.find((one) => one.id === text)?.why ?? 'not there';
}

/** `redundant 1..1 of need 1`: all that matters of a group in one line. */
export function standingOf(world: World, text: string): string {
  const one = world.groups.find((candidate) => candidate.id === text);
  if (one === undefined) return 'not there';
  const { low, high, limitedBy } = one.margin;
  const by = limitedBy === undefined ? '' : ` by ${limitedBy}`;
  return `${one.standing} ${low}..${high} of need ${one.needed} ${one.basis}${by}`;
}
