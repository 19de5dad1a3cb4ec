/**
 * Fans of hwmon chips, judged by what the chip says of itself. A tachometer of 0 has three causes that
 * must not be mixed: nothing is plugged in, the fan was stopped on purpose, or it is dead. The first
 * cannot be told from the last by one reading, hence `unproven`: it counts only for a fan that was
 * once seen turning. How slow is too slow is a limit, and limits are not the collector's.
 *
 * pwmN drives fanN by convention only. Where a board wires them otherwise, a standing fan may pass as
 * stopped on purpose; `target_rpm` and `duty_ratio` are there for limits that know the board.
 */
import {
  type Advice,
  componentId,
  type GroupReading,
  groupId,
  type Health,
  type Observation,
  type Reading,
} from '../../rules/model.ts';
import type { Parsed, Snapshot } from './collector.ts';
import {
  alarmGauge,
  bitGauge,
  type Chip,
  channelOf,
  channels,
  label,
  measured,
  RPM,
  raisedAlarms,
  vanished,
} from './hwmon.ts';
import { type Channel, parseChannels, type Reader, readingsOf } from './hwmon-channels.ts';
import { bit, decimal, defined } from './snapshot.ts';

interface Verdict {
  readonly health: Health;
  readonly why?: string;
  readonly unproven?: true;
}

const OK: Verdict = { health: 'ok' };
const PWM_MAX = 255;

function pwm(chip: Chip, index: number): number | undefined {
  const value = decimal(chip.files, `pwm${index}`);
  return value === undefined || value < 0 || value > PWM_MAX ? undefined : value;
}

/** A fan that stands: on purpose only when its duty is readable, 0, and really in control of it. */
function standing(chip: Chip, index: number, target: number | undefined): Verdict {
  if (target !== undefined && target > 0) {
    return { health: 'failed', why: `0 rpm, while ${target} rpm are asked for`, unproven: true };
  }
  if (!chip.files.has(`pwm${index}`)) {
    return { health: 'failed', why: '0 rpm, and nothing here stops it on purpose', unproven: true };
  }
  const duty = pwm(chip, index);
  if (duty === undefined) {
    return { health: 'unknown', why: `0 rpm, and pwm${index} cannot be read`, unproven: true };
  }
  // pwmN_enable 0 takes the control away: the fan gets full power whatever pwmN holds.
  const full = decimal(chip.files, `pwm${index}_enable`) === 0;
  if (duty === 0 && !full) return { health: 'ok', why: 'stopped on purpose', unproven: true };
  const drive = full ? 'full power' : `${Math.round((duty / PWM_MAX) * 100)} % duty`;
  return { health: 'failed', why: `0 rpm at ${drive}`, unproven: true };
}

function judge(chip: Chip, index: number): Verdict {
  const fan = `fan${index}`;
  if (bit(chip.files, `${fan}_enable`) === false) {
    return { health: 'absent', why: `switched off (${fan}_enable is 0)`, unproven: true };
  }
  // The bit also stands for a missing fan (sysfs-interface.rst), and then stands for ever.
  if (bit(chip.files, `${fan}_fault`) === true) {
    return { health: 'failed', why: `the chip reports ${fan}_fault`, unproven: true };
  }
  const speed = measured(chip, `${fan}_input`, RPM);
  if (speed.value === undefined) return { health: 'unknown', why: speed.why, unproven: true };
  if (speed.value === 0) {
    return standing(chip, index, measured(chip, `${fan}_target`, RPM).value);
  }
  const raised = raisedAlarms(chip, fan);
  if (raised.length === 0) return OK;
  return { health: 'failing', why: `${speed.value} rpm, the chip raises ${raised.join(', ')}` };
}

