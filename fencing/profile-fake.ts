/** The device's side of a conversation, as a profile writes it; `fake-line.ts` plays it. */

/** How a fake of a line device talks. The device's side is written apart from ours. */
export interface LineFake {
  readonly outlets: number;
  /** It sends back what it hears. */
  readonly echo?: true;
  /** Ends a line of ours; empty: the fake looks after each character. */
  readonly end: string;
  /** Mode after connecting, or after DTR rose. */
  readonly start: string;
  readonly modes: Readonly<Record<string, FakeMode>>;
  /** Lines of the status table. `{outlet}` `{name}` `{state}` are filled. */
  readonly row: string;
  readonly shows: { readonly on: string; readonly off: string };
  /** Text a fake with the fault `busy` shows instead of its greeting. */
  readonly busy?: string;
}

export interface FakeMode {
  /** Shown when the mode is entered, and after each answer in it. */
  readonly prompt: string;
  /** Shown once after connecting, or when DTR rises. */
  readonly greeting?: string;
  /** A single character is heard without waiting for the end of a line. */
  readonly once?: true;
  readonly hears: readonly {
    readonly see: string;
    /** `{rows}` is the status table; `{row}` the line of the outlet that was named. */
    readonly say?: string;
    readonly do?: 'on' | 'off';
    readonly to?: string;
  }[];
  readonly otherwise?: string;
}
