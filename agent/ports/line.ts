/**
 * The shape of a connection that carries text to a switch, whatever it is made of: a serial port, telnet
 * or plain TCP. Characters are bytes (latin1). A port never throws: what went wrong is a sentence.
 */

/** Undefined, or why it did not work. */
export type Trouble = string | undefined;

export interface LinePort {
  readonly open: (withinMs: number) => Promise<Trouble>;
  /** Sends; with a pace, one character at a time. `fresh` drops what came before. */
  readonly send: (text: string, options: { paceMs: number; fresh: boolean }) => Promise<Trouble>;
  /** What came, as soon as something has; empty text after so long without. */
  readonly listen: (ms: number) => Promise<{ readonly text: string } | { readonly why: string }>;
  readonly lines: (set: { dtr?: boolean; rts?: boolean }) => Promise<Trouble>;
  readonly close: () => Promise<void>;
}

/** Bytes kept while nobody listens; more is a device that talks without end. */
const KEPT_BYTES_MAX: number = 128 * 1024;

/** What has come and was not read yet, and whoever waits for it. */
export class Inbox {
  #text = '';
  #ended: string | undefined;
  #wake: (() => void) | undefined;

  add(bytes: Buffer): void {
    const room = KEPT_BYTES_MAX - this.#text.length;
    if (room <= 0) this.end('the device talks without end');
    else this.#text += bytes.toString('latin1', 0, Math.min(bytes.length, room));
    this.#wake?.();
  }

  end(why: string): void {
    this.#ended ??= why;
    this.#wake?.();
  }

  get ended(): string | undefined {
    return this.#ended;
  }

  clear(): void {
    this.#text = '';
  }

  async take(ms: number): Promise<{ readonly text: string } | { readonly why: string }> {
    if (this.#text === '' && this.#ended === undefined) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    const text = this.#text;
    this.#text = '';
    if (text === '' && this.#ended !== undefined) return { why: this.#ended };
    return { text };
  }
}

/** Hands the text over in one piece, or a character at a time with a pause after each. */
export async function paced(
  text: string,
  paceMs: number,
  write: (bytes: Buffer) => Promise<Trouble>,
): Promise<Trouble> {
  if (paceMs <= 0) return write(Buffer.from(text, 'latin1'));
  for (const char of text) {
    const trouble = await write(Buffer.from(char, 'latin1'));
    if (trouble !== undefined) return trouble;
    await new Promise((resolve) => setTimeout(resolve, paceMs));
  }
  return undefined;
}
