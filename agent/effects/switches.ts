/**
 * Carries out what the machines of `fencing/` ask for: takes each command to a port, hands back what
 * came, and returns their reply. It decides nothing. One session at a time for each device: orders wait
 * in line, and waiting counts against their deadline. It never throws: trouble is `unknown` with a why.
 */
import { nextTurn } from '../../fencing/conversation.ts';
import { type SnmpEvent, startExchange } from '../../fencing/exchange.ts';
import type { LineProfile, Profile, SnmpProfile } from '../../fencing/profile.ts';
import { allUnknown, type SwitchReply, type SwitchRequest } from '../../fencing/reply.ts';
import { next } from '../../fencing/snmp-exchange.ts';
import { comesAfter } from '../../fencing/snmp-names.ts';
import { type LineEvent, type Login, startTalk } from '../../fencing/talk.ts';
import { below } from '../../fencing/template.ts';
import { type Ms, ms } from '../../rules/model.ts';
import { monotonicNow } from '../ports/clock.ts';
import type { LinePort } from '../ports/line.ts';
import type { SnmpPort } from '../ports/snmp.ts';

/** A device that can be asked and ordered: the same for every transport. */
export interface SwitchDevice {
  readonly name: string;
  /** Always answers, within the deadline and a moment; orders to one device follow each other. */
  readonly perform: (request: SwitchRequest, deadlineMs?: number) => Promise<SwitchReply>;
  readonly close: () => Promise<void>;
  /** Ids of the outlets that the device itself lists, where it can. */
  readonly outlets?: () => Promise<readonly string[]>;
}

/** What was said and heard, secrets masked: to settle a dispute about "was it off". */
export type Trace = (line: string) => void;

/** From the deadline to giving up on a port that does not come back. */
const GRACE_MS = 250;

function pause(forMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, forMs));
}

type Perform = (request: SwitchRequest, deadlineAt: Ms) => Promise<SwitchReply>;

/** Orders of one device, one after the other, each with an answer in time. */
export function inTurn(
  name: string,
  defaultMs: number,
  perform: Perform,
  close: () => Promise<void>,
): SwitchDevice {
  let last: Promise<unknown> = Promise.resolve();
  const bounded = async (request: SwitchRequest, deadlineAt: Ms): Promise<SwitchReply> => {
    const before = last;
    let begun = false;
    const work = (async () => {
      await before;
      if (monotonicNow() >= deadlineAt) {
        return allUnknown(request, 'the device was busy with other orders', monotonicNow());
      }
      begun = true;
      return perform(request, deadlineAt);
    })().catch((error: unknown) =>
      allUnknown(request, `a bug: ${String(error).slice(0, 120)}`, monotonicNow(), true),
    );
    last = work;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<SwitchReply>((resolve) => {
      timer = setTimeout(
        () => {
          const ordered = begun && request.want !== 'read';
          resolve(allUnknown(request, 'no end before the deadline', monotonicNow(), ordered));
        },
        Math.max(0, deadlineAt - monotonicNow()) + GRACE_MS,
      );
    });
    const reply = await Promise.race([work, late]);
    clearTimeout(timer);
    return reply;
  };
  return {
    name,
    perform: (request, deadlineMs = defaultMs) => bounded(request, ms(monotonicNow() + deadlineMs)),
    close: async () => {
      await last;
      await close();
    },
  };
}

function shownEvent(event: SnmpEvent): string {
  if (event.kind !== 'binds') return JSON.stringify(event);
  return event.binds
    .map((bind) => `${bind.oid}=${bind.kind === 'missing' ? bind.what : bind.value}`)
    .join(' ');
}

/** Rows of the state column; more are not listed. */
const ROWS_MAX = 512;
const ROW_MS = 1000;

