/**
 * The objects of a fake SNMP switch, made from its profile: what a question for each of them is
 * answered, and what a write does. Writes that must come before others are asked for in their order.
 */
import type { Ms } from '../rules/model.ts';
import {
  admits,
  type Bank,
  type BankOptions,
  flows,
  makeBank,
  nameOf,
  ordered,
  senses,
  shows,
  waits,
} from './fake.ts';
import { numbersOf, objectAt, sharedAt } from './fake-snmp-place.ts';
import type { CheckColumn, SnmpProfile, SnmpTable, StateColumn, Write } from './profile.ts';
import { comesAfter } from './snmp-names.ts';
import type { Bind } from './snmp-table.ts';
import { listPlace } from './snmp-table.ts';
import type { Numbers } from './template.ts';

export interface SnmpFake {
  readonly device: SnmpProfile;
  /** The firmware it shows: `base`, or a name under `variants`. */
  readonly variant: string;
  readonly table: SnmpTable;
  readonly bank: Bank;
  readonly numbers: Numbers;
  /** How many writes of an order have come, by outlet and direction. */
  readonly progress: ReadonlyMap<string, number>;
  readonly secrets: Readonly<Record<string, string>>;
}

const SYS_DESCR = '1.3.6.1.2.1.1.1.0';
const SYS_OBJECT_ID = '1.3.6.1.2.1.1.2.0';
const PRODUCT = 38;

/** Instances of the first outlets that the index allows. */
export function fakeOutlets({ index }: SnmpProfile, count: number): readonly string[] {
  const heads = index.parts.slice(0, -1).map(({ first }) => first);
  const { first = 1, last = 1 } = index.parts.at(-1) ?? {};
  const numbers = Array.from({ length: Math.min(count, last - first + 1) }, (_, at) => first + at);
  return numbers.map((number) => [...heads, number].join('.'));
}

export interface SnmpFakeOptions extends BankOptions {
  readonly outlets?: number;
  readonly secrets?: Readonly<Record<string, string>>;
  /** Name of a firmware variant. */
  readonly variant?: string;
}

export function makeSnmpFake(
  device: SnmpProfile,
  now: Ms,
  options: SnmpFakeOptions = {},
): SnmpFake {
  const known = device.firmware?.known.find(({ use }) => use !== undefined);
  const variant = options.variant ?? known?.use ?? 'base';
  return {
    device,
    variant,
    table: { ...device.table, ...device.variants?.[variant] },
    bank: makeBank(fakeOutlets(device, options.outlets ?? 8), now, options),
    numbers: device.product === undefined ? {} : { product: PRODUCT },
    progress: new Map(),
    secrets: options.secrets ?? {},
  };
}

/** Of a whole column: every outlet has its own object. */
type Objects = Map<string, Bind>;

function bind(oid: string, value: number | string): Bind {
  return typeof value === 'number' ? { oid, kind: 'number', value } : { oid, kind: 'text', value };
}

const STRANGE = 99;

/** The value that shows a state in this column. */
function valueFor(
  fake: SnmpFake,
  column: StateColumn,
  outlet: string,
  sensed: boolean,
  now: Ms,
): number | string {
  const { values } = column;
  const textual = typeof values.off?.[0] === 'string';
  const state = sensed ? senses(fake.bank, outlet, now) : shows(fake.bank, outlet, now);
  const known = state === 'unknown' ? undefined : values[state]?.[0];
  return known ?? (textual ? String(STRANGE) : STRANGE);
}

function addState(
  fake: SnmpFake,
  objects: Objects,
  column: StateColumn,
  sensed: boolean,
  now: Ms,
): void {
  const { outlets } = fake.bank;
  if (column.list === undefined) {
    for (const outlet of outlets) {
      const oid = objectAt(fake, column.oid, outlet);
      objects.set(oid, bind(oid, valueFor(fake, column, outlet, sensed, now)));
    }
    return;
  }
  const parts: string[] = Array.from({ length: outlets.length + column.list.first }, () => '0');
  for (const outlet of outlets) {
    const place = listPlace(column.list, numbersOf(fake, outlet));
    parts[place] = String(valueFor(fake, column, outlet, sensed, now));
  }
  const oid = sharedAt(fake, column.oid);
  objects.set(oid, bind(oid, parts.join(column.list.separator)));
}

