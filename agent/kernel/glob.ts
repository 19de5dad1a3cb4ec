/**
 * Globs as sources write them: `*` for anything but `/`, `{a,b}` for alternatives. No regular expression
 * is made from them, so that no pattern can take more than (length of pattern x length of text) steps.
 */
import { globMatches } from '../../rules/glob.ts';
import { alternatives } from '../ports/glob.ts';

/** Globs kept taken apart; there are as many as sources ask for. */
const KNOWN_MAX = 1024;

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
