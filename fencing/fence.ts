/**
 * Carries out one power plan as a machine of values. Off is: every feed of one level was seen off before
 * and after one instant, and was still seen off when the node's capacitors were empty. Only that is
 * success; only then may anything be switched on again, and if that fails the node is off all the same.
 * A sign of life after that instant says that some device lies, and takes the proof back.
 */
import type { Ms } from '../rules/model.ts';
import {
  type Fence,
  type FenceCommand,
  type FenceEvent,
  type FenceOutcome,
  type FenceTurn,
  type FenceWant,
  LIFE_GRACE_MS,
  type Open,
  type Phase,
} from './fence-state.ts';
import { byDevice, type Feed, type Level, levelTrouble, type PowerPlan } from './plan.ts';
import type { SwitchReply, Want } from './reply.ts';

function key(device: string, outlet: string): string {
  return JSON.stringify([device, outlet]);
}

/** Begins; the first commands are in the turn. */
export function startFence(
  plan: PowerPlan,
  want: FenceWant,
  now: Ms,
  deadlineMs: number,
): FenceTurn {
  const fence: Fence = {
    plan,
    want,
    startedAt: now,
    deadlineAt: (now + deadlineMs) as Ms,
    phase: 'cutting',
    at: -1,
    open: [],
    nextId: 1,
    seen: new Map(),
    offAt: undefined,
    onAt: undefined,
    cut: [],
    whys: [],
    outcome: { kind: 'running' },
    restored: 'no',
  };
  return nextLevel(fence, now);
}

function levelOf({ plan, at }: Fence): Level {
  return plan.levels[at] ?? { level: 0, feeds: [] };
}

/** The feeds whose state counts. */
function counted(fence: Fence): readonly Feed[] {
  return levelOf(fence).feeds.filter(({ proves }) => proves);
}

function send(fence: Fence, phase: Phase, want: Want, feeds: readonly Feed[], now: Ms): FenceTurn {
  let { nextId } = fence;
  const open: Open[] = [];
  const commands: FenceCommand[] = [];
  for (const [device, outlets] of byDevice(feeds)) {
    open.push({ id: nextId, device, outlets, sentAt: now });
    commands.push({ kind: 'switch', id: nextId, device, want, outlets });
    nextId += 1;
  }
  const sent: Fence = { ...fence, phase, open, nextId, seen: new Map() };
  return { fence: sent, commands, wakeAt: fence.deadlineAt };
}

function rest(fence: Fence, wakeAt: Ms | undefined): FenceTurn {
  return { fence, commands: [], wakeAt };
}

function failed(fence: Fence, why: string): FenceTurn {
  const all = [...fence.whys, why].join('; ');
  const outcome: FenceOutcome = { kind: 'failed', why: all };
  return rest({ ...fence, phase: 'done', open: [], outcome }, undefined);
}

function nextLevel(given: Fence, now: Ms): FenceTurn {
  let fence = { ...given, at: given.at + 1, offAt: undefined, open: [] };
  for (;;) {
    const level = fence.plan.levels[fence.at];
    if (level === undefined) return failed(fence, 'no level is left');
    const trouble = levelTrouble(fence.plan, level);
    if (trouble === undefined) break;
    const whys = [...fence.whys, `level ${level.level}: ${trouble}`];
    fence = { ...fence, at: fence.at + 1, whys };
  }
  const { feeds } = levelOf(fence);
  return send({ ...fence, cut: [...fence.cut, ...feeds] }, 'cutting', 'off', feeds, now);
}

/** One feed is not off, or not known to be: the level is worth nothing as a whole. */
function levelFailed(fence: Fence, why: string, now: Ms): FenceTurn {
  const whys = [...fence.whys, `level ${levelOf(fence).level}: ${why}`];
  return nextLevel({ ...fence, whys }, now);
}

/** The feed that is not off in this reply; undefined when all that count are. */
function notOff(fence: Fence, { device, outlets }: Open, reply: SwitchReply): string | undefined {
  for (const { id } of outlets) {
    const counts = counted(fence).some((feed) => feed.device === device && feed.outlet.id === id);
    if (!counts) continue;
    const found = reply.outlets.filter(({ outlet }) => outlet === id);
    const [one] = found;
    if (found.length !== 1 || one === undefined) return `${device} ${id}: no answer for it`;
    if (one.state !== 'off') return `${device} ${id} is ${one.state} (${one.why})`;
  }
  return undefined;
}

function withSeen(fence: Fence, { device }: Open, reply: SwitchReply): Fence {
  const seen = new Map(fence.seen);
  for (const { outlet, from, to } of reply.outlets) seen.set(key(device, outlet), { from, to });
  return { ...fence, seen };
}

/** All feeds were read in one answer: then there is no need to look again for one instant. */
function together(fence: Fence): boolean {
  const devices = new Set(counted(fence).map(({ device }) => device));
  const windows = new Set(
    counted(fence).map(({ device, outlet }) => {
      const one = fence.seen.get(key(device, outlet.id));
      return `${one?.from} ${one?.to}`;
    }),
  );
  return devices.size === 1 && windows.size === 1;
}

/** Every counted feed was asked for after this time. */
function askedAfter(fence: Fence, at: Ms): boolean {
  return counted(fence).every(({ device, outlet }) => {
    const one = fence.seen.get(key(device, outlet.id));
    return one !== undefined && one.from >= at;
  });
}

