/**
 * The simulated disk with the ways that lead to it: `a1` and `a2` are two paths of one node, `b1` and `b2`
 * of another. What a path does to a command can be chosen: it may lose the reply, hold the command, or let
 * it take effect late.
 */
import type { Completion } from '../../../fencing/reservation/answer.ts';
import { encode, type Request } from '../../../fencing/reservation/request.ts';
import type { Features, Nexus } from './table.ts';
import { Target } from './target.ts';

export type Way = 'a1' | 'a2' | 'b1' | 'b2' | 'c1' | 'c2';

/** What befalls the commands of a path. */
export type Fate =
  | 'none'
  /** Carried out; the answer never comes. */
  | 'reply-lost'
  /** Not carried out until it is let go. */
  | 'held'
  /** The path is gone: nothing is sent. */
  | 'cut';

export function nexusOf(way: Way): Nexus {
  const node = way.slice(0, 1);
  const port = Number(way.slice(1));
  return { initiator: `iqn.2026-01.test:${node},i,0x00000000000${port}`, port };
}

interface Held {
  readonly way: Way;
  readonly go: () => void;
}

export class Rig {
  readonly target: Target;
  readonly fates: Map<Way, Fate> = new Map();
  #held: Held[] = [];

  constructor(features: Partial<Features>) {
    this.target = new Target(features);
  }

  /** Sends one command. `late` is called with what comes after a `late` completion. */
  send(way: Way, request: Request, late?: (completion: Completion) => void): Promise<Completion> {
    const { cdb, out } = encode(request);
    const fate = this.fates.get(way) ?? 'none';
    if (fate === 'cut') return Promise.resolve({ kind: 'unsent', why: 'no such path' });
    const give = (to: (completion: Completion) => void): void =>
      this.target.submit(nexusOf(way), cdb, out, (result) =>
        to({ kind: 'done', host: 0, driver: 0, ...result }),
      );
    if (fate === 'reply-lost') {
      give(() => undefined);
      return Promise.resolve({ kind: 'late', why: 'no answer within its deadline' });
    }
    if (fate === 'held') {
      this.#held.push({ way, go: () => give((completion) => late?.(completion)) });
      return Promise.resolve({ kind: 'late', why: 'no answer within its deadline' });
    }
    return new Promise((resolve) => give(resolve));
  }

  /** Lets the held commands of a path take effect, late. */
  letGo(way: Way): void {
    const mine = this.#held.filter((one) => one.way === way);
    this.#held = this.#held.filter((one) => one.way !== way);
    for (const { go } of mine) go();
  }

  /** The nexus ends: what it held is never carried out. */
  drop(way: Way): void {
    this.#held = this.#held.filter((one) => one.way !== way);
    this.target.nexusLoss(nexusOf(way));
  }
}
