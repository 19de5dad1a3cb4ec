/** Which outlets a device has, for a list of all: what it tells itself, as far as it can. */
import type { Profile } from '../../fencing/profile.ts';
import type { OutletRef } from '../../fencing/reply.ts';
import type { SwitchDevice } from '../effects/switches.ts';

const OUTLETS_MAX = 64;

/** Outlets to ask for; a line device shows in its table which of them exist. */
export async function knownOutlets(
  { device }: Profile,
  { outlets }: SwitchDevice,
): Promise<readonly OutletRef[]> {
  if (outlets !== undefined) return (await outlets()).map((id) => ({ id }));
  if (device.kind !== 'line') return [];
  const { first = 1, last = first, letters } = device.outlets;
  if (letters !== undefined) return [];
  const perOutlet = device.status?.perOutlet === true;
  const count = Math.min(last - first + 1, perOutlet ? 10 : OUTLETS_MAX);
  return Array.from({ length: count }, (_, at) => ({ id: String(first + at) }));
}
