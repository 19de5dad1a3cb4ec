/**
 * Fans as the BMC sees them. The BMC has limits of its own and says when a fan is beyond them; that is
 * the hardware's word and is passed on. A header without a fan reads 0 or nothing for ever, so such a
 * row alone is `unproven`. Rows about redundancy become components of kind `redundancy`: the BMC may
 * count fans (two rotors, zones) in a way that the plain list of fans does not show.
 */
import {
  componentId,
  type GroupReading,
  groupId,
  type Observation,
  type Reading,
} from '../../rules/model.ts';
import type { Snapshot } from './collector.ts';
import { type BmcQuestion, type BmcRow, bmcRows } from './ipmi.ts';
import { redundancyReading, unique } from './ipmi-readings.ts';
import { evidence, isForeign, isRedundancy, worst } from './ipmi-states.ts';
import { defined } from './snapshot.ts';

/** Fans and cooling units, without entity names: the names of fans differ on every board we know. */
export const FAN_QUESTION: BmcQuestion = {
  about: 'fans',
  freeipmiTypes: ['fan', 'cooling_device'],
  ipmitoolTypes: ['Fan', 'Cooling Device'],
  entities: false,
};

/**
 * Sensors beside a tachometer that tell whether the fan is there or well. By name, not by what they say
 * now: what a sensor is must not change with its state.
 */
const BIT_NAME = /presen|instal|detect|status|state|fail|fault|oem/iu;

const FOREIGN_WHY = 'the BMC reports a state that only its maker knows';

type Judged = Pick<Reading, 'health' | 'why' | 'unproven'>;

function judge(row: BmcRow): Judged {
  if (!row.readable) {
    return { health: 'unknown', why: 'the BMC gives no reading', unproven: true };
  }
  const found = worst(evidence(row));
  if (row.unit === 'rpm' && row.value === 0) {
    const why = found === undefined ? '0 rpm' : `0 rpm, ${found.why}`;
    return { health: 'failed', why, unproven: true };
  }
  if (found === undefined && isForeign(row)) {
    return { health: 'unknown', why: FOREIGN_WHY, unproven: true };
  }
  if (found === undefined) return { health: 'ok' };
  return found.health === 'absent' ? { ...found, unproven: true } : found;
}

function fanReading(row: BmcRow, key: string): Reading {
  return {
    component: componentId('fan', 'bmc', key),
    kind: 'fan',
    name: row.name,
    ...judge(row),
    gauges: defined({
      rpm: row.unit === 'rpm' ? row.value : undefined,
      speed_ratio: row.unit === '%' && row.value !== undefined ? row.value / 100 : undefined,
    }),
    facts: {},
    needs: [],
  };
}

/** Such a sensor, shown but not counted as a fan of its own. */
function statusReading(row: BmcRow, key: string): Reading {
  return {
    component: componentId('fan-status', 'bmc', key),
    kind: 'sensor',
    name: row.name,
    ...judge(row),
    gauges: {},
    facts: {},
    needs: [],
  };
}

/** All fans of the BMC as one group; what it says of their redundancy stands beside it. */
export function parseBmcFans(snapshot: Snapshot): Observation {
  const rows = bmcRows(snapshot, FAN_QUESTION);
  if ('kind' in rows) return rows;
  if (rows.length === 0) return { kind: 'none', why: 'the BMC has no fan sensors' };
  const named = unique(rows);
  const single = named.filter(({ row }) => !isRedundancy(row));
  const measuring = single.filter(({ row }) => !BIT_NAME.test(row.name));
  const counted = measuring.length > 0 ? measuring : single;
  const fans = counted.map(({ row, key }) => fanReading(row, key));
  const rest = single
    .filter((one) => !counted.includes(one))
    .map(({ row, key }) => statusReading(row, key));
  const redundancy = named
    .filter(({ row }) => isRedundancy(row))
    .map(({ row, key }) => redundancyReading(row, 'fans', key));
  const group: GroupReading = {
    group: groupId('fans', 'bmc'),
    kind: 'fans',
    name: 'Fans (BMC)',
    members: fans.map((fan) => fan.component),
  };
  return {
    kind: 'seen',
    readings: [...fans, ...rest, ...redundancy],
    groups: fans.length === 0 ? [] : [group],
    advice: [],
  };
}
