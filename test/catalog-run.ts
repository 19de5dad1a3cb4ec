/**
 * Plays scenarios of rules: what is seen over time, in YAML, and the alarms that stand then. The whole
 * catalog is in force, so that a scenario also shows which rules stay silent, and which mute which.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { durationMs } from '../agent/config/words.ts';
import { NO_JUDGEMENT } from '../rules/config.ts';
import {
  type Advice,
  type ComponentId,
  type GroupId,
  type GroupReading,
  type Health,
  ms,
  type Reading,
  type SourceId,
} from '../rules/model.ts';
import type { Rule } from '../rules/rule.ts';
import type { ServiceId, ServiceSeen, ServiceSpec } from '../rules/service.ts';
import { emptyWorld, step } from '../rules/step.ts';
import type { Input, World } from '../rules/world.ts';

export const SCENARIOS: URL = new URL('../../test/scenarios/rules/', import.meta.url);

interface SeenComponent {
  readonly health?: Health;
  readonly why?: string;
  readonly name?: string;
  readonly gauges?: Readonly<Record<string, number>>;
  readonly facts?: Readonly<Record<string, string>>;
  readonly needs?: readonly string[];
  readonly virtual?: true;
}

interface SeenGroup {
  readonly kind?: string;
  readonly members: readonly string[];
  readonly needed?: number;
  readonly preference?: readonly string[];
}

interface Moment {
  readonly at: string;
  /** Added to, or in place of, what was seen before. */
  readonly seen?: Readonly<Record<string, SeenComponent>>;
  readonly gone?: readonly string[];
  readonly groups?: Readonly<Record<string, SeenGroup>>;
  readonly advice?: readonly { readonly code: string; readonly about: string }[];
  readonly blind?: string;
  readonly late?: string;
  readonly services?: Readonly<Record<string, ServiceSeen>>;
  /** All alarms that stand at this time, `ID` or `ID muted by ID`. */
  readonly alarms?: readonly string[];
}

export interface Scenario {
  readonly fires: readonly Moment[];
  readonly silent: readonly Moment[];
}

export function scenarioNames(): readonly string[] {
  return readdirSync(SCENARIOS).map((file) => file.replace(/\.yaml$/u, ''));
}

export function readScenario(name: string): Scenario {
  return parse(readFileSync(new URL(`${name}.yaml`, SCENARIOS), 'utf8')) as Scenario;
}

const SOURCE = 'scenario/main' as SourceId;

function readingOf(id: string, seen: SeenComponent): Reading {
  const health = seen.health ?? 'ok';
  return {
    component: id as ComponentId,
    kind: id.split('/', 1)[0] ?? '',
    name: seen.name ?? id,
    health,
    ...(seen.why === undefined ? {} : { why: seen.why }),
    gauges: seen.gauges ?? {},
    facts: seen.facts ?? {},
    needs: (seen.needs ?? []) as readonly ComponentId[],
    ...(id.startsWith('link/') ? { flap: 'carrier_changes_total', peak: 'bytes_per_second' } : {}),
    ...(seen.virtual === true ? { virtual: true } : {}),
  };
}

function groupOf(id: string, seen: SeenGroup): GroupReading {
  const kind = seen.kind ?? id.split('/', 1)[0] ?? '';
  return {
    group: id as GroupId,
    kind,
    name: id,
    members: seen.members as readonly ComponentId[],
    ...(seen.needed === undefined ? {} : { needed: seen.needed }),
    ...(seen.preference === undefined
      ? {}
      : { preference: seen.preference as readonly ComponentId[] }),
  };
}

function specOf(name: string): ServiceSpec {
  return {
    id: `service/${name}` as ServiceId,
    name,
    driver: {
      kind: 'process',
      argv: ['/bin/db'],
      environment: {},
      directory: '/',
      stopSignal: 'SIGTERM',
    },
    after: [],
    startDeadlineMs: 10_000,
    stopDeadlineMs: 10_000,
    monitors: [{ depth: 'shallow', everyMs: 600_000, deadlineMs: 5_000 }],
    restart: { count: 1, withinMs: 600_000, delaysMs: [1000], settleMs: 10_000 },
    toxic: { count: 9, withinMs: 5_000 },
    wanted: 'running',
  };
}

