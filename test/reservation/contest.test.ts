/**
 * Owners and challengers on one disk: a living owner keeps it, a dead one loses it to exactly one, and no
 * write of the loser is accepted once the winner has its proof.
 */
import fc from 'fast-check';
import t from 'tap';
import { backoffMs, challengeOf, challengePolicy } from '../../fencing/reservation/challenge.ts';
import { defendOf, defendPolicy } from '../../fencing/reservation/defend.ts';
import { nexusOf, type Way } from '../fakes/disk/rig.ts';
import { nexusName } from '../fakes/disk/table.ts';
import { key, Play, pathOf, STRANGER } from './play.ts';

const C = 600;
const OWNER = key(1);
const RIVAL = key(2);
const THIRD = key(3);
const A_PATHS = [pathOf('a1'), pathOf('a2')];
const B_PATHS = [pathOf('b1'), pathOf('b2')];
const C_PATHS = [pathOf('c1'), pathOf('c2')];
const DEFENCE = { restoreMs: C - 100, verifyMs: 400 };

function owned(features = {}): Play {
  const play = new Play(features);
  play.register('a1', OWNER, 5);
  play.register('a2', OWNER);
  return play;
}

t.test('a living owner is a life sign: it keeps the disk, the challenger is removed', async (t) => {
  const play = owned();
  const owner = play.join(OWNER, A_PATHS, defendPolicy, defendOf(DEFENCE, play.nowMs));
  const rival = play.join(RIVAL, B_PATHS, challengePolicy, challengeOf(C));
  play.run(5_000);
  t.match(rival.result, { is: 'alive', why: 'our key was removed' });
  t.equal(owner.result, undefined);
  t.strictSame(rival.sent, ['b1: register-ignore']);
  t.strictSame(owner.sent, ['a1: preempt-abort']);
  t.strictSame(play.keys(), [OWNER, OWNER]);
  t.ok(5_000 - owner.machine.memory.provenMs <= 120);
});

t.test('while a foreign key stands nothing is proven', async (t) => {
  const play = owned({ preemptAbort: false });
  const owner = play.join(OWNER, A_PATHS, defendPolicy, defendOf(DEFENCE, play.nowMs));
  play.run(1_200);
  const { provenMs } = owner.machine.memory;
  t.ok(provenMs > 1_000);
  play.register('b1', RIVAL);
  play.run(1_400);
  t.ok(owner.machine.memory.provenMs <= 1_200);
  t.match(owner.machine.memory, { unproven: `challenged by ${RIVAL}`, trouble: /unsupported/u });
  play.run(3_000);
  t.match(owner.result, { is: 'unprovable', why: /challenged by/u });
  t.ok((owner.resultMs ?? 0) - owner.machine.memory.provenMs >= DEFENCE.verifyMs);
  t.ok((owner.resultMs ?? 0) - owner.machine.memory.provenMs < DEFENCE.verifyMs + 120);
});

t.test('a dead owner is taken after the wait, not before', async (t) => {
  const play = owned();
  const rival = play.join(RIVAL, B_PATHS, challengePolicy, challengeOf(C));
  play.run(5_000);
  t.match(rival.result, { is: 'owned' });
  const stands = rival.machine.memory.standsMs ?? Number.NaN;
  t.ok((rival.resultMs ?? 0) - stands >= C);
  t.ok((rival.resultMs ?? 0) - stands < C + 200);
  t.strictSame(rival.sent, ['b1: register-ignore', 'b1: preempt-abort', 'b2: register-ignore']);
  t.strictSame(play.keys(), [RIVAL, RIVAL]);
});

t.test('an empty table is no permission: the wait is the same', async (t) => {
  const play = new Play();
  const rival = play.join(RIVAL, B_PATHS, challengePolicy, challengeOf(C));
  play.run(5_000);
  t.match(rival.result, { is: 'owned' });
  t.ok((rival.resultMs ?? 0) >= 1_000 + C);
});

t.test('a holder that vanishes during the wait begins it anew', async (t) => {
  const play = owned();
  const rival = play.join(RIVAL, B_PATHS, challengePolicy, challengeOf(C));
  play.run(1_000 + C - 100);
  play.target.table.reservation = undefined;
  const goneMs = play.nowMs;
  play.run(5_000);
  t.match(rival.result, { is: 'owned' });
  t.ok((rival.resultMs ?? 0) >= goneMs + C);
});

t.test('another that takes the disk during the wait lives', async (t) => {
  const play = owned();
  const rival = play.join(RIVAL, B_PATHS, challengePolicy, challengeOf(C));
  play.run(1_300);
  play.register('c1', THIRD, 5);
  play.run(5_000);
  t.match(rival.result, { is: 'alive', why: `${THIRD} has taken the disk` });
  t.equal(play.holder(), THIRD);
});

