/**
 * From what the port brought back to an answer that can be decided on. The one question that matters is
 * whether a command that changes registrations took effect: `good` says yes, `conflict`, `attention`,
 * `unsupported`, `refused`, `busy` and `unsent` say no, and everything else is `unresolved`, which only
 * reading can settle. A device may carry out a registration and then answer with an error (LIO without
 * its state folder does); a path may lose the answer. Neither is ever taken for success or for failure.
 *
 * Status codes: SAM-5 5.3; host and driver status: include/scsi/scsi_status.h of the kernel.
 */
import { type DeviceId, decodeDeviceId } from './device-id.ts';
import {
  type CapabilitiesReply,
  type Decoded,
  decodeCapabilities,
  decodeFullStatus,
  decodeKeys,
  decodeReservation,
  type FullStatusReply,
  type KeysReply,
  type ReservationReply,
} from './replies.ts';
import { isWrite, type Request } from './request.ts';
import { type Cause, causeOf, decodeSense, type Sense, senseText } from './sense.ts';

/** What a port brings back for one command. */
export type Completion =
  | {
      readonly kind: 'done';
      readonly status: number;
      readonly host: number;
      readonly driver: number;
      readonly sense: Uint8Array;
      /** What the device sent, without what it left unsent. */
      readonly data: Uint8Array;
    }
  /** Certainly never given to the device. */
  | { readonly kind: 'unsent'; readonly why: string }
  /** The path is another disk's now: nothing was sent. */
  | { readonly kind: 'wrong-disk'; readonly why: string }
  /** Given to the device, and not back by its deadline; it may come back later. */
  | { readonly kind: 'late'; readonly why: string }
  /** Given to the device, and its answer can never come: the nexus it went by is gone. */
  | { readonly kind: 'gone'; readonly why: string };

export type Reply =
  | { readonly of: 'nothing' }
  | ({ readonly of: 'keys' } & KeysReply)
  | ({ readonly of: 'reservation' } & ReservationReply)
  | ({ readonly of: 'capabilities' } & CapabilitiesReply)
  | ({ readonly of: 'full-status' } & FullStatusReply)
  | ({ readonly of: 'device-id' } & DeviceId)
  | { readonly of: 'data'; readonly data: Uint8Array };

export type Trouble =
  | { readonly is: 'conflict'; readonly why: string }
  | { readonly is: 'attention'; readonly cause: Cause; readonly why: string }
  | { readonly is: 'not-ready'; readonly why: string }
  | { readonly is: 'unsupported'; readonly why: string }
  | { readonly is: 'refused'; readonly why: string }
  | { readonly is: 'busy'; readonly why: string }
  | { readonly is: 'failed'; readonly why: string }
  | { readonly is: 'unsent'; readonly why: string }
  | { readonly is: 'wrong-disk'; readonly why: string }
  /**
   * It may have taken effect or may yet. `until` says what must come before a read can settle it: nothing
   * (`read`: by the same path), its return (`return`), or that cannot come any more (`gone`).
   */
  | { readonly is: 'unresolved'; readonly until: 'read' | 'return' | 'gone'; readonly why: string };

export type Answer = { readonly is: 'good'; readonly reply: Reply } | Trouble;

const GOOD = 0x00;
const CHECK_CONDITION = 0x02;
const CONDITION_MET = 0x04;
const BUSY = 0x08;
const RESERVATION_CONFLICT = 0x18;
const TASK_SET_FULL = 0x28;
const TASK_ABORTED = 0x40;

const NOT_READY = 2;
const ILLEGAL_REQUEST = 5;
const UNIT_ATTENTION = 6;
const DATA_PROTECT = 7;
/** Unknown command, or a field of the command itself: the device does not have it. */
const UNSUPPORTED_ASC: ReadonlySet<number> = new Set([0x20, 0x24]);

/** Error codes of the host adapter that are told as such; others by their number. */
const HOST_NAMES: ReadonlyMap<number, string> = new Map([
  [0x01, 'no connection'],
  [0x02, 'bus busy'],
  [0x03, 'timed out'],
  [0x05, 'aborted'],
  [0x07, 'adapter error'],
  [0x08, 'reset'],
  [0x0e, 'transport disrupted'],
  [0x0f, 'transport failed fast'],
  [0x11, 'nexus failure'],
]);

