/** Effects: what was ordered is done, read back and told; what was refused is not; nothing is left behind. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { type Dispatch, openDispatch } from '../agent/effects/dispatch.ts';
import type { Notice, Sink } from '../agent/effects/notify.ts';
import { openPower } from '../agent/effects/power.ts';
import { openNotes } from '../agent/effects/power-notes.ts';
import { openPrograms, PROGRAMS_MAX } from '../agent/effects/program.ts';
import { monotonicNow } from '../agent/ports/clock.ts';
import type { Action, ActionId, Decision, Order, Outcome } from '../rules/decision.ts';
import { ms } from '../rules/model.ts';
import type { Deed } from '../rules/rule.ts';
import type { Input, World } from '../rules/world.ts';
import { worldOf } from './fakes/readings.ts';
import { until } from './place.ts';

interface Bench {
  readonly dispatch: Dispatch;
  readonly outcomes: Map<string, Outcome>;
  readonly notices: Notice[];
  readonly troubles: string[];
  readonly order: (id: string, order: Order, deadlineMs?: number) => Promise<Outcome>;
  readonly dir: string;
  readonly sys: (path: string) => string;
}

function actionOf(id: string, order: Order, deadlineMs: number): Action {
  const now = monotonicNow();
  return {
    id: id as ActionId,
    order,
    because: { values: {}, guards: [], text: 'a test' },
    at: now,
    deadlineAt: ms(now + deadlineMs),
  };
}

function worldWith(more: Partial<World>): World {
  return { ...worldOf(), ...more };
}

function bench(
  t: { teardown: (end: () => void) => void },
  sinks: readonly Sink[] = [],
  dir?: string,
): Bench {
  const folder = dir ?? mkdtempSync(join(tmpdir(), 'nospof-effects-'));
  if (dir === undefined) t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const outcomes = new Map<string, Outcome>();
  const notices: Notice[] = [];
  const troubles: string[] = [];
  const tell = (input: Extract<Input, { kind: 'outcome' }>): unknown =>
    outcomes.set(input.action, input.outcome);
  const keep: Sink = { name: 'test', tell: async (notice) => void notices.push(notice) };
  const dispatch = openDispatch({
    now: monotonicNow,
    tell,
    sinks: [...sinks, keep],
    power: openPower(
      join(folder, 'sys'),
      openNotes(folder, (why) => troubles.push(why)),
    ),
    programs: openPrograms(),
    services: undefined,
    onTrouble: (why) => troubles.push(why),
  });
  t.teardown(dispatch.close);
  const order: Bench['order'] = async (id, what, deadlineMs = 5000) => {
    const decision: Decision = { kind: 'action', action: actionOf(id, what, deadlineMs) };
    dispatch.take(worldWith({ decisions: [decision] }));
    await until(() => outcomes.has(id), 10_000);
    return outcomes.get(id) ?? { result: 'unknown', evidence: 'never told' };
  };
  return {
    dispatch,
    outcomes,
    notices,
    troubles,
    order,
    dir: folder,
    sys: (path) => join(folder, 'sys', path),
  };
}

const POLICY = 'devices/system/cpu/cpufreq';
const RAPL = 'class/powercap/intel-rapl:0';

/** Two processors, a platform profile, a package limit of 165 W and one of its cores. */
function powerTree(one: Bench): void {
  const files: Record<string, string> = {
    'firmware/acpi/platform_profile': 'performance',
    'firmware/acpi/platform_profile_choices': 'low-power balanced performance',
    [`${RAPL}/name`]: 'package-0',
    [`${RAPL}/enabled`]: '1',
    [`${RAPL}/constraint_0_name`]: 'long_term',
    [`${RAPL}/constraint_0_power_limit_uw`]: '165000000',
    [`${RAPL}/constraint_0_max_power_uw`]: '150000000',
    [`${RAPL}/constraint_1_name`]: 'short_term',
    [`${RAPL}/constraint_1_power_limit_uw`]: '198000000',
    [`${RAPL}:0/name`]: 'core',
    [`${RAPL}:0/enabled`]: '1',
    [`${RAPL}:0/constraint_0_name`]: 'long_term',
    [`${RAPL}:0/constraint_0_power_limit_uw`]: '90000000',
  };
  for (const policy of ['policy0', 'policy1']) {
    files[`${POLICY}/${policy}/scaling_governor`] = 'performance';
    files[`${POLICY}/${policy}/scaling_available_governors`] = 'performance powersave';
    files[`${POLICY}/${policy}/energy_performance_preference`] = 'performance';
    files[`${POLICY}/${policy}/energy_performance_available_preferences`] =
      'default performance balance_performance balance_power power';
  }
  for (const [path, text] of Object.entries(files)) write(one, path, text);
}

