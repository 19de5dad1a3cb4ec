/**
 * One order to a switch that talks in lines, as a machine of values: open, log in, ask, order, ask until
 * it is seen, log out. The same rules as over SNMP: nothing is ordered that was not read first, what was
 * asked for and what was seen are two things, a broken conversation proves nothing and is begun again
 * until the deadline. A refused login is not tried twice: devices lock accounts.
 */
import type { Ms } from '../rules/model.ts';
import { type Address, addressOf, BY_NAME } from './outlet.ts';
import type { Step } from './profile.ts';
import { readRows, rowFor } from './rows.ts';
import { advance, hear, type ScriptNeed, startScript } from './script.ts';
import {
  closing,
  done,
  type LineCommand,
  type LineEvent,
  type LineTurn,
  type Look,
  refuse,
  replyOf,
  type Stage,
  type Talk,
} from './talk.ts';
import { found, lookOf, nameAsked } from './talk-looks.ts';

/** Before another attempt to talk. */
const RETRY_MS = 500;
const LOGOUT_MS = 1000;

/** Nothing more to learn: say goodbye, so that the next session is let in, then close. */
function finish(given: Talk, now: Ms): LineTurn {
  const talk = { ...given, reply: replyOf(given, now) };
  const steps = talk.device.logout ?? [];
  if (steps.length === 0 || now >= talk.deadlineAt) return closing(talk);
  const script = startScript(steps, talk.words);
  return run({ ...talk, stage: { kind: 'logout', script } }, now);
}

/** The conversation is lost: hang up, and begin again after a while. */
function broken(talk: Talk, why: string): LineTurn {
  const uncertain = talk.uncertain || talk.stage.kind === 'order';
  const stage: Stage = { kind: 'breaking' };
  return { talk: { ...talk, stage, uncertain, trouble: why }, command: { kind: 'close' } };
}

function pause(talk: Talk, kind: 'closed' | 'pause', wantedMs: number, now: Ms): LineTurn {
  const ms = Math.max(1, Math.min(wantedMs, talk.deadlineAt - now));
  return { talk: { ...talk, stage: { kind } }, command: { kind: 'wait', ms } };
}

function begin(given: Talk, now: Ms): LineTurn {
  let talk = given;
  if (talk.addresses.length === 0) {
    const addresses: (Address | undefined)[] = [];
    for (const ref of talk.request.outlets) {
      if (ref.id.startsWith(BY_NAME)) {
        if (talk.device.status?.perOutlet === true) {
          return refuse(talk, 'this device tells no names: give the number', now);
        }
        addresses.push(undefined);
        continue;
      }
      const address = addressOf(talk.profile, ref);
      if (!address.ok) return refuse(talk, address.why, now);
      addresses.push(address);
    }
    talk = { ...talk, addresses };
  }
  const ids = talk.addresses.flatMap((one) => (one === undefined ? [] : [one.id]));
  if (new Set(ids).size < ids.length) return refuse(talk, 'two of the outlets are the same', now);
  return { talk: { ...talk, stage: { kind: 'opening' } }, command: { kind: 'open' } };
}

function logIn(talk: Talk, now: Ms): LineTurn {
  const { open = [], login = [], serial } = talk.device;
  const wake: readonly Step[] =
    talk.over === 'serial' && serial?.wake !== undefined ? [{ bytes: serial.wake }] : [];
  const steps: readonly Step[] = [...open, ...wake, ...login];
  return run({ ...talk, stage: { kind: 'login', script: startScript(steps, talk.words) } }, now);
}

function wordsFor(talk: Talk, at: number): Talk['words'] {
  return { ...talk.words, outlet: talk.addresses[at]?.id ?? '' };
}

