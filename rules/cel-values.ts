/**
 * Values of conditions and what can be done with them. `undefined` stands for what is not known, and is
 * what every operation gives that has no answer. Numbers are doubles, and only finite ones are numbers.
 */

export type Value = boolean | number | string | readonly Value[] | Bag;
export interface Bag {
  readonly [key: string]: Value;
}
/** Marks a bag that may lack keys only because they could not be read. */
export const INCOMPLETE: unique symbol = Symbol('incomplete');

function isBag(value: Value | undefined): value is Bag {
  return typeof value === 'object' && !Array.isArray(value);
}

export function field(value: Value | undefined, key: Value | undefined): Value | undefined {
  if (!isBag(value) || typeof key !== 'string' || !Object.hasOwn(value, key)) return undefined;
  return value[key];
}

/** Present is true. Absent is false only where everything that is there could be read. */
export function has(value: Value | undefined, key: string): boolean | undefined {
  if (!isBag(value)) return undefined;
  if (Object.hasOwn(value, key)) return true;
  return INCOMPLETE in value ? undefined : false;
}

function equal(a: Value, b: Value): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((one, index) => equal(one, b[index] as Value));
  }
  return a === b;
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

function add(a: Value, b: Value): Value | undefined {
  if (typeof a === 'number' && typeof b === 'number') return finite(a + b);
  if (typeof a === 'string' && typeof b === 'string') return a + b;
  return undefined;
}

function isIn(item: Value, whole: Value): boolean | undefined {
  if (Array.isArray(whole)) return whole.some((one) => equal(one, item));
  return typeof item === 'string' ? has(whole, item) : undefined;
}

function compared(a: Value, b: Value): number | undefined {
  if (typeof a === 'object' || typeof b === 'object' || typeof a !== typeof b) return undefined;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export type Binary = (a: Value, b: Value) => Value | undefined;

function numeric(of: (a: number, b: number) => number): Binary {
  return (a, b) => (typeof a === 'number' && typeof b === 'number' ? finite(of(a, b)) : undefined);
}

function ordered(is: (sign: number) => boolean): Binary {
  return (a, b) => {
    const sign = compared(a, b);
    return sign === undefined ? undefined : is(sign);
  };
}

export const BINARY: Readonly<Record<string, Binary>> = {
  '==': equal,
  '!=': (a, b) => !equal(a, b),
  '<': ordered((sign) => sign < 0),
  '<=': ordered((sign) => sign <= 0),
  '>': ordered((sign) => sign > 0),
  '>=': ordered((sign) => sign >= 0),
  '+': add,
  '-': numeric((a, b) => a - b),
  '*': numeric((a, b) => a * b),
  '/': numeric((a, b) => a / b),
  '%': numeric((a, b) => a % b),
  in: isIn,
};

export const METHODS: Readonly<Record<string, (text: string, part: string) => boolean>> = {
  startsWith: (text, part) => text.startsWith(part),
  endsWith: (text, part) => text.endsWith(part),
  contains: (text, part) => text.includes(part),
};

export function size(value: Value | undefined): number | undefined {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  return isBag(value) ? Object.keys(value).length : undefined;
}
