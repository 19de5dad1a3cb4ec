/**
 * A look at a disk's table down one path: READ RESERVATION, READ KEYS and READ FULL STATUS, asked at once
 * and put together. It deals with what stands in the way of reading (unit attentions, a cut list, a table
 * that moves) and judges nothing.
 */
import type { Answer } from './answer.ts';
import type { FullStatusReply, KeysReply, ReservationReply } from './replies.ts';
import { IN_BYTES_MAX, type ReadRequest } from './request.ts';
import { type Table, tableOf } from './table.ts';

/** A command that a machine wants sent. */
export interface Ask<R = import('./request.ts').Request> {
  readonly id: number;
  readonly path: string;
  readonly request: R;
  readonly deadlineMs: number;
}

export interface Look {
  readonly path: string;
  readonly atMs: number;
  readonly tries: number;
  /** What is still to be answered. */
  readonly open: readonly Ask<ReadRequest>[];
  readonly keys: KeysReply | undefined;
  readonly reservation: ReservationReply | undefined;
  readonly full: FullStatusReply | undefined;
  readonly withFull: boolean;
  readonly bytes: number | undefined;
}

export type LookEnd =
  | { readonly is: 'open'; readonly look: Look; readonly asks: readonly Ask<ReadRequest>[] }
  | { readonly is: 'seen'; readonly table: Table }
  /** This path cannot tell; another may. */
  | {
      readonly is: 'blind';
      readonly why: string;
      readonly noFull: boolean;
      readonly unsupported: boolean;
    };

const TRIES_MAX = 8;

export interface LookOptions {
  readonly path: string;
  readonly withFull: boolean;
  readonly deadlineMs: number;
}

/** Begins a look; `id` is the first of up to three numbers it takes. */
export function beginLook(
  options: LookOptions,
  nowMs: number,
  id: number,
  tries = 0,
  bytes: number | undefined = undefined,
): { readonly look: Look; readonly asks: readonly Ask<ReadRequest>[] } {
  const { path, withFull, deadlineMs } = options;
  const size = bytes === undefined ? {} : { bytes };
  const requests: readonly ReadRequest[] = [
    { ask: 'reservation' },
    { ask: 'keys', ...size },
    ...(withFull ? [{ ask: 'full-status', ...size } as const] : []),
  ];
  const asks = requests.map((request, index) => ({ id: id + index, path, request, deadlineMs }));
  const look: Look = {
    path,
    atMs: nowMs,
    tries,
    open: asks,
    keys: undefined,
    reservation: undefined,
    full: undefined,
    withFull,
    bytes,
  };
  return { look, asks };
}

function again(look: Look, nowMs: number, id: number, why: string, bytes?: number): LookEnd {
  if (look.tries >= TRIES_MAX) return { is: 'blind', why, noFull: false, unsupported: false };
  const [first] = look.open;
  const deadlineMs = first?.deadlineMs ?? 0;
  const options = { path: look.path, withFull: look.withFull, deadlineMs };
  const begun = beginLook(options, nowMs, id, look.tries + 1, bytes ?? look.bytes);
  return { is: 'open', ...begun };
}

function finished(look: Look, ask: Ask<ReadRequest>, nowMs: number, id: number): LookEnd {
  const { keys, reservation, full } = look;
  if (keys === undefined || reservation === undefined) {
    return { is: 'blind', why: 'not all was answered', noFull: false, unsupported: false };
  }
  const table = tableOf(look.atMs, look.path, keys, reservation, full);
  if (!('why' in table)) return { is: 'seen', table };
  const bytes = keys.cut || full?.cut === true ? IN_BYTES_MAX : undefined;
  return again({ ...look, open: [ask] }, nowMs, id, table.why, bytes);
}

/** Takes in one answer. Answers to what was not asked are for the caller to sort out beforehand. */
export function continueLook(
  look: Look,
  ask: Ask<ReadRequest>,
  answer: Answer,
  nowMs: number,
  id: number,
): LookEnd {
  if (answer.is === 'attention' || answer.is === 'busy') {
    if (look.tries >= TRIES_MAX)
      return { is: 'blind', why: answer.why, noFull: false, unsupported: false };
    const retry = { ...ask, id };
    const open = look.open.map((one) => (one.id === ask.id ? retry : one));
    return { is: 'open', look: { ...look, open, tries: look.tries + 1 }, asks: [retry] };
  }
  if (answer.is !== 'good') {
    // A device may lack full status; keys and reservation it must tell.
    const lacks = answer.is === 'unsupported';
    const full = ask.request.ask === 'full-status';
    return { is: 'blind', why: answer.why, noFull: lacks && full, unsupported: lacks && !full };
  }
  const { reply } = answer;
  const next: Look = {
    ...look,
    open: look.open.filter(({ id: one }) => one !== ask.id),
    keys: reply.of === 'keys' ? reply : look.keys,
    reservation: reply.of === 'reservation' ? reply : look.reservation,
    full: reply.of === 'full-status' ? reply : look.full,
  };
  if (next.open.length > 0) return { is: 'open', look: next, asks: [] };
  return finished(next, ask, nowMs, id);
}
