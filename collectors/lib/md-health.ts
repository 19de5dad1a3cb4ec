/**
 * What an md array's own words mean: health of the array and of each member, and how many disks it can
 * do without. `failing` is an array that serves with less than it was built with; a check or a reshape
 * is work, not a fault. No thresholds: errors and mismatches are gauges, limits are configuration.
 */
import type { Health } from '../../rules/model.ts';
import { type MdArray, type MdMember, STOPPED } from './md-array.ts';

/** Health and the evidence for it. */
export type Verdict = readonly [Health, string];

const RUNNING: ReadonlySet<string> = new Set([
  'clean',
  'active',
  'active-idle',
  'write-pending',
  'read-auto',
]);
const SYNC_WORDS = {
  resync: 'resyncing',
  recover: 'rebuilding',
  check: 'checking',
  repair: 'repairing',
  reshape: 'reshaping',
} as const;
/** Disks a parity level can lose. */
const PARITY_DISKS: Readonly<Record<string, number>> = { raid4: 1, raid5: 1, raid6: 2 };

/** True for levels that keep parity, and so have a write hole. */
export function isParity(array: MdArray): boolean {
  return PARITY_DISKS[array.level ?? ''] !== undefined;
}

/** External metadata has a container, which holds disks and no data: `inactive` is its normal state. */
export function isContainer(array: MdArray): boolean {
  const named = array.metadata?.startsWith('external:') === true;
  return array.level === 'container' || (named && !array.metadata?.startsWith('external:/'));
}

function syncText(array: MdArray): string | undefined {
  const { sync } = array;
  if (sync === undefined) return undefined;
  const verb = SYNC_WORDS[sync.action];
  if (sync.waiting === 'delayed') return `${verb} waits for another array`;
  if (sync.waiting === 'pending') return `${verb} starts at the first write`;
  if (sync.waiting === 'remote') return `${verb} runs on another node`;
  return sync.ratio === undefined ? verb : `${verb} ${Math.floor(sync.ratio * 100)} %`;
}

function degradedText(array: MdArray): string | undefined {
  if (array.degraded === undefined || array.degraded <= 0) return undefined;
  const of = array.disks === undefined ? '' : ` of ${array.disks}`;
  return `degraded: ${array.degraded}${of} disks are not in use`;
}

/** What works less well than it should while the array runs. A check or a reshape is no fault. */
function troubles(array: MdArray): readonly string[] {
  const words: string[] = [];
  const degraded = degradedText(array);
  if (degraded !== undefined) words.push(degraded);
  const { sync } = array;
  const unequal = sync !== undefined && (sync.action === 'resync' || sync.action === 'recover');
  if (unequal) words.push(syncText(array) ?? '');
  if (array.members.some((member) => member.role === 'journal' && member.faulty)) {
    words.push('its journal failed: it may refuse writes');
  }
  return words;
}

export function arrayVerdict(array: MdArray): Verdict {
  const { state } = array;
  if (state === undefined) return ['unknown', array.problem ?? 'its state could not be read'];
  if (isContainer(array)) return ['ok', ''];
  if (state === 'broken') return ['failed', 'broken: md gave up on it after errors'];
  if (STOPPED.has(state)) {
    return ['failed', `${state}: not running, ${array.members.length} disks attached`];
  }
  if (state === 'suspended') return ['failing', 'suspended: its I/O waits'];
  if (state === 'readonly') return ['failing', 'read-only'];
  if (!RUNNING.has(state)) return ['unknown', `array_state "${state.slice(0, 40)}" is not known`];
  const words = troubles(array);
  if (words.length > 0) return ['failing', words.join('; ')];
  const counted = array.level === 'raid1' || array.level === 'raid10' || isParity(array);
  const blind = counted && array.degraded === undefined;
  return blind ? ['unknown', 'how many disks it lacks could not be read'] : ['ok', ''];
}

function memberTroubles(member: MdMember): readonly string[] {
  const words: string[] = [];
  if (member.faulty) words.push('has bad blocks that are not yet recorded');
  if (member.words.has('write_error')) words.push('had a write error');
  if (member.words.has('want_replacement')) words.push('wants to be replaced');
  if (member.words.has('blocked')) words.push('blocked: writes to it wait');
  return words;
}

export function memberVerdict(array: MdArray, member: MdMember): Verdict {
  switch (member.role) {
    case 'faulty':
      return ['failed', `thrown out of ${array.name} after errors`];
    case 'journal':
      return member.faulty ? ['failed', `journal of ${array.name}, failed`] : ['ok', ''];
    case 'rebuilding':
      return array.sync?.action === 'recover'
        ? ['failing', `no copy yet: ${syncText(array) ?? 'rebuilding'}`]
        : ['failing', 'no copy yet: waits to be rebuilt'];
    case 'unknown':
      return [
        'unknown',
        `${array.name} ${STOPPED.has(array.state) ? 'is not running' : 'does not say whether it is in sync'}`,
      ];
    case 'copy': {
      const words = memberTroubles(member);
      if (words.length > 0) return ['failing', words.join('; ')];
      // md never throws out the last copy: what it calls in sync is what gives the errors.
      return array.state === 'broken' ? ['failing', `${array.name} is broken`] : ['ok', ''];
    }
    case 'spare':
    case 'replacement': {
      const words = memberTroubles(member);
      return words.length > 0 ? ['failing', words.join('; ')] : ['ok', ''];
    }
  }
}

/**
 * Disks that must work. A mirror's need is assumed by the core, so an operator can raise it. Raid10:
 * the pessimistic truth, any copies-1 disks may go (more, with luck, in different sets); nothing is
 * promised where the number of copies was not read. During a reshape both geometries count.
 */
export function redundancy(
  array: MdArray,
): { readonly kind: string; readonly needed?: number } | undefined {
  const { level } = array;
  if (level === 'raid1') return { kind: 'mirror' };
  const striped = level === 'raid0' || level === 'linear';
  const parity = PARITY_DISKS[level ?? ''];
  if (!striped && parity === undefined && level !== 'raid10') return undefined;
  const listed = striped ? array.members.length : undefined;
  const disks = Math.max(array.disks ?? listed ?? 0, array.disksBefore ?? 0);
  const spareable = parity ?? (striped ? 0 : (array.copies ?? 1) - 1);
  return disks === 0 ? undefined : { kind: 'raid', needed: Math.max(1, disks - spareable) };
}