function fanReading(chip: Chip, index: number): Reading {
  const fan = `fan${index}`;
  const rpm = (attribute: string): number | undefined =>
    measured(chip, `${fan}_${attribute}`, RPM).value;
  const faulty = bit(chip.files, `${fan}_fault`) === true;
  const duty = pwm(chip, index);
  return {
    component: componentId('fan', chip.id, String(index)),
    kind: 'fan',
    name: `${chip.name} ${label(chip, fan)}`,
    ...judge(chip, index),
    gauges: defined({
      // With the fault bit set the number is not to be trusted, so it is not passed on.
      rpm: faulty ? undefined : rpm('input'),
      min_rpm: rpm('min'),
      max_rpm: rpm('max'),
      target_rpm: rpm('target'),
      duty_ratio: duty === undefined ? undefined : Math.round((duty / PWM_MAX) * 1000) / 1000,
      alarm: alarmGauge(chip, fan),
      fault: bitGauge(chip, `${fan}_fault`),
    }),
    facts: { chip: chip.name, channel: fan },
    needs: [],
  };
}

/** Drivers whose fans sit inside a part that is bought and fails as a whole. */
const CONVERTERS = /^(pmbus|cffps\d?|ibm-cffps|dps\d.*|fsp.*|ym2151e|yh5151e|crps\d*|corsairpsu)$/u;
const CPU_LABEL = /\b(cpu|processor)\b|^cpu/iu;

/** The part a fan is mounted on, when it is not the chassis. */
function partOf(chip: Chip, fan: Reading): string | undefined {
  if (chip.onCard) return 'card';
  if (CONVERTERS.test(chip.name)) return 'power supply';
  return CPU_LABEL.test(fan.name) && fan.unproven === undefined ? 'processor' : undefined;
}

const REMEDY: Readonly<Record<string, string>> = {
  card: 'Prefer a card without a fan, cooled by redundant chassis fans.',
  processor: 'Prefer a passive cooler in the air of redundant chassis fans.',
  'power supply': 'Keep one supply more than the machine needs.',
};

/** A fan on a part has no other that stands in for it: it fails, and the part fails. */
function adviceOn(chip: Chip, readings: readonly Reading[]): readonly Advice[] {
  return readings.flatMap((fan) => {
    const part = partOf(chip, fan);
    if (part === undefined) return [];
    const text = `${fan.name} (${chip.id}) sits on the ${part} itself, where no other fan stands in for it. ${REMEDY[part] ?? ''}`;
    return [{ code: 'fan-on-component', about: fan.component, text }];
  });
}

function observation(all: readonly Chip[], found: readonly Channel[]): Observation {
  const readings: Reading[] = [];
  const groups: GroupReading[] = [];
  const advice: Advice[] = [];
  for (const chip of all) {
    const fans = readingsOf(found.filter((channel) => channel.chip === chip));
    if (fans.length === 0) continue;
    readings.push(...fans);
    advice.push(...adviceOn(chip, fans));
    groups.push({
      group: groupId('fans', chip.id),
      kind: 'fans',
      name: `Fans of ${chip.name}`,
      members: fans.map((fan) => fan.component),
    });
  }
  if (readings.length > 0) return { kind: 'seen', readings, groups, advice };
  return {
    kind: 'none',
    why: all.length === 0 ? 'no hwmon chip' : 'no hwmon chip has a fan',
  };
}

const READER: Reader = {
  channels: (chip) => channels(chip, 'fan').map((index) => `fan${index}`),
  // A pulse width drives the fan of its number, see above.
  channelOf: (attribute) => channelOf(attribute.replace(/^pwm(\d+)(_enable)?$/u, 'fan$1_pwm')),
  reading: (chip, channel) =>
    vanished(chip, channel) ? undefined : fanReading(chip, Number(channel.slice('fan'.length))),
  observation,
};

/** All fans of all chips; chips and channels that vanished while they were read are left out. */
export function parseHwmonFans(snapshot: Snapshot, before?: Parsed): Observation {
  return parseChannels(snapshot, before, READER);
}
