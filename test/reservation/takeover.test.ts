/** Several disks of one hierarchy: all or none, the first one decides. */
import t from 'tap';
import { answerOf, type Completion } from '../../fencing/reservation/answer.ts';
import type { Input } from '../../fencing/reservation/machine.ts';
import { isWrite } from '../../fencing/reservation/request.ts';
import { beginTakeover, stepTakeover, type Takeover } from '../../fencing/reservation/takeover.ts';
import { Rig, type Way } from '../fakes/disk/rig.ts';
import { key, pathOf, STRANGER, TIMES } from './play.ts';

const OWNER = key(1);
const RIVAL = key(2);
const C = 600;
const NAMES = ['d1', 'd2', 'd3'] as const;

async function ownedRig(): Promise<Rig> {
  const rig = new Rig({});
  for (const way of ['a1', 'a2'] as const) {
    await rig.send(way, { ask: 'register-ignore', next: OWNER });
  }
  await rig.send('a1', { ask: 'reserve', own: OWNER, type: 'write-exclusive-registrants' });
  return rig;
}

interface Taken {
  readonly takeover: Takeover;
  /** PR OUTs in order, as `disk action`. */
  readonly sent: readonly string[];
  readonly tookMs: number;
}

/** Plays a takeover by node b; `spoil` may change the world before each step. */
async function play(
  rigs: Readonly<Record<string, Rig>>,
  spoil: (takeover: Takeover, nowMs: number) => Promise<void> | void = () => undefined,
): Promise<Taken> {
  const options = {
    self: { key: RIVAL, aptpl: true },
    times: TIMES,
    waitMs: C,
    readableMs: 300,
  };
  const disks = NAMES.map((wwid) => ({ wwid, paths: [pathOf('b1'), pathOf('b2')] }));
  const sent: string[] = [];
  let takeover = beginTakeover(disks, options, 0);
  let nowMs = 0;
  const inputs: Input[] = [];
  while (takeover.result === undefined && nowMs < 20_000) {
    await spoil(takeover, nowMs);
    const input = inputs.shift() ?? { is: 'tick' as const };
    const turn = stepTakeover(takeover, nowMs, input);
    takeover = structuredClone(turn.takeover);
    for (const { id, path, request } of turn.asks) {
      if (isWrite(request)) sent.push(`${turn.wwid} ${request.ask}`);
      const lost: Completion = { kind: 'unsent', why: 'no such disk' };
      const completion = (await rigs[turn.wwid]?.send(path as Way, request)) ?? lost;
      inputs.push({ is: 'answer', id, answer: answerOf(request, completion) });
    }
    if (inputs.length === 0) nowMs += 10;
  }
  return { takeover, sent, tookMs: nowMs };
}

function keysOf(rig: Rig | undefined): readonly string[] {
  return [...(rig?.target.table.registrants.values() ?? [])].map((one) => one.key);
}

t.test('all disks of a dead owner are taken, the first one after the wait', async (t) => {
  const rigs = { d1: await ownedRig(), d2: await ownedRig(), d3: await ownedRig() };
  const { takeover, sent, tookMs } = await play(rigs);
  t.match(takeover.result, { is: 'owned' });
  t.ok(tookMs >= C);
  t.equal(sent[0], 'd1 register-ignore');
  t.strictSame(
    sent.filter((one) => one.endsWith('preempt-abort')),
    ['d1 preempt-abort', 'd2 preempt-abort', 'd3 preempt-abort'],
  );
  for (const rig of Object.values(rigs)) t.strictSame(keysOf(rig), [RIVAL, RIVAL]);
});

t.test('before all can be read nothing is registered', async (t) => {
  const rigs = { d1: await ownedRig(), d2: await ownedRig() };
  const { takeover, sent } = await play(rigs);
  t.match(takeover.result, { is: 'refused', why: /d3 cannot be read/u });
  t.strictSame(sent, []);
});

t.test('a living owner: nothing of the other disks is touched', async (t) => {
  const rigs = { d1: await ownedRig(), d2: await ownedRig(), d3: await ownedRig() };
  const { takeover, sent } = await play(rigs, async (_takeover, nowMs) => {
    if (nowMs < 200 || !keysOf(rigs.d1).includes(RIVAL)) return;
    const victim = { victim: RIVAL, type: 'write-exclusive-registrants' } as const;
    await rigs.d1.send('a1', { ask: 'preempt-abort', own: OWNER, ...victim });
  });
  t.match(takeover.result, { is: 'alive', why: 'our key was removed' });
  t.strictSame(sent, ['d1 register-ignore']);
  t.strictSame(keysOf(rigs.d2), [OWNER, OWNER]);
});

t.test('one disk is refused: all that was taken is given back, the last first', async (t) => {
  const rigs = { d1: await ownedRig(), d2: await ownedRig(), d3: await ownedRig() };
  await rigs.d3.send('c1', { ask: 'register-ignore', next: STRANGER });
  const { takeover, sent } = await play(rigs);
  t.match(takeover.result, { is: 'refused', why: /strangers/u });
  t.strictSame(keysOf(rigs.d1), []);
  t.strictSame(keysOf(rigs.d2), []);
  t.strictSame(keysOf(rigs.d3), [OWNER, OWNER, STRANGER], 'untouched');
  const given = sent.filter((one) => one.endsWith(' release'));
  t.strictSame(given, ['d2 release', 'd1 release']);
});

t.test('a further disk that another holds is asked as well: its holder lives', async (t) => {
  const rigs = { d1: await ownedRig(), d2: new Rig({}), d3: await ownedRig() };
  await rigs.d2.send('c1', { ask: 'register-ignore', next: key(3) });
  const type = 'write-exclusive-registrants';
  await rigs.d2.send('c1', { ask: 'reserve', own: key(3), type });
  const { takeover } = await play(rigs, async ({ at, phase }) => {
    const stands = phase.is === 'challenge' && phase.machine.memory.standsMs !== undefined;
    if (at !== 1 || !stands || !keysOf(rigs.d2).includes(RIVAL)) return;
    await rigs.d2.send('c1', { ask: 'preempt-abort', own: key(3), victim: RIVAL, type });
  });
  t.match(takeover.result, { is: 'alive', why: 'our key was removed' });
  t.strictSame(keysOf(rigs.d1), []);
  t.strictSame(keysOf(rigs.d2), [key(3)]);
});

t.test(
  'disks divided by a lost table: the silent holder of a further one is waited for',
  async (t) => {
    const rigs = { d1: new Rig({}), d2: await ownedRig(), d3: await ownedRig() };
    const { takeover, tookMs } = await play(rigs);
    t.match(takeover.result, { is: 'owned' });
    t.ok(tookMs >= 3 * C, 'each of the three was asked for the whole wait');
    for (const rig of Object.values(rigs)) t.strictSame(keysOf(rig), [RIVAL, RIVAL]);
  },
);

t.test('the age of ownership is that of the oldest proof', async (t) => {
  const rigs = { d1: await ownedRig(), d2: await ownedRig(), d3: await ownedRig() };
  let first = 0;
  const { takeover } = await play(rigs, (one, nowMs) => {
    if (one.at === 0) first = nowMs;
  });
  if (takeover.result?.is !== 'owned') throw new Error('not owned');
  t.ok(takeover.result.atMs <= first);
});
