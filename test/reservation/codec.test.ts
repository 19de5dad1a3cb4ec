/**
 * The bytes of each request against bytes written out by hand from the tables of SPC-4 (6.15, 6.16, 6.4,
 * 6.47) and SBC-3, and of each answer back. No code of the codec makes the bytes it is held against.
 */
import t from 'tap';
import { answerOf, type Completion } from '../../fencing/reservation/answer.ts';
import { bootOf, type Key, keyFromText, keyOf, relationOf } from '../../fencing/reservation/key.ts';
import { encode, type Request } from '../../fencing/reservation/request.ts';

const A = '1122334455667788' as Key;
const B = '99aabbccddeeff01' as Key;
const FIVE = 'write-exclusive-registrants';
const NOTHING = new Uint8Array(0);

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/\s/gu, ''), 'hex'));
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex');
}

/** A name for the test, the request, its command block, its data out, and the bytes it makes room for. */
const GOLDEN: readonly (readonly [string, Request, string, string, number])[] = [
  ['READ KEYS', { ask: 'keys' }, '5e 00 0000000000 0400 00', '', 1024],
  ['READ KEYS of 8 bytes', { ask: 'keys', bytes: 8 }, '5e 00 0000000000 0008 00', '', 8],
  ['READ KEYS of all', { ask: 'keys', bytes: 70_000 }, '5e 00 0000000000 ffff 00', '', 65_535],
  ['READ RESERVATION', { ask: 'reservation' }, '5e 01 0000000000 0018 00', '', 24],
  ['REPORT CAPABILITIES', { ask: 'capabilities' }, '5e 02 0000000000 0008 00', '', 8],
  ['READ FULL STATUS', { ask: 'full-status' }, '5e 03 0000000000 2000 00', '', 8192],
  [
    'REGISTER',
    { ask: 'register', own: A, next: B },
    '5f 00 00 0000 00000018 00',
    '1122334455667788 99aabbccddeeff01 00000000 00 00 0000',
    0,
  ],
  [
    'REGISTER that survives power loss, on all ports',
    { ask: 'register', own: A, next: B, aptpl: true, allPorts: true },
    '5f 00 00 0000 00000018 00',
    '1122334455667788 99aabbccddeeff01 00000000 05 00 0000',
    0,
  ],
  [
    'REGISTER of a further initiator port',
    {
      ask: 'register',
      own: A,
      next: B,
      initiators: [bytes('06000000 5000c500aabbccdd 000000000000000000000000')],
    },
    '5f 00 00 0000 00000034 00',
    `1122334455667788 99aabbccddeeff01 00000000 08 00 0000 00000018
     06000000 5000c500aabbccdd 000000000000000000000000`,
    0,
  ],
  [
    'RESERVE',
    { ask: 'reserve', own: A, type: FIVE },
    '5f 01 05 0000 00000018 00',
    '1122334455667788 0000000000000000 00000000 00 00 0000',
    0,
  ],
  [
    'RELEASE',
    { ask: 'release', own: A, type: 'exclusive-access-registrants' },
    '5f 02 06 0000 00000018 00',
    '1122334455667788 0000000000000000 00000000 00 00 0000',
    0,
  ],
  [
    'CLEAR',
    { ask: 'clear', own: A },
    '5f 03 00 0000 00000018 00',
    '1122334455667788 0000000000000000 00000000 00 00 0000',
    0,
  ],
  [
    'PREEMPT',
    { ask: 'preempt', own: A, victim: B, type: 'write-exclusive-all' },
    '5f 04 07 0000 00000018 00',
    '1122334455667788 99aabbccddeeff01 00000000 00 00 0000',
    0,
  ],
  [
    'PREEMPT AND ABORT',
    { ask: 'preempt-abort', own: A, victim: B, type: FIVE },
    '5f 05 05 0000 00000018 00',
    '1122334455667788 99aabbccddeeff01 00000000 00 00 0000',
    0,
  ],
  [
    'REGISTER AND IGNORE EXISTING KEY',
    { ask: 'register-ignore', next: B, aptpl: true },
    '5f 06 00 0000 00000018 00',
    '0000000000000000 99aabbccddeeff01 00000000 01 00 0000',
    0,
  ],
  [
    'REGISTER AND MOVE',
    {
      ask: 'register-move',
      own: A,
      next: B,
      type: 'exclusive-access',
      unregister: true,
      aptpl: true,
      port: 0x1234,
      initiator: bytes('00000000 00000000 2100001b32112233 0000000000000000'),
    },
    '5f 07 03 0000 00000030 00',
    `1122334455667788 99aabbccddeeff01 00 03 1234 00000018
     00000000 00000000 2100001b32112233 0000000000000000`,
    0,
  ],
  [
    'REPLACE LOST RESERVATION',
    { ask: 'replace-lost', next: B, type: 'exclusive-access-all' },
    '5f 08 08 0000 00000018 00',
    '0000000000000000 99aabbccddeeff01 00000000 00 00 0000',
    0,
  ],
  ['TEST UNIT READY', { ask: 'ready' }, '00 00 00 00 00 00', '', 0],
  ['INQUIRY', { ask: 'inquiry' }, '12 00 00 0060 00', '', 96],
  ['INQUIRY of page 83h', { ask: 'device-id' }, '12 01 83 0400 00', '', 1024],
  [
    'READ (10)',
    { ask: 'read', lba: 0x01020304, blockBytes: 512 },
    '28 00 01020304 00 0001 00',
    '',
    512,
  ],
  [
    'WRITE (10)',
    { ask: 'write', lba: 7, block: bytes('abcd') },
    '2a 00 00000007 00 0001 00',
    'abcd',
    0,
  ],
  [
    'WRITE SAME (10)',
    { ask: 'write-same', lba: 7, block: bytes('abcd') },
    '41 00 00000007 00 0001 00',
    'abcd',
    0,
  ],
  [
    'UNMAP',
    { ask: 'unmap', lba: 7 },
    '42 00 00000000 00 0018 00',
    '0016 0010 00000000 0000000000000007 00000001 00000000',
    0,
  ],
  [
    'COMPARE AND WRITE',
    { ask: 'compare-write', lba: 7, compare: bytes('01'), block: bytes('02') },
    '89 00 0000000000000007 000000 01 00 00',
    '0102',
    0,
  ],
  ['FORMAT UNIT', { ask: 'format' }, '04 00 00 00 00 00', '', 0],
  ['READ CAPACITY (10)', { ask: 'capacity' }, '25 00 00000000 0000 00 00', '', 8],
  ['REPORT LUNS', { ask: 'luns' }, 'a0 00 00 000000 00000400 00 00', '', 1024],
];

