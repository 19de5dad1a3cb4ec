/** The disks of one hierarchy under the wishes of a core: taken, kept, given back, lost, taken up again. */
import t from 'tap';
import { beginArbiter, stepArbiter } from '../../fencing/arbiter.ts';
import { reportOf } from '../../fencing/arbiter-report.ts';
import { type Arbiter, type ArbiterInput, dueMsOf } from '../../fencing/arbiter-state.ts';
import { answerOf } from '../../fencing/reservation/answer.ts';
import { isWrite } from '../../fencing/reservation/request.ts';
import type { DiskReport, DiskWish, NodeName } from '../../rules/model.ts';
import { Rig, type Way } from '../fakes/disk/rig.ts';
import { key, pathOf, STRANGER, TIMES } from './play.ts';

const C = 600;
const VERIFY = 1_500;
const STEP = 10;

type Rigs = Readonly<Record<string, Rig>>;

/** A node's arbiter in virtual time; PR OUTs under way are counted for each disk. */
class Member {
  arbiter: Arbiter;
  nowMs = 1_000;
  readonly sent: string[] = [];
  #inputs: ArbiterInput[] = [];
  readonly #rigs: Rigs;
  readonly #doubt: Map<string, number> = new Map();

  constructor(rigs: Rigs, node: number, ways: readonly Way[], mirror?: string) {
    this.#rigs = rigs;
    const options = {
      self: { key: key(node), aptpl: true },
      nodes: new Map([1, 2, 3].map((one) => [one, `n${one}` as NodeName])),
      times: TIMES,
      idleMs: 500,
      challengeMs: C,
      restoreMs: C - 200,
      verifyMs: VERIFY,
      readableMs: 300,
    };
    const paths = ways.map((way) => pathOf(way));
    const disks = Object.keys(rigs).map((wwid) => ({
      wwid,
      paths,
      ...(mirror === undefined ? {} : { mirror }),
    }));
    this.arbiter = beginArbiter(options, disks, this.nowMs);
  }

  report(): DiskReport {
    return reportOf(this.arbiter, this.nowMs);
  }

  async tell(input: ArbiterInput): Promise<void> {
    const turn = stepArbiter(this.arbiter, this.nowMs, input);
    this.arbiter = structuredClone(turn.arbiter);
    for (const { wwid, ask } of turn.asks) {
      const { id, path, request } = ask;
      const write = isWrite(request);
      const open = this.#doubt.get(wwid) ?? 0;
      if (write && open > 0) throw new Error(`two PR OUTs at once on ${wwid}`);
      if (write) this.sent.push(`${wwid} ${request.ask}`);
      const answer = (completion: Parameters<typeof answerOf>[1]): void => {
        if (write) this.#doubt.set(wwid, completion.kind === 'late' ? 1 : 0);
        const input = { is: 'answer' as const, id, answer: answerOf(request, completion) };
        this.#inputs.push({ is: 'disk', wwid, input });
      };
      const completion = await this.#rigs[wwid]?.send(path as Way, request, answer);
      if (completion !== undefined) answer(completion);
    }
  }

  wish(wish: DiskWish): Promise<void> {
    return this.tell({ is: 'wish', wish });
  }

