/** Two nodes, one disk, no shortcut: core, arbiters and machines together, over a simulated disk. */
import t from 'tap';
import { stepProgram } from '../../agent/cluster/program.ts';
import {
  beginProgram,
  type Out,
  type Program,
  type ProgramInput,
} from '../../agent/cluster/program-state.ts';
import { answerOf } from '../../fencing/reservation/answer.ts';
import type {
  ClusterTimes,
  HierarchyId,
  HierarchySpec,
  NodeName,
  ServicesWish,
} from '../../rules/cluster/model.ts';
import { type Ms, ms } from '../../rules/model.ts';
import { Rig, type Way } from '../fakes/disk/rig.ts';
import { key, pathOf, TIMES } from '../reservation/play.ts';

const H = 'hierarchy/db' as HierarchyId;
const A = 'a' as NodeName;
const B = 'b' as NodeName;
const DATABASE = 'service/db' as HierarchySpec['services'][number]['id'];

const CLUSTER_TIMES: ClusterTimes = {
  heartbeatMs: 250,
  deadMs: 2_000,
  proofMs: 500,
  challengeMs: 1_500,
  watchdogMs: 6_000,
  verifyMs: 2_000,
  freshMs: 2_000,
  addressWaitMs: 7_000,
  restoreMs: 1_000,
  graceMs: 3_000,
  lateMs: 1_000,
  voidMs: 3_000,
};

const SPEC: HierarchySpec = {
  id: H,
  name: 'db',
  nodes: [A, B],
  disks: [{ wwid: 'd1' }],
  services: [{ id: DATABASE, waits: false }],
  fencedBy: 'disk',
  failbackMs: undefined,
  hysteresis: 0,
  holdMs: 5_000,
  startsMax: 6,
  startsWithinMs: 1_800_000,
  startMs: 5_000,
  stopMs: 5_000,
  handoverMs: 20_000,
  toleratedMs: undefined,
};

/** A node with its program; its services take a tenth of a second to start or stop. */
class Node {
  program: Program;
  readonly told: string[] = [];
  up = true;
  running = false;
  #inbox: ProgramInput[] = [];
  #wish: ServicesWish | undefined;
  #readyMs = 0;
  readonly #rig: Rig;
  last: Out | undefined;

  constructor(rig: Rig, self: NodeName, number: number, now: Ms) {
    this.#rig = rig;
    const paths = [pathOf(`${self}1` as Way), pathOf(`${self}2` as Way)];
    this.program = beginProgram(
      {
        cluster: {
          self,
          boot: number,
          nodes: [A, B],
          networks: ['lan'],
          hierarchies: [SPEC],
          times: CLUSTER_TIMES,
          fenceable: [],
          startsAtOnce: 2,
          hashes: { [H]: 'same' },
        },
        arbiter: {
          self: { key: key(number), aptpl: true },
          nodes: new Map([
            [1, A],
            [2, B],
          ]),
          times: { ...TIMES, everyMs: CLUSTER_TIMES.proofMs },
          idleMs: 1_000,
          challengeMs: CLUSTER_TIMES.challengeMs,
          restoreMs: CLUSTER_TIMES.restoreMs,
          verifyMs: CLUSTER_TIMES.verifyMs,
          readableMs: 500,
        },
        disks: new Map([[H, [{ wwid: 'd1', paths }]]]),
        plans: [],
        bootedAt: now,
        fence: { deadlineMs: 10_000, afterwards: 'on', againMs: 30_000 },
      },
      now,
    );
    this.tell({ kind: 'watchdog', at: now, timeoutMs: CLUSTER_TIMES.watchdogMs });
    this.tell({ kind: 'utility', at: now, hierarchy: H, value: 1, why: '' });
    this.#report(now);
  }

  tell(input: ProgramInput): void {
    this.#inbox.push(input);
  }

  state(): string | undefined {
    return this.program.cluster.hierarchies[0]?.state;
  }

