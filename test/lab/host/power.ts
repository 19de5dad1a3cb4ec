/**
 * Who gets power from where: switches with outlets, the feeds of each node, its chassis behind a BMC.
 * Each switch is a real server on this host's loopback (`power-snmp.ts`, `power-serial.ts`,
 * `power-ipmi.ts`) over the relays kept here. A node loses its power when the last of its feeds did and
 * its supplies are empty, or when its BMC switched the chassis off. What that means to a node's process
 * is the caller's affair.
 */
import { openIpmi } from './power-ipmi.ts';
import { openSerial } from './power-serial.ts';
import { openSnmp } from './power-snmp.ts';
import type { RunFolder } from './run-folder.ts';

export type SwitchKind = 'snmp' | 'nps' | 'rps10' | 'ipmi';
export const SWITCH_KINDS: readonly SwitchKind[] = ['snmp', 'nps', 'rps10', 'ipmi'];

export interface SwitchSpec {
  readonly kind: SwitchKind;
  readonly outlets: number;
  /** From an accepted order to the moved contact; orders are pending so long. */
  readonly relayMs: number;
}

export interface Wiring {
  /** Outlets, one for each power supply: `pdu/3` is outlet 3 of the switch `pdu`. */
  readonly feeds: readonly string[];
  /** The `ipmi` switch that is this node's BMC; it lives of the same feeds. */
  readonly chassis: string | undefined;
}

/** Where a client finds a switch. */
export type Address =
  | { readonly kind: 'snmp'; readonly port: number; readonly read: string; readonly write: string }
  | { readonly kind: 'nps'; readonly path: string; readonly password: string }
  | { readonly kind: 'rps10'; readonly path: string }
  | {
      readonly kind: 'ipmi';
      readonly port: number;
      readonly user: string;
      readonly password: string;
    };

/** The contacts of one switch, as its server and its buttons move them. Outlets count from 1. */
export interface Relays {
  readonly outlets: number;
  readonly isOn: (outlet: number) => boolean;
  readonly isPending: (outlet: number) => boolean;
  /** Moves a contact after the relay's time; one that sticks takes the order and stays. */
  readonly order: (outlet: number, on: boolean, afterMs?: number) => void;
  /** Forgets orders that are pending. */
  readonly cancel: (outlet: number) => void;
}

export interface Served {
  readonly address: Address;
  /** Stands still, as hung firmware does, or goes on; what it was sent meanwhile it takes then. */
  readonly hang: (hung: boolean) => void;
  /** Loses or regains its own power: without it, it is silent. */
  readonly power: (on: boolean) => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface Power {
  readonly address: (name: string) => Address;
  readonly isOn: (name: string, outlet: number) => boolean;
  readonly stick: (name: string, outlet: number, stuck: boolean) => void;
  readonly hang: (name: string, hung: boolean) => void;
  /** Whether a node's process may run. */
  readonly gives: (node: string) => boolean;
  /** When the last feed of a node went off, in milliseconds of `performance.now()`. */
  readonly darkAt: (node: string) => number | undefined;
  readonly close: () => Promise<void>;
}

export interface PowerSpec {
  readonly switches: Readonly<Record<string, SwitchSpec>>;
  readonly nodes: Readonly<Record<string, Wiring>>;
  /** How long supplies feed a node from their capacitors. */
  readonly holdUpMs?: number;
}

/** A supply of ATX's form holds at least 16 ms at full load (ATX12V design guide, hold-up time). */
const HOLD_UP_MS = 20;

class Contacts implements Relays {
  readonly outlets: number;
  readonly stuck = new Set<number>();
  readonly #on: boolean[];
  readonly #timers = new Map<number, NodeJS.Timeout>();
  readonly #relayMs: number;
  readonly #moved: () => void;

  constructor({ outlets, relayMs }: SwitchSpec, moved: () => void) {
    this.outlets = outlets;
    this.#relayMs = relayMs;
    this.#on = Array.from({ length: outlets }, () => true);
    this.#moved = moved;
  }

  isOn = (outlet: number): boolean => this.#on[outlet - 1] === true;
  isPending = (outlet: number): boolean => this.#timers.has(outlet);

