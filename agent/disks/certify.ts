/**
 * Runs the list of `certify` on a disk by two of its paths, and says of each check what was seen. It
 * writes: to the table of registrations, and to the last block of the disk, which it puts back. Whether it
 * may is decided by whoever calls it; the table must be empty before.
 */
import {
  type Answer,
  answerOf,
  answerText,
  type Completion,
} from '../../fencing/reservation/answer.ts';
import { CHECKS, type Verdict } from '../../fencing/reservation/certify.ts';
import {
  A,
  type Check,
  type Event,
  type Expectation,
  FIVE,
  mismatch,
  type Step,
  stepText,
  type Touch,
  type Who,
} from '../../fencing/reservation/certify-step.ts';
import type { Request } from '../../fencing/reservation/request.ts';

/** Where the steps are carried out: a disk by two ways, and what can be done to it there. */
export interface Stand {
  readonly send: (by: Who, request: Request) => Promise<Completion>;
  /** Like `send`, for writes that shall be under way while other commands are sent. */
  readonly begin: (by: Who, request: Request) => Promise<Completion>;
  /** Causes an event; false where it cannot be caused here. */
  readonly event: (event: Event, by: Who) => Promise<boolean>;
  readonly pause: (ms: number) => Promise<void>;
  /** The disk may be formatted. */
  readonly expendable: boolean;
}

const TRIES_MAX = 6;
const BUSY_PAUSE_MS = 100;
/** Less than the 16 commands that sg takes on one descriptor. */
const FLIGHTS = 12;
const SETTLE_MS = 200;

interface Disk {
  readonly lba: number;
  /** What stood in the last block; it is written again and again, and left there. */
  readonly block: Uint8Array;
}

interface Run {
  readonly stand: Stand;
  readonly disk: Disk;
  generation: number;
  flights: Promise<Completion>[];
  /** What is worth telling of a check that passed. */
  readonly notes: string[];
}

/** Where an attention is an answer, and no reason to ask again. */
const ONE_LOOK: ReadonlySet<Expectation['is']> = new Set(['attention', 'hint', 'any']);

/** Why a check ends before its last step. */
class Untested extends Error {}

/** One request, again where the disk first wanted attention or was busy. */
async function ask(stand: Stand, by: Who, request: Request, attention: boolean): Promise<Answer> {
  let answer: Answer = { is: 'unsent', why: 'not tried' };
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    answer = answerOf(request, await stand.send(by, request));
    if (answer.is === 'busy') await stand.pause(BUSY_PAUSE_MS);
    else if (answer.is !== 'attention' || attention) return answer;
  }
  return answer;
}

function touchRequest({ lba, block }: Disk, touch: Touch): Request {
  switch (touch) {
    case 'read':
      return { ask: 'read', lba, blockBytes: block.length };
    case 'write':
    case 'write-same':
      return { ask: touch, lba, block };
    case 'compare-write':
      return { ask: touch, lba, compare: block, block };
    case 'unmap':
      return { ask: touch, lba };
    case 'format':
    case 'inquiry':
    case 'ready':
    case 'capacity':
    case 'luns':
      return { ask: touch };
  }
}

async function expect(run: Run, by: Who, request: Request, see: Expectation): Promise<void> {
  const answer = await ask(run.stand, by, request, ONE_LOOK.has(see.is));
  if (answer.is === 'wrong-disk' || answer.is === 'unsent') throw new Untested(answer.why);
  const wrong = mismatch(answer, see);
  if (wrong !== undefined) throw new Error(wrong);
  if (see.is === 'hint' && (answer.is !== 'attention' || answer.cause !== see.cause)) {
    run.notes.push(`${by} was told ${answer.is === 'good' ? 'nothing' : answerText(answer)}`);
  }
  // What differs from the standard without harm is worth a word.
  if (see.is === 'refused' || see.is === 'barred') {
    if (answer.is !== 'conflict') run.notes.push(`${request.ask}: ${answerText(answer)}`);
  }
}

async function generation(run: Run, grown: number | 'note'): Promise<void> {
  const answer = await ask(run.stand, 'a', { ask: 'keys' }, false);
  if (answer.is !== 'good' || answer.reply.of !== 'keys') throw new Error(answerText(answer));
  const { generation: now } = answer.reply;
  const before = run.generation;
  run.generation = now;
  if (grown !== 'note' && now - before !== grown) {
    throw new Error(`grew by ${now - before} instead of ${grown}`);
  }
}

/** Writes that differ from each other and from what stands there. */
function fly(run: Run, by: Who): void {
  const { lba, block } = run.disk;
  run.flights = Array.from({ length: FLIGHTS }, (_, index) => {
    const stamped = Uint8Array.from(block, (byte) => byte ^ (index + 1));
    return run.stand.begin(by, { ask: 'write', lba, block: stamped });
  });
}

async function contents(run: Run): Promise<string> {
  const answer = await ask(run.stand, 'a', touchRequest(run.disk, 'read'), false);
  if (answer.is !== 'good' || answer.reply.of !== 'data') throw new Error(answerText(answer));
  return Buffer.from(answer.reply.data).toString('hex');
}