  #report(now: Ms): void {
    this.tell({
      kind: 'services',
      at: now,
      hierarchy: H,
      report: {
        running: this.running ? [DATABASE] : [],
        remains: this.running,
        latched: undefined,
        failed: undefined,
      },
    });
  }

  #serve(now: Ms): void {
    const want = this.#wish?.want;
    const target = want === 'up' ? true : want === 'hold' ? this.running : false;
    if (want === undefined || target === this.running || now < this.#readyMs) return;
    this.running = target;
    this.#report(now);
  }

  async step(now: Ms, peer: Node, cut: boolean): Promise<void> {
    if (!this.up) return;
    this.#serve(now);
    if (this.#inbox.length === 0 && this.last !== undefined && now < this.last.dueAt) return;
    const inbox = this.#inbox;
    this.#inbox = [];
    const { program, out } = stepProgram(this.program, now, inbox);
    this.program = program;
    this.last = out;
    for (const { to, why } of out.decisions) if (to !== undefined) this.told.push(`${to}: ${why}`);
    const wish = out.services[0]?.services;
    if (wish !== this.#wish) {
      this.#wish = wish;
      this.#readyMs = now + 100;
    }
    if (out.heartbeat !== undefined && !cut) {
      peer.tell({ kind: 'heartbeat', at: now, network: 'lan', said: out.heartbeat });
    }
    for (const { wwid, ask } of out.asks) {
      const completion = await this.#rig.send(ask.path as Way, ask.request);
      const answer = answerOf(ask.request, completion);
      this.tell({ kind: 'disk', hierarchy: H, wwid, input: { is: 'answer', id: ask.id, answer } });
    }
  }
}

class Pair {
  readonly rig: Rig = new Rig({});
  now = 1_000;
  cut = false;
  /** One of them stands still: what it runs meanwhile is for the disk to keep apart. */
  hung = false;
  readonly a: Node;
  readonly b: Node;

  constructor() {
    this.a = new Node(this.rig, A, 1, ms(this.now));
    this.b = new Node(this.rig, B, 2, ms(this.now));
  }

  async run(forMs: number): Promise<void> {
    const untilMs = this.now + forMs;
    while (this.now < untilMs) {
      await this.a.step(ms(this.now), this.b, this.cut);
      await this.b.step(ms(this.now), this.a, this.cut);
      if (!this.hung && this.a.up && this.a.running && this.b.running)
        throw new Error('both run it');
      this.now += 10;
    }
  }
}

t.test('both boot: the preferred node has it, and proves it', async (t) => {
  const pair = new Pair();
  await pair.run(10_000);
  t.same([pair.a.state(), pair.b.state()], ['running', 'idle'], pair.a.told.join('\n'));
  t.ok(pair.a.running && !pair.b.running);
  t.equal(pair.a.last?.watchdog, 'feed');
});

t.test('the owner dies: the other asks the disk, and has it', async (t) => {
  const pair = new Pair();
  await pair.run(10_000);
  pair.a.up = false;
  await pair.run(8_000);
  t.equal(pair.b.state(), 'running', pair.b.told.join('\n'));
});

t.test('all networks are cut: nothing moves', async (t) => {
  const pair = new Pair();
  await pair.run(10_000);
  pair.cut = true;
  await pair.run(120_000);
  t.equal(pair.a.state(), 'running', pair.a.told.join('\n'));
  t.notOk(pair.b.running);
  t.ok(
    pair.b.told.some((line) => line.startsWith('challenging')),
    'it did ask',
  );
  pair.cut = false;
  await pair.run(5_000);
  t.same([pair.a.state(), pair.b.state()], ['running', 'idle']);
});

t.test('an operator moves it: stopped, released, started', async (t) => {
  const pair = new Pair();
  await pair.run(10_000);
  pair.a.tell({
    kind: 'word',
    at: ms(pair.now),
    word: { say: 'move', hierarchy: H, to: B },
  });
  const from = pair.now;
  while (!pair.b.running && pair.now < from + 20_000) await pair.run(10);
  t.equal(pair.b.running, true, [...pair.a.told, '--', ...pair.b.told].join('\n'));
  t.ok(pair.now - from < CLUSTER_TIMES.challengeMs, 'a clean release needs no wait');
  await pair.run(5_000);
  t.same([pair.a.state(), pair.b.state()], ['idle', 'running']);
});

t.test('an owner that hung finds that it has lost, and starts nothing', async (t) => {
  const pair = new Pair();
  await pair.run(10_000);
  pair.a.up = false;
  pair.hung = true;
  await pair.run(15_000);
  pair.a.up = true;
  await pair.run(3_000);
  t.equal(pair.b.state(), 'running');
  t.ok(
    pair.a.told.some((line) => line.startsWith('losing')),
    pair.a.told.join('\n'),
  );
  t.notOk(pair.a.running);
});
