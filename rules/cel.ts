/**
 * The language of conditions. The library parses and checks types; what it found is evaluated by
 * `cel-eval.ts`. This is the only file of the core that imports a package, and it runs when rules are
 * loaded, never in a step.
 *
 * One kind of number: every literal becomes a double here, as all gauges and counts are, so that
 * `rpm == 0` and `rpm < 600` mean what they say. Whole-number division does not exist.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { build, type Expression, FUNCTIONS, type Node } from './cel-eval.ts';
import { nearest } from './near.ts';
import type { Subject } from './rule.ts';
import { ENUMERATIONS, TYPES, type TypeName, UTILITY_VARIABLES, VARIABLES } from './views.ts';

export interface CelProblem {
  readonly message: string;
  readonly mend: string;
  /** Place in the expression, from 0. */
  readonly start: number;
  readonly end: number;
}

export interface Compiled {
  readonly text: string;
  readonly type: string;
  readonly run: Expression;
  /** What it reads, each as it is written: `component.gauges.rpm`. */
  readonly paths: readonly { readonly path: string; readonly run: Expression }[];
  /** Of a utility: the things it names, `['component', 'fan/1']`. */
  readonly items: readonly (readonly [map: string, id: string])[];
}

export type CelResult =
  | { readonly ok: true; readonly compiled: Compiled }
  | { readonly ok: false; readonly problem: CelProblem };

export const EXPRESSION_LENGTH_MAX = 2000;
const LIMITS = {
  maxAstNodes: 1000,
  maxDepth: 50,
  maxListElements: 200,
  maxMapEntries: 1,
  maxCallArguments: 4,
};

/** Numbers meet as doubles; only `size()` still gives the library's other kind. */
const MIXED = ['double == int', 'double + int', 'int + double', 'double - int', 'int - double'];

/** What an expression is written for: a rule on a kind of thing, or the utility of a hierarchy. */
export type ExpressionKind = Subject['kind'] | 'utility';

export function variablesOf(kind: ExpressionKind): readonly string[] {
  return kind === 'utility' ? UTILITY_VARIABLES : VARIABLES[kind];
}

function environmentOf(kind: ExpressionKind): Environment {
  const environment = new Environment({ unlistedVariablesAreDyn: false, limits: LIMITS });
  for (const [name, fields] of Object.entries(TYPES)) environment.registerType(name, { fields });
  for (const name of variablesOf(kind)) {
    const type = typeOf(name);
    environment.registerVariable(name, kind === 'utility' ? `map<string, ${type}>` : type);
  }
  for (const signature of MIXED) environment.registerOperator(signature, () => false);
  return environment;
}

function typeOf(variable: string): TypeName {
  return `${variable.slice(0, 1).toUpperCase()}${variable.slice(1)}` as TypeName;
}

const ENVIRONMENTS = new Map<ExpressionKind, Environment>();

function environment(kind: ExpressionKind): Environment {
  const known = ENVIRONMENTS.get(kind) ?? environmentOf(kind);
  ENVIRONMENTS.set(kind, known);
  return known;
}

/** Every node below and including this one. */
function nodesOf(root: Node): readonly Node[] {
  const found: Node[] = [];
  const work: unknown[] = [root];
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    if (Array.isArray(next)) work.push(...next);
    else if (typeof next === 'object' && next !== null && 'op' in next && 'args' in next) {
      const node = next as Node;
      found.push(node);
      work.push(node.args);
    }
  }
  return found;
}

/** The one place where numbers are converted. */
function makeDoubles(nodes: readonly Node[]): void {
  for (const node of nodes) {
    if (node.op === 'value' && typeof node.args === 'bigint') {
      (node as { args: unknown }).args = Number(node.args);
    }
  }
}

/** `component.gauges.rpm` where a node is nothing but names; undefined elsewhere. */
function pathOf(node: Node): string | undefined {
  if (node.op === 'id') return String(node.args);
  if (node.op !== '.') return undefined;
  const [of, key] = node.args as readonly [Node, string];
  const left = pathOf(of);
  return left === undefined ? undefined : `${left}.${key}`;
}

/** `component["fan/1"]`: the map and the id, where both are written out. */
function itemOf({ op, args }: Node): readonly [map: string, id: string] | undefined {
  if (op !== '[]') return undefined;
  const [of, at] = args as readonly [Node, Node];
  if (of.op !== 'id' || at.op !== 'value' || typeof at.args !== 'string') return undefined;
  return [String(of.args), at.args];
}

/** `component.health` of `component["fan/1"].health`: what states are compared by. */
function shapeOf(node: Node): string | undefined {
  const path = pathOf(node);
  if (path !== undefined || node.op !== '.') return path;
  const [of, key] = node.args as readonly [Node, string];
  const left = itemOf(of)?.[0] ?? shapeOf(of);
  return left === undefined ? undefined : `${left}.${key}`;
}

/** The things a utility names. */
function itemsOf(nodes: readonly Node[]): Compiled['items'] {
  const items = nodes.flatMap((node) => {
    const item = itemOf(node);
    return item === undefined ? [] : [[item.join('\0'), item] as const];
  });
  return [...new Map(items).values()];
}

function pathsOf(nodes: readonly Node[], names: readonly string[]): Compiled['paths'] {
  const inner = new Set(
    nodes.flatMap((node) => (node.op === '.' ? [(node.args as readonly Node[])[0]] : [])),
  );
  const paths = new Map<string, Expression>();
  for (const node of nodes) {
    const path = inner.has(node) ? undefined : pathOf(node);
    const root = path?.split('.', 1)[0] ?? '';
    if (path?.includes('.') && names.includes(root)) paths.set(path, build(node).run);
  }
  return [...paths].map(([path, run]) => ({ path, run }));
}

