/**
 * From a snapshot to an observation, by the source's own parser. A parser that throws blinds its source
 * alone, and is told of once; a snapshot that is the one of last time is not parsed again.
 */
import type { Parsed, Snapshot } from '../collectors/lib/collector.ts';
import type { Observation, SourceId } from '../rules/model.ts';
import type { Watch } from './watch.ts';

export interface Parsing {
  readonly observe: (watch: Watch, snapshot: Snapshot) => Observation;
  /** What was last read of a source. */
  readonly snapshot: (source: SourceId) => Snapshot | undefined;
}

export function openParsing(onTrouble: (why: string) => void): Parsing {
  const known = new Map<SourceId, Parsed>();
  /** What was last said of a parser that fails: it is not said again with each reading. */
  const troubles = new Map<SourceId, string>();

  function parse(
    { id, source }: Watch,
    snapshot: Snapshot,
    before: Parsed | undefined,
  ): Observation {
    try {
      return source.parse(snapshot, before);
    } catch (error) {
      const why = `the parser of ${id} failed: ${(error as Error).message}`;
      if (troubles.get(id) !== why) onTrouble(`${why}; please send its capture`);
      troubles.set(id, why);
      return { kind: 'blind', why };
    }
  }

  return {
    observe: (watch, snapshot) => {
      const before = known.get(watch.id);
      if (before?.snapshot === snapshot) return before.observation;
      const observation = parse(watch, snapshot, before);
      known.set(watch.id, { snapshot, observation });
      return observation;
    },
    snapshot: (source) => known.get(source)?.snapshot,
  };
}
