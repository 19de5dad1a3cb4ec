/**
 * A switch that behaves, and misbehaves on demand: what its relays do and what it says of them are kept
 * apart, because that is where switches lie. Pure like everything here; `fake-snmp.ts` and
 * `fake-line.ts` give it a voice, the agent gives it a socket. People rehearse with it, tests judge by
 * its relays.
 */
import type { Ms } from '../rules/model.ts';
import type { OutletState } from './reply.ts';

/** What can be wrong with a switch, and what it then does. */
export const FAULTS = {
  deaf: 'accepts orders and does nothing',
  late: 'moves its relays three seconds after an order',
  stuck: 'its relays do not open; it says so',
  welded: 'its relays do not open; it shows what was ordered, and its health or feedback shows it',
  lies: 'its relays do not open; everything it shows says that they did',
  strange: 'shows a value that nobody knows',
  missing: 'does not list the outlet',
  lost: 'obeys, but the answer to an order never arrives',
  dropped: 'never receives the first order',
  busy: 'another session is open, for a while',
  garbage: 'mixes noise into what it says',
  prompt: 'shows another prompt, or answers with other types, than is known',
  swapped: 'moves the next outlet instead',
  renamed: 'its names stand one outlet further',
  waiting: 'its command stays pending for ever',
  returns: 'switches off, and on again a moment later',
  silent: 'says nothing at all',
  closes: 'hangs up in the middle of an order',
  pager: 'stops in the middle of its table and waits for a key',
} as const;

export type Fault = keyof typeof FAULTS;
export const FAULT_NAMES: readonly Fault[] = Object.keys(FAULTS) as readonly Fault[];

/** Relays of such a switch open late. */
export const LATE_MS = 3000;
/** Faults that pass by themselves do so after this long. */
export const PASSING_MS = 1500;
const RETURN_MS = 400;

interface Change {
  readonly on: boolean;
  readonly at: Ms;
}

interface Relay {
  readonly on: boolean;
  /** What was last ordered. */
  readonly ordered: boolean;
  readonly changes: readonly Change[];
}

export interface Bank {
  readonly outlets: readonly string[];
  readonly relays: ReadonlyMap<string, Relay>;
  readonly faults: ReadonlySet<Fault>;
  readonly delayMs: number;
  readonly since: Ms;
  readonly orders: number;
}

export interface BankOptions {
  readonly faults?: readonly Fault[];
  /** From an order to the relay. */
  readonly delayMs?: number;
}

/** All relays closed, as after power-up. */
export function makeBank(outlets: readonly string[], now: Ms, options: BankOptions = {}): Bank {
  const relay: Relay = { on: true, ordered: true, changes: [] };
  return {
    outlets,
    relays: new Map(outlets.map((outlet) => [outlet, relay])),
    faults: new Set(options.faults ?? []),
    delayMs: options.delayMs ?? 20,
    since: now,
    orders: 0,
  };
}

function moved(relay: Relay, now: Ms): Relay {
  const due = relay.changes.filter(({ at }) => at <= now);
  const last = due.at(-1);
  if (last === undefined) return relay;
  return { ...relay, on: last.on, changes: relay.changes.filter(({ at }) => at > now) };
}

/** The truth: current flows. */
export function flows(bank: Bank, outlet: string, now: Ms): boolean {
  const relay = bank.relays.get(outlet);
  return relay === undefined ? false : moved(relay, now).on;
}

function next(bank: Bank, outlet: string): string {
  const at = bank.outlets.indexOf(outlet);
  return bank.outlets[(at + 1) % bank.outlets.length] ?? outlet;
}

const IMMOBILE: readonly Fault[] = ['deaf', 'stuck', 'welded', 'lies', 'waiting'];

/** An order has reached the device. */
export function ordered(given: Bank, outlet: string, on: boolean, now: Ms): Bank {
  const { faults } = given;
  const bank = { ...given, orders: given.orders + 1 };
  if (faults.has('dropped') && bank.orders === 1) return bank;
  const target = faults.has('swapped') ? next(bank, outlet) : outlet;
  const before = bank.relays.get(target);
  if (before === undefined) return bank;
  const relay = moved(before, now);
  const stays = IMMOBILE.some((fault) => faults.has(fault)) && !on;
  const at = (now + (faults.has('late') ? LATE_MS : bank.delayMs)) as Ms;
  const back: readonly Change[] =
    faults.has('returns') && !on ? [{ on: true, at: (at + RETURN_MS) as Ms }] : [];
  const changes = stays ? [] : [{ on, at }, ...back];
  const told = faults.has('deaf') ? relay.ordered : on;
  const relays = new Map(bank.relays);
  relays.set(target, { ...relay, ordered: told, changes });
  return { ...bank, relays };
}

/** What its state column or table shows. */
export function shows(bank: Bank, outlet: string, now: Ms): OutletState {
  const relay = bank.relays.get(outlet);
  if (relay === undefined || bank.faults.has('strange')) return 'unknown';
  const liar = bank.faults.has('lies') || bank.faults.has('welded');
  return (liar ? relay.ordered : flows(bank, outlet, now)) ? 'on' : 'off';
}

/** What a sensor behind the relay shows. */
export function senses(bank: Bank, outlet: string, now: Ms): OutletState {
  return bank.faults.has('welded')
    ? flows(bank, outlet, now)
      ? 'on'
      : 'off'
    : shows(bank, outlet, now);
}

/** It admits that a relay did not follow. */
export function admits(bank: Bank, outlet: string, now: Ms): boolean {
  const relay = bank.relays.get(outlet);
  return (
    bank.faults.has('welded') && relay !== undefined && relay.ordered !== flows(bank, outlet, now)
  );
}

/** A command of this outlet has not been carried out yet. */
export function waits(bank: Bank, outlet: string, now: Ms): boolean {
  const relay = bank.relays.get(outlet);
  if (relay === undefined) return false;
  if (bank.faults.has('waiting')) return relay.ordered !== flows(bank, outlet, now);
  return moved(relay, now).changes.length > 0;
}

/** Name of an outlet, as the device shows it. */
export function nameOf(bank: Bank, outlet: string): string {
  return `outlet-${bank.faults.has('renamed') ? next(bank, outlet) : outlet}`;
}

/** Another session holds the device. */
export function occupied(bank: Bank, now: Ms): boolean {
  return bank.faults.has('busy') && now - bank.since < PASSING_MS;
}