async function instances(
  port: SnmpPort,
  { table, index }: SnmpProfile,
): Promise<readonly string[]> {
  const column = table.state.oid;
  if (column.includes('{') || table.state.list !== undefined) {
    const { first = 1, last = 1 } = index.parts.at(-1) ?? {};
    const heads = index.parts.slice(0, -1).map((part) => part.first);
    const count = Math.min(last - first + 1, 16);
    return Array.from({ length: count }, (_, at) => [...heads, first + at].join('.'));
  }
  const found: string[] = [];
  let at = column;
  while (found.length < ROWS_MAX) {
    const event = await port.next([at], ROW_MS);
    const [bind] = event.kind === 'binds' ? event.binds : [];
    if (bind === undefined || bind.kind === 'missing' || !comesAfter(bind.oid, at)) break;
    if (!below(bind.oid, column)) break;
    found.push(bind.oid.slice(column.length + 1));
    at = bind.oid;
  }
  return found;
}

/** A switch behind an SNMP port. */
export function snmpSwitch(
  name: string,
  profile: Profile & { readonly device: SnmpProfile },
  port: SnmpPort,
  secrets: Readonly<Record<string, string>>,
  trace: Trace = () => undefined,
): SwitchDevice {
  const perform: Perform = async (request, deadlineAt) => {
    let exchange = startExchange(profile, profile.device, request, secrets, deadlineAt);
    let event: SnmpEvent = { kind: 'start' };
    for (;;) {
      const turn = next(exchange, event, monotonicNow());
      ({ exchange } = turn);
      const { command } = turn;
      switch (command.kind) {
        case 'done':
          return command.reply;
        case 'wait':
          await pause(command.ms);
          event = { kind: 'waited' };
          continue;
        case 'get':
        case 'next':
          event = await port[command.kind](command.oids, command.withinMs);
          trace(`${command.kind} ${command.oids.join(' ')} -> ${shownEvent(event)}`);
          continue;
        case 'set': {
          event = await port.set(command.writes, command.withinMs);
          const writes = command.writes.map(({ oid, type, value }) =>
            type === 'text' ? `${oid}=********` : `${oid}=${value}`,
          );
          trace(`set ${writes.join(' ')} -> ${shownEvent(event)}`);
        }
      }
    }
  };
  const turns = inTurn(name, profile.timing.deadlineMs, perform, () => {
    port.close();
    return Promise.resolve();
  });
  return { ...turns, outlets: () => instances(port, profile.device) };
}

/** A switch at the end of a line. */
export function lineSwitch(
  name: string,
  profile: Profile & { readonly device: LineProfile },
  port: LinePort,
  login: Login,
  trace: Trace = () => undefined,
): SwitchDevice {
  const after = (trouble: string | undefined): LineEvent =>
    trouble === undefined ? { kind: 'ready' } : { kind: 'closed', why: trouble };
  const { password } = login;
  const mask = (text: string): string =>
    password === undefined || password === '' ? text : text.replaceAll(password, '********');

  const perform: Perform = async (request, deadlineAt) => {
    let talk = startTalk(profile, profile.device, request, login, deadlineAt);
    let event: LineEvent = { kind: 'start' };
    for (;;) {
      const turn = nextTurn(talk, event, monotonicNow());
      ({ talk } = turn);
      const { command } = turn;
      switch (command.kind) {
        case 'done':
          await port.close();
          return command.reply;
        case 'open':
          event = after(await port.open(Math.max(1, deadlineAt - monotonicNow())));
          if (event.kind === 'closed') trace(`not opened: ${event.why}`);
          continue;
        case 'close':
          await port.close();
          event = { kind: 'ready' };
          continue;
        case 'wait':
          await pause(command.ms);
          event = { kind: 'ready' };
          continue;
        case 'lines':
          event = after(await port.lines(command));
          continue;
        case 'send':
          trace(`> ${JSON.stringify(command.shown)}`);
          event = after(await port.send(command.text, command));
          continue;
        case 'listen': {
          const came = await port.listen(command.ms);
          if ('why' in came) event = { kind: 'closed', why: came.why };
          else if (came.text === '') event = { kind: 'silence' };
          else event = { kind: 'heard', text: came.text };
          trace(`< ${mask(JSON.stringify(event))}`);
        }
      }
    }
  };
  return inTurn(name, profile.timing.deadlineMs, perform, () => port.close());
}
