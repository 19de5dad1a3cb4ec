/**
 * From the outlet an operator names to the place on the device, or a refusal. Everything that could
 * address more than one outlet, or another one than was meant, is refused here: forbidden ids, numbers
 * out of range, lists, ranges, leading zeros, wildcards.
 */

import type { Index, LineProfile, Profile, ProgramProfile } from './profile.ts';
import type { OutletRef } from './reply.ts';
import type { Numbers } from './template.ts';

export interface Address {
  readonly ok: true;
  readonly id: string;
  /** Last numbers of an object identifier: `3`, `1.3`. */
  readonly instance: string;
  readonly numbers: Numbers;
}

export interface Refused {
  readonly ok: false;
  readonly why: string;
}

/** In front of a name: the outlet is looked up in the device's own names. */
export const BY_NAME = '@';

function refused(why: string): Refused {
  return { ok: false, why };
}

function numbersOf(text: string): readonly number[] | undefined {
  const parts = text.split('.');
  if (!parts.every((part) => /^(?:0|[1-9][0-9]{0,8})$/u.test(part))) return undefined;
  return parts.map(Number);
}

function shiftOf(index: Index, number: number): number {
  const shifts = (index.shifts ?? []).filter(({ from }) => number >= from);
  return shifts.toSorted((a, b) => b.from - a.from)[0]?.add ?? 0;
}

/** The numbers of an instance by their names, and `{shifted}`. */
export function indexNumbers(index: Index, values: readonly number[]): Numbers {
  const named = Object.fromEntries(index.parts.map(({ name }, at) => [name, values[at] ?? 0]));
  const last = values.at(-1) ?? 0;
  return { ...named, shifted: last + shiftOf(index, last) };
}

/** The address behind numbers, as the profile allows it. */
export function indexAddress(index: Index, id: string): Address | Refused {
  const values = numbersOf(id);
  const shape = index.parts.map(({ name }) => name).join('.');
  if (values === undefined || values.length !== index.parts.length) {
    return refused(`'${id}' is not of the form ${shape}`);
  }
  for (const [at, part] of index.parts.entries()) {
    const value = values[at] ?? -1;
    if (value < part.first || value > part.last) {
      return refused(`${part.name} ${value} is not ${part.first} to ${part.last}`);
    }
  }
  return { ok: true, id, instance: id, numbers: indexNumbers(index, values) };
}

function lineAddress(outlets: LineProfile['outlets'], id: string): Address | Refused {
  if (outlets.letters !== undefined) {
    const label = /^([A-Z]{1,4})([1-9][0-9]{0,2})$/u.exec(id);
    if (label === null || label[1]?.length !== outlets.letters) {
      return refused(`'${id}' is not ${outlets.letters} capital letters and a number`);
    }
    return { ok: true, id, instance: id, numbers: {} };
  }
  const { first = 1, last = 1 } = outlets;
  return indexAddress({ parts: [{ name: 'outlet', first, last }] }, id);
}

/** What a program's device calls an outlet is its own: one word, no flag, no pattern, not all of them. */
function programAddress({ onlyOutlet }: ProgramProfile, id: string): Address | Refused {
  if (onlyOutlet !== undefined && id !== onlyOutlet) {
    return refused(`the device has the outlet '${onlyOutlet}' and no other`);
  }
  const word = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/u.test(id) && id.toLowerCase() !== 'all';
  if (!word) return refused(`'${id}' names no single outlet`);
  return { ok: true, id, instance: id, numbers: {} };
}

/** `id` is on the profile's list of ids that address everything, or nothing that may be cut. */
export function forbidden(profile: Profile, id: string): boolean {
  return profile.forbid.some((one) => one.toLowerCase() === id.toLowerCase());
}

/** Where an outlet is, when its id says so. Names are looked up by the exchange. */
export function addressOf(profile: Profile, { id }: OutletRef): Address | Refused {
  if (forbidden(profile, id)) return refused(`'${id}' is forbidden by profile ${profile.name}`);
  const { device } = profile;
  if (device.kind === 'line') return lineAddress(device.outlets, id);
  if (device.kind === 'program') return programAddress(device, id);
  if (device.index.byNameOnly === true) {
    return refused(`${profile.name} finds outlets by name: write '${BY_NAME}NAME'`);
  }
  return indexAddress(device.index, id);
}
