/**
 * Plain values as JSON and back, so that nothing of them is lost: Maps, Sets, what is undefined, numbers
 * that JSON has no word for, and which objects are one and the same. The core takes identity for a short
 * way to equality, so a world that lost it would still decide alike, but every checkpoint would be five
 * times as long. Objects are numbered as they are met; the second meeting writes the number.
 */

/** What JSON can hold. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

export interface Encoder {
  readonly encode: (value: unknown) => Json;
  /** Numbers a container that is not empty and that the caller takes apart by itself. */
  readonly enter: (container: object) => void;
  readonly known: (container: object) => boolean;
}

export interface Decoder {
  readonly decode: (json: Json) => unknown;
  /** Numbers a container that the caller puts together by itself. */
  readonly enter: (container: object) => void;
}

/** A value that the format does not know: a bug in the writer, or a broken file in the reader. */
export class CodecError extends Error {}

type Tag = '$n' | '$u' | '$b' | '$r' | '$m' | '$s' | '$o';

function isEmpty(container: object): boolean {
  if (Array.isArray(container)) return container.length === 0;
  if (container instanceof Map || container instanceof Set) return container.size === 0;
  for (const _ in container) return false;
  return true;
}

/** Keys that cannot be written as they are: they look like tags, or would change the prototype. */
function isPlainKey(key: string): boolean {
  return key.charCodeAt(0) !== 36 && key !== '__proto__';
}

function encodeNumber(value: number): Json {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  return { $n: Object.is(value, -0) ? '-0' : String(value) };
}

export function openEncoder(): Encoder {
  const numbers = new Map<object, number>();

  function encodeObject(value: object): Json {
    const keys = Object.keys(value);
    const from = value as Readonly<Record<string, unknown>>;
    if (!keys.every(isPlainKey)) return { $o: keys.map((key) => [key, encode(from[key])]) };
    const out: Record<string, Json> = {};
    for (const key of keys) out[key] = encode(from[key]);
    return out;
  }

  function encodeContainer(value: object): Json {
    if (isEmpty(value)) {
      if (Array.isArray(value)) return [];
      if (value instanceof Map) return { $m: [] };
      return value instanceof Set ? { $s: [] } : {};
    }
    const number = numbers.get(value);
    if (number !== undefined) return { $r: number };
    numbers.set(value, numbers.size);
    if (Array.isArray(value)) return value.map(encode);
    if (value instanceof Map) return { $m: [...value].map(([k, v]) => [encode(k), encode(v)]) };
    if (value instanceof Set) return { $s: [...value].map(encode) };
    return encodeObject(value);
  }

  function encode(value: unknown): Json {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value;
      case 'number':
        return encodeNumber(value);
      case 'undefined':
        return { $u: 0 };
      case 'bigint':
        return { $b: value.toString() };
      case 'object':
        return value === null ? null : encodeContainer(value);
      default:
        throw new CodecError(`a ${typeof value} is no plain data`);
    }
  }

  return {
    encode,
    enter: (container) => {
      numbers.set(container, numbers.size);
    },
    known: (container) => numbers.has(container),
  };
}

function decodeNumber(json: Json | undefined): number {
  if (json === '-0') return -0;
  if (json === 'NaN' || json === 'Infinity' || json === '-Infinity') return Number(json);
  throw new CodecError(`no number: ${JSON.stringify(json)}`);
}

function listOf(json: Json | undefined): readonly Json[] {
  if (Array.isArray(json)) return json;
  throw new CodecError('a list is missing');
}

function pairOf(json: Json): readonly [Json, Json] {
  const [first, second] = listOf(json);
  if (first === undefined || second === undefined) throw new CodecError('a pair is missing');
  return [first, second];
}

/** The tag of an object that stands for something else; undefined for one that is meant as it is. */
function tagOf(json: Readonly<Record<string, Json>>): Tag | undefined {
  for (const key in json) return key.charCodeAt(0) === 36 ? (key as Tag) : undefined;
  return undefined;
}

export function openDecoder(): Decoder {
  const numbered: object[] = [];

  function decodeMap(list: readonly Json[]): unknown {
    const map = new Map<unknown, unknown>();
    if (list.length > 0) numbered.push(map);
    for (const item of list) {
      const [key, value] = pairOf(item);
      const decoded = decode(key);
      map.set(decoded, decode(value));
    }
    return map;
  }

  function decodeSet(list: readonly Json[]): unknown {
    const set = new Set<unknown>();
    if (list.length > 0) numbered.push(set);
    for (const item of list) set.add(decode(item));
    return set;
  }

  function decodeTagged(tag: Tag, json: Json | undefined): unknown {
    switch (tag) {
      case '$n':
        return decodeNumber(json);
      case '$u':
        return undefined;
      case '$b':
        return BigInt(String(json));
      case '$r': {
        const found = numbered[Number(json)];
        if (found === undefined) throw new CodecError(`no object has the number ${json}`);
        return found;
      }
      case '$m':
        return decodeMap(listOf(json));
      case '$s':
        return decodeSet(listOf(json));
      case '$o':
        return decodeFields(listOf(json).map(pairOf));
      default:
        throw new CodecError(`unknown tag ${JSON.stringify(tag)}`);
    }
  }

  function decodeFields(fields: readonly (readonly [Json, Json])[]): unknown {
    const out: Record<string, unknown> = {};
    if (fields.length > 0) numbered.push(out);
    for (const [key, value] of fields) {
      const field = { value: decode(value), writable: true, enumerable: true, configurable: true };
      Object.defineProperty(out, String(key), field);
    }
    return out;
  }

  function decodeList(json: readonly Json[]): unknown {
    const out: unknown[] = [];
    if (json.length > 0) numbered.push(out);
    for (const item of json) out.push(decode(item));
    return out;
  }

  function decode(json: Json): unknown {
    if (typeof json !== 'object' || json === null) return json;
    if (Array.isArray(json)) return decodeList(json);
    const object = json as Readonly<Record<string, Json>>;
    const tag = tagOf(object);
    if (tag !== undefined) return decodeTagged(tag, object[tag]);
    const out: Record<string, unknown> = {};
    if (!isEmpty(object)) numbered.push(out);
    for (const key in object) out[key] = decode(object[key] as Json);
    return out;
  }

  return {
    decode,
    enter: (container) => {
      numbered.push(container);
    },
  };
}
