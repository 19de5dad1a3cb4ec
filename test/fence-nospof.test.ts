/**
 * `fence_nospof`, called as its callers call it: by lines, by flags, and by Pacemaker's own fencer, which
 * cuts a node through it. The judge is what flows through the relays of a behaving switch.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { serveSnmp } from '../agent/fake/snmp-server.ts';
import { parameters } from '../agent/fence-nospof-api.ts';
import { monotonicNow } from '../agent/ports/clock.ts';
import { claim } from '../agent/ports/exclusive.ts';
import { loadProfiles } from '../agent/profiles.ts';
import { type Fault, flows } from '../fencing/fake.ts';

const AGENT = fileURLToPath(new URL('../agent/fence-nospof.js', import.meta.url));
const MAIN = fileURLToPath(new URL('../agent/main.js', import.meta.url));
/** Where Pacemaker looks for agents, and its fencer. */
const AGENTS = '/usr/sbin';
const FENCER = '/usr/lib/pacemaker/pacemaker-fenced';
/** A hang bound. */
const READY_MS = 20_000;

interface Ended {
  readonly status: number | null;
  readonly out: string;
}

function run(program: string, argv: readonly string[], input?: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        out += text;
      });
    }
    child.stdin.end(input ?? '');
    child.on('close', (status) => resolve({ status, out }));
  });
}

interface Bench {
  readonly config: string;
  readonly runDir: string;
  readonly call: (action: string, plug?: string, more?: string) => Promise<Ended>;
  readonly lives: (outlet: string) => boolean;
}

