/** Taking and giving back a disk: on free ones, foreign ones, and with answers that are lost or late. */
import t from 'tap';
import { claimOf, claimPolicy } from '../../fencing/reservation/claim.ts';
import { defendOf, defendPolicy } from '../../fencing/reservation/defend.ts';
import { releaseOf, releasePolicy } from '../../fencing/reservation/release.ts';
import { key, Play, pathOf, STRANGER } from './play.ts';

const OWN = key(1);
const PEER = key(2);
const NEVER = { restoreMs: 1_000, verifyMs: 1_000_000 };
const A_PATHS = [pathOf('a1'), pathOf('a2')];

t.test('a free disk: registered, reserved, proven, then the other path', async (t) => {
  const play = new Play();
  const one = play.join(OWN, A_PATHS, claimPolicy, claimOf(undefined));
  play.run(2_000);
  t.match(one.result, { is: 'owned' });
  t.strictSame(one.sent, ['a1: register-ignore', 'a1: reserve', 'a2: register-ignore']);
  t.strictSame(play.keys(), [OWN, OWN]);
  t.equal(play.holder(), OWN);
  t.equal(play.target.table.reservation?.type, 5);
  t.ok(play.target.aptpl);
});

t.test('the proof is as old as the sending of its reads', async (t) => {
  const play = new Play();
  play.delayMs = () => 20;
  const one = play.join(OWN, A_PATHS, claimPolicy, claimOf(undefined));
  play.run(3_000);
  if (one.result?.is !== 'owned') throw new Error('not owned');
  t.ok((one.resultMs ?? 0) - one.result.atMs >= 40, 'there and back');
});

t.test('the holder may be preempted only if it is the one named', async (t) => {
  const play = new Play();
  play.register('b1', PEER, 5);
  const one = play.join(OWN, A_PATHS, claimPolicy, claimOf(undefined));
  const other = new Play();
  other.register('b1', PEER, 5);
  other.register('b2', PEER);
  const two = other.join(OWN, A_PATHS, claimPolicy, claimOf(PEER));
  play.run(2_000);
  other.run(2_000);
  t.match(one.result, { is: 'beaten', why: `held by ${PEER}` });
  t.strictSame(one.sent, []);
  t.match(two.result, { is: 'owned' });
  t.strictSame(two.sent, ['a1: register-ignore', 'a1: preempt-abort', 'a2: register-ignore']);
  t.strictSame(other.keys(), [OWN, OWN]);
});

t.test(
  'keys of the cluster without a reservation are removed, each by its own order',
  async (t) => {
    const play = new Play();
    play.register('b1', PEER);
    play.register('c1', key(1, 7));
    const one = play.join(OWN, A_PATHS, claimPolicy, claimOf(undefined));
    play.run(2_000);
    t.match(one.result, { is: 'owned' });
    t.equal(one.sent.filter((sent) => sent.endsWith('preempt-abort')).length, 2);
    t.strictSame(play.keys(), [OWN, OWN]);
  },
);

t.test('strangers forbid it, and are not touched', async (t) => {
  for (const type of [undefined, 5, 1]) {
    const play = new Play();
    play.register('b1', STRANGER, type);
    const one = play.join(OWN, A_PATHS, claimPolicy, claimOf(PEER));
    play.run(2_000);
    t.match(one.result, { is: 'refused', why: /strangers: 00c2000100000001/u });
    t.strictSame(one.sent, []);
    t.strictSame(play.keys(), [STRANGER]);
  }
});

t.test('a device without full status: each path is asked by REGISTER own->own', async (t) => {
  const play = new Play({ fullStatus: false });
  const one = play.join(OWN, A_PATHS, claimPolicy, claimOf(undefined));
  play.run(3_000);
  t.match(one.result, { is: 'owned' });
  t.strictSame(play.keys(), [OWN, OWN]);
  t.same(one.sent, ['a1: register-ignore', 'a1: reserve', 'a2: register', 'a2: register-ignore']);
});

