/**
 * What may not be in a profile, beyond what the schema says: a value with two meanings, an object or an
 * id that could address every outlet, an order that does not name the outlet, a profile that claims a
 * proof it does not have. Looks at data only; every finding has its place and its mend.
 */
import { addressOf } from './outlet.ts';
import { readPattern } from './pattern.ts';
import {
  type CheckColumn,
  type Profile,
  profileOf,
  type RawProfile,
  type SnmpProfile,
  type SnmpTable,
  type StateColumn,
  type Write,
} from './profile.ts';
import { type Finding, type Place, reviewValues, type Say } from './profile-findings.ts';
import { reviewLine } from './profile-line-checks.ts';
import { reviewProgram } from './profile-program-checks.ts';
import { below, isOid, slotsOf } from './template.ts';

export type { Finding } from './profile-findings.ts';

/** The template can give this object for numbers that the index allows. */
function reaches(template: string, target: string, profile: SnmpProfile): boolean {
  const whole = template.includes('{')
    ? template
    : [template, ...profile.index.parts.map(({ name }) => `{${name}}`)].join('.');
  const pieces = whole.split('.');
  const wanted = target.split('.');
  if (pieces.length !== wanted.length) return false;
  const last = profile.index.parts.at(-1);
  return pieces.every((piece, at) => {
    const number = Number(wanted[at]);
    const [slot] = slotsOf(piece);
    if (slot === undefined) return piece === wanted[at];
    if (slot.name === 'product') return true;
    if (slot.name === 'shifted') {
      const adds = [0, ...(profile.index.shifts ?? []).map(({ add }) => add)];
      return adds.some((add) => within(last, number - slot.add - add));
    }
    const part = profile.index.parts.find(({ name }) => name === slot.name);
    return within(part, number - slot.add);
  });
}

function within(
  part: { readonly first: number; readonly last: number } | undefined,
  value: number,
): boolean {
  return part !== undefined && value >= part.first && value <= part.last;
}

interface Review {
  readonly say: Say;
  readonly profile: SnmpProfile;
}

/** `of` `one`: it belongs to one outlet; `list`: its text holds all outlets of a unit; `all`: to the device. */
function reviewObject(
  { say, profile }: Review,
  path: Place,
  oid: string,
  of: 'one' | 'list' | 'all' = 'one',
): void {
  const slots = slotsOf(oid);
  const known = [...profile.index.parts.map(({ name }) => name), 'shifted', 'product'];
  for (const { name } of slots) {
    if (!known.includes(name)) {
      say(path, `{${name}} is no part of the index`, `write one of ${known.join(', ')}`);
    }
    if (name === 'product' && profile.product === undefined) {
      say(path, 'nothing says where {product} comes from', "add 'product: PREFIX' beside index");
    }
  }
  if (!isOid(oid.replaceAll(/\{[a-z]+(?:\+[0-9]+)?\}/gu, '1'))) {
    say(path, 'is no object identifier', 'write numbers and dots, without a dot in front');
  }
  if (of === 'all' || !oid.includes('{')) return;
  const missing = profile.index.parts
    .map(({ name }) => name)
    .filter((name, at, all) => {
      if (slots.some((slot) => slot.name === name)) return false;
      if (at < all.length - 1) return true;
      // The position in the list names the outlet, or the shifted number does.
      return of !== 'list' && !slots.some((slot) => slot.name === 'shifted');
    });
  for (const name of missing) {
    say(path, `does not hold {${name}}: it is the same for every one`, `put {${name}} into it`);
  }
}

function scopeOf({ shared, list }: Write): 'one' | 'list' | 'all' {
  if (shared === true) return 'all';
  return list === undefined ? 'one' : 'list';
}

function reviewWrites(review: Review, path: Place, writes: readonly Write[], must: boolean): void {
  const { say, profile } = review;
  for (const [at, write] of writes.entries()) {
    const place = [...path, at, 'oid'];
    reviewObject(review, place, write.oid, scopeOf(write));
    for (const target of profile.never ?? []) {
      const same =
        write.shared === true ? write.oid === target : reaches(write.oid, target, profile);
      if (!same) continue;
      const message = `can become ${target}, which switches every outlet`;
      say(place, message, 'narrow the index, or mend the template');
    }
  }
  if (must && !writes.some(({ shared }) => shared !== true)) {
    say(path, 'no write names the outlet', 'add the one that does');
  }
}

function reviewState(review: Review, path: Place, state: StateColumn): void {
  reviewObject(review, [...path, 'oid'], state.oid, state.list === undefined ? 'one' : 'list');
  reviewValues(review.say, [...path, 'values'], state.values);
}

function reviewChecks(review: Review, path: Place, checks: readonly CheckColumn[]): void {
  for (const [at, check] of checks.entries()) {
    reviewObject(review, [...path, at, 'oid'], check.oid);
  }
}

