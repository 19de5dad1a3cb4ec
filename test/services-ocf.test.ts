/**
 * Resource agents: Debian's own under a real agent, and ill ones of our making under the driver. An agent
 * may hang, ignore signals, print without end, leave a daemon on its output or answer with any number:
 * what is said of the service must be true, and nothing may be left waiting.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Driver } from '../agent/services/driver.ts';
import { ocfDriver } from '../agent/services/ocf/driver.ts';
import { parseMeta } from '../agent/services/ocf/metadata.ts';
import type { ServiceSeen } from '../rules/service.ts';
import { agentFolder, removeFolder, startTestAgent, type TestAgent } from './fakes/agent.ts';
import { isAlive, serviceOf, until } from './fakes/keeper.ts';
import { specOf } from './fakes/services.ts';

const QUIET =
  'collectors: {acpi: off, fans: off, gateways: off, kernel: off, mdraid: off, multipath: off, nics: off, psus: off, sensors: off}';
const LOOKS = 'monitors: [{depth: shallow, every: 300ms}]';
const AGAIN = 'restart: {count: 1000, within: 1h, delays: [0s], settle: 0s}';

function folderOf(t: Test): string {
  const folder = agentFolder();
  t.teardown(() => removeFolder(folder));
  return folder;
}

async function started(
  t: Test,
  services: string,
  folder = folderOf(t),
  prefix: readonly string[] = [],
): Promise<TestAgent> {
  const configuration = `${QUIET}\nservices:\n${services}\n`;
  const agent = await startTestAgent({ folder, configuration, prefix });
  t.teardown(() => agent.stop('SIGKILL'));
  return agent;
}

t.test("Debian's Dummy: started, lost, started again, stopped", async (t) => {
  const folder = folderOf(t);
  const state = join(folder, 'dummy.state');
  const agent = await started(
    t,
    `- {name: dummy, ocf: 'ocf:heartbeat:Dummy', parameters: {state: ${state}}, ${LOOKS}, ${AGAIN}}`,
    folder,
  );
  await agent.until((world) => serviceOf(world, 'dummy')?.state === 'running', 'it runs');
  removeFolder(state);
  const again = await agent.until(
    (world) =>
      serviceOf(world, 'dummy')?.restartsTotal === 1 &&
      serviceOf(world, 'dummy')?.state === 'running',
    'it was started again',
  );
  t.match(serviceOf(again, 'dummy')?.lastExit, { how: 'status', value: 7 });
  t.equal(await agent.stop('SIGTERM'), 0);
  t.ok(readFileSync(state), 'the end of the agent stops nothing');
});

/**
 * A namespace whose init reaps at once, for `anything` takes a zombie for a process, and where the tests
 * run as a guest nobody may reap orphans for a while. It starts by a login shell: root's own profile, which
 * may take its time, is out of sight.
 */
const REAPED = [
  ...['unshare', '--pid', '--mount', '--fork', '--mount-proc', '--kill-child', '--', 'bash', '-c'],
  'for f in /root/.profile /root/.bash_profile /root/.bash_login; do [ -e $f ] && mount --bind /dev/null $f; done; "$@" & wait $!',
  'bash',
];

t.test("Debian's anything: the daemon it starts is the service", async (t) => {
  const folder = folderOf(t);
  const pidfile = join(folder, 'any.pid');
  const agent = await started(
    t,
    `- {name: any, ocf: 'ocf:heartbeat:anything', parameters: {binfile: /bin/sleep, cmdline_options: '1000', pidfile: ${pidfile}}, ${LOOKS}, ${AGAIN}}`,
    folder,
    REAPED,
  );
  await agent.until((world) => serviceOf(world, 'any')?.state === 'running', 'it runs');
  const first = readFileSync(pidfile, 'utf8').trim();
  const unshare = agent.process.pid;
  const init = readFileSync(`/proc/${unshare}/task/${unshare}/children`, 'utf8').trim();
  spawnSync('nsenter', ['-t', init, '-p', '--', 'kill', '-KILL', first]);
  await agent.until((world) => (serviceOf(world, 'any')?.restartsTotal ?? 0) > 0, 'again');
  const up = await agent.until((world) => serviceOf(world, 'any')?.state === 'running', 'it is up');
  t.not(readFileSync(pidfile, 'utf8').trim(), first);
  t.match(serviceOf(up, 'any')?.ends[0]?.exit, { how: 'status', value: 1 });
});

