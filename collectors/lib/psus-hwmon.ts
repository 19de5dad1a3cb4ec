/**
 * Supplies that speak PMBus to this kernel. Many chips measure an input and an output voltage, the
 * regulators beside a processor first of all; a supply is one that a driver for supplies knows, or that
 * cools itself with a fan. Failure is judged by what the supply says and by whether anything comes in
 * and goes out, never by how much.
 *
 * PMBus status bits stay set until somebody clears them, so an alarm of lost input counts as a failure
 * only while the voltages do not contradict it.
 */
import {
  componentId,
  type GroupReading,
  groupId,
  type Observation,
  type Reading,
} from '../../rules/model.ts';
import type { Parsed, Snapshot } from './collector.ts';
import {
  AMPERES,
  alarmGauge,
  CELSIUS,
  type Chip,
  channelOf,
  channels,
  type Measured,
  measured,
  type Range,
  RPM,
  raisedAlarms,
  VOLTS,
  vanished,
  WATTS,
} from './hwmon.ts';
import { parseChannels, type Reader, readingsOf } from './hwmon-channels.ts';
import { bit, defined, word } from './snapshot.ts';

/** Drivers of power supplies in the kernel's drivers/hwmon, by the chip name they give. */
const SUPPLY_CHIPS =
  /^(cffps[12]?|ibm-cffps|dps\d+[a-z]*|dps920ab|ym2151e|yh5151e|fsp[-_ ]?3y.*|bpa_?rs600|bpd_?rs600|ipsps1?|pfe1100|pfe3000|pim4328|pim4\d+|crps\d*|fsg032|acbel.*|d1u74t|lineage_pem|corsairpsu)$/u;

type Judged = Pick<Reading, 'health' | 'why'>;

/** Channel of a chip by the label PMBus gives it; corsairpsu writes `v_in` and `v_out +12v`. */
function labelled(chip: Chip, sort: string, label: RegExp): string | undefined {
  const index = channels(chip, sort).find((number) =>
    label.test(word(chip.files, `${sort}${number}_label`) ?? ''),
  );
  return index === undefined ? undefined : `${sort}${index}`;
}

function input(chip: Chip, channel: string | undefined, range: Range): Measured | undefined {
  return channel === undefined ? undefined : measured(chip, `${channel}_input`, range);
}

function isSupply(chip: Chip): boolean {
  if (SUPPLY_CHIPS.test(chip.name)) return true;
  const feeds = labelled(chip, 'in', /^vin\b/u) !== undefined;
  return feeds && labelled(chip, 'in', /^vout1?$/u) !== undefined && chip.files.has('fan1_input');
}

const SORTS = ['in', 'curr', 'power', 'temp', 'fan'];

function liveChannels(chip: Chip): readonly string[] {
  return SORTS.flatMap((sort) => channels(chip, sort).map((number) => `${sort}${number}`)).filter(
    (channel) => !vanished(chip, channel),
  );
}

interface Electric {
  readonly vin: Measured | undefined;
  readonly vout: Measured | undefined;
  readonly raised: readonly string[];
  /** The input is below the limit at which the supply gives up. */
  readonly starved: boolean;
}

function judge({ vin, vout, raised, starved }: Electric): Judged {
  const alarms = raised.length === 0 ? '' : `it raises ${raised.join(', ')}`;
  if (vin?.value === 0) return { health: 'failed', why: 'input lost: 0 V come in' };
  if (starved && !((vin?.value ?? 0) > 0 && (vout?.value ?? 0) > 0)) {
    return { health: 'failed', why: `input lost: ${alarms}` };
  }
  if (vout?.value === 0) {
    return alarms === ''
      ? { health: 'unknown', why: 'gives no output and complains of nothing (standing by?)' }
      : { health: 'failed', why: `gives no output, ${alarms}` };
  }
  if (alarms !== '') return { health: 'failing', why: alarms };
  const unread = [vin, vout].find((one) => one?.why !== undefined)?.why;
  if (unread !== undefined) return { health: 'unknown', why: unread };
  if (vin === undefined && vout === undefined) {
    return { health: 'unknown', why: 'shows neither input nor output voltage' };
  }
  return { health: 'ok' };
}

function psuReading(chip: Chip, live: readonly string[]): Reading {
  const channelOf = (sort: string, label: RegExp): string | undefined =>
    labelled(chip, sort, label);
  const vinChannel = channelOf('in', /^(vin\b|v_in$)/u);
  const vin = input(chip, vinChannel, VOLTS);
  const vout = input(chip, channelOf('in', /^(vout1?$|v_out \+12v$)/u), VOLTS);
  const alarms = live
    .map((channel) => alarmGauge(chip, channel))
    .filter((one) => one !== undefined);
  return {
    component: componentId('psu', chip.id),
    kind: 'psu',
    name: `${chip.name} ${chip.id}`,
    ...judge({
      vin,
      vout,
      raised: live.flatMap((channel) => raisedAlarms(chip, channel)),
      starved: vinChannel !== undefined && bit(chip.files, `${vinChannel}_lcrit_alarm`) === true,
    }),
    gauges: defined({
      input_volts: vin?.value,
      output_volts: vout?.value,
      input_amperes: input(chip, channelOf('curr', /^iin/u), AMPERES)?.value,
      output_amperes: input(chip, channelOf('curr', /^iout1?$/u), AMPERES)?.value,
      input_watts: input(chip, channelOf('power', /^pin/u), WATTS)?.value,
      output_watts: input(chip, channelOf('power', /^pout1?$/u), WATTS)?.value,
      celsius: input(chip, live.includes('temp1') ? 'temp1' : undefined, CELSIUS)?.value,
      rpm: input(chip, live.includes('fan1') ? 'fan1' : undefined, RPM)?.value,
      alarm: alarms.length === 0 ? undefined : Math.max(...alarms),
    }),
    facts: { chip: chip.name },
    needs: [],
  };
}

/** All supplies in one group: what feeds a machine feeds it together, whatever bus it speaks on. */
function observation(readings: readonly Reading[]): Observation {
  if (readings.length === 0) return { kind: 'none', why: 'no supply speaks PMBus to this kernel' };
  const group: GroupReading = {
    group: groupId('psus', 'hwmon'),
    kind: 'psus',
    name: 'Power supplies (PMBus)',
    members: readings.map((psu) => psu.component),
  };
  return { kind: 'seen', readings, groups: [group], advice: [] };
}

/** The whole supply is one channel here: all of its numbers make one reading. */
const WHOLE = 'psu';

const READER: Reader = {
  channels: (chip) => (isSupply(chip) ? [WHOLE] : []),
  // Labels say what a channel is, and with that whether the chip is a supply at all.
  channelOf: (attribute) =>
    attribute.endsWith('_label') || channelOf(attribute) === undefined ? undefined : WHOLE,
  reading: (chip) => {
    const live = liveChannels(chip);
    return live.length === 0 ? undefined : psuReading(chip, live);
  },
  observation: (_chips, channels) => observation(readingsOf(channels)),
};

export function parseHwmonPsus(snapshot: Snapshot, before?: Parsed): Observation {
  return parseChannels(snapshot, before, READER);
}
