/**
 * What the ends of a service say together: whether one is like another, whether the same thing keeps
 * going wrong soon after each start (toxic data: no restart mends it), and which restarts still count.
 * It decides on evidence alone and orders nothing.
 */
import type { Ms } from './model.ts';
import type { End, Exit, Fingerprint, RestartSpec, Service, ToxicSpec } from './service.ts';

/** More ends than this are never needed as evidence. */
export const ENDS_MAX = 64;
const LINE_LENGTH_MAX = 160;
/** Ends whose times since start fall into neighbouring steps may be the same fault. */
const STEPS_MS: readonly number[] = [1000, 3000, 10_000, 30_000, 100_000, 300_000];

const ADDRESS = /\b0x[0-9a-f]+\b|\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{6,}\b/giu;
const DIGITS = /[0-9]+/gu;
const SPACE = /\s+/gu;

/** A line without what differs between two runs of the same fault: numbers, addresses, spacing. */
export function foldLine(line: string): string {
  return line
    .slice(0, 4 * LINE_LENGTH_MAX)
    .replace(ADDRESS, '#')
    .replace(DIGITS, '#')
    .replace(SPACE, ' ')
    .trim()
    .slice(0, LINE_LENGTH_MAX);
}

function stepOf(afterStartMs: number): number {
  const step = STEPS_MS.findIndex((mark) => afterStartMs < mark);
  return step < 0 ? STEPS_MS.length : step;
}

function stepText(afterStartMs: number): string {
  const mark = STEPS_MS[stepOf(afterStartMs)];
  return mark === undefined ? 'late' : `<${mark / 1000}s`;
}

/** `signal 11 <1s segfault at #`. */
export function fingerprintOf(exit: Exit): Fingerprint {
  const { how, value, afterStartMs, lastLine } = exit;
  return `${how} ${value} ${stepText(afterStartMs)} ${foldLine(lastLine)}`.trim() as Fingerprint;
}

/** The same fault twice, as far as can be seen. What is not known is never the same. */
export function sameFault(a: Exit, b: Exit): boolean {
  return (
    a.how !== 'unknown' &&
    a.how === b.how &&
    a.value === b.value &&
    Math.abs(stepOf(a.afterStartMs) - stepOf(b.afterStartMs)) <= 1 &&
    foldLine(a.lastLine) === foldLine(b.lastLine)
  );
}

/** How it ended, for people. */
export function exitText({ how, value, lastLine }: Exit): string {
  const end = how === 'unknown' ? 'ended, it is not known how' : `ended with ${how} ${value}`;
  return lastLine === '' ? end : `${end}: ${lastLine}`;
}

/** The evidence for toxic data: the last ends, all alike and all soon after a start. */
export function toxicEvidence(ends: readonly End[], toxic: ToxicSpec): string | undefined {
  const last = ends.slice(-toxic.count);
  const [first] = last;
  if (first === undefined || last.length < toxic.count) return undefined;
  const alike = last.every(
    ({ exit }) => exit.afterStartMs <= toxic.withinMs && sameFault(first.exit, exit),
  );
  if (!alike) return undefined;
  const times = last.map(({ exit }) => `${(exit.afterStartMs / 1000).toFixed(1)} s`).join(', ');
  const { exit } = last.at(-1) ?? first;
  return `${last.length} times the same end, ${times} after the start: ${exitText(exit)}`;
}

/** The times still inside the window that ends now. */
export function within(times: readonly Ms[], now: Ms, withinMs: number): readonly Ms[] {
  return times.every((at) => now - at < withinMs)
    ? times
    : times.filter((at) => now - at < withinMs);
}

/** Notes an end; what is too old or too much to be evidence goes. */
export function noteEnd(service: Service, exit: Exit, now: Ms): Service {
  const { restart } = service.spec;
  const kept = service.ends.filter((end) => now - end.at < restart.withinMs);
  const ends = [...kept, { at: now, exit, fingerprint: fingerprintOf(exit) }].slice(-ENDS_MAX);
  return { ...service, ends, lastExit: exit };
}

export function delayOf(restart: RestartSpec, attempt: number): number {
  return restart.delaysMs[Math.min(attempt, restart.delaysMs.length - 1)] ?? 0;
}
