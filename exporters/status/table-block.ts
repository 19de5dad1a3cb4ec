/** What a table is made of. */

export type Tint = 'bad' | 'warn' | 'doubt' | 'good' | 'plain' | 'head';
/** One thing that is shown or left out as a whole; `heads` count as no thing. */
export interface Block {
  readonly head: boolean;
  readonly lines: readonly { readonly tint: Tint; readonly state: string; readonly text: string }[];
}