function decoded<T extends object>(found: Decoded<T>, reply: (value: T) => Reply): Answer {
  if ('why' in found) return { is: 'failed', why: found.why };
  return { is: 'good', reply: reply(found.value) };
}

function replyTo(request: Request, data: Uint8Array): Answer {
  switch (request.ask) {
    case 'keys':
      return decoded(decodeKeys(data), (value) => ({ of: 'keys', ...value }));
    case 'reservation':
      return decoded(decodeReservation(data), (value) => ({ of: 'reservation', ...value }));
    case 'capabilities':
      return decoded(decodeCapabilities(data), (value) => ({ of: 'capabilities', ...value }));
    case 'full-status':
      return decoded(decodeFullStatus(data), (value) => ({ of: 'full-status', ...value }));
    case 'device-id': {
      const id = decodeDeviceId(data);
      if (id === undefined) return { is: 'failed', why: 'the answer is no page 83h' };
      return { is: 'good', reply: { of: 'device-id', ...id } };
    }
    case 'inquiry':
    case 'read':
    case 'capacity':
    case 'luns':
      return { is: 'good', reply: { of: 'data', data } };
    default:
      return { is: 'good', reply: { of: 'nothing' } };
  }
}

function fromSense(sense: Sense, wrote: boolean): Answer {
  const why = senseText(sense);
  if (sense.deferred)
    return { is: 'unresolved', until: 'read', why: `of an earlier command: ${why}` };
  switch (sense.key) {
    case UNIT_ATTENTION:
      return { is: 'attention', cause: causeOf(sense), why };
    case ILLEGAL_REQUEST:
      return { is: UNSUPPORTED_ASC.has(sense.asc) ? 'unsupported' : 'refused', why };
    case DATA_PROTECT:
      return { is: 'refused', why };
    case NOT_READY:
      return wrote ? { is: 'unresolved', until: 'read', why } : { is: 'not-ready', why };
    default:
      return wrote ? { is: 'unresolved', until: 'read', why } : { is: 'failed', why };
  }
}

function fromStatus(request: Request, done: Extract<Completion, { kind: 'done' }>): Answer {
  const wrote = isWrite(request);
  const doubt = (why: string): Answer =>
    wrote ? { is: 'unresolved', until: 'read', why } : { is: 'failed', why };
  switch (done.status) {
    case GOOD:
    case CONDITION_MET:
      return replyTo(request, done.data);
    case RESERVATION_CONFLICT:
      return { is: 'conflict', why: 'reservation conflict' };
    case BUSY:
    case TASK_SET_FULL:
      return { is: 'busy', why: done.status === BUSY ? 'busy' : 'task set full' };
    case TASK_ABORTED:
      return doubt('task aborted by another initiator');
    case CHECK_CONDITION: {
      const sense = decodeSense(done.sense);
      return sense === undefined ? doubt('check condition without sense') : fromSense(sense, wrote);
    }
    default:
      return doubt(`status ${done.status.toString(16).padStart(2, '0')}h`);
  }
}

/** What a completion means for the request it answers. */
export function answerOf(request: Request, completion: Completion): Answer {
  const { kind } = completion;
  if (kind === 'unsent' || kind === 'wrong-disk') return { is: kind, why: completion.why };
  if (kind === 'late' || kind === 'gone') {
    if (!isWrite(request)) return { is: 'failed', why: completion.why };
    return { is: 'unresolved', until: kind === 'late' ? 'return' : 'gone', why: completion.why };
  }
  // A status that came from the device counts for more than what the adapter adds to it.
  const { host, status } = completion;
  if (host !== 0 && status === GOOD) {
    const why = `path: ${HOST_NAMES.get(host) ?? `host status ${host.toString(16)}h`}`;
    return isWrite(request) ? { is: 'unresolved', until: 'read', why } : { is: 'failed', why };
  }
  return fromStatus(request, completion);
}

/** For people and journals. */
export function answerText(answer: Answer): string {
  if (answer.is === 'good') return 'good';
  return answer.is === 'conflict' ? 'conflict' : `${answer.is} (${answer.why})`;
}
