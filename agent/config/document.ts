/**
 * From text to a value that remembers where everything stands. Decides what YAML is accepted: version
 * 1.2, one document, text keys, no tags, no key twice, and bounded in depth, size and aliases before
 * anything recursive sees it (a stack overflow inside a regular expression ends the process).
 */
import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Pair,
  Parser,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { fileProblem, type Path, type Problem, shown } from './problems.ts';

/** Bounds far above any real file: a nesting of 7 and some thousand parts. */
const DEPTH_MAX = 64;
const PARTS_MAX = 200_000;
const KEYS_MAX = 1000;
const ALIASES_MAX = 100;
/** After a syntax error the rest is guesswork; more than these would be echoes. */
const SYNTAX_ERRORS_MAX = 10;

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Reading {
  readonly value: unknown;
  /** Place of a value, or of its key; the nearest place above it when it is not in the file. */
  readonly place: (path: Path, of: 'key' | 'value') => Place;
}

export type DocumentResult =
  | { readonly ok: true; readonly reading: Reading; readonly problems: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const STAR_MEND = 'put a text that starts with * into quotes';
/** How to mend what the YAML parser complains of, by its code. */
const SYNTAX_MENDS: Readonly<Record<string, string>> = {
  ALIAS_PROPS: STAR_MEND,
  BAD_ALIAS: STAR_MEND,
  BAD_INDENT: 'check the indentation and that each [ and { is closed',
  BAD_SCALAR_START: 'put this text into quotes',
  BLOCK_AS_IMPLICIT_KEY: "start a new line, or put a text that holds ': ' into quotes",
  IMPOSSIBLE: 'simplify this part',
  MISSING_CHAR: 'close the quote or bracket, or put a space after the colon',
  MULTILINE_IMPLICIT_KEY: 'a key needs a colon and a space after it',
  NON_STRING_KEY: 'a key is a plain word',
  RESOURCE_EXHAUSTION: 'simplify this part',
  TAB_AS_INDENT: 'indent with spaces',
  TAG_RESOLVE_FAILED: 'remove the tag, or put a text that starts with ! into quotes',
  UNEXPECTED_TOKEN: 'check the brackets, commas and quotes before it',
};

interface Tokens {
  readonly tokens: readonly Parameters<Composer['next']>[0][];
  readonly tooMuch: { readonly offset: number; readonly message: string } | undefined;
}

function tokensOf(text: string, counter: LineCounter): Tokens {
  const parser = new Parser(counter.addNewLine);
  const tokens: Tokens['tokens'][number][] = [];
  let parts = 0;
  counter.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    const { offset } = parser;
    for (const token of parser.next(lexeme)) tokens.push(token);
    parts += 1;
    if (parser.stack.length > DEPTH_MAX) {
      return { tokens, tooMuch: { offset, message: `is nested deeper than ${DEPTH_MAX} levels` } };
    }
    if (parts > PARTS_MAX) {
      return { tokens, tooMuch: { offset, message: `has more than ${PARTS_MAX} parts` } };
    }
  }
  for (const token of parser.end()) tokens.push(token);
  return { tokens, tooMuch: undefined };
}

type Report = (offset: number, message: string, mend: string) => void;

function keyText(pair: Pair): string | undefined {
  return isScalar(pair.key) ? String(pair.key.value) : undefined;
}

function startOf(node: unknown): number | undefined {
  return (node as { readonly range?: readonly [number, number, number] | null } | null)?.range?.[0];
}

/** The parser's own check compares each key with each: this one is linear, and names the first. */
function reviewMap(map: YAMLMap, counter: LineCounter, report: Report): void {
  const first = new Map<string, number>();
  for (const pair of map.items) {
    const key = keyText(pair);
    const offset = startOf(pair.key) ?? 0;
    if (key === undefined) continue;
    const before = first.get(key);
    if (before === undefined) first.set(key, offset);
    else {
      const { line } = counter.linePos(before);
      report(offset, `key ${shown(key)} is here twice`, `keep one; the first is on line ${line}`);
    }
  }
  if (map.items.length > KEYS_MAX) {
    report(startOf(map) ?? 0, `more than ${KEYS_MAX} keys`, 'check what wrote this file');
  }
}