t.test("Debian's Filesystem and IPaddr2, one after the other, in namespaces", async (t) => {
  const folder = folderOf(t);
  const mount = join(folder, 'tree');
  const agent = await started(
    t,
    [
      `- {name: ip, ocf: 'ocf:heartbeat:IPaddr2', parameters: {ip: 192.0.2.7, nic: lo, cidr_netmask: '32'}, after: [disk], ${LOOKS}, ${AGAIN}}`,
      `- {name: disk, ocf: 'ocf:heartbeat:Filesystem', parameters: {device: tmpfs, directory: ${mount}, fstype: tmpfs}, ${LOOKS}, ${AGAIN}}`,
    ].join('\n'),
    folder,
    ['unshare', '--net', '--mount', '--'],
  );
  const pid = String(agent.process.pid);
  const inside = (...words: readonly string[]): string =>
    spawnSync('nsenter', ['-t', pid, '-n', '-m', '--', ...words], { encoding: 'utf8' }).stdout;
  const up = await agent.until(
    (world) => world.services.every(({ state }) => state === 'running'),
    'both run',
  );
  t.match(inside('ip', '-4', 'address', 'show', 'lo'), /192\.0\.2\.7/u);
  t.match(inside('cat', '/proc/mounts'), new RegExp(`tmpfs ${mount} `, 'u'));
  t.ok((serviceOf(up, 'disk')?.since ?? 0) <= (serviceOf(up, 'ip')?.since ?? 0));
  inside('ip', 'address', 'del', '192.0.2.7/32', 'dev', 'lo');
  await agent.until((world) => (serviceOf(world, 'ip')?.restartsTotal ?? 0) > 0, 'restarted');
  await agent.until((world) => serviceOf(world, 'ip')?.state === 'running', 'it is back');
  t.match(inside('ip', '-4', 'address', 'show', 'lo'), /192\.0\.2\.7/u);
  inside('umount', mount);
  await agent.until((world) => (serviceOf(world, 'disk')?.restartsTotal ?? 0) > 0, 'restarted');
  await agent.until((world) => serviceOf(world, 'disk')?.state === 'running', 'mounted again');
});

t.test('an agent that says not configured is latched with its reason', async (t) => {
  const agent = await started(
    t,
    `- {name: ip, ocf: 'ocf:heartbeat:IPaddr2', parameters: {ip: not-an-address}, ${LOOKS}}`,
  );
  const world = await agent.until((one) => serviceOf(one, 'ip')?.state === 'latched', 'latched');
  const latch = serviceOf(world, 'ip')?.latch;
  t.equal(latch?.why, 'a restart here cannot help');
  t.match(latch?.evidence, /^start said 6 \(not configured\): /u);
});

/** A driver over an agent of our making. `body` is the shell code of its actions. */
function ill(t: Test, body: string): { driver: Driver; sights: ServiceSeen[]; folder: string } {
  const folder = folderOf(t);
  const place = join(folder, 'ocf/resource.d/test');
  mkdirSync(place, { recursive: true });
  const path = join(place, 'Ill');
  writeFileSync(path, `#!/bin/sh\nHERE=${folder}\n${body}\n`, { mode: 0o755 });
  const sights: ServiceSeen[] = [];
  const spec = specOf('ill', {
    driver: { kind: 'ocf', agent: 'ocf:test:Ill', parameters: { a: 'b c' } },
  });
  const driver = ocfDriver(join(folder, 'ocf'))(spec, (seen) => sights.push(seen));
  t.teardown(() => driver.close());
  return { driver, sights, folder };
}