/** Asks for the states: once for all outlets, or for one after the other. */
function ask(talk: Talk, at: number, found: readonly Look[], now: Ms): LineTurn {
  const { status } = talk.device;
  if (status === undefined) return unproven(talk, now);
  const script = startScript(status.steps, wordsFor(talk, at));
  return run({ ...talk, stage: { kind: 'status', script, at, sentAt: now, found } }, now);
}

/** A device that tells nothing: the order is sent and stays without proof. */
function unproven(talk: Talk, now: Ms): LineTurn {
  const trouble = 'this device cannot tell the state of an outlet';
  if (talk.request.want === 'read' || talk.orderedAt !== undefined) {
    return finish({ ...talk, trouble, looks: [] }, now);
  }
  return order({ ...talk, trouble }, 0, now);
}

function order(talk: Talk, at: number, now: Ms): LineTurn {
  const { want, outlets } = talk.request;
  const sent = { ...talk, orderedAt: now };
  if (at >= outlets.length) return pause(sent, 'pause', talk.profile.timing.settleMs, now);
  const steps = want === 'on' ? talk.device.on : talk.device.off;
  const script = startScript(steps, wordsFor(talk, at));
  return run({ ...sent, stage: { kind: 'order', script, at } }, now);
}

/** Runs the stage's script until it needs something, ends or fails. */
function run(talk: Talk, now: Ms): LineTurn {
  const { stage } = talk;
  if (!('script' in stage)) return broken(talk, 'lost the thread');
  const answerMs = stage.kind === 'logout' ? LOGOUT_MS : talk.profile.timing.answerMs;
  const { script, need } = advance(talk.device, stage.script, now, answerMs);
  const going: Talk = { ...talk, stage: { ...stage, script } };
  if (need.kind === 'end') return scriptEnded(going, now);
  if (need.kind === 'failed') return scriptFailed(going, need, now);
  return { talk: going, command: commandOf(going, need, now) };
}

function commandOf(
  talk: Talk,
  need: Exclude<ScriptNeed, { kind: 'end' | 'failed' }>,
  now: Ms,
): LineCommand {
  const left = Math.max(1, talk.deadlineAt - now);
  switch (need.kind) {
    case 'send':
      return { ...need, paceMs: talk.device.paceMs ?? 0 };
    case 'listen':
      return { kind: 'listen', ms: Math.max(1, Math.min(need.until - now, left)) };
    case 'wait':
      return { kind: 'wait', ms: Math.max(1, Math.min(need.ms, left)) };
    case 'lines':
      return need;
  }
}

function scriptFailed(
  talk: Talk,
  need: Extract<ScriptNeed, { kind: 'failed' }>,
  now: Ms,
): LineTurn {
  const { stage } = talk;
  if (stage.kind === 'logout') return closing(talk);
  if (need.error?.means !== 'refused') return broken(talk, need.why);
  // What was refused stays refused; what the outlet does is still worth a look.
  if (stage.kind === 'order') {
    return ask({ ...talk, denied: need.why, trouble: need.why }, 0, [], now);
  }
  return refuse(talk, need.why, now);
}

function scriptEnded(talk: Talk, now: Ms): LineTurn {
  const { stage } = talk;
  switch (stage.kind) {
    case 'login':
      return ask(talk, 0, [], now);
    case 'status':
      return answered(talk, stage, now);
    case 'order':
      return order(talk, stage.at + 1, now);
    case 'logout':
      return closing(talk);
    default:
      return broken(talk, 'lost the thread');
  }
}

function answered(given: Talk, stage: Extract<Stage, { kind: 'status' }>, now: Ms): LineTurn {
  const { status } = given.device;
  if (status === undefined) return broken(given, 'lost the thread');
  const rows = readRows(status, stage.script.page);
  const { outlets } = given.request;
  if (rows.trouble !== undefined) {
    return repeat({ ...given, looks: [], trouble: rows.trouble }, now);
  }
  const addresses = found(given, rows);
  if (typeof addresses === 'string') return refuse(given, addresses, now);
  const talk = { ...given, addresses };
  const look = (at: number): Look =>
    lookOf(rowFor(rows, addresses[at]?.id ?? ''), nameAsked(outlets[at]), stage.sentAt, now);
  const all =
    status.perOutlet === true ? [...stage.found, look(stage.at)] : outlets.map((_, at) => look(at));
  if (all.length < outlets.length) return ask(talk, all.length, all, now);
  return decide({ ...talk, looks: all }, now);
}

