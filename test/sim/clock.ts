/** Each node's own monotonic clock: it starts somewhere, and runs at its own rate. */
import type { Ms } from '../../rules/model.ts';
import type { SimNode } from './parts.ts';
import type { World } from './world.ts';

export function localMs({ us }: World, { baseMs, bootedUs, rate }: SimNode): Ms {
  return (baseMs + (us - bootedUs) * rate) as Ms;
}

export function worldUs({ baseMs, bootedUs, rate }: SimNode, atMs: number): number {
  return bootedUs + (atMs - baseMs) / rate;
}
