/**
 * Services that are processes, under a real agent with a real keeper: what dies is started again, what
 * hangs is killed, what is toxic is left; and neither the agent's end nor the keeper's is theirs.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { denOf, isAlive, pidOf, serviceOf, until } from './fakes/keeper.ts';

const ALWAYS = 'restart: {count: 1000, within: 1h, delays: [0s], settle: 0s}';

t.test('what is killed is started again, and the end is on record', async (t) => {
  const den = denOf(t, ['web']);
  const agent = await den.start(`- {name: web, command: [/bin/sleep, '1000'], ${ALWAYS}}`);
  const first = pidOf(await agent.until((world) => pidOf(world, 'web') > 0, 'it runs'), 'web');
  process.kill(first, 'SIGSEGV');
  const again = await agent.until((world) => ![0, first].includes(pidOf(world, 'web')), 'again');
  t.match(serviceOf(again, 'web'), {
    state: 'running',
    restartsTotal: 1,
    lastExit: { how: 'signal', value: 11 },
  });
  t.match(
    again.components.map(({ id }) => id),
    ['service/web'],
  );
  const { body } = await agent.get('/metrics');
  t.match(body, /nospof_service_state\{service="web",driver="process",state="running"\} 1\n/u);
  t.match(body, /nospof_service_restarts_total\{service="web"\} 1\n/u);
  t.match(body, /nospof_service_last_exit\{service="web",how="signal"\} 11\n/u);
});

t.test('the agent ends, is killed and comes back: nothing is started or stopped', async (t) => {
  const den = denOf(t, ['web', 'db']);
  const marks = den.script('web', '#!/bin/sh\necho start >> "$1"\nexec /bin/sleep 1000\n');
  const services = [
    `- {name: web, command: [${marks}, ${den.path('starts')}], ${ALWAYS}}`,
    `- {name: db, command: [/bin/sleep, '1001'], after: [web], ${ALWAYS}}`,
  ].join('\n');
  const first = await den.start(services);
  const up = await first.until(
    (world) => pidOf(world, 'web') > 0 && pidOf(world, 'db') > 0,
    'both run',
  );
  const pids = [pidOf(up, 'web'), pidOf(up, 'db')];
  const keeper = await den.keeperPid();
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
    const before = await den.start(services).catch(() => undefined);
    await (before ?? first).stop(signal);
    if (before === undefined) await first.stop(signal);
    t.ok(pids.every(isAlive), `they outlive the agent's ${signal}`);
    const next = await den.start(services);
    const seen = await next.until((world) => pidOf(world, 'db') > 0, 'seen again');
    t.strictSame([pidOf(seen, 'web'), pidOf(seen, 'db')], pids);
    t.equal(serviceOf(seen, 'web')?.restartsTotal, 0);
    await next.stop(signal);
  }
  t.equal(await den.keeperPid(), keeper, 'one keeper all the time');
  t.equal(den.read('starts'), 'start\n');
  process.kill(pids[1] ?? 0, 'SIGKILL');
  const last = await den.start(services);
  const seen = await last.until((world) => ![0, pids[1]].includes(pidOf(world, 'db')), 'db again');
  t.match(serviceOf(seen, 'db'), { restartsTotal: 1, lastExit: { how: 'signal', value: 9 } });
  t.equal(pidOf(seen, 'web'), pids[0]);
});

t.test(
  'the keeper is killed: the services run on, and the next keeper takes them up',
  async (t) => {
    const den = denOf(t, ['web']);
    const loud = den.script(
      'loud',
      '#!/bin/sh\nwhile :; do echo "still here" >&2 || exit 9; /bin/sleep 0.05; done\n',
    );
    const agent = await den.start(`- {name: web, command: [${loud}], ${ALWAYS}}`);
    const pid = pidOf(await agent.until((world) => pidOf(world, 'web') > 0, 'it runs'), 'web');
    const keeper = await den.keeperPid();
    process.kill(keeper, 'SIGKILL');
    await agent.until((world) => serviceOf(world, 'web')?.state === 'unknown', 'unknown meanwhile');
    const back = await agent.until((world) => pidOf(world, 'web') > 0, 'seen again');
    t.equal(pidOf(back, 'web'), pid, 'the same process');
    t.not(await den.keeperPid(), keeper);
    t.equal(serviceOf(back, 'web')?.restartsTotal, 0);
    process.kill(pid, 'SIGKILL');
    const again = await agent.until((world) => ![0, pid].includes(pidOf(world, 'web')), 'again');
    // It was no child of this keeper: that it ended is known, how is not.
    t.match(serviceOf(again, 'web'), { restartsTotal: 1, lastExit: { how: 'unknown' } });
    t.equal(serviceOf(again, 'web')?.lastExit?.lastLine, 'still here');
  },
);

t.test('stop: first politely, then all that is left, wherever it went', async (t) => {
  const den = denOf(t, ['stubborn']);
  const stubborn = den.script(
    'stubborn',
    [
      '#!/bin/sh',
      `trap 'echo asked >> ${den.path('asked')}' TERM`,
      `setsid sh -c 'trap "" TERM; echo $$ > ${den.path('far')}; exec sleep 1000' &`,
      `sh -c 'trap "" TERM; echo $$ > ${den.path('near')}; exec sleep 1000' &`,
      'while :; do sleep 0.05; done',
      '',
    ].join('\n'),
  );
  const agent = await den.start(
    `- {name: stubborn, command: [${stubborn}], stopDeadline: 300ms, ${ALWAYS}}`,
  );
  const pid = pidOf(
    await agent.until((world) => pidOf(world, 'stubborn') > 0, 'it runs'),
    'stubborn',
  );
  await until(() => den.read('far') !== '' && den.read('near') !== '', 'its children');
  const children = [Number(den.read('far')), Number(den.read('near'))];
  t.match(den.nospof('service', 'stop', 'stubborn'), {
    status: 0,
    text: 'stubborn is to be stopped\n',
  });
  await agent.until((world) => serviceOf(world, 'stubborn')?.state === 'stopped', 'it is stopped');
  t.equal(den.read('asked'), 'asked\n');
  t.notOk([pid, ...children].some(isAlive), 'nothing is left');
});

t.test('a child that holds the pipe delays nothing, and is not left behind', async (t) => {
  const den = denOf(t, ['web']);
  const script = den.script(
    'leaves',
    [
      '#!/bin/sh',
      `setsid sh -c 'echo $$ >> ${den.path('left')}; exec sleep 1000' &`,
      'sleep 0.2',
      'echo "died of itself" >&2',
      'exit 3',
      '',
    ].join('\n'),
  );
  const agent = await den.start(
    `- {name: web, command: [${script}], restart: {count: 1, within: 1h, delays: [0s], settle: 0s}}`,
  );
  const world = await agent.until((one) => serviceOf(one, 'web')?.state === 'latched', 'latched');
  t.match(serviceOf(world, 'web')?.latch, {
    why: 'failed again after 1 restart within 60 min',
    evidence: 'ended with status 3: died of itself',
  });
  const left = den.read('left').trim().split('\n').map(Number);
  t.equal(left.length, 2);
  await until(() => !left.some(isAlive), 'its children to be gone');
  t.pass('they are gone');
});

t.test('a gigabyte on standard error fills nothing, and its last line is kept', async (t) => {
  const den = denOf(t, ['web']);
  const script = den.script(
    'floods',
    '#!/bin/sh\nhead -c 1000000000 /dev/zero >&2\necho >&2\necho "and then it ended" >&2\nexit 4\n',
  );
  const agent = await den.start(
    `- {name: web, command: [${script}], restart: {count: 0}, stopDeadline: 1s}`,
  );
  const world = await agent.until((one) => serviceOf(one, 'web')?.state === 'latched', 'latched');
  t.equal(serviceOf(world, 'web')?.lastExit?.lastLine, 'and then it ended');
  const status = readFileSync(`/proc/${await den.keeperPid()}/status`, 'utf8');
  t.ok(Number(/VmHWM:\s+(\d+) kB/u.exec(status)?.[1]) < 200_000, 'the keeper stayed small');
});

t.test('a process that is stopped by a signal hangs: it is killed and started anew', async (t) => {
  const den = denOf(t, ['web']);
  const agent = await den.start(
    `- {name: web, command: [/bin/sleep, '1000'], monitors: [{depth: shallow, every: 200ms}], ${ALWAYS}}`,
  );
  const pid = pidOf(await agent.until((world) => pidOf(world, 'web') > 0, 'it runs'), 'web');
  process.kill(pid, 'SIGSTOP');
  const again = await agent.until((world) => ![0, pid].includes(pidOf(world, 'web')), 'again');
  t.notOk(isAlive(pid));
  t.match(serviceOf(again, 'web'), { restartsTotal: 1, lastExit: { value: 9 } });
});

t.test('a check that does not answer: hanging; one that says no: failed', async (t) => {
  const den = denOf(t, ['slow', 'wrong']);
  const check = den.script(
    'check',
    '#!/bin/sh\n[ -e "$1.hang" ] && exec sleep 100\n[ -e "$1.bad" ] && exit 3\nexit 0\n',
  );
  const deep =
    'monitors: [{depth: shallow, every: 1s}, {depth: deep, every: 200ms, deadline: 400ms}]';
  const one = (name: string): string =>
    `- {name: ${name}, command: [/bin/sleep, '1000'], check: [${check}, ${den.path(name)}], ${deep}, ${ALWAYS}}`;
  const agent = await den.start([one('slow'), one('wrong')].join('\n'));
  const up = await agent.until((w) => pidOf(w, 'slow') > 0 && pidOf(w, 'wrong') > 0, 'both run');
  den.script('slow.hang', '');
  den.script('wrong.bad', '');
  const after = await agent.until(
    (w) =>
      (serviceOf(w, 'slow')?.restartsTotal ?? 0) > 0 &&
      (serviceOf(w, 'wrong')?.restartsTotal ?? 0) > 0,
    'both were started anew',
  );
  t.match(serviceOf(after, 'slow')?.ends[0]?.exit.lastLine, /no answer within 400 ms/u);
  t.match(serviceOf(after, 'wrong')?.ends[0]?.exit.lastLine, /check ended with status 3/u);
  t.notOk(isAlive(pidOf(up, 'slow')));
});

t.test(
  'what is not there, or nobody may run, is latched at once; an operator clears it',
  async (t) => {
    const den = denOf(t, ['none', 'nobody']);
    const agent = await den.start(
      [
        `- {name: none, command: [${den.path('later')}]}`,
        "- {name: nobody, command: [/bin/sleep, '1'], user: nobody-of-that-name}",
      ].join('\n'),
    );
    const world = await agent.until(
      (one) => one.services.every(({ state }) => state === 'latched'),
      'both latched',
    );
    t.match(serviceOf(world, 'none')?.latch, {
      why: 'a restart here cannot help',
      evidence: /cannot be started: .*ENOENT/u,
    });
    t.match(serviceOf(world, 'nobody')?.latch?.evidence, /no user 'nobody-of-that-name'/u);
    t.match(den.nospof('service', 'start', 'none'), { status: 1, text: /none is latched/u });
    t.match(den.nospof('service', 'clear', 'non'), { status: 1, text: /did you mean 'none'/u });
    den.script('later', '#!/bin/sh\nexec sleep 1000\n');
    t.match(den.nospof('service', 'clear', 'none'), { status: 0 });
    await agent.until((one) => pidOf(one, 'none') > 0, 'it runs');
    const list = den.nospof('service');
    t.equal(list.status, 1, 'one is not as wanted');
    t.match(list.text, /^NAME +STATE +FOR/u);
    t.match(list.text, /none +running/u);
    t.match(list.text, /nobody +latched +\d+s +wanted running +0 +\/bin\/sleep +a restart here/u);
  },
);

t.test('toxic data: named, and left alone', async (t) => {
  const den = denOf(t, ['eater']);
  const script = den.script(
    'eater',
    '#!/bin/sh\necho $$ >> "$0.runs"\necho "bad record at 0x$$ in line $$" >&2\nkill -SEGV $$\n',
  );
  const agent = await den.start(
    `- {name: eater, command: [${script}], restart: {count: 50, within: 1h, delays: [0s, 10ms], settle: 60s}}`,
  );
  const world = await agent.until((one) => serviceOf(one, 'eater')?.state === 'latched', 'latched');
  const latch = serviceOf(world, 'eater')?.latch;
  t.equal(latch?.why, 'toxic data is likely, 48 more restarts skipped');
  t.match(latch?.evidence, /^3 times the same end, .* ended with signal 11: bad record at 0x/u);
  t.equal(den.read('eater.runs').trim().split('\n').length, 3);
  await until(() => den.read('state/services.json').includes('toxic data'), 'it is written down');
  await agent.stop('SIGKILL');
  const next = await den.start(`- {name: eater, command: [${script}]}`);
  const after = await next.until((one) => serviceOf(one, 'eater')?.state === 'latched', 'latched');
  t.equal(serviceOf(after, 'eater')?.latch?.why, latch?.why, 'the latch outlives the agent');
  t.equal(den.read('eater.runs').trim().split('\n').length, 3);
});