  cancel = (outlet: number): void => {
    clearTimeout(this.#timers.get(outlet));
    this.#timers.delete(outlet);
  };

  order = (outlet: number, on: boolean, afterMs = 0): void => {
    if (outlet < 1 || outlet > this.outlets) throw new Error(`no outlet ${outlet}`);
    this.cancel(outlet);
    const move = (): void => {
      this.#timers.delete(outlet);
      if (this.stuck.has(outlet) || this.#on[outlet - 1] === on) return;
      this.#on[outlet - 1] = on;
      this.#moved();
    };
    const delay = this.#relayMs + afterMs;
    if (delay === 0) move();
    else this.#timers.set(outlet, setTimeout(move, delay));
  };

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }
}

function serve(
  run: RunFolder,
  name: string,
  { kind }: SwitchSpec,
  relays: Relays,
): Promise<Served> {
  switch (kind) {
    case 'snmp':
      return openSnmp(run, name, relays);
    case 'nps':
    case 'rps10':
      return openSerial(run, name, kind, relays);
    case 'ipmi':
      return openIpmi(run, name, relays);
  }
}

/** Splits `pdu/3`. */
export function outletOf(feed: string): { readonly name: string; readonly outlet: number } {
  const [, name, outlet] = /^([\w-]+)\/(\d+)$/u.exec(feed) ?? [];
  if (name === undefined) throw new Error(`a feed is SWITCH/OUTLET, not ${feed}`);
  return { name, outlet: Number(outlet) };
}

export interface Consumer {
  /** Called once when a node has lost its power, and once when it has power again. */
  readonly lost: (node: string) => void;
  readonly back: (node: string) => void;
}

export async function openPower(
  run: RunFolder,
  spec: PowerSpec,
  consumer: Consumer,
): Promise<Power> {
  const contacts = new Map<string, Contacts>();
  const served = new Map<string, Served>();
  const given = new Map(Object.keys(spec.nodes).map((node) => [node, true]));
  const darkAt = new Map<string, number>();
  const emptying = new Map<string, NodeJS.Timeout>();
  const fed = ({ feeds }: Wiring): boolean =>
    feeds.length === 0 ||
    feeds.map(outletOf).some(({ name, outlet }) => contacts.get(name)?.isOn(outlet) === true);
  const lit = (wiring: Wiring): boolean =>
    fed(wiring) && (wiring.chassis === undefined || contacts.get(wiring.chassis)?.isOn(1) === true);

  const take = (node: string, wiring: Wiring): void => {
    emptying.delete(node);
    given.set(node, false);
    consumer.lost(node);
    if (wiring.chassis !== undefined && !fed(wiring)) void served.get(wiring.chassis)?.power(false);
  };
  const give = (node: string, wiring: Wiring): void => {
    given.set(node, true);
    darkAt.delete(node);
    if (wiring.chassis !== undefined) void served.get(wiring.chassis)?.power(true);
    consumer.back(node);
  };
  const look = (node: string, wiring: Wiring): void => {
    const timer = emptying.get(node);
    if (lit(wiring)) {
      clearTimeout(timer);
      emptying.delete(node);
      darkAt.delete(node);
      if (given.get(node) !== true) give(node, wiring);
    } else if (given.get(node) === true && timer === undefined) {
      darkAt.set(node, performance.now());
      const holds = fed(wiring) ? 0 : (spec.holdUpMs ?? HOLD_UP_MS);
      emptying.set(
        node,
        setTimeout(() => take(node, wiring), holds),
      );
    }
  };
  const moved = (): void => {
    for (const [node, wiring] of Object.entries(spec.nodes)) look(node, wiring);
  };
  const close = async (): Promise<void> => {
    for (const timer of emptying.values()) clearTimeout(timer);
    for (const one of contacts.values()) one.close();
    await Promise.all([...served.values()].map((one) => one.close()));
  };
  const known = <T>(map: ReadonlyMap<string, T>, name: string): T => {
    const found = map.get(name);
    if (found === undefined) throw new Error(`no switch ${name}`);
    return found;
  };
  try {
    for (const [name, one] of Object.entries(spec.switches)) {
      contacts.set(name, new Contacts(one, moved));
      served.set(name, await serve(run, name, one, known(contacts, name)));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    address: (name) => known(served, name).address,
    isOn: (name, outlet) => known(contacts, name).isOn(outlet),
    stick: (name, outlet, stuck) => {
      if (stuck) known(contacts, name).stuck.add(outlet);
      else known(contacts, name).stuck.delete(outlet);
    },
    hang: (name, hung) => known(served, name).hang(hung),
    gives: (node) => given.get(node) ?? true,
    darkAt: (node) => darkAt.get(node),
    close,
  };
}
