/**
 * Paths to storage: device-mapper multipath as the kernel sees it, multipathd's opinion of it, and
 * NVMe's own multipath. A path counts by the letter in the dm table, because the kernel fails a path
 * long before (and sometimes without) its SCSI device changing state; the SCSI state can only make it
 * worse. Each path names card, controller and target port it needs, so paths that share one are seen
 * for what they are. Sends no I/O of its own.
 */
import {
  type Advice,
  componentId,
  type GroupReading,
  groupId,
  type Health,
  type Observation,
  type Reading,
} from '../rules/model.ts';
import type { Collector, Snapshot } from './lib/collector.ts';
import { type DmMap, type DmPath, parseDmStatus } from './lib/dm-status.ts';
import { MAPS_REQUEST, parseDaemon } from './lib/mpath-daemon.ts';
import {
  DEVICE_READS,
  kernelNames,
  listedMaps,
  mapDevice,
  type PathDevice,
  pathDevices,
} from './lib/mpath-devices.ts';
import { NVME_READS, parseNvme } from './lib/nvme-paths.ts';
import { bit, defined, errno, hasText, unlisted, word } from './lib/snapshot.ts';

type Verdict = readonly [Health, string];

const DM = 'dm:multipath';
/** States of a SCSI or NVMe device in which it takes I/O. */
const SERVING: ReadonlySet<string> = new Set(['running', 'live']);
/**
 * ALUA words under which the array serves the path, or will once the host moves over to it
 * (`standby` stands in: it is what redundancy is for).
 */
const USABLE: ReadonlySet<string> = new Set([
  'active/optimized',
  'active/non-optimized',
  'lba-dependent',
  'standby',
]);

/** What makes a path that the kernel still uses worse than it looks. */
function troubles(path: DmPath, state: string | undefined, access: string | undefined): string[] {
  const words: string[] = [];
  if (state !== undefined && !SERVING.has(state)) words.push(`its device is ${state}`);
  if (access !== undefined && !USABLE.has(access)) words.push(`the array calls it ${access}`);
  if (path.group === 'D') words.push('its group is switched off');
  return words;
}

function pathVerdict(path: DmPath, state: string | undefined, access: string | undefined): Verdict {
  const words = troubles(path, state, access);
  if (path.letter === 'F') {
    const after = [`failed by the kernel, ${path.failures} failures so far`, ...words];
    return ['failed', after.join('; ')];
  }
  if (path.letter !== 'A') return ['unknown', `the kernel's letter for it is ${path.letter}`];
  return words.length > 0 ? ['failing', words.join('; ')] : ['ok', ''];
}

function pathReading(
  snapshot: Snapshot,
  map: string,
  path: DmPath,
  device: PathDevice | undefined,
): Reading {
  const folder = `sys/block/${device?.kernelName ?? ''}/device`;
  const access = word(snapshot, `${folder}/access_state`);
  const [health, why] = pathVerdict(path, word(snapshot, `${folder}/state`), access);
  return {
    component: device?.component ?? componentId('path', map, `dev-${path.number}`),
    kind: 'path',
    name: device?.kernelName ?? path.number,
    health,
    ...(health === 'ok' ? {} : { why }),
    gauges: defined({
      failures_total: path.failures,
      optimized: access === undefined ? undefined : access === 'active/optimized' ? 1 : 0,
    }),
    facts: defined({
      map,
      host: device?.host,
      vendor: word(snapshot, `${folder}/vendor`),
      model: word(snapshot, `${folder}/model`),
      wwid: word(snapshot, `${folder}/wwid`),
    }),
    needs: device?.needs ?? [],
    ...(device === undefined || device.placeless ? { virtual: true as const } : {}),
    flap: 'failures_total',
  };
}

function mapVerdict(map: DmMap, paths: readonly Reading[], suspended: boolean): Verdict {
  if (map.paths === undefined) return ['unknown', "the kernel's status of it is not understood"];
  if (!paths.some((path) => path.health !== 'failed')) {
    const queues = map.features?.includes('queue_if_no_path') === true;
    return ['failed', `no path is left: its I/O ${queues ? 'hangs until one returns' : 'fails'}`];
  }
  return suspended ? ['failing', 'suspended: its I/O waits'] : ['ok', ''];
}

interface MapParts {
  readonly readings: readonly Reading[];
  readonly groups: readonly GroupReading[];
  readonly advice: readonly Advice[];
}

function adviceOf(key: string, map: DmMap): readonly Advice[] {
  if (map.features?.includes('queue_if_no_path') !== true) return [];
  const text = `${map.name} queues I/O when no path is left: programs hang instead of failing, so a service cannot be moved away. Set no_path_retry to "fail" or a small number.`;
  return [{ code: 'queue-no-path', about: componentId('map', key), text }];
}

