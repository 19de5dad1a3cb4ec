/**
 * Chance for the simulator: one stream for each subsystem and each fault, all made from one seed by name.
 * Taking a fault away leaves every other stream as it was, which is what makes shrinking work.
 */

export interface Random {
  /** In [0, 1). */
  readonly next: () => number;
  /** An integer in [low, high]. */
  readonly whole: (low: number, high: number) => number;
  readonly chance: (probability: number) => boolean;
  readonly pick: <T>(list: readonly T[]) => T;
}

const FNV_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a of a text, finished so that near seeds differ in every bit. */
export function hashText(text: string, start: number = FNV_START): number {
  let hash = start;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The stream of this name: sfc32 over four hashes of seed and name. */
export function randomOf(seed: string, name: string): Random {
  let a = hashText(`${seed}/${name}/a`);
  let b = hashText(`${seed}/${name}/b`);
  let c = hashText(`${seed}/${name}/c`);
  let d = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4294967296;
  };
  for (let count = 0; count < 12; count += 1) next();
  const whole = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    whole,
    chance: (probability: number): boolean => next() < probability,
    pick: <T>(list: readonly T[]): T => {
      const found = list[Math.floor(next() * list.length)];
      if (found === undefined) throw new Error(`nothing to pick from in ${name}`);
      return found;
    },
  };
}
