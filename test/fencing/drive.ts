/**
 * Plays an order against a fake switch in made time: no socket, no clock, so that every profile can be
 * tried with every fault in a moment. What the fake's relays really did is the judge.
 */
import { nextTurn } from '../../fencing/conversation.ts';
import { type SnmpCommand, type SnmpEvent, startExchange } from '../../fencing/exchange.ts';
import { type Fault, flows, occupied } from '../../fencing/fake.ts';
import {
  type LineFake,
  lineHeard,
  lineOpened,
  makeLineFake,
  type Said,
} from '../../fencing/fake-line.ts';
import {
  fakeGet,
  fakeNext,
  fakeSet,
  makeSnmpFake,
  type SnmpFake,
} from '../../fencing/fake-snmp.ts';
import type { LineProfile, Profile, SnmpProfile } from '../../fencing/profile.ts';
import type { SwitchReply, SwitchRequest } from '../../fencing/reply.ts';
import { next } from '../../fencing/snmp-exchange.ts';
import type { Bind } from '../../fencing/snmp-table.ts';
import { type LineCommand, type LineEvent, startTalk } from '../../fencing/talk.ts';
import { type Ms, ms } from '../../rules/model.ts';

export interface Played {
  readonly reply: SwitchReply;
  readonly tookMs: number;
  /** Current flows through the outlet when the reply is given. */
  readonly flows: (outlet: string) => boolean;
  /** How many orders reached the device. */
  readonly orders: number;
  readonly commands: number;
  readonly log: readonly string[];
}

export interface Play {
  readonly faults?: readonly Fault[];
  readonly delayMs?: number;
  readonly outlets?: number;
  readonly deadlineMs?: number;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly variant?: string;
  readonly version?: '1' | '2c';
  /** Keeps what was said; costs time. */
  readonly log?: boolean;
}

/** One question there and back. */
const HOP_MS = 2;
const COMMANDS_MAX = 20_000;
/** Secrets for profiles that ask for some. */
export const SECRETS: Readonly<Record<string, string>> = { outlet: 'sesame', unlock: 'sesame' };

/** A missing object is an error in v1, and a value in v2c. */
function v1(binds: readonly Bind[]): SnmpEvent {
  const missing = binds.find(({ kind }) => kind === 'missing');
  if (missing === undefined) return { kind: 'binds', binds };
  return { kind: 'refused', status: 'NoSuchName', oid: missing.oid };
}

function answer(fake: SnmpFake, command: SnmpCommand, play: Play, now: Ms): [SnmpFake, SnmpEvent] {
  const { faults } = fake.bank;
  const lost: SnmpEvent = { kind: 'lost', why: 'no answer' };
  if (faults.has('silent') || occupied(fake.bank, now)) return [fake, lost];
  if (command.kind === 'get' || command.kind === 'next') {
    const of = command.kind === 'get' ? fakeGet : fakeNext;
    const binds = of(fake, command.oids, now);
    return [fake, play.version === '1' ? v1(binds) : { kind: 'binds', binds }];
  }
  if (command.kind !== 'set') throw new Error(`not a question: ${command.kind}`);
  const before = fake.bank.orders;
  let state = fake;
  for (const { oid, value } of command.writes) {
    const done = fakeSet(state, oid, value, now);
    if (done.refused !== undefined) return [fake, { kind: 'refused', status: done.refused, oid }];
    state = done.fake;
  }
  const first = before === 0 && state.bank.orders > 0;
  if (first && (faults.has('lost') || faults.has('closes'))) return [state, lost];
  const binds = command.writes.map(
    ({ oid, value }): Bind =>
      typeof value === 'number' ? { oid, kind: 'number', value } : { oid, kind: 'text', value },
  );
  return [state, { kind: 'binds', binds }];
}

export function playSnmp(
  profile: Profile & { readonly device: SnmpProfile },
  request: SwitchRequest,
  play: Play = {},
): Played {
  let now = ms(1000);
  const start = now;
  const secrets = play.secrets ?? SECRETS;
  let fake = makeSnmpFake(profile.device, now, { ...play, secrets });
  const deadlineAt = ms(now + (play.deadlineMs ?? profile.timing.deadlineMs));
  let exchange = startExchange(profile, profile.device, request, secrets, deadlineAt);
  let event: SnmpEvent = { kind: 'start' };
  const log: string[] = [];
  for (let count = 1; count < COMMANDS_MAX; count += 1) {
    const turn = next(exchange, event, now);
    ({ exchange } = turn);
    const { command } = turn;
    if (play.log === true) log.push(`${now} ${JSON.stringify(command)}`);
    if (command.kind === 'done') {
      const at = now;
      return {
        reply: command.reply,
        tookMs: now - start,
        flows: (outlet) => flows(fake.bank, outlet, at),
        orders: fake.bank.orders,
        commands: count,
        log,
      };
    }
    if (command.kind === 'wait') {
      now = ms(now + command.ms);
      event = { kind: 'waited' };
      continue;
    }
    now = ms(now + HOP_MS);
    [fake, event] = answer(fake, command, play, now);
    now = ms(now + (event.kind === 'lost' ? command.withinMs : HOP_MS));
    if (play.log === true) log.push(`${now} ${JSON.stringify(event)}`);
  }
  throw new Error(`without end:\n${log.slice(-20).join('\n')}`);
}