t.test('every return code, to monitor and to start', async (t) => {
  const { driver, sights, folder } = ill(
    t,
    'echo "ocf-exit-reason:reason of $1" >&2; [ $1 = start ] && exit $(cat $HERE/start); exit $(cat $HERE/monitor)',
  );
  const set = (start: number, monitor: number): void => {
    writeFileSync(join(folder, 'start'), String(start));
    writeFileSync(join(folder, 'monitor'), String(monitor));
  };
  const expected: readonly (readonly [number, Partial<ServiceSeen>])[] = [
    [7, { kind: 'stopped' }],
    [0, { kind: 'running' }],
    [8, { kind: 'running' }],
    [190, { kind: 'running', why: 'degraded: reason of monitor' }],
    [191, { kind: 'running', why: 'degraded, promoted: reason of monitor' }],
    [1, { kind: 'failed', why: 'generic error: reason of monitor', remains: true }],
    [9, { kind: 'failed', remains: true }],
    [3, { kind: 'unknown' }],
    [2, { kind: 'failed', lasting: true }],
    [4, { kind: 'failed', lasting: true }],
    [5, { kind: 'failed', lasting: true }],
    [6, { kind: 'failed', why: 'not configured: reason of monitor', lasting: true }],
    [77, { kind: 'failed', why: 'error 77 of its own: reason of monitor', remains: true }],
  ];
  for (const [code, is] of expected) {
    set(0, code);
    t.match(await driver.look('shallow', 5_000), is, `monitor ${code}`);
  }
  const starts: readonly (readonly [number, number, string, Partial<ServiceSeen>])[] = [
    [0, 0, 'verified', { kind: 'running' }],
    [0, 7, 'refuted', { kind: 'failed', remains: true }],
    [1, 7, 'refuted', { kind: 'failed', why: 'start said 1 (generic error): reason of start' }],
    [5, 7, 'refuted', { kind: 'failed', lasting: true }],
    [6, 7, 'refuted', { kind: 'failed', lasting: true }],
    [1, 0, 'verified', { kind: 'running' }],
  ];
  for (const [start, monitor, result, is] of starts) {
    set(start, monitor);
    t.match(await driver.perform('start', 8_000), { result }, `start ${start}, monitor ${monitor}`);
    t.match(sights.at(-1), is);
  }
});

t.test('the same failure seen again is the same end', async (t) => {
  const exits: string[] = [];
  const two = ill(t, 'exit $(cat $HERE/code)');
  for (const code of [0, 1, 1, 0, 1]) {
    writeFileSync(join(two.folder, 'code'), String(code));
    const seen = await two.driver.look('shallow', 5_000);
    if (seen.kind === 'failed') exits.push(seen.exit?.run ?? '');
  }
  t.equal(exits[0], exits[1]);
  t.not(exits[1], exits[2]);
});

t.test('environment, arguments and depth are those of the standard', async (t) => {
  const { driver, folder } = ill(
    t,
    '[ $OCF_CHECK_LEVEL = 10 ] && exit 3; { echo "$# $1"; env; } > $HERE/env; exit 0',
  );
  t.match(
    await driver.look('deep', 5_000),
    { kind: 'running' },
    'a depth it lacks is not asked again',
  );
  const lines = readFileSync(join(folder, 'env'), 'utf8').split('\n');
  for (const line of [
    '1 monitor',
    'OCF_RESKEY_a=b c',
    'OCF_RESOURCE_INSTANCE=ill',
    'OCF_RESOURCE_TYPE=Ill',
    'OCF_RESOURCE_PROVIDER=test',
    'OCF_CHECK_LEVEL=0',
    'OCF_RESKEY_CRM_meta_timeout=5000',
    'OCF_RA_VERSION_MAJOR=1',
    'LC_ALL=C',
  ]) {
    t.ok(lines.includes(line), line);
  }
});

