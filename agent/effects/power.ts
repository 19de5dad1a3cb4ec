/**
 * Sheds power and takes it back: writes what `power-knobs.ts` planned, reads each file back, and says what
 * was seen. A value that somebody changed meanwhile is theirs and stays. One at a time: drivers may take
 * long over a write, and one that never returns is not joined by a second.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ActionId, Outcome } from '../../rules/decision.ts';
import type { PowerKnob } from '../../rules/rule.ts';
import { errnoOf } from '../ports/errno.ts';
import { isInForce, planShed, readWord, type Turn } from './power-knobs.ts';
import { type Changes, changeOf, changeText, type Notes } from './power-notes.ts';

export interface Power {
  readonly shed: (action: ActionId, knobs: readonly PowerKnob[]) => Promise<Outcome>;
  /** `before` of the outcome of `action`; without it what was noted is used. */
  readonly restore: (action: ActionId, before: Changes) => Promise<Outcome>;
  /** What a former life of the agent left written for this action; undefined when there is nothing. */
  readonly adopt: (action: ActionId) => Promise<Outcome | undefined>;
  /** Actions that left something written. */
  readonly noted: () => readonly ActionId[];
}

const NAMED_MAX = 5;

/** A list that names the first few. */
function named(items: readonly string[]): string {
  const shown = items.slice(0, NAMED_MAX).join('; ');
  return items.length > NAMED_MAX ? `${shown}; and ${items.length - NAMED_MAX} more` : shown;
}

function files(count: number): string {
  return `${count} file${count === 1 ? '' : 's'}`;
}

/** Writes an attribute in one piece, as sysfs wants it. Undefined when it was taken; else the errno. */
async function writeWord(path: string, text: string): Promise<string | undefined> {
  try {
    // Never makes a file: below sysfs there is none to make, elsewhere it would be a mistake.
    const file = await open(path, constants.O_WRONLY | constants.O_TRUNC);
    try {
      await file.write(text);
    } finally {
      await file.close();
    }
    return undefined;
  } catch (error) {
    return errnoOf(error);
  }
}

/** `refused`: nothing was written. `unlike`: it was taken, and what reads back is something else. */
type Turned =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'unlike'; readonly why: string; readonly seen: string };

/** Writes and reads back. */
async function turn(sys: string, { path, wanted }: Pick<Turn, 'path' | 'wanted'>): Promise<Turned> {
  const refused = await writeWord(join(sys, path), wanted);
  if (refused !== undefined) {
    return { kind: 'refused', why: `${path} refuses ${wanted} (${refused})` };
  }
  const now = await readWord(join(sys, path));
  if ('errno' in now) {
    const why = `${path} took ${wanted} and cannot be read back (${now.errno})`;
    return { kind: 'unlike', why, seen: wanted };
  }
  if (isInForce({ path, wanted }, now.text)) return { kind: 'done' };
  return { kind: 'unlike', why: `${path} took ${wanted} and reads ${now.text}`, seen: now.text };
}

/** `left`: somebody else's value by now. `back`: restored, or never written. */
type Restored = { readonly kind: 'back' | 'left' | 'failed'; readonly why: string };

async function turnBack(sys: string, path: string, change: string): Promise<Restored> {
  const { before, written } = changeOf(change) ?? { before: '', written: '' };
  const now = await readWord(join(sys, path));
  if ('errno' in now) return { kind: 'failed', why: `${path} cannot be read (${now.errno})` };
  if (isInForce({ path, wanted: before }, now.text)) return { kind: 'back', why: '' };
  if (!isInForce({ path, wanted: written }, now.text)) {
    return { kind: 'left', why: `${path} is ${now.text} by another hand` };
  }
  const turned = await turn(sys, { path, wanted: before });
  return turned.kind === 'done' ? { kind: 'back', why: '' } : { kind: 'failed', why: turned.why };
}

async function turnAllBack(
  sys: string,
  changes: Changes,
): Promise<Readonly<Record<Restored['kind'], readonly string[]>>> {
  const all: Record<Restored['kind'], string[]> = { back: [], left: [], failed: [] };
  // The latest first: a preference is given back while its governor still allows it.
  for (const [path, change] of Object.entries(changes).toReversed()) {
    const { kind, why } = await turnBack(sys, path, change);
    all[kind].push(why);
  }
  return all;
}

async function shed(
  sys: string,
  action: ActionId,
  knobs: readonly PowerKnob[],
  notes: Notes,
): Promise<Outcome> {
  const { turns, already, notes: remarks } = await planShed(sys, knobs);
  if (turns.length === 0) {
    const said = remarks.length === 0 ? '' : `; ${named(remarks)}`;
    return already > 0
      ? { result: 'verified', evidence: `${files(already)} drew the least on offer already${said}` }
      : { result: 'refuted', evidence: `nothing to turn down: ${named(remarks)}` };
  }
  const planned = turns.map((one) => [one.path, changeText(one.before, one.wanted)] as const);
  notes.put(action, Object.fromEntries(planned));
  const done: Record<string, string> = {};
  const failed: string[] = [];
  for (const one of turns) {
    const turned = await turn(sys, one);
    if (turned.kind !== 'done') failed.push(turned.why);
    // What reads something else may have changed all the same: it is given back with the others.
    const written = turned.kind === 'unlike' ? turned.seen : one.wanted;
    if (turned.kind !== 'refused') done[one.path] = changeText(one.before, written);
  }
  notes.put(action, done);
  const taken = turns.length - failed.length;
  const rest = [...failed, ...remarks];
  if (taken > 0) {
    const said = rest.length === 0 ? '' : `, but ${named(rest)}`;
    const evidence = `${files(taken)} written and read back${said}`;
    return { result: 'verified', evidence, before: done };
  }
  const { failed: stuck } = await turnAllBack(sys, done);
  if (stuck.length === 0) notes.drop(action);
  return { result: 'refuted', evidence: named([...failed, ...stuck, ...remarks]) };
}

async function restore(
  sys: string,
  action: ActionId,
  before: Changes,
  notes: Notes,
): Promise<Outcome> {
  const changes = Object.keys(before).length > 0 ? before : (notes.all().get(action) ?? {});
  const { back, left, failed } = await turnAllBack(sys, changes);
  if (failed.length > 0) return { result: 'refuted', evidence: named([...failed, ...left]) };
  notes.drop(action);
  const count = back.length + left.length;
  if (count === 0) return { result: 'verified', evidence: 'there was nothing to give back' };
  const said = left.length === 0 ? '' : `; left alone: ${named(left)}`;
  return { result: 'verified', evidence: `${files(back.length)} as before${said}` };
}

export function openPower(sys: string, notes: Notes): Power {
  let last: Promise<unknown> = Promise.resolve();
  /** One after another, whoever asks. */
  function inTurn(work: () => Promise<Outcome>): Promise<Outcome> {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  }

  return {
    shed: (action, knobs) => inTurn(() => shed(sys, action, knobs, notes)),
    restore: (action, before) => inTurn(() => restore(sys, action, before, notes)),
    adopt: async (action) => {
      const changes = notes.all().get(action);
      if (changes === undefined) return undefined;
      const count = Object.keys(changes).length;
      const evidence = `left by the agent that ended meanwhile: ${files(count)} to give back`;
      return { result: 'verified', evidence, before: changes };
    },
    noted: () => [...notes.all().keys()],
  };
}