/** A state that is read where the order was written says what was ordered, not what is. */
function reviewSameColumn(review: Review, path: Place, table: SnmpTable): void {
  const { say, profile } = review;
  const written = [...table.off, ...table.on].some(({ oid }) => oid === table.state.oid);
  const more =
    table.feedback !== undefined || (table.checks ?? []).some(({ as }) => as === 'pending');
  if (!written || more || profile.sameColumn === true) return;
  const message = 'is the column that the order writes: it may show the order and not the relay';
  say(
    [...path, 'state', 'oid'],
    message,
    "give feedback or a pending check, or say 'sameColumn: true'",
  );
}

function reviewTable(review: Review, path: Place, table: SnmpTable): void {
  reviewState(review, [...path, 'state'], table.state);
  if (table.feedback !== undefined) reviewState(review, [...path, 'feedback'], table.feedback);
  reviewChecks(review, [...path, 'checks'], table.checks ?? []);
  reviewWrites(review, [...path, 'off'], table.off, true);
  reviewWrites(review, [...path, 'on'], table.on, true);
  reviewWrites(review, [...path, 'cancel'], table.cancel ?? [], false);
  reviewSameColumn(review, path, table);
  const orders = (writes: readonly Write[]): string =>
    JSON.stringify(writes.map(({ oid, value }) => [oid, String(value)]));
  if (orders(table.off) === orders(table.on)) {
    review.say([...path, 'on'], 'is the same order as off', 'check both');
  }
}

function reviewFirmware(say: Say, profile: SnmpProfile): void {
  const { firmware } = profile;
  if (firmware === undefined) return;
  for (const [at, { sees, use, refuse }] of firmware.known.entries()) {
    const path = ['snmp', 'firmware', 'known', at];
    const pattern = readPattern(sees);
    if (typeof pattern === 'string') say([...path, 'sees'], pattern, 'mend the pattern');
    if (sees.replaceAll(/\{[a-z]+\}/gu, '').trim() === '') {
      say([...path, 'sees'], 'knows every firmware', 'write words that only the known one says');
    }
    if ((use === undefined) === (refuse === undefined)) {
      say(path, 'needs either use or refuse', "write 'use: base'");
    }
    if (use !== undefined && use !== 'base' && profile.variants?.[use] === undefined) {
      say([...path, 'use'], `there is no variant '${use}'`, 'name one under variants, or base');
    }
  }
}

function reviewSnmp(say: Say, profile: SnmpProfile): void {
  const review: Review = { say, profile };
  for (const [at, part] of profile.index.parts.entries()) {
    if (part.last >= part.first) continue;
    say(['snmp', 'index', 'parts', at, 'last'], `is below ${part.first}`, 'swap them');
  }
  if (profile.index.byNameOnly === true && profile.table.names === undefined) {
    say(['snmp', 'index', 'byNameOnly'], 'there is no column of names', "add 'names: OID'");
  }
  reviewTable(review, ['snmp', 'table'], profile.table);
  for (const [name, variant] of Object.entries(profile.variants ?? {})) {
    reviewTable(review, ['snmp', 'variants', name], { ...profile.table, ...variant });
  }
  reviewFirmware(say, profile);
  for (const [at, one] of profile.match.entries()) {
    if (isOid(one) && below(one, '1.3.6.1.4.1') && one !== '1.3.6.1.4.1') continue;
    say(['snmp', 'match', at], 'is no prefix of one vendor', 'write 1.3.6.1.4.1.VENDOR...');
  }
}

/** Ids that address everything, in the devices this was written from; none may be a good id. */
const EVERYTHING = ['*', 'all', 'ALL'];

function reviewForbidden(say: Say, profile: Profile): void {
  for (const id of EVERYTHING) {
    if (addressOf(profile, { id }).ok) say(['forbid'], `'${id}' is accepted`, `add '${id}'`);
  }
  const { device } = profile;
  if (device.kind !== 'line') return;
  const { first, zeroIsOne, letters } = device.outlets;
  if (letters !== undefined || first !== 0 || zeroIsOne === true) return;
  const mend = "let outlets begin at 1, or say 'zeroIsOne: true' if it is one outlet here";
  say(['line', 'outlets', 'first'], 'outlet 0 is all outlets on many devices', mend);
}

/** All that is wrong with a profile in which the schema found nothing. */
export function checkProfile(name: string, raw: RawProfile): readonly Finding[] {
  const findings: Finding[] = [];
  const say: Say = (path, message, mend) => findings.push({ path, of: 'value', message, mend });
  const profile = profileOf(name, raw);
  const kinds = [raw.snmp, raw.line, raw.program].filter((one) => one !== undefined).length;
  if (profile === undefined || kinds > 1) {
    say([], 'needs either snmp, line or program', 'describe one device a file');
    return findings;
  }
  const { device } = profile;
  switch (device.kind) {
    case 'snmp':
      reviewSnmp(say, device);
      break;
    case 'line':
      reviewLine(say, device, profile.proof);
      break;
    case 'program':
      reviewProgram(say, device);
      break;
  }
  reviewForbidden(say, profile);
  return findings;
}
