/**
 * A world as lines and back: whole, so that steps can go on from it with nothing else known. It is cut
 * into lines of bounded length that are made one at a time, because a world of 10,000 components takes
 * longer to write out than the loop may wait. Whatever the world holds is taken, field by field: what
 * judgement remembers tomorrow is in the checkpoint without a change here.
 */
import { CodecError, type Encoder, type Json, openDecoder, openEncoder } from './codec.ts';
import type { World } from './world.ts';

/** Items of an array or a map in one line. */
export const CHUNK_ITEMS = 100;
/** Objects so deep below the world are taken apart into their fields. */
const DEPTH_MAX = 2;

/**
 * One line: where in the world (`c`), and the value (`v`), more items of an array (`a`), more entries of
 * a map (`m`), or an object whose fields follow (`o`). `end` counts the lines before it.
 */
export type CheckpointLine =
  | { readonly c: readonly string[]; readonly v: Json }
  | { readonly c: readonly string[]; readonly a: readonly Json[] }
  | { readonly c: readonly string[]; readonly m: readonly Json[] }
  | { readonly c: readonly string[]; readonly o: 1 }
  | { readonly end: number };

function* chunks<T>(items: readonly T[], length: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += length) yield items.slice(at, at + length);
}

/** An object of fields, not empty. */
function isFields(value: object): boolean {
  if (Array.isArray(value) || value instanceof Map || value instanceof Set) return false;
  return Object.keys(value).length > 0;
}

function* valueLines(
  encoder: Encoder,
  path: readonly string[],
  value: unknown,
): Generator<CheckpointLine> {
  const isContainer = typeof value === 'object' && value !== null && !encoder.known(value);
  if (isContainer && path.length < DEPTH_MAX && isFields(value)) {
    encoder.enter(value);
    yield { c: path, o: 1 };
    for (const [key, field] of Object.entries(value))
      yield* valueLines(encoder, [...path, key], field);
  } else if (Array.isArray(value) && isContainer && value.length > CHUNK_ITEMS) {
    encoder.enter(value);
    for (const chunk of chunks(value, CHUNK_ITEMS)) yield { c: path, a: chunk.map(encoder.encode) };
  } else if (value instanceof Map && isContainer && value.size > 0) {
    encoder.enter(value);
    // Few entries are large ones: a source with all that it reads.
    for (const chunk of chunks([...value], value.size > CHUNK_ITEMS ? CHUNK_ITEMS : 1)) {
      yield { c: path, m: chunk.map(([k, v]) => [encoder.encode(k), encoder.encode(v)]) };
    }
  } else yield { c: path, v: encoder.encode(value) };
}

/** The lines of a checkpoint, each made when it is asked for. The world does not change meanwhile. */
export function* checkpointLines(world: World): Generator<string> {
  let count = 0;
  // Decisions are of their step alone: they were written with it.
  for (const line of valueLines(openEncoder(), [], { ...world, decisions: [] })) {
    count += 1;
    yield JSON.stringify(line);
  }
  yield JSON.stringify({ end: count } satisfies CheckpointLine);
}

export interface CheckpointReader {
  /** True once the checkpoint is complete; throws a CodecError on a line that cannot be. */
  readonly take: (line: CheckpointLine) => boolean;
  readonly world: () => World;
}

export function openCheckpointReader(): CheckpointReader {
  const decoder = openDecoder();
  let root: Record<string, unknown> | undefined;
  let count = 0;
  let complete = false;

  function place(path: readonly string[]): readonly [Record<string, unknown>, string] {
    const last = path.at(-1);
    let at: unknown = root;
    for (const key of path.slice(0, -1)) at = (at as Record<string, unknown> | undefined)?.[key];
    if (last === undefined || typeof at !== 'object' || at === null)
      throw new CodecError(`nothing at ${path.join('.')}`);
    return [at as Record<string, unknown>, last];
  }

  /** The container under construction there, begun at its first line. */
  function container<T extends object>(path: readonly string[], fresh: T): T {
    const [parent, key] =
      path.length === 0 ? [{ root } as Record<string, unknown>, 'root'] : place(path);
    if (parent[key] !== undefined) return parent[key] as T;
    parent[key] = fresh;
    decoder.enter(fresh);
    return fresh;
  }

  function take(line: CheckpointLine): boolean {
    if ('end' in line) {
      if (line.end !== count) throw new CodecError(`${count} lines of ${line.end}`);
      complete = true;
      return true;
    }
    count += 1;
    if ('o' in line) {
      const fields = container<Record<string, unknown>>(line.c, {});
      root ??= fields;
    } else if ('a' in line) {
      const list = container<unknown[]>(line.c, []);
      for (const item of line.a) list.push(decoder.decode(item));
    } else if ('m' in line) {
      const map = container(line.c, new Map<unknown, unknown>());
      for (const item of line.m) {
        const [key, value] = item as readonly [Json, Json];
        const decoded = decoder.decode(key);
        map.set(decoded, decoder.decode(value));
      }
    } else {
      const [parent, key] = place(line.c);
      parent[key] = decoder.decode(line.v);
    }
    return false;
  }

  return {
    take,
    world: () => {
      if (!complete) throw new CodecError('the checkpoint is not complete');
      return root as unknown as World;
    },
  };
}
