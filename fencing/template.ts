/**
 * Object identifiers and lines of text made from an outlet's numbers. A template is data of a profile:
 * `{outlet}` is the number, `{outlet+1}` one more. What a template leaves open it says; nothing is
 * filled with a default, because a missing number may address every outlet at once.
 */

export type Numbers = Readonly<Record<string, number>>;

export type Filled =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly why: string };

export interface Slot {
  readonly name: string;
  readonly add: number;
}

const SLOT = /\{([a-z]{1,16})(?:\+([0-9]{1,3}))?\}/gu;
const OID = /^[0-2](?:\.(?:0|[1-9][0-9]{0,9})){1,63}$/u;

/** A complete numeric object identifier without a leading dot. */
export function isOid(text: string): boolean {
  return OID.test(text);
}

/** `prefix` is `oid` or one of its ancestors. */
export function below(oid: string, prefix: string): boolean {
  return oid === prefix || oid.startsWith(`${prefix}.`);
}

/** The open places of a template, in order. */
export function slotsOf(template: string): readonly Slot[] {
  return [...template.matchAll(SLOT)].map(([, name = '', add = '0']) => ({
    name,
    add: Number(add),
  }));
}

/** Puts numbers into a template; refuses what stays open. */
export function fillNumbers(template: string, numbers: Numbers): Filled {
  let missing: string | undefined;
  const text = template.replaceAll(SLOT, (whole, name: string, add: string | undefined) => {
    const value = numbers[name];
    if (value === undefined) {
      missing ??= name;
      return whole;
    }
    return String(value + Number(add ?? 0));
  });
  if (missing !== undefined) return { ok: false, why: `nothing is known for {${missing}}` };
  return { ok: true, text };
}

/**
 * The object of one outlet: a column gets the instance as its last numbers, a template has its places
 * filled.
 */
export function objectOf(column: string, instance: string, numbers: Numbers): Filled {
  if (!column.includes('{')) return { ok: true, text: `${column}.${instance}` };
  const filled = fillNumbers(column, numbers);
  if (!filled.ok || isOid(filled.text)) return filled;
  return { ok: false, why: `${filled.text} is no object identifier` };
}

/** The object whose text holds all outlets of a unit: no instance is appended, only places are filled. */
export function listObjectOf(object: string, numbers: Numbers): Filled {
  return object.includes('{') ? objectOf(object, '', numbers) : { ok: true, text: object };
}

/** Puts words into a line that is sent. Unknown words are refused when the profile is loaded. */
export function fillWords(template: string, words: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{([a-z]{1,16})\}/gu, (whole, name: string) => words[name] ?? whole);
}

/** The words a line asks for. */
export function wordsOf(template: string): readonly string[] {
  return [...template.matchAll(/\{([^}]{0,40})\}/gu)].map(([, name = '']) => name);
}
