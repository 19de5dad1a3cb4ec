/**
 * What is wished and said, derived from where each hierarchy stands: nothing here decides, and nothing that
 * is unchanged is made anew, so that callers see a change by identity. The watchdog is fed only while all
 * that runs here is proven and no foreign key stands (S18).
 */

import { recentStarts } from './candidacy.ts';
import type { Draft } from './draft.ts';
import { due } from './draft.ts';
import { forceDueMs, handoverSaid } from './handover.ts';
import type {
  ClusterWish,
  DiskWish,
  HierarchySaid,
  HierarchyWish,
  NodeName,
  ServicesWish,
  WatchdogWish,
} from './model.ts';
import { isFresh } from './owning.ts';
import { type Hierarchy, OWNING } from './state.ts';
import { ownUtility } from './worth.ts';

const NONE: DiskWish = { want: 'none' };
const RELEASE: DiskWish = { want: 'release' };
const DOWN: ServicesWish = { want: 'down' };
const KILLED: ServicesWish = { want: 'killed' };
const HOLD: ServicesWish = { want: 'hold' };
const UP: ServicesWish = { want: 'up', addresses: false };
const UP_WHOLE: ServicesWish = { want: 'up', addresses: true };

/** Legs that md has recorded as failed, as long as each mirror has another (paper, figure 2). */
function excusedOf({ spec, failedLegs }: Hierarchy): readonly string[] {
  return failedLegs.filter((wwid) => {
    const mirror = spec.disks.find((disk) => disk.wwid === wwid)?.mirror;
    if (mirror === undefined) return false;
    return spec.disks.some((disk) => disk.mirror === mirror && !failedLegs.includes(disk.wwid));
  });
}

function diskWish(given: Hierarchy): DiskWish {
  if (given.spec.fencedBy !== 'disk') return NONE;
  switch (given.state) {
    case 'challenging':
    case 'acquiring':
      return { want: 'take', attempt: given.attempt, silent: given.silent };
    case 'starting':
    case 'running':
    case 'defending':
    case 'yielding':
    case 'stopping':
      return { want: 'keep', excused: excusedOf(given) };
    case 'releasing':
      return RELEASE;
    case 'idle':
    case 'candidate':
    case 'losing':
    case 'blocked':
    case 'latched':
      return NONE;
  }
}

function servicesWish(draft: Draft, given: Hierarchy): ServicesWish {
  switch (given.state) {
    case 'starting':
    case 'running':
    case 'defending':
    case 'yielding':
      if (draft.frozen || !(given.upMs <= draft.now) || !isFresh(draft, given)) return HOLD;
      return given.settled ? UP_WHOLE : UP;
    case 'stopping':
      return draft.now >= forceDueMs(given) ? KILLED : DOWN;
    case 'losing':
      return KILLED;
    case 'idle':
    case 'candidate':
    case 'challenging':
    case 'acquiring':
    case 'releasing':
    case 'blocked':
    case 'latched':
      return settledElsewhere(draft, given) ? DOWN : HOLD;
  }
}

/** Nothing is stopped before it is known whose it is: the agent may have started anew over it. */
function settledElsewhere(draft: Draft, { disks, services, spec, taint }: Hierarchy): boolean {
  if (draft.frozen || services === undefined) return false;
  if (spec.fencedBy !== 'disk') return true;
  if (disks === undefined) return false;
  if (disks.is !== 'idle') return true;
  // Not looked at yet, or ours and about to be taken up.
  return disks.seen !== undefined && (disks.seen.holder !== 'own' || taint !== undefined);
}

function sameDisks(one: DiskWish, other: DiskWish): boolean {
  if (one === other) return true;
  if (one.want === 'take' && other.want === 'take') {
    return one.attempt === other.attempt && one.silent === other.silent;
  }
  if (one.want === 'keep' && other.want === 'keep') {
    return (
      one.excused.length === other.excused.length &&
      one.excused.every((wwid, at) => wwid === other.excused[at])
    );
  }
  return one.want === other.want && one.want !== 'take' && one.want !== 'keep';
}

function wishOf(draft: Draft, given: Hierarchy): HierarchyWish {
  const was = given.wish;
  const disks = diskWish(given);
  const services = servicesWish(draft, given);
  const same = sameDisks(was.disks, disks);
  if (same && was.services === services) return was;
  return { id: given.spec.id, disks: same ? was.disks : disks, services };
}