t.test('strangers forbid a challenge before it begins', async (t) => {
  const play = owned();
  play.register('c1', STRANGER);
  const rival = play.join(RIVAL, B_PATHS, challengePolicy, challengeOf(C));
  play.run(5_000);
  t.match(rival.result, { is: 'refused' });
  t.strictSame(rival.sent, []);
});

t.test('the lost reply of a challenge is waited for', async (t) => {
  const play = owned();
  const rival = play.join(RIVAL, B_PATHS, challengePolicy, challengeOf(C));
  while (rival.sent.length === 0) play.run(play.nowMs + 1);
  play.fates.set('b1', 'reply-lost');
  play.run(play.nowMs + 3_000);
  t.equal(rival.result, undefined);
  t.strictSame(rival.sent, ['b1: register-ignore']);
  play.fates.delete('b1');
  rival.tell({ is: 'gone', path: 'b1' });
  play.run(play.nowMs + 3_000);
  t.match(rival.result, { is: 'owned' });
});

/** Delays of single paths, from the choices of a run. */
function slowness(delays: readonly number[]): (way: Way) => number {
  let index = 0;
  return () => {
    index += 1;
    return delays[index % delays.length] ?? 1;
  };
}

t.test('two challengers of a dead owner: exactly one wins, whatever the delays', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 45 }), { minLength: 1, maxLength: 40 }),
      fc.nat(C),
      fc.boolean(),
      (delays, headStartMs, empty) => {
        const play = empty ? new Play() : owned();
        play.delayMs = slowness(delays);
        const one = play.join(RIVAL, B_PATHS, challengePolicy, challengeOf(C));
        play.run(1_000 + headStartMs);
        const two = play.join(THIRD, C_PATHS, challengePolicy, challengeOf(C));
        play.run(60_000);
        const winners = [one, two].filter(({ result }) => result?.is === 'owned');
        const losers = [one, two].filter(
          ({ result }) => result?.is === 'beaten' || result?.is === 'alive',
        );
        return winners.length === 1 && losers.length === 1;
      },
    ),
    { numRuns: 300 },
  );
  t.pass();
});

t.test('a disk that is emptied is restored by an owner whose proof is young', async (t) => {
  const play = owned();
  const owner = play.join(OWNER, A_PATHS, defendPolicy, defendOf(DEFENCE, play.nowMs));
  play.run(1_200);
  play.target.aptpl = false;
  play.target.powerLoss();
  play.run(2_000);
  t.equal(owner.result, undefined);
  t.strictSame(play.keys(), [OWNER, OWNER]);
  t.equal(play.holder(), OWNER);
  t.ok(2_000 - owner.machine.memory.provenMs <= 120);
});

t.test('a disk that is emptied is lost to an owner whose proof is old', async (t) => {
  const play = new Play();
  const times = { restoreMs: 100, verifyMs: 10_000 };
  const owner = play.join(OWNER, A_PATHS, defendPolicy, defendOf(times, play.nowMs - 100));
  play.run(2_000);
  t.match(owner.result, { is: 'lost', why: /the table is empty and the last proof is/u });
  t.strictSame(owner.sent, []);
});

t.test('an emptied disk with a challenger on it is lost', async (t) => {
  const play = new Play();
  play.register('b1', RIVAL);
  const owner = play.join(OWNER, A_PATHS, defendPolicy, defendOf(DEFENCE, play.nowMs));
  play.run(2_000);
  t.match(owner.result, { is: 'lost' });
  t.strictSame(owner.sent, []);
});

t.test('whatever is not ours is lost at once', async (t) => {
  const cases: readonly (readonly [string, (play: Play) => void])[] = [
    ['another holds it', (play) => play.register('b1', RIVAL, 5)],
    ['our key is gone', (play) => play.target.table.registrants.delete(nexusName(nexusOf('a1')))],
    ['another type', (play) => play.register('a1', OWNER, 1)],
  ];
  for (const [name, spoil] of cases) {
    const play = new Play();
    play.register('a1', OWNER, 5);
    const owner = play.join(OWNER, [pathOf('a1')], defendPolicy, defendOf(DEFENCE, play.nowMs));
    play.run(1_200);
    spoil(play);
    const spoiltMs = play.nowMs;
    play.run(3_000);
    t.equal(owner.result?.is, 'lost', name);
    t.ok((owner.resultMs ?? 0) - spoiltMs < 150, `${name}: at once`);
  }
});

t.test('a path that comes back is registered before it counts', async (t) => {
  for (const known of [true, false]) {
    const play = owned();
    play.target.aptpl = true;
    const paths = [pathOf('a1', known), pathOf('a2', known)];
    const owner = play.join(OWNER, paths, defendPolicy, defendOf(DEFENCE, play.nowMs));
    play.run(1_300);
    play.target.table.registrants.delete(nexusName(nexusOf('a2')));
    play.run(2_000);
    t.equal(owner.result, undefined);
    t.strictSame(play.keys(), [OWNER, OWNER], known ? 'by full status' : 'by a conflict');
    t.ok(play.target.aptpl, 'no registration was sent without the bit');
    t.ok(2_000 - owner.machine.memory.provenMs <= 250);
  }
});

