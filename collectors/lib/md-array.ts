/**
 * One md array out of its two descriptions, sysfs and mdstat. Where both speak sysfs is believed, being
 * the richer and read file by file; either alone is enough. Says what md says: which member is a whole
 * copy, which is being rebuilt, what work is under way. What that means for health is `mdraid.ts`'s.
 */
import type { Snapshot } from './collector.ts';
import { type BlockDevice, blockDevice } from './device-path.ts';
import type { MdstatArray, MdstatMember, Sync, SyncAction } from './mdstat.ts';
import { decimal, errno, target, word } from './snapshot.ts';

/**
 * `copy`: in sync, holds its share of the data. `faulty`: thrown out. `rebuilding`: has a slot and is
 * not in sync yet. `replacement`: will take over from a member that still works.
 */
export type MemberRole =
  | 'copy'
  | 'faulty'
  | 'rebuilding'
  | 'spare'
  | 'journal'
  | 'replacement'
  | 'unknown';

export interface MdMember {
  readonly name: string;
  readonly role: MemberRole;
  /** Words of `dev-X/state`; empty when only mdstat speaks. */
  readonly words: ReadonlySet<string>;
  readonly faulty: boolean;
  readonly slot: number | undefined;
  readonly errors: number | undefined;
  readonly writeMostly: boolean;
  /** Number md gave the disk, from mdstat. */
  readonly number: number | undefined;
  readonly device: BlockDevice | undefined;
}

export interface MdArray {
  readonly name: string;
  /** UUID as mdadm prints it; undefined where md does not know it (external metadata, old kernels). */
  readonly uuid: string | undefined;
  /** Word of `array_state`, or the nearest one to what mdstat says. */
  readonly state: string | undefined;
  readonly level: string | undefined;
  readonly disks: number | undefined;
  /** During a reshape: the number before it. */
  readonly disksBefore: number | undefined;
  readonly degraded: number | undefined;
  readonly copies: number | undefined;
  readonly sync: Sync | undefined;
  readonly mismatchSectors: number | undefined;
  readonly metadata: string | undefined;
  readonly policy: string | undefined;
  readonly members: readonly MdMember[];
  readonly problem: string | undefined;
}

const LEVEL_NUMBERS: Readonly<Record<string, string>> = {
  '-1': 'linear',
  '0': 'raid0',
  '1': 'raid1',
  '4': 'raid4',
  '5': 'raid5',
  '6': 'raid6',
  '10': 'raid10',
};
const ACTIONS: readonly SyncAction[] = ['resync', 'recover', 'check', 'repair', 'reshape'];
const IN_SYSFS = /^sys\/block\/([^/]+)\/md\/([^/]+)/u;
/** Words of `array_state` under which md has not compared the members. */
export const STOPPED: ReadonlySet<string | undefined> = new Set(['inactive', 'clear']);
const GONE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENODEV', 'ENXIO']);
const MEMBER_FILES: readonly string[] = ['state', 'errors', 'slot', 'block'];

/** True when a key was not read because the thing is not there (any more), or never listed. */
export function isGone(snapshot: Snapshot, key: string): boolean {
  const entry = snapshot.get(key);
  return entry === undefined || ('errno' in entry && GONE.has(entry.errno));
}

/** 32 hexadecimal digits in mdadm's form; an all-zero UUID is one that md was not told. */
function uuidForm(text: string | undefined): string | undefined {
  const digits = text?.replaceAll(/[-:]/gu, '').toLowerCase() ?? '';
  if (!/^[0-9a-f]{32}$/u.test(digits) || /^0+$/u.test(digits)) return undefined;
  return digits.replaceAll(/(.{8})(?=.)/gu, '$1:');
}

/** The kernel tells the UUID of native metadata; of external metadata only udev's database has it. */
function uuidOf(snapshot: Snapshot, name: string): string | undefined {
  const own = uuidForm(word(snapshot, `sys/block/${name}/md/uuid`));
  if (own !== undefined) return own;
  const number = word(snapshot, `sys/block/${name}/dev`);
  const database = number === undefined ? undefined : word(snapshot, `run/udev/data/b${number}`);
  return uuidForm(/^E:MD_UUID=(\S+)$/mu.exec(database ?? '')?.[1]);
}

