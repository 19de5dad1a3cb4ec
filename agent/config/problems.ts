/**
 * A problem of the configuration, and how it is shown. Every problem says where, what and how to mend
 * it, in one line: whoever reads it may be tired and on a console.
 */

/** Where in the file: keys and places in lists, from the top. */
export type Path = readonly (string | number)[];

export interface Problem {
  /** The file, or the flag (`--listen`) when it came from the command line. */
  readonly file: string;
  /** From 1; 0 when the problem is not at one place of a file. */
  readonly line: number;
  readonly column: number;
  /** `groups[0].members[1]`; empty for the whole. */
  readonly path: string;
  readonly message: string;
  readonly mend: string;
  /** The line at fault with a mark under it, where a column alone would not show it. */
  readonly excerpt?: string;
}

/** Problems printed at most; what follows is counted. A file that is wrong throughout needs no more. */
const SHOWN_MAX = 100;
const SHOWN_LENGTH_MAX = 60;

export function pathText(path: Path): string {
  return path
    .map((part) => {
      if (typeof part === 'number') return `[${part}]`;
      return /^[A-Za-z0-9_-]{1,64}$/u.test(part) ? `.${part}` : `[${shown(part)}]`;
    })
    .join('')
    .replace(/^\./u, '');
}

/** A text of the user as it may stand in a message: short, one line, no control characters. */
export function shown(text: string): string {
  const cut = text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}...` : text;
  return `'${cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, '?')}'`;
}

/** Any value in a message. Lists and maps are only named: they may be large, or hold themselves. */
export function shownValue(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? shown(value) : String(value);
}

function line(problem: Problem): string {
  const place = problem.line === 0 ? '' : `:${problem.line}:${problem.column}`;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  const mend = problem.mend === '' ? '' : ` (${problem.mend})`;
  const excerpt = problem.excerpt === undefined ? '' : `\n${problem.excerpt}`;
  return `${problem.file}${place}: ${path}${problem.message}${mend}${excerpt}`;
}

/** Lines `FILE:LINE:COLUMN: PATH: MESSAGE (MEND)`, in the order of the file. */
export function formatProblems(problems: readonly Problem[]): string {
  const lines = problems.slice(0, SHOWN_MAX).map(line);
  const more = problems.length - lines.length;
  if (more > 0) lines.push(`${problems[0]?.file ?? ''}: and ${more} more problems`);
  return lines.join('\n');
}

export function inOrder(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** A problem with a file as a whole. */
export function fileProblem(file: string, message: string, mend: string): Problem {
  return { file, line: 0, column: 0, path: '', message, mend };
}
