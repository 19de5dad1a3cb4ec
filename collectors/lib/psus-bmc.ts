/**
 * Power supplies as the BMC sees them: presence, failure, lost input, prediction, misfit. One supply may
 * have several sensors (status, input power, a fault bit); they are joined by the number in their names,
 * else by entity instance. An empty bay and a supply whose BMC never reports presence look the same, so
 * a row without presence is `unproven`: absent where a supply was once seen, nothing otherwise.
 *
 * How many supplies are needed is not derived: the redundancy states say that a spare exists, not how
 * many, and "sufficient" changes with load.
 */
import {
  componentId,
  type GroupReading,
  groupId,
  idPart,
  type Observation,
  type Reading,
} from '../../rules/model.ts';
import type { Snapshot } from './collector.ts';
import { type BmcQuestion, type BmcRow, bmcRows } from './ipmi.ts';
import { redundancyReading, unique } from './ipmi-readings.ts';
import { evidence, isForeign, isRedundancy, provesPresence, worst } from './ipmi-states.ts';
import { defined } from './snapshot.ts';

/** Supplies and the unit they form. */
export const PSU_QUESTION: BmcQuestion = {
  about: 'psus',
  freeipmiTypes: ['power_supply', 'power_unit'],
  ipmitoolTypes: ['Power Supply', 'Power Unit'],
  entities: true,
};

type Judged = Pick<Reading, 'health' | 'why' | 'unproven'>;

/** The whole power system, never one supply. */
const UNIT_NAME = /\b(pwr|power)[ _-]?unit\b|supplies|\b(total|system)\b/iu;
const SUPPLY_KEY = /(?:ps|psu|pwr[ _]?supply|power[ _]?supply|supply)[ _#-]*(\d+|[a-h](?![a-z]))/iu;

/** What tells supplies apart; the tools agree on it, so the identity survives a change of tool. */
function supplyKey(row: BmcRow): string {
  const named = SUPPLY_KEY.exec(row.name)?.[1] ?? /\d+/u.exec(row.name)?.[0] ?? row.instance;
  return named === undefined ? idPart(row.name) : named.toUpperCase();
}

function judge(rows: readonly BmcRow[]): Judged {
  const readable = rows.filter((row) => row.readable);
  if (readable.length === 0) {
    return { health: 'unknown', why: 'the BMC gives no reading', unproven: true };
  }
  const found = worst(readable.flatMap(evidence));
  const present = readable.some(provesPresence);
  if (found !== undefined) {
    return present && found.health !== 'absent' ? found : { ...found, unproven: true };
  }
  if (present) return { health: 'ok' };
  if (readable.some(isForeign)) {
    return {
      health: 'unknown',
      why: 'the BMC reports a state that only its maker knows',
      unproven: true,
    };
  }
  if (readable.some((row) => /deasserted/u.test(row.states))) {
    return { health: 'ok', why: 'no failure reported, but no presence either', unproven: true };
  }
  return { health: 'absent', why: 'no presence reported: the bay is empty', unproven: true };
}

function gauge(rows: readonly BmcRow[], unit: string, side: RegExp): number | undefined {
  return rows.find((row) => row.unit === unit && side.test(row.name))?.value;
}

function psuReading(key: string, rows: readonly BmcRow[]): Reading {
  const status = rows.find((row) => row.unit === '') ?? rows[0];
  const name = (status?.name ?? '').replace(/[ _-]*(status|state)$/iu, '');
  const standby = rows.some((row) => /power supply inactive/u.test(row.states));
  const any = /^(?!.*(in|out))/iu;
  return {
    component: componentId('psu', 'bmc', key),
    kind: 'psu',
    name: name === '' ? `Power supply ${key}` : name,
    ...judge(rows),
    gauges: defined({
      // Standing by (cold redundancy) is what a spare may do; it says nothing against it.
      standby: standby ? 1 : 0,
      input_watts: gauge(rows, 'w', /in/iu),
      output_watts: gauge(rows, 'w', /out/iu),
      watts: gauge(rows, 'w', any),
      input_volts: gauge(rows, 'v', /in/iu),
      input_amperes: gauge(rows, 'a', /in/iu),
    }),
    facts: {},
    needs: [],
  };
}

function judgeUnit(row: BmcRow): Judged {
  if (!row.readable) return { health: 'unknown', why: 'the BMC gives no reading', unproven: true };
  // The unit feeds the machine this runs on: an input it lost is one of several.
  if (/(input|ac) lost/u.test(row.states)) {
    return { health: 'failing', why: 'the power unit lost an input' };
  }
  const found = worst(evidence(row));
  if (found !== undefined) return found;
  return isForeign(row)
    ? { health: 'unknown', why: 'the BMC reports a state that only its maker knows' }
    : { health: 'ok' };
}

function unitReading(row: BmcRow, key: string): Reading {
  return {
    component: componentId('power-unit', 'bmc', key),
    kind: 'power-unit',
    name: row.name,
    ...judgeUnit(row),
    gauges: defined({ watts: row.unit === 'w' ? row.value : undefined }),
    facts: {},
    needs: [],
  };
}

function grouped(rows: readonly BmcRow[]): ReadonlyMap<string, readonly BmcRow[]> {
  const supplies = new Map<string, BmcRow[]>();
  for (const row of rows) {
    const key = supplyKey(row);
    const members = supplies.get(key) ?? [];
    members.push(row);
    supplies.set(key, members);
  }
  return supplies;
}

/** The supplies as one group; what the BMC says of the unit and of redundancy stands beside it. */
export function parseBmcPsus(snapshot: Snapshot): Observation {
  const rows = bmcRows(snapshot, PSU_QUESTION);
  if ('kind' in rows) return rows;
  if (rows.length === 0) return { kind: 'none', why: 'the BMC has no sensors of power supplies' };
  const isUnit = (row: BmcRow): boolean => UNIT_NAME.test(row.name);
  const plainRows = rows.filter((row) => !isRedundancy(row));
  const psus = [...grouped(plainRows.filter((row) => !isUnit(row))).entries()].map(([key, own]) =>
    psuReading(key, own),
  );
  const units = unique(plainRows.filter(isUnit)).map(({ row, key }) => unitReading(row, key));
  const redundancy = unique(rows.filter(isRedundancy)).map(({ row, key }) =>
    redundancyReading(row, 'psus', key),
  );
  const group: GroupReading = {
    group: groupId('psus', 'bmc'),
    kind: 'psus',
    name: 'Power supplies (BMC)',
    members: psus.map((psu) => psu.component),
  };
  return {
    kind: 'seen',
    readings: [...psus, ...units, ...redundancy],
    groups: psus.length === 0 ? [] : [group],
    advice: [],
  };
}
