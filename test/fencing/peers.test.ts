/**
 * Against SNMP agents that are not ours: Debian's snmpd with a fake switch behind its pass_persist (v1,
 * v2c, v3 with real access control), and snmpsim. What they answer to wrong keys, wrong communities and
 * missing rows is what real devices answer.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { snmpSwitch } from '../../agent/effects/switches.ts';
import { type Request, readRequest, writeResponse } from '../../agent/fake/ber.ts';
import { type SnmpLogin, snmpPort } from '../../agent/ports/snmp.ts';
import { isReport, isSigned } from '../../agent/ports/snmp-flags.ts';
import { loadProfiles } from '../../agent/profiles.ts';
import type { SwitchReply, SwitchRequest } from '../../fencing/reply.ts';
import type { Bind } from '../../fencing/snmp-table.ts';
import { type Snmpd, startSnmpd } from './snmpd.ts';

const { profiles } = await loadProfiles();
const APC = {
  profile: 'apc-rpdu',
  tree: '1.3.6.1.4.1.318.1.1',
  objectId: '1.3.6.1.4.1.318.1.3.4.5',
};

async function perform(
  port: number,
  login: SnmpLogin,
  request: SwitchRequest,
  deadlineMs = 8000,
): Promise<SwitchReply> {
  const profile = profiles.get('apc-rpdu');
  if (profile?.device.kind !== 'snmp') throw new Error('no profile');
  const socket = snmpPort('127.0.0.1', port, login);
  const device = snmpSwitch('pdu', { ...profile, device: profile.device }, socket, {});
  const reply = await device.perform(request, deadlineMs);
  await device.close();
  return reply;
}

const V1: SnmpLogin = { version: '1', read: 'public', write: 'private' };
const V2: SnmpLogin = { version: '2c', read: 'public', write: 'private' };

function v3(user: string, by: 'sha' | 'sha256', key = 'authpass8', priv = 'privpass8'): SnmpLogin {
  return { version: '3', user, auth: { by, key }, priv: { by: 'aes', key: priv } };
}

async function withSnmpd(t: Test, run: (snmpd: Snmpd) => Promise<void>, more = {}): Promise<void> {
  const snmpd = await startSnmpd(t.testdir({}), { ...APC, ...more });
  try {
    await run(snmpd);
  } finally {
    await snmpd.close();
  }
}

/** The helper tells its relays by a file, a moment later. */
async function darkSoon(snmpd: Snmpd, wanted: string): Promise<readonly string[]> {
  for (let tries = 0; tries < 200 && snmpd.dark().join(' ') !== wanted; tries += 1) await wait(20);
  return snmpd.dark();
}

t.ok(existsSync('/usr/sbin/snmpd'), 'snmpd is there (Debian package snmpd)');

t.test('snmpd: off and on over v1, v2c and v3', async (t) => {
  await withSnmpd(t, async (snmpd) => {
    const logins = { v1: V1, v2c: V2, sha: v3('sha', 'sha'), sha256: v3('sha256', 'sha256') };
    for (const [name, login] of Object.entries(logins)) {
      const outlets = [{ id: '3', name: 'outlet-3' }, { id: '@outlet-5' }];
      const off = await perform(snmpd.port, login, { want: 'off', outlets });
      t.match(off.outlets, [{ state: 'off' }, { state: 'off' }], `${name}: ${JSON.stringify(off)}`);
      t.same(await darkSoon(snmpd, '3 5'), ['3', '5'], `${name}: the relays`);
      const on = await perform(snmpd.port, login, { want: 'on', outlets });
      t.match(on.outlets, [{ state: 'on' }, { state: 'on' }], name);
    }
  });
});

