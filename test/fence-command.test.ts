/** `nospof fence` over real sockets and two behaving switches; the judge is what flows through their relays. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { serveTcp } from '../agent/fake/line-server.ts';
import { serveSnmp } from '../agent/fake/snmp-server.ts';
import { monotonicNow } from '../agent/ports/clock.ts';
import { claim } from '../agent/ports/exclusive.ts';
import { loadProfiles } from '../agent/profiles.ts';
import { type Fault, flows } from '../fencing/fake.ts';

const MAIN = fileURLToPath(new URL('../agent/main.js', import.meta.url));

/** Names of sockets are short. */
function shortFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'nospof-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function nospof(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      err += text;
    });
    child.on('close', (status) => resolve({ status, out, err }));
  });
}

interface Bench {
  readonly fence: (...args: readonly string[]) => Promise<Ended>;
  readonly lives: () => boolean;
  readonly runDir: string;
}

/** A node with two supplies, one at an SNMP switch, one at a switch behind telnet. */
async function bench(t: Test, faults: readonly Fault[], more = ''): Promise<Bench> {
  const { profiles } = await loadProfiles();
  const [rack, strip] = [profiles.get('apc-rpdu')?.device, profiles.get('wti-nps')?.device];
  if (rack?.kind !== 'snmp' || strip?.kind !== 'line') throw new Error('no such profiles');
  const one = await serveSnmp(rack, { faults: [] });
  const other = await serveTcp(strip, { faults, telnet: true });
  t.teardown(async () => {
    await one.close();
    await other.close();
  });
  const folder = t.testdir({});
  const secret = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, `${text}\n`);
    chmodSync(file, 0o600);
    return file;
  };
  const password = secret('password', 'sesame');
  const config = join(folder, 'nospof.yaml');
  writeFileSync(
    config,
    `node: db1
switches:
  pdu:
    profile: apc-rpdu
    address: 127.0.0.1
    port: ${one.port}
    snmp: {version: '1', readFile: ${secret('read', 'public')}, writeFile: ${secret('write', 'private')}}
  strip: {profile: wti-nps, address: 127.0.0.1, port: ${other.port}, over: telnet, passwordFile: ${password}}
nodes:
  db2:
    discharge: 1s
    feeds:
      - {supply: psu1, switch: pdu, outlet: '2'}
      - {supply: psu2, switch: strip, outlet: '3'}
${more}`,
  );
  const runDir = shortFolder(t);
  const flags = ['--config', config, '--run', runDir];
  return {
    fence: (...args) => nospof('fence', ...args, ...flags),
    lives: () =>
      flows(one.now().bank, '2', monotonicNow()) || flows(other.now().bank, '3', monotonicNow()),
    runDir,
  };
}

t.test('two feeds on two switches: off is said when both were seen off', async (t) => {
  const { fence, lives } = await bench(t, []);
  const done = await fence('db2', '--yes');
  t.equal(done.status, 0, done.err + done.out);
  t.match(done.out, /never drilled; off must last 1 s/u);
  t.match(done.out, /db2 is off: all feeds of level 1 were seen off/u);
  t.notOk(lives());
  const again = await fence('db2', '--yes', '--on', '--json');
  t.match(JSON.parse(again.out), { node: 'db2', outcome: { kind: 'off' }, restored: 'yes' });
  t.ok(lives());
});

t.test('one relay sticks: the node is not off, and it is not said to be', async (t) => {
  const { fence, lives } = await bench(t, ['stuck']);
  const done = await fence('db2', '--yes', '--deadline', '8s');
  t.equal(done.status, 1);
  t.match(done.out, /db2 is NOT proven to be off/u);
  t.match(done.out, /Do not start anything of it elsewhere/u);
  t.ok(lives());
});

t.test('what is not done, and why', async (t) => {
  const { fence, lives, runDir } = await bench(t, []);
  t.match(await fence('db3', '--yes'), { status: 2, err: /did you mean 'db2'/u });
  t.match(await fence('db2'), { status: 1, err: /nobody to ask: say it with --yes/u });
  t.match(await fence('db2', '--yes', '--deadline', 'soon'), { status: 2, err: /write 60s/u });
  const held = await claim(runDir, 'fence-db2');
  t.match(await fence('db2', '--yes'), { status: 1, err: /is being fenced already/u });
  if (held.ok) await held.release();
  t.ok(lives(), 'nothing was ordered');
});

t.test('a node does not cut itself', async (t) => {
  const own = `  db1:
    feeds:
      - {supply: psu1, switch: pdu, outlet: '5'}
`;
  const { fence } = await bench(t, [], own);
  t.match(await fence('db1', '--yes'), { status: 1, err: /does not cut its own power/u });
});

t.test('a claim that its process left behind is taken over', async (t) => {
  const runDir = shortFolder(t);
  const script = `import { createServer } from 'node:net'; createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'));`;
  const child = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    script,
    join(runDir, 'one.claim'),
  ]);
  await new Promise((resolve) => child.on('close', resolve));
  const mine = await claim(runDir, 'one');
  t.ok(mine.ok, JSON.stringify(mine));
  t.match(await claim(runDir, 'one'), { ok: false, why: /another process/u });
  if (mine.ok) await mine.release();
  const long = await claim(join(runDir, 'x'.repeat(120)), 'one');
  t.match(long, { ok: false, why: /too long for a socket/u });
});