/** Words a state is compared with, where it is compared with words that are written out. */
function comparisons(nodes: readonly Node[]): readonly (readonly [string, Node])[] {
  return nodes.flatMap((node): readonly (readonly [string, Node])[] => {
    if (node.op !== '==' && node.op !== '!=' && node.op !== 'in') return [];
    const [left, right] = node.args as readonly [Node, Node];
    const words = right.op === 'list' ? (right.args as readonly Node[]) : [right];
    const pairs = words.map((word) => [shapeOf(left) ?? '', word] as const);
    return node.op === 'in' ? pairs : [...pairs, [shapeOf(right) ?? '', left]];
  });
}

function wrongWord(nodes: readonly Node[]): CelProblem | undefined {
  for (const [path, { op, args, start, end }] of comparisons(nodes)) {
    const words = ENUMERATIONS[path];
    if (words === undefined || op !== 'value' || words.includes(String(args))) continue;
    const known = `${path.split('.', 1)[0]}.known`;
    if (args === 'unknown') {
      return { message: `${path} is never 'unknown'`, mend: `write !${known}`, start, end };
    }
    const near = nearest(String(args), words);
    const mend =
      near === undefined ? `it is one of ${words.join(', ')}` : `did you mean '${near}'?`;
    return { message: `${path} is never '${String(args)}'`, mend, start, end };
  }
  return undefined;
}

/** What the library says, and the names it could have been. */
function mendOf(message: string, kind: ExpressionKind, nodes: readonly Node[], at: number): string {
  const variable = /^Unknown variable: (\S+)$/u.exec(message)?.[1];
  if (variable !== undefined) return `known here: ${variablesOf(kind).join(', ')}`;
  const key = /^No such key: (\S+)$/u.exec(message)?.[1];
  if (key !== undefined) {
    const node = nodes.find((one) => one.op === '.' && one.end > at && one.start <= at);
    const parent =
      node === undefined ? undefined : shapeOf((node.args as readonly Node[])[0] as Node);
    const fields = Object.keys(fieldsOf(parent ?? ''));
    const near = nearest(key, fields);
    const list = `${parent ?? ''} has ${fields.join(', ')}`;
    return near === undefined ? list : `did you mean '${near}'? ${list}`;
  }
  if (message.includes('matching overload')) return `known: ${FUNCTIONS.join(', ')}`;
  if (message.includes('no such overload')) return 'compare like with like: numbers, texts, lists';
  return '';
}

function fieldsOf(path: string): Readonly<Record<string, string>> {
  const [root = '', ...keys] = path.split('.');
  let type: string = typeOf(root);
  for (const key of keys) type = TYPES[type as TypeName]?.[key] ?? '';
  return TYPES[type as TypeName] ?? {};
}

interface LibraryError {
  readonly summary?: string;
  readonly message: string;
  readonly range?: { readonly start: number; readonly end: number };
}

function problemOf(
  thrown: unknown,
  kind: ExpressionKind,
  nodes: readonly Node[],
  length: number,
): CelProblem {
  const error = thrown as LibraryError;
  const message = error.summary ?? error.message;
  const start = Math.min(error.range?.start ?? 0, length);
  const end = Math.max(start, Math.min(error.range?.end ?? length, length));
  return { message, mend: mendOf(message, kind, nodes, start), start, end };
}

function failed(problem: CelProblem): CelResult {
  return { ok: false, problem };
}

/** Why what an expression gives is not what it must give. */
function wrongType(
  given: string,
  type: 'bool' | 'any' | 'number',
): Omit<CelProblem, 'start' | 'end'> | undefined {
  if (type === 'bool' && given !== 'bool') {
    return { message: `is a ${given}, not true or false`, mend: 'compare it with something' };
  }
  if (type === 'number' && given !== 'double' && given !== 'bool') {
    return { message: `is a ${given}, not a number`, mend: 'write CONDITION ? 1 : 0' };
  }
  return undefined;
}

/** Compiles an expression over the names a subject of this kind has. `type` is what it must give. */
export function compile(
  text: string,
  kind: ExpressionKind,
  type: 'bool' | 'any' | 'number',
): CelResult {
  const whole = { start: 0, end: text.length };
  if (text.trim() === '')
    return failed({ message: 'is empty', mend: 'write a condition', ...whole });
  if (text.length > EXPRESSION_LENGTH_MAX) {
    const message = `is longer than ${EXPRESSION_LENGTH_MAX} characters`;
    return failed({ message, mend: 'make it two rules', ...whole });
  }
  let nodes: readonly Node[] = [];
  try {
    const parsed = environment(kind).parse(text);
    const root = parsed.ast satisfies ASTNode as Node;
    nodes = nodesOf(root);
    makeDoubles(nodes);
    const { run, refused } = build(root);
    const [first] = refused;
    if (first !== undefined) {
      const { node, message, mend } = first;
      return failed({ message, mend, start: node.start, end: node.end });
    }
    const checked = parsed.check();
    if (!checked.valid) return failed(problemOf(checked.error, kind, nodes, text.length));
    const given = checked.type ?? '';
    const mistyped = wrongType(given, type);
    if (mistyped !== undefined) return failed({ ...mistyped, ...whole });
    const wrong = wrongWord(nodes);
    if (wrong !== undefined) return failed(wrong);
    const paths = pathsOf(nodes, variablesOf(kind));
    const items = kind === 'utility' ? itemsOf(nodes) : [];
    return { ok: true, compiled: { text, type: given, run, paths, items } };
  } catch (error) {
    return failed(problemOf(error, kind, nodes, text.length));
  }
}
