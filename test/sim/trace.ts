/**
 * What happened, for people and for proof: a hash over everything, and the last sentences in words. Two runs
 * are the same when their hashes are.
 */

export interface Line {
  readonly us: number;
  readonly who: string;
  readonly text: string;
}

const LINES_MAX = 200;

export class Trace {
  hash = 0x811c9dc5;
  readonly counts: Map<string, number> = new Map();
  /** All lines instead of the last ones only: for goldens that are read aloud. */
  whole = false;
  #lines: Line[] = [];

  /** A number that must be the same in every run. */
  mix(value: number): void {
    this.hash = Math.imul(this.hash ^ (value | 0), 0x01000193) >>> 0;
    this.hash = Math.imul(this.hash ^ ((value / 4294967296) | 0), 0x01000193) >>> 0;
  }

  say(us: number, who: string, text: string): void {
    this.mix(us);
    for (let at = 0; at < text.length; at += 1) {
      this.hash = Math.imul(this.hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
    }
    this.#lines.push({ us, who, text });
    if (!this.whole && this.#lines.length > 2 * LINES_MAX) {
      this.#lines = this.#lines.slice(-LINES_MAX);
    }
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  lines(): readonly Line[] {
    return this.whole ? this.#lines : this.#lines.slice(-LINES_MAX);
  }
}

export function lineText({ us, who, text }: Line): string {
  return `${(us / 1e6).toFixed(3).padStart(11)} s  ${who.padEnd(8)} ${text}`;
}
