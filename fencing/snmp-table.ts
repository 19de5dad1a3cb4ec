/**
 * From the objects of one outlet to its state. The world is closed: only a value that the profile lists
 * as off, with every further column saying that it may be believed, is off. A missing instance, another
 * type, another name and a value in no list are all unknown, each with its reason.
 */
import type { Address } from './outlet.ts';
import {
  type CheckColumn,
  type ListEdit,
  type SnmpTable,
  type StateColumn,
  valueWord,
} from './profile.ts';
import type { OutletState } from './reply.ts';
import { listObjectOf, type Numbers, objectOf } from './template.ts';

/** One object of an answer. `missing` is an answer too: noSuchObject, noSuchInstance, endOfMibView. */
export type Bind =
  | { readonly oid: string; readonly kind: 'number'; readonly value: number }
  | { readonly oid: string; readonly kind: 'text'; readonly value: string }
  | { readonly oid: string; readonly kind: 'oid'; readonly value: string }
  | { readonly oid: string; readonly kind: 'missing'; readonly what: string };

/** An outlet, found: where it is and which name it must show. */
export interface Target {
  readonly outlet: string;
  readonly address: Address;
  readonly name: string | undefined;
}

/** The objects that tell of one outlet; undefined where the profile has no such column. */
export interface Objects {
  readonly state: string;
  readonly feedback: string | undefined;
  readonly name: string | undefined;
  readonly checks: readonly { readonly check: CheckColumn; readonly oid: string }[];
}

export interface Judgement {
  readonly state: OutletState;
  readonly why: string;
  /** It may still change by itself. */
  readonly moving: boolean;
  /** Why no order may be sent: another name, a lock, an outlet that cannot be switched. */
  readonly blocked: string | undefined;
}

/** Where the objects of an outlet are; a text says why there are none. */
export function objectsOf(
  table: SnmpTable,
  { address, name }: Target,
  product: Numbers,
): Objects | string {
  const numbers = { ...address.numbers, ...product };
  let trouble: string | undefined;
  const told = (filled: ReturnType<typeof objectOf>): string => {
    if (filled.ok) return filled.text;
    trouble ??= filled.why;
    return '';
  };
  const at = (column: string): string => told(objectOf(column, address.instance, numbers));
  const state = (column: StateColumn): string =>
    column.list === undefined ? at(column.oid) : told(listObjectOf(column.oid, numbers));
  const objects: Objects = {
    state: state(table.state),
    feedback: table.feedback === undefined ? undefined : state(table.feedback),
    name: name === undefined || table.names === undefined ? undefined : at(table.names),
    checks: (table.checks ?? []).map((check) => ({ check, oid: at(check.oid) })),
  };
  if (name !== undefined && table.names === undefined) return 'the device has no column of names';
  return trouble ?? objects;
}

/** Every object to ask for, each once. */
export function asked(objects: Objects, skipped: ReadonlySet<string>): readonly string[] {
  const all = [
    objects.state,
    objects.feedback,
    objects.name,
    ...objects.checks.map(({ oid }) => oid),
  ].filter((oid) => oid !== undefined && !skipped.has(oid));
  return [...new Set(all)] as readonly string[];
}

/** The position of an outlet in a list that one text holds. */
export function listPlace(list: ListEdit, numbers: Numbers): number {
  return (numbers.outlet ?? Number.NaN) - 1 + list.first;
}

interface Shown {
  readonly text: string | undefined;
  readonly why: string;
}

function shown(bind: Bind | undefined, column: StateColumn, numbers: Numbers): Shown {
  if (bind === undefined) return { text: undefined, why: 'was not answered' };
  if (bind.kind === 'missing') return { text: undefined, why: `does not exist (${bind.what})` };
  if (column.list !== undefined) {
    if (bind.kind !== 'text') return { text: undefined, why: 'is no text' };
    const parts = bind.value.split(column.list.separator);
    const part = parts[listPlace(column.list, numbers)]?.trim();
    if (part === undefined) return { text: undefined, why: `has only ${parts.length} entries` };
    return { text: part, why: part };
  }
  const textual = Object.values(column.values)
    .flat()
    .some((value) => typeof value === 'string');
  if (bind.kind !== (textual ? 'text' : 'number')) {
    return { text: undefined, why: `is ${bind.kind === 'number' ? 'a number' : 'no number'}` };
  }
  return { text: String(bind.value), why: String(bind.value) };
}

