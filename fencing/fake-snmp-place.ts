/** Where the objects of a fake SNMP switch are: the object of an outlet, and those that outlets share. */
import { indexNumbers } from './outlet.ts';
import type { SnmpProfile } from './profile.ts';
import { type Numbers, objectOf } from './template.ts';

interface Place {
  readonly device: SnmpProfile;
  readonly bank: { readonly outlets: readonly string[] };
  readonly numbers: Numbers;
}

export function numbersOf({ device, numbers }: Place, outlet: string): Numbers {
  return { ...indexNumbers(device.index, outlet.split('.').map(Number)), ...numbers };
}

export function objectAt(fake: Place, column: string, outlet: string): string {
  const filled = objectOf(column, outlet, numbersOf(fake, outlet));
  return filled.ok ? filled.text : '';
}

/** The object of a list, or one that belongs to the whole device. The fake is one unit. */
export function sharedAt(fake: Place, oid: string): string {
  return oid.includes('{') ? objectAt(fake, oid, fake.bank.outlets[0] ?? '') : oid;
}