/** A line to a fake device. */
interface Wire {
  fake: LineFake;
  waiting: string;
  open: boolean;
  now: Ms;
}

function takeIn(wire: Wire, said: Said): void {
  wire.fake = said.fake;
  wire.waiting += said.say;
  if (said.hangUp) wire.open = false;
}

const READY: LineEvent = { kind: 'ready' };

function listened(wire: Wire, forMs: number): LineEvent {
  const text = wire.waiting;
  wire.waiting = '';
  if (text !== '') return { kind: 'heard', text };
  if (!wire.open) return { kind: 'closed', why: 'gone' };
  wire.now = ms(wire.now + forMs);
  return { kind: 'silence' };
}

function carried(wire: Wire, device: LineProfile, command: LineCommand): LineEvent {
  switch (command.kind) {
    case 'open':
      wire.open = true;
      wire.waiting = '';
      // A serial device greets when DTR rises, a network one when somebody connects.
      if (!serialOnly(device)) takeIn(wire, lineOpened(wire.fake, wire.now));
      return READY;
    case 'close':
      wire.open = false;
      return READY;
    case 'wait':
      wire.now = ms(wire.now + command.ms);
      return READY;
    case 'lines':
      if (command.dtr === true) takeIn(wire, lineOpened(wire.fake, wire.now));
      return READY;
    case 'send':
      if (command.fresh) wire.waiting = '';
      if (!wire.open) return { kind: 'closed', why: 'gone' };
      takeIn(wire, lineHeard(wire.fake, command.text, wire.now));
      return READY;
    case 'listen':
      return listened(wire, command.ms);
    case 'done':
      return READY;
  }
}

export function playLine(
  profile: Profile & { readonly device: LineProfile },
  request: SwitchRequest,
  play: Play = {},
): Played {
  const start = ms(1000);
  const fake = makeLineFake(profile.device, start, play);
  if (fake === undefined) throw new Error(`${profile.name} has no fake`);
  const wire: Wire = { fake, waiting: '', open: false, now: start };
  const deadlineAt = ms(start + (play.deadlineMs ?? profile.timing.deadlineMs));
  const login = { user: 'admin', password: 'sesame' };
  let talk = startTalk(profile, profile.device, request, login, deadlineAt);
  let event: LineEvent = { kind: 'start' };
  const log: string[] = [];
  for (let count = 1; count < COMMANDS_MAX; count += 1) {
    const turn = nextTurn(talk, event, wire.now);
    ({ talk } = turn);
    const { command } = turn;
    if (play.log === true) log.push(`${wire.now} ${JSON.stringify(command)}`);
    wire.now = ms(wire.now + HOP_MS);
    if (command.kind === 'done') {
      const { fake: end, now } = wire;
      return {
        reply: command.reply,
        tookMs: now - start,
        flows: (outlet) => flows(end.bank, outlet, now),
        orders: end.bank.orders,
        commands: count,
        log,
      };
    }
    event = carried(wire, profile.device, command);
    if (play.log === true) log.push(`${wire.now} ${JSON.stringify(event)}`);
  }
  throw new Error(`without end:\n${log.slice(-20).join('\n')}`);
}

function serialOnly({ over }: LineProfile): boolean {
  return over.length === 1 && over[0] === 'serial';
}

export function play(profile: Profile, request: SwitchRequest, options: Play = {}): Played {
  const { device } = profile;
  if (device.kind === 'snmp') return playSnmp({ ...profile, device }, request, options);
  if (device.kind === 'line') return playLine({ ...profile, device }, request, options);
  throw new Error(`${profile.name} is played by its program`);
}

/** How an outlet of a fake is named in an order: by its number, or where that is refused by its name. */
export function refOf({ device }: Profile, id: string): string {
  return device.kind === 'snmp' && device.index.byNameOnly === true ? `@outlet-${id}` : id;
}

/** Profiles that have a fake: a program's device has its own simulators (`program.test.ts`). */
export function faked(profiles: ReadonlyMap<string, Profile>): readonly [string, Profile][] {
  return [...profiles].filter(([, { device }]) => device.kind !== 'program');
}
