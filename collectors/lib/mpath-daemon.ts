/**
 * multipathd's own view (`show maps json`): what its checkers found on each path. A second opinion only:
 * the daemon holds one lock while paths time out, so it is slow exactly when paths fail. Its errors
 * ("timeout", "permission deny ...") are plain text and are never taken for an answer.
 */
import { componentId, type Health, type Observation, type Reading } from '../../rules/model.ts';
import type { Snapshot } from './collector.ts';
import { kernelNames, listedMaps, pathDevices } from './mpath-devices.ts';
import { errno, hasText, isRecord, json } from './snapshot.ts';

export const MAPS_REQUEST = 'show maps json';
const KEY = `multipathd:${MAPS_REQUEST}`;
const NOT_RUNNING: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED']);
const QUOTE_LENGTH_MAX = 60;

/** Words of `chk_st` in libmultipath/checkers.c that carry a verdict. */
const CHECKED: Readonly<Record<string, readonly [Health, string]>> = {
  ready: ['ok', ''],
  ghost: ['ok', ''],
  faulty: ['failed', 'its checker finds it faulty'],
  'i/o timeout': ['failed', 'its checker got no answer in time'],
  removed: ['failed', 'its device was removed'],
  shaky: ['failing', 'its checker finds it shaky'],
  delayed: ['failing', 'it came back and is held back for a while'],
  disconnected: ['failing', 'its logical unit is no longer mapped'],
};
/** What the last completed check made of it: the checker itself has not finished, or was not run. */
const KERNEL: Readonly<Record<string, readonly [Health, string]>> = {
  active: ['ok', ''],
  failed: ['failed', 'multipathd holds it for failed'],
};

function text(record: Readonly<Record<string, unknown>>, key: string): string {
  const value = record[key];
  return typeof value === 'string' ? value.trim() : '';
}

function list(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function verdict(path: Readonly<Record<string, unknown>>): readonly [Health, string] {
  const checked = text(path, 'chk_st');
  const [health, why] = CHECKED[checked] ??
    (checked === 'i/o pending' ? KERNEL[text(path, 'dm_st')] : undefined) ?? [
      'unknown' as const,
      `multipathd has no verdict on it (${checked.slice(0, QUOTE_LENGTH_MAX) || 'none'})`,
    ];
  if (health !== 'ok') return [health, why];
  if (text(path, 'dev_st') === 'offline') return ['failing', 'multipathd finds its device offline'];
  if (text(path, 'marginal_st') === 'marginal') return ['failing', 'marginal: it fails on and off'];
  return ['ok', ''];
}

function mapReadings(
  snapshot: Snapshot,
  kernel: ReadonlyMap<string, string>,
  map: Readonly<Record<string, unknown>>,
): readonly Reading[] {
  const key = text(map, 'uuid') || text(map, 'name');
  if (key === '') return [];
  const paths = list(map.path_groups).flatMap((group) => list(group.paths));
  const devices = pathDevices(
    snapshot,
    kernel,
    key,
    paths.map((path) => text(path, 'dev_t')),
  );
  const readings = paths.flatMap((path): readonly Reading[] => {
    const device = devices.get(text(path, 'dev_t'));
    // Without a place it could not be matched to what the kernel says: no opinion.
    if (device === undefined || device.placeless) return [];
    const [health, why] = verdict(path);
    return [
      {
        component: device.component,
        kind: 'path',
        name: text(path, 'dev') || device.component,
        health,
        ...(health === 'ok' ? {} : { why }),
        gauges: {},
        facts: {},
        needs: [],
      },
    ];
  });
  const suspended = text(map, 'dm_st') === 'suspend';
  return [
    {
      component: componentId('map', key),
      kind: 'map',
      name: text(map, 'name') || key,
      health: suspended ? 'failing' : 'ok',
      ...(suspended ? { why: 'suspended: its I/O waits' } : {}),
      gauges: {},
      facts: {},
      needs: [],
    },
    ...readings,
  ];
}

/** Without an answer: nothing to say where there are no maps, else what to mend. */
function unanswered(snapshot: Snapshot): Observation {
  const entry = snapshot.get(KEY);
  const code = errno(snapshot, KEY) ?? 'not asked';
  const { maps } = listedMaps(snapshot);
  if (NOT_RUNNING.has(code)) {
    if (maps.length > 0) {
      const why = `multipathd is not running but ${maps.length} maps exist: failed paths will not come back. Start it`;
      return { kind: 'blind', why };
    }
    // Maps made by hand carry no WWID and are not its business: it would have no opinion on them.
    return { kind: 'none', why: 'multipathd is not running and has no maps here' };
  }
  const detail = entry !== undefined && 'errno' in entry ? entry.why : undefined;
  return { kind: 'blind', why: `multipathd: ${code}${detail === undefined ? '' : `, ${detail}`}` };
}

/** The daemon's opinion of the maps and paths that the kernel lists. */
export function parseDaemon(snapshot: Snapshot): Observation {
  const entry = snapshot.get(KEY);
  if (!hasText(entry)) return unanswered(snapshot);
  const answer = json(entry.text);
  if (!isRecord(answer) || !Array.isArray(answer.maps)) {
    const said = entry.text.trim().split('\n', 1)[0]?.slice(0, QUOTE_LENGTH_MAX) ?? '';
    return { kind: 'blind', why: `multipathd answered no map list but "${said}"` };
  }
  const maps = list(answer.maps);
  if (maps.length === 0) return { kind: 'none', why: 'multipathd has no maps' };
  const kernel = kernelNames(snapshot);
  const byId = new Map(
    maps
      .flatMap((map) => mapReadings(snapshot, kernel, map))
      .map((reading) => [reading.component, reading]),
  );
  return { kind: 'seen', readings: [...byId.values()], groups: [], advice: [] };
}