interface Part {
  readonly word: 'on' | 'off' | 'moving' | 'unknown';
  readonly why: string;
}

function stateOf(
  label: string,
  column: StateColumn,
  bind: Bind | undefined,
  numbers: Numbers,
): Part {
  const { text, why } = shown(bind, column, numbers);
  if (text === undefined) return { word: 'unknown', why: `${label} ${why}` };
  const word = valueWord(column.values, text);
  const short = text.slice(0, 40).replace(/[^\x20-\x7e]/gu, '?');
  if (word === undefined) return { word: 'unknown', why: `${label} ${short} is no known value` };
  const said = `${label} ${short} (${word})`;
  return { word: word === 'error' ? 'unknown' : word, why: said };
}

function isGood({ good }: CheckColumn, bind: Bind | undefined): boolean {
  if (bind === undefined || bind.kind === 'missing') return false;
  return good.some((value) => String(value) === String(bind.value));
}

function shownCheck({ as }: CheckColumn, bind: Bind | undefined): string {
  if (bind === undefined) return `${as} was not answered`;
  if (bind.kind === 'missing') return `${as} does not exist (${bind.what})`;
  return `${as} ${String(bind.value)
    .slice(0, 40)
    .replace(/[^\x20-\x7e]/gu, '?')}`;
}

function nameTrouble(target: Target, bind: Bind | undefined): string | undefined {
  if (target.name === undefined) return undefined;
  if (bind?.kind !== 'text') return 'its name could not be read';
  if (bind.value.trim() === target.name.trim()) return undefined;
  const found = bind.value
    .trim()
    .slice(0, 40)
    .replace(/[^\x20-\x7e]/gu, '?');
  return `the device names it '${found}', not '${target.name}'`;
}

/** A check that does not show a good value, in words; undefined when it does, or need not. */
function checkTrouble(
  check: CheckColumn,
  bind: Bind | undefined,
  skipped: boolean,
): string | undefined {
  const lacking = bind?.kind === 'missing' && bind.what !== 'endOfMibView';
  if (check.optional === true && (skipped || lacking)) return undefined;
  return isGood(check, bind) ? undefined : shownCheck(check, bind);
}

/** What a bad check makes of a state. */
function darkened(word: Part['word'], as: CheckColumn['as']): Part['word'] {
  if (as === 'lock' || as === 'switchable') return word;
  return as === 'pending' && word !== 'unknown' ? 'moving' : 'unknown';
}

/** The state of one outlet from what was answered. */
export function judge(
  table: SnmpTable,
  target: Target,
  objects: Objects,
  binds: ReadonlyMap<string, Bind>,
  skipped: ReadonlySet<string>,
): Judgement {
  const { numbers } = target.address;
  const wrongName = nameTrouble(target, binds.get(objects.name ?? ''));
  if (wrongName !== undefined) {
    return { state: 'unknown', why: wrongName, moving: false, blocked: wrongName };
  }
  const state = stateOf('state', table.state, binds.get(objects.state), numbers);
  const whys = [state.why];
  let { word } = state;
  let blocked: string | undefined;
  if (table.feedback !== undefined) {
    const sensed = stateOf('feedback', table.feedback, binds.get(objects.feedback ?? ''), numbers);
    whys.push(sensed.why);
    if (sensed.word !== word) word = sensed.word === 'unknown' ? 'unknown' : 'moving';
  }
  for (const { check, oid } of objects.checks) {
    const trouble = checkTrouble(check, binds.get(oid), skipped.has(oid));
    if (trouble === undefined) continue;
    whys.push(trouble);
    word = darkened(word, check.as);
    if (check.as === 'lock' || check.as === 'switchable') blocked ??= trouble;
  }
  const moving = word === 'moving';
  return { state: word === 'moving' ? 'unknown' : word, why: whys.join(', '), moving, blocked };
}
