/**
 * One order to a device that is asked by a program, as a machine of values: each turn names the next run, or
 * the reply. An order is never taken for done by how its program ended, only by what a look says after it;
 * a program that failed, was late or said something unlisted leaves its outlet unknown.
 */
import { type Ms, ms } from '../rules/model.ts';
import { addressOf } from './outlet.ts';
import {
  type Profile,
  type ProgramCall,
  type ProgramProfile,
  type Values,
  valueWord,
} from './profile.ts';
import type { OutletReply, OutletState, SwitchReply, SwitchRequest } from './reply.ts';
import { wordsOf } from './template.ts';

/** How a run ended. `status` is undefined when it did not end by itself. */
export interface Ended {
  readonly status: number | undefined;
  readonly text: string;
  readonly why: string;
}

export type ProgramEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'waited' }
  | { readonly kind: 'ended'; readonly ended: Ended };

export type ProgramCommand =
  | {
      readonly kind: 'run';
      readonly argv: readonly string[];
      readonly input: readonly string[];
      readonly withinMs: number;
    }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'done'; readonly reply: SwitchReply };

export interface ProgramExchange {
  readonly profile: Profile;
  readonly device: ProgramProfile;
  readonly request: SwitchRequest;
  /** Words for the braces; what of them is secret stands on the input alone. */
  readonly words: Readonly<Record<string, string>>;
  readonly lines: readonly string[];
  readonly deadlineAt: Ms;
  readonly phase: 'looking' | 'ordering';
  /** The outlet at hand, by its place in the request. */
  readonly at: number;
  readonly sentAt: Ms;
  readonly seen: readonly OutletReply[];
  readonly ordered: boolean;
  /** Orders that their program said were not taken. */
  readonly troubles: readonly string[];
  readonly pollMs: number;
}

export interface ProgramTurn {
  readonly exchange: ProgramExchange;
  readonly command: ProgramCommand;
}

/** A line of output that says nothing known is quoted so far. */
const QUOTED_CHARS = 60;

/** The text with every `{word}` put in; a word that nobody gave leaves it out. */
function filled(text: string, words: Readonly<Record<string, string>>): string | undefined {
  let out = '';
  let rest = text;
  for (;;) {
    const from = rest.indexOf('{');
    const to = rest.indexOf('}', from);
    if (from < 0 || to < 0) return out + rest;
    const word = words[rest.slice(from + 1, to)];
    if (word === undefined) return undefined;
    out += rest.slice(0, from) + word;
    rest = rest.slice(to + 1);
  }
}

function filledAll(
  texts: readonly string[],
  words: Readonly<Record<string, string>>,
): readonly string[] {
  return texts.flatMap((text) => filled(text, words) ?? []);
}

/** Words that the arguments of some call ask for; a word that is missing would shift the others. */
export function wordsAsked({ every, read, off, on, defaults }: ProgramProfile): readonly string[] {
  const texts = [every, read, off, on].flatMap((call) => call?.argv ?? []);
  const asked = texts.flatMap((text) => wordsOf(text));
  return [...new Set(asked)].filter((word) => word !== 'outlet' && defaults?.[word] === undefined);
}

export function startProgram(
  profile: Profile,
  device: ProgramProfile,
  request: SwitchRequest,
  given: {
    readonly words: Readonly<Record<string, string>>;
    readonly lines: readonly string[];
  },
  deadlineAt: Ms,
): ProgramExchange {
  return {
    profile,
    device,
    request,
    words: { ...device.defaults, ...given.words },
    lines: device.passesOptions === true ? given.lines : [],
    deadlineAt,
    phase: 'looking',
    at: 0,
    sentAt: ms(0),
    seen: [],
    ordered: false,
    troubles: [],
    pollMs: profile.timing.pollMs,
  };
}

function callOf({ device, phase, request }: ProgramExchange): ProgramCall {
  if (phase === 'looking') return device.read;
  return request.want === 'on' ? device.on : device.off;
}

function run(exchange: ProgramExchange, now: Ms): ProgramTurn {
  const { device, request, at, lines, profile, deadlineAt } = exchange;
  const { every = {} } = device;
  const call = callOf(exchange);
  const words = { ...exchange.words, outlet: request.outlets[at]?.id ?? '' };
  const input = [
    ...filledAll(every.input ?? [], words),
    ...lines,
    ...filledAll(call.input ?? [], words),
  ];
  return {
    exchange: { ...exchange, sentAt: now },
    command: {
      kind: 'run',
      argv: filledAll([...(every.argv ?? []), ...(call.argv ?? [])], words),
      input,
      withinMs: Math.max(1, Math.min(profile.timing.answerMs, deadlineAt - now)),
    },
  };
}

function quoted(text: string): string {
  const first = text.split('\n').find((line) => line.trim() !== '') ?? '';
  return JSON.stringify(first.trim().slice(0, QUOTED_CHARS));
}

interface Told {
  readonly state: OutletState;
  readonly why: string;
}

