/**
 * Memory errors as EDAC counts them, per module and per controller. An uncorrected error means data
 * was lost in that module: failed until it is changed (the counters start anew when the driver loads).
 * Corrected errors are a gauge: how many are too many is the operator's limit. A controller stands as
 * a component of its own for errors that name no module, and where no module is listed at all.
 *
 * Machine-check counts in /proc/interrupts are not read: that file grows with the square of the
 * machine, and the taint mask and the log show the same events. Source: Documentation/admin-guide/ras.rst.
 */
import { componentId, type Observation, type Reading } from '../../rules/model.ts';
import { byNumber, devices, distinct, nothing, unreadWhy } from './class-devices.ts';
import type { Snapshot, Source } from './collector.ts';
import { decimal, defined, word } from './snapshot.ts';

const FOLDER = 'sys/devices/system/edac/mc';
const MODULE = /^(?:dimm|rank)\d+$/u;
const ATTRIBUTES = '{dimm_ce_count,dimm_ue_count,dimm_label,dimm_location}';

function times(count: number): string {
  return count === 1 ? '1 uncorrected error' : `${count} uncorrected errors`;
}

function moduleReading(parts: readonly string[], device: Snapshot): Reading {
  const corrected = decimal(device, 'dimm_ce_count');
  const uncorrected = decimal(device, 'dimm_ue_count');
  let verdict: Pick<Reading, 'health' | 'why'> = { health: 'ok' };
  if (uncorrected === undefined) {
    verdict = { health: 'unknown', why: unreadWhy(device, 'dimm_ue_count') };
  } else if (uncorrected > 0) {
    verdict = { health: 'failed', why: `${times(uncorrected)}: data in this module was lost` };
  }
  const label = word(device, 'dimm_label');
  const location = word(device, 'dimm_location');
  return {
    component: componentId('memory', ...parts),
    kind: 'memory',
    name: label ?? location ?? parts.join(' '),
    ...verdict,
    gauges: defined({
      corrected_errors_total: corrected,
      uncorrected_errors_total: uncorrected,
    }),
    facts: defined({ location }),
    needs: [],
  };
}

/** Errors that no module answers for: all of them where no module is listed. */
function controllerReading(mc: string, device: Snapshot, hasModules: boolean): Reading {
  const key = hasModules ? 'ue_noinfo_count' : 'ue_count';
  const uncorrected = decimal(device, key);
  let verdict: Pick<Reading, 'health' | 'why'> = { health: 'ok' };
  if (uncorrected === undefined) {
    verdict = { health: 'unknown', why: unreadWhy(device, key) };
  } else if (uncorrected > 0) {
    verdict = { health: 'failed', why: `${times(uncorrected)} of no named module` };
  }
  return {
    component: componentId('memory', mc),
    kind: 'memory',
    name: `memory controller ${mc}`,
    ...verdict,
    gauges: defined({
      corrected_errors_total: decimal(device, 'ce_count'),
      uncorrected_errors_total: decimal(device, 'ue_count'),
      corrected_unplaced_errors_total: decimal(device, 'ce_noinfo_count'),
      uncorrected_unplaced_errors_total: decimal(device, 'ue_noinfo_count'),
    }),
    facts: defined({ driver: word(device, 'mc_name') }),
    needs: [],
  };
}

function controller(mc: string, attributes: Snapshot): Reading[] {
  // The controller's own files lie beside its modules' folders; devices() wants a common folder.
  const below = devices(new Map([...attributes].map(([key, entry]) => [`mc/${key}`, entry])), 'mc');
  const modules = [...below].filter(([name]) => MODULE.test(name));
  modules.sort(([left], [right]) => byNumber(left, right));
  const parts = distinct(
    modules,
    ([name, device]) => word(device, 'dimm_label') ?? word(device, 'dimm_location') ?? name,
    ([name]) => name,
  );
  return [
    controllerReading(mc, attributes, modules.length > 0),
    ...modules.map((one) => moduleReading([mc, ...(parts.get(one) ?? [one[0]])], one[1])),
  ];
}

function parse(snapshot: Snapshot): Observation {
  const found = [...devices(snapshot, FOLDER)];
  if (found.length === 0) {
    return nothing(snapshot, 'no memory controller reports errors (no EDAC driver is loaded)');
  }
  found.sort(([left], [right]) => byNumber(left, right));
  const readings = found.flatMap(([mc, attributes]) => controller(mc, attributes));
  return { kind: 'seen', readings, groups: [], advice: [] };
}

export const memory: Source = {
  name: 'memory',
  reads: [
    {
      kind: 'file',
      root: 'sys',
      glob: 'devices/system/edac/mc/mc*/{mc_name,ce_count,ue_count,ce_noinfo_count,ue_noinfo_count}',
    },
    { kind: 'file', root: 'sys', glob: `devices/system/edac/mc/mc*/dimm*/${ATTRIBUTES}` },
    { kind: 'file', root: 'sys', glob: `devices/system/edac/mc/mc*/rank*/${ATTRIBUTES}` },
  ],
  wakes: [],
  everyMs: 10_000,
  staleMs: 40_000,
  parse,
};