/** A page that says nothing: before an order it is asked for again, as after one. */
function repeat(talk: Talk, now: Ms): LineTurn {
  return pause(talk, 'pause', talk.profile.timing.pollMs, now);
}

function decide(talk: Talk, now: Ms): LineTurn {
  const { request, looks, orderedAt, uncertain, denied } = talk;
  const { want } = request;
  if (want === 'read') return finish(talk, now);
  if (looks.every(({ state }) => state === want)) return finish(talk, now);
  const blocked = looks.find((look) => look.blocked !== undefined);
  if (orderedAt === undefined) {
    if (blocked !== undefined) {
      return finish({ ...talk, denied: blocked.blocked }, now);
    }
    // Once more, and late: an order may begin the device's own delay anew.
    const repeatAt = (now + (talk.deadlineAt - now) / 2) as Ms;
    return order({ ...talk, repeatAt }, 0, now);
  }
  if (denied !== undefined) return finish(talk, now);
  const opposite = want === 'off' ? 'on' : 'off';
  if (uncertain && looks.some(({ state }) => state === opposite)) {
    return order({ ...talk, uncertain: false }, 0, now);
  }
  const standing = looks.some(({ state }) => state === opposite);
  if (standing && talk.repeatAt !== undefined && now >= talk.repeatAt) {
    return order({ ...talk, repeatAt: undefined }, 0, now);
  }
  const { pollMs, pollMostMs } = talk.profile.timing;
  const ms = Math.max(pollMs, Math.min(pollMostMs, (now - orderedAt) / 50));
  return pause(talk, 'pause', ms, now);
}

function onClosed(talk: Talk, why: string, now: Ms): LineTurn {
  const { stage } = talk;
  if (stage.kind === 'closing' || stage.kind === 'logout') return done(talk, now);
  const uncertain = talk.uncertain || stage.kind === 'order';
  return pause({ ...talk, uncertain, trouble: why }, 'closed', RETRY_MS, now);
}

/** The next command for what has happened. */
export function nextTurn(given: Talk, event: LineEvent, now: Ms): LineTurn {
  let talk = given;
  const { stage } = talk;
  if (event.kind === 'heard' && 'script' in stage) {
    const script = hear(talk.device, stage.script, event.text);
    talk = { ...talk, stage: { ...stage, script } };
  }
  if (stage.kind === 'closing') return done(talk, now);
  if (event.kind === 'closed') {
    if (now >= talk.deadlineAt) return done({ ...talk, trouble: event.why }, now);
    return onClosed(talk, event.why, now);
  }
  if (now >= talk.deadlineAt && stage.kind !== 'closed') {
    // What has come is still worth reading: the answer may be in it.
    const turn = 'script' in talk.stage ? run(talk, now) : closing(talk);
    const { kind } = turn.command;
    return kind === 'close' || kind === 'done' ? turn : closing(turn.talk);
  }
  return onward(talk, now);
}

function onward(talk: Talk, now: Ms): LineTurn {
  const { stage } = talk;
  switch (stage.kind) {
    case 'closing':
      return done(talk, now);
    case 'closed':
      return now >= talk.deadlineAt ? done(talk, now) : begin(talk, now);
    case 'opening':
      return logIn(talk, now);
    case 'pause':
      return ask(talk, 0, [], now);
    case 'breaking':
      return pause(talk, 'closed', RETRY_MS, now);
    case 'login':
    case 'status':
    case 'order':
    case 'logout':
      return run(talk, now);
  }
}