t.test('each request is sent as the standard writes it', async (t) => {
  for (const [name, request, cdb, out, room] of GOLDEN) {
    const command = encode(request);
    t.equal(hex(command.cdb), hex(bytes(cdb)), `${name}: command`);
    t.equal(hex(command.out), hex(bytes(out)), `${name}: data out`);
    t.equal(command.in, room, `${name}: room`);
  }
});

t.test('the type is SCSI 5, and the abort form is service action 5', async (t) => {
  const { cdb } = encode({ ask: 'preempt-abort', own: A, victim: B, type: FIVE });
  t.equal(cdb[1], 5);
  t.equal(cdb[2], 5);
});

function done(status: number, data: string, sense = '', host = 0): Completion {
  return { kind: 'done', status, host, driver: 0, data: bytes(data), sense: bytes(sense) };
}

function reply(request: Request, data: string): unknown {
  const answer = answerOf(request, done(0, data));
  return answer.is === 'good' ? answer.reply : answer;
}

t.test('answers are taken apart', async (t) => {
  t.strictSame(reply({ ask: 'keys' }, '0000002a 00000010 1122334455667788 99aabbccddeeff01'), {
    of: 'keys',
    generation: 42,
    keys: [A, B],
    count: 2,
    cut: false,
  });
  t.match(reply({ ask: 'keys' }, '0000002a 00000018 1122334455667788 99aabb'), {
    keys: [A],
    count: 3,
    cut: true,
  });
  t.match(reply({ ask: 'keys' }, '0000002a 00000009 1122334455667788 99'), { is: 'failed' });
  t.match(reply({ ask: 'keys' }, '0000002a 0000'), { is: 'failed', why: /6 bytes/u });
  t.strictSame(reply({ ask: 'reservation' }, '00000007 00000000'), {
    of: 'reservation',
    generation: 7,
    holder: undefined,
    type: undefined,
  });
  t.strictSame(
    reply({ ask: 'reservation' }, '00000007 00000010 1122334455667788 00000000 00 05 0000'),
    { of: 'reservation', generation: 7, holder: A, type: FIVE },
  );
  t.match(
    reply({ ask: 'reservation' }, '00000007 00000010 1122334455667788 00000000 00 15 0000'),
    { holder: A, type: undefined },
    'a scope that is not the unit',
  );
  t.match(
    reply({ ask: 'reservation' }, '00000007 00000010 1122334455667788 00000000 00'),
    { is: 'failed' },
    'cut before the type',
  );
  t.strictSame(reply({ ask: 'capabilities' }, '0008 0d 81 2000 0000'), {
    of: 'capabilities',
    aptplCapable: true,
    aptplActive: true,
    allPorts: true,
    specifyInitiators: true,
    replaceLost: false,
    types: [FIVE],
  });
  t.match(reply({ ask: 'capabilities' }, '0008 00 00 2000 0000'), { types: undefined });
  t.match(reply({ ask: 'capabilities' }, '0000 00 00'), { is: 'failed' });
});

