/**
 * Temperatures and voltages of hwmon chips, with the chip's own verdict: an alarm bit is `failing`, a
 * critical one `failed`, a fault bit makes the reading worthless. The limits a chip holds are passed on
 * as gauges; whether they are wise is for configured limits to say.
 *
 * Boards come with limits nobody set (all 0), and then the alarm of that channel stands for ever: such
 * an alarm is shown as a gauge and not believed. Alarm bits may be cleared by whoever reads them, so a
 * short alarm can be lost to another program.
 */
import { componentId, type Reading } from '../rules/model.ts';
import type { Collector } from './lib/collector.ts';
import {
  alarmGauge,
  bitGauge,
  CELSIUS,
  type Chip,
  channelOf,
  channels,
  hwmonReads,
  label,
  measured,
  type Range,
  raisedAlarms,
  VOLTS,
  vanished,
} from './lib/hwmon.ts';
import { parseChannels, type Reader, readingsOf } from './lib/hwmon-channels.ts';
import { bit, decimal, defined } from './lib/snapshot.ts';

interface Quantity {
  readonly sort: 'temp' | 'in';
  readonly unit: 'celsius' | 'volts';
  readonly range: Range;
  readonly sign: string;
}

const QUANTITIES: readonly Quantity[] = [
  { sort: 'temp', unit: 'celsius', range: CELSIUS, sign: '°C' },
  { sort: 'in', unit: 'volts', range: VOLTS, sign: 'V' },
];

type Judged = Pick<Reading, 'health' | 'why' | 'unproven'>;

/** The upper limit is 0 or below the lower one: nobody set them, and their alarm means nothing. */
function limitsUnset(chip: Chip, channel: string): boolean {
  const max = decimal(chip.files, `${channel}_max`);
  if (max === undefined) return false;
  const min = decimal(chip.files, `${channel}_min`) ?? 0;
  return (max === 0 && min === 0) || max < min;
}

const CRITICAL = /_(lcrit|crit|emergency)_alarm$/u;

function judge(chip: Chip, channel: string, { range, sign }: Quantity): Judged {
  if (bit(chip.files, `${channel}_enable`) === false) {
    return { health: 'absent', why: `switched off (${channel}_enable is 0)`, unproven: true };
  }
  if (bit(chip.files, `${channel}_fault`) === true) {
    return { health: 'unknown', why: `the chip reports ${channel}_fault`, unproven: true };
  }
  const now = measured(chip, `${channel}_input`, range);
  if (now.value === undefined) return { health: 'unknown', why: now.why, unproven: true };
  const raised = raisedAlarms(chip, channel);
  const critical = raised.filter((attribute) => CRITICAL.test(attribute));
  const at = `${now.value} ${sign}, the chip raises`;
  if (critical.length > 0) return { health: 'failed', why: `${at} ${critical.join(', ')}` };
  if (raised.length === 0 || limitsUnset(chip, channel)) return { health: 'ok' };
  return { health: 'failing', why: `${at} ${raised.join(', ')}` };
}

function sensorReading(chip: Chip, channel: string, quantity: Quantity): Reading {
  const { unit, range } = quantity;
  const value = (attribute: string): number | undefined =>
    measured(chip, `${channel}_${attribute}`, range).value;
  const trusted = bit(chip.files, `${channel}_fault`) !== true;
  return {
    component: componentId('sensor', chip.id, channel),
    kind: 'sensor',
    name: `${chip.name} ${label(chip, channel)}`,
    ...judge(chip, channel, quantity),
    gauges: defined({
      [unit]: trusted ? value('input') : undefined,
      [`min_${unit}`]: value('min'),
      [`max_${unit}`]: value('max'),
      [`crit_${unit}`]: value('crit'),
      alarm: alarmGauge(chip, channel),
      fault: bitGauge(chip, `${channel}_fault`),
    }),
    facts: { chip: chip.name, channel },
    needs: [],
  };
}

function quantityOf(channel: string): Quantity | undefined {
  return QUANTITIES.find(({ sort }) => sort === channel.replace(/\d+$/u, ''));
}

const READER: Reader = {
  channels: (chip) =>
    QUANTITIES.flatMap(({ sort }) => channels(chip, sort).map((index) => `${sort}${index}`)),
  channelOf,
  reading: (chip, channel) => {
    const quantity = quantityOf(channel);
    if (quantity === undefined || vanished(chip, channel)) return undefined;
    return sensorReading(chip, channel, quantity);
  },
  observation: (_chips, all) => {
    const readings = readingsOf(all);
    if (readings.length > 0) return { kind: 'seen', readings, groups: [], advice: [] };
    return { kind: 'none', why: 'no hwmon chip measures a temperature or a voltage' };
  },
};

export const collector: Collector = {
  name: 'sensors',
  sees: 'temperatures and voltages of the board and its parts',
  sources: [
    {
      name: 'hwmon',
      reads: hwmonReads(
        ['temp*_{input,fault}', 'temp*_alarm', 'in*_{input,fault}', 'in*_alarm'],
        ['temp*_{max,crit,label,enable}', 'in*_{min,max,label,enable}'],
      ),
      wakes: [
        { on: 'uevent', subsystem: 'hwmon' },
        { on: 'pollpri', root: 'sys', glob: 'class/hwmon/*/temp*_alarm' },
      ],
      everyMs: 5_000,
      staleMs: 20_000,
      parse: (snapshot, before) => parseChannels(snapshot, before, READER),
    },
  ],
};
