import t from 'tap';
import type { HierarchySpec } from '../../rules/cluster/model.ts';
import {
  inequalitiesOf,
  solveTimes,
  TIMING_PROFILES,
  TIMINGS,
  type Timing,
  type TimingProfile,
} from '../../rules/cluster/solver.ts';
import {
  availabilityOf,
  availabilityOfOne,
  ninesOf,
  worstCaseOf,
} from '../../rules/cluster/solver-bounds.ts';
import { hierarchy } from './made.ts';

const db: HierarchySpec = hierarchy('db', {
  disks: [{ wwid: 'one' }, { wwid: 'two' }],
  toleratedMs: 30_000,
  startMs: 500,
});

function refusal(profile: TimingProfile, change: Partial<Timing>, spec = db): string {
  const solved = solveTimes(profile, change, [spec]);
  return solved.is === 'refused' ? solved.why.join('\n') : 'solved';
}

t.test('both profiles can be trusted, and keep the promised bounds', (t) => {
  for (const profile of TIMING_PROFILES) {
    const solved = solveTimes(profile, {}, [db]);
    if (solved.is === 'refused') {
      t.fail(solved.why.join('\n'));
      continue;
    }
    const worst = worstCaseOf(solved.timing, db, { paths: 2, fenceMs: undefined });
    const [disksMax, addressMax] = profile === 'safe' ? [5000, 9000] : [1500, 9000];
    t.ok((worst.disksMs ?? Infinity) <= disksMax, worst.sentence);
    t.ok(worst.addressMs <= addressMax, worst.sentence);
  }
  t.end();
});

/** Each unsafe configuration, and the words that its refusal must have. */
const UNSAFE: readonly (readonly [string, Partial<Timing>, RegExp])[] = [
  [
    'the loser has no time to stop',
    { verifyMs: 2400 },
    /^loser-stops: verify \+ write \(2700 ms\) must be <= watchdog \/ 2 \(2500 ms\)/m,
  ],
  ['a watchdog that fires too early', { watchdogMs: 3000 }, /^watchdog-min: /m],
  [
    'a challenge the owner cannot answer in time',
    { challengeMs: 1000 },
    /^defence: challenge \(1000 ms\) must be >= proof \+ look \+ write/m,
  ],
  ['an emptied table is restored too late', { restoreMs: 1200 }, /^restore: .*two owners/m],
  [
    'two lost packets accuse a node',
    { deadMs: 700 },
    /^dead-heartbeats: dead \(700 ms\) must be >= 4 heartbeats \(1000 ms\)/m,
  ],
  ['own lateness looks like the silence of others', { lagMs: 300 }, /^dead-lag: /m],
  [
    'a path event resets the owner',
    { pathFailoverMs: 6000 },
    /^path-failover: path failover \(6000 ms\) must be < watchdog \(5000 ms\)/m,
  ],
  ['an agent that starts anew loses all', { agentRestartMs: 4000 }, /^agent-restart: /m],
  ['old proofs start services', { freshMs: 2100 }, /^fresh-max: /m],
  ['a healthy owner starves its watchdog', { freshMs: 800 }, /^fresh-proof: /m],
  ['one unanswered look loses it', { verifyMs: 1500 }, /^verify-proof: /m],
  ['a node that was away trusts itself', { voidMs: 3000 }, /^void: /m],
  ['fencing at start', { graceMs: 1000 }, /^grace: /m],
  ['lateness beyond the death of others', { lateMs: 2100 }, /^late-dead: /m],
  ['slow commands count as unresolved', { commandMs: 250 }, /^commands: /m],
  ['a slow network', { networkMs: 1600 }, /^dead-network: /m],
  ['no time at all', { proofMs: 0 }, /^proofMs must be a time above 0, and is 0/m],
  ['not a number', { deadMs: Number.NaN }, /^deadMs must be a time above 0/m],
];

t.test('what can overlap is refused, and the sentence names the inequality', (t) => {
  for (const [what, change, sentence] of UNSAFE) {
    t.match(refusal('safe', change), sentence, what);
  }
  const hasty = hierarchy('db', { handoverMs: 10_000, stopMs: 30_000 });
  t.match(refusal('safe', {}, hasty), /^db: handover: .*climb to a takeover/m);
  const nervous = hierarchy('db', { holdMs: 1000 });
  t.match(refusal('fast', {}, nervous), /solved/);
  t.match(refusal('safe', {}, nervous), /^db: hold: /m);
  t.end();
});

t.test('every inequality can be broken by some configuration', (t) => {
  const broken = new Set<string>();
  const names = inequalitiesOf(TIMINGS.safe, []).map(({ name }) => name);
  for (const key of Object.keys(TIMINGS.safe) as (keyof Timing)[]) {
    for (const factor of [0.001, 0.1, 0.5, 2, 10, 1000]) {
      const timing = { ...TIMINGS.safe, [key]: TIMINGS.safe[key] * factor };
      for (const one of inequalitiesOf(timing, [])) if (!one.holds) broken.add(one.name);
    }
  }
  t.same(
    names.filter((name) => !broken.has(name)),
    [],
  );
  t.end();
});

t.test('tolerated downtime is answered with kept or not, and by how much', (t) => {
  const spec = (toleratedMs: number) => ({ ...db, toleratedMs });
  const given = { paths: 2, fenceMs: undefined };
  const kept = worstCaseOf(TIMINGS.safe, spec(10_000), given);
  t.match(kept.sentence, /10\.00 s tolerated: kept with 0\.\d\d s to spare/);
  const missed = worstCaseOf(TIMINGS.safe, spec(8000), given);
  t.match(missed.sentence, /8\.00 s tolerated: not kept, 1\.\d\d s too long/);
  t.equal(missed.restoreMs, missed.addressMs + missed.startMs, 'equation (1)');
  t.end();
});

t.test('without a disk the worst case is that of the fence', (t) => {
  const spec = hierarchy('web', { disks: [], fencedBy: 'power', startMs: 1000 });
  const fenced = worstCaseOf(TIMINGS.safe, spec, { paths: 0, fenceMs: 9000 });
  t.equal(fenced.addressMs, fenced.detectMs + 9000 + TIMINGS.safe.deadMs);
  const never = worstCaseOf(TIMINGS.safe, spec, { paths: 0, fenceMs: undefined });
  t.equal(never.restoreMs, Infinity, 'nobody can prove it: it waits for a person');
  t.end();
});

t.test('equations (2) and (3) of the paper', (t) => {
  const year = 365 * 24 * 3600_000;
  const given = { upMs: year, downMs: 8 * 3600_000 };
  t.equal(availabilityOf(given, 1, 9000), availabilityOfOne(given), 'one node: no recovery');
  const two = availabilityOf(given, 2, 9000);
  const three = availabilityOf(given, 3, 9000);
  t.ok(availabilityOfOne(given) < two && two < three);
  const allDown = (1 - availabilityOfOne(given)) ** 1;
  t.equal(two, year / (year + given.downMs * allDown + 9000 * (1 - allDown)));
  t.equal(ninesOf(0.99987), 3, 'as the paper counts');
  t.equal(ninesOf(0.999967), 4);
  t.equal(ninesOf(0.9), 1);
  t.equal(ninesOf(0), 0);
  t.end();
});
