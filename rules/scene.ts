/**
 * What rules look at in one step: which things there are, and which of them are not what they were in the
 * step before. Objects are shared between worlds, so a thing that is the same object is the same thing.
 */
import type { Assessed } from './assess.ts';
import type { SubjectId } from './decision.ts';
import type { Draft } from './draft.ts';
import type { Advice, Component, ComponentId, Group } from './model.ts';
import type { Thing } from './views.ts';

export interface Scene {
  readonly draft: Draft;
  readonly assessed: Assessed;
  /** Places of the components that are not what they were. */
  readonly changed: ReadonlySet<number>;
  readonly advice: readonly Advice[];
}

export function idOf(thing: Thing): SubjectId {
  switch (thing.kind) {
    case 'node':
      return 'node';
    case 'service':
      return thing.thing.spec.id;
    default:
      return thing.thing.id;
  }
}

export function counts(component: Component): boolean {
  return !component.ignored && !component.unproven;
}

/** Components advice is given about now or was before, when it changed. */
function advised(draft: Draft, now: readonly Advice[]): ReadonlySet<string> {
  const { advice } = draft.before;
  return advice === now ? new Set() : new Set([...advice, ...now].map((one) => one.about));
}

/** Components that are not what they were, or about which other advice is given. */
export function changedComponents(scene: Scene, all: boolean): readonly Component[] {
  const { draft, assessed, changed, advice } = scene;
  if (all) return assessed.components;
  const places = new Set(changed);
  for (const about of advised(draft, advice)) {
    const place = draft.places.get(about as ComponentId);
    if (place !== undefined) places.add(place);
  }
  return [...places].flatMap((place) => assessed.components[place] ?? []);
}

function changedGroups({ draft, assessed }: Scene, all: boolean): readonly Group[] {
  const { before } = draft;
  if (all) return assessed.groups;
  if (assessed.groups === before.groups) return [];
  if (assessed.topology !== before.topology) {
    const past = new Set(before.groups);
    return assessed.groups.filter((group) => !past.has(group));
  }
  return assessed.judged.filter(
    (group, index): group is Group => group !== undefined && group !== before.judged[index],
  );
}

export function changedThings(scene: Scene, all: boolean): readonly Thing[] {
  const { draft } = scene;
  const { before } = draft;
  const sights = [...draft.sources.values()]
    .filter(({ spec, sight }) => all || before.sources.get(spec.id)?.sight !== sight)
    .map(({ sight }): Thing => ({ kind: 'source', thing: sight }));
  const past = new Set(all ? [] : before.services);
  const services =
    draft.services === before.services && !all
      ? []
      : draft.services.filter((service) => !past.has(service));
  return [
    ...changedComponents(scene, all)
      .filter(counts)
      .map((thing): Thing => ({ kind: 'component', thing })),
    ...changedGroups(scene, all).map((thing): Thing => ({ kind: 'group', thing })),
    ...sights,
    ...services.map((thing): Thing => ({ kind: 'service', thing })),
    { kind: 'node' },
  ];
}

export function thingOf(scene: Scene, kind: Thing['kind'], subject: SubjectId): Thing | undefined {
  const { draft, assessed } = scene;
  switch (kind) {
    case 'component': {
      const place = draft.places.get(subject as ComponentId);
      const thing = place === undefined ? undefined : assessed.components[place];
      return thing === undefined || !counts(thing) ? undefined : { kind, thing };
    }
    case 'group': {
      const thing = assessed.groups.find((group) => group.id === subject);
      return thing === undefined ? undefined : { kind, thing };
    }
    case 'source': {
      const thing = [...draft.sources.values()].find(({ spec }) => spec.id === subject)?.sight;
      return thing === undefined ? undefined : { kind, thing };
    }
    case 'service': {
      const thing = draft.services.find((service) => service.spec.id === subject);
      return thing === undefined ? undefined : { kind, thing };
    }
    case 'node':
      return { kind };
  }
}
