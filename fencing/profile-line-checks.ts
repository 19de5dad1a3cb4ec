/**
 * What may not be in the profile of a device that talks in lines: patterns that cannot be read, orders
 * that name no outlet, rows that do not tell what they must.
 */
import { readPattern } from './pattern.ts';
import type { LineProfile, Profile, StatusQuery, Step } from './profile.ts';
import { type Place, reviewValues, type Say } from './profile-findings.ts';
import { wordsOf } from './template.ts';

const SENT_WORDS = ['outlet', 'user', 'password'];

function reviewPattern(say: Say, path: Place, source: string): void {
  const pattern = readPattern(source);
  if (typeof pattern === 'string') say(path, pattern, 'see docs/switches.md, patterns');
}

function reviewSent(say: Say, path: Place, text: string): void {
  for (const word of wordsOf(text)) {
    if (!SENT_WORDS.includes(word)) {
      say(path, `{${word}} is not known`, `write one of {${SENT_WORDS.join('} {')}}`);
    }
  }
}

function reviewSteps(say: Say, path: Place, steps: readonly Step[]): void {
  for (const [at, step] of steps.entries()) {
    const here = [...path, at];
    if ('send' in step) reviewSent(say, [...here, 'send'], step.send);
    if ('bytes' in step) reviewSent(say, [...here, 'bytes'], step.bytes);
    if (!('until' in step)) continue;
    for (const [index, see] of step.until.entries()) {
      reviewPattern(say, [...here, 'until', index], see);
    }
    for (const [index, one] of (step.answer ?? []).entries()) {
      const place = [...here, 'answer', index];
      reviewPattern(say, [...place, 'see'], one.see);
      reviewSent(say, place, one.send ?? one.bytes ?? '');
      if ((one.send === undefined) === (one.bytes === undefined)) {
        say(place, 'needs either send or bytes', "write send: ''");
      }
    }
  }
}

function namesOutlet(steps: readonly Step[]): boolean {
  return steps.some(
    (step) =>
      ('send' in step && wordsOf(step.send).includes('outlet')) ||
      ('bytes' in step && wordsOf(step.bytes).includes('outlet')),
  );
}

/** An order must name its outlet and be followed to its end. */
function reviewOrder(say: Say, path: Place, steps: readonly Step[], single: boolean): void {
  reviewSteps(say, path, steps);
  if (!namesOutlet(steps) && !single) {
    say(path, 'no step names {outlet}', 'put {outlet} into the command');
  }
}

/** How states are read: by patterns that tell everything they must. */
function reviewStatus(say: Say, status: StatusQuery, single: boolean): void {
  reviewSteps(say, ['line', 'status', 'steps'], status.steps);
  reviewValues(say, ['line', 'status', 'values'], status.values);
  if ((status.rows === undefined) === (status.columns === undefined)) {
    say(['line', 'status'], 'needs either rows or columns', 'say how a state is read');
  }
  if (status.perOutlet === true && !single && !namesOutlet(status.steps)) {
    say(['line', 'status', 'steps'], 'no step names {outlet}', 'put {outlet} into the question');
  }
  for (const [at, row] of (status.rows ?? []).entries()) {
    const path = ['line', 'status', 'rows', at];
    reviewPattern(say, path, row);
    const words = wordsOf(row);
    if (!words.includes('state') && !words.includes('rest')) {
      say(path, 'tells no {state}', 'put {state} where it stands');
    }
    const named = words.includes('outlet') || words.includes('one');
    if (!named && status.perOutlet !== true && !single) {
      say(path, 'tells no {outlet}', 'put {outlet} where it stands, or ask for each outlet');
    }
    if (words.includes('lock') && status.lock === undefined) {
      say(path, 'nothing says what {lock} means', 'add lock: {free: [...], locked: [...]}');
    }
  }
}

export function reviewLine(say: Say, profile: LineProfile, proof: Profile['proof']): void {
  const { outlets, status } = profile;
  const { first = 1, last = 1, letters } = outlets;
  const single = letters === undefined && first === last;
  if (letters === undefined && last < first) {
    say(['line', 'outlets', 'last'], `is below ${first}`, 'swap them');
  }
  if (profile.over.includes('serial') && profile.serial === undefined) {
    say(['line', 'over'], 'serial needs its settings', "add 'serial: {baud: 9600, ...}'");
  }
  for (const key of ['open', 'login', 'logout'] as const) {
    reviewSteps(say, ['line', key], profile[key] ?? []);
  }
  reviewOrder(say, ['line', 'off'], profile.off, single);
  reviewOrder(say, ['line', 'on'], profile.on, single);
  if (JSON.stringify(profile.off) === JSON.stringify(profile.on)) {
    say(['line', 'on'], 'is the same order as off', 'check both');
  }
  for (const [at, { see }] of (profile.errors ?? []).entries()) {
    reviewPattern(say, ['line', 'errors', at, 'see'], see);
  }
  if (status === undefined) {
    if (proof === 'none') return;
    say(['line'], 'nothing proves off', "add status, or say 'proof: none' at the top");
    return;
  }
  reviewStatus(say, status, single);
}
