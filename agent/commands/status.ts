/**
 * `nospof status`: what the running agent sees, as a table or as JSON, once or continuously. Without an
 * agent it reads the machine itself, once. The exit code is for scripts: 0 nothing is exposed, lost or
 * unknown; 1 something is; 2 it cannot be told (nobody to ask and no own reading, an agent that does not
 * answer or has gone silent, or no source that could be read).
 */
import { setTimeout as wait } from 'node:timers/promises';
import { safeJson, type World, worldOf } from '../../exporters/status/json.ts';
import { fit } from '../../exporters/status/plain.ts';
import { tableLines } from '../../exporters/status/table.ts';
import { viewOf } from '../../exporters/status/view.ts';
import { durationText } from '../../exporters/status/words.ts';
import type { Picture, Vitals } from '../../rules/model.ts';
import { askWorld, follow, NoAgentError } from '../api/client.ts';
import type { ParsedArgs } from './args.ts';
import { type Output, screenText } from './live.ts';
import { complain } from './print.ts';
import { setUp } from './setup.ts';
import { findSocket } from './socket.ts';

export type StatusCode = 0 | 1 | 2;

export interface StatusOptions {
  readonly socketPath: string;
  readonly json: boolean;
  readonly watch: boolean;
  readonly colour: boolean;
  readonly out: Output;
  /** Notes and errors, one line each. */
  readonly note: (line: string) => void;
  /** Reads the machine once when no agent can be asked. */
  readonly readOnce: () => Promise<{ picture: Picture; vitals: Vitals }>;
  /** Ends `watch`. */
  readonly signal: AbortSignal;
}

/** Columns when the output is no terminal: wide enough for whole sentences, bounded for 4 KB names. */
const PIPE_COLUMNS = 200;
const NOTE_COLUMNS_MAX = 500;
const REDRAW_EVERY_MS = 250;
const RETRY_EVERY_MS = 1_000;

/** What a script is told about a picture. */
export function statusCode(picture: Picture, old: boolean): StatusCode {
  const sighted = picture.sights.some(({ state }) => state === 'seen' || state === 'none');
  if (old || (!sighted && picture.groups.length === 0)) return 2;
  return picture.groups.every(({ standing }) => standing === 'redundant') ? 0 : 1;
}

function why(error: unknown): string {
  return fit(error instanceof Error ? error.message : String(error), NOTE_COLUMNS_MAX);
}

function table(world: World, options: StatusOptions, rows: number | undefined): readonly string[] {
  const { out, colour } = options;
  return tableLines(viewOf(world, world.vitals, world.old ? world.ageMs : undefined), {
    columns: out.columns ?? PIPE_COLUMNS,
    rows,
    colour,
  });
}

/** Asks the agent, else reads once; undefined when neither tells anything. */
async function worldNow(
  options: StatusOptions,
): Promise<{ readonly world: World; readonly code: StatusCode } | undefined> {
  let silent = false;
  try {
    const { world } = await askWorld(options.socketPath);
    return { world, code: statusCode(world, world.old) };
  } catch (error) {
    silent = !(error instanceof NoAgentError);
    const said = silent ? `cannot ask the agent: ${why(error)}` : why(error);
    options.note(`${said}; this is read now, once`);
  }
  try {
    const { picture, vitals } = await options.readOnce();
    // One look knows of nothing that is missing; the agent that does not answer may.
    const code = statusCode(picture, silent);
    return { world: worldOf(picture, vitals, 0, false), code };
  } catch (error) {
    options.note(`cannot read the machine: ${why(error)}`);
    return undefined;
  }
}

async function once(options: StatusOptions): Promise<StatusCode> {
  const now = await worldNow(options);
  if (now === undefined) return 2;
  const { world, code } = now;
  if (options.json) options.out.write(`${safeJson(world)}\n`);
  else options.out.write(`${table(world, options, undefined).join('\n')}\n`);
  return code;
}

/** What was seen last, and when on this machine's own clock. */
interface Seen {
  readonly world: World;
  readonly at: number;
}

function draw(seen: Seen, broken: string | undefined, options: StatusOptions): void {
  const { out } = options;
  if (options.json) {
    if (broken === undefined) out.write(`${safeJson(seen.world)}\n`);
    else options.note(broken);
    return;
  }
  const ageMs = seen.world.ageMs + performance.now() - seen.at;
  const world = broken === undefined ? seen.world : { ...seen.world, old: true, ageMs };
  const lines = [...table(world, options, out.isTTY === true ? (out.rows ?? 24) - 1 : undefined)];
  const note =
    broken === undefined
      ? ''
      : `no news for ${durationText(performance.now() - seen.at)}: ${broken}`;
  lines.push(fit(note, out.columns ?? PIPE_COLUMNS));
  out.write(out.isTTY === true ? screenText(lines) : `${lines.join('\n')}\n`);
}

/** Draws anew on every event, at most four times in a second, and says when the news stop. */
async function watch(options: StatusOptions): Promise<StatusCode> {
  let seen: Seen | undefined;
  /** The news have stopped, so that what was seen is no answer any more. */
  let silent = false;
  let drawing: Promise<void> | undefined;
  let again = false;
  const refresh = async (): Promise<void> => {
    do {
      again = false;
      const { world } = await askWorld(options.socketPath);
      seen = { world, at: performance.now() };
      silent = false;
      draw(seen, undefined, options);
      await wait(REDRAW_EVERY_MS);
    } while (again && !options.signal.aborted);
  };
  const onEvent = (): void => {
    again = true;
    // A question that fails is asked again by the next event, or the broken stream is told below.
    drawing ??= refresh()
      .catch(() => {})
      .finally(() => {
        drawing = undefined;
      });
  };
  while (!options.signal.aborted) {
    let broken = 'the agent closed the stream';
    try {
      await follow(options.socketPath, onEvent, options.signal);
    } catch (error) {
      broken = why(error);
    }
    await drawing;
    if (options.signal.aborted) break;
    if (seen === undefined) {
      options.note(broken);
      return 2;
    }
    silent = true;
    draw(seen, broken, options);
    await wait(RETRY_EVERY_MS);
  }
  return seen === undefined || silent ? 2 : statusCode(seen.world, seen.world.old);
}

export function status(options: StatusOptions): Promise<StatusCode> {
  return options.watch ? watch(options) : once(options);
}

/** The command: options from arguments, an own reading where no agent runs. */
export async function run(args: ParsedArgs): Promise<number> {
  const socket = await findSocket(args);
  if (!socket.ok) {
    complain(socket.message);
    return 2;
  }
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => abort.abort());
  return status({
    socketPath: socket.path,
    json: args.switches.has('json'),
    watch: args.switches.has('watch'),
    colour: process.stdout.isTTY === true,
    out: process.stdout,
    note: complain,
    readOnce: async () => {
      const setup = await setUp(args);
      if (setup === undefined) throw new Error('the configuration is not good');
      const { lookOnce } = await import('../agent.ts');
      return lookOnce({ ...setup, onTrouble: complain });
    },
    signal: abort.signal,
  });
}
