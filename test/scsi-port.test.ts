/**
 * The port to disks against a device file that behaves as sg does: bytes both ways, deadlines, late ends,
 * a disk that is another, paths that hang, and a child that is killed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { certify, type Stand } from '../agent/disks/certify.ts';
import { decodeHeader, encodeHeader, HEADER_BYTES } from '../agent/ports/scsi/header.ts';
import { openScsi, type ScsiPort } from '../agent/ports/scsi.ts';
import { answerOf, type Completion } from '../fencing/reservation/answer.ts';
import type { Key } from '../fencing/reservation/key.ts';
import type { Request } from '../fencing/reservation/request.ts';
import { openPty, PTY_MAJOR, type PtyDisk } from './fakes/disk/pty.ts';
import { nexusOf, type Way } from './fakes/disk/rig.ts';
import { nexusName } from './fakes/disk/table.ts';
import { Target } from './fakes/disk/target.ts';

const WWID = 'naa.6001405aaaaaaaaaaaaaaaaaaaaaaaaa';
const KEY = '00c1000100000001' as Key;
const DEADLINE = { deadlineMs: 10_000 };
const JOIN: Request = { ask: 'register-ignore', next: KEY };

interface Stage {
  readonly target: Target;
  readonly port: ScsiPort;
  readonly disks: Readonly<Record<'a1' | 'b1', PtyDisk>>;
  readonly path: (way: 'a1' | 'b1') => { device: string; wwid: string };
}

async function stage(t: Test, features = {}): Promise<Stage> {
  const target = new Target(features);
  const port = await openScsi({ runDir: t.testdir({}), majors: [PTY_MAJOR] });
  const disks = { a1: openPty(target, nexusOf('a1')), b1: openPty(target, nexusOf('b1')) };
  t.teardown(async () => {
    await port.close();
    for (const disk of Object.values(disks)) disk.close();
  });
  return { target, port, disks, path: (way) => ({ device: disks[way].path, wwid: WWID }) };
}

function childPids(): readonly number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      return Number(ppid) === process.pid && line.includes('scsi/child') ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

t.test('the header is the kernel one', async (t) => {
  const header = encodeHeader({
    cdbBytes: 10,
    cdbAt: 0x1111_2222_3333_4444n,
    senseAt: 0x5555_6666_7777_8888n,
    data: 'in',
    dataBytes: 1024,
    dataAt: 0x9999_aaaa_bbbb_ccccn,
    kernelMs: 60_000,
    pack: 7,
  });
  const golden = [
    '53000000 fdffffff 0a 40 0000 00040000',
    'ccccbbbbaaaa9999 4444333322221111 8888777766665555',
    '60ea0000 00000000 07000000 00000000 0000000000000000',
    '00 00 00 00 0000 0000 00000000 00000000 00000000 00000000',
  ];
  t.equal(Buffer.from(header).toString('hex'), golden.join('').replace(/\s/gu, ''));
  t.equal(header.length, HEADER_BYTES);
  t.equal(decodeHeader(header.subarray(1)), undefined);
  t.equal(decodeHeader(new Uint8Array(88)), undefined);
});

t.test('requests go out and answers come back as bytes', async (t) => {
  const { port, path, target, disks } = await stage(t);
  t.equal(port.mode, 'sg');
  const [joined] = await port.send(path('a1'), [{ ...JOIN, aptpl: true }], DEADLINE);
  t.match(joined, { kind: 'done', status: 0 });
  t.ok(target.aptpl);
  const reads: readonly Request[] = [
    { ask: 'reservation' },
    { ask: 'keys' },
    { ask: 'full-status' },
  ];
  const completions = await port.send(path('a1'), reads, DEADLINE);
  const answers = reads.map((request, index) =>
    answerOf(request, completions[index] ?? { kind: 'unsent', why: '' }),
  );
  t.match(answers, [
    { reply: { of: 'reservation', holder: undefined } },
    { reply: { of: 'keys', keys: [KEY] } },
    {
      reply: {
        of: 'full-status',
        registrations: [{ key: KEY, initiator: nexusOf('a1').initiator }],
      },
    },
  ]);
  t.same(disks.a1.heard, [0x12, 0x5f, 0x12, 0x5e, 0x5e, 0x5e], 'the identity is asked before each');
  const [conflict] = await port.send(
    path('b1'),
    [{ ask: 'reserve', own: KEY, type: 'write-exclusive-registrants' }],
    DEADLINE,
  );
  t.match(conflict, { kind: 'done', status: 0x18 });
});

t.test('sense comes through', async (t) => {
  const { port, path, target } = await stage(t);
  target.attend(nexusName(nexusOf('a1')), 0x2a, 0x05);
  const [ready] = await port.send(path('a1'), [{ ask: 'ready' }], DEADLINE);
  t.match(answerOf({ ask: 'ready' }, ready as Completion), {
    is: 'attention',
    cause: 'registrations-preempted',
  });
});

t.test('a path that leads to another disk: nothing is sent to it, nothing believed', async (t) => {
  const { port, path, target, disks } = await stage(t);
  const other = { ...path('a1'), wwid: 'naa.6001405bbbbbbbbbbbbbbbbbbbbbbbbb' };
  t.match(await port.send(other, [JOIN], DEADLINE), [
    { kind: 'wrong-disk', why: `it is ${WWID}, not naa.6001405bbbbbbbbbbbbbbbbbbbbbbbbb` },
  ]);
  t.same(disks.a1.heard, [0x12]);
  t.equal(target.table.registrants.size, 0);
  t.match(await port.send(other, [{ ask: 'keys' }], DEADLINE), [{ kind: 'wrong-disk' }]);
  disks.a1.spoil = (opcode, result) => (opcode === 0x12 ? { ...result, status: 8 } : result);
  t.match(await port.send(path('a1'), [JOIN], DEADLINE), [{ kind: 'unsent', why: /identity/u }]);
  t.equal(target.table.registrants.size, 0);
});

t.test('what is no SCSI device, and what is not there', async (t) => {
  const { port } = await stage(t);
  for (const [device, why] of [
    ['/dev/null', /ENOTBLK/u],
    ['/dev/sg999', /ENOENT/u],
    ['/proc/self/status', /EACCES|EPERM|ENOTBLK|EIO/u],
  ] as const) {
    t.match(await port.send({ device, wwid: WWID }, [JOIN], DEADLINE), [{ kind: 'unsent', why }]);
  }
});

t.test('a path that hangs costs its caller the deadline, and the others nothing', async (t) => {
  const { port, path, disks, target } = await stage(t);
  await port.send(path('a1'), [{ ask: 'keys' }], DEADLINE);
  disks.a1.stuck = true;
  const late = new Promise<Completion>((resolve) => {
    void port
      .send(path('a1'), [{ ask: 'keys' }], {
        deadlineMs: 100,
        onLate: (_index, completion) => resolve(completion),
      })
      .then((completions) => t.match(completions, [{ kind: 'late' }]));
  });
  for (let count = 0; count < 20; count += 1) {
    t.match(await port.send(path('b1'), [{ ask: 'keys' }], DEADLINE), [{ kind: 'done' }]);
  }
  await new Promise((resolve) => setTimeout(resolve, 150));
  t.match(await port.send(path('a1'), [{ ask: 'keys' }], DEADLINE), [
    { kind: 'unsent', why: /late command/u },
  ]);
  t.equal(childPids().length, 1);
  target.tick();
  disks.a1.stuck = false;
  t.match(await late, { kind: 'done', status: 0 });
  t.match(await port.send(path('a1'), [{ ask: 'keys' }], DEADLINE), [{ kind: 'done' }]);
});

t.test('a registration that is late takes effect and is told of', async (t) => {
  const { port, path, disks, target } = await stage(t);
  await port.send(path('a1'), [{ ask: 'keys' }], DEADLINE);
  // The identity is answered, what comes after it is held.
  disks.a1.spoil = (_opcode, result) => {
    disks.a1.stuck = true;
    disks.a1.spoil = undefined;
    return result;
  };
  let told: Completion | undefined;
  const sent = await port.send(path('a1'), [JOIN], {
    deadlineMs: 200,
    onLate: (_index, completion) => {
      told = completion;
    },
  });
  t.match(answerOf(JOIN, sent[0] as Completion), { is: 'unresolved', until: 'return' });
  t.equal(target.table.registrants.size, 0);
  disks.a1.stuck = false;
  while (told === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  t.match(told, { kind: 'done', status: 0 });
  t.equal(target.table.registrants.size, 1);
});

t.test('held up before the identity was known, a registration is never sent', async (t) => {
  const { port, path, disks, target } = await stage(t);
  await port.send(path('a1'), [{ ask: 'keys' }], DEADLINE);
  disks.a1.stuck = true;
  t.match(await port.send(path('a1'), [JOIN], { deadlineMs: 100 }), [{ kind: 'unsent' }]);
  disks.a1.stuck = false;
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(target.table.registrants.size, 0);
});

t.test('a path that is forgotten: what it held is gone', async (t) => {
  const { port, path, disks } = await stage(t);
  await port.send(path('a1'), [{ ask: 'keys' }], DEADLINE);
  disks.a1.stuck = true;
  const late = new Promise<Completion>((resolve) => {
    void port.send(path('a1'), [{ ask: 'keys' }], {
      deadlineMs: 50,
      onLate: (_index, completion) => resolve(completion),
    });
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  port.forget(path('a1').device);
  t.match(await late, { kind: 'gone' });
});

t.test('a killed child: what was under way is late, and another takes its place', async (t) => {
  const { port, path, disks } = await stage(t);
  await port.send(path('a1'), [{ ask: 'keys' }], DEADLINE);
  disks.a1.stuck = true;
  const sent = port.send(path('a1'), [{ ask: 'keys' }], DEADLINE);
  const [pid] = childPids();
  if (pid === undefined) throw new Error('no child');
  process.kill(pid, 'SIGKILL');
  t.match(await sent, [{ kind: 'late', why: /ended with SIGKILL/u }]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.match(await port.send(path('b1'), [{ ask: 'keys' }], DEADLINE), [{ kind: 'done' }]);
});

t.test('a child that stands still is left behind, and told of when it goes on', async (t) => {
  const { port, path } = await stage(t);
  await port.send(path('a1'), [{ ask: 'keys' }], DEADLINE);
  await new Promise((resolve) => setTimeout(resolve, 10));
  const [pid] = childPids();
  if (pid === undefined) throw new Error('no child');
  process.kill(pid, 'SIGSTOP');
  let told: Completion | undefined;
  const sent = await port.send(path('a1'), [JOIN], {
    deadlineMs: 100,
    onLate: (_index, completion) => {
      told = completion;
    },
  });
  t.match(sent, [{ kind: 'late', why: /kernel holds/u }]);
  t.match(await port.send(path('b1'), [{ ask: 'keys' }], DEADLINE), [{ kind: 'done' }]);
  t.equal(childPids().length, 2);
  process.kill(pid, 'SIGCONT');
  while (told === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  t.match(told, { kind: 'unsent' }, 'its deadline was over before it was sent');
});

t.test('closing leaves nothing', async (t) => {
  const target = new Target();
  const port = await openScsi({ runDir: t.testdir({}), majors: [PTY_MAJOR] });
  const disk = openPty(target, nexusOf('a1'));
  await port.send({ device: disk.path, wwid: WWID }, [{ ask: 'keys' }], DEADLINE);
  const fds = readdirSync('/proc/self/fd').length;
  await port.close();
  disk.close();
  t.same(childPids(), []);
  t.ok(readdirSync('/proc/self/fd').length < fds);
  t.match(await port.send({ device: disk.path, wwid: WWID }, [JOIN], DEADLINE), [
    { kind: 'unsent' },
  ]);
});

t.test('the 32 behaviours through the port', async (t) => {
  const { port, path, target } = await stage(t);
  const ways = { a: 'a1', b: 'b1' } as const;
  const send = async (by: 'a' | 'b', request: Request): Promise<Completion> =>
    (await port.send(path(ways[by]), [request], DEADLINE))[0] as Completion;
  const stand: Stand = {
    send,
    begin: (by, request) => {
      const name = nexusName(nexusOf(ways[by] as Way));
      target.slow.add(name);
      return send(by, request);
    },
    event: async (event) => {
      if (event === 'lun-reset') target.lunReset();
      else if (event === 'power-loss') target.powerLoss();
      else return event === 'failover' || event === 'nexus-loss';
      return true;
    },
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    expendable: true,
  };
  const verdicts = await certify(stand, (verdict) => {
    if (verdict.check.number === 18) target.slow.clear();
  });
  t.strictSame(
    verdicts
      .filter(({ is }) => is !== 'passed')
      .map(({ check, seen }) => `${check.number} ${seen}`),
    ['30 lose-next-reply cannot be caused from here'],
  );
});
