/**
 * Evaluates checked CEL in three values. What is missing is `undefined`, and nothing built on it is true
 * or false unless it would be so whatever the missing value were: `false && x` is false, `x < 3` is not
 * known. This is CEL's own treatment of errors, without throwing, and with one kind of number (double).
 * Only a part of CEL is here: no regular expressions, no dates, no loops inside loops, so that the time
 * an expression takes is bounded by what it looks at. Parsing and types are `cel.ts`'s.
 */
import { BINARY, type Binary, field, has, METHODS, size, type Value } from './cel-values.ts';

/** What the names of an expression stand for. */
export type Scope = Readonly<Record<string, Value>>;
export type Expression = (scope: Scope) => Value | undefined;

/** The node of a parsed expression, as far as it is looked at. */
export interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly end: number;
}

/** Something in an expression that rules may not use. */
export interface Refused {
  readonly node: Node;
  readonly message: string;
  readonly mend: string;
}

export const FUNCTIONS: readonly string[] = [
  'has(x.y)',
  'size(x)',
  'x.startsWith(text)',
  'x.endsWith(text)',
  'x.contains(text)',
  'list.exists(one, condition)',
  'list.all(one, condition)',
];

/** `&&` for `stop` false, `||` for `stop` true: the one value that decides whatever the other is. */
function logical(stop: boolean, left: Expression, right: Expression): Expression {
  return (scope) => {
    const a = left(scope);
    if (a === stop) return stop;
    const b = right(scope);
    if (b === stop) return stop;
    return a === undefined || b === undefined ? undefined : !stop;
  };
}

/** What is being built: refusals are gathered, and whether a loop is open. */
interface Site {
  readonly refused: Refused[];
  readonly inLoop: boolean;
}

const NOTHING: Expression = () => undefined;

function refuse(site: Site, node: Node, message: string, mend: string): Expression {
  site.refused.push({ node, message, mend });
  return NOTHING;
}

function literal(node: Node, site: Site): Expression {
  const value: unknown = node.args;
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') {
    return () => value;
  }
  return refuse(
    site,
    node,
    'only numbers, texts, true and false stand in rules',
    'write one of those',
  );
}

function unary(of: Expression): Expression {
  return (scope) => {
    const value = of(scope);
    if (typeof value === 'boolean') return !value;
    return typeof value === 'number' ? -value : undefined;
  };
}

function binary(pure: Binary, left: Expression, right: Expression): Expression {
  return (scope) => {
    const a = left(scope);
    const b = right(scope);
    return a === undefined || b === undefined ? undefined : pure(a, b);
  };
}

function choice(condition: Expression, yes: Expression, no: Expression): Expression {
  return (scope) => {
    const value = condition(scope);
    if (value === undefined) return undefined;
    return value === true ? yes(scope) : no(scope);
  };
}

function operator(node: Node, site: Site): Expression {
  const { op, args } = node;
  if (op === '!_' || op === '-_') return unary(expression(args as Node, site));
  const pure = Object.hasOwn(BINARY, op) ? BINARY[op] : undefined;
  if (pure === undefined && op !== '?:' && op !== '&&' && op !== '||') {
    return refuse(site, node, `'${op}' is not for rules`, 'say it another way');
  }
  const [first = NOTHING, second = NOTHING, third = NOTHING] = (args as readonly Node[]).map(
    (one) => expression(one, site),
  );
  if (op === '?:') return choice(first, second, third);
  return pure === undefined ? logical(op === '||', first, second) : binary(pure, first, second);
}

interface Call {
  readonly name: string;
  readonly receiver: Node | undefined;
  readonly given: readonly Node[];
}

function callOf({ op, args }: Node): Call {
  const [name, of, rest] = args as readonly [string, Node | readonly Node[], Node[]?];
  return op === 'rcall'
    ? { name, receiver: of as Node, given: rest ?? [] }
    : { name, receiver: undefined, given: of as readonly Node[] };
}

/** Of a text and a part of it. */
function textual(node: Node, site: Site): Expression | undefined {
  const { name, receiver, given } = callOf(node);
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  const [part] = given;
  if (method === undefined || receiver === undefined || part === undefined) return undefined;
  const [whole, sought] = [expression(receiver, site), expression(part, site)];
  return (scope) => {
    const [a, b] = [whole(scope), sought(scope)];
    return typeof a === 'string' && typeof b === 'string' ? method(a, b) : undefined;
  };
}

/** `exists` is decided by one true, `all` by one false; else by what is not known. */
function loop(node: Node, site: Site): Expression | undefined {
  const { name, receiver, given } = callOf(node);
  const [variable, what] = given;
  if (name !== 'exists' && name !== 'all') return undefined;
  if (receiver === undefined || variable?.op !== 'id' || what === undefined) return undefined;
  if (site.inLoop) return refuse(site, node, 'a loop inside a loop', 'take the inner one out');
  const decides = name === 'exists';
  const list = expression(receiver, site);
  const condition = expression(what, { ...site, inLoop: true });
  const key = String(variable.args);
  return (scope) => {
    const items = list(scope);
    if (!Array.isArray(items)) return undefined;
    let doubt = false;
    for (const item of items) {
      const value = condition({ ...scope, [key]: item });
      if (value === decides) return decides;
      doubt ||= value === undefined;
    }
    return doubt ? undefined : !decides;
  };
}

function call(node: Node, site: Site): Expression {
  const { name, receiver, given } = callOf(node);
  const [first] = given;
  if (name === 'has' && receiver === undefined && first?.op === '.') {
    const [parent, key] = first.args as readonly [Node, string];
    const bag = expression(parent, site);
    return (scope) => has(bag(scope), key);
  }
  const measured = receiver ?? first;
  if (name === 'size' && measured !== undefined) {
    const of = expression(measured, site);
    return (scope) => size(of(scope));
  }
  const found = textual(node, site) ?? loop(node, site);
  return (
    found ?? refuse(site, node, `${name}() is not for rules`, `known: ${FUNCTIONS.join(', ')}`)
  );
}

function expression(node: Node, site: Site): Expression {
  const { op, args } = node;
  switch (op) {
    case 'value':
      return literal(node, site);
    case 'id': {
      const name = String(args);
      return (scope) => (Object.hasOwn(scope, name) ? scope[name] : undefined);
    }
    case '.': {
      const [of, key] = args as readonly [Node, string];
      const left = expression(of, site);
      return (scope) => field(left(scope), key);
    }
    case '[]': {
      const [of, at] = args as readonly [Node, Node];
      const [left, right] = [expression(of, site), expression(at, site)];
      return (scope) => field(left(scope), right(scope));
    }
    case 'list': {
      const items = (args as readonly Node[]).map((one) => expression(one, site));
      return (scope) => {
        const values = items.map((item) => item(scope));
        return values.every((value) => value !== undefined) ? values : undefined;
      };
    }
    case 'call':
    case 'rcall':
      return call(node, site);
    default:
      return operator(node, site);
  }
}

/** The evaluator of a checked expression, and what in it a rule may not use. */
export function build(node: Node): {
  readonly run: Expression;
  readonly refused: readonly Refused[];
} {
  const refused: Refused[] = [];
  return { run: expression(node, { refused, inLoop: false }), refused };
}