/** Columns of orders can be read too; what they show says nothing. */
function addOrders(fake: SnmpFake, objects: Objects): void {
  const { off, on, cancel = [] } = fake.table;
  for (const write of [...off, ...on, ...cancel]) {
    const shared = write.shared === true || write.list !== undefined;
    const oids = shared
      ? [sharedAt(fake, write.oid)]
      : fake.bank.outlets.map((outlet) => objectAt(fake, write.oid, outlet));
    for (const oid of oids) {
      if (!objects.has(oid)) objects.set(oid, bind(oid, typeof write.value === 'number' ? 0 : ''));
    }
  }
}

/** A value that is good for all of these checks but bad for those. */
function checkValue(
  good: readonly CheckColumn[],
  bad: readonly CheckColumn[],
): number | string | undefined {
  const has = (check: CheckColumn, value: number | string): boolean =>
    check.good.some((one) => String(one) === String(value));
  const candidates = [
    ...good.flatMap((check) => check.good),
    ...Array.from({ length: 100 }, (_, at) => at),
  ];
  return candidates.find(
    (value) => good.every((check) => has(check, value)) && bad.every((check) => !has(check, value)),
  );
}

function addChecks(fake: SnmpFake, objects: Objects, now: Ms): void {
  const checks = fake.table.checks ?? [];
  for (const outlet of fake.bank.outlets) {
    const isBad = ({ as }: CheckColumn): boolean => {
      if (as === 'pending') return waits(fake.bank, outlet, now);
      return (as === 'relay' || as === 'health') && admits(fake.bank, outlet, now);
    };
    for (const oid of new Set(checks.map((check) => objectAt(fake, check.oid, outlet)))) {
      const own = checks.filter((check) => objectAt(fake, check.oid, outlet) === oid);
      const bad = own.filter(isBad);
      const value = checkValue(
        own.filter((one) => !bad.includes(one)),
        bad,
      );
      objects.set(oid, bind(oid, value ?? STRANGE));
    }
  }
}

/** What the device says of itself so that its profile picks the columns that it has. */
function firmwareText({ device: { firmware }, variant }: SnmpFake): string {
  const good = firmware?.known.find(({ use }) => use === variant);
  return (good?.sees ?? 'fake').replaceAll(/\{[a-z]+\}/gu, '1');
}

/** Everything it would answer now. */
export function objectsNow(fake: SnmpFake, now: Ms): ReadonlyMap<string, Bind> {
  const { device, table, bank } = fake;
  const objects: Objects = new Map();
  const identity =
    device.product === undefined
      ? (device.match[0] ?? '1.3.6.1.4.1.99999')
      : `${device.product}.${PRODUCT}`;
  objects.set(SYS_DESCR, bind(SYS_DESCR, 'nospof fake switch'));
  objects.set(SYS_OBJECT_ID, { oid: SYS_OBJECT_ID, kind: 'oid', value: identity });
  if (device.firmware !== undefined) {
    objects.set(device.firmware.oid, bind(device.firmware.oid, firmwareText(fake)));
  }
  for (const outlet of bank.outlets) {
    if (table.names === undefined) continue;
    const oid = objectAt(fake, table.names, outlet);
    objects.set(oid, bind(oid, nameOf(bank, outlet)));
  }
  addState(fake, objects, table.state, false, now);
  if (table.feedback !== undefined) addState(fake, objects, table.feedback, true, now);
  addChecks(fake, objects, now);
  addOrders(fake, objects);
  return faulty(fake, objects);
}

