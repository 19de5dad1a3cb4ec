/** Reads scenarios of the cluster from YAML, and plays them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { FencedBy, HierarchySpec } from '../../rules/cluster/model.ts';
import { hierarchy, node, safeTimes, serviceOf } from './made.ts';
import { openStage, type Stage } from './stage.ts';
import { play } from './words.ts';

export const SCENARIOS = 'test/scenarios/cluster';

export interface Scenario {
  readonly file: string;
  readonly name: string;
  readonly faults: readonly string[];
  readonly nodes: readonly string[];
  readonly networks: number;
  readonly fenceable: readonly string[];
  readonly startsAtOnce: number;
  readonly hierarchies: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly steps: readonly string[];
}

/** Changes to the usual hierarchy, by the names of the contract; `services` as words, `ip!` waits. */
function specOf(name: string, given: Readonly<Record<string, unknown>>, nodes: readonly string[]) {
  const { services, disks, nodes: own, fencedBy, ...rest } = given;
  const words = Array.isArray(services) ? services.map(String) : [`${name}-fs`, `${name}-ip!`];
  const names = Array.isArray(own) ? own.map(String) : nodes;
  const by: FencedBy = fencedBy === 'power' || fencedBy === 'operator' ? fencedBy : 'disk';
  const legs = Array.isArray(disks) ? disks.map(String) : [`${name}-disk`];
  const mirrored = legs.length > 1 && rest.mirror === true;
  const { mirror: _, ...numbers } = rest;
  const change: Partial<HierarchySpec> = {
    ...numbers,
    nodes: names.map(node),
    fencedBy: by,
    disks: by === 'disk' ? legs.map((wwid) => (mirrored ? { wwid, mirror: 'md0' } : { wwid })) : [],
    services: words.map((word) => ({
      id: serviceOf(word.replace('!', '')),
      waits: word.endsWith('!'),
    })),
  };
  return hierarchy(name, change);
}

export function readScenarios(): readonly Scenario[] {
  return readdirSync(SCENARIOS)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .flatMap((file) => {
      const list: unknown = parse(readFileSync(join(SCENARIOS, file), 'utf8'));
      if (!Array.isArray(list)) throw new Error(`${file}: not a list of scenarios`);
      return list.map((one: Partial<Scenario>): Scenario => {
        const nodes = one.nodes ?? ['a', 'b'];
        return {
          file,
          name: one.name ?? '',
          faults: one.faults ?? [],
          nodes,
          networks: one.networks ?? 2,
          fenceable: one.fenceable ?? [],
          startsAtOnce: one.startsAtOnce ?? 4,
          hierarchies: one.hierarchies ?? { db: {} },
          steps: one.steps ?? [],
        };
      });
    });
}

export interface Played {
  readonly stage: Stage;
  readonly failed: string | undefined;
}

export function playScenario(scenario: Scenario): Played {
  const { nodes, networks, fenceable, startsAtOnce, hierarchies } = scenario;
  const stage = openStage({
    names: nodes.map(node),
    specs: Object.entries(hierarchies).map(([name, given]) => specOf(name, given ?? {}, nodes)),
    times: safeTimes(),
    networks,
    fenceable: fenceable.map(node),
    startsAtOnce,
  });
  for (const sentence of scenario.steps) {
    const failed = play(stage, sentence);
    if (failed !== undefined) return { stage, failed };
    if (stage.broken.length > 0) return { stage, failed: stage.broken[0] };
  }
  return { stage, failed: undefined };
}

/** The conversation as it is read aloud. */
export function transcript({ lines }: Stage): string {
  return lines
    .map(({ at, node: name, text }) => {
      const seconds = (at / 1000).toFixed(2).padStart(8);
      return name === undefined ? `${seconds}  --- ${text}` : `${seconds}  ${name}: ${text}`;
    })
    .join('\n');
}