t.test('full status tells each nexus', async (t) => {
  const iscsi = `1122334455667788 00000000 01 05 00000000 0001 00000018
    45 00 0014 ${Buffer.from('iqn.x:a,i,0x1').toString('hex')} 00000000000000`;
  const fc = `99aabbccddeeff01 00000000 02 00 00000000 0002 00000018
    00 00000000000000 2100001b32112233 0000000000000000`;
  const sas = `99aabbccddeeff01 00000000 00 00 00000000 0003 00000018
    06 000000 5000c500aabbccdd 000000000000000000000000`;
  const body = `${iscsi}${fc}${sas}`.replace(/\s/gu, '');
  const length = (body.length / 2).toString(16).padStart(8, '0');
  const whole = reply({ ask: 'full-status' }, `00000003${length}${body}`);
  t.strictSame(whole, {
    of: 'full-status',
    generation: 3,
    cut: false,
    registrations: [
      { key: A, holder: true, allPorts: false, type: FIVE, port: 1, initiator: 'iqn.x:a,i,0x1' },
      {
        key: B,
        holder: false,
        allPorts: true,
        type: undefined,
        port: 2,
        initiator: 'fc.2100001b32112233',
      },
      {
        key: B,
        holder: false,
        allPorts: false,
        type: undefined,
        port: 3,
        initiator: 'sas.5000c500aabbccdd',
      },
    ],
  });
  t.match(reply({ ask: 'full-status' }, `00000003${length}${body.slice(0, 120)}`), {
    cut: true,
    registrations: [{ key: A }],
  });
});

t.test('identity and target port of page 83h', async (t) => {
  const naa = '01 03 00 10 6001405aaaaaaaaaaaaaaaaaaaaaaaaa';
  const t10 = '02 01 00 08 4c494f2d4f524700';
  const port = '51 94 00 04 0000 0002';
  const page = (body: string): string => {
    const plain = body.replace(/\s/gu, '');
    return `0083${(plain.length / 2).toString(16).padStart(4, '0')}${plain}`;
  };
  t.strictSame(reply({ ask: 'device-id' }, page(t10 + naa + port)), {
    of: 'device-id',
    wwid: 'naa.6001405aaaaaaaaaaaaaaaaaaaaaaaaa',
    port: 2,
  });
  t.match(reply({ ask: 'device-id' }, page(t10)), { wwid: 't10.LIO-ORG', port: undefined });
  t.match(
    reply({ ask: 'device-id' }, page('61 93 00 08 5000c50011223344')),
    { wwid: undefined },
    "a port's name is no disk's",
  );
  t.match(reply({ ask: 'device-id' }, '0080 0004 01020304'), { is: 'failed' });
});

/** Request, completion, and what it must come to. */
const WRITE: Request = { ask: 'register-ignore', next: A };
const READ: Request = { ask: 'keys' };
const fixed = (key: string, asc: string): string =>
  `70 00 ${key} 00000000 0a 00000000 ${asc} 00 000000`;