/** Two nodes of two supplies at one switch. */
async function bench(t: Test, faults: readonly Fault[] = [], slow = '1s'): Promise<Bench> {
  const { profiles } = await loadProfiles();
  const device = profiles.get('apc-rpdu')?.device;
  if (device?.kind !== 'snmp') throw new Error('no profile');
  const server = await serveSnmp(device, { faults });
  const folder = mkdtempSync(join(tmpdir(), 'nospof-'));
  t.teardown(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const secret = (name: string): string => {
    const path = join(folder, name);
    writeFileSync(path, name);
    chmodSync(path, 0o600);
    return path;
  };
  const config = join(folder, 'nospof.yaml');
  const runDir = join(folder, 'run');
  const feeds = (one: number, discharge: string): string =>
    `{discharge: ${discharge}, feeds: [{supply: psu1, switch: pdu, outlet: '${one}'}, {supply: psu2, switch: pdu, outlet: '${one + 1}'}]}`;
  writeFileSync(
    config,
    `node: db1
run: ${runDir}
switches:
  pdu: {profile: apc-rpdu, address: 127.0.0.1, port: ${server.port}, snmp: {version: '1', readFile: ${secret('public')}, writeFile: ${secret('private')}}}
nodes:
  db2: ${feeds(2, '1s')}
  db3: ${feeds(4, slow)}
`,
  );
  const call: Bench['call'] = (action, plug, more = '') => {
    const lines = [`action=${action}`, `config=${config}`, 'nodename=x', 'unknown=y', more];
    if (plug !== undefined) lines.push(`plug=${plug}`);
    return run(process.execPath, [AGENT], `${lines.join('\n')}\n`);
  };
  return {
    config,
    runDir,
    call,
    lives: (outlet) => flows(server.now().bank, outlet, monotonicNow()),
  };
}

t.test('parameters come as lines or as flags, and old names count', async (t) => {
  t.same(parameters([], '# note\naction = off\nport=db2\nuser=x\n'), {
    action: 'off',
    plug: 'db2',
  });
  t.same(parameters(['-o', 'status', '--plug=db2', '--verbose'], ''), {
    action: 'status',
    plug: 'db2',
  });
  t.match(parameters(['--timeout=soon'], ''), /no number of seconds/u);
});

t.test('status, off, on, reboot of one plug and of two', async (t) => {
  const { call, lives } = await bench(t);
  t.match(await call('status', 'db2'), { status: 0, out: /db2 is on/u });
  t.match(await call('off', 'db2'), { status: 0 });
  t.notOk(lives('2') || lives('3'));
  t.ok(lives('4'), 'the other node is untouched');
  t.match(await call('status', 'db2'), { status: 2, out: /db2 is off/u });
  t.match(await call('list-status'), { status: 0, out: /db2,,OFF\ndb3,,ON/u });
  t.match(await call('monitor'), { status: 0 });
  t.match(await call('on', 'db2'), { status: 0 });
  t.ok(lives('2') && lives('3'));
  t.match(await call('reboot', 'db2,db3'), { status: 0 });
  t.ok(['2', '3', '4', '5'].every(lives), 'both are on again');
});

t.test('what fails says why and is no success', async (t) => {
  const { call, lives } = await bench(t, ['stuck']);
  t.match(await call('off', 'db2', 'timeout=3'), { status: 1, out: /not proven to be off/u });
  t.ok(lives('2'));
  t.match(await call('off', 'db9'), {
    status: 1,
    out: /no power plan for 'db9' \(known: db2, db3/u,
  });
  t.match(await call('off'), { status: 1, out: /needs plug=NODE/u });
  t.match(await call('dance', 'db2'), { status: 1, out: /unknown action 'dance'/u });
});

t.test(
  'one fence at a time for each plug, and several are off together or not at all',
  async (t) => {
    const { config, runDir, call, lives } = await bench(t, [], '9s');
    const held = await claim(runDir, 'fence-db3');
    if (!held.ok) throw new Error(held.why);
    for (const action of ['off', 'on', 'reboot']) {
      t.match(await call(action, 'db2,db3'), { status: 1, out: /db3 is being fenced already/u });
    }
    t.ok(['2', '3', '4', '5'].every(lives), 'nothing was ordered');
    await held.release();
    const both = call('off', 'db2,db3');
    while (['2', '3', '4', '5'].some(lives)) await pause(50);
    // The fence of db2 has ended and db3 still runs down when somebody gives db2 its power back.
    await pause(4_000);
    const again = ['switch', 'on', 'pdu', '2', '--yes', '--config', config];
    t.match(await run(process.execPath, [MAIN, ...again]), { status: 0 });
    t.match(await both, { status: 1, out: /db2 is not proven to be off/u });
  },
);

/** Pacemaker's fencer by itself, without a cluster. */
async function fencer(t: Test): Promise<void> {
  const child: ChildProcess = spawn(FENCER, ['--stand-alone'], { stdio: 'ignore' });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  t.teardown(async () => {
    child.kill('SIGTERM');
    await gone;
  });
  const until = Date.now() + READY_MS;
  while ((await run('stonith_admin', ['--list-registered'])).status !== 0) {
    if (Date.now() > until || child.exitCode !== null) throw new Error('no fencer');
    await pause(200);
  }
}

t.test('Pacemaker reads it, validates it, and cuts a node through it', async (t) => {
  const { config, lives } = await bench(t);
  const name = `fence_nospof_${process.pid}`;
  chmodSync(AGENT, 0o755);
  symlinkSync(AGENT, join(AGENTS, name));
  t.teardown(() => rmSync(join(AGENTS, name)));
  const metadata = await run('stonith_admin', ['--metadata', '--agent', name]);
  t.match(metadata, { status: 0, out: /<parameter name="plug"/u });
  const options = ['-o', 'plug=db2', '-o', `config=${config}`];
  const valid = await run('stonith_admin', ['--validate', '--agent', name, ...options]);
  t.match(valid, { status: 0, out: /succeeded/u });
  const odd = ['-o', 'plug=db9', '-o', `config=${config}`];
  const invalid = await run('stonith_admin', ['--validate', '--agent', name, ...odd]);
  t.not(invalid.status, 0, 'a plug that does not exist is no good device');
  await fencer(t);
  const device = ['--register', 'power', '--agent', name, ...options, '-o', 'pcmk_host_list=db2'];
  t.match(await run('stonith_admin', device), { status: 0 });
  t.match(await run('stonith_admin', ['--fence', 'db2', '--timeout', '60']), { status: 0 });
  t.notOk(lives('2') || lives('3'));
  t.ok(lives('4'));
});
