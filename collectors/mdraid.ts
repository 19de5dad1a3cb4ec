/**
 * Linux software RAID. Sees arrays, their members and what md is doing with them; a member counts as a
 * copy only when md says it is in sync, so a disk that is being rebuilt adds nothing to the margin.
 * Does not probe disks: md learns of a dead one by using it, and so do we. Each array is judged from
 * its own files: one that waits, reshapes or cannot be read hides no other.
 */
import {
  type Advice,
  type ComponentId,
  componentId,
  type GroupReading,
  groupId,
  type Health,
  type Observation,
  type Reading,
} from '../rules/model.ts';
import type { Collector, Snapshot } from './lib/collector.ts';
import { TRANSPORT_READS } from './lib/device-path.ts';
import {
  arraysInSysfs,
  isGone,
  type MdArray,
  type MdMember,
  mdArray,
  STOPPED,
} from './lib/md-array.ts';
import { arrayVerdict, isContainer, isParity, memberVerdict, redundancy } from './lib/md-health.ts';
import { parseMdstat } from './lib/mdstat.ts';
import { defined, errno, hasText } from './lib/snapshot.ts';

const MDSTAT = 'proc/mdstat';
const WORST: readonly Health[] = ['failed', 'failing', 'unknown', 'absent', 'ok'];
function keyOf(array: MdArray, shared: ReadonlySet<string>): string {
  return array.uuid === undefined || shared.has(array.uuid) ? array.name : array.uuid;
}

/** By where it hangs; without sysfs by md's own number for it, never by a bare `sdX`. */
function memberId(key: string, member: MdMember): ComponentId {
  if (member.device !== undefined) return componentId('disk', member.device.name);
  const number = member.number ?? member.slot;
  return componentId('disk', key, number === undefined ? `dev-${member.name}` : String(number));
}

function memberReading(key: string, array: MdArray, member: MdMember): Reading {
  const [health, why] = memberVerdict(array, member);
  const { device } = member;
  const needs: ComponentId[] = [];
  if (device !== undefined && device.name !== device.disk) {
    needs.push(componentId('disk', device.disk));
  }
  if (device?.map !== undefined) needs.push(componentId('map', device.map));
  return {
    component: memberId(key, member),
    kind: 'disk',
    name: member.name,
    health,
    ...(health === 'ok' ? {} : { why }),
    gauges: defined({ errors_total: member.errors }),
    facts: defined({
      array: array.name,
      role: member.role,
      slot: member.slot === undefined ? undefined : String(member.slot),
      write_mostly: member.writeMostly ? 'yes' : undefined,
    }),
    needs,
    // A disk on its way out has lost its place before md lets go of it: no second one is to be missed.
    ...(device === undefined ? { virtual: true as const } : {}),
  };
}

function arrayReading(key: string, array: MdArray): Reading {
  const [health, why] = arrayVerdict(array);
  const action = array.sync?.action;
  const now = (word: string): number => (action === word ? 1 : 0);
  return {
    component: componentId('array', key),
    kind: 'array',
    name: array.name,
    health,
    ...(health === 'ok' ? {} : { why }),
    gauges: defined({
      degraded: array.degraded,
      raid_disks: array.disks,
      mismatch_sectors: array.mismatchSectors,
      resyncing: now('resync'),
      recovering: now('recover'),
      checking: now('check'),
      repairing: now('repair'),
      reshaping: now('reshape'),
      sync_waiting: array.sync?.waiting === undefined ? 0 : 1,
      sync_ratio: array.sync?.ratio,
    }),
    facts: defined({
      level: array.level,
      uuid: array.uuid,
      metadata: array.metadata,
      consistency_policy: array.policy,
      role: isContainer(array) ? 'container' : undefined,
    }),
    needs: [],
  };
}

function groupOf(key: string, array: MdArray): readonly GroupReading[] {
  const redundant = redundancy(array);
  // Neither its state nor a single member could be read: no count, not a count of none.
  const unread = array.state === undefined && array.members.length === 0;
  if (redundant === undefined || unread || isContainer(array)) return [];
  const { kind, needed } = redundant;
  const members = array.members
    .filter(
      ({ role }) =>
        role === 'copy' || role === 'faulty' || (role === 'unknown' && !STOPPED.has(array.state)),
    )
    .map((member) => memberId(key, member));
  return [
    {
      group: groupId(kind, key),
      kind,
      name: array.name,
      members: [...new Set(members)],
      ...(needed === undefined ? {} : { needed }),
    },
  ];
}

