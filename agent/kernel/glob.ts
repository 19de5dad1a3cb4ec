/**
 * Globs as sources write them: `*` for anything but `/`, `{a,b}` for alternatives. No regular expression
 * is made from them, so that no pattern can take more than (length of pattern x length of text) steps.
 */
import { globMatches } from '../../rules/glob.ts';
import { alternatives } from '../ports/glob.ts';

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
