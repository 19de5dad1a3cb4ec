/** Hierarchies as tests need them: a disk, a file system and an address, and what is said otherwise. */
import type {
  ClusterTimes,
  HierarchyId,
  HierarchySpec,
  NodeName,
} from '../../rules/cluster/model.ts';
import { solveTimes } from '../../rules/cluster/solver.ts';
import type { ServiceId } from '../../rules/service.ts';

export const node = (name: string): NodeName => name as NodeName;
export const idOf = (name: string): HierarchyId => `hierarchy/${name}` as HierarchyId;
export const serviceOf = (name: string): ServiceId => `service/${name}` as ServiceId;

export function hierarchy(name: string, change: Partial<HierarchySpec> = {}): HierarchySpec {
  return {
    id: idOf(name),
    name,
    nodes: [node('a'), node('b')],
    disks: [{ wwid: `${name}-disk` }],
    services: [
      { id: serviceOf(`${name}-fs`), waits: false },
      { id: serviceOf(`${name}-ip`), waits: true },
    ],
    fencedBy: 'disk',
    failbackMs: undefined,
    hysteresis: 0.1,
    holdMs: 30_000,
    startsMax: 6,
    startsWithinMs: 1_800_000,
    startMs: 20_000,
    stopMs: 20_000,
    handoverMs: 60_000,
    toleratedMs: undefined,
    ...change,
  };
}

/** The waits of the safe profile. */
export function safeTimes(): ClusterTimes {
  const solved = solveTimes('safe', {}, []);
  if (solved.is === 'refused') throw new Error(solved.why.join('\n'));
  return solved.times;
}