/** What is seen at one time, whole: the moments before it carry over. */
interface View {
  readonly components: Map<string, SeenComponent>;
  readonly groups: Map<string, SeenGroup>;
  advice: readonly Advice[];
}

function inputsOf(moment: Moment, view: View, at: number): readonly Input[] {
  for (const [id, seen] of Object.entries(moment.seen ?? {})) view.components.set(id, seen);
  for (const id of moment.gone ?? []) view.components.delete(id);
  for (const [id, seen] of Object.entries(moment.groups ?? {})) view.groups.set(id, seen);
  if (moment.advice !== undefined) {
    view.advice = moment.advice.map(({ code, about }) => ({
      code,
      about: about as ComponentId,
      text: code,
    }));
  }
  const inputs: Input[] = [];
  const observation =
    moment.blind === undefined
      ? {
          kind: 'seen' as const,
          readings: [...view.components].map(([id, seen]) => readingOf(id, seen)),
          groups: [...view.groups].map(([id, seen]) => groupOf(id, seen)),
          advice: view.advice,
        }
      : { kind: 'blind' as const, why: moment.blind };
  inputs.push({ kind: 'read', source: SOURCE, at: ms(at), observation, durationMs: 1 });
  if (moment.late !== undefined) {
    inputs.push({ kind: 'late', at: ms(at), lateMs: durationMs(moment.late) ?? 0 });
  }
  for (const [name, seen] of Object.entries(moment.services ?? {})) {
    inputs.push({ kind: 'service', service: `service/${name}` as ServiceId, at: ms(at), seen });
  }
  return inputs;
}

function standing(world: World): readonly string[] {
  return world.alarms
    .filter(({ state }) => state === 'raised' || state === 'clearing')
    .map(({ id, mutedBy }) => (mutedBy === undefined ? id : `${id} muted by ${mutedBy}`))
    .sort();
}

export interface Played {
  /** Alarms that stood when a moment names them, and what it wanted. */
  readonly held: readonly {
    readonly at: string;
    readonly stood: readonly string[];
    readonly wanted: readonly string[] | undefined;
  }[];
  /** Names of all rules that were ever raised. */
  readonly raised: ReadonlySet<string>;
  readonly summaries: ReadonlyMap<string, string>;
}

/** Every moment in its order; between them the world is stepped whenever it says that it is due. */
export function play(rules: readonly Rule[], moments: readonly Moment[]): Played {
  const names = new Set(moments.flatMap((moment) => Object.keys(moment.services ?? {})));
  const judgement = { ...NO_JUDGEMENT, rules, services: [...names].map(specOf) };
  const spec = { id: SOURCE, everyMs: 1000, staleMs: 86_400_000, opinion: false };
  let world = emptyWorld(ms(0), [spec], judgement, []);
  const view: View = { components: new Map(), groups: new Map(), advice: [] };
  const held: Played['held'][number][] = [];
  const raised = new Set<string>();
  const summaries = new Map<string, string>();
  const go = (at: number, inputs: readonly Input[]): void => {
    world = step(world, ms(at), inputs);
    for (const alarm of world.alarms) {
      if (alarm.raisedAt === undefined) continue;
      raised.add(alarm.rule);
      summaries.set(alarm.rule, alarm.summary);
    }
  };
  for (const moment of moments) {
    const at = durationMs(moment.at) ?? Number.NaN;
    for (
      let turns = 0;
      world.dueAt !== undefined && world.dueAt <= at && turns < 10_000;
      turns += 1
    )
      go(Math.max(world.dueAt, world.at), []);
    go(at, inputsOf(moment, view, at));
    held.push({ at: moment.at, stood: standing(world), wanted: moment.alarms?.toSorted() });
  }
  return { held, raised, summaries };
}
