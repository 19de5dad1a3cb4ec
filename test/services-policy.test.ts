/**
 * The policy of services, case by case: when one is started, when again, when no more, in which order,
 * and what is never done. Time and sight are told by hand; no process is started here.
 */
import t, { type Test } from 'tap';
import { NO_JUDGEMENT } from '../rules/config.ts';
import { type ComponentId, ms } from '../rules/model.ts';
import type { Exit, ServiceSeen } from '../rules/service.ts';
import {
  exitOf,
  outcome,
  running,
  type Stage,
  seen,
  specOf,
  stageOf,
  want,
  word,
} from './fakes/services.ts';

function ended(exit: Exit): ServiceSeen {
  return { kind: 'stopped', exit };
}

/** It dies, is started again by the order that must be there, and runs. */
function dieAndReturn(t: Test, stage: Stage, time: number, exit: Exit, next: string): void {
  stage.at(time, seen('web', ended(exit), time));
  t.strictSame(stage.orders(), ['start web'], `started again after ${exit.run}`);
  const up: ServiceSeen = { kind: 'running', run: next, pid: 2 };
  stage.at(time, seen('web', up, time), outcome(stage.open(), 'verified', time));
  t.equal(stage.service().state, 'running');
}

t.test('what is down and wanted is started once, and not before it was seen', async (t) => {
  const stage = stageOf(specOf('web'));
  stage.at(1);
  t.strictSame(stage.orders(), []);
  t.equal(stage.service().state, 'unknown');
  stage.at(2, seen('web', { kind: 'unknown', why: 'D-Bus is gone' }, 2));
  t.strictSame(stage.orders(), [], 'unknown is not stopped');
  stage.at(3, seen('web', { kind: 'stopped' }, 3));
  t.strictSame(stage.orders(), ['start web']);
  t.equal(stage.service().state, 'starting');
  stage.at(4, seen('web', { kind: 'stopped' }, 4));
  t.strictSame(stage.orders(), [], 'one move at a time');
  stage.at(5, seen('web', { kind: 'running', run: 'a' }, 5), outcome(stage.open(), 'verified', 5));
  t.match(stage.service(), { state: 'running', restartsTotal: 0, attempt: 0 });
});

t.test('what runs already is left alone, whoever started it', async (t) => {
  const stage = stageOf(specOf('web'));
  stage.at(1, seen('web', { kind: 'running', run: 'x' }, 1));
  t.strictSame(stage.orders(), []);
  t.equal(stage.service().state, 'running');
});

t.test('restarts: at once, then 1, 5, 25 s; settled it begins anew', async (t) => {
  const spec = specOf('web', { restart: { ...specOf('web').restart, count: 10 } });
  const stage = stageOf(spec);
  running(stage, 'web', 0);
  let time = 100_000;
  for (const [index, delay] of [0, 1_000, 5_000, 25_000, 25_000].entries()) {
    const run = `r${index + 1}`;
    // Not alike, or it would be toxic.
    const exit = exitOf(run, { value: index + 1, afterStartMs: 5_000 });
    if (delay === 0) dieAndReturn(t, stage, time, exit, `r${index + 2}`);
    else {
      stage.at(time, seen('web', ended(exit), time));
      t.strictSame(stage.orders(), [], `waits ${delay} ms`);
      t.equal(stage.service().state, 'waiting');
      t.equal(stage.world().dueAt, time + delay);
      time += delay;
      stage.at(time, seen('web', ended(exit), time));
      t.strictSame(stage.orders(), ['start web']);
      const up: ServiceSeen = { kind: 'running', run: `r${index + 2}` };
      stage.at(time, seen('web', up, time), outcome(stage.open(), 'verified', time));
    }
    time += 5_000;
  }
  t.equal(stage.service().restartsTotal, 5);
  t.match(stage.service().why, /restarted 5 times, not settled yet/u);
  time += 60_000;
  stage.at(time, seen('web', { kind: 'running', run: 'r6' }, time));
  t.match(stage.service(), { attempt: 0, why: '' });
  dieAndReturn(t, stage, time, exitOf('r6', { value: 9 }), 'r7');
});

