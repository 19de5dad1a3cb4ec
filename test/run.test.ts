/** The agent from outside: starting, being told no, reloading, ending. Real processes, real ports. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { agentFolder, componentOf, groupOf, removeFolder, startTestAgent } from './fakes/agent.ts';

const MAIN = fileURLToPath(new URL('../agent/main.js', import.meta.url));
const HANG_MS = 20_000;

function nospof(...args: readonly string[]): {
  status: number | null;
  stdout: string;
  stderr: string;
} {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', timeout: HANG_MS });
}

/** True while a process runs; one that has ended and only waits for its parent does not. */
function runs(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/mu.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Those that still run when all had the time that a slow machine needs to end them. */
async function alive(pids: readonly number[]): Promise<readonly number[]> {
  const end = performance.now() + HANG_MS;
  while (pids.some(runs) && performance.now() < end) {
    await new Promise((done) => setTimeout(done, 20));
  }
  return pids.filter(runs);
}

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

t.test('it ends on a signal with nothing left behind', async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const folder = agentFolder();
    const agent = await startTestAgent({ folder });
    const children = childrenOf(agent.process.pid ?? 0);
    t.ok(children.length >= 1, 'it has children');
    t.equal(await agent.stop(signal), 0);
    t.same(await alive(children), [], 'no child is left');
    const server = createServer().listen(agent.port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    t.notOk(existsSync(join(folder, 'run/nospof.sock')), 'nor the socket');
    removeFolder(folder);
  }
});

t.test('killed, its children go with it and the next one starts in the same place', async (t) => {
  const folder = agentFolder();
  t.teardown(() => removeFolder(folder));
  const agent = await startTestAgent({ folder });
  const children = childrenOf(agent.process.pid ?? 0);
  await agent.stop('SIGKILL');
  const next = await startTestAgent({ folder });
  t.same(await alive(children), []);
  t.equal(await next.stop(), 0);
});

t.test('what keeps it from starting is one line and status 2', async (t) => {
  const folder = agentFolder();
  t.teardown(() => removeFolder(folder));
  const own = ['--state', join(folder, 'state'), '--run', join(folder, 'run')];
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = (server.address() as { port: number }).port;
  const busy = nospof('run', ...own, '--listen', `127.0.0.1:${port}`);
  server.close();
  t.match(busy, { status: 2, stderr: new RegExp(`^nospof: 127\\.0\\.0\\.1:${port} .*\n$`, 'u') });

  writeFileSync(join(folder, 'file'), '');
  const unwritable = nospof(
    'run',
    '--state',
    join(folder, 'state'),
    '--run',
    join(folder, 'file/run'),
    '--listen',
    'off',
  );
  t.match(unwritable, { status: 2, stderr: /^[^\n]*file\/run[^\n]*\n$/u });

  const missing = nospof('run', ...own, '--config', join(folder, 'none.yaml'));
  t.match(missing, { status: 2, stderr: /^[^\n]*none\.yaml[^\n]*\n$/u });
});

t.test('a single look says nothing of wakes, which it does not need', (t) => {
  const once = nospof('run', '--once');
  t.match(once, { status: 0, stdout: /one look without an agent/u });
  t.notMatch(once.stderr, /wakes|configured|re-read/u);
  t.end();
});

t.test('a second agent in the same place is told of the first', async (t) => {
  const folder = agentFolder();
  const agent = await startTestAgent({ folder });
  t.teardown(async () => {
    await agent.stop();
    removeFolder(folder);
  });
  const second = nospof(
    'run',
    '--state',
    join(folder, 'state'),
    '--run',
    join(folder, 'run'),
    '--listen',
    'off',
  );
  t.match(second, { status: 2, stderr: /already running/u });
  t.ok((await agent.world()).components.length > 0, 'and the first goes on');
});

t.test('a reload takes a good configuration and keeps the old one for a bad one', async (t) => {
  const folder = agentFolder();
  const agent = await startTestAgent({ folder, configuration: 'node: one\n' });
  t.teardown(async () => {
    await agent.stop();
    removeFolder(folder);
  });
  const file = join(folder, 'nospof.yaml');
  writeFileSync(file, 'groups:\n  - {name: g, kind: links, members: [link/none], needs: 1}\n');
  agent.process.kill('SIGHUP');
  const world = await agent.until(
    (now) => groupOf(now, 'links/g') !== undefined,
    'the group is there',
  );
  t.equal(componentOf(world, 'link/none')?.health, 'absent');
  writeFileSync(file, 'groups: {oops\n');
  agent.process.kill('SIGHUP');
  while (!agent.said().includes('stays in force'))
    await new Promise((done) => setTimeout(done, 20));
  t.match(agent.said(), /nospof\.yaml:\d+:\d+: /u, 'with its place');
  t.ok(groupOf(await agent.world(), 'links/g'), 'and nothing was lost');
});

t.test('the inventory outlives the agent; forget ends the missing', async (t) => {
  const folder = agentFolder();
  t.teardown(() => removeFolder(folder));
  const chip = join(folder, 'tree/sys/class/hwmon/hwmon0');
  mkdirSync(chip, { recursive: true });
  writeFileSync(join(chip, 'name'), 'testchip\n');
  for (const fan of ['fan1', 'fan2']) writeFileSync(join(chip, `${fan}_input`), '1200\n');
  const flags = ['--sysfs', join(folder, 'tree/sys')];
  const first = await startTestAgent({ folder, flags });
  const world = await first.until((now) => now.groups.some((one) => one.kind === 'fans'), 'fans');
  const [fan] = world.components.filter((one) => one.kind === 'fan');
  const id = fan?.id ?? '';
  await first.stop();
  const left = id.endsWith('1') ? 'fan1' : 'fan2';
  t.equal(spawnSync('/usr/bin/rm', [join(chip, `${left}_input`)]).status, 0);
  const second = await startTestAgent({ folder, flags });
  const missed = await second.until(
    (now) => componentOf(now, id)?.health === 'absent',
    'it is missed',
  );
  t.equal(missed.groups.find((one) => one.kind === 'fans')?.standing, 'exposed');
  const present = missed.components.find((one) => one.kind === 'fan' && one.health === 'ok');
  const run = ['--run', join(folder, 'run')];
  t.match(nospof('forget', present?.id ?? '', ...run), {
    status: 1,
    stderr: /only an absent one/u,
  });
  t.match(nospof('forget', id, ...run), { status: 0, stdout: /is forgotten/u });
  await second.until((now) => componentOf(now, id) === undefined, 'it is forgotten');
  await second.stop();
});