/** What the lines of an output say. Two lines that say different things tell nothing. */
function linesTell(values: Values, text: string): Told {
  const words = new Set(text.split('\n').flatMap((line) => valueWord(values, line.trim()) ?? []));
  const [word] = words;
  if (words.size === 1 && (word === 'on' || word === 'off')) {
    return { state: word, why: quoted(text) };
  }
  return { state: 'unknown', why: `said ${quoted(text)}` };
}

/** An exit status that may have other reasons (2 is also a wrong argument) counts with its line alone. */
function statusTells({ values, confirms }: ProgramProfile, status: number, text: string): Told {
  const word = valueWord(values, String(status));
  if (word !== 'on' && word !== 'off') return { state: 'unknown', why: `exit status ${status}` };
  if (confirms === undefined) return { state: word, why: `exit status ${status}` };
  const { state, why } = linesTell(confirms, text);
  if (state === word) return { state, why: `exit status ${status}, ${why}` };
  return {
    state: 'unknown',
    why: `exit status ${status}, but it ${state === 'unknown' ? why : `said ${state}`}`,
  };
}

/** What one look tells. */
function stateOf(device: ProgramProfile, { status, text, why }: Ended): Told {
  if (status === undefined) return { state: 'unknown', why };
  const told =
    device.told === 'status'
      ? statusTells(device, status, text)
      : status === 0
        ? linesTell(device.values, text)
        : { state: 'unknown' as const, why: `exit status ${status}` };
  return told.state === 'unknown' && why !== '' ? { ...told, why: `${told.why}: ${why}` } : told;
}

function done(exchange: ProgramExchange): ProgramTurn {
  const { seen, ordered, troubles } = exchange;
  const outlets = seen.map((one) =>
    one.state === 'unknown' || troubles.length === 0
      ? one
      : { ...one, why: `${one.why}; ${troubles[0]}` },
  );
  return { exchange, command: { kind: 'done', reply: { outlets, ordered } } };
}

/** After a whole look: the reply, the orders, or another look after a while. */
function afterLook(exchange: ProgramExchange, now: Ms): ProgramTurn {
  const { request, seen, ordered, deadlineAt, profile, pollMs } = exchange;
  const { want } = request;
  if (want === 'read' || seen.every(({ state }) => state === want)) return done(exchange);
  if (!ordered) return order({ ...exchange, phase: 'ordering', at: -1, ordered: true }, now);
  if (now + pollMs >= deadlineAt) return done(exchange);
  const longer = Math.min(pollMs * 2, profile.timing.pollMostMs);
  return { exchange: { ...exchange, pollMs: longer }, command: { kind: 'wait', ms: pollMs } };
}

/** The next outlet that is not known to be as it is wanted; then the time to settle. */
function order(exchange: ProgramExchange, now: Ms): ProgramTurn {
  const { request, seen, at, profile } = exchange;
  const next = seen.findIndex(({ state }, place) => place > at && state !== request.want);
  if (next >= 0) return run({ ...exchange, at: next }, now);
  return { exchange, command: { kind: 'wait', ms: profile.timing.settleMs } };
}

function onLooked(exchange: ProgramExchange, ended: Ended, now: Ms): ProgramTurn {
  const { request, at, device, sentAt } = exchange;
  const outlet = request.outlets[at]?.id ?? '';
  const seen = [...exchange.seen, { outlet, ...stateOf(device, ended), from: sentAt, to: now }];
  const next = { ...exchange, seen, at: at + 1 };
  return next.at < request.outlets.length ? run(next, now) : afterLook(next, now);
}

function onOrdered(exchange: ProgramExchange, { status, why }: Ended, now: Ms): ProgramTurn {
  const trouble = status === 0 ? [] : [`the order ended with ${status ?? why}`];
  return order({ ...exchange, troubles: [...exchange.troubles, ...trouble] }, now);
}

function refusal({ profile, request }: ProgramExchange, now: Ms): SwitchReply | undefined {
  const bad = request.outlets.map((outlet) => addressOf(profile, outlet)).find(({ ok }) => !ok);
  if (bad === undefined || bad.ok) return undefined;
  const outlets = request.outlets.map(
    ({ id }): OutletReply => ({ outlet: id, state: 'unknown', why: bad.why, from: now, to: now }),
  );
  return { outlets, ordered: false };
}

/** The next command for what has happened. */
export function nextProgram(exchange: ProgramExchange, event: ProgramEvent, now: Ms): ProgramTurn {
  switch (event.kind) {
    case 'start': {
      const reply = refusal(exchange, now);
      if (reply !== undefined) return { exchange, command: { kind: 'done', reply } };
      return exchange.request.outlets.length === 0 ? done(exchange) : run(exchange, now);
    }
    case 'waited':
      return run({ ...exchange, phase: 'looking', at: 0, seen: [] }, now);
    case 'ended':
      return exchange.phase === 'looking'
        ? onLooked(exchange, event.ended, now)
        : onOrdered(exchange, event.ended, now);
  }
}