t.test('a stranger is told of, not touched, and no proof is given', async (t) => {
  const play = owned();
  const owner = play.join(OWNER, A_PATHS, defendPolicy, defendOf(DEFENCE, play.nowMs));
  play.run(1_200);
  play.register('c1', STRANGER);
  play.run(1_500);
  t.match(owner.machine.memory, { unproven: /strangers: 00c2000100000001/u });
  t.strictSame(owner.sent, []);
  play.run(3_000);
  t.match(owner.result, { is: 'unprovable' });
});

t.test('all paths stuck: unprovable when its time is over', async (t) => {
  const play = owned();
  const owner = play.join(OWNER, A_PATHS, defendPolicy, defendOf(DEFENCE, play.nowMs));
  play.run(1_500);
  play.fates.set('a1', 'held');
  play.fates.set('a2', 'held');
  play.run(5_000);
  t.match(owner.result, { is: 'unprovable', why: /not proven for 4\d\d ms/u });
});

t.test('one stuck path: proofs go on by the other', async (t) => {
  const play = owned();
  const owner = play.join(OWNER, A_PATHS, defendPolicy, defendOf(DEFENCE, play.nowMs));
  play.run(1_500);
  play.fates.set('a1', 'held');
  play.run(6_000);
  t.equal(owner.result, undefined);
  t.ok(6_000 - owner.machine.memory.provenMs <= 200);
});

t.test(
  'an ejection that blocks does not stop the looks, and nothing is proven meanwhile',
  async (t) => {
    const play = owned();
    const times = { restoreMs: C, verifyMs: 100_000 };
    const owner = play.join(OWNER, A_PATHS, defendPolicy, defendOf(times, play.nowMs));
    play.run(1_200);
    play.register('b1', RIVAL);
    while (owner.sent.length === 0) play.run(play.nowMs + 1);
    play.fates.set('a1', 'held');
    const proven = owner.machine.memory.provenMs;
    play.run(play.nowMs + 3_000);
    t.strictSame(owner.sent, ['a1: preempt-abort'], 'once');
    t.ok((owner.machine.table?.atMs ?? 0) > proven + 2_000, 'looks go on by a2');
    t.equal(owner.machine.memory.provenMs, proven);
    play.fates.delete('a1');
    play.letGo('a1');
    play.run(play.nowMs + 500);
    t.ok(owner.machine.memory.provenMs > proven);
  },
);

t.test("no write of the loser lands after the winner's proof", async (t) => {
  let landed = 0;
  for (let round = 0; round < 50; round += 1) {
    const play = owned();
    for (const way of ['a1', 'a2'] as const) play.target.slow.add(nexusName(nexusOf(way)));
    play.delayMs = slowness([1 + (round % 7), 3, 1 + (round % 11), 8]);
    const rival = play.join(RIVAL, B_PATHS, challengePolicy, challengeOf(C));
    // The node hangs, but what it had queued and what its disks still send goes on.
    for (let ms = 1_000; ms < 4_000; ms += 5) {
      play.at(ms, () => play.write(ms % 2 === 0 ? 'a1' : 'a2', 1));
    }
    play.run(3_000);
    if (rival.result?.is !== 'owned') throw new Error(`round ${round}: ${rival.result?.is}`);
    const before = play.target.log.length;
    landed += before;
    play.run(9_000);
    t.equal(play.target.log.length, before, `round ${round}`);
  }
  t.ok(landed > 50, 'some landed before it');
});

t.test('and does where the disk forgets to abort: the play can tell', async (t) => {
  const play = owned({ abortForgets: true });
  play.target.slow.add(nexusName(nexusOf('a1')));
  const rival = play.join(RIVAL, B_PATHS, challengePolicy, challengeOf(C));
  while (!rival.sent.some((sent) => sent.endsWith('preempt-abort'))) {
    play.write('a1', 1);
    play.run(play.nowMs + 1);
  }
  while (rival.result === undefined) play.run(play.nowMs + 1);
  const before = play.target.log.length;
  play.target.tick(50);
  t.ok(play.target.log.length > before);
});

t.test('a living owner is left alone longer each time, and no two keep in step', async (t) => {
  const waits = [1, 2, 3, 9].map((tries) => backoffMs(C, tries, RIVAL));
  for (const [index, base] of [6_000, 12_000, 24_000, 60_000].entries()) {
    const wait = waits[index] ?? 0;
    t.ok(wait >= base * 0.75 && wait <= base * 1.25, `${wait} of ${base}`);
  }
  t.not(backoffMs(C, 1, RIVAL), backoffMs(C, 1, THIRD));
  t.equal(backoffMs(C, 3, RIVAL), backoffMs(C, 3, RIVAL));
});