t.test('the window slides, and the failure after the last restart latches', async (t) => {
  const stage = stageOf(specOf('web'));
  running(stage, 'web', 0);
  const MIN = 60_000;
  // Each has settled before it dies, so each restart is at once; only the window counts.
  dieAndReturn(t, stage, 2 * MIN, exitOf('r1', { value: 1 }), 'r2');
  dieAndReturn(t, stage, 4 * MIN, exitOf('r2', { value: 2 }), 'r3');
  dieAndReturn(t, stage, 12 * MIN + 1, exitOf('r3', { value: 3 }), 'r4');
  t.equal(stage.service().restarts.length, 2, 'the first has left the window');
  dieAndReturn(t, stage, 13 * MIN + 3, exitOf('r4', { value: 4 }), 'r5');
  const last = exitOf('r5', { value: 7, lastLine: 'cannot go on' });
  stage.at(13 * MIN + 9, seen('web', ended(last), 13 * MIN + 9));
  t.strictSame(stage.orders(), []);
  t.match(stage.service(), {
    state: 'latched',
    why: 'failed again after 3 restarts within 10 min; ended with signal 7: cannot go on',
  });
  for (const time of [14, 30, 300]) {
    stage.at(time * MIN, seen('web', ended(last), time * MIN));
    t.strictSame(stage.orders(), [], 'no time unlatches it');
  }
  stage.at(300 * MIN, want('running', 'web', 300 * MIN), word('restart', 'web', 300 * MIN));
  t.strictSame(stage.orders(), [], 'nor any other word');
  stage.at(301 * MIN, seen('web', ended(last), 301 * MIN), word('clear', 'web', 301 * MIN));
  t.strictSame(stage.orders(), ['start web']);
  t.match(stage.service(), { latch: undefined, restarts: [], ends: [], attempt: 0 });
});

t.test('toxic data: the same end soon after the start, three times, and no more', async (t) => {
  const spec = specOf('web', { restart: { ...specOf('web').restart, count: 10, delaysMs: [0] } });
  const lines = [
    'segfault at 0x7f3a10 in record 4711',
    'segfault at 0x7ffe99 in record 12',
    'segfault at 0x55aa01  in record 9',
  ];
  const stage = stageOf(spec);
  running(stage, 'web', 0);
  for (const [index, lastLine] of lines.entries()) {
    const exit = exitOf(`r${index + 1}`, { afterStartMs: 800 + 300 * index, lastLine });
    const time = 1_000 * (index + 1);
    if (index < 2) dieAndReturn(t, stage, time, exit, `r${index + 2}`);
    else stage.at(time, seen('web', ended(exit), time));
  }
  t.strictSame(stage.orders(), []);
  t.equal(stage.service().state, 'latched');
  t.equal(stage.service().latch?.why, 'toxic data is likely, 8 more restarts skipped');
  t.equal(
    stage.service().latch?.evidence,
    '3 times the same end, 0.8 s, 1.1 s, 1.4 s after the start: ended with signal 11: segfault at 0x55aa01  in record 9',
  );
});

t.test('what is not alike is not toxic', async (t) => {
  const variants: readonly (readonly [string, readonly Partial<Exit>[]])[] = [
    ['another signal', [{}, { value: 6 }, {}]],
    ['another line', [{ lastLine: 'a' }, { lastLine: 'b' }, { lastLine: 'a' }]],
    ['late', [{}, {}, { afterStartMs: 11_000 }]],
    ['much later', [{ afterStartMs: 100 }, {}, { afterStartMs: 9_000 }]],
    ['not known how', [{ how: 'unknown' }, { how: 'unknown' }, { how: 'unknown' }]],
  ];
  for (const [name, changes] of variants) {
    const restart = { ...specOf('web').restart, count: 10, delaysMs: [0] };
    const stage = stageOf(specOf('web', { restart }));
    running(stage, 'web', 0);
    for (const [index, change] of changes.entries()) {
      const exit = exitOf(`r${index + 1}`, { afterStartMs: 500, ...change });
      dieAndReturn(t, stage, 20_000 * (index + 1), exit, `r${index + 2}`);
    }
    t.equal(stage.service().latch, undefined, name);
  }
});

t.test('the same end seen again counts once', async (t) => {
  const stage = stageOf(specOf('web'));
  running(stage, 'web', 0);
  const exit = exitOf('r1');
  stage.at(1_000, seen('web', ended(exit), 1_000));
  stage.at(1_001, seen('web', ended(exit), 1_001), seen('web', ended(exit), 1_001));
  t.equal(stage.service().ends.length, 1);
  t.equal(stage.service().restarts.length, 1);
});

t.test(
  'a start that leaves nothing to see is a failure too, and cannot go on for ever',
  async (t) => {
    const stage = stageOf(specOf('web'));
    stage.at(0, seen('web', { kind: 'stopped' }, 0));
    let starts = 0;
    for (let time = 0; time < 200_000; time += 500) {
      const open = stage.open();
      const told = [seen('web', { kind: 'stopped' }, time)];
      if (open !== undefined) {
        starts += 1;
        told.push(outcome(open, 'refuted', time));
      }
      stage.at(time, ...told);
    }
    t.equal(starts, 4, 'the first and three restarts');
    t.equal(stage.service().state, 'latched');
  },
);

