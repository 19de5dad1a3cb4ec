/**
 * Matches identities against an operator's globs: `*` stands for any run of characters, `/` included;
 * all else is literal. Written out instead of built into a regular expression, so that no input can
 * make it slow: time is bounded by the product of both lengths.
 */

export function isGlob(pattern: string): boolean {
  return pattern.includes('*');
}

/** True when the whole text matches. Greedy with one remembered star: no recursion, no backtracking tree. */
export function globMatches(pattern: string, text: string): boolean {
  let at = 0;
  let position = 0;
  let star = -1;
  let starText = 0;
  while (position < text.length) {
    if (pattern[at] === '*') {
      star = at;
      starText = position;
      at += 1;
    } else if (at < pattern.length && pattern[at] === text[position]) {
      at += 1;
      position += 1;
    } else if (star >= 0) {
      starText += 1;
      position = starText;
      at = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}

export function anyGlobMatches(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => globMatches(pattern, text));
}
