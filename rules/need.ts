/**
 * How many members a group needs when nobody has said so. These are assumptions and are shown as such:
 * an operator's word wins, then what the device itself defines (RAID-5 of four needs three).
 */
import type { NeedConfig } from './config.ts';
import { globMatches } from './glob.ts';
import type { GroupId, NeedBasis } from './model.ts';

export interface Need {
  readonly needed: number;
  readonly basis: NeedBasis;
}

/** The assumed need of `size` members. A kind nobody has thought of is assumed to need them all. */
export function assumedNeed(kind: string, size: number): number {
  switch (kind) {
    case 'mirror':
    case 'paths':
    case 'bond':
    case 'links':
    case 'gateways':
      return 1;
    case 'psus':
    case 'supplies':
      return Math.max(1, Math.ceil(size / 2));
    case 'fans':
      return Math.max(1, size - 1);
    default:
      return size;
  }
}

/** The need of a group: configured (the last matching line wins), else intrinsic, else assumed. */
export function needOf(
  group: { readonly id: GroupId; readonly kind: string; readonly intrinsic: number | undefined },
  size: number,
  configured: readonly NeedConfig[],
): Need {
  const line = configured.findLast((need) => globMatches(need.group, group.id));
  if (line !== undefined) return { needed: line.needs, basis: 'configured' };
  if (group.intrinsic !== undefined) return { needed: group.intrinsic, basis: 'intrinsic' };
  return { needed: assumedNeed(group.kind, size), basis: 'assumed' };
}
