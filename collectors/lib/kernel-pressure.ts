/**
 * Pressure stall information: the share of time in which tasks waited for a processor, for I/O or for
 * memory. A measure, not a fault: what is too much is the operator's limit, so health is ok whenever
 * the numbers could be read. Source: Documentation/accounting/psi.rst.
 */
import { componentId, type Observation, type Reading } from '../../rules/model.ts';
import { devices, nothing, unreadWhy } from './class-devices.ts';
import type { Snapshot, Source } from './collector.ts';
import { word } from './snapshot.ts';

const LINE = /^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/u;
const NONE = 'the kernel keeps no pressure stall information (boot with psi=1 to have it)';

/** Gauges of one file; empty when no line is of the known form. */
function gauges(text: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const line of text.split('\n', 8)) {
    const match = LINE.exec(line.trim());
    if (match === null) continue;
    const [, who = '', avg10, avg60, avg300, total] = match;
    const values = {
      avg10_ratio: Number(avg10) / 100,
      avg60_ratio: Number(avg60) / 100,
      avg300_ratio: Number(avg300) / 100,
      seconds_total: Number(total) / 1e6,
    };
    for (const [key, value] of Object.entries(values)) {
      if (Number.isFinite(value)) found[`${who}_${key}`] = value;
    }
  }
  return found;
}

function reading(resource: string, device: Snapshot): Reading {
  const measured = gauges(word(device, '') ?? '');
  const known = Object.keys(measured).length > 0;
  return {
    component: componentId('pressure', resource),
    kind: 'pressure',
    name: `${resource} pressure`,
    ...(known ? { health: 'ok' } : { health: 'unknown', why: unreadWhy(device, '') }),
    gauges: measured,
    facts: {},
    needs: [],
    virtual: true,
  };
}

/** Booted with psi=0 the files may still be there and answer EOPNOTSUPP. */
function isOff(device: Snapshot): boolean {
  const entry = device.get('');
  return entry !== undefined && 'errno' in entry && entry.errno === 'EOPNOTSUPP';
}

function parse(snapshot: Snapshot): Observation {
  const found = [...devices(snapshot, 'proc/pressure')];
  if (found.length === 0) return nothing(snapshot, NONE);
  const on = found.filter(([, device]) => !isOff(device));
  if (on.length === 0) return { kind: 'none', why: NONE };
  const readings = on.map(([resource, device]) => reading(resource, device));
  return { kind: 'seen', readings, groups: [], advice: [] };
}

export const pressure: Source = {
  name: 'pressure',
  reads: [{ kind: 'file', root: 'proc', glob: 'pressure/{cpu,io,memory,irq}' }],
  wakes: [],
  everyMs: 5000,
  staleMs: 20_000,
  parse,
};
