/** Small profiles made for one test each. */
import {
  type Profile,
  profileOf,
  type RawProfile,
  type SnmpProfile,
} from '../../fencing/profile.ts';

export const ROOT = '1.3.6.1.4.1.99999';

/** An SNMP device with one table, changed at will. */
export function madeSnmp(
  more: Partial<Omit<SnmpProfile, 'kind'>> = {},
  raw: Partial<RawProfile> = {},
): Profile & { readonly device: SnmpProfile } {
  const snmp: Omit<SnmpProfile, 'kind'> = {
    versions: ['1', '2c'],
    match: [ROOT],
    index: { parts: [{ name: 'outlet', first: 1, last: 24 }] },
    table: {
      names: `${ROOT}.1`,
      state: { oid: `${ROOT}.2`, values: { off: [2], on: [1], moving: [3], error: [5] } },
      off: [{ oid: `${ROOT}.3`, value: 2 }],
      on: [{ oid: `${ROOT}.3`, value: 1 }],
    },
    ...more,
  };
  const whole: RawProfile = { title: 'made', confidence: 'low', evidence: ['made'], ...raw, snmp };
  const profile = profileOf('made', whole);
  if (profile?.device.kind !== 'snmp') throw new Error('not made');
  return { ...profile, device: profile.device };
}