async function land(run: Run): Promise<void> {
  const before = await contents(run);
  await run.stand.pause(SETTLE_MS);
  const { block, lba } = run.disk;
  const ended = (await Promise.all(run.flights)).map((completion) =>
    answerOf({ ask: 'write', lba, block }, completion),
  );
  run.flights = [];
  const after = await contents(run);
  const landed = ended.filter(({ is }) => is === 'good').length;
  await ask(run.stand, 'a', { ask: 'write', lba, block }, false);
  if (before !== after) throw new Error('a write of the loser landed after it had returned');
  run.notes.push(`${landed} of ${ended.length} writes landed before it, the others never`);
}

async function step(run: Run, one: Step): Promise<void> {
  switch (one.do) {
    case 'send':
      return expect(run, one.by, one.request, one.see);
    case 'touch':
      // A disk that let it through would be empty then.
      if (one.touch === 'format' && !run.stand.expendable) {
        run.notes.push('FORMAT was not tried');
        return;
      }
      return expect(run, one.by, touchRequest(run.disk, one.touch), one.see);
    case 'fly':
      fly(run, one.by);
      return;
    case 'land':
      return land(run);
    case 'event':
      if (await run.stand.event(one.event, one.by)) return;
      throw new Untested(`${one.event} cannot be caused from here`);
    case 'generation':
      return generation(run, one.grown);
  }
}

/** No registrations, no reservation, nobody waiting to be told. */
async function clean(stand: Stand): Promise<void> {
  await ask(stand, 'a', { ask: 'register-ignore', next: A }, false);
  const cleared = await ask(stand, 'a', { ask: 'clear', own: A }, false);
  if (cleared.is !== 'good') throw new Error(`cannot clear: ${answerText(cleared)}`);
  for (const by of ['a', 'b'] as const) await ask(stand, by, { ask: 'ready' }, false);
}

async function verdictOf(stand: Stand, disk: Disk, check: Check): Promise<Verdict> {
  const run: Run = { stand, disk, generation: 0, flights: [], notes: [] };
  let at = 'before it';
  let index = 0;
  try {
    await clean(stand);
    for (const one of check.steps) {
      index += 1;
      at = `step ${index} (${stepText(one)})`;
      await step(run, one);
    }
    return { check, is: 'passed', seen: run.notes.join('; ') || `${index} steps` };
  } catch (error) {
    if (run.flights.length > 0) await stand.pause(SETTLE_MS);
    await Promise.allSettled(run.flights);
    const { message } = error as Error;
    if (error instanceof Untested) return { check, is: 'untested', seen: message };
    return { check, is: 'failed', seen: `${at}: ${message}` };
  }
}

/** The last block and what stands in it. */
async function diskOf(stand: Stand): Promise<Disk> {
  const capacity = await ask(stand, 'a', { ask: 'capacity' }, false);
  if (capacity.is !== 'good' || capacity.reply.of !== 'data' || capacity.reply.data.length < 8) {
    throw new Error(`the size of the disk is not to be had: ${answerText(capacity)}`);
  }
  const data = Buffer.from(capacity.reply.data);
  // A disk beyond 2 TiB answers the greatest number: its last block within reach is taken.
  const lba = Math.min(data.readUInt32BE(0), 0xffff_fffe);
  const request: Request = { ask: 'read', lba, blockBytes: data.readUInt32BE(4) };
  const read = await ask(stand, 'a', request, false);
  if (read.is !== 'good' || read.reply.of !== 'data') {
    throw new Error(`its last block cannot be read: ${answerText(read)}`);
  }
  return { lba, block: read.reply.data };
}

/**
 * Whether a disk tells the two ways apart at all: one is registered and holds, the other writes. LIO lets
 * all sessions of one initiator write when one of them is registered; then a second node is needed.
 */
export async function tellsApart(stand: Stand): Promise<boolean> {
  const { lba, block } = await diskOf(stand);
  await clean(stand);
  try {
    await ask(stand, 'a', { ask: 'register-ignore', next: A }, false);
    await ask(stand, 'a', { ask: 'reserve', own: A, type: FIVE }, false);
    return (await ask(stand, 'b', { ask: 'write', lba, block }, false)).is === 'conflict';
  } finally {
    await clean(stand);
  }
}

/**
 * All checks, or those of the given numbers, in order; `onVerdict` hears of each as it is known. Rejects
 * when the disk cannot be tested at all.
 */
export async function certify(
  stand: Stand,
  onVerdict: (verdict: Verdict) => void = () => undefined,
  numbers: readonly number[] = CHECKS.map(({ number }) => number),
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  const disk = await diskOf(stand);
  try {
    for (const check of CHECKS.filter(({ number }) => numbers.includes(number))) {
      const verdict = await verdictOf(stand, disk, check);
      verdicts.push(verdict);
      onVerdict(verdict);
    }
  } finally {
    const { lba, block } = disk;
    await clean(stand).catch(() => undefined);
    await ask(stand, 'a', { ask: 'write', lba, block }, false);
  }
  return verdicts;
}