t.test('a hanging service is killed, then started again', async (t) => {
  const stage = stageOf(specOf('web'));
  running(stage, 'web', 0);
  const hangs: ServiceSeen = { kind: 'hanging', run: 'r1', why: 'no answer within 5 s' };
  stage.at(70_000, seen('web', hangs, 70_000));
  t.strictSame(stage.orders(), ['kill web']);
  const dead = ended(exitOf('r1', { value: 9 }));
  stage.at(70_010, seen('web', dead, 70_010), outcome(stage.open(), 'verified', 70_010));
  t.strictSame(stage.orders(), ['start web']);
  t.match(stage.service(), { attempt: 1, restartsTotal: 1 });
  t.equal(stage.service().ends.length, 1, 'the kill is not a second failure');
});

t.test('what failed and is still there is stopped before it is started', async (t) => {
  const stage = stageOf(specOf('web'));
  running(stage, 'web', 0);
  const bad: ServiceSeen = { kind: 'failed', why: 'monitor said 1', remains: true };
  stage.at(70_000, seen('web', bad, 70_000));
  t.strictSame(stage.orders(), ['stop web']);
  stage.at(70_010, seen('web', { kind: 'stopped' }, 70_010), outcome(stage.open(), 'verified', 1));
  t.strictSame(stage.orders(), ['start web']);
});

t.test('what cannot be mended here is latched at once', async (t) => {
  const stage = stageOf(specOf('web'));
  stage.at(0, seen('web', { kind: 'stopped' }, 0));
  const bad: ServiceSeen = {
    kind: 'failed',
    why: 'not installed',
    exit: exitOf('r1', { how: 'status', value: 5 }),
    lasting: true,
  };
  stage.at(1, seen('web', bad, 1), outcome(stage.open(), 'refuted', 1));
  t.strictSame(stage.orders(), []);
  t.match(stage.service(), {
    state: 'latched',
    latch: { why: 'a restart here cannot help', evidence: 'not installed' },
  });
});

t.test(
  'a service that cannot be stopped is latched: nothing is started on top of it',
  async (t) => {
    const stage = stageOf(specOf('web'));
    running(stage, 'web', 0);
    const hangs: ServiceSeen = { kind: 'hanging', run: 'r1', why: 'no answer' };
    stage.at(70_000, seen('web', hangs, 70_000));
    const why = 'process 7 cannot be killed (state D)';
    stage.at(70_100, seen('web', hangs, 70_100), outcome(stage.open(), 'refuted', 70_100, why));
    t.strictSame(stage.orders(), []);
    t.match(stage.service(), {
      state: 'latched',
      latch: { why: 'it cannot be stopped', evidence: why },
    });
  },
);

t.test('order: what comes after waits, and is stopped first', async (t) => {
  const stage = stageOf(specOf('web', { after: ['service/disk' as ComponentId] }), specOf('disk'));
  stage.at(0, seen('web', { kind: 'stopped' }, 0), seen('disk', { kind: 'stopped' }, 0));
  t.strictSame(stage.orders(), ['start disk']);
  t.equal(stage.service('web').state, 'waiting');
  t.match(stage.service('web').why, /waits for service\/disk/u);
  const up = seen('disk', { kind: 'running', run: 'd1' }, 1);
  stage.at(1, up, outcome(stage.open('disk'), 'verified', 1));
  t.strictSame(stage.orders(), ['start web']);
  stage.at(
    2,
    seen('web', { kind: 'running', run: 'w1' }, 2),
    outcome(stage.open('web'), 'verified', 2),
  );
  stage.at(3, want('stopped', 'disk', 3));
  t.strictSame(stage.orders(), ['stop web'], 'the one above goes first');
  stage.at(4, seen('web', { kind: 'stopped' }, 4), outcome(stage.open('web'), 'verified', 4));
  t.strictSame(stage.orders(), ['stop disk']);
  stage.at(5, seen('disk', { kind: 'stopped' }, 5), outcome(stage.open('disk'), 'verified', 5));
  t.equal(stage.service('disk').state, 'stopped');
  t.equal(stage.service('web').state, 'waiting');
  stage.at(6, want('running', 'disk', 6));
  t.strictSame(stage.orders(), ['start disk']);
  stage.at(
    7,
    seen('disk', { kind: 'running', run: 'd2' }, 7),
    outcome(stage.open('disk'), 'verified', 7),
  );
  t.strictSame(stage.orders(), ['start web']);
  t.equal(stage.service('web').restartsTotal, 0, 'that was no failure');
});