function onReply(given: Fence, id: number, reply: SwitchReply, now: Ms): FenceTurn {
  const open = given.open.find((one) => one.id === id);
  // An answer to what is not asked any more (a level given up) proves nothing.
  if (open === undefined) return rest(given, wakeOf(given));
  const left = given.open.filter((one) => one.id !== id);
  if (given.phase === 'restoring') return onRestored({ ...given, open: left }, reply);
  const trouble = notOff(given, open, reply);
  if (trouble !== undefined) {
    return levelFailed({ ...given, open: left }, trouble, now);
  }
  const fence = withSeen({ ...given, open: left }, open, reply);
  if (left.length > 0) return rest(fence, fence.deadlineAt);
  return allSeen(fence, now);
}

/** Every device of the phase has answered, and every feed that counts was off. */
function allSeen(fence: Fence, now: Ms): FenceTurn {
  const feeds = counted(fence);
  switch (fence.phase) {
    case 'cutting':
      if (together(fence)) return discharge({ ...fence, offAt: now }, now);
      return send({ ...fence, offAt: now }, 'confirming', 'read', feeds, now);
    case 'confirming':
      if (fence.offAt === undefined || !askedAfter(fence, fence.offAt)) {
        return levelFailed(fence, 'the feeds were not seen at one instant', now);
      }
      return discharge(fence, now);
    case 'sealing':
      return sealed(fence, now);
    case 'discharging':
    case 'restoring':
    case 'done':
      return rest(fence, wakeOf(fence));
  }
}

function discharge(fence: Fence, now: Ms): FenceTurn {
  const until = dischargedAt(fence);
  if (fence.plan.dischargeMs <= 0) return sealed(fence, now);
  return rest({ ...fence, phase: 'discharging', open: [] }, until);
}

function dischargedAt({ offAt, plan }: Fence): Ms {
  return ((offAt ?? 0) + plan.dischargeMs) as Ms;
}

function sealed(fence: Fence, now: Ms): FenceTurn {
  const { offAt } = fence;
  const until = dischargedAt(fence);
  if (offAt === undefined || (fence.plan.dischargeMs > 0 && !askedAfter(fence, until))) {
    return levelFailed(fence, 'it was not seen off to the end of the discharge time', now);
  }
  const outcome: FenceOutcome = { kind: 'off', at: offAt, level: levelOf(fence).level };
  const off: Fence = { ...fence, outcome };
  if (fence.want === 'off') return rest({ ...off, phase: 'done', open: [] }, undefined);
  return send({ ...off, onAt: now }, 'restoring', 'on', off.cut, now);
}

function onRestored(fence: Fence, reply: SwitchReply): FenceTurn {
  const dark = reply.outlets.find(({ state }) => state !== 'on');
  const { restored } = fence;
  const next: Fence =
    dark === undefined || typeof restored === 'object'
      ? fence
      : { ...fence, restored: { failed: `${dark.outlet} is ${dark.state} (${dark.why})` } };
  if (next.open.length > 0) return rest(next, next.deadlineAt);
  const done: Fence = { ...next, phase: 'done' };
  return rest(typeof done.restored === 'object' ? done : { ...done, restored: 'yes' }, undefined);
}

function wakeOf(fence: Fence): Ms | undefined {
  if (fence.phase === 'done') return undefined;
  if (fence.phase === 'discharging') return dischargedAt(fence);
  return fence.deadlineAt;
}

function onTick(fence: Fence, now: Ms): FenceTurn {
  if (fence.phase === 'discharging' && now >= dischargedAt(fence)) {
    return send(fence, 'sealing', 'read', counted(fence), now);
  }
  if (fence.phase === 'done' || now < fence.deadlineAt) return rest(fence, wakeOf(fence));
  // Switching on again took too long: the node is off all the same.
  if (fence.outcome.kind === 'off') {
    const restored = { failed: 'no answer before the deadline' };
    return rest({ ...fence, phase: 'done', open: [], restored }, undefined);
  }
  return failed(fence, `not proven before the deadline (${fence.phase})`);
}

/** A node that was off gives no sign of life. */
function contradicts({ offAt, onAt }: Fence, at: Ms): boolean {
  if (offAt === undefined || at <= offAt + LIFE_GRACE_MS) return false;
  return onAt === undefined || at < onAt;
}

function onLife(fence: Fence, node: string, at: Ms, now: Ms): FenceTurn {
  if (node !== fence.plan.node || !contradicts(fence, at)) return rest(fence, wakeOf(fence));
  const offAt = fence.offAt ?? 0;
  const why = `${node} gave a sign of life ${Math.round(at - offAt)} ms after all its feeds were seen off: an outlet lies or feeds something else`;
  if (fence.outcome.kind === 'off') {
    return rest({ ...fence, outcome: { kind: 'refuted', why } }, wakeOf(fence));
  }
  if (fence.phase === 'done') return rest(fence, undefined);
  return levelFailed(fence, why, now);
}

/** The next commands for what has happened. */
export function nextFence(fence: Fence, event: FenceEvent, now: Ms): FenceTurn {
  switch (event.kind) {
    case 'reply':
      if (fence.phase === 'done') return rest(fence, undefined);
      if (now >= fence.deadlineAt) return onTick(fence, now);
      return onReply(fence, event.id, event.reply, now);
    case 'tick':
      return onTick(fence, now);
    case 'life':
      return onLife(fence, event.node, event.at, now);
  }
}
