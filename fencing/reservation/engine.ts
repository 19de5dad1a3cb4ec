/**
 * The engine that every reservation machine runs on: look at the table, let a policy decide from what is
 * there, do one thing, look again. What a command did is never taken from its answer but from the table
 * read after it, so a late effect, a lost reply or a rival is found where it shows.
 *
 * It keeps three promises for all policies: never two PR OUTs at once; a PR OUT whose outcome is not known
 * holds up every further one, and the machine's end, until it has returned or its nexus is gone and the
 * table was read since; and a table read before the last PR OUT ended decides nothing new.
 */
import type { Answer } from './answer.ts';
import { type Ask, beginLook, continueLook, type Look } from './look.ts';
import type { Act, Blind, Input, Machine, Policy, Turn, View } from './machine.ts';
import type { ReadRequest, WriteRequest } from './request.ts';
import { isRegistered, type Path, type Table } from './table.ts';

/** Beyond a read's deadline; the port answers by then, and if it does not, the look is given up. */
const LOOK_SLACK_MS = 1000;
/** For so many looks a path counts as registered that was asked; longer than it takes to ask the others. */
const CHECK_LOOKS = 5;

/**
 * What a registration's answer tells of its path: a conflict of REGISTER own->own means that it is not
 * registered, as does whatever comes of unregistering it.
 */
function checked<M>(
  machine: Machine<M>,
  { path, request }: Ask<WriteRequest>,
  answer: Answer,
  nowMs: number,
): Machine<M> {
  if (request.ask !== 'register' && request.ask !== 'register-ignore') return machine;
  if (!['good', 'conflict'].includes(answer.is)) return machine;
  const ok = answer.is === 'good' && request.next === machine.self.key;
  return { ...machine, checks: { ...machine.checks, [path]: { atMs: nowMs, ok } } };
}

/** How a PR OUT goes on with its answer; undefined doubt: it has ended. */
function doubtOf(answer: Answer): Act['doubt'] | undefined {
  return answer.is === 'unresolved' ? answer.until : undefined;
}

function onActAnswer<M, R>(
  machine: Machine<M>,
  act: Act,
  answer: Answer,
  nowMs: number,
  policy: Policy<M, R>,
): Machine<M> {
  const doubt = doubtOf(answer);
  // Whatever was being read was begun before this: it is thrown away and read afresh.
  const fresh = { ...machine, look: undefined, nextLookMs: nowMs };
  if (doubt === 'gone') return { ...fresh, act: undefined };
  if (doubt !== undefined) return { ...fresh, act: { ...act, doubt } };
  const { ask } = act;
  const memory = policy.acted(machine.memory, ask.request, answer);
  return checked({ ...fresh, act: undefined, memory }, ask, answer, nowMs);
}

function onGone<M>(machine: Machine<M>, path: string, nowMs: number): Machine<M> {
  const { act } = machine;
  const mine = act?.ask.path === path;
  return {
    ...machine,
    paths: machine.paths.filter(({ name }) => name !== path),
    act: mine ? undefined : act,
    ...(mine || machine.look?.path === path ? { look: undefined, nextLookMs: nowMs } : {}),
  };
}

/** A path that was away may have come back with another nexus: what was known of it is forgotten. */
function onPaths<M>(machine: Machine<M>, paths: readonly Path[]): Machine<M> {
  const stayed = paths.filter(({ name }) => machine.paths.some((one) => one.name === name));
  const checks = Object.fromEntries(
    stayed.flatMap(({ name }) => {
      const check = machine.checks[name];
      return check === undefined ? [] : [[name, check]];
    }),
  );
  return { ...machine, paths, checks };
}

/** The path to look down: the one a doubt is about, else the first that did not fail last. */
function pathToLook<M>({ paths, failed, act }: Machine<M>): Path | undefined {
  if (act?.doubt === 'read') {
    const same = paths.find(({ name }) => name === act.ask.path);
    if (same !== undefined && failed.at(-1) !== same.name) return same;
  }
  const good = paths.find(({ name }) => !failed.includes(name));
  return good ?? paths.toSorted((a, b) => failed.indexOf(a.name) - failed.indexOf(b.name))[0];
}

function startLook<M, R>(
  machine: Machine<M>,
  nowMs: number,
  blind: Blind,
  policy: Policy<M, R>,
): Turn<M, R> {
  const path = pathToLook(machine);
  const { times, nextId, noFull } = machine;
  const rested = { ...machine, nextLookMs: nowMs + times.everyMs };
  const move = policy.blind(machine.memory, nowMs, blind);
  if (move?.do === 'end')
    return { machine: { ...rested, ended: true }, asks: [], result: move.result };
  if (path === undefined) return { machine: rested, asks: [], result: undefined };
  const options = { path: path.name, withFull: !noFull, deadlineMs: times.readMs };
  const { look, asks } = beginLook(options, nowMs, nextId);
  const next = { ...rested, look, nextId: nextId + asks.length };
  return { machine: next, asks, result: undefined };
}