t.test('observed: seen, never moved', async (t) => {
  const stage = stageOf(specOf('web', { wanted: 'observed' }));
  stage.at(0, seen('web', { kind: 'running', run: 'r1' }, 0));
  stage.at(1, seen('web', ended(exitOf('r1')), 1));
  t.strictSame(stage.orders(), []);
  t.match(stage.service(), { state: 'failed', why: 'ended with signal 11' });
  stage.at(2, seen('web', { kind: 'hanging', run: 'r2', why: 'no answer' }, 2));
  t.strictSame(stage.orders(), []);
  t.match(stage.service(), { state: 'failed', why: 'no answer' });
});

t.test('sight that is too old moves nothing', async (t) => {
  const stage = stageOf(specOf('web'));
  running(stage, 'web', 0);
  stage.at(20_001);
  t.match(stage.service(), { state: 'unknown', why: 'not seen for 20 s' });
  t.match(stage.world().components[0], { id: 'service/web', health: 'unknown' });
  t.strictSame(stage.orders(), []);
});

t.test('maintenance holds automatic moves, not those an operator asks for', async (t) => {
  const stage = stageOf(specOf('web'));
  running(stage, 'web', 0);
  const lease = { owner: 'ann', reason: 'upgrade', scope: 'service/*' };
  stage.at(1, { kind: 'word', at: ms(1), word: { kind: 'maintain', lease, forMs: 600_000 } });
  const exit = ended(exitOf('r1'));
  const decisions = stage.at(2, seen('web', exit, 2));
  t.strictSame(stage.orders(), []);
  t.match(
    decisions.filter(({ kind }) => kind === 'refusal'),
    [{ guard: 'maintenance', order: { kind: 'start', service: 'service/web' } }],
  );
  t.match(stage.service(), { state: 'waiting', why: 'held by maintenance of ann: upgrade' });
  t.strictSame(
    stage.at(3, seen('web', exit, 3)).filter(({ kind }) => kind === 'refusal'),
    [],
    'said once',
  );
  stage.at(4, word('restart', 'web', 4));
  t.strictSame(stage.orders(), ['start web']);
});

t.test('a lease that ends lets go of what it held', async (t) => {
  const stage = stageOf(specOf('web'));
  const lease = { owner: 'ann', reason: 'upgrade', scope: '*' };
  stage.at(1, { kind: 'word', at: ms(1), word: { kind: 'maintain', lease, forMs: 1_000 } });
  stage.at(2, seen('web', { kind: 'stopped' }, 2));
  t.strictSame(stage.orders(), []);
  stage.at(1_001);
  t.strictSame(stage.orders(), ['start web']);
});

t.test('operator: stop, start, restart', async (t) => {
  const stage = stageOf(specOf('web'));
  running(stage, 'web', 0);
  stage.at(1, word('restart', 'web', 1));
  t.strictSame(stage.orders(), ['stop web']);
  const exit = ended(exitOf('r1', { value: 15 }));
  stage.at(2, seen('web', exit, 2), outcome(stage.open(), 'verified', 2));
  t.strictSame(stage.orders(), ['start web']);
  stage.at(3, seen('web', { kind: 'running', run: 'r2' }, 3), outcome(stage.open(), 'verified', 3));
  t.match(stage.service(), { state: 'running', restartsTotal: 0, ends: [], wish: undefined });
  stage.at(4, want('stopped', 'web', 4));
  t.strictSame(stage.orders(), ['stop web']);
  const down = ended(exitOf('r2', { value: 15 }));
  stage.at(5, seen('web', down, 5), outcome(stage.open(), 'verified', 5));
  t.equal(stage.service().state, 'stopped');
  t.strictSame(stage.world().components, [], 'nobody misses it');
  stage.at(6, seen('web', down, 6));
  t.strictSame(stage.orders(), []);
  stage.at(7, want('running', 'web', 7));
  t.strictSame(stage.orders(), ['start web']);
});

t.test(
  'a configuration that is read again keeps what is known, and lets go of what it drops',
  async (t) => {
    const stage = stageOf(specOf('web'), specOf('disk'));
    running(stage, 'web', 0);
    running(stage, 'disk', 0);
    stage.at(1, seen('web', ended(exitOf('r1')), 1));
    const judgement = { ...NO_JUDGEMENT, services: [specOf('web', { stopDeadlineMs: 1 })] };
    stage.at(2, { kind: 'judgement', judgement });
    t.strictSame(
      stage.world().services.map(({ spec }) => spec.name),
      ['web'],
    );
    t.equal(stage.service().ends.length, 1);
    t.strictSame(stage.orders(), []);
    t.notOk(stage.world().places.has('service/disk' as ComponentId));
    t.notOk([...stage.world().sources.keys()].some((id) => id === 'services/disk'));
  },
);
