/**
 * What a device says of itself, where its columns depend on it: the product number in sysObjectID, and
 * the firmware. Unknown firmware is refused: an old column may have become something else.
 */
import { readPattern, stands } from './pattern.ts';
import type { SnmpProfile, SnmpTable } from './profile.ts';
import type { Bind } from './snmp-table.ts';
import { below } from './template.ts';

/** The number after the product prefix in sysObjectID. */
export function productOf(prefix: string, bind: Bind | undefined): number | undefined {
  if (bind?.kind !== 'oid' || !below(bind.value, prefix) || bind.value === prefix) return undefined;
  return Number(bind.value.slice(prefix.length + 1).split('.', 1)[0]);
}

/** The columns of this firmware, or why it is refused. */
export function variantOf(device: SnmpProfile, bind: Bind | undefined): SnmpTable | string {
  if (device.firmware === undefined) return device.table;
  if (bind === undefined || bind.kind === 'missing') return 'its firmware could not be read';
  const text = String(bind.value).slice(0, 200);
  const line = device.firmware.known.find(({ sees }) => {
    const pattern = readPattern(sees);
    return typeof pattern !== 'string' && stands(pattern, text);
  });
  const said = text.slice(0, 60).replace(/[^\x20-\x7e]/gu, '?');
  if (line === undefined)
    return `firmware '${said}' is not known: its columns may mean other things`;
  if (line.use === undefined) return `firmware '${said}': ${line.refuse ?? 'refused'}`;
  return { ...device.table, ...(device.variants?.[line.use] ?? {}) };
}