function viewOf<M>(machine: Machine<M>, table: Table, nowMs: number): View<M> {
  const { self, paths, checks, memory, act, times } = machine;
  return {
    nowMs,
    self,
    table,
    paths,
    busy: act !== undefined,
    memory,
    registered: (path) => {
      const told = isRegistered(table, self.key, path);
      const check = checks[path.name];
      if (told !== 'unknown' || check === undefined) return told;
      if (table.atMs - check.atMs > times.everyMs * CHECK_LOOKS) return 'unknown';
      return check.ok ? 'yes' : 'no';
    },
  };
}

function onTable<M, R>(
  machine: Machine<M>,
  table: Table,
  nowMs: number,
  policy: Policy<M, R>,
): Turn<M, R> {
  const settled = machine.act?.doubt === 'read' && machine.act.ask.path === table.path;
  const seen: Machine<M> = {
    ...machine,
    look: undefined,
    table,
    act: settled ? undefined : machine.act,
    failed: machine.failed.filter((name) => name !== table.path),
  };
  const view = viewOf(seen, table, nowMs);
  const { memory, move } = policy.decide(view);
  const decided = { ...seen, memory };
  if (move.do === 'wait') {
    const nextLookMs = Math.min(decided.nextLookMs, move.untilMs ?? Number.POSITIVE_INFINITY);
    return { machine: { ...decided, nextLookMs }, asks: [], result: undefined };
  }
  if (move.do === 'end') {
    if (view.busy && move.urgent !== true) return { machine: decided, asks: [], result: undefined };
    return { machine: { ...decided, ended: true }, asks: [], result: move.result };
  }
  if (view.busy) return { machine: decided, asks: [], result: undefined };
  const { path, request } = move;
  const ask = { id: decided.nextId, path, request, deadlineMs: decided.times.writeMs };
  const next = { ...decided, nextId: decided.nextId + 1, act: { ask, doubt: 'none' as const } };
  return { machine: next, asks: [ask], result: undefined };
}

/** A look that could not be finished: the next path at once; when all have failed, at the usual time. */
function onBlind<M, R>(
  machine: Machine<M>,
  path: string,
  blind: Blind,
  nowMs: number,
  policy: Policy<M, R>,
): Turn<M, R> {
  const failed = [...machine.failed.filter((name) => name !== path), path];
  const next = { ...machine, look: undefined, failed };
  if (machine.paths.some(({ name }) => !failed.includes(name))) {
    return startLook(next, nowMs, blind, policy);
  }
  const move = policy.blind(machine.memory, nowMs, blind);
  const ended = move?.do === 'end';
  const rests = { ...next, failed: [], ended };
  return { machine: rests, asks: [], result: ended ? move.result : undefined };
}

function onLookAnswer<M, R>(
  machine: Machine<M>,
  look: Look,
  ask: Ask<ReadRequest>,
  answer: Answer,
  nowMs: number,
  policy: Policy<M, R>,
): Turn<M, R> {
  const end = continueLook(look, ask, answer, nowMs, machine.nextId);
  switch (end.is) {
    case 'open': {
      const nextId = machine.nextId + end.asks.length;
      return { machine: { ...machine, look: end.look, nextId }, asks: end.asks, result: undefined };
    }
    case 'seen':
      return onTable(machine, end.table, nowMs, policy);
    case 'blind':
      if (!end.noFull) return onBlind(machine, look.path, end, nowMs, policy);
      return startLook({ ...machine, look: undefined, noFull: true }, nowMs, end, policy);
  }
}

/** While a look is under way only time can decide something. */
function onWaiting<M, R>(
  machine: Machine<M>,
  look: Look,
  nowMs: number,
  policy: Policy<M, R>,
): Turn<M, R> {
  const { path, atMs } = look;
  if (nowMs - atMs > machine.times.readMs * (look.tries + 1) + LOOK_SLACK_MS) {
    return onBlind(
      machine,
      path,
      { why: `no answer by ${path}`, unsupported: false },
      nowMs,
      policy,
    );
  }
  const move = policy.blind(machine.memory, nowMs, {
    why: `waiting for ${path}`,
    unsupported: false,
  });
  if (move?.do !== 'end') return { machine, asks: [], result: undefined };
  return { machine: { ...machine, ended: true }, asks: [], result: move.result };
}

/** One step: takes in what happened, gives what is to be sent, and the result once there is one. */
export function step<M, R>(
  machine: Machine<M>,
  nowMs: number,
  input: Input,
  policy: Policy<M, R>,
): Turn<M, R> {
  let next = machine;
  if (machine.ended) return { machine, asks: [], result: undefined };
  if (input.is === 'paths') next = onPaths(next, input.paths);
  if (input.is === 'gone') next = onGone(next, input.path, nowMs);
  if (input.is === 'answer') {
    const { act, look } = next;
    const read = look?.open.find(({ id }) => id === input.id);
    if (act?.ask.id === input.id) next = onActAnswer(next, act, input.answer, nowMs, policy);
    else if (look !== undefined && read !== undefined) {
      return onLookAnswer(next, look, read, input.answer, nowMs, policy);
    }
  }
  if (next.look !== undefined) return onWaiting(next, next.look, nowMs, policy);
  if (nowMs < next.nextLookMs) return { machine: next, asks: [], result: undefined };
  return startLook(next, nowMs, { why: 'not read yet', unsupported: false }, policy);
}