t.test('paths whose nexus is not known are asked too, and APTPL stays', async (t) => {
  const play = new Play();
  const paths = [pathOf('a1', false), pathOf('a2', false)];
  const one = play.join(OWN, paths, claimPolicy, claimOf(undefined));
  play.run(3_000);
  t.match(one.result, { is: 'owned' });
  t.strictSame(play.keys(), [OWN, OWN]);
  t.ok(play.target.aptpl, 'a REGISTER without the bit would have cleared it');
});

t.test(
  'a device without PREEMPT AND ABORT is refused, and never sent a plain PREEMPT',
  async (t) => {
    const play = new Play({ preemptAbort: false });
    play.register('b1', PEER, 5);
    const one = play.join(OWN, A_PATHS, claimPolicy, claimOf(PEER));
    play.run(2_000);
    t.match(one.result, { is: 'refused', why: /preempt-abort: unsupported/u });
    t.equal(play.holder(), PEER);
  },
);

t.test('asking path by path comes to an end on a slow disk', async (t) => {
  const play = new Play({ fullStatus: false });
  play.delayMs = () => 30;
  const one = play.join(OWN, A_PATHS, claimPolicy, claimOf(undefined));
  play.run(10_000);
  t.match(one.result, { is: 'owned' });
});

t.test('a path that was away is asked again', async (t) => {
  const play = new Play();
  const paths = [pathOf('a1', false), pathOf('a2', false)];
  play.register('a1', OWN, 5);
  play.register('a2', OWN);
  const one = play.join(OWN, paths, defendPolicy, defendOf(NEVER, play.nowMs));
  play.run(1_400);
  one.tell({ is: 'paths', paths: paths.slice(0, 1) });
  const before = one.sent.length;
  one.tell({ is: 'paths', paths });
  t.notOk('a2' in one.machine.checks);
  t.ok('a1' in one.machine.checks);
  play.run(1_600);
  t.ok(one.sent.slice(before).includes('a2: register'));
});

t.test('a device without reservations, and one that cannot keep them', async (t) => {
  const none = new Play({ reservations: false });
  const one = none.join(OWN, A_PATHS, claimPolicy, claimOf(undefined));
  none.run(2_000);
  t.match(one.result, { is: 'refused', why: /no persistent reservations: illegal request 20/u });
  t.strictSame(one.sent, []);
  const volatile = new Play({ aptpl: false });
  const two = volatile.join(OWN, A_PATHS, claimPolicy, claimOf(undefined));
  volatile.run(2_000);
  t.match(two.result, { is: 'refused', why: /register-ignore: refused/u });
});

t.test('LIO without its state folder answers not ready, and the key is adopted', async (t) => {
  const play = new Play({ stateFolder: false });
  const one = play.join(OWN, A_PATHS, claimPolicy, claimOf(undefined));
  play.run(2_000);
  t.match(one.result, { is: 'owned' });
  t.strictSame(one.sent, ['a1: register-ignore', 'a1: reserve', 'a2: register-ignore']);
});

t.test('a lost reply: nothing more is sent, and no end, until the nexus is gone', async (t) => {
  for (const lost of ['register-ignore', 'reserve', 'preempt-abort']) {
    const play = new Play();
    if (lost === 'preempt-abort') play.register('b1', PEER, 5);
    const one = play.join(OWN, A_PATHS, claimPolicy, claimOf(PEER));
    for (let ms = 1_000; one.sent.at(-1) !== `a1: ${lost}`; ms += 1) play.run(ms);
    const sent = one.sent.length;
    play.fates.set('a1', 'reply-lost');
    play.run(play.nowMs + 50);
    play.fates.set('a1', 'cut');
    play.run(play.nowMs + 5_000);
    t.equal(one.result, undefined, `${lost}: no end`);
    t.equal(one.sent.length, sent, `${lost}: nothing more was sent`);
    t.equal(one.machine.act?.doubt, 'return');
    one.tell({ is: 'gone', path: 'a1' });
    play.run(play.nowMs + 2_000);
    t.match(one.result, { is: 'owned' }, `${lost}: adopted from the table`);
    t.equal(play.holder(), OWN);
  }
});