function mapParts(
  snapshot: Snapshot,
  kernel: ReadonlyMap<string, string>,
  map: DmMap,
  taken: ReadonlySet<string>,
): MapParts {
  const device = mapDevice(snapshot, kernel, map.number, map.name);
  const key = taken.has(device.key) ? `${device.key}-${map.name}` : device.key;
  const paths = map.paths ?? [];
  const devices = pathDevices(
    snapshot,
    kernel,
    key,
    paths.map((path) => path.number),
  );
  const readings = paths.map((path) => pathReading(snapshot, key, path, devices.get(path.number)));
  const folder = `sys/block/${device.kernelName ?? ''}`;
  const suspended = bit(snapshot, `${folder}/dm/suspended`) === true;
  const [health, why] = mapVerdict(map, readings, suspended);
  const queues = map.features?.includes('queue_if_no_path');
  const reading: Reading = {
    component: componentId('map', key),
    kind: 'map',
    name: map.name,
    health,
    ...(health === 'ok' ? {} : { why }),
    gauges: defined({
      paths: map.paths?.length,
      suspended: suspended ? 1 : 0,
    }),
    facts: defined({
      wwid: device.key,
      device: device.kernelName,
      no_path: queues === undefined ? undefined : queues ? 'queue' : 'fail',
    }),
    needs: [],
  };
  // A status that was not understood says nothing of the paths: no count, not a count of none.
  const group: GroupReading = {
    group: groupId('paths', key),
    kind: 'paths',
    name: map.name,
    members: [...new Set(readings.map(({ component }) => component))],
  };
  const groups = map.paths === undefined ? [] : [group];
  return { readings: [reading, ...readings], groups, advice: adviceOf(key, map) };
}

/** Without the kernel's table: whether anything is missed, and what to mend. */
function unread(snapshot: Snapshot): Observation {
  const entry = snapshot.get(DM);
  const { maps, unnamed } = listedMaps(snapshot);
  const listed = unlisted(snapshot, 'sys/block') === undefined;
  if (listed && maps.length === 0 && unnamed.length === 0) {
    return { kind: 'none', why: 'no multipath maps' };
  }
  const detail = entry !== undefined && 'errno' in entry ? entry.why : undefined;
  const code = errno(snapshot, DM) ?? 'not read';
  return {
    kind: 'blind',
    why: `device-mapper status: ${code}${detail === undefined ? '' : `, ${detail}`}`,
  };
}

function parseDm(snapshot: Snapshot): Observation {
  const entry = snapshot.get(DM);
  if (!hasText(entry)) return unread(snapshot);
  const maps = parseDmStatus(entry.text);
  if (maps.length === 0) {
    const odd = entry.text.trim().slice(0, 60);
    return odd === ''
      ? { kind: 'none', why: 'no multipath maps' }
      : { kind: 'blind', why: `device-mapper status is not understood: ${odd}` };
  }
  const kernel = kernelNames(snapshot);
  const taken = new Set<string>();
  const parts = maps.map((map) => {
    const made = mapParts(snapshot, kernel, map, taken);
    taken.add(mapDevice(snapshot, kernel, map.number, map.name).key);
    return made;
  });
  const byId = new Map(
    parts.flatMap(({ readings }) => readings).map((reading) => [reading.component, reading]),
  );
  return {
    kind: 'seen',
    readings: [...byId.values()],
    groups: parts.flatMap(({ groups }) => groups),
    advice: parts.flatMap(({ advice }) => advice),
  };
}

export const collector: Collector = {
  name: 'multipath',
  sees: 'paths to storage: dm-multipath maps, multipathd checkers, NVMe multipath',
  sources: [
    {
      name: 'dm',
      reads: [
        { kind: 'dm', target: 'multipath' },
        { kind: 'file', root: 'sys', glob: 'block/dm-*/dm/suspended' },
        {
          kind: 'file',
          root: 'sys',
          glob: 'block/{sd*,nvme*,dasd*,vd*}/device/{state,access_state}',
        },
        {
          kind: 'file',
          root: 'sys',
          glob: 'block/{sd*,nvme*,dasd*,vd*}/device/{vendor,model,wwid}',
          still: true,
        },
        ...DEVICE_READS,
      ],
      wakes: [{ on: 'uevent', subsystem: 'block' }],
      everyMs: 5000,
      staleMs: 20_000,
      parse: parseDm,
    },
    {
      name: 'multipathd',
      reads: [{ kind: 'multipathd', request: MAPS_REQUEST }, ...DEVICE_READS],
      wakes: [],
      everyMs: 10_000,
      staleMs: 40_000,
      opinion: true,
      parse: parseDaemon,
    },
    {
      name: 'nvme',
      reads: NVME_READS,
      wakes: [
        { on: 'uevent', subsystem: 'nvme' },
        { on: 'uevent', subsystem: 'block' },
      ],
      everyMs: 5000,
      staleMs: 20_000,
      parse: parseNvme,
    },
  ],
};
