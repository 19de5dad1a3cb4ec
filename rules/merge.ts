/**
 * Makes one reading of several sources' readings of the same component. It decides who is believed:
 * sources that are no mere opinion decide, the worst of what they know; an opinion may only darken
 * `ok` to `failing`. A stale reading is unknown, whatever it said.
 */
import type { Health, Reading, SourceId } from './model.ts';
import type { Seen, SourceState } from './world.ts';

export interface Merged {
  readonly reading: Reading;
  readonly health: Health;
  readonly why: string;
  readonly sources: readonly SourceId[];
  /** Read within its time by a source that decides. */
  readonly fresh: boolean;
}

const DARKNESS: Readonly<Record<Health, number>> = {
  unknown: 0,
  ok: 1,
  failing: 2,
  absent: 3,
  failed: 4,
};

interface Voice {
  readonly health: Health;
  readonly why: string;
}

function voiceOf(seen: Seen, sources: ReadonlyMap<SourceId, SourceState>): Voice {
  const sight = sources.get(seen.source)?.sight;
  if (sight === undefined || sight.state === 'stale') {
    const cause = sight === undefined || sight.why === '' ? '' : `: ${sight.why}`;
    return { health: 'unknown', why: `no longer seen by ${seen.source}${cause}` };
  }
  return { health: seen.reading.health, why: seen.reading.why ?? '' };
}

function worst(voices: readonly Voice[]): Voice {
  return voices.reduce((dark, voice) =>
    DARKNESS[voice.health] > DARKNESS[dark.health] ? voice : dark,
  );
}

/** The merged reading of at least one seen reading. */
export function merge(
  seen: readonly [Seen, ...Seen[]],
  sources: ReadonlyMap<SourceId, SourceState>,
): Merged {
  const isOpinion = (one: Seen): boolean => sources.get(one.source)?.spec.opinion ?? false;
  const deciding = seen.filter((one) => !isOpinion(one));
  const opinions = seen.filter(isOpinion);
  const said = deciding.map((one) => voiceOf(one, sources));
  let { health, why }: Voice =
    said.length === 0
      ? { health: 'unknown', why: 'only a second opinion reports it' }
      : worst(said);
  const dark = opinions
    .map((one) => voiceOf(one, sources))
    .find((voice) => voice.health === 'failed' || voice.health === 'failing');
  if (dark !== undefined && health === 'ok') {
    health = 'failing';
    why = `a second opinion disagrees: ${dark.why}`;
  }
  const ordered = [...opinions, ...deciding.toReversed()].map((one) => one.reading);
  const first = (deciding[0] ?? seen[0]).reading;
  const reading: Reading =
    ordered.length === 1
      ? first
      : {
          ...first,
          gauges: Object.assign({}, ...ordered.map((one) => one.gauges)),
          facts: Object.assign({}, ...ordered.map((one) => one.facts)),
          needs: [...new Set(ordered.toReversed().flatMap((one) => one.needs))],
        };
  return {
    reading,
    health,
    why,
    sources: [...deciding, ...opinions].map((one) => one.source),
    fresh: said.some((voice) => voice.health !== 'unknown'),
  };
}
