/**
 * What an alarm's subject has to do with: itself, what it needs at any depth, and for a group its members
 * and what they need. By these names alarms explain each other and leases hold remedies back.
 */
import type { SubjectId } from './decision.ts';
import type { Draft } from './draft.ts';
import type { ComponentId } from './model.ts';
import type { Subject } from './rule.ts';
import type { Topology } from './world.ts';

function needsOf(draft: Draft, topology: Topology, id: ComponentId): readonly ComponentId[] {
  const place = draft.places.get(id);
  return place === undefined ? [] : (topology.closure[place] ?? []);
}

/** Of groups, for as long as the edges stay as they are: each step asks for each alarm. */
const relatedToGroups = new WeakMap<Topology, Map<SubjectId, readonly string[]>>();

function relatedToGroup(draft: Draft, topology: Topology, subject: SubjectId): readonly string[] {
  const known = relatedToGroups.get(topology) ?? new Map<SubjectId, readonly string[]>();
  relatedToGroups.set(topology, known);
  let names = known.get(subject);
  if (names === undefined) {
    const shape = topology.groups.find((group) => group.id === subject);
    const members = (shape?.members ?? []).flatMap((place) => draft.slots[place]?.id ?? []);
    const needs = members.flatMap((member) => needsOf(draft, topology, member));
    names = [...new Set<string>([subject, ...members, ...needs])];
    known.set(subject, names);
  }
  return names;
}

/** The names, nearest first, each once. */
export function related(
  draft: Draft,
  topology: Topology,
  kind: Subject['kind'],
  subject: SubjectId,
): readonly string[] {
  const own = subject as ComponentId;
  switch (kind) {
    case 'component':
      return [own, ...needsOf(draft, topology, own)];
    case 'group':
      return relatedToGroup(draft, topology, subject);
    case 'service': {
      const after = draft.services.find((one) => one.spec.id === subject)?.spec.after ?? [];
      return [...new Set<string>([own, ...after, ...needsOf(draft, topology, own)])];
    }
    case 'source':
    case 'node':
      return [own];
  }
}
