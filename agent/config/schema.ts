/**
 * Checks a value against the published schema, and turns each of the validator's findings into a path
 * and a sentence. What one value alone cannot show (order, references, counts) is `cross.ts`'s.
 */
import { readFile } from 'node:fs/promises';
import { Ajv, type ErrorObject } from 'ajv';
import { nearest } from '../../rules/near.ts';
import { type Path, shown, shownValue } from './problems.ts';
import { durationMs, FORMATS } from './words.ts';

/** Shipped beside `dist/`. */
export const SCHEMA_FILE: URL = new URL('../../../schema/nospof.schema.json', import.meta.url);

/** The parts of JSON schema this project uses. */
export interface Schema {
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly 'x-mend'?: string;
  readonly 'x-duration'?: { readonly min: string; readonly max: string };
}

export interface Finding {
  readonly path: Path;
  /** Whether the key or the value of the path is at fault. */
  readonly of: 'key' | 'value';
  readonly message: string;
  readonly mend: string;
}

export function finding(
  path: Path,
  message: string,
  mend: string,
  of: 'key' | 'value' = 'value',
): Finding {
  return { path, of, message, mend };
}

export async function readSchema(): Promise<Schema> {
  return JSON.parse(await readFile(SCHEMA_FILE, 'utf8')) as Schema;
}

function durationFits(
  bounds: { readonly min: string; readonly max: string },
  text: string,
): boolean {
  const value = durationMs(text);
  if (value === undefined) return true;
  return value >= (durationMs(bounds.min) ?? 0) && value <= (durationMs(bounds.max) ?? 0);
}

function compiled(schema: Schema): (value: unknown) => readonly ErrorObject[] {
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    ownProperties: true,
    messages: false,
    strict: true,
    strictTypes: false,
    meta: false,
    validateSchema: false,
    logger: false,
  });
  for (const [name, complaint] of Object.entries(FORMATS)) {
    ajv.addFormat(name, (text: string) => complaint(text) === undefined);
  }
  ajv.addKeyword({ keyword: 'x-duration', type: 'string', validate: durationFits, errors: false });
  ajv.addVocabulary(['x-mend']);
  const validate = ajv.compile(schema);
  return (value) => (validate(value) ? [] : (validate.errors ?? []));
}

function pointerPath(pointer: string, root: unknown): Path {
  let at = root;
  return pointer
    .split('/')
    .slice(1)
    .map((part) => {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
      const step = Array.isArray(at) ? Number(key) : key;
      at = (at as Readonly<Record<string | number, unknown>> | null)?.[step];
      return step;
    });
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  integer: 'a whole number',
  number: 'a number',
  object: 'a map of keys and values',
  string: 'text',
};

function resolved(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.replace('#/definitions/', '');
  const target = name === undefined ? undefined : root.definitions?.[name];
  return target === undefined ? schema : { ...target, ...schema };
}

type Sentence = readonly [message: string, mend: string];

/** A number or a truth value where text is meant: quotes mend it when the quoted text would be good. */
function typeSentence(value: unknown, schema: Schema): Sentence {
  const { type = '', pattern = '' } = schema;
  const quoted = typeof value === 'object' ? '' : String(value);
  const quote = type === 'string' && quoted !== '' && new RegExp(pattern, 'u').test(quoted);
  return [
    `must be ${TYPE_WORDS[type] ?? type}, not ${shownValue(value)}`,
    quote ? `put it into quotes, if it is meant: '${quoted}'` : (schema['x-mend'] ?? ''),
  ];
}

function keySentence(key: string, schema: Schema): Sentence {
  const known = Object.keys(schema.properties ?? {});
  const near = nearest(key, known);
  return [
    `unknown key ${shown(key)}`,
    near === undefined ? `known here: ${known.join(', ')}` : `did you mean '${near}'?`,
  ];
}

function missingSentence(key: string, schema: Schema, root: Schema): Sentence {
  const part = schema.properties?.[key];
  const example = part === undefined ? undefined : resolved(part, root).examples?.[0];
  const value = typeof example === 'string' ? `'${example}'` : JSON.stringify(example ?? '...');
  return [`'${key}' is missing`, `add ${key}: ${value.replaceAll('"', "'")}`];
}

function enumSentence(value: unknown, allowed: readonly unknown[]): Sentence {
  const words = allowed.map(String);
  const near = typeof value === 'string' ? nearest(value, words) : undefined;
  return [
    `${shownValue(value)} is none of ${words.join(', ')}`,
    near === undefined ? `write ${words[0] ?? ''}, for example` : `did you mean '${near}'?`,
  ];
}

