/** What the lab and its machines say to each other about disks. */
import type { Key } from '../../../fencing/reservation/key.ts';
import type { Request } from '../../../fencing/reservation/request.ts';

export const ROOTS = { proc: '/proc', sys: '/sys', dev: '/dev', run: '/run' } as const;

export type Lend = { readonly id: number } & (
  | { readonly op: 'paths' }
  | {
      readonly op: 'send';
      readonly device: string;
      readonly wwid?: string | undefined;
      readonly requests: readonly Request[];
      readonly deadlineMs: number;
    }
  /** Runs a reservation machine to its end. */
  | {
      readonly op: 'machine';
      readonly name: 'claim' | 'challenge' | 'defend' | 'release';
      readonly wwid: string;
      readonly key: Key;
      readonly victim?: Key;
      readonly aptpl: boolean;
      readonly withinMs: number;
      readonly by?: 'sg_persist';
    }
  | { readonly op: 'measure'; readonly wwid: string; readonly count: number }
  | { readonly op: 'lag'; readonly wwid: string; readonly forMs: number }
  | { readonly op: 'load'; readonly device: string; readonly epoch: number }
  | { readonly op: 'unload'; readonly device: string }
  | { readonly op: 'stamps'; readonly device: string }
);

export interface Lent {
  readonly id: number;
  readonly result: unknown;
}

export function toWire(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) => {
    if (one instanceof Uint8Array) return { bytes: Buffer.from(one).toString('base64') };
    return one instanceof Map ? Object.fromEntries(one) : one;
  });
}

export function fromWire(line: string): unknown {
  return JSON.parse(line, (_key, one: unknown) => {
    const { bytes } = (one ?? {}) as { bytes?: unknown };
    return typeof bytes === 'string' ? Uint8Array.from(Buffer.from(bytes, 'base64')) : one;
  });
}
