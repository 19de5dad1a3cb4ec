/**
 * Devices that are asked by programs: the machine against programs that fail in every way, and against the
 * real ones: ipmitool and a BMC simulator over RMCP+, Debian's fence agents and what they switch.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { SwitchDevice } from '../../agent/effects/switches.ts';
import { serveSnmp } from '../../agent/fake/snmp-server.ts';
import { monotonicNow } from '../../agent/ports/clock.ts';
import { loadProfiles, profileFrom } from '../../agent/profiles.ts';
import { openSwitch } from '../../agent/switches.ts';
import { flows } from '../../fencing/fake.ts';
import type { Profile } from '../../fencing/profile.ts';
import type { SwitchConfig } from '../../rules/config.ts';
import { cacheAt } from '../lab/host/files.ts';
import { openIpmi } from '../lab/host/power-ipmi.ts';
import { openRunFolder } from '../lab/host/run-folder.ts';

const { profiles } = await loadProfiles();
const NONE = { secrets: {}, fallsWith: [] } as const;

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'nospof-program-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function file(folder: string, name: string, text: string, mode: number): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

async function opened(
  config: SwitchConfig,
  more: ReadonlyMap<string, Profile> = profiles,
  folders?: readonly string[],
): Promise<SwitchDevice> {
  const made = await openSwitch(config, more, folders === undefined ? {} : { folders });
  if (!made.ok) throw new Error(`${made.problem.message} (${made.problem.mend})`);
  return made.device;
}

// --- programs that fail ---------------------------------------------------------------------------

const MADE = `title: made
confidence: low
evidence: [made]
timing: {settleMs: 10, pollMs: 20, answerMs: 2000, deadlineMs: 4000}
program:
  program: made-switch
  every: {argv: ['{address}', '{outlet}']}
  read: {argv: [status]}
  off: {argv: ['off']}
  on: {argv: ['on']}
  told: line
  values: {off: [is off], on: [is on]}
`;

/** A switch that is a program with its relays in files; `mood` says how it misbehaves. */
function program(mood: string): string {
  return `#!/usr/bin/env node
const { existsSync, writeFileSync, rmSync } = require('node:fs');
const [relays, outlet, action] = process.argv.slice(2);
const off = relays + '/off-' + outlet;
const mood = ${JSON.stringify(mood)};
if (action === 'off' && mood !== 'deaf') writeFileSync(off, '');
if (action === 'on') rmSync(off, { force: true });
if (mood === 'hangs') setInterval(() => undefined, 1000);
else if (mood === 'floods') { for (;;) require('node:fs').writeSync(1, 'is off\\n'.repeat(100000)); }
else if (mood === 'fails') { console.error('no route'); process.exitCode = 1; console.log('is off'); }
else if (mood === 'refuses' && action !== 'status') { console.error('denied'); process.exitCode = 1; }
else if (mood === 'both') console.log('is on\\nis off');
else if (mood === 'garbage') console.log('is offline');
else if (mood === 'silent') process.exitCode = 0;
else if (action === 'status') console.log(existsSync(off) ? 'is off' : 'is on');
`;
}

async function madeSwitch(
  t: Test,
  mood: string,
): Promise<{ device: SwitchDevice; folder: string }> {
  const folder = folderOf(t);
  chmodSync(folder, 0o755);
  file(folder, 'made-switch', program(mood), 0o755);
  const { profile, problems } = await profileFrom({
    name: 'made',
    file: 'made.yaml',
    text: MADE,
    writableByAll: false,
  });
  if (profile === undefined) throw new Error(JSON.stringify(problems));
  const config: SwitchConfig = { ...NONE, name: 'm', profile: 'made', address: folder };
  return { device: await opened(config, new Map([['made', profile]]), [folder]), folder };
}

