/**
 * Power supplies of the power_supply class: AC adapters, batteries, UPSes. Whether an adapter is
 * online is its health; a battery that discharges is at work, not ill. Batteries of mice and headsets
 * (`scope` Device) are nobody's redundancy. Two and more adapters stand in for each other and make a
 * group; a battery stands in for mains for minutes only, so it is no member of it.
 *
 * Some firmware notifies before the new value is there (drivers/acpi/ac.c knows models that need a
 * pause): the value read on the wake may be the old one, and the next period's read corrects it, hence
 * the short period. On rack servers the adapter tells nothing of the single power supplies: see IPMI.
 * Sources: ABI/testing/sysfs-class-power, drivers/power/supply/power_supply_sysfs.c.
 */
import {
  componentId,
  type GroupReading,
  groupId,
  type Health,
  type Observation,
  type Reading,
} from '../../rules/model.ts';
import { devices, nothing, unreadWhy } from './class-devices.ts';
import type { Snapshot, Source } from './collector.ts';
import { bit, decimal, defined, word } from './snapshot.ts';

const NONE = 'this machine has no ACPI AC adapter or battery';

const MICRO = 1e6;
/** Microwatt-hours in one joule. */
const MICROWATT_HOURS_PER_JOULE = 1e6 / 3600;

/** Health words of the kernel; a word that is not here is unknown, not good. */
const HEALTH_WORDS: ReadonlyMap<string, Health> = new Map([
  ['Good', 'ok'],
  ['Warm', 'ok'],
  ['Cool', 'ok'],
  ['Overheat', 'failing'],
  ['Over voltage', 'failing'],
  ['Over current', 'failing'],
  ['Cold', 'failing'],
  ['Hot', 'failing'],
  ['Watchdog timer expire', 'failing'],
  ['Safety timer expire', 'failing'],
  ['Calibration required', 'failing'],
  ['Dead', 'failed'],
  ['Unspecified failure', 'failed'],
]);

type Verdict = Pick<Reading, 'health' | 'why'>;

/** Divides, since 312 tenths are 31.2 where 312 * 0.1 is 31.200000000000003. */
function scaled(device: Snapshot, attribute: string, perUnit: number): number | undefined {
  const value = decimal(device, attribute);
  return value === undefined ? undefined : value / perUnit;
}

/** Battery or UPS; where `type` cannot be read, what only they have decides, so that the identity stays. */
function isStore(device: Snapshot): boolean {
  const type = word(device, 'type');
  if (type !== undefined) return type === 'Battery' || type === 'UPS';
  return device.has('capacity') || device.has('capacity_level') || device.has('present');
}

function supplyVerdict(device: Snapshot): Verdict {
  const online = decimal(device, 'online');
  // 2 is "online, programmable" (USB power delivery).
  if (online === 1 || online === 2) return { health: 'ok' };
  if (online === 0) return { health: 'failed', why: 'offline' };
  return { health: 'unknown', why: unreadWhy(device, 'online') };
}

function batteryVerdict(device: Snapshot): Verdict {
  if (bit(device, 'present') === false) return { health: 'absent', why: 'no battery in its bay' };
  const said = word(device, 'health');
  const health = HEALTH_WORDS.get(said ?? '');
  if (said !== undefined && said !== 'Unknown' && health === undefined) {
    return { health: 'unknown', why: `says '${said.slice(0, 40)}', which is not understood` };
  }
  if (health === 'failing' || health === 'failed') return { health, why: `says '${said}'` };
  if (word(device, 'capacity_level') === 'Critical') {
    return { health: 'failing', why: 'says that its charge is critical' };
  }
  // Most ACPI batteries say nothing of their health: then being there and answering is all there is.
  const answers = word(device, 'status') !== undefined || bit(device, 'present') === true;
  return answers || health === 'ok'
    ? { health: 'ok' }
    : { health: 'unknown', why: unreadWhy(device, 'status') };
}

function gauges(device: Snapshot): Record<string, number> {
  const status = word(device, 'status');
  return defined({
    online: decimal(device, 'online'),
    discharging:
      status === undefined || status === 'Unknown' ? undefined : Number(status === 'Discharging'),
    capacity_ratio: scaled(device, 'capacity', 100),
    volts: scaled(device, 'voltage_now', MICRO),
    amperes: scaled(device, 'current_now', MICRO),
    watts: scaled(device, 'power_now', MICRO),
    joules: scaled(device, 'energy_now', MICROWATT_HOURS_PER_JOULE),
    full_joules: scaled(device, 'energy_full', MICROWATT_HOURS_PER_JOULE),
    celsius: scaled(device, 'temp', 10),
  });
}

function reading(name: string, device: Snapshot): Reading {
  const type = word(device, 'type');
  const store = isStore(device);
  const model = word(device, 'model_name');
  const verdict = store ? batteryVerdict(device) : supplyVerdict(device);
  const reported: Reading = {
    component: componentId(store ? 'battery' : 'supply', name),
    kind: store ? 'battery' : 'supply',
    name: model === undefined ? name : `${name} ${model}`,
    ...verdict,
    gauges: gauges(device),
    facts: defined({
      type,
      model,
      manufacturer: word(device, 'manufacturer'),
      serial: word(device, 'serial_number'),
    }),
    needs: [],
  };
  // A USB or wireless charging port with nothing plugged in reads offline for ever: no lost supply.
  const isPort = !store && type !== undefined && type !== 'Mains';
  return isPort && verdict.health === 'failed' ? { ...reported, unproven: true } : reported;
}

function group(found: readonly (readonly [string, Snapshot])[]): GroupReading[] {
  const members = found
    .filter(([, device]) => word(device, 'type') === 'Mains')
    .map(([name]) => componentId('supply', name));
  if (members.length < 2) return [];
  return [{ group: groupId('supplies', 'acpi'), kind: 'supplies', name: 'AC adapters', members }];
}

function parse(snapshot: Snapshot): Observation {
  const all = [...devices(snapshot, 'sys/class/power_supply')];
  if (all.length === 0) return nothing(snapshot, NONE);
  const found = all.filter(([, device]) => word(device, 'scope') !== 'Device');
  if (found.length === 0) return { kind: 'none', why: NONE };
  const readings = found.map(([name, device]) => reading(name, device));
  return { kind: 'seen', readings, groups: group(found), advice: [] };
}

export const supply: Source = {
  name: 'supply',
  reads: [
    {
      kind: 'file',
      root: 'sys',
      glob: 'class/power_supply/*/{online,status,health,present,capacity,capacity_level,voltage_now,current_now,power_now,energy_now,energy_full,temp}',
    },
    {
      kind: 'file',
      root: 'sys',
      glob: 'class/power_supply/*/{type,model_name,manufacturer,serial_number,scope}',
      still: true,
    },
  ],
  wakes: [{ on: 'uevent', subsystem: 'power_supply' }],
  everyMs: 2000,
  staleMs: 10_000,
  parse,
};