t.test('snmpd: what is not allowed, or not there', async (t) => {
  await withSnmpd(t, async (snmpd) => {
    const off = (id: string): SwitchRequest => ({ want: 'off', outlets: [{ id }] });
    const cases: readonly (readonly [string, SnmpLogin, string, string, RegExp])[] = [
      ['v1, an outlet that is not there', V1, '20', 'unknown', /NoSuchName/u],
      ['v2c, an outlet that is not there', V2, '20', 'unknown', /does not exist \(noSuch/u],
      ['v1, may only read', { ...V1, write: 'public' }, '3', 'on', /refused: NoSuchName/u],
      ['v2c, may only read', { ...V2, write: 'public' }, '3', 'on', /refused: NoAccess/u],
      ['v3, may only read', v3('reader', 'sha'), '3', 'on', /refused: /u],
      ['v2c, a wrong community', { ...V2, read: 'wrong' }, '3', 'unknown', /no answer/u],
      ['v3, an unknown user', v3('nobody', 'sha'), '3', 'unknown', /does not know this v3 user/u],
      [
        'v3, a wrong key',
        v3('sha', 'sha', 'wrongpass8'),
        '3',
        'unknown',
        /authentication key is wrong/u,
      ],
      [
        'v3, a wrong privacy key',
        v3('sha', 'sha', 'authpass8', 'wrongpriv8'),
        '3',
        'unknown',
        /./u,
      ],
    ];
    for (const [name, login, outlet, state, why] of cases) {
      const { outlets } = await perform(snmpd.port, login, off(outlet), 2500);
      t.match(outlets, [{ state, why }], `${name}: ${JSON.stringify(outlets[0])}`);
    }
    await wait(30);
    t.same(snmpd.dark(), [], 'no relay moved');
  });
});

t.test('snmpd: faults behind it', async (t) => {
  const request = { want: 'off', outlets: [{ id: '3' }] } as const;
  await withSnmpd(
    t,
    async (snmpd) => {
      const { outlets } = await perform(snmpd.port, V2, request, 4000);
      t.match(outlets, [{ state: 'unknown', why: 'pending' }], 'pending for ever');
    },
    { faults: 'waiting' },
  );
});

t.test('answers that come from somewhere else, or to another question', async (t) => {
  const asked = createSocket('udp4');
  const stranger = createSocket('udp4');
  for (const socket of [asked, stranger]) {
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
  }
  const oid = `${APC.tree}.12.3.5.1.1.4.3`;
  const off: Bind = { oid, kind: 'number', value: 2 };
  let say: (request: Request, port: number) => void = () => undefined;
  asked.on('message', (packet, from) => {
    const request = readRequest(packet);
    if (request !== undefined) say(request, from.port);
  });
  const { port } = asked.address();
  const socket = snmpPort('127.0.0.1', port, V2);
  const answer = (binds: readonly Bind[]) => ({ status: 0, index: 0, binds });
  say = (request, to) => asked.send(writeResponse(request, answer([off])), to);
  t.match(await socket.get([oid], 2000), { kind: 'binds', binds: [off] }, 'an honest one is taken');
  say = (request, to) => stranger.send(writeResponse(request, answer([off])), to);
  t.match(await socket.get([oid], 300), { kind: 'lost' }, 'from another port');
  say = (request, to) => asked.send(writeResponse({ ...request, id: 1 }, answer([off])), to);
  t.match(await socket.get([oid], 300), { kind: 'lost' }, 'to another request');
  say = (request, to) =>
    asked.send(writeResponse({ ...request, community: 'x' }, answer([off])), to);
  t.match(await socket.get([oid], 300), { kind: 'lost' }, 'of another community');
  const other: Bind = { ...off, oid: `${oid}0` };
  say = (request, to) => asked.send(writeResponse(request, answer([other])), to);
  t.match(await socket.get([oid], 300), { kind: 'lost' }, 'about another outlet');
  say = (request, to) => asked.send(writeResponse(request, answer([])), to);
  t.match(await socket.get([oid], 300), { kind: 'lost' }, 'about nothing');
  say = (_, to) => asked.send(Buffer.from([0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0, 1]), to);
  t.match(await socket.get([oid], 300), { kind: 'lost' }, 'noise');
  say = (_, to) => asked.send(Buffer.alloc(40_000, 0x30), to);
  t.match(await socket.get([oid], 300), { kind: 'lost' }, 'much noise');
  socket.close();
  asked.close();
  stranger.close();
  const nobody = snmpPort('127.0.0.1', 9, V2);
  t.match(await nobody.get([oid], 500), { kind: 'lost', why: 'ECONNREFUSED' });
  nobody.close();
});

t.test('v3: only a report may come without a signature', async (t) => {
  const part = (tag: number, ...bodies: readonly Buffer[]): Buffer => {
    const body = Buffer.concat(bodies);
    return Buffer.concat([Buffer.from([tag, body.length]), body]);
  };
  const integer = (value: number): Buffer => part(2, Buffer.from([value]));
  const packet = (flags: number, pdu: number): Buffer => {
    const header = part(0x30, integer(1), integer(1), part(4, Buffer.from([flags])), integer(3));
    const scoped = part(0x30, part(4), part(4), part(pdu, integer(1)));
    return part(0x30, integer(3), header, part(4), scoped);
  };
  t.ok(isSigned(packet(1, 0xa2)));
  t.ok(isSigned(packet(3, 0xa2)));
  t.notOk(isSigned(packet(0, 0xa2)) || isReport(packet(0, 0xa2)), 'an unsigned answer');
  t.ok(isReport(packet(0, 0xa8)));
  for (let length = 0; length < packet(0, 0xa8).length; length += 1) {
    t.notOk(isReport(packet(0, 0xa8).subarray(0, length)), `cut after ${length}`);
  }
});

t.test('snmpsim: a recording of a device', async (t) => {
  t.ok(existsSync('/usr/bin/snmpsimd'), 'snmpsim is there (Debian package snmpsim)');
  const folder = t.testdir({ data: {} });
  const base = '1.3.6.1.4.1.318.1.1.12.3.5.1.1';
  const rows = (column: number, type: number, value: (outlet: number) => string): string[] =>
    Array.from({ length: 8 }, (_, at) => `${base}.${column}.${at + 1}|${type}|${value(at + 1)}`);
  const record = [
    '1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.318.1.3.4.5',
    ...rows(2, 4, (outlet) => `outlet-${outlet}`),
    ...rows(4, 2, (outlet) => (outlet === 3 ? '2' : outlet === 4 ? '9' : '1')),
    ...rows(5, 2, () => '2'),
  ];
  writeFileSync(join(folder, 'data/public.snmprec'), `${record.join('\n')}\n`);
  const cache = join(folder, 'cache');
  mkdirSync(cache);
  for (const one of [folder, join(folder, 'data'), cache]) chmodSync(one, 0o777);
  const port = 20_000 + (process.pid % 10_000);
  const args = [
    `--data-dir=${join(folder, 'data')}`,
    `--cache-dir=${cache}`,
    `--agent-udpv4-endpoint=127.0.0.1:${port}`,
    '--process-user=nobody',
    '--process-group=nogroup',
    `--logging-method=null`,
  ];
  const child = spawn('/usr/bin/snmpsimd', args, {
    stdio: 'ignore',
    env: { HOME: cache, PATH: '/usr/bin:/bin' },
  });
  child.on('error', () => undefined);
  const login: SnmpLogin = { version: '2c', read: 'public', write: 'public' };
  const probe = snmpPort('127.0.0.1', port, login);
  let up = false;
  for (let tries = 0; tries < 100 && !up; tries += 1) {
    up = (await probe.get(['1.3.6.1.2.1.1.2.0'], 250)).kind === 'binds';
    if (!up) await wait(200);
  }
  probe.close();
  t.ok(up, 'it answers');
  const read = (id: string): Promise<SwitchReply> =>
    perform(port, login, { want: 'read', outlets: [{ id }] }, 3000);
  t.match((await read('2')).outlets, [{ state: 'on' }]);
  t.match((await read('3')).outlets, [{ state: 'off' }]);
  t.match((await read('4')).outlets, [{ state: 'unknown', why: '9 is no known value' }]);
  t.match((await read('12')).outlets, [{ state: 'unknown' }], 'a row that is not there');
  t.match((await read('@outlet-3')).outlets, [{ state: 'off' }]);
  child.kill('SIGTERM');
  await once(child, 'exit');
});