  /** Steps only when there is something to take in, or when it says that it is due. */
  async run(forMs: number): Promise<DiskReport> {
    const untilMs = this.nowMs + forMs;
    while (this.nowMs < untilMs) {
      const input = this.#inputs.shift();
      if (input !== undefined) await this.tell(input);
      else if (dueMsOf(this.arbiter) <= this.nowMs) {
        await this.tell({ is: 'tick' });
        if (this.#inputs.length === 0) this.nowMs += STEP;
      } else this.nowMs += STEP;
    }
    return this.report();
  }

  async runUntil(is: DiskReport['is'], withinMs: number): Promise<DiskReport> {
    const untilMs = this.nowMs + withinMs;
    while (this.nowMs < untilMs && this.report().is !== is) await this.run(STEP);
    return this.report();
  }
}

async function both(a: Member, b: Member, forMs: number): Promise<void> {
  const untilMs = a.nowMs + forMs;
  b.nowMs = a.nowMs;
  while (a.nowMs < untilMs) {
    await a.run(STEP);
    await b.run(STEP);
  }
}

function keysOf(rig: Rig | undefined): readonly string[] {
  return [...(rig?.target.table.registrants.values() ?? [])].map((one) => one.key);
}

const take = (attempt: number, silent = false): DiskWish => ({ want: 'take', attempt, silent });
const keep = (excused: readonly string[] = []): DiskWish => ({ want: 'keep', excused });

async function owner(rigs: Rigs, mirror?: string): Promise<Member> {
  const member = new Member(rigs, 1, ['a1', 'a2'], mirror);
  await member.run(50);
  await member.wish(take(1));
  await member.runUntil('owned', 5_000);
  await member.wish(keep());
  return member;
}

t.test('an empty pair of disks is taken after the wait, and then kept', async (t) => {
  const rigs = { d1: new Rig({}), d2: new Rig({}) };
  const a = new Member(rigs, 1, ['a1', 'a2']);
  t.match(await a.run(50), { is: 'idle', seen: { holder: 'none' }, unreadable: undefined });
  await a.wish(take(1));
  t.match(await a.run(C - 100), { is: 'taking', attempt: 1 });
  const owned = await a.runUntil('owned', 2_000);
  t.match(owned, { is: 'owned', from: undefined, challenged: undefined });
  if (owned.is !== 'owned') return;
  t.ok(owned.provenMs - (owned.registeredMs ?? 0) >= C, 'the wait counts from the read-back');
  await a.wish(keep());
  const later = await a.run(3_000);
  t.ok(later.is === 'owned' && later.provenMs >= a.nowMs - 2 * TIMES.everyMs, 'proven anew');
  t.equal(keysOf(rigs.d2).length, 2, 'both paths are registered');
});

t.test('a challenger finds a living owner alive, and its key is gone', async (t) => {
  const rigs = { d1: new Rig({}) };
  const a = await owner(rigs);
  const b = new Member(rigs, 2, ['b1', 'b2']);
  await both(a, b, 1_000);
  t.match(b.report(), { is: 'idle', seen: { holder: 'peer', node: 'n1' } });
  await b.wish(take(1, true));
  await both(a, b, 1_500);
  t.match(b.report(), { is: 'alive', attempt: 1 }, 'silent shortens nothing while it is held');
  t.match(a.report(), { is: 'owned', challenged: undefined });
  t.same(new Set(keysOf(rigs.d1)), new Set([key(1)]));
});

t.test('a dead owner is taken over from, and finds it lost when it wakes', async (t) => {
  const rigs = { d1: new Rig({}), d2: new Rig({}) };
  const a = await owner(rigs);
  const b = new Member(rigs, 2, ['b1', 'b2']);
  b.nowMs = a.nowMs;
  await b.wish(take(1));
  t.match(await b.runUntil('owned', 5_000), { is: 'owned', from: 'n1' });
  await b.wish(keep());
  await both(a, b, 500);
  t.match(a.report(), { is: 'lost' });
  const sent = a.sent.length;
  await both(a, b, 1_000);
  t.equal(a.sent.length, sent, 'who has lost sends nothing more');
  t.match(b.report(), { is: 'owned' });
});

t.test('a released disk needs no wait when the owner was seen to be silent', async (t) => {
  const rigs = { d1: new Rig({}), d2: new Rig({}) };
  const a = await owner(rigs);
  await a.wish({ want: 'release' });
  t.match(await a.runUntil('released', 2_000), { is: 'released', whole: true });
  t.same([...keysOf(rigs.d1), ...keysOf(rigs.d2)], []);
  const b = new Member(rigs, 2, ['b1', 'b2']);
  b.nowMs = a.nowMs;
  const from = b.nowMs;
  await b.wish(take(1, true));
  t.match(await b.runUntil('owned', 5_000), { is: 'owned', from: undefined });
  t.ok(b.nowMs - from < C);
});

t.test('a take that is no longer wished leaves no registration', async (t) => {
  const rigs = { d1: new Rig({}), d2: new Rig({}) };
  const a = new Member(rigs, 1, ['a1', 'a2']);
  await a.wish(take(1));
  await a.run(200);
  t.same(keysOf(rigs.d1), [key(1)]);
  await a.wish({ want: 'none' });
  t.match(await a.run(1_000), { is: 'idle', seen: { holder: 'none' } });
  t.same(keysOf(rigs.d1), []);
});

t.test('an order in doubt is settled before anything else is sent', async (t) => {
  const rigs = { d1: new Rig({}) };
  const a = new Member(rigs, 1, ['a1', 'a2']);
  await a.run(50);
  rigs.d1.fates.set('a1', 'held');
  rigs.d1.fates.set('a2', 'none');
  await a.wish(take(1));
  await a.run(500);
  const { sent } = a;
  await a.wish({ want: 'none' });
  await a.run(500);
  await a.wish(take(2));
  await a.run(1_000);
  t.same(sent, ['d1 register-ignore'], 'nothing goes while the first is held');
  rigs.d1.fates.set('a1', 'none');
  rigs.d1.letGo('a1');
  t.match(await a.runUntil('owned', 5_000), { is: 'owned' });
  t.ok(sent.includes('d1 register'), 'the late registration was taken back first');
});

t.test('an agent that starts anew over what it owns goes on without an order', async (t) => {
  const rigs = { d1: new Rig({}), d2: new Rig({}) };
  const before = await owner(rigs);
  const a = new Member(rigs, 1, ['a1', 'a2']);
  a.nowMs = before.nowMs;
  t.match(await a.run(50), { is: 'idle', seen: { holder: 'own' } });
  await a.wish(keep());
  t.match(await a.run(300), { is: 'owned', registeredMs: undefined });
  t.same(a.sent, []);
});

t.test('one disk of two lost is all lost', async (t) => {
  const rigs = { d1: new Rig({}), d2: new Rig({}) };
  const a = await owner(rigs);
  rigs.d2.target.table.registrants.clear();
  rigs.d2.target.table.reservation = { holder: 'nobody', type: 5 };
  rigs.d2.target.table.generation += 1;
  t.match(await a.run(200), { is: 'lost', why: /d2/u });
  await a.wish({ want: 'release' });
  await a.runUntil('released', 2_000);
  t.same(keysOf(rigs.d1), [], 'what is left is given back');
});

t.test(
  'a leg that md has recorded as failed is excused, and taken back when it returns',
  async (t) => {
    const rigs = { d1: new Rig({}), d2: new Rig({}) };
    const a = await owner(rigs, 'm');
    for (const way of ['a1', 'a2'] as const) rigs.d2.fates.set(way, 'cut');
    await a.run(200);
    await a.wish(keep(['d2']));
    t.match(await a.run(2 * VERIFY), { is: 'owned', challenged: undefined });
    // Its array comes back without its table.
    rigs.d2.target.table.registrants.clear();
    rigs.d2.target.table.reservation = undefined;
    for (const way of ['a1', 'a2'] as const) rigs.d2.fates.set(way, 'none');
    await a.wish(keep());
    t.match(await a.run(1_000), { is: 'owned', challenged: undefined });
    t.equal(keysOf(rigs.d2).length, 2);
    for (const way of ['a1', 'a2'] as const) rigs.d1.fates.set(way, 'cut');
    t.match(await a.run(2 * VERIFY), { is: 'lost' }, 'without an excuse it is lost');
  },
);

t.test('a disk that strangers use is refused, and one that cannot be read is told', async (t) => {
  const rigs = { d1: new Rig({}) };
  await rigs.d1.send('c1', { ask: 'register-ignore', next: STRANGER });
  const a = new Member(rigs, 1, ['a1', 'a2']);
  await a.wish(take(1));
  t.match(await a.run(1_000), { is: 'refused', attempt: 1 });
  t.same(keysOf(rigs.d1), [STRANGER]);
  for (const way of ['a1', 'a2'] as const) rigs.d1.fates.set(way, 'cut');
  await a.wish({ want: 'none' });
  t.match(await a.run(2_500), { is: 'idle', unreadable: 'd1 cannot be read' });
});
