/**
 * What if: hypothetical readings, put in the place of the real ones, and the inputs that keep the rest of a
 * world as it is while virtual time goes on. It invents nothing but what the operator said.
 */

import { globMatches } from '../../rules/glob.ts';
import type { Health, Ms, Observation, Reading, SourceId } from '../../rules/model.ts';
import { nearest } from '../../rules/near.ts';
import type { Service, ServiceId, ServiceSeen } from '../../rules/service.ts';
import { sourceOf } from '../../rules/services-reading.ts';
import type { Input, Slot, World } from '../../rules/world.ts';

const HEALTH_WORDS: readonly string[] = ['ok', 'failing', 'failed', 'absent', 'unknown'];
const SERVICE_WORDS: readonly string[] = ['running', 'stopped', 'failed', 'hanging', 'unknown'];
const SOURCE_WORDS: readonly string[] = ['blind'];

/** `psu/1 failed`: a glob of names, and what they are to be. */
export interface Supposition {
  readonly glob: string;
  readonly state: string;
}

export type Supposed =
  | {
      readonly ok: true;
      /** Names and their states, for the operator to see what a glob meant. */
      readonly names: readonly (readonly [name: string, state: string])[];
      /** What the sources would say. */
      readonly observations: ReadonlyMap<SourceId, Observation>;
      readonly services: ReadonlyMap<ServiceId, ServiceSeen>;
    }
  | { readonly ok: false; readonly message: string };

/** Words in pairs; undefined when they do not come in pairs. */
export function suppositionsOf(operands: readonly string[]): readonly Supposition[] | undefined {
  const words = operands
    .flatMap((operand) => operand.split(/[\s,=]+/u))
    .filter((word) => word !== '');
  if (words.length === 0 || words.length % 2 === 1) return undefined;
  const pairs: Supposition[] = [];
  for (let at = 0; at < words.length; at += 2) {
    pairs.push({ glob: words[at] ?? '', state: words[at + 1] ?? '' });
  }
  return pairs;
}

function supposedReading(slot: Slot, before: Reading | undefined, health: Health): Reading {
  const base: Reading = before ?? {
    component: slot.id,
    kind: slot.remembered?.kind ?? slot.id.split('/', 1)[0] ?? '',
    name: slot.remembered?.name ?? slot.id,
    health,
    gauges: {},
    facts: {},
    needs: slot.remembered?.needs ?? [],
  };
  const { why, ...rest } = base;
  return health === 'ok' ? { ...rest, health } : { ...rest, health, why: 'supposed' };
}

function supposedService({ seen }: Service, state: string): ServiceSeen {
  const run = 'run' in seen ? seen.run : 'supposed';
  switch (state) {
    case 'running':
      return { kind: 'running', run };
    case 'stopped':
      return { kind: 'stopped' };
    case 'hanging':
      return { kind: 'hanging', run, why: 'supposed' };
    case 'failed': {
      const exit = {
        run,
        how: 'status',
        value: 1,
        afterStartMs: 60_000,
        lastLine: 'supposed',
      } as const;
      return { kind: 'failed', why: 'supposed', exit };
    }
    default:
      return { kind: 'unknown', why: 'supposed' };
  }
}

type Seen = Extract<Observation, { kind: 'seen' }>;

const NOTHING_SEEN: Seen = { kind: 'seen', readings: [], groups: [], advice: [] };

/** Changes one component in what its sources say. */
function suppose(
  world: World,
  slot: Slot,
  health: Health,
  observations: Map<SourceId, Observation>,
): void {
  const sources = slot.seen.map(({ source }) => source);
  if (sources.length === 0 && slot.remembered !== undefined) sources.push(slot.remembered.source);
  for (const source of sources) {
    const now = observations.get(source) ?? world.sources.get(source)?.observation;
    const seen = now?.kind === 'seen' ? now : NOTHING_SEEN;
    const before = seen.readings.find(({ component }) => component === slot.id);
    const rest = seen.readings.filter(({ component }) => component !== slot.id);
    if (health === 'absent') observations.set(source, { ...seen, readings: rest });
    else {
      const reading = supposedReading(slot, before, health);
      const place = before === undefined ? rest.length : seen.readings.indexOf(before);
      observations.set(source, { ...seen, readings: rest.toSpliced(place, 0, reading) });
    }
  }
}

function wrongState(glob: string, state: string, known: readonly string[]): Supposed {
  const near = nearest(state, known);
  const hint = near === undefined ? '' : ` (did you mean '${near}'?)`;
  return { ok: false, message: `${glob} cannot be ${state}${hint}: it may be ${known.join(', ')}` };
}

function noMatch(world: World, glob: string): Supposed {
  const names = [...world.slots, ...[...world.sources.values()].map(({ spec }) => spec)].map(
    ({ id }): string => id,
  );
  const near = nearest(glob, names);
  const kinds = [...new Set(names.map((name) => name.split('/', 1)[0] ?? ''))].sort();
  const hint = near === undefined ? `; there are ${kinds.join(', ')}` : `; did you mean ${near}?`;
  return { ok: false, message: `nothing here is called ${glob}${hint}` };
}

/** What these suppositions make of this world's sources; the first that cannot be is told. */
export function supposed(world: World, suppositions: readonly Supposition[]): Supposed {
  const names: (readonly [string, string])[] = [];
  const observations = new Map<SourceId, Observation>();
  const services = new Map<ServiceId, ServiceSeen>();
  for (const { glob, state } of suppositions) {
    const isService = new Set<string>(world.services.map(({ spec }) => spec.id));
    const ofServices = world.services.filter(({ spec }) => globMatches(glob, spec.id));
    const slots = world.slots.filter(({ id }) => !isService.has(id) && globMatches(glob, id));
    const sources = [...world.sources.keys()].filter((id) => globMatches(glob, id));
    const known =
      ofServices.length > 0 ? SERVICE_WORDS : slots.length > 0 ? HEALTH_WORDS : SOURCE_WORDS;
    if (ofServices.length + slots.length + sources.length === 0) return noMatch(world, glob);
    if (!known.includes(state)) return wrongState(glob, state, known);
    for (const service of ofServices) {
      services.set(service.spec.id, supposedService(service, state));
      names.push([service.spec.id, state]);
    }
    for (const slot of slots) {
      suppose(world, slot, state as Health, observations);
      names.push([slot.id, state]);
    }
    if (known !== SOURCE_WORDS) continue;
    for (const source of sources) {
      observations.set(source, { kind: 'blind', why: 'supposed' });
      names.push([source, state]);
    }
  }
  return { ok: true, names, observations, services };
}

/** What each source says now, but for those that stand for services. */
export function saidNow(world: World): ReadonlyMap<SourceId, Observation> {
  const ofServices = new Set(world.services.map(({ spec }) => sourceOf(spec)));
  const said = new Map<SourceId, Observation>();
  for (const [source, { sight, observation }] of world.sources) {
    if (ofServices.has(source)) continue;
    const isBlind = sight.state === 'blind' || sight.state === 'stale';
    const now: Observation | undefined = isBlind ? { kind: 'blind', why: sight.why } : observation;
    if (now !== undefined) said.set(source, now);
  }
  return said;
}

/** All sources read again at this time: what is supposed of them, else what they said. */
export function readAgain(
  said: ReadonlyMap<SourceId, Observation>,
  at: Ms,
  observations: ReadonlyMap<SourceId, Observation>,
): readonly Input[] {
  return [...said].map(([source, observation]) => {
    const now = observations.get(source) ?? observation;
    return { kind: 'read', source, at, observation: now, durationMs: 0 };
  });
}
