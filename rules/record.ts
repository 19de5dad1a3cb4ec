/**
 * The journal's lines. A segment starts with its head and a checkpoint of the world, so that it can be
 * read without any other; then one line a step: the time, what was told, and what came of it. Nothing
 * here touches a file, decides what is kept, or knows the wall clock but as a label.
 *
 * Times are whole microseconds since the step before, where they are that exactly; others are written out.
 */
import { type CheckpointLine, checkpointLines, openCheckpointReader } from './checkpoint.ts';
import { CodecError, type Json, openDecoder, openEncoder } from './codec.ts';
import { applyDelta, type Delta, deltaOf } from './delta.ts';
import { type Ms, ms, type Observation, type SourceId } from './model.ts';
import { type Verdicts, verdictsOf } from './verdicts.ts';
import type { Input, World } from './world.ts';

/** First word of every segment. A reader of another number must not guess. */
export const JOURNAL_FORMAT = 'nospof journal 1';

/** What a segment says of itself. */
export interface Head {
  readonly format: typeof JOURNAL_FORMAT;
  readonly version: string;
  readonly node: string;
  /** The kernel's boot id: monotonic times of another boot cannot be compared. */
  readonly boot: string;
  /** One life of the agent; its segments are counted from 1, so that a missing one is noticed. */
  readonly life: string;
  readonly segment: number;
  readonly reason: 'start' | 'full' | 'gap' | 'end';
  /** Steps that were not written since the segment before: what they were told and decided is lost. */
  readonly lost: number;
  /** Adds to monotonic milliseconds to give Unix milliseconds. */
  readonly wallOffsetMs: number;
}

/** One step of the core, as the agent saw it. */
export interface Step {
  readonly at: Ms;
  readonly inputs: readonly Input[];
  readonly before: World;
  readonly after: World;
}

type ReadInput = Extract<Input, { kind: 'read' }>;
/** Microseconds from something known, or the number itself as text where it is no whole one. */
type Time = number | string;
type InputJson = readonly [source: number | string, at: Time, duration: Time, delta?: Json] | Json;
type StepJson = readonly [Time, (readonly InputJson[])?, Json?];

function micros(value: number): number {
  return Math.round(value * 1000);
}

function packTime(value: number, baseUs: number): Time {
  const us = micros(value);
  return us / 1000 === value ? us - baseUs : String(value);
}

function unpackTime(time: Time | undefined, baseUs: number): number {
  const value = typeof time === 'string' ? Number(time) : (baseUs + (time ?? Number.NaN)) / 1000;
  if (!Number.isFinite(value)) throw new CodecError(`no time: ${JSON.stringify(time)}`);
  return value;
}

/** What both sides remember within one segment: it is made anew from each checkpoint. */
interface Memory {
  readonly sources: readonly SourceId[];
  readonly observations: Map<SourceId, Observation>;
  atUs: number;
}

function memoryOf(world: World): Memory {
  const observations = new Map<SourceId, Observation>();
  for (const [id, { observation }] of world.sources) {
    if (observation !== undefined) observations.set(id, observation);
  }
  return { sources: [...world.sources.keys()], observations, atUs: micros(world.at) };
}

export interface Recorder {
  /** Lines of a new segment; every step after it must be given to `step`, in order. */
  readonly begin: (head: Omit<Head, 'format'>, world: World) => Generator<string>;
  /** The line of a step, and whether it holds a decision or a change that someone will ask for. */
  readonly step: (step: Step) => { readonly line: string; readonly weighty: boolean };
}

export function openRecorder(): Recorder {
  let memory: Memory = { sources: [], observations: new Map(), atUs: 0 };
  let indexes = new Map<SourceId, number>();

  function readJson(input: ReadInput, nowUs: number): InputJson {
    const { source, observation } = input;
    const name = indexes.get(source) ?? source;
    const delta: Delta = deltaOf(memory.observations.get(source), observation);
    memory.observations.set(source, observation);
    const at = packTime(input.at, nowUs);
    const duration = packTime(input.durationMs, 0);
    return delta === undefined ? [name, at, duration] : [name, at, duration, delta as Json];
  }

  return {
    begin: (head, world) => {
      memory = memoryOf(world);
      indexes = new Map(memory.sources.map((source, index) => [source, index]));
      return segmentStart({ format: JOURNAL_FORMAT, ...head }, world);
    },
    step: ({ at, inputs, before, after }) => {
      const nowUs = micros(at);
      const time = packTime(at, memory.atUs);
      const told = inputs.map((input) =>
        input.kind === 'read' ? readJson(input, nowUs) : openEncoder().encode(input),
      );
      memory.atUs = nowUs;
      const verdicts = verdictsOf(before, after);
      const line: StepJson =
        verdicts === undefined
          ? told.length === 0
            ? [time]
            : [time, told]
          : [time, told, verdictsJson(verdicts)];
      return { line: JSON.stringify(line), weighty: verdicts !== undefined };
    },
  };
}