function adviceOf(key: string, array: MdArray): readonly Advice[] {
  const about = componentId('array', key);
  if (array.level === 'raid0' || array.level === 'linear') {
    const text = `${array.name} (${array.level}) has no redundancy: the first failing disk takes all of it. Use a mirror.`;
    return [{ code: 'array-not-redundant', about, text }];
  }
  const closed = array.policy === 'journal' || array.policy === 'ppl';
  if (!isParity(array) || closed) return [];
  const text = `${array.name} (${array.level}) keeps parity: a crash while it is degraded can corrupt data that was not being written, and nothing shows it. Use raid1 or raid10, or at least a journal or ppl.`;
  return [{ code: 'array-not-mirrored', about, text }];
}

/** A disk may stand in several arrays (volumes of one container): once, with the worst that is said. */
function merged(readings: readonly Reading[]): readonly Reading[] {
  const byId = new Map<ComponentId, Reading>();
  for (const reading of readings) {
    const before = byId.get(reading.component);
    const worse =
      before === undefined || WORST.indexOf(reading.health) < WORST.indexOf(before.health);
    if (worse) byId.set(reading.component, reading);
  }
  return [...byId.values()];
}

/** A container repeats its volumes' disks as spares: it speaks only of those that are in no volume. */
function withoutRepeats(arrays: readonly MdArray[]): readonly MdArray[] {
  const used = new Set(
    arrays.filter((array) => !isContainer(array)).flatMap((array) => array.members.map(byPath)),
  );
  return arrays.map((array) =>
    isContainer(array)
      ? { ...array, members: array.members.filter((member) => !used.has(byPath(member))) }
      : array,
  );
}

function byPath(member: MdMember): string {
  return member.device?.name ?? member.name;
}

function parse(snapshot: Snapshot): Observation {
  const entry = snapshot.get(MDSTAT);
  const lines = hasText(entry) ? parseMdstat(entry.text) : undefined;
  const inSysfs = arraysInSysfs(snapshot);
  if (lines === undefined && inSysfs.size === 0) {
    if (hasText(entry)) return { kind: 'blind', why: '/proc/mdstat is not in the form md prints' };
    if (isGone(snapshot, MDSTAT)) return { kind: 'none', why: 'this kernel has no md arrays' };
    return { kind: 'blind', why: `/proc/mdstat: ${errno(snapshot, MDSTAT) ?? 'not readable'}` };
  }
  const arrays = withoutRepeats(
    [...new Set([...(lines?.keys() ?? []), ...inSysfs.keys()])]
      .map((name) => mdArray(snapshot, name, inSysfs.get(name) ?? [], lines?.get(name)))
      .filter((array) => array !== undefined),
  );
  if (arrays.length === 0) return { kind: 'none', why: 'no md arrays' };
  const uuids = arrays.map((array) => array.uuid ?? '');
  const shared = new Set(uuids.filter((uuid, index) => uuids.indexOf(uuid) !== index));
  const keyed = arrays.map((array) => [keyOf(array, shared), array] as const);
  return {
    kind: 'seen',
    readings: merged([
      ...keyed.map(([key, array]) => arrayReading(key, array)),
      ...keyed.flatMap(([key, array]) =>
        array.members.map((member) => memberReading(key, array, member)),
      ),
    ]),
    groups: keyed.flatMap(([key, array]) => groupOf(key, array)),
    advice: keyed.flatMap(([key, array]) => adviceOf(key, array)),
  };
}

export const collector: Collector = {
  name: 'mdraid',
  sees: 'Linux software RAID: arrays, their copies, rebuilds, members with errors',
  sources: [
    {
      name: 'md',
      reads: [
        { kind: 'file', root: 'proc', glob: 'mdstat' },
        { kind: 'file', root: 'sys', glob: 'block/md*/dev', still: true },
        {
          kind: 'file',
          root: 'sys',
          glob: 'block/md*/md/{array_state,degraded,sync_action,sync_completed,mismatch_cnt,raid_disks,level,layout}',
        },
        {
          kind: 'file',
          root: 'sys',
          glob: 'block/md*/md/{metadata_version,uuid,consistency_policy}',
          still: true,
        },
        { kind: 'file', root: 'sys', glob: 'block/md*/md/dev-*/{state,errors,slot}' },
        { kind: 'link', root: 'sys', glob: 'block/md*/md/dev-*/block', still: true },
        { kind: 'file', root: 'run', glob: 'udev/data/b9:*', still: true },
        ...TRANSPORT_READS,
      ],
      wakes: [
        { on: 'pollpri', root: 'proc', glob: 'mdstat' },
        {
          on: 'pollpri',
          root: 'sys',
          glob: 'block/md*/md/{array_state,degraded,sync_action,sync_completed}',
        },
        { on: 'pollpri', root: 'sys', glob: 'block/md*/md/dev-*/state' },
        { on: 'uevent', subsystem: 'block' },
      ],
      everyMs: 5000,
      staleMs: 20_000,
      parse,
    },
  ],
};