function write(one: Bench, path: string, text: string): void {
  mkdirSync(dirname(one.sys(path)), { recursive: true });
  writeFileSync(one.sys(path), `${text}\n`);
}

function value(one: Bench, path: string): string {
  return readFileSync(one.sys(path), 'utf8').trim();
}

const ALL: Deed = {
  kind: 'shed-power',
  knobs: ['governor', 'energy-preference', 'platform-profile', 'rapl-limit'],
};

const KNOBS = [
  `${POLICY}/policy0/scaling_governor`,
  `${POLICY}/policy1/scaling_governor`,
  `${POLICY}/policy0/energy_performance_preference`,
  `${POLICY}/policy1/energy_performance_preference`,
  'firmware/acpi/platform_profile',
  `${RAPL}/constraint_0_power_limit_uw`,
];

t.test('power is shed on every knob the machine has, and given back', async (t) => {
  const one = bench(t);
  powerTree(one);
  const before = KNOBS.map((path) => value(one, path));
  const shed = await one.order('n-1', ALL);
  t.equal(shed.result, 'verified', shed.evidence);
  t.match(shed.evidence, /^6 files written and read back$/u);
  t.same(
    KNOBS.map((path) => value(one, path)),
    ['powersave', 'powersave', 'power', 'power', 'low-power', '75000000'],
    'half of the lower of limit and maximum; the short term and the parts are left alone',
  );
  t.equal(value(one, `${RAPL}:0/constraint_0_power_limit_uw`), '90000000');
  t.equal(shed.before?.['firmware/acpi/platform_profile'], 'performance -> low-power');
  const again = await one.order('n-2', ALL);
  t.match(again, { result: 'verified' });
  const undo = await one.order('n-3', {
    kind: 'undo',
    action: 'n-2' as ActionId,
    deed: ALL,
    before: again.before ?? {},
  });
  t.equal(undo.result, 'verified');
  const last = await one.order('n-4', {
    kind: 'undo',
    action: 'n-1' as ActionId,
    deed: ALL,
    before: shed.before ?? {},
  });
  t.match(last, { result: 'verified', evidence: /^6 files as before/u });
  t.same(
    KNOBS.map((path) => value(one, path)),
    before,
  );
  t.same(
    JSON.parse(readFileSync(join(one.dir, 'shed-power.json'), 'utf8')),
    {},
    'nothing is noted',
  );
});

t.test('what another hand changed meanwhile is theirs', async (t) => {
  const one = bench(t);
  powerTree(one);
  const shed = await one.order('n-1', { kind: 'shed-power', knobs: ['governor'] });
  write(one, `${POLICY}/policy1/scaling_governor`, 'schedutil');
  const deed = { kind: 'shed-power', knobs: ['governor'] } as const;
  const undo = await one.order('n-2', {
    kind: 'undo',
    action: 'n-1' as ActionId,
    deed,
    before: shed.before ?? {},
  });
  t.match(undo, {
    result: 'verified',
    evidence: /1 file as before; left alone: .*policy1.* by another hand/u,
  });
  t.same(
    KNOBS.slice(0, 2).map((path) => value(one, path)),
    ['performance', 'schedutil'],
  );
});

t.test('a machine without knobs, or with none that can be given back, refutes', async (t) => {
  const one = bench(t);
  t.match(await one.order('n-1', ALL), {
    result: 'refuted',
    evidence: /this machine has no governor; .*no rapl-limit/u,
  });
  write(one, 'firmware/acpi/platform_profile', 'custom');
  write(one, 'firmware/acpi/platform_profile_choices', 'low-power balanced performance custom');
  write(one, `${POLICY}/policy0/scaling_governor`, 'userspace');
  write(one, `${POLICY}/policy0/scaling_available_governors`, 'userspace powersave');
  write(one, `${RAPL}/name`, 'package-0');
  write(one, `${RAPL}/enabled`, '0');
  write(one, `${RAPL}/constraint_0_name`, 'long_term');
  write(one, `${RAPL}/constraint_0_power_limit_uw`, '165000000');
  const { result, evidence } = await one.order('n-2', ALL);
  t.equal(result, 'refuted');
  t.match(evidence, /userspace could not be restored.*custom could not be restored.*not in force/u);
  t.equal(value(one, 'firmware/acpi/platform_profile'), 'custom');
});

