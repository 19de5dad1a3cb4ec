/**
 * Reads what sources declare and hands it on as snapshots. It decides when things are read and that
 * every read ends; it knows nothing of what the text means. Every failure becomes an entry, and a source
 * whose texts are what they were gets the very snapshot it had.
 */
import type { Entry, Snapshot, Source } from '../collectors/lib/collector.ts';
import { SharedSnapshot } from '../collectors/lib/shared-snapshot.ts';
import type { Roots } from '../rules/config.ts';
import { type Found, RELIST_MS } from './listing.ts';
import type { Context, Part } from './part.ts';
import { openParts, thrown } from './parts.ts';
import { KeptFiles } from './ports/files.ts';
import type { Folders } from './ports/glob.ts';
import type { ReadPorts } from './ports/port.ts';
import { HangReader } from './reader/reader.ts';
import { openSlice } from './slice.ts';

/** Sources begin at different moments with listing their folders each RELIST_MS: shares of it. */
const RELIST_SPREAD = 0.618;

export interface ProbeCounts {
  /** Descriptors kept open by this process. */
  readonly kept: number;
  /** Matches beyond MATCHES_MAX, which are not read. */
  readonly dropped: number;
  /** Files that hung and are tried again with pauses. */
  readonly quarantined: number;
  /** Reader processes that run or that the kernel holds. */
  readonly readers: number;
}

export interface Probe {
  /**
   * Everything the source declares, read now, in the order of its reads. Never rejects. Settles within
   * the longest of READ_MS_MAX (files that may hang), PORT_MS_MAX and a command's deadline, plus a
   * second. The same object as last time when nothing changed. A call while one is under way joins it.
   */
  readonly read: (source: Source) => Promise<Snapshot>;
  /** Something came or went: list the source's folders anew at its next read. */
  readonly relist: (source: Source) => void;
  readonly counts: () => ProbeCounts;
  /** What was left out, by why: matches beyond a limit; how often a file was put in quarantine. */
  readonly drops: () => { readonly matches: number; readonly quarantined: number };
  /** Closes the ports and all descriptors and ends the children; reads under way settle. */
  readonly close: () => Promise<void>;
}

interface SourceState {
  readonly parts: readonly Part[];
  snapshot: SharedSnapshot | undefined;
  underWay: Promise<Snapshot> | undefined;
}

/** Lists what is due, a part at a time. Files that may hang are asked for afterwards, in one run. */
async function list(parts: readonly Part[], found: Found): Promise<void> {
  const folders: Folders = new Map();
  const slice = openSlice();
  for (const part of parts) {
    part.list(folders, found);
    if (slice.isOver()) await slice.next();
  }
}

/** A part that throws is a bug; its source is then unread, not absent, and the others go on. */
async function refreshed({ name }: Source, state: SourceState): Promise<Snapshot> {
  const found: Found = { anew: false, entries: new Map() };
  try {
    await list(state.parts, found);
    await Promise.all(state.parts.map((part) => part.refresh(found)));
    const before = state.snapshot;
    if (before !== undefined && !found.anew) {
      if (found.entries.size === 0) return before;
      if ([...found.entries.keys()].every((key) => before.has(key))) {
        state.snapshot = before.with(found.entries);
        return state.snapshot;
      }
    }
    const entries = new Map<string, Entry>();
    for (const part of state.parts) part.fill(entries);
    state.snapshot = new SharedSnapshot(entries);
    return state.snapshot;
  } catch (error) {
    state.snapshot = undefined;
    return new Map([[name, thrown(error)]]);
  }
}

export function openProbe(options: {
  readonly roots: Roots;
  readonly ports: ReadPorts;
  /** For the readers' progress files: a folder in memory, so that noting progress never waits. */
  readonly runDir: string;
}): Probe {
  const { roots, ports, runDir } = options;
  const files = new KeptFiles({ mayBlock: false });
  const reader = new HangReader({ runDir });
  const context: Context = { roots, ports, files, reader };
  const states = new Map<Source, SourceState>();
  let closed = false;

  function stateOf(source: Source): SourceState {
    const known = states.get(source);
    if (known !== undefined) return known;
    const firstMs = RELIST_MS * (1 - ((states.size * RELIST_SPREAD) % 1) / 2);
    const parts = openParts(context, source, firstMs);
    const state: SourceState = { parts, snapshot: undefined, underWay: undefined };
    states.set(source, state);
    return state;
  }

  function dropped(): number {
    let count = 0;
    for (const { parts } of states.values()) for (const part of parts) count += part.dropped();
    return count;
  }

  return {
    read: (source) => {
      const state = stateOf(source);
      if (closed) {
        const why = 'the probe is closed';
        return Promise.resolve(new Map([[source.name, { errno: 'ECANCELED', why }]]));
      }
      state.underWay ??= refreshed(source, state).finally(() => {
        state.underWay = undefined;
      });
      return state.underWay;
    },
    relist: (source) => {
      for (const part of stateOf(source).parts) part.relist();
    },
    counts: () => ({ kept: files.kept, dropped: dropped(), ...reader.counts }),
    drops: () => ({ matches: dropped(), quarantined: reader.hangs }),
    close: async () => {
      closed = true;
      for (const port of Object.values(ports)) port.close();
      await reader.close();
      await Promise.all([...states.values()].map(({ underWay }) => underWay));
      files.close();
    },
  };
}
