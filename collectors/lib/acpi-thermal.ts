/**
 * Thermal zones and the limits that the hardware itself sets for them: at its hot trip a zone is
 * failing, at its critical trip (where the kernel powers the machine off) failed. Any other limit is
 * the operator's. A zone that gives no temperature is unknown, never 0 degrees. Cooling devices are not
 * looked at.
 *
 * Zones that share a type get the rank of their number as a suffix, in the order in which the kernel
 * registered them. Sources: Documentation/driver-api/thermal/sysfs-api.rst, drivers/thermal/thermal_sysfs.c.
 */
import { componentId, type Observation, type Reading } from '../../rules/model.ts';
import { byNumber, devices, distinct, nothing, unreadWhy } from './class-devices.ts';
import type { Snapshot, Source } from './collector.ts';
import { decimal, defined, word } from './snapshot.ts';

const TRIP_TYPE = /^trip_point_(\d+)_type$/u;
/** THERMAL_TEMP_INVALID is -274000; below absolute zero is no measurement. */
const ABSOLUTE_ZERO_CELSIUS = -273.15;
/** Nothing here runs so hot; INT_MAX millidegrees mean "no such trip". */
const TRIP_CELSIUS_MAX = 1000;

function celsius(device: Snapshot, attribute: string): number | undefined {
  const value = decimal(device, attribute);
  if (value === undefined || value / 1000 <= ABSOLUTE_ZERO_CELSIUS) return undefined;
  return value / 1000;
}

/** Lowest trip of a type; trips of 0 and below are unset ones. */
function trip(device: Snapshot, type: string): number | undefined {
  let lowest: number | undefined;
  for (const key of device.keys()) {
    const index = TRIP_TYPE.exec(key)?.[1];
    if (index === undefined || word(device, key) !== type) continue;
    const limit = celsius(device, `trip_point_${index}_temp`);
    if (limit === undefined || limit <= 0 || limit > TRIP_CELSIUS_MAX) continue;
    lowest = Math.min(lowest ?? limit, limit);
  }
  return lowest;
}

function verdict(device: Snapshot): Pick<Reading, 'health' | 'why'> {
  const now = celsius(device, 'temp');
  if (now === undefined) {
    const isNumber = decimal(device, 'temp') !== undefined;
    const why = isNumber ? 'reads below absolute zero' : unreadWhy(device, 'temp');
    return { health: 'unknown', why };
  }
  const critical = trip(device, 'critical');
  if (critical !== undefined && now >= critical) {
    return { health: 'failed', why: `${now} °C, at its critical limit of ${critical} °C` };
  }
  const hot = trip(device, 'hot');
  if (hot !== undefined && now >= hot) {
    return { health: 'failing', why: `${now} °C, at its hot limit of ${hot} °C` };
  }
  return { health: 'ok' };
}

function reading(parts: readonly string[], device: Snapshot): Reading {
  return {
    component: componentId('zone', ...parts),
    kind: 'zone',
    name: `thermal zone ${parts.join(' ')}`,
    ...verdict(device),
    gauges: defined({
      celsius: celsius(device, 'temp'),
      critical_celsius: trip(device, 'critical'),
      hot_celsius: trip(device, 'hot'),
      passive_celsius: trip(device, 'passive'),
    }),
    facts: defined({ mode: word(device, 'mode') }),
    needs: [],
  };
}

function parse(snapshot: Snapshot): Observation {
  const zones = [...devices(snapshot, 'sys/class/thermal')];
  if (zones.length === 0) return nothing(snapshot, 'this machine has no thermal zone');
  zones.sort(([left], [right]) => byNumber(left, right));
  const parts = distinct(
    zones,
    ([name, device]) => word(device, 'type') ?? name,
    (_, rank) => String(rank),
  );
  const readings = zones.map((zone) => reading(parts.get(zone) ?? [zone[0]], zone[1]));
  return { kind: 'seen', readings, groups: [], advice: [] };
}

export const thermal: Source = {
  name: 'thermal',
  reads: [
    { kind: 'file', root: 'sys', glob: 'class/thermal/thermal_zone*/type', still: true },
    { kind: 'file', root: 'sys', glob: 'class/thermal/thermal_zone*/mode' },
    {
      kind: 'file',
      root: 'sys',
      glob: 'class/thermal/thermal_zone*/trip_point_*_{type,temp}',
      still: true,
    },
    // ACPI evaluates a firmware method, other drivers sleep on a bus.
    { kind: 'file', root: 'sys', glob: 'class/thermal/thermal_zone*/temp', mayHang: true },
  ],
  wakes: [],
  everyMs: 5000,
  staleMs: 20_000,
  parse,
};