function roleFromWords(words: ReadonlySet<string>, slot: number | undefined): MemberRole {
  if (words.has('journal')) return 'journal';
  if (words.has('faulty') && !words.has('in_sync')) return 'faulty';
  if (words.has('replacement')) return 'replacement';
  // `faulty,in_sync`: bad blocks not yet written down; the disk still serves.
  if (words.has('in_sync')) return 'copy';
  if (words.has('spare')) return slot === undefined ? 'spare' : 'rebuilding';
  return 'unknown';
}

/**
 * Role from mdstat's letters alone. A disk that is being rebuilt carries no letter: while fewer disks
 * work than carry none, mdstat does not say which of them are whole.
 */
function roleFromFlags(flags: readonly string[], stat: MdstatArray): MemberRole {
  if (flags.includes('J')) return 'journal';
  if (flags.includes('F')) return 'faulty';
  if (flags.includes('R')) return 'replacement';
  if (flags.includes('S')) return 'spare';
  const placed = stat.members.filter(
    (member) => !member.flags.some((letter) => 'JFRS'.includes(letter)),
  );
  return stat.working === undefined || stat.working >= placed.length ? 'copy' : 'unknown';
}

function memberOf(
  snapshot: Snapshot,
  array: string,
  name: string,
  stat: MdstatArray | undefined,
): MdMember | undefined {
  const folder = `sys/block/${array}/md/dev-${name}`;
  const listed: MdstatMember | undefined = stat?.members.find((member) => member.name === name);
  if (listed === undefined && MEMBER_FILES.every((file) => isGone(snapshot, `${folder}/${file}`))) {
    return undefined;
  }
  const state = word(snapshot, `${folder}/state`);
  const words = new Set(state?.split(',').map((part) => part.trim()));
  const own = word(snapshot, `sys/block/${array}/md/array_state`);
  const slot = decimal(snapshot, `${folder}/slot`);
  const flags = listed?.flags ?? [];
  const silent = state === undefined && (listed === undefined || stat === undefined);
  const role =
    state !== undefined || stat === undefined
      ? roleFromWords(words, slot)
      : roleFromFlags(flags, stat);
  return {
    name,
    role: silent || (role === 'rebuilding' && STOPPED.has(own)) ? 'unknown' : role,
    words,
    faulty: state === undefined ? flags.includes('F') : words.has('faulty'),
    slot,
    errors: decimal(snapshot, `${folder}/errors`),
    writeMostly: words.has('write_mostly') || flags.includes('W'),
    number: listed?.number,
    device: blockDevice(snapshot, target(snapshot, `${folder}/block`)),
  };
}

function syncOf(
  snapshot: Snapshot,
  folder: string,
  stat: MdstatArray | undefined,
): Sync | undefined {
  const action = ACTIONS.find((known) => known === word(snapshot, `${folder}/sync_action`));
  // sync_action says `idle` while a resync is PENDING or REMOTE: only mdstat tells.
  if (action === undefined) return stat?.sync;
  const completed = word(snapshot, `${folder}/sync_completed`);
  if (completed === 'delayed') return { action, ratio: undefined, waiting: 'delayed' };
  const [, done, total] = /^(\d{1,20}) \/ (\d{1,20})$/u.exec(completed ?? '') ?? [];
  const ratio = Number(done) / Number(total);
  if (Number.isFinite(ratio)) return { action, ratio: Math.min(1, ratio), waiting: undefined };
  return { action, ratio: stat?.sync?.ratio, waiting: stat?.sync?.waiting };
}

/** `n` or, during a reshape, `n (m)` with m the number before. */
function disksOf(text: string | undefined): [number | undefined, number | undefined] {
  const [, now, before] = /^(\d{1,6})(?: \((\d{1,6})\))?$/u.exec(text ?? '') ?? [];
  return [
    now === undefined ? undefined : Number(now),
    before === undefined ? undefined : Number(before),
  ];
}

function levelOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : (LEVEL_NUMBERS[text] ?? text);
}

/** Near and far copies multiplied; `layout` means this for raid10 only. */
function copiesOf(
  snapshot: Snapshot,
  folder: string,
  level: string | undefined,
): number | undefined {
  const layout = level === 'raid10' ? decimal(snapshot, `${folder}/layout`) : undefined;
  if (layout === undefined || !Number.isInteger(layout) || layout <= 0) return undefined;
  const copies = (layout & 0xff) * ((layout >> 8) & 0xff);
  return copies > 0 ? copies : undefined;
}

function stateFromMdstat(stat: MdstatArray | undefined): string | undefined {
  if (stat === undefined) return undefined;
  if (stat.state === 'active') return stat.readOnly ? 'readonly' : 'active';
  return stat.state;
}

/** Names of the arrays in sysfs, each with the names of its members, in one pass over the keys. */
export function arraysInSysfs(snapshot: Snapshot): ReadonlyMap<string, readonly string[]> {
  const arrays = new Map<string, Set<string>>();
  for (const key of snapshot.keys()) {
    const [, name, file = ''] = IN_SYSFS.exec(key) ?? [];
    if (name === undefined) continue;
    const members = arrays.get(name) ?? new Set();
    arrays.set(name, members);
    if (file.startsWith('dev-')) members.add(file.slice('dev-'.length));
  }
  return new Map([...arrays].map(([name, members]) => [name, [...members]]));
}

function membersOf(
  snapshot: Snapshot,
  array: string,
  inSysfs: readonly string[],
  stat: MdstatArray | undefined,
): readonly MdMember[] {
  const all = new Set([...inSysfs, ...(stat?.members.map((member) => member.name) ?? [])]);
  return [...all]
    .map((name) => memberOf(snapshot, array, name, stat))
    .filter((member) => member !== undefined);
}

/** Why an array's own word is missing, as far as it is known. */
function problemOf(
  snapshot: Snapshot,
  folder: string,
  line: MdstatArray | undefined,
): string | undefined {
  if (word(snapshot, `${folder}/array_state`) !== undefined) return undefined;
  if (line !== undefined) return line.problem;
  return `array_state: ${errno(snapshot, `${folder}/array_state`) ?? 'empty'}`;
}

/**
 * The array of a name; undefined when it is not there: vanished while it was read, or a node that was
 * created and never assembled (`clear`).
 */
export function mdArray(
  snapshot: Snapshot,
  name: string,
  inSysfs: readonly string[],
  line: MdstatArray | undefined,
): MdArray | undefined {
  const folder = `sys/block/${name}/md`;
  const stat = line?.problem === undefined ? line : undefined;
  const own = word(snapshot, `${folder}/array_state`);
  if (line === undefined && (own === 'clear' || isGone(snapshot, `${folder}/array_state`))) {
    return undefined;
  }
  const [disks, disksBefore] = disksOf(word(snapshot, `${folder}/raid_disks`));
  const level = levelOf(word(snapshot, `${folder}/level`)) ?? stat?.level;
  const missing =
    stat?.disks === undefined || stat.working === undefined
      ? undefined
      : Math.max(0, stat.disks - stat.working);
  const redundant = level !== undefined && level !== 'raid0' && level !== 'linear';
  return {
    name,
    uuid: uuidOf(snapshot, name),
    state: own ?? stateFromMdstat(stat),
    level,
    disks: disks ?? stat?.disks,
    disksBefore,
    degraded: redundant ? (decimal(snapshot, `${folder}/degraded`) ?? missing) : undefined,
    copies: copiesOf(snapshot, folder, level) ?? stat?.copies,
    sync: syncOf(snapshot, folder, stat),
    mismatchSectors: decimal(snapshot, `${folder}/mismatch_cnt`),
    metadata: word(snapshot, `${folder}/metadata_version`) ?? stat?.metadata,
    policy: word(snapshot, `${folder}/consistency_policy`),
    members: membersOf(snapshot, name, inSysfs, stat),
    problem: problemOf(snapshot, folder, line),
  };
}
