/**
 * Patterns over one line of text, as profiles write them. A language of its own and not regular
 * expressions: what a user writes must not be able to hang the agent, and a state must not be read
 * out of a line that can be read in two ways. Every search is bounded by the line's length and a
 * number of steps.
 *
 * Text stands for itself. A blank stands for one or more blanks. `{number}` digits, `{word}` letters,
 * digits and `.` `_` `-`, `{any}` anything, `{cell}` anything without `|`, `{gap}` blanks or nothing,
 * `{start}` and `{end}` the ends of what was heard of the line. `{outlet}`, `{state}`, `{also}` and
 * `{lock}` are words that are kept, `{one}` an outlet of one character; `{name}` and `{rest}` are anything that is kept, trimmed. `{{` is a brace.
 */

export const LINE_CHARS_MAX = 512;
const TOKENS_MAX = 32;
const STEPS_MAX = 100_000;

type Class = 'digit' | 'word' | 'any' | 'cell' | 'blank';

type Token =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'start' | 'end' }
  | {
      readonly kind: 'run';
      readonly of: Class;
      readonly least: 0 | 1;
      readonly most: number;
      readonly keep: string | undefined;
    };

export interface Pattern {
  readonly source: string;
  readonly tokens: readonly Token[];
}

export type Captures = Readonly<Record<string, string>>;

function run(of: Class, least: 0 | 1, keep?: string, most: number = LINE_CHARS_MAX): Token {
  return { kind: 'run', of, least, most, keep };
}

const WORDS: Readonly<Record<string, Token>> = {
  number: run('digit', 1),
  word: run('word', 1),
  any: run('any', 0),
  cell: run('cell', 0),
  gap: run('blank', 0),
  start: { kind: 'start' },
  end: { kind: 'end' },
  outlet: run('word', 1, 'outlet'),
  one: run('word', 1, 'outlet', 1),
  state: run('word', 1, 'state'),
  also: run('word', 1, 'also'),
  lock: run('word', 1, 'lock'),
  name: run('cell', 0, 'name'),
  rest: run('any', 0, 'state'),
};

/** Names that may stand in braces. */
export const PATTERN_WORDS: readonly string[] = Object.keys(WORDS);

function tokenOf(piece: string): Token | string {
  if (piece === '{{') return { kind: 'text', text: '{' };
  if (piece.startsWith('{')) {
    const word = piece.slice(1, -1);
    return WORDS[word] ?? `{${word}} is no word of patterns: ${PATTERN_WORDS.join(', ')}`;
  }
  return /^[ \t]/u.test(piece) ? run('blank', 1) : { kind: 'text', text: piece };
}

