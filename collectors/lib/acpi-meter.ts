/**
 * ACPI power meters: what the whole machine draws, and the cap it runs under. Reading one can take
 * seconds or for ever (its firmware talks to the BMC), so every file of it is read where it can be
 * abandoned. They are found by their ACPI hardware id, not by their hwmon name: older kernels keep the
 * files at the ACPI device, newer ones at its hwmon child, and no other chip's files need be touched.
 *
 * Two values are no measurement: all ones is what firmware says when it cannot measure, and 0 W is what
 * the driver prints when the firmware refused (drivers/hwmon/acpi_power_meter.c show_power); a machine
 * that runs this draws more.
 */
import { componentId, type Observation, type Reading } from '../../rules/model.ts';
import { devices, nothing, unreadWhy } from './class-devices.ts';
import type { Entry, Snapshot, Source } from './collector.ts';
import { bit, decimal, defined } from './snapshot.ts';

const ATTRIBUTES = 'power1_{average,average_interval,cap,cap_min,cap_max,alarm,is_battery}';
const BUSES = ['acpi', 'platform'] as const;
const HWMON_CHILD = /^hwmon\/[^/]+\//u;
const ALL_ONES = 0xffff_ffff;
/** Milliwatts of the firmware as the driver prints them: all ones of 32 bits, and anything beyond. */
const ALL_ONES_MICROWATTS = ALL_ONES * 1000;

function microwatts(device: Snapshot, attribute: string): number | undefined {
  const value = decimal(device, attribute);
  if (value === undefined || value < 0 || value === ALL_ONES || value >= ALL_ONES_MICROWATTS) {
    return undefined;
  }
  return value;
}

function watts(device: Snapshot, attribute: string): number | undefined {
  const value = microwatts(device, attribute);
  return value === undefined ? undefined : value / 1e6;
}

function verdict(device: Snapshot): Pick<Reading, 'health' | 'why'> {
  const raw = decimal(device, 'power1_average');
  const drawn = watts(device, 'power1_average');
  if (raw === undefined) return { health: 'unknown', why: unreadWhy(device, 'power1_average') };
  if (drawn === undefined) return { health: 'unknown', why: 'reads all ones: cannot measure' };
  if (drawn === 0) return { health: 'unknown', why: 'reads 0 W: its firmware does not answer' };
  const cap = watts(device, 'power1_cap');
  // The driver's alarm compares with a cap of 0 until the cap was read once: both must agree.
  if (bit(device, 'power1_alarm') === true && cap !== undefined && cap > 0 && drawn > cap) {
    return { health: 'failing', why: `draws ${drawn} W, more than its cap of ${cap} W` };
  }
  return { health: 'ok' };
}

/** One meter's files under one name each, wherever the kernel keeps them. */
function flattened(device: Snapshot): Snapshot {
  const files = new Map<string, Entry>();
  for (const [key, entry] of device) files.set(key.replace(HWMON_CHILD, ''), entry);
  return files;
}

function reading(name: string, device: Snapshot): Reading {
  const drawn = watts(device, 'power1_average');
  const battery = bit(device, 'power1_is_battery');
  const intervalMs = decimal(device, 'power1_average_interval');
  return {
    component: componentId('meter', name),
    kind: 'meter',
    name: `power meter ${name}`,
    ...verdict(device),
    gauges: defined({
      watts: drawn === 0 ? undefined : drawn,
      cap_watts: watts(device, 'power1_cap'),
      cap_min_watts: watts(device, 'power1_cap_min'),
      cap_max_watts: watts(device, 'power1_cap_max'),
      interval_seconds: intervalMs === undefined ? undefined : intervalMs / 1000,
    }),
    facts: defined({
      measures: battery === undefined ? undefined : battery ? 'battery' : 'input',
    }),
    needs: [],
  };
}

function parse(snapshot: Snapshot): Observation {
  const meters = new Map<string, Map<string, Entry>>();
  for (const bus of BUSES) {
    // The platform device of a meter has the name of its ACPI device: one meter, not two.
    for (const [name, device] of devices(snapshot, `sys/bus/${bus}/devices`)) {
      const known = meters.get(name) ?? [];
      meters.set(name, new Map([...known, ...flattened(device)]));
    }
  }
  if (meters.size === 0) {
    return nothing(snapshot, 'no ACPI power meter (or its driver acpi_power_meter is not loaded)');
  }
  const readings = [...meters].map(([name, device]) => reading(name, device));
  return { kind: 'seen', readings, groups: [], advice: [] };
}

export const meter: Source = {
  name: 'meter',
  reads: BUSES.flatMap((bus) =>
    ['', 'hwmon/hwmon*/'].map((folder) => ({
      kind: 'file' as const,
      root: 'sys' as const,
      glob: `bus/${bus}/devices/ACPI000D:*/${folder}${ATTRIBUTES}`,
      mayHang: true as const,
    })),
  ),
  wakes: [],
  everyMs: 10_000,
  staleMs: 40_000,
  parse,
};
