/** What came of many rounds: rates, counts, and which states and transitions were seen. */
import { HIERARCHY_STATES } from '../../rules/cluster/model.ts';
import type { RoundResult } from './round.ts';

export interface Sum {
  readonly counts: Map<string, number>;
  readonly cpuUs: number;
  rounds: number;
  events: number;
  us: number;
  hash: number;
}

export function startSum(): Sum {
  return {
    counts: new Map(),
    cpuUs: process.cpuUsage().user,
    rounds: 0,
    events: 0,
    us: 0,
    hash: 0x811c9dc5,
  };
}

export function addCounts(sum: Sum, { world }: RoundResult): void {
  sum.rounds += 1;
  sum.events += world.events;
  sum.us += world.us;
  sum.hash = Math.imul(sum.hash ^ world.trace.hash, 0x01000193) >>> 0;
  for (const [what, by] of world.trace.counts) {
    sum.counts.set(what, (sum.counts.get(what) ?? 0) + by);
  }
}

export function reportText({ counts, cpuUs, events, us, hash }: Sum): string {
  const seconds = (process.cpuUsage().user - cpuUs) / 1e6;
  const hours = us / 3.6e9;
  const lines = [...counts].sort().map(([what, by]) => `${String(by).padStart(9)} ${what}`);
  const states = new Set(
    [...counts.keys()]
      .filter((what) => what.startsWith('transition '))
      .flatMap((what) => what.slice('transition '.length).split(' -> ')),
  );
  const unseen = HIERARCHY_STATES.filter((state) => !states.has(state));
  const transitions = [...counts.keys()].filter((what) => what.startsWith('transition ')).length;
  const rate = (hours / seconds).toFixed(2);
  return [
    ...lines,
    `states seen: ${HIERARCHY_STATES.length - unseen.length} of ${HIERARCHY_STATES.length}${unseen.length > 0 ? ` (not: ${unseen.join(', ')})` : ''}; transitions seen: ${transitions}`,
    `${hours.toFixed(1)} simulated hours in ${seconds.toFixed(1)} s of CPU: ${rate} h/s, ${(events / seconds / 1e6).toFixed(2)} M events/s; trace ${hash.toString(16)}`,
  ].join('\n');
}

export function sumUp({ rounds }: Sum, failed: number): string {
  return `${rounds - failed} passed, ${failed} failed`;
}