t.test('status and sense are one outcome', async (t) => {
  const is = (request: Request, completion: Completion): string => answerOf(request, completion).is;
  t.equal(is(WRITE, done(0, '')), 'good');
  t.equal(is(WRITE, done(0x18, '')), 'conflict');
  t.equal(is(WRITE, done(0x18, '', '', 0x11)), 'conflict', 'older kernels add a host status');
  t.equal(is(WRITE, done(0x08, '')), 'busy');
  t.equal(is(WRITE, done(0x28, '')), 'busy');
  t.equal(is(WRITE, done(0x40, '')), 'unresolved');
  t.equal(
    is(WRITE, done(2, '', fixed('02', '0800'))),
    'unresolved',
    'LIO without its state folder',
  );
  t.equal(is(READ, done(2, '', fixed('02', '0800'))), 'not-ready');
  t.equal(is(WRITE, done(2, '', fixed('05', '2000'))), 'unsupported');
  t.equal(is(WRITE, done(2, '', fixed('05', '2400'))), 'unsupported');
  t.equal(is(WRITE, done(2, '', fixed('05', '2600'))), 'refused');
  t.equal(is(WRITE, done(2, '', fixed('05', '5504'))), 'refused');
  t.equal(is(WRITE, done(2, '', fixed('07', '2700'))), 'refused');
  t.equal(is(WRITE, done(2, '', fixed('04', '0000'))), 'unresolved');
  t.equal(is(WRITE, done(2, '')), 'unresolved', 'no sense');
  t.equal(is(WRITE, done(2, '', 'ffffffff')), 'unresolved', 'garbage sense');
  t.equal(is(WRITE, done(0x77, '')), 'unresolved', 'a status nobody knows');
  t.equal(is(WRITE, done(0, '', '', 0x0e)), 'unresolved', 'the path broke under it');
  t.equal(is(READ, done(0, '', '', 0x01)), 'failed');
  t.match(answerOf(WRITE, { kind: 'late', why: '' }), { is: 'unresolved', until: 'return' });
  t.match(answerOf(WRITE, { kind: 'gone', why: '' }), { is: 'unresolved', until: 'gone' });
  t.equal(is(READ, { kind: 'late', why: '' }), 'failed');
  t.equal(is(WRITE, { kind: 'unsent', why: '' }), 'unsent');
  t.equal(is(WRITE, { kind: 'wrong-disk', why: '' }), 'wrong-disk');
});

t.test('unit attentions by cause, in both formats of sense', async (t) => {
  const causes: readonly (readonly [string, string])[] = [
    ['2a03', 'reservations-preempted'],
    ['2a04', 'reservations-released'],
    ['2a05', 'registrations-preempted'],
    ['2900', 'reset'],
    ['2903', 'reset'],
    ['2907', 'nexus-loss'],
    ['3f0e', 'changed'],
    ['2a01', 'other'],
  ];
  for (const [code, cause] of causes) {
    t.match(answerOf(WRITE, done(2, '', fixed('06', code))), { is: 'attention', cause }, code);
    t.match(answerOf(WRITE, done(2, '', `72 06 ${code} 00000000`)), { is: 'attention', cause });
  }
  t.match(answerOf(WRITE, done(2, '', fixed('06', '2a05').replace(/^70/u, '71'))), {
    is: 'unresolved',
  });
  t.match(
    answerOf(READ, done(2, '', '70 00 06 00000000 00 00000000 2a05')),
    { cause: 'other' },
    'codes beyond the told length were not sent',
  );
});

t.test('keys hold cluster, node and boot, and say whose they are', async (t) => {
  const self = keyOf({ cluster: 0x00c1, node: 2, boot: 0x8f3a01bc });
  t.equal(self, '00c100028f3a01bc');
  t.equal(keyOf({ cluster: 0, node: 1, boot: 1 }), undefined);
  t.equal(keyOf({ cluster: 1, node: 65_536, boot: 1 }), undefined);
  t.equal(keyOf({ cluster: 1, node: 1, boot: -1 }), undefined);
  t.equal(bootOf('8f3a01bc-1111-4222-8333-444455556666\n'), 0x8f3a01bc);
  t.equal(bootOf('8f3a01bc'), undefined);
  t.equal(keyFromText('0xc100028f3a01bc'), self, 'tools leave leading zeros out');
  t.equal(keyFromText(' 00C100028F3A01BC'), self);
  t.equal(keyFromText('10000000000000000'), undefined, '17 digits');
  t.equal(keyFromText(''), undefined);
  const relation = (key: string): string => relationOf(key as Key, self as Key);
  t.equal(relation('00c100028f3a01bc'), 'own');
  t.equal(relation('00c1000200000001'), 'former', 'an earlier boot, or a clone');
  t.equal(relation('00c100038f3a01bc'), 'peer');
  t.equal(relation('00c200028f3a01bc'), 'stranger');
  t.equal(relation('00c1000000000001'), 'stranger', 'no node is 0');
  t.equal(relation('0000000000000000'), 'stranger');
});

t.test('a request holds no more than its room', async (t) => {
  t.equal(encode({ ask: 'keys', bytes: 1e9 }).in, 65_535);
  t.same(encode({ ask: 'ready' }).out, NOTHING);
});