function verdictsJson(verdicts: Verdicts): Json {
  return openEncoder().encode(verdicts);
}

/** The same verdicts have the same text, byte for byte. */
export function verdictsText(verdicts: Verdicts | undefined): string {
  return verdicts === undefined ? '' : JSON.stringify(verdictsJson(verdicts));
}

function* segmentStart(head: Head, world: World): Generator<string> {
  yield JSON.stringify(head);
  yield* checkpointLines(world);
}

/** A line that labels: the wall clock was set. */
export function wallLine(wallOffsetMs: number): string {
  return JSON.stringify({ w: wallOffsetMs });
}

export type Entry =
  | { readonly kind: 'head'; readonly head: Head }
  | { readonly kind: 'world'; readonly world: World }
  | { readonly kind: 'wall'; readonly wallOffsetMs: number }
  | {
      readonly kind: 'step';
      readonly at: Ms;
      readonly inputs: readonly Input[];
      readonly verdicts: Verdicts | undefined;
      /** As it stands in the file. */
      readonly text: string;
    };

export interface SegmentReader {
  /** What the line says; undefined inside a checkpoint. Throws a CodecError on what cannot be. */
  readonly take: (line: string) => Entry | undefined;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new CodecError('it is not JSON (cut off?)');
  }
}

function headOf(value: unknown): Head {
  const head = value as Partial<Head> | null;
  if (head?.format === JOURNAL_FORMAT) return head as Head;
  throw new CodecError(`it does not start with "${JOURNAL_FORMAT}"`);
}

export function openSegmentReader(): SegmentReader {
  let state: 'head' | 'checkpoint' | 'steps' = 'head';
  const checkpoint = openCheckpointReader();
  let memory: Memory = { sources: [], observations: new Map(), atUs: 0 };

  function readInput(json: readonly Json[], nowUs: number): ReadInput {
    const [name, at, duration, delta] = json;
    const source = typeof name === 'number' ? memory.sources[name] : (name as SourceId);
    if (source === undefined) throw new CodecError(`no source has the number ${name}`);
    const observation = applyDelta(memory.observations.get(source), delta as Delta);
    if (observation === undefined) throw new CodecError(`${source} changed what was never read`);
    memory.observations.set(source, observation);
    return {
      kind: 'read',
      source,
      at: ms(unpackTime(at as Time, nowUs)),
      observation,
      durationMs: unpackTime(duration as Time, 0),
    };
  }

  function stepOf(value: unknown): Entry {
    if (!Array.isArray(value)) throw new CodecError('it is no step');
    const [time, told, verdicts] = value as unknown as StepJson;
    const at = ms(unpackTime(time, memory.atUs));
    const nowUs = micros(at);
    memory.atUs = nowUs;
    const inputs = (told ?? []).map((json) =>
      Array.isArray(json)
        ? readInput(json as readonly Json[], nowUs)
        : (openDecoder().decode(json as Json) as Input),
    );
    return {
      kind: 'step',
      at,
      inputs,
      verdicts: verdicts === undefined ? undefined : (openDecoder().decode(verdicts) as Verdicts),
      text: verdicts === undefined ? '' : JSON.stringify(verdicts),
    };
  }

  function take(line: string): Entry | undefined {
    const value = parsed(line);
    switch (state) {
      case 'head':
        state = 'checkpoint';
        return { kind: 'head', head: headOf(value) };
      case 'checkpoint': {
        if (!checkpoint.take(value as CheckpointLine)) return undefined;
        state = 'steps';
        const world = checkpoint.world();
        memory = memoryOf(world);
        return { kind: 'world', world };
      }
      case 'steps': {
        const { w } = value as { readonly w?: number };
        return typeof w === 'number' ? { kind: 'wall', wallOffsetMs: w } : stepOf(value);
      }
    }
  }

  return { take };
}