/** Missing rows and other types. */
function faulty(fake: SnmpFake, objects: Objects): ReadonlyMap<string, Bind> {
  const { bank, table } = fake;
  for (const outlet of bank.outlets) {
    const oid =
      table.state.list === undefined
        ? objectAt(fake, table.state.oid, outlet)
        : sharedAt(fake, table.state.oid);
    const now = objects.get(oid);
    if (bank.faults.has('missing')) objects.delete(oid);
    if (bank.faults.has('prompt') && now?.kind === 'number') {
      objects.set(oid, { oid, kind: 'text', value: String(now.value) });
    } else if (bank.faults.has('prompt') && now?.kind === 'text') {
      objects.set(oid, { oid, kind: 'number', value: 0 });
    }
  }
  return objects;
}

/** The answer to a question for these objects. */
export function fakeGet(fake: SnmpFake, oids: readonly string[], now: Ms): readonly Bind[] {
  const objects = objectsNow(fake, now);
  return oids.map(
    (oid): Bind => objects.get(oid) ?? { oid, kind: 'missing', what: 'noSuchInstance' },
  );
}

/** The objects that follow, in the order of their numbers. */
export function fakeNext(fake: SnmpFake, oids: readonly string[], now: Ms): readonly Bind[] {
  const objects = [...objectsNow(fake, now).values()];
  return oids.map((oid): Bind => {
    let best: Bind | undefined;
    for (const one of objects) {
      const nearer = best === undefined || comesAfter(best.oid, one.oid);
      if (nearer && comesAfter(one.oid, oid)) best = one;
    }
    return best ?? { oid, kind: 'missing', what: 'endOfMibView' };
  });
}

function wanted(fake: SnmpFake, write: Write): string {
  const { value } = write;
  if (typeof value === 'string' && value.startsWith('secret:')) {
    return fake.secrets[value.slice('secret:'.length)] ?? '';
  }
  return String(value);
}

/** This write is that one of a profile's order for this outlet. */
function is(fake: SnmpFake, write: Write, outlet: string, oid: string, value: string): boolean {
  if (write.list !== undefined) {
    const part = value.split(write.list.separator)[listPlace(write.list, numbersOf(fake, outlet))];
    return oid === sharedAt(fake, write.oid) && part?.trim() === wanted(fake, write);
  }
  const target = write.shared === true ? write.oid : objectAt(fake, write.oid, outlet);
  return target === oid && value === wanted(fake, write);
}

export interface FakeSet {
  readonly fake: SnmpFake;
  /** Undefined, or the error status of the answer. */
  readonly refused: 'NotWritable' | 'WrongValue' | undefined;
}

function known(fake: SnmpFake, oid: string): boolean {
  const { table, bank } = fake;
  const writes = [...table.off, ...table.on, ...(table.cancel ?? [])];
  return writes.some((write) => {
    const shared = write.shared === true || write.list !== undefined;
    if (shared) return sharedAt(fake, write.oid) === oid;
    return bank.outlets.some((outlet) => objectAt(fake, write.oid, outlet) === oid);
  });
}

/** One write. An order is obeyed when the last of its writes has come, in their order. */
export function fakeSet(given: SnmpFake, oid: string, shown: number | string, now: Ms): FakeSet {
  if (!known(given, oid)) return { fake: given, refused: 'NotWritable' };
  const value = String(shown);
  let fake = given;
  const progress = new Map(given.progress);
  for (const outlet of given.bank.outlets) {
    for (const want of ['off', 'on'] as const) {
      const writes = fake.table[want];
      const key = `${outlet} ${want}`;
      const done = progress.get(key) ?? 0;
      const write = writes[done];
      if (write === undefined || !is(fake, write, outlet, oid, value)) continue;
      progress.set(key, (done + 1) % writes.length);
      if (done + 1 < writes.length) continue;
      // A list holds every outlet: those that it leaves as they are were not ordered.
      if (write.list !== undefined && flows(fake.bank, outlet, now) === (want === 'on')) continue;
      fake = { ...fake, bank: ordered(fake.bank, outlet, want === 'on', now) };
    }
  }
  return { fake: { ...fake, progress }, refused: undefined };
}