function wordOf(draft: Draft, given: Hierarchy): HierarchySaid {
  const was = given.word;
  const utility = ownUtility(draft, given);
  const starts = recentStarts(draft, given).length;
  const latched = given.latch !== undefined;
  const remains = given.services?.remains ?? true;
  const handover = handoverSaid(draft, given);
  const a = was.handover;
  const sameHandover =
    a === handover ||
    (a !== undefined &&
      handover !== undefined &&
      a.to === handover.to &&
      a.number === handover.number &&
      a.phase === handover.phase);
  if (
    sameHandover &&
    was.state === given.state &&
    was.utility === utility &&
    was.epoch === given.epoch &&
    was.starts === starts &&
    was.latched === latched &&
    was.remains === remains
  ) {
    return was;
  }
  const { epoch, state } = given;
  return { ...was, state, utility, epoch, starts, latched, remains, handover };
}

/** The hierarchy with what is wished of it and said of it now. */
export function spoken(draft: Draft, given: Hierarchy): Hierarchy {
  const wish = wishOf(draft, given);
  const word = wordOf(draft, given);
  return wish === given.wish && word === given.word ? given : { ...given, wish, word };
}

/**
 * One hierarchy's say in whether the watchdog is fed. What is being taken holds nothing yet: the watchdog
 * is armed for it, and fed.
 */
function foodOf(draft: Draft, given: Hierarchy): WatchdogWish {
  const { state, disks, services, spec } = given;
  if (services === undefined) return 'starve';
  if (spec.fencedBy !== 'disk') return OWNING.has(state) ? 'feed' : 'rest';
  if (state === 'losing') return 'starve';
  if (OWNING.has(state)) {
    const fresh = given.provenMs + draft.before.config.times.freshMs;
    const proven = disks?.is === 'owned' && disks.challenged === undefined && draft.now <= fresh;
    if (!proven || given.provenMs <= draft.distrustMs) return 'starve';
    due(draft, fresh + 1);
    return 'feed';
  }
  // It runs, or something of it may be dirty, and it is not proven to be ours: an agent that restarts over
  // a hierarchy that was being lost must not go on feeding for it.
  if (services.running.length > 0 || services.remains) return 'starve';
  const busy = state === 'challenging' || state === 'acquiring' || state === 'releasing';
  return busy ? 'feed' : 'rest';
}

function watchdogWish(draft: Draft): WatchdogWish {
  let wish: WatchdogWish = 'rest';
  for (const given of draft.hierarchies) {
    const food = foodOf(draft, given);
    if (food === 'starve') return 'starve';
    if (food === 'feed') wish = 'feed';
  }
  return wish;
}

function sameList<T>(one: readonly T[], other: readonly T[]): boolean {
  return one.length === other.length && one.every((value, at) => value === other[at]);
}

function fencesSaid(draft: Draft, was: ClusterWish['say']['fences']): ClusterWish['say']['fences'] {
  if (draft.fences.length === 0) return was.length === 0 ? was : [];
  const said = draft.fences.map(({ target, atMs }) => ({
    target,
    agoMs: Math.floor((draft.now - atMs) / 1000) * 1000,
  }));
  const same =
    said.length === was.length &&
    said.every(({ target, agoMs }, at) => target === was[at]?.target && agoMs === was[at]?.agoMs);
  return same ? was : said;
}

function sayOf(draft: Draft, was: ClusterWish['say']): ClusterWish['say'] {
  const words = draft.hierarchies.map(({ word }) => word);
  const heard: NodeName[] = [];
  for (const { contact, name } of draft.peers) if (contact === 'heard') heard.push(name);
  const hierarchies = sameList(words, was.hierarchies) ? was.hierarchies : words;
  const hears = sameList(heard, was.hears) ? was.hears : heard;
  const fences = fencesSaid(draft, was.fences);
  const { standby, frozen } = draft;
  const same =
    hierarchies === was.hierarchies &&
    hears === was.hears &&
    fences === was.fences &&
    standby === was.standby &&
    frozen === was.frozen;
  return same ? was : { ...was, hierarchies, hears, fences, standby, frozen };
}

export function clusterWish(draft: Draft): ClusterWish {
  const was = draft.before.wish;
  const list = draft.hierarchies.map(({ wish }) => wish);
  const hierarchies = sameList(list, was.hierarchies) ? was.hierarchies : list;
  const watchdog = watchdogWish(draft);
  const say = sayOf(draft, was.say);
  const { fenceWishes: fences, reset } = draft;
  const same =
    hierarchies === was.hierarchies &&
    say === was.say &&
    fences === was.fences &&
    watchdog === was.watchdog &&
    reset === was.reset;
  return same ? was : { hierarchies, fences, watchdog, reset, say };
}
