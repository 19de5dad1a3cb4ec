/** What the SCSI child and the agent say to each other: one JSON object a line, bytes in base64. */
import type { Completion } from '../../../fencing/reservation/answer.ts';

/** Descriptors of the child: the channel, and the file in which it notes what it is about to do. */
export const CHANNEL_FD = 3;
export const NOTE_FD = 4;
export const NOTE_BYTES = 4;
/** What the note holds while nothing is being handed to the kernel. */
export const NO_NOTE = -1;

export interface WireCommand {
  readonly cdb: string;
  readonly out: string;
  readonly in: number;
}

/** Commands for one device, answered together within the deadline. */
export interface Group {
  readonly id: number;
  readonly device: string;
  /** A number for the device, which the note can hold. */
  readonly place: number;
  /** The disk that must be behind the device; undefined: whatever it is (to find out). */
  readonly wwid: string | undefined;
  /** Something of it changes the disk: it is not even sent before the identity is known. */
  readonly guard: boolean;
  /** How long it may take, and the CLOCK_MONOTONIC at which that is over: what waited too long is not sent. */
  readonly deadlineMs: number;
  readonly untilMs: number;
  readonly kernelMs: number;
  readonly commands: readonly WireCommand[];
}

export type ToChild =
  | { readonly op: 'send'; readonly group: Group }
  | { readonly op: 'close'; readonly device: string };

export type WireCompletion =
  | {
      readonly kind: 'done';
      readonly status: number;
      readonly host: number;
      readonly driver: number;
      readonly sense: string;
      readonly data: string;
    }
  | Exclude<Completion, { kind: 'done' }>;

export type FromChild =
  | { readonly op: 'ready' }
  | { readonly op: 'answer'; readonly id: number; readonly completions: readonly WireCompletion[] }
  /** A command that was late has come back, or can no longer. */
  | {
      readonly op: 'late';
      readonly id: number;
      readonly index: number;
      readonly completion: WireCompletion;
    };

/** How the child is started. */
export interface Start {
  /** Device major numbers it may open; 21 is sg. */
  readonly majors: readonly number[];
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

export function toWire(completion: Completion): WireCompletion {
  if (completion.kind !== 'done') return completion;
  return { ...completion, sense: base64(completion.sense), data: base64(completion.data) };
}

export function fromWire(wire: WireCompletion): Completion {
  if (wire.kind !== 'done') return wire;
  const sense = Uint8Array.from(Buffer.from(wire.sense, 'base64'));
  return { ...wire, sense, data: Uint8Array.from(Buffer.from(wire.data, 'base64')) };
}

/** Cuts a stream into lines. */
export function lines(onLine: (line: string) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) if (part !== '') onLine(part);
  };
}