t.test(
  'the newer class of platform profiles is used where there is one; frugal enough is left',
  async (t) => {
    const one = bench(t);
    powerTree(one);
    write(one, 'class/platform-profile/platform-profile-0/profile', 'balanced');
    write(one, 'class/platform-profile/platform-profile-0/choices', 'quiet balanced performance');
    const { result } = await one.order('n-1', { kind: 'shed-power', knobs: ['platform-profile'] });
    t.equal(result, 'verified');
    t.equal(value(one, 'class/platform-profile/platform-profile-0/profile'), 'quiet');
    t.equal(value(one, 'firmware/acpi/platform_profile'), 'performance');
    const again = await one.order('n-2', { kind: 'shed-power', knobs: ['platform-profile'] });
    t.match(again, { result: 'verified', evidence: /least on offer already/u });
    t.equal(again.before, undefined);
  },
);

/** Puts a file in the place of a knob that refuses each write, or takes it and reads empty for ever. */
function spoil(one: Bench, path: string, how: 'refuses' | 'lies'): void {
  rmSync(one.sys(path));
  symlinkSync(how === 'refuses' ? '/proc/version' : '/dev/null', one.sys(path));
}

t.test('a file that refuses, and one that lies, are told; the rest is shed', async (t) => {
  const one = bench(t);
  powerTree(one);
  spoil(one, `${POLICY}/policy0/scaling_governor`, 'refuses');
  spoil(one, `${POLICY}/policy1/energy_performance_preference`, 'lies');
  const shed = await one.order('n-1', {
    kind: 'shed-power',
    knobs: ['governor', 'energy-preference'],
  });
  t.equal(shed.result, 'verified');
  t.match(shed.evidence, /^2 files written and read back, but /u);
  t.match(shed.evidence, /policy0\/scaling_governor refuses powersave \(E/u);
  t.match(shed.evidence, /policy1\/energy_performance_preference took power and reads /u);
  t.same(Object.keys(shed.before ?? {}), [
    `${POLICY}/policy1/scaling_governor`,
    `${POLICY}/policy0/energy_performance_preference`,
    `${POLICY}/policy1/energy_performance_preference`,
  ]);
});

t.test('nothing took: refuted, and nothing is left to give back', async (t) => {
  const one = bench(t);
  powerTree(one);
  spoil(one, 'firmware/acpi/platform_profile', 'lies');
  const outcome = await one.order('n-1', { kind: 'shed-power', knobs: ['platform-profile'] });
  t.match(outcome, { result: 'refuted', evidence: /took low-power and reads/u });
  t.equal(outcome.before, undefined);
  t.equal(readFileSync(join(one.dir, 'shed-power.json'), 'utf8'), '{}');
});

t.test('what cannot be given back is said, and stays noted', async (t) => {
  const one = bench(t);
  powerTree(one);
  const deed = { kind: 'shed-power', knobs: ['platform-profile'] } as const;
  const shed = await one.order('n-1', deed);
  rmSync(one.sys('firmware/acpi/platform_profile'));
  const undo = {
    kind: 'undo',
    action: 'n-1' as ActionId,
    deed,
    before: shed.before ?? {},
  } as const;
  t.match(await one.order('n-2', undo), {
    result: 'refuted',
    evidence: /cannot be read \(ENOENT\)/u,
  });
  t.match(readFileSync(join(one.dir, 'shed-power.json'), 'utf8'), /n-1/u);
});

t.test('a killed agent is remembered by what it left', async (t) => {
  const one = bench(t);
  powerTree(one);
  await one.order('n-1', { kind: 'shed-power', knobs: ['platform-profile'] });
  // Its successor in the same folders knows nothing of it.
  const two = bench(t, [], one.dir);
  await two.dispatch.recover(worldWith({}));
  t.equal(value(two, 'firmware/acpi/platform_profile'), 'performance');
  t.match(two.troubles, [/still shed by action n-1 of an agent that ended: verified/u]);
  // One that does know adopts it: it is answered, and left for the alarm to give back.
  const three = bench(t, [], one.dir);
  await three.order('n-2', { kind: 'shed-power', knobs: ['platform-profile'] });
  const four = bench(t, [], one.dir);
  const deed = { kind: 'shed-power', knobs: ['platform-profile'] } as const;
  await four.dispatch.recover(
    worldWith({
      actions: [actionOf('n-2', deed, 1000), actionOf('n-3', { kind: 'notify' }, 1000)],
    }),
  );
  t.match(four.outcomes.get('n-2'), { result: 'verified', evidence: /left by the agent/u });
  t.same(four.outcomes.get('n-2')?.before, {
    'firmware/acpi/platform_profile': 'performance -> low-power',
  });
  t.match(four.outcomes.get('n-3'), { result: 'unknown', evidence: /ended before/u });
  t.equal(value(four, 'firmware/acpi/platform_profile'), 'low-power');
  const undo: Order = { kind: 'undo', action: 'n-2' as ActionId, deed, before: {} };
  t.match(await four.order('n-4', undo), { result: 'verified' });
  t.equal(value(four, 'firmware/acpi/platform_profile'), 'performance', 'by the note alone');
  writeFileSync(join(one.dir, 'shed-power.json'), '{');
  t.match(bench(t, [], one.dir).troubles, [/cannot be understood/u]);
});

t.test('programs: only absolute and safe ones, their status and the deadline decide', async (t) => {
  const one = bench(t);
  const run = (id: string, argv: readonly string[], deadlineMs?: number): Promise<Outcome> =>
    one.order(id, { kind: 'run', argv }, deadlineMs);
  t.match(await run('1', ['/bin/echo', 'well', '$HOME']), {
    result: 'verified',
    evidence: 'exit status 0: well $HOME',
  });
  t.match(await run('2', ['/bin/false']), { result: 'refuted', evidence: /status 1/u });
  t.match(await run('3', ['echo', 'x']), { result: 'refuted', evidence: /no absolute path/u });
  t.match(await run('4', ['/never/there']), { result: 'refuted', evidence: /no program/u });
  t.match(await run('5', []), { result: 'refuted' });
  t.match(await run('6', ['/bin/sleep', '60'], 200), {
    result: 'unknown',
    evidence: /no answer within/u,
  });
  t.match(await run('7', ['/usr/bin/yes']), { result: 'unknown', evidence: /bytes of output/u });
  const open = join(one.dir, 'open.sh');
  writeFileSync(open, '#!/bin/sh\nexit 0\n');
  chmodSync(open, 0o777);
  t.match(await run('8', [open]), { result: 'refuted', evidence: /writable by others/u });
});

t.test('so many programs and not one more', async (t) => {
  const one = bench(t);
  const sleepers = Array.from({ length: PROGRAMS_MAX }, (_, index): Decision => {
    const order: Order = { kind: 'run', argv: ['/bin/sleep', '30'] };
    return { kind: 'action', action: actionOf(`s${index}`, order, 60_000) };
  });
  one.dispatch.take(worldWith({ decisions: sleepers }));
  t.equal(one.dispatch.inFlight(), PROGRAMS_MAX);
  t.match(await one.order('more', { kind: 'run', argv: ['/bin/true'] }), {
    result: 'refuted',
    evidence: /run already/u,
  });
  one.dispatch.close();
  t.ok(await until(() => one.dispatch.inFlight() === 0, 5000), 'closing kills them');
  t.notOk(one.outcomes.has('s0'), 'and tells nothing of it: the next life will');
});

t.test('notices go to every sink; one that takes it is enough', async (t) => {
  const broken: Sink = { name: 'pager', tell: () => Promise.reject(new Error('no line')) };
  const one = bench(t, [broken]);
  const told = await one.order('1', { kind: 'notify' });
  t.same(told, { result: 'verified', evidence: 'taken by test; not by pager: no line' });
  await one.order('2', {
    kind: 'undo',
    action: '1' as ActionId,
    deed: { kind: 'notify' },
    before: {},
  });
  t.same(
    one.notices.map(({ news, text }) => [news, text]),
    [
      ['raised', 'a test'],
      ['over', 'a test'],
    ],
  );
});

t.test(
  'what was refused, in shadow or by a guard, is not done; what has no effect here is refuted',
  async (t) => {
    const one = bench(t);
    const because = { values: {}, guards: [], text: '' } as const;
    const order: Order = { kind: 'run', argv: ['/bin/touch', join(one.dir, 'touched')] };
    one.dispatch.take(
      worldWith({ decisions: [{ kind: 'refusal', guard: 'shadow', order, because }] }),
    );
    t.match(await one.order('1', { kind: 'fence', node: 'b' }), {
      result: 'refuted',
      evidence: /cluster/u,
    });
    t.match(await one.order('2', { kind: 'handover', hierarchy: 'h' }), { result: 'refuted' });
    t.match(await one.order('3', { kind: 'start', service: 'service/x' as never }), {
      result: 'refuted',
    });
    t.notOk(existsSync(join(one.dir, 'touched')));
    t.equal(one.outcomes.size, 3);
  },
);