function reviewDocument(document: Document.Parsed, counter: LineCounter, report: Report): void {
  if (document.directives.yaml.version !== '1.2') {
    report(0, `YAML ${document.directives.yaml.version} is not read`, 'remove the %YAML line');
  }
  visit(document, { Map: (_, map) => reviewMap(map, counter, report) });
}

/** Aliases that lead nowhere; the parser finds them only when the value is made, without their place. */
function reviewAliases(document: Document.Parsed, report: Report): void {
  const anchors = new Set<string>();
  visit(document, {
    Alias: (_, alias) => {
      if (alias.source === '' || anchors.has(alias.source)) return;
      report(startOf(alias) ?? 0, `nothing above has the anchor ${shown(alias.source)}`, STAR_MEND);
    },
    Value: (_, node) => {
      if (node.anchor !== undefined) anchors.add(node.anchor);
    },
  });
}

function firstAlias(document: Document.Parsed): number {
  let offset = 0;
  visit(document, {
    Alias: (_, alias) => {
      offset = startOf(alias) ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

function followed(node: unknown, document: Document.Parsed): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function offsetOf(document: Document.Parsed, path: Path, of: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, part] of path.entries()) {
    const within = followed(node, document);
    let key: unknown;
    if (isMap(within)) {
      const pair = within.items.findLast((item) => keyText(item) === String(part));
      if (pair === undefined) return offset;
      key = pair.key;
      node = pair.value;
    } else if (isSeq(within)) {
      node = within.items[Number(part)];
    } else {
      return offset;
    }
    const last = depth === path.length - 1;
    const empty = isScalar(node) && node.value === null;
    offset = startOf(key !== undefined && ((last && of === 'key') || empty) ? key : node) ?? offset;
  }
  return offset;
}

function plainMessage(error: YAMLError): string {
  if (error.code === 'NON_STRING_KEY') return 'a key that is not text';
  const message = error.message.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '?').slice(0, 120);
  return `${message.slice(0, 1).toLowerCase()}${message.slice(1)}`;
}

/** Reads the text of a file. Problems with `ok` true leave a value worth checking further. */
export function readDocument(file: string, text: string): DocumentResult {
  const counter = new LineCounter();
  const problems: Problem[] = [];
  const report: Report = (offset, message, mend) => {
    const { line, col } = counter.linePos(offset);
    problems.push({
      file,
      line: Math.max(1, line),
      column: Math.max(1, col),
      path: '',
      message,
      mend,
    });
  };
  const { tokens, tooMuch } = tokensOf(text, counter);
  if (tooMuch !== undefined) {
    report(tooMuch.offset, tooMuch.message, 'simplify this part');
    return { ok: false, problems };
  }
  const composer = new Composer({
    schema: 'core',
    stringKeys: true,
    uniqueKeys: false,
    resolveKnownTags: false,
  });
  const [document, second] = composer.compose(tokens, true, text.length);
  if (document === undefined) {
    return { ok: false, problems: [fileProblem(file, 'could not be read as YAML', 'simplify it')] };
  }
  for (const error of [...document.errors, ...document.warnings].slice(0, SYNTAX_ERRORS_MAX)) {
    report(error.pos[0], plainMessage(error), SYNTAX_MENDS[error.code] ?? 'check the YAML here');
  }
  if (second !== undefined) {
    report(
      startOf(second) ?? text.length,
      'a second document starts here',
      'keep one: no second ---',
    );
  }
  reviewAliases(document, report);
  if (problems.length > 0) return { ok: false, problems };
  reviewDocument(document, counter, report);
  try {
    const place: Reading['place'] = (path, of) => {
      const { line, col } = counter.linePos(offsetOf(document, path, of));
      return { line: Math.max(1, line), column: Math.max(1, col) };
    };
    const value: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    const crowded = problems.some((problem) => problem.message.startsWith('more than'));
    if (crowded) return { ok: false, problems };
    return { ok: true, reading: { value, place }, problems };
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    report(firstAlias(document), 'too many aliases', 'write the values out');
    return { ok: false, problems };
  }
}