t.test('a healthy program: looks, orders once, and looks again', async (t) => {
  const { device } = await madeSwitch(t, 'well');
  const outlets = [{ id: 'a' }, { id: 'b' }];
  const off = await device.perform({ want: 'off', outlets });
  t.match(off, { ordered: true, outlets: [{ state: 'off' }, { state: 'off' }] });
  t.match(await device.perform({ want: 'off', outlets }), { ordered: false }, 'off already');
  const on = await device.perform({ want: 'on', outlets: [{ id: 'b' }] });
  t.match(on, { outlets: [{ outlet: 'b', state: 'on' }] });
  const read = await device.perform({ want: 'read', outlets });
  t.match(read.outlets, [{ state: 'off' }, { state: 'on' }]);
});

for (const mood of ['hangs', 'floods', 'fails', 'both', 'garbage', 'silent', 'deaf']) {
  t.test(`a program that ${mood} gives no false off`, async (t) => {
    const { device } = await madeSwitch(t, mood);
    const reply = await device.perform({ want: 'off', outlets: [{ id: 'a' }] }, 1_500);
    t.not(reply.outlets[0]?.state, 'off', JSON.stringify(reply));
    t.ok(reply.outlets[0]?.why);
  });
}

t.test('an order whose program fails is judged by the look after it', async (t) => {
  const { device } = await madeSwitch(t, 'refuses');
  const reply = await device.perform({ want: 'off', outlets: [{ id: 'a' }] });
  t.match(reply, { ordered: true, outlets: [{ state: 'off' }] });
});

t.test('an exit status counts only with the line that agrees', async (t) => {
  const by = async (text: string, status: number): Promise<string | undefined> => {
    const folder = folderOf(t);
    chmodSync(folder, 0o755);
    const script = `#!/usr/bin/env node\nconsole.log(${JSON.stringify(text)}); process.exitCode = ${status};\n`;
    file(folder, 'fence_made', script, 0o755);
    const config: SwitchConfig = {
      ...NONE,
      name: 'm',
      profile: 'fence-agent',
      agent: 'fence_made',
    };
    const device = await opened(config, profiles, [folder]);
    const reply = await device.perform({ want: 'read', outlets: [{ id: 'x' }] });
    return reply.outlets[0]?.state;
  };
  t.equal(await by('Status: OFF', 2), 'off');
  t.equal(await by('Status: ON', 0), 'on');
  t.equal(await by('usage: fence_made [-h]', 2), 'unknown', 'a wrong argument ends with 2 as well');
  t.equal(await by('Status: ON', 2), 'unknown');
  t.equal(await by('Status: OFF', 0), 'unknown');
  t.equal(await by('', 0), 'unknown');
});

t.test('what may not be in such a profile', async (t) => {
  const wrong = async (from: string, to: string): Promise<string> => {
    const text = MADE.replace(from, to);
    const { problems } = await profileFrom({
      name: 'made',
      file: 'made.yaml',
      text,
      writableByAll: false,
    });
    return problems.map(({ message }) => message).join('; ');
  };
  t.match(await wrong("'{outlet}'", "'{password}'"), /a password in the arguments/u);
  t.match(await wrong(", '{outlet}'", ''), /does not name the outlet/u);
  t.match(await wrong("off: {argv: ['off']}", 'off: {argv: [status]}'), /the same as a look/u);
  t.match(await wrong("on: {argv: ['on']}", "on: {argv: ['off']}"), /the same as off/u);
  t.match(await wrong('on: [is on]', 'on: [is off]'), /is off/u);
  t.match(await wrong('program: made-switch', 'program: /bin/sh'), /'\/bin\/sh' is not right/u);
});

