/**
 * Goes through a journal for what came of its steps, without stepping: the lines that hold a change or a
 * decision are understood, all others only counted into the time. A hundred megabytes take seconds.
 */
import { openDecoder } from '../../rules/codec.ts';
import { JOURNAL_FORMAT } from '../../rules/record.ts';
import type { Verdicts } from '../../rules/verdicts.ts';
import { JournalError, readSegment } from './read.ts';

/** One step that came to something. */
export interface Happening {
  readonly place: string;
  /** Path of its segment, and the place of its line there. */
  readonly path: string;
  readonly line: number;
  /** Monotonic milliseconds, comparable within one boot. */
  readonly at: number;
  readonly boot: string;
  readonly life: string;
  readonly unixMs: number;
  /** When the readings that changed in it had been read; undefined when none had. */
  readonly readAt: number | undefined;
  readonly verdicts: Verdicts;
}

/** Neither a step without verdicts nor a line of the checkpoint ends like this. */
const VERDICTS_END = '}]';

interface Clock {
  us: number;
  offsetMs: number;
  boot: string;
  life: string;
}

function number(text: string): number {
  const value = Number.parseInt(text, 10);
  if (Number.isNaN(value)) throw new JournalError(`no time: ${text.slice(0, 20)}`);
  return value;
}

/** The time of a step line: microseconds since the one before, or milliseconds as text. */
function tick(clock: Clock, line: string): void {
  if (line.charCodeAt(1) === 34) {
    clock.us = Math.round(Number(line.slice(2, line.indexOf('"', 2))) * 1000);
  } else clock.us += number(line.slice(1));
}

/** Reads that changed something carry a fourth element; the latest of them is the news. */
function readAtOf(told: unknown, nowUs: number): number | undefined {
  let latest: number | undefined;
  for (const input of Array.isArray(told) ? told : []) {
    if (!Array.isArray(input) || input.length < 4) continue;
    const at = typeof input[1] === 'string' ? Number(input[1]) : (nowUs + Number(input[1])) / 1000;
    if (latest === undefined || at > latest) latest = at;
  }
  return latest;
}

function readHead(clock: Clock, line: string): boolean {
  const head = JSON.parse(line) as Record<string, unknown>;
  if (head.format !== JOURNAL_FORMAT) return false;
  clock.offsetMs = Number(head.wallOffsetMs);
  clock.boot = String(head.boot);
  clock.life = String(head.life);
  return true;
}

const AT_LINE = '{"c":["at"],"v":';

/** What happened in one segment; what cannot be read ends it quietly, replay is there to complain. */
function happenings(path: string, name: string, lines: readonly string[]): readonly Happening[] {
  const found: Happening[] = [];
  const clock: Clock = { us: 0, offsetMs: 0, boot: '', life: '' };
  for (const [index, line] of lines.entries()) {
    if (index === 0) {
      if (!readHead(clock, line)) return found;
    } else if (line.startsWith(AT_LINE)) {
      clock.us = Math.round(Number(line.slice(AT_LINE.length, -1)) * 1000);
    } else if (line.startsWith('{"w":')) {
      clock.offsetMs = Number(line.slice(5, -1));
    } else if (line.startsWith('[')) {
      tick(clock, line);
      if (!line.endsWith(VERDICTS_END)) continue;
      const [, told, verdicts] = JSON.parse(line) as [unknown, unknown, never];
      const at = clock.us / 1000;
      found.push({
        place: `${name}:${index + 1}`,
        path,
        line: index,
        at,
        boot: clock.boot,
        life: clock.life,
        unixMs: at + clock.offsetMs,
        readAt: readAtOf(told, clock.us),
        verdicts: openDecoder().decode(verdicts) as Verdicts,
      });
    }
  }
  return found;
}

/** All that happened, oldest first. */
export async function scan(paths: readonly string[]): Promise<readonly Happening[]> {
  const all: Happening[] = [];
  for (const path of paths) {
    const { name, lines } = await readSegment(path);
    try {
      all.push(...happenings(path, name, lines));
    } catch (error) {
      // A line in the middle that is not JSON: what stands before it still tells something.
      if (!(error instanceof SyntaxError || error instanceof JournalError)) throw error;
    }
  }
  return all;
}
