/**
 * One life of a node, by a real agent on a made tree: the mains fail, power is shed and given back, the agent
 * is killed in between, maintenance holds it back; and at each turn an operator asks why and what if.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import {
  agentFolder,
  removeFolder,
  startTestAgent,
  type TestAgent,
  type World,
} from './fakes/agent.ts';
import { until } from './place.ts';

const MAIN = fileURLToPath(new URL('../agent/main.js', import.meta.url));
const POLICY = 'sys/devices/system/cpu/cpufreq/policy0';
const FILES: Readonly<Record<string, string>> = {
  'sys/class/power_supply/AC0/online': '1',
  'sys/class/power_supply/AC0/type': 'Mains',
  'sys/class/power_supply/AC1/online': '1',
  'sys/class/power_supply/AC1/type': 'Mains',
  [`${POLICY}/scaling_governor`]: 'performance',
  [`${POLICY}/scaling_available_governors`]: 'performance powersave',
  'sys/firmware/acpi/platform_profile': 'balanced',
  'sys/firmware/acpi/platform_profile_choices': 'low-power balanced performance',
  'proc/stat': 'cpu 0',
  'run/nothing': '',
};
const CONFIGURATION = `
collectors:
  acpi: {every: 500ms}
rules:
  overrides:
    mains-lost: {keepFor: 1s}
`;

interface Node {
  readonly folder: string;
  readonly start: () => Promise<TestAgent>;
  readonly write: (path: string, text: string) => void;
  readonly read: (path: string) => string;
  readonly ask: (...words: readonly string[]) => { status: number | null; said: string };
}

function node(): Node {
  const folder = agentFolder();
  const path = (name: string): string => join(folder, 'tree', name);
  const write: Node['write'] = (name, text) => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), `${text}\n`);
  };
  for (const [name, text] of Object.entries(FILES)) write(name, text);
  const roots = ['--sysfs', path('sys'), '--procfs', path('proc'), '--runfs', path('run')];
  return {
    folder,
    write,
    read: (name) => readFileSync(path(name), 'utf8').trim(),
    start: () =>
      startTestAgent({ folder, flags: [...roots, '--polling'], configuration: CONFIGURATION }),
    ask: (...words) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...words], {
        encoding: 'utf8',
      });
      return { status, said: stdout + stderr };
    },
  };
}

function alarmOf(world: World, id: string): string {
  return world.alarms.find((one) => one.id === id)?.state ?? 'none';
}

const ALARM = 'mains-lost@supply/AC0';
const GOVERNOR = `${POLICY}/scaling_governor`;

type Asked = (...words: readonly string[]) => string;

function foreseen(t: Test, one: Node, state: readonly string[]): void {
  const { status, said } = one.ask('whatif', 'supply/AC0 failed', '--for', '1m', ...state);
  t.equal(status, 0, said);
  t.match(said, /supposed for 1 min: supply\/AC0 failed/u);
  t.match(said, /\+0 ms +supply\/AC0: ok -> failed/u);
  t.match(said, /\+0 ms +alarm mains-lost@supply\/AC0: none -> raised/u);
  t.match(said, /\+0 ms +action \S+: shed-power/u);
  t.match(said, /\+1 min.* undo shed-power/u);
  t.match(said, /nothing more would happen after 1 min/u);
  t.equal(one.read(GOVERNOR), 'performance', 'and nothing was touched');
}

async function explained(t: Test, why: Asked): Promise<void> {
  const told = (): string => why('mains-lost');
  t.ok(await until(() => /shed-power.*done/u.test(told()), 20_000), told());
  const said = told();
  t.match(said, /alarm mains-lost@supply\/AC0: raised \[critical\]\n {2}AC0 is offline/u);
  t.match(said, /supply\/AC0: failed, offline/u);
  t.match(said, /group supplies\/acpi: exposed, margin 0 \(1 of 2 healthy, 1 needed\)/u);
  t.match(
    said,
    /rule mains-lost \(catalog\): critical, certain, armed\n +if component.health == "failed"/u,
  );
  t.match(said, /read: .*component.health = failed/u);
  t.match(said, /guards asked: maintenance, shadow, doubt/u);
  t.match(said, /1 notify: done \(\S+: verified: taken by log\)/u);
  t.match(said, /2 shed-power .*: done \(\S+: verified: 2 files written and read back/u);
  t.match(said, /detected .*\+0 ms\n +decided .*\n +acted .*\n +seen done /u);
  t.notMatch(said, /restored/u);
  t.match(why('--last'), /action \S+: shed-power|alarm/u);
  const json = JSON.parse(why('mains-lost', '--json')) as Record<string, { id?: string }>;
  t.equal(json.target?.id, ALARM);
}

t.test('the mains fail: foreseen, shed, explained, survived, given back', async (t) => {
  const one = node();
  t.teardown(() => removeFolder(one.folder));
  const state = ['--state', join(one.folder, 'state')];
  const why: Asked = (...words) => one.ask('why', ...words, ...state).said;
  let agent = await one.start();
  t.teardown(() => agent.stop('SIGKILL'));
  await until(() => one.ask('whatif', 'supply/AC0', 'ok', ...state).status === 0, 10_000);
  foreseen(t, one, state);

  one.write('sys/class/power_supply/AC0/online', '0');
  await agent.until((now) => alarmOf(now, ALARM) === 'raised', 'the alarm');
  t.ok(await until(() => one.read(GOVERNOR) === 'powersave', 10_000), 'power is shed');
  t.ok(await until(() => one.read('sys/firmware/acpi/platform_profile') === 'low-power', 10_000));
  await explained(t, why);

  await agent.stop('SIGKILL');
  t.equal(one.read(GOVERNOR), 'powersave', 'a killed agent leaves it');
  t.match(why('mains-lost'), /alarm mains-lost@supply\/AC0: raised/u, 'why needs no agent');

  agent = await one.start();
  await agent.until((now) => alarmOf(now, ALARM) === 'raised', 'the alarm, taken over');
  t.notMatch(agent.said(), /mains-lost.* raised:/u, 'nobody is told twice');
  one.write('sys/class/power_supply/AC0/online', '1');
  await agent.until((now) => alarmOf(now, ALARM) === 'none', 'the alarm cleared');
  t.ok(await until(() => one.read(GOVERNOR) === 'performance', 10_000), 'the next life gives back');
  t.equal(one.read('sys/firmware/acpi/platform_profile'), 'balanced');
  t.ok(await until(() => /alarm mains-lost@supply\/AC0 over:/u.test(agent.said()), 10_000));
  t.match(
    why('mains-lost'),
    /cleared \[critical\][\s\S]*the agent was started anew[\s\S]*restored /u,
  );
  t.equal(await agent.stop(), 0);
  const replayed = one.ask('replay', join(one.folder, 'state/journal'));
  t.equal(replayed.status, 0, replayed.said);
  const other = join(one.folder, 'other.yaml');
  writeFileSync(other, 'rules:\n  overrides:\n    mains-lost: shadow\n', { mode: 0o600 });
  const changed = one.ask('replay', join(one.folder, 'state/journal'), '--rules', other);
  t.equal(changed.status, 1);
  t.match(changed.said, /- action \S+: shed-power/u);
  t.match(changed.said, /\+ refused by guard shadow: shed-power/u);
});

t.test('maintenance holds back what would be done, and nothing else', async (t) => {
  const one = node();
  t.teardown(() => removeFolder(one.folder));
  const run = ['--run', join(one.folder, 'run')];
  let agent = await one.start();
  t.teardown(() => agent.stop('SIGKILL'));
  const lease = one.ask(
    'maintenance',
    'begin',
    '--reason',
    'moving a cable',
    '--for',
    '1h',
    ...run,
  );
  t.equal(lease.status, 0, lease.said);
  await agent.until((now) => now.maintenance.length === 1, 'the lease');
  const decided = (): string => one.ask('why', '--state', join(one.folder, 'state')).said;
  t.ok(await until(() => /maintenance of \* begun/u.test(decided()), 20_000), 'it is on disk');
  await agent.stop('SIGKILL');
  agent = await one.start();
  await agent.until((now) => now.maintenance.length === 1, 'the lease outlives a killed agent');
  const listed = one.ask('maintenance', ...run).said;
  t.match(listed, /^\* {2}by .*, ends in (1 h|59 min).*: moving a cable/u);
  one.write('sys/class/power_supply/AC0/online', '0');
  await agent.until((now) => alarmOf(now, ALARM) === 'raised', 'seen under maintenance too');
  const why = (): string => one.ask('why', ALARM, '--state', join(one.folder, 'state')).said;
  t.ok(await until(() => /1 notify: refused \(by guard maintenance\)/u.test(why()), 20_000), why());
  t.equal(one.read(GOVERNOR), 'performance', 'but nothing is done');
  t.equal(one.ask('maintenance', 'end', ...run).status, 0);
  t.ok(await until(() => one.read(GOVERNOR) === 'powersave', 10_000), 'until it is over');
  t.match(one.ask('maintenance', 'end', ...run), { status: 1, said: /no maintenance to end/u });
});

t.test('names that are not known, or are several, and words that make no sense', async (t) => {
  const one = node();
  t.teardown(() => removeFolder(one.folder));
  const agent = await one.start();
  t.teardown(() => agent.stop('SIGKILL'));
  const state = ['--state', join(one.folder, 'state')];
  await until(() => one.ask('whatif', 'supply/AC0 ok', ...state).status === 0, 10_000);
  const says = (words: readonly string[], status: number, said: RegExp): void => {
    t.match(one.ask(...words, ...state), { status, said }, words.join(' '));
  };
  says(
    ['whatif', 'supply/AC7 failed'],
    1,
    /nothing here is called supply\/AC7; did you mean supply\/AC0\?/u,
  );
  says(['whatif', 'disk/* failed'], 1, /nothing here is called disk\/\*; there are .*supply/u);
  says(['whatif', 'supply/AC0 fialed'], 1, /cannot be fialed \(did you mean 'failed'\?\)/u);
  says(['whatif', 'supply/AC0'], 2, /write pairs/u);
  says(['whatif', 'supply/AC0 failed', '--for', 'long'], 2, /duration/u);
  says(['whatif', 'supply/AC0 failed', '--outcome', 'fine'], 2, /one of verified/u);
  says(
    ['whatif', 'supply/* failed, acpi/supply blind'],
    0,
    /supply\/AC0 failed, supply\/AC1 failed, acpi\/supply blind/u,
  );
  says(['why', 'no/such'], 1, /nothing in the journal is called no\/such/u);
  says(['why'], 0, /./u);
  const never = ['--state', join(one.folder, 'never')];
  t.match(one.ask('why', 'x', ...never), { status: 1, said: /does not exist/u });
  t.match(one.ask('whatif', 'a/b ok', ...never), { status: 1, said: /does not exist/u });
  const run = ['--run', join(one.folder, 'run')];
  t.match(one.ask('maintenance', 'begin', ...run), { status: 2, said: /say why/u });
  t.match(one.ask('maintenance', 'pause', ...run), { status: 2, said: /begin, end or list/u });
  t.match(one.ask('maintenance', 'begin', '--reason', 'x', '--for', '8d', ...run), {
    status: 1,
    said: /at most 7 days/u,
  });
  t.match(one.ask('maintenance', 'list', ...run), { status: 0, said: 'no maintenance\n' });
});
