/**
 * Sense data: what a device says of a command it did not simply carry out. Fixed and descriptor formats
 * (SPC-4 4.5); codes by name (SPC-4 annex F). What is too short or no sense at all is undefined.
 */
import { numberAt } from './bytes.ts';

export interface Sense {
  /** Sense key, 0 to 15. */
  readonly key: number;
  /** Additional sense code and its qualifier. */
  readonly asc: number;
  readonly ascq: number;
  /** It is about an earlier command, not this one. */
  readonly deferred: boolean;
}

const FIXED_ASC = 12;

/** Decodes sense data; additional codes that were not sent count as 0, as the standard has it. */
export function decodeSense(bytes: Uint8Array): Sense | undefined {
  const code = (numberAt(bytes, 0, 1) ?? 0) & 0x7f;
  if (code === 0x70 || code === 0x71) {
    const key = numberAt(bytes, 2, 1);
    if (key === undefined) return undefined;
    // The additional length says whether the codes were sent at all.
    const sent = 8 + (numberAt(bytes, 7, 1) ?? 0);
    const field = (at: number): number => (at < sent ? (numberAt(bytes, at, 1) ?? 0) : 0);
    const deferred = code === 0x71;
    return { key: key & 0x0f, asc: field(FIXED_ASC), ascq: field(FIXED_ASC + 1), deferred };
  }
  if (code === 0x72 || code === 0x73) {
    const key = numberAt(bytes, 1, 1);
    if (key === undefined) return undefined;
    const [asc = 0, ascq = 0] = [numberAt(bytes, 2, 1), numberAt(bytes, 3, 1)];
    return { key: key & 0x0f, asc, ascq, deferred: code === 0x73 };
  }
  return undefined;
}

/**
 * Why a device calls for attention. The first three are about reservations, `reset` means that registrations
 * may be gone where they are not kept, `nexus-loss` that this path was new to the device, `changed` that
 * what is behind the address may be another disk.
 */
export type Cause =
  | 'reservations-preempted'
  | 'reservations-released'
  | 'registrations-preempted'
  | 'reset'
  | 'nexus-loss'
  | 'changed'
  | 'other';

const CAUSES: ReadonlyMap<number, Cause> = new Map<number, Cause>([
  [0x2a03, 'reservations-preempted'],
  [0x2a04, 'reservations-released'],
  [0x2a05, 'registrations-preempted'],
  [0x2900, 'reset'],
  [0x2901, 'reset'],
  [0x2902, 'reset'],
  [0x2903, 'reset'],
  [0x2904, 'reset'],
  [0x2905, 'reset'],
  [0x2906, 'reset'],
  [0x2907, 'nexus-loss'],
  [0x3f03, 'changed'],
  [0x3f05, 'changed'],
  [0x3f0e, 'changed'],
]);

export function causeOf({ asc, ascq }: Sense): Cause {
  return CAUSES.get(asc * 256 + ascq) ?? 'other';
}

const KEYS: readonly string[] = [
  'no sense',
  'recovered error',
  'not ready',
  'medium error',
  'hardware error',
  'illegal request',
  'unit attention',
  'data protect',
  'blank check',
  'vendor specific',
  'copy aborted',
  'aborted command',
  'reserved',
  'volume overflow',
  'miscompare',
  'completed',
];
const NAMES: ReadonlyMap<number, string> = new Map([
  [0x0800, 'communication failure'],
  [0x0401, 'becoming ready'],
  [0x040a, 'asymmetric access state transition'],
  [0x040b, 'target port in standby state'],
  [0x040c, 'target port in unavailable state'],
  [0x2000, 'unknown command'],
  [0x2400, 'invalid field in the command'],
  [0x2600, 'invalid field in the parameter list'],
  [0x2604, 'invalid release of a reservation'],
  [0x2500, 'no such logical unit'],
  [0x2700, 'write protected'],
  [0x1a00, 'parameter list of wrong length'],
  [0x2a03, 'reservations preempted'],
  [0x2a04, 'reservations released'],
  [0x2a05, 'registrations preempted'],
  [0x2a06, 'access state changed'],
  [0x2900, 'power on or reset'],
  [0x2907, 'nexus loss'],
  [0x3f03, 'inquiry data changed'],
  [0x3f0e, 'reported LUNs changed'],
  [0x5504, 'no room for a further registration'],
]);

/** For people: `unit attention 2a/05, registrations preempted`. */
export function senseText(sense: Sense): string {
  const { key, asc, ascq } = sense;
  const code = [asc, ascq].map((one) => one.toString(16).padStart(2, '0')).join('/');
  const name = NAMES.get(asc * 256 + ascq);
  return `${KEYS[key] ?? 'unknown'} ${code}${name === undefined ? '' : `, ${name}`}`;
}
