/** How a fault of a profile is told, and the one check that every kind of device needs. */
import { VALUE_WORDS, type Values } from './profile.ts';

export interface Finding {
  readonly path: readonly (string | number)[];
  readonly of: 'key' | 'value';
  readonly message: string;
  readonly mend: string;
}

export type Place = readonly (string | number)[];
export type Say = (path: Place, message: string, mend: string) => void;

/** A value in two lists; `off` and `on` must both be there. */
export function reviewValues(say: Say, path: Place, values: Values): void {
  const first = new Map<string, string>();
  for (const word of VALUE_WORDS) {
    for (const [at, value] of (values[word] ?? []).entries()) {
      const before = first.get(String(value));
      if (before !== undefined) {
        const message = `${value} already means ${before}`;
        say([...path, word, at], message, 'keep one: a value has one meaning');
      }
      first.set(String(value), word);
    }
  }
  if ((values.off ?? []).length === 0) {
    say(path, 'no value proves off', "give 'off: [VALUE]', or say 'proof: none'");
  }
}
