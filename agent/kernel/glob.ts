/**
 * Globs as sources write them: `*` for anything but `/`, `{a,b}` for alternatives. No regular expression
 * is made from them, so that no pattern can take more than (length of pattern x length of text) steps.
 */
import { globMatches } from '../../rules/glob.ts';

/** A glob with many braces would multiply; no honest one comes near. */
const ALTERNATIVES_MAX = 256;

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

/** True when a path fits a glob, segment by segment. */
export function pathFits(glob: string, path: string): boolean {
  const names = path.split('/');
  return alternatives(glob).some((pattern) => {
    const segments = pattern.split('/');
    return (
      segments.length === names.length &&
      segments.every((segment, index) => globMatches(segment, names[index] ?? ''))
    );
  });
}