t.test('a switch that cannot be made says what is missing', async (t) => {
  const problem = async (config: Partial<SwitchConfig>): Promise<string> => {
    const made = await openSwitch({ ...NONE, name: 'm', profile: 'ipmi', ...config }, profiles);
    return made.ok ? '' : `${made.problem.message} (${made.problem.mend})`;
  };
  t.match(await problem({}), /needs an address/u);
  t.match(await problem({ address: '127.0.0.1' }), /needs user \(add user: /u);
  t.match(await problem({ profile: 'fence-agent' }), /add agent: fence_NAME/u);
  t.match(
    await problem({ profile: 'fence-agent', agent: 'fence_of_nobody' }),
    /not installed.*install fence_of_nobody/u,
  );
});

// --- the real ones --------------------------------------------------------------------------------

t.test('a BMC over RMCP+, by ipmitool', async (t) => {
  const folder = folderOf(t);
  const run = openRunFolder(cacheAt(folder));
  let on = true;
  const relays = {
    outlets: 1,
    isOn: (): boolean => on,
    isPending: (): boolean => false,
    order: (_outlet: number, to: boolean): void => {
      on = to;
    },
    cancel: (): void => undefined,
  };
  const bmc = await openIpmi(run, 'bmc', relays);
  t.teardown(async () => {
    await bmc.close();
    await run.close();
  });
  if (bmc.address.kind !== 'ipmi') throw new Error('no BMC');
  const { port, user, password } = bmc.address;
  const passwordFile = file(folder, 'password', password, 0o600);
  const config: SwitchConfig = {
    ...NONE,
    name: 'bmc',
    profile: 'ipmi',
    address: '127.0.0.1',
    port,
    user,
    passwordFile,
  };
  const device = await opened(config);
  const outlets = [{ id: '1' }];
  t.match((await device.perform({ want: 'read', outlets })).outlets, [{ state: 'on' }]);
  const off = await device.perform({ want: 'off', outlets });
  t.match(off.outlets, [{ state: 'off', why: '"Chassis Power is off"' }]);
  t.equal(on, false);
  t.match((await device.perform({ want: 'on', outlets })).outlets, [{ state: 'on' }]);
  t.equal(on, true);
  t.match((await device.perform({ want: 'off', outlets: [{ id: '2' }] })).outlets, [
    { state: 'unknown', why: /'1' and no other/u },
  ]);
  const wrong = file(folder, 'wrong', 'guess', 0o600);
  const stranger = await opened({ ...config, passwordFile: wrong });
  const reply = await stranger.perform({ want: 'off', outlets }, 8_000);
  t.match(reply.outlets, [{ state: 'unknown' }], 'a wrong password proves nothing');
  t.equal(on, true);
});

t.test('fence_apc_snmp of Debian, in front of a switch of ours', async (t) => {
  const rack = profiles.get('apc-rpdu')?.device;
  if (rack?.kind !== 'snmp') throw new Error('no profile');
  const server = await serveSnmp(rack, { faults: [] });
  t.teardown(() => server.close());
  const folder = folderOf(t);
  const device = await opened({
    ...NONE,
    name: 'agent',
    profile: 'fence-agent',
    agent: 'fence_apc_snmp',
    address: '127.0.0.1',
    port: server.port,
    options: { snmp_version: '1' },
    secrets: { community: file(folder, 'community', 'private', 0o600) },
  });
  const outlets = [{ id: '2' }, { id: '3' }];
  t.match((await device.perform({ want: 'read', outlets })).outlets, [
    { state: 'on' },
    { state: 'on' },
  ]);
  const off = await device.perform({ want: 'off', outlets });
  t.match(off.outlets, [{ state: 'off' }, { state: 'off' }], JSON.stringify(off));
  const bank = (): ReturnType<typeof server.now>['bank'] => server.now().bank;
  t.notOk(flows(bank(), '2', monotonicNow()) || flows(bank(), '3', monotonicNow()));
  t.ok(flows(bank(), '1', monotonicNow()));
  t.match((await device.perform({ want: 'on', outlets })).outlets, [
    { state: 'on' },
    { state: 'on' },
  ]);
});

t.test('fence_dummy of Debian, with its state in a file', async (t) => {
  const folder = folderOf(t);
  const state = file(folder, 'status', 'on', 0o600);
  const device = await opened({
    ...NONE,
    name: 'dummy',
    profile: 'fence-agent',
    agent: 'fence_dummy',
    options: { type: 'file', status_file: state },
  });
  const outlets = [{ id: 'x' }];
  t.match((await device.perform({ want: 'off', outlets })).outlets, [{ state: 'off' }]);
  t.match(readFileSync(state, 'utf8'), /off/u);
  t.match((await device.perform({ want: 'on', outlets })).outlets, [{ state: 'on' }]);
});