t.test('an action that does not end and ignores signals is killed with its children', async (t) => {
  const { driver, sights, folder } = ill(
    t,
    [
      '[ $1 = monitor ] && exit 7',
      "trap '' TERM INT HUP",
      "sh -c 'trap \"\" TERM; echo $$ > '$HERE'/child; exec sleep 1000' &",
      'echo "ocf-exit-reason:waiting for the array" >&2',
      'while :; do sleep 1; done',
    ].join('\n'),
  );
  t.match(await driver.perform('start', 1_200), {
    result: 'refuted',
    evidence: 'start did not end in time and was killed: waiting for the array; it is stopped',
  });
  t.match(sights.at(-1), { kind: 'failed', remains: true, exit: { how: 'unknown' } });
  const child = Number(readFileSync(join(folder, 'child'), 'utf8'));
  await until(() => !isAlive(child), 'its child to be gone');
});

t.test('a monitor that does not answer: hanging; a stop that does not help: said', async (t) => {
  const { driver } = ill(t, '[ $1 = stop ] && exit 0; exec sleep 1000');
  t.match(await driver.look('shallow', 300), {
    kind: 'hanging',
    why: 'no answer to monitor within 0.3 s',
  });
  t.match(await driver.perform('stop', 1_000), { result: 'unknown' });
  const other = ill(t, '[ $1 = stop ] && exit 1; exit 0');
  t.match(await other.driver.perform('stop', 2_000), {
    result: 'refuted',
    evidence: 'stop said 1 (generic error); it is running',
  });
});

t.test('a gigabyte of output fills nothing and holds up nothing', async (t) => {
  const { driver } = ill(t, 'head -c 1000000000 /dev/zero | tee /dev/stderr; exit 0');
  const before = process.memoryUsage().rss;
  t.match(await driver.look('shallow', 20_000), {
    kind: 'unknown',
    why: 'monitor was killed by us: it floods its output',
  });
  t.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024);
});

t.test('a daemon that holds the output is neither waited for nor killed', async (t) => {
  const { driver, folder } = ill(
    t,
    ['if [ $1 = start ]; then', '  sleep 1000 &', '  echo $! > $HERE/daemon', 'fi', 'exit 0'].join(
      '\n',
    ),
  );
  t.match(await driver.perform('start', 8_000), { result: 'verified' });
  const daemon = Number(readFileSync(join(folder, 'daemon'), 'utf8'));
  t.ok(isAlive(daemon));
  process.kill(daemon, 'SIGKILL');
});

t.test(
  'an agent that vanished, or that others may write, says nothing of the service',
  async (t) => {
    const { driver, folder } = ill(t, 'exit 0');
    const path = join(folder, 'ocf/resource.d/test/Ill');
    spawnSync('chmod', ['666', path]);
    t.match(await driver.look('shallow', 1_000), { kind: 'unknown', why: /cannot be run/u });
    spawnSync('chmod', ['777', path]);
    t.match(await driver.look('shallow', 1_000), { kind: 'unknown', why: /written by others/u });
    removeFolder(path);
    t.match(await driver.look('shallow', 1_000), { kind: 'unknown', why: /no resource agent/u });
    t.match(await driver.perform('start', 1_000), { result: 'refuted' });
  },
);

t.test('meta-data that is none is refused', async (t) => {
  for (const text of ['', 'hello', '<resource-agent name="x">', '<a/></resource-agent>']) {
    t.match(parseMeta(text), { ok: false }, JSON.stringify(text));
  }
  t.match(
    parseMeta(
      '<resource-agent name="x"><!-- <parameter name="no"/> --><longdesc><parameter name="neither"/></longdesc>' +
        '<parameter name="a" required="1"><content type="string"/></parameter>' +
        "<parameter required='1' name='b'><content default='2'/></parameter><parameter name=\"c\"/>" +
        '<actions><action name="start" timeout="1min"/><action name="monitor" timeout="5"/><action name="monitor" timeout="7s" depth="10"/></actions>' +
        '</resource-agent>',
    ),
    {
      ok: true,
      meta: {
        parameters: [
          { name: 'a', required: true },
          { name: 'b', required: false },
          { name: 'c', required: false },
        ],
        timeoutsMs: { start: 60_000, monitor: 7_000 },
      },
    },
  );
});