/** Reads a pattern, or says in one sentence what is wrong with it. */
export function readPattern(source: string): Pattern | string {
  const pieces = source.match(/\{\{|\{[a-z]{1,12}\}|[ \t]+|[^{ \t]+|\{/gu) ?? [];
  if (pieces.length === 0) return 'an empty pattern matches everything';
  if (pieces.length > TOKENS_MAX) return `has more than ${TOKENS_MAX} parts`;
  const tokens: Token[] = [];
  for (const piece of pieces) {
    if (piece === '{') return 'has a { that opens no word (write {{ for the brace itself)';
    const token = tokenOf(piece);
    if (typeof token === 'string') return token;
    const before = tokens.at(-1);
    if (before?.kind === 'run' && token.kind === 'run' && !apart(before.of, token.of)) {
      return `${piece} follows a part it cannot be told from`;
    }
    tokens.push(token);
  }
  if (!tokens.some(({ kind }) => kind === 'text' || kind === 'run')) return 'holds no text';
  return { source, tokens };
}

/** Two runs beside each other must not share characters, or their border is a guess. */
function apart(left: Class, right: Class): boolean {
  if (left === right) return false;
  // Anything may hold blanks too; whether a line can then be read in two ways is seen on the line.
  return left === 'blank' || right === 'blank';
}

function fits(char: string, of: Class): boolean {
  switch (of) {
    case 'digit':
      return char >= '0' && char <= '9';
    case 'word':
      return /[A-Za-z0-9._-]/u.test(char);
    case 'cell':
      return char !== '|';
    case 'blank':
      return char === ' ' || char === '\t';
    case 'any':
      return true;
  }
}

/** Words that alone may stand at a kept place. */
export type Only = Readonly<Record<string, readonly string[]>>;

interface Search {
  readonly tokens: readonly Token[];
  readonly text: string;
  readonly only: Only;
  /** (token, place) from which nothing was found. */
  readonly failed: Set<number>;
  steps: number;
}

type Kept = readonly (readonly [string, string])[];

/** Calls `found` for each way to match from here; it returns true to stop. */
function walk(
  search: Search,
  token: number,
  at: number,
  kept: Kept,
  found: (end: number, kept: Kept) => boolean,
): boolean {
  search.steps += 1;
  if (search.steps > STEPS_MAX) return false;
  const mark = token * (LINE_CHARS_MAX + 2) + at;
  if (search.failed.has(mark)) return false;
  const part = search.tokens[token];
  let any = false;
  const onward = (next: number, more: Kept): boolean =>
    walk(search, token + 1, next, more, (end, all) => {
      any = true;
      return found(end, all);
    });
  let stopped = false;
  if (part === undefined) return found(at, kept);
  switch (part.kind) {
    case 'start':
      stopped = at === 0 && onward(at, kept);
      break;
    case 'end':
      stopped = at === search.text.length && onward(at, kept);
      break;
    case 'text':
      stopped = search.text.startsWith(part.text, at) && onward(at + part.text.length, kept);
      break;
    case 'run':
      stopped = walkRun(search, part, at, kept, onward);
      break;
  }
  if (!any) search.failed.add(mark);
  return stopped;
}

function walkRun(
  search: Search,
  part: Extract<Token, { kind: 'run' }>,
  at: number,
  kept: Kept,
  onward: (next: number, kept: Kept) => boolean,
): boolean {
  const { text } = search;
  const words = part.keep === undefined ? undefined : search.only[part.keep];
  if (words !== undefined)
    return walkWords(text, words, at, (next, word) =>
      onward(next, [...kept, [part.keep ?? '', word]]),
    );
  let end = at;
  while (end - at < part.most && end < text.length && fits(text[end] ?? '', part.of)) end += 1;
  // Longest first: a word is whole.
  const least = part.of === 'any' || part.of === 'cell' ? at + part.least : undefined;
  for (let next = end; next >= (least ?? (part.least === 1 ? at + 1 : at)); next -= 1) {
    if (next < end && part.of !== 'any' && part.of !== 'cell') {
      // Half a word, half a number and half a gap are none.
      return false;
    }
    const value = text.slice(at, next).trim();
    const more: Kept = part.keep === undefined ? kept : [...kept, [part.keep, value]];
    if (onward(next, more)) return true;
  }
  return false;
}

/** One of these words stands here, whole. Words may hold blanks. */
function walkWords(
  text: string,
  words: readonly string[],
  at: number,
  onward: (next: number, word: string) => boolean,
): boolean {
  return words.some((word) => {
    const next = at + word.length;
    const whole = next >= text.length || !fits(text[next] ?? '', 'word');
    return text.startsWith(word, at) && whole && onward(next, word);
  });
}

/** What was kept where the pattern first stands in this line. Lines over the bound match nothing. */
export function find(pattern: Pattern, line: string): Captures | undefined {
  if (line.length > LINE_CHARS_MAX) return undefined;
  const { tokens } = pattern;
  const search: Search = { tokens, text: line, only: {}, failed: new Set(), steps: 0 };
  let captures: Captures | undefined;
  for (let at = 0; at <= line.length && captures === undefined; at += 1) {
    walk(search, 0, at, [], (_, kept) => {
      captures = Object.fromEntries(kept);
      return true;
    });
  }
  return captures;
}

/** The pattern stands somewhere in this line. */
export function stands(pattern: Pattern, line: string): boolean {
  return find(pattern, line) !== undefined;
}

export type RowMatch =
  | { readonly kind: 'row'; readonly captures: Captures }
  | { readonly kind: 'none' }
  /** The line fits in two ways that say different things. */
  | { readonly kind: 'ambiguous' };

/** Reads a whole line, blanks around it aside. */
export function matchRow(pattern: Pattern, line: string, only: Only = {}): RowMatch {
  const text = line.trim();
  if (text.length > LINE_CHARS_MAX) return { kind: 'none' };
  const tokens: readonly Token[] = [...pattern.tokens, { kind: 'end' }];
  const search: Search = { tokens, text, only, failed: new Set(), steps: 0 };
  const ways: string[] = [];
  let first: Kept | undefined;
  walk(search, 0, 0, [], (_, kept) => {
    // A name may be cut in several ways: what is done depends only on the rest.
    const way = JSON.stringify(kept.filter(([key]) => key !== 'name'));
    first ??= kept;
    if (!ways.includes(way)) ways.push(way);
    return ways.length > 1;
  });
  if (ways.length > 1 || search.steps > STEPS_MAX) return { kind: 'ambiguous' };
  if (first === undefined) return { kind: 'none' };
  return { kind: 'row', captures: Object.fromEntries(first) };
}
