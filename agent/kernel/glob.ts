/**
 * Globs as sources write them: `*` for anything but `/`, `{a,b}` for alternatives. No regular expression
 * is made from them, so that no pattern can take more than (length of pattern x length of text) steps.
 */
import { globMatches } from '../../rules/glob.ts';

/** A glob with many braces would multiply; no honest one comes near. */
const ALTERNATIVES_MAX = 256;
/** Globs kept taken apart; there are as many as sources ask for. */
const KNOWN_MAX = 1024;

/** The glob without braces: one pattern for each combination. An unpaired brace stands for itself. */
export function alternatives(glob: string): readonly string[] {
  const open = glob.indexOf('{');
  const close = glob.indexOf('}', open);
  if (open < 0 || close < 0) return [glob];
  const heads = glob
    .slice(open + 1, close)
    .split(',')
    .map((choice) => glob.slice(0, open) + choice);
  const tails = alternatives(glob.slice(close + 1));
  return heads.flatMap((head) => tails.map((tail) => head + tail)).slice(0, ALTERNATIVES_MAX);
}

/** The globs of sources, taken apart once: each wake is held against all of them. */
const known = new Map<string, readonly (readonly string[])[]>();

function patternsOf(glob: string): readonly (readonly string[])[] {
  const before = known.get(glob);
  if (before !== undefined) return before;
  const patterns = alternatives(glob).map((pattern) => pattern.split('/'));
  if (known.size < KNOWN_MAX) known.set(glob, patterns);
  return patterns;
}

/** True when a path fits a glob, segment by segment. */
export function pathFits(glob: string, path: string): boolean {
  const names = path.split('/');
  return patternsOf(glob).some((segments) => {
    return (
      segments.length === names.length &&
      segments.every((segment, index) => globMatches(segment, names[index] ?? ''))
    );
  });
}
