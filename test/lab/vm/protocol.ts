/**
 * The words spoken on the channel between the lab and a machine: one JSON object a line, both ways.
 * Requests with an id are answered once; streams carry TCP connections into the machine.
 */

/** One program to run to its end; never a shell. */
export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly input?: string;
  readonly deadlineMs?: number;
}

export interface Ended {
  readonly argv: readonly string[];
  /** Undefined when a signal ended it or it could not be started. */
  readonly status: number | undefined;
  readonly out: string;
  readonly err: string;
}

export type Request =
  /** Runs programs one after the other, up to the first that fails. */
  | { readonly op: 'run'; readonly commands: readonly Command[] }
  /** Starts a program that goes on; what it prints is appended to the file `log`. */
  | { readonly op: 'start'; readonly argv: readonly [string, ...string[]]; readonly log: string }
  | { readonly op: 'signal'; readonly pid: number; readonly signal: string }
  /** Writes a file, or one place of a device (`at`, in bytes). */
  | {
      readonly op: 'write';
      readonly path: string;
      readonly latin1: string;
      readonly at?: number;
      readonly append?: true;
    }
  | { readonly op: 'read'; readonly path: string }
  | { readonly op: 'list'; readonly path: string }
  /** Answers with the wall clock in milliseconds as its text. */
  | { readonly op: 'now' };

export type ToGuest =
  | { readonly id: number; readonly request: Request }
  | { readonly stream: number; readonly port: number }
  | { readonly stream: number; readonly base64: string }
  | { readonly stream: number; readonly end: true };

/** `at` is the machine's CLOCK_MONOTONIC in milliseconds when the request had been carried out. */
export interface Answer {
  readonly at: number;
  readonly ended?: readonly Ended[];
  readonly pid?: number;
  readonly text?: string;
  readonly names?: readonly string[];
}

export type FromGuest =
  | { readonly hello: true; readonly at: number }
  | { readonly id: number; readonly answer: Answer }
  | { readonly id: number; readonly error: string }
  | { readonly stream: number; readonly base64: string }
  | { readonly stream: number; readonly end: true };

/** Cuts a byte stream into lines and hands each as parsed JSON. */
export function lineReader(onLine: (text: string) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') onLine(line);
  };
}