function sentence(error: ErrorObject, root: Schema): Sentence {
  const schema = (error.parentSchema ?? {}) as Schema;
  const mend = schema['x-mend'] ?? '';
  const value: unknown = error.data;
  if (value === null) return ['has no value', mend || 'give it one, or remove the line'];
  switch (error.keyword) {
    case 'additionalProperties':
      return keySentence(String(error.params.additionalProperty), schema);
    case 'required':
      return missingSentence(String(error.params.missingProperty), schema, root);
    case 'type':
      return typeSentence(value, schema);
    case 'enum':
      return enumSentence(value, schema.enum ?? []);
    case 'anyOf':
      return [`cannot be ${shownValue(value)}`, mend];
    case 'minimum':
      return [`${shownValue(value)} is too small`, `write ${schema.minimum} or more`];
    case 'maximum':
      return [`${shownValue(value)} is too large`, `write ${schema.maximum} or less`];
    case 'minLength':
      return ['is empty', mend];
    case 'maxLength':
      return [`is longer than ${schema.maxLength} characters`, 'shorten it'];
    case 'minItems':
      return ['is empty', mend];
    case 'maxItems':
      return [`has more than ${schema.maxItems} entries`, 'shorten it, or use a *'];
    case 'maxProperties':
      return ['has too many keys', 'shorten it'];
    case 'x-duration': {
      const { min = '', max = '' } = schema['x-duration'] ?? {};
      return [`${shownValue(value)} is out of bounds`, `write ${min} to ${max}`];
    }
    case 'format': {
      const complaint = FORMATS[String(error.params.format)]?.(String(value));
      return [complaint?.message ?? 'is not right', complaint?.mend ?? mend];
    }
    default:
      return [`${shownValue(value)} is not right`, mend];
  }
}

/** Of alternatives only the one that the value was meant to be is explained; none is: the whole is. */
function meant(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const dropped = new Set<ErrorObject>();
  for (const whole of errors.filter((error) => error.keyword === 'anyOf')) {
    const branches = new Map<string, ErrorObject[]>();
    for (const error of errors) {
      if (!error.schemaPath.startsWith(`${whole.schemaPath}/`)) continue;
      const at = error.instancePath;
      if (at !== whole.instancePath && !at.startsWith(`${whole.instancePath}/`)) continue;
      const branch = error.schemaPath.slice(whole.schemaPath.length + 1).split('/', 1)[0] ?? '';
      branches.set(branch, [...(branches.get(branch) ?? []), error]);
    }
    const wrong = (error: ErrorObject): boolean =>
      error.instancePath === whole.instancePath && /^(type|enum)$/u.test(error.keyword);
    const right = [...branches.values()].filter((branch) => !branch.some(wrong));
    const kept = right.length === 1 ? new Set(right[0]) : new Set([whole]);
    for (const error of [whole, ...[...branches.values()].flat()]) {
      if (!kept.has(error)) dropped.add(error);
    }
  }
  return errors.filter((error) => !dropped.has(error));
}

/** Keys that are missing because they are there with a typing error, which is reported already. */
function mistyped(errors: readonly ErrorObject[]): ReadonlySet<string> {
  const meantKeys = new Set<string>();
  for (const error of errors) {
    if (error.keyword !== 'additionalProperties') continue;
    const known = Object.keys((error.parentSchema as Schema).properties ?? {});
    const near = nearest(String(error.params.additionalProperty), known);
    if (near !== undefined) meantKeys.add(JSON.stringify([error.instancePath, near]));
  }
  return meantKeys;
}

function findingOf(error: ErrorObject, value: unknown, root: Schema): Finding {
  const [message, mend] = sentence(error, root);
  const path = pointerPath(error.instancePath, value);
  if (error.keyword !== 'additionalProperties') return { path, of: 'value', message, mend };
  return { path: [...path, String(error.params.additionalProperty)], of: 'key', message, mend };
}

/** Makes the check. Findings are one for each fault, in no order. */
export function schemaCheck(root: Schema): (value: unknown) => readonly Finding[] {
  const check = compiled(root);
  return (value) => {
    const seen = new Set<string>();
    const findings: Finding[] = [];
    const errors = check(value);
    const typos = mistyped(errors);
    for (const error of meant(errors)) {
      const missing = error.keyword === 'required' ? String(error.params.missingProperty) : '';
      if (typos.has(JSON.stringify([error.instancePath, missing]))) continue;
      const finding = findingOf(error, value, root);
      const mark = JSON.stringify([finding.path, missing]);
      if (seen.has(mark)) continue;
      seen.add(mark);
      findings.push(finding);
    }
    return findings;
  };
}
