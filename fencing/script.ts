/**
 * Runs the steps of a profile's script one by one: sends, waits for what must be seen, answers prompts
 * on the way, and gives up when a step's time is over. It reads lines, never the wire; what a device
 * says without end, or out of turn, ends the script and not the agent.
 */
import type { Ms } from '../rules/model.ts';
import { type Pattern, readPattern, stands } from './pattern.ts';
import type { ErrorLine, LineProfile, Step } from './profile.ts';
import { printable } from './rows.ts';
import { fillWords } from './template.ts';

/** What is kept of unread text. */
export const HEARD_CHARS_MAX: number = 64 * 1024;

export interface Script {
  readonly steps: readonly Step[];
  readonly at: number;
  /** `{outlet}`, `{user}` and `{password}`. */
  readonly words: Readonly<Record<string, string>>;
  /** The device has not yet sent back this line. */
  readonly echo: string;
  /** Not yet read. */
  readonly heard: string;
  /** All that came since the script's first line was sent. */
  readonly page: string;
  /** How often each answer of this step was given. */
  readonly given: readonly number[];
  /** End of the current step. */
  readonly until: Ms | undefined;
}

export type ScriptNeed =
  | {
      readonly kind: 'send';
      readonly text: string;
      readonly shown: string;
      /** What came before is dropped: it answers something else. */
      readonly fresh: boolean;
    }
  | { readonly kind: 'listen'; readonly until: Ms }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'lines'; readonly dtr?: boolean; readonly rts?: boolean }
  | { readonly kind: 'end' }
  | { readonly kind: 'failed'; readonly why: string; readonly error: ErrorLine | undefined };

export interface ScriptTurn {
  readonly script: Script;
  readonly need: ScriptNeed;
}

export function startScript(
  steps: readonly Step[],
  words: Readonly<Record<string, string>>,
): Script {
  return {
    steps,
    at: 0,
    words,
    echo: '',
    heard: '',
    page: '',
    given: [],
    until: undefined,
  };
}

/** Adds what came. */
export function hear(device: LineProfile, script: Script, text: string): Script {
  const strip = new Set(device.strip ?? '');
  const kept = strip.size === 0 ? text : [...text].filter((char) => !strip.has(char)).join('');
  const plain = kept.replaceAll('\0', '');
  return { ...script, heard: script.heard + plain, page: script.page + plain };
}

function sent(
  device: LineProfile,
  script: Script,
  template: string,
  end: string,
  fresh: boolean,
): ScriptTurn {
  const text = `${fillWords(template, script.words)}${end}`;
  const shown = `${fillWords(template, { ...script.words, password: '********' })}${end}`;
  const secret = template.includes('{password}');
  const echo = device.echo === true && !secret && end !== '' ? text.trim() : '';
  return { script: { ...script, echo }, need: { kind: 'send', text, shown, fresh } };
}

/** What came before this line of ours was asked for by nobody. */
function cleared(script: Script): Script {
  return { ...script, heard: '', page: script.at === 0 ? '' : script.page };
}

function patternsOf(sources: readonly string[]): readonly Pattern[] {
  return sources.map(readPattern).filter((one): one is Pattern => typeof one !== 'string');
}

type UntilStep = Extract<Step, { until: readonly string[] }>;

interface Seen {
  readonly what: 'until' | 'answer' | 'error';
  readonly index: number;
  /** Text after the line. */
  readonly rest: string;
}

/** The first line that means something: trouble, a question to answer, or the end. */
function seenIn(device: LineProfile, script: Script, step: UntilStep): Seen | undefined {
  const errors = patternsOf((device.errors ?? []).map(({ see }) => see));
  const answers = patternsOf((step.answer ?? []).map(({ see }) => see));
  const ends = patternsOf(step.until);
  let from = 0;
  const { heard } = script;
  while (from <= heard.length) {
    const found = /[\r\n]/u.exec(heard.slice(from));
    const to = found === null ? heard.length : from + found.index;
    const line = heard.slice(from, to);
    const rest = heard.slice(Math.min(heard.length, to + 1));
    const first = (list: readonly Pattern[]): number =>
      list.findIndex((pattern) => stands(pattern, line));
    const error = first(errors);
    if (error >= 0) return { what: 'error', index: error, rest };
    const answer = answers.findIndex((pattern, at) => {
      const most = step.answer?.[at]?.most ?? 1;
      return (script.given[at] ?? 0) < most && stands(pattern, line);
    });
    if (answer >= 0) return { what: 'answer', index: answer, rest };
    if (first(ends) >= 0) return { what: 'until', index: 0, rest };
    if (found === null) return undefined;
    from = to + 1;
  }
  return undefined;
}

/** Drops everything up to the device's copy of our own line; undefined while that has not come. */
function afterEcho(script: Script): Script | undefined {
  if (script.echo === '') return script;
  const at = script.heard.indexOf(script.echo);
  if (at < 0) return undefined;
  const heard = script.heard.slice(at + script.echo.length);
  return { ...script, echo: '', heard, page: heard };
}

function waitFor(device: LineProfile, given: Script, step: UntilStep, now: Ms): ScriptTurn {
  const failed = (why: string, error?: ErrorLine): ScriptTurn => {
    return { script: given, need: { kind: 'failed', why, error } };
  };
  if (given.page.length > HEARD_CHARS_MAX) return failed('the device talks without end');
  const until = given.until ?? now;
  const script = afterEcho(given);
  const seen = script === undefined ? undefined : seenIn(device, script, step);
  if (script === undefined || seen === undefined) {
    if (now < until) return { script: given, need: { kind: 'listen', until } };
    const last = printable(given.heard.split(/[\r\n]+/u).at(-1) ?? '');
    const expected = printable(step.until[0] ?? '');
    return failed(`no '${expected}' came${last === '' ? '' : `, the last was '${last}'`}`);
  }
  if (seen.what === 'error') {
    const error = device.errors?.[seen.index];
    return failed(error?.why ?? 'the device refused', error);
  }
  if (seen.what === 'until') {
    return advance(
      device,
      { ...script, heard: seen.rest, at: script.at + 1, until: undefined },
      now,
    );
  }
  const answer = step.answer?.[seen.index];
  const given2 = [...script.given];
  given2[seen.index] = (given2[seen.index] ?? 0) + 1;
  const heard = { ...script, heard: seen.rest, given: given2 };
  if (answer?.send !== undefined) return sent(device, heard, answer.send, device.end, false);
  return sent(device, heard, answer?.bytes ?? '', '', false);
}

/** Goes on as far as nothing from outside is needed. */
export function advance(
  device: LineProfile,
  script: Script,
  now: Ms,
  answerMs = 10_000,
): ScriptTurn {
  const step = script.steps[script.at];
  if (step === undefined) return { script, need: { kind: 'end' } };
  const after = { ...script, at: script.at + 1, given: [] };
  const clean = { ...cleared(script), at: after.at, given: [] };
  if ('send' in step) return sent(device, clean, step.send, device.end, true);
  if ('bytes' in step) return sent(device, clean, step.bytes, '', true);
  if ('waitMs' in step) return { script: after, need: { kind: 'wait', ms: step.waitMs } };
  if ('lines' in step) return { script: after, need: { kind: 'lines', ...step.lines } };
  const until = script.until ?? ((now + (step.withinMs ?? answerMs)) as Ms);
  return waitFor(device, { ...script, until }, step, now);
}
