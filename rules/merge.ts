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
  /** Read within its time, and something known, by a source that decides. */
  readonly fresh: boolean;
  /** Read within its time by a source that decides, whatever it said: its numbers are those of now. */
  readonly read: boolean;
}

const DARKNESS: Readonly<Record<Health, number>> = {
  unknown: 0,
  ok: 1,
  failing: 2,
  absent: 3,
  failed: 4,
};

function isOpinion(one: Seen, sources: ReadonlyMap<SourceId, SourceState>): boolean {
  return sources.get(one.source)?.spec.opinion ?? false;
}

function isLate(one: Seen, sources: ReadonlyMap<SourceId, SourceState>): boolean {
  const state = sources.get(one.source)?.sight.state;
  return state === undefined || state === 'stale';
}

/** Reported by a source that is no mere opinion. */
export function isDecided(
  seen: readonly Seen[],
  sources: ReadonlyMap<SourceId, SourceState>,
): boolean {
  return seen.some((one) => !isOpinion(one, sources));
}

/** What holds of the merged reading only when each of these says so. */
function allSay(seen: readonly Seen[], what: 'unproven' | 'virtual'): Partial<Reading> {
  return seen.every((one) => one.reading[what] === true) ? { [what]: true } : {};
}

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
  const deciding = seen.filter((one) => !isOpinion(one, sources));
  const opinions = seen.filter((one) => isOpinion(one, sources));
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
  const byTrust = [...opinions, ...deciding.toReversed()];
  // Numbers of a late source are not those of now; its words and needs still say what the thing is.
  const current = byTrust.filter((one) => !isLate(one, sources)).map((one) => one.reading);
  const ordered = byTrust.map((one) => one.reading);
  const prompt = deciding.filter((one) => !isLate(one, sources));
  const { unproven, virtual, ...first } = (prompt[0] ?? deciding[0] ?? seen[0]).reading;
  const reading: Reading = {
    ...first,
    ...allSay(prompt.length > 0 ? prompt : seen, 'unproven'),
    ...allSay(prompt.length > 0 ? prompt : seen, 'virtual'),
    gauges: Object.assign({}, ...current.map((one) => one.gauges)),
    facts: Object.assign({}, ...ordered.map((one) => one.facts)),
    needs: [...new Set(ordered.toReversed().flatMap((one) => one.needs))],
  };
  return {
    reading,
    health,
    why,
    sources: [...deciding, ...opinions].map((one) => one.source),
    fresh: said.some((voice) => voice.health !== 'unknown'),
    read: prompt.length > 0,
  };
}
