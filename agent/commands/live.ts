/**
 * What `nospof run` shows where it was started: in a terminal the table on one screen, redrawn in place;
 * elsewhere (a journal, a pipe) one line per change, so that the log is the history. The agent never waits
 * for the reader: a screen is skipped while the last is unread, and lines beyond the rate are counted.
 */

import { changesOf, logLine, unixMsOf } from '../../exporters/status/changes.ts';
import { tableLines } from '../../exporters/status/table.ts';
import { viewOf } from '../../exporters/status/view.ts';
import type { Picture, Vitals } from '../../rules/model.ts';

/** The part of a terminal or pipe that is used; `process.stdout` is one. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly writableLength: number;
  readonly write: (text: string) => boolean;
  readonly on: (event: 'resize', listener: () => void) => unknown;
  readonly off: (event: 'resize', listener: () => void) => unknown;
}

export interface Live {
  readonly show: (picture: Picture, vitals: Vitals) => void;
  /** Gives the terminal back; safe to call twice. */
  readonly close: () => void;
}

const REDRAW_EVERY_MS = 250;
const IDLE_REDRAW_MS = 1_000;
/** Bytes not yet taken by the reader; beyond it nothing more is written. */
const UNREAD_BYTES_MAX = 256 * 1024;
/** Lines in one second of log; a storm of changes is counted instead. */
const LINES_PER_SECOND_MAX = 50;

/** A source that has not answered by then does not hold up the log. */
const FIRST_LOOK_MS = 5_000;

/** Alternate screen on, cursor hidden. */
const SCREEN_ON = '\u001b[?1049h\u001b[?25l';
const SCREEN_OFF = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const LINE_END = '\u001b[K\n';
const REST_CLEAR = '\u001b[J';

/** One screen: every line overwritten in place, which does not flicker; none is left from before. */
export function screenText(lines: readonly string[]): string {
  return `${HOME}${lines.join(LINE_END)}\u001b[K${REST_CLEAR}`;
}

function openScreen(out: Output, colour: boolean): Live {
  let newest: { picture: Picture; vitals: Vitals } | undefined;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let open = true;

  const draw = (): void => {
    timer = undefined;
    if (newest === undefined || out.writableLength > UNREAD_BYTES_MAX) return;
    drawnAt = performance.now();
    const { picture, vitals } = newest;
    const options = { columns: out.columns ?? 80, rows: out.rows ?? 24, colour };
    out.write(screenText(tableLines(viewOf(picture, vitals), options)));
  };
  const changed = (picture: Picture): boolean =>
    newest === undefined ||
    newest.picture.components !== picture.components ||
    newest.picture.groups !== picture.groups ||
    newest.picture.advice !== picture.advice;
  const close = (): void => {
    if (!open) return;
    open = false;
    clearTimeout(timer);
    out.off('resize', draw);
    process.off('exit', close);
    out.write(SCREEN_OFF);
  };

  out.write(SCREEN_ON);
  out.on('resize', draw);
  // However the agent ends, the shell gets its screen back.
  process.on('exit', close);
  return {
    show(picture, vitals) {
      if (!open) return;
      const everyMs = changed(picture) ? REDRAW_EVERY_MS : IDLE_REDRAW_MS;
      newest = { picture, vitals };
      const waitMs = drawnAt + everyMs - performance.now();
      if (waitMs <= 0) {
        clearTimeout(timer);
        draw();
      } else if (everyMs === REDRAW_EVERY_MS) timer ??= setTimeout(draw, waitMs);
    },
    close,
  };
}

function openLog(out: Output): Live {
  let before: Picture | undefined;
  let windowStart = Number.NEGATIVE_INFINITY;
  let lines = 0;
  let suppressed = 0;
  let open = true;

  const suppressedLine = (unixMs: number): void => {
    if (suppressed === 0) return;
    const values = { lines: String(suppressed) };
    out.write(`${logLine({ level: 'warning', message: 'suppressed', values }, unixMs)}\n`);
    suppressed = 0;
  };
  return {
    show(picture, vitals) {
      // What is seen before everything was read once is no change, and too little to be a headline.
      const early = vitals.readyAt === undefined && picture.at - vitals.startedAt < FIRST_LOOK_MS;
      if (!open || early) return;
      const unixMs = unixMsOf(picture, vitals);
      if (picture.at - windowStart >= 1_000) {
        windowStart = picture.at;
        lines = 0;
        suppressedLine(unixMs);
      }
      for (const change of changesOf(before, picture)) {
        if (lines < LINES_PER_SECOND_MAX && out.writableLength <= UNREAD_BYTES_MAX) {
          out.write(`${logLine(change, unixMs)}\n`);
          lines += 1;
        } else suppressed += 1;
      }
      before = picture;
    },
    close() {
      open = false;
    },
  };
}

/** Shows what `run` sees: a screen on a terminal, else a log. `colour` is for the screen only. */
export function openLive(out: Output, colour: boolean): Live {
  return out.isTTY === true ? openScreen(out, colour) : openLog(out);
}
