/** Placeholder until merged. */
import type { Roots } from '../../rules/config.ts';
import type { ReadPort } from './port.ts';
export function openDm(_options: { readonly roots: Roots }): ReadPort<any> {
  return { read: async () => ({ errno: 'ENOENT', why: 'no device-mapper' }), close: () => {} };
}
