/** What the core is told of the disks of a hierarchy: the state of their arbiter in its words. */
import type { DiskReport, Ms, SeenHolder } from '../rules/model.ts';
import { keepReport } from './arbiter-keep.ts';
import type { Arbiter, Mode } from './arbiter-state.ts';
import { type Key, partsOf, relationOf } from './reservation/key.ts';

function seenHolder(holder: Key | undefined, self: Key): SeenHolder {
  return holder === undefined ? 'none' : relationOf(holder, self);
}

function idleReport(
  { options, disks }: Arbiter,
  { looks }: Mode & { is: 'idle' },
  nowMs: number,
): DiskReport {
  const freshMs = options.idleMs * 2 + options.times.readMs;
  const stale = looks.findIndex(
    ({ memory: { table } }) => table === undefined || nowMs - table.atMs > freshMs,
  );
  const unreadable = stale < 0 ? undefined : `${disks[stale]?.wwid ?? 'a disk'} cannot be read`;
  const tables = looks.map(({ memory }) => memory.table);
  const [first] = tables;
  if (first === undefined) return { is: 'idle', seen: undefined, unreadable };
  const { key } = options.self;
  // Only when every disk shows us as its holder is the hierarchy ours.
  const own = tables.every((table) => table?.holder === key);
  const holder = seenHolder(first.holder, key);
  const node = first.holder === undefined ? undefined : partsOf(first.holder).node;
  return {
    is: 'idle',
    seen: {
      atMs: first.atMs as Ms,
      holder: holder === 'own' && !own ? 'none' : holder,
      node: node === undefined || holder === 'stranger' ? undefined : options.nodes.get(node),
    },
    unreadable,
  };
}

/** What the core is told of these disks now. */
export function reportOf(arbiter: Arbiter, nowMs: number): DiskReport {
  const { mode } = arbiter;
  switch (mode.is) {
    case 'idle':
      return idleReport(arbiter, mode, nowMs);
    case 'taking': {
      const { registeredMs } = mode.takeover;
      return { is: 'taking', attempt: mode.attempt, registeredMs: registeredMs as Ms | undefined };
    }
    case 'keeping':
      return keepReport(arbiter, mode);
    case 'ended':
      return { is: mode.result.is, attempt: mode.attempt, why: mode.result.why };
    case 'lost':
      return { is: 'lost', why: mode.why };
    case 'releasing':
      return { is: 'releasing' };
    case 'released':
      return { is: 'released', whole: mode.whole };
  }
}