t.test('a late effect is found in the table, not sent again', async (t) => {
  const play = new Play();
  play.fates.set('a1', 'held');
  const one = play.join(OWN, [pathOf('a1')], claimPolicy, claimOf(undefined));
  // The reads are held as well; they are given up, the registration is not.
  play.run(1_500);
  play.fates.delete('a1');
  play.letGo('a1');
  play.run(1_700);
  play.fates.set('a1', 'held');
  t.equal(one.result?.is, 'owned');
  t.strictSame(one.sent, ['a1: register-ignore', 'a1: reserve']);
});

t.test('a command that is held is waited for on the other path too', async (t) => {
  const play = new Play();
  const one = play.join(OWN, A_PATHS, claimPolicy, claimOf(undefined));
  while (one.sent.length === 0) play.run(play.nowMs + 1);
  play.fates.set('a1', 'held');
  play.run(play.nowMs + 3_000);
  t.strictSame(one.sent, ['a1: register-ignore'], 'a2 works, and nothing is sent by it');
  t.strictSame(play.keys(), []);
  play.fates.delete('a1');
  play.letGo('a1');
  play.run(play.nowMs + 1_000);
  t.match(one.result, { is: 'owned' });
  t.equal(one.sent.filter((sent) => sent === 'a1: register-ignore').length, 1);
});

t.test('somebody removes our key meanwhile: beaten', async (t) => {
  const play = new Play();
  const one = play.join(OWN, A_PATHS, claimPolicy, claimOf(undefined));
  while (!one.machine.memory.joined) play.run(play.nowMs + 1);
  play.target.table.registrants.clear();
  play.register('b1', PEER, 5);
  play.run(play.nowMs + 1_000);
  t.match(one.result, { is: 'beaten' });
});

t.test('giving back leaves nothing', async (t) => {
  for (const known of [true, false]) {
    const play = new Play();
    const paths = [pathOf('a1', known), pathOf('a2', known)];
    play.register('a1', OWN, 5);
    play.register('a2', OWN);
    const one = play.join(OWN, paths, releasePolicy, releaseOf());
    play.run(2_000);
    t.match(one.result, { is: 'released' });
    t.strictSame(play.keys(), []);
    t.equal(play.target.table.reservation, undefined);
  }
});

t.test('giving back when the path that holds is dead', async (t) => {
  const play = new Play();
  play.register('a1', OWN, 5);
  play.register('a2', OWN);
  play.fates.set('a1', 'cut');
  const one = play.join(OWN, [pathOf('a2')], releasePolicy, releaseOf());
  play.run(2_000);
  t.match(one.result, { is: 'released' });
  t.strictSame(play.keys(), []);
  t.equal(play.target.table.reservation, undefined);
});

t.test(
  'withdrawing a registration leaves the owner alone, and says what it cannot reach',
  async (t) => {
    const play = new Play();
    play.register('b1', PEER, 5);
    play.register('a1', OWN);
    play.register('a2', OWN);
    const one = play.join(OWN, [pathOf('a1')], releasePolicy, releaseOf());
    play.run(2_000);
    t.match(one.result, { is: 'left-behind', why: /1 registrations on paths that are gone/u });
    t.strictSame(play.keys(), [OWN, PEER]);
    t.equal(play.holder(), PEER);
    const two = play.join(OWN, [pathOf('a2')], releasePolicy, releaseOf());
    play.run(4_000);
    t.match(two.result, { is: 'released' });
  },
);

t.test('nothing is taken for given back while an order is in doubt', async (t) => {
  const play = new Play();
  play.register('a1', OWN, 5);
  const one = play.join(OWN, A_PATHS, releasePolicy, releaseOf());
  while (one.sent.at(-1) !== 'a1: register') play.run(play.nowMs + 1);
  play.fates.set('a1', 'reply-lost');
  play.run(play.nowMs + 3_000);
  t.strictSame(play.keys(), [], 'it took effect, and a2 shows so');
  t.equal(one.result, undefined);
  one.tell({ is: 'gone', path: 'a1' });
  play.run(play.nowMs + 1_000);
  t.match(one.result, { is: 'released' });
});
