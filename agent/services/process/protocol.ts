/**
 * What the agent and the keeper say to each other: one JSON value a line, over a unix socket in the run
 * folder. The keeper outlives agents, newer ones included: messages may gain keys, never change meaning.
 */
import type { Exit } from '../../../rules/service.ts';

export const KEEPER_PROTOCOL = 1;
export const KEEPER_SOCKET = 'keeper.sock';
/** A longer line is no message of ours. */
export const LINE_BYTES_MAX: number = 1024 * 1024;

export interface StartOrder {
  readonly name: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** What the keeper knows of one service. */
export type Kept =
  | { readonly is: 'none' }
  | {
      readonly is: 'running';
      readonly run: string;
      readonly pid: number;
      /** State letter of /proc/PID/stat. */
      readonly state: string;
      readonly ageMs: number;
    }
  | { readonly is: 'ended'; readonly exit: Exit };

export type Ask =
  | { readonly do: 'hello' }
  | { readonly do: 'look'; readonly name: string }
  | { readonly do: 'start'; readonly start: StartOrder }
  | {
      readonly do: 'stop';
      readonly name: string;
      /** First this signal; after the deadline SIGKILL to all that is left. */
      readonly signal: string;
      readonly deadlineMs: number;
      /** What all this may take together. */
      readonly patienceMs: number;
    }
  /** It ends if it keeps nothing that runs. */
  | { readonly do: 'end' };

export type Reply =
  | { readonly ok: true; readonly kept: Kept; readonly protocol?: number; readonly pid?: number }
  | { readonly ok: false; readonly why: string; readonly kept: Kept; readonly lasting?: true };

export type ToKeeper = { readonly ask: number } & Ask;
export type FromKeeper =
  | ({ readonly answer: number } & Reply)
  /** Something changed. */
  | { readonly news: string; readonly kept: Kept };

/** Cuts a stream into lines; `onFlood` when one is longer than any message. */
export function lineReader(
  onLine: (line: string) => void,
  onFlood: () => void,
): (text: string) => void {
  let rest = '';
  return (text) => {
    rest += text;
    let end = rest.indexOf('\n');
    while (end >= 0) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      onLine(line);
      end = rest.indexOf('\n');
    }
    if (rest.length > LINE_BYTES_MAX) onFlood();
  };
}
