/** The port without koffi: what its programs are asked, and what is made of their output and exit statuses. */
import t from 'tap';
import { argvOf, bytesOfDump, completionOf } from '../agent/ports/scsi/twin.ts';
import { openScsi } from '../agent/ports/scsi.ts';
import { answerOf } from '../fencing/reservation/answer.ts';
import type { Key } from '../fencing/reservation/key.ts';
import type { Request } from '../fencing/reservation/request.ts';

const A = '00c1000100000001' as Key;
const B = '00c1000200000001' as Key;
const FIVE = 'write-exclusive-registrants';

t.test('each request is one program with its own words', async (t) => {
  const line = (request: Request): string | undefined => argvOf(request, '/dev/sg3')?.join(' ');
  const out = 'sg_persist --no-inquiry --out';
  t.equal(
    line({ ask: 'keys', bytes: 32_776 }),
    'sg_persist --no-inquiry --in --read-keys --hex --hex --alloc-length=8008 --readonly /dev/sg3',
  );
  t.equal(
    line({ ask: 'register', own: A, next: B, aptpl: true }),
    `${out} --register --param-rk=${A} --param-sark=${B} --param-aptpl /dev/sg3`,
  );
  t.equal(
    line({ ask: 'preempt-abort', own: A, victim: B, type: FIVE }),
    `${out} --preempt-abort --param-rk=${A} --param-sark=${B} --prout-type=5 /dev/sg3`,
  );
  t.equal(
    line({ ask: 'release', own: A, type: FIVE }),
    `${out} --release --param-rk=${A} --prout-type=5 /dev/sg3`,
  );
  t.equal(line({ ask: 'ready' }), 'sg_turs /dev/sg3');
  t.equal(line({ ask: 'format' }), undefined, 'nothing that touches data');
});

t.test('a dump is its bytes, with text beside them or not', async (t) => {
  const hex = (text: string): string => Buffer.from(bytesOfDump(text)).toString('hex');
  const plain =
    ' 00     00 00 00 02 00 00 00 10  00 c1 00 01 00 00 00 01\n 10     00 c1 00 02 00 00 00 01\n';
  t.equal(hex(plain), '000000020000001000c100010000000100c1000200000001');
  const text = '00     00 83 00 14 01 03 00 10  60 01 40 5a aa aa aa aa    ........`.@Z....\n';
  t.equal(hex(text), '008300140103001060014 05aaaaaaaaa'.replace(/\s/gu, ''));
  t.equal(hex('  LIO-ORG   IBLOCK\nno hex at all\n'), '');
  const answer = answerOf({ ask: 'keys' }, completionOf(0, plain, ''));
  t.match(answer, { reply: { keys: [A, B], generation: 2 } });
});

t.test('exit statuses are outcomes, and what nobody knows is no success', async (t) => {
  const write: Request = { ask: 'register-ignore', next: A };
  const is = (status: number): string => answerOf(write, completionOf(status, '', '')).is;
  t.equal(is(0), 'good');
  t.equal(is(24), 'conflict');
  t.equal(is(6), 'attention');
  t.equal(is(9), 'unsupported');
  t.equal(is(5), 'refused');
  t.equal(is(26), 'busy');
  t.equal(is(15), 'unsent');
  for (const status of [2, 3, 11, 33, 35, 97, 99, 255])
    t.equal(is(status), 'unresolved', `${status}`);
});

t.test('without a device nothing is sent, and it says so', async (t) => {
  const port = await openScsi({ runDir: t.testdir({}), koffi: false });
  t.equal(port.mode, 'sg_persist');
  const path = { device: '/dev/sg999', wwid: 'naa.6001405aaaaaaaaaaaaaaaaaaaaaaaaa' };
  const [completion] = await port.send(path, [{ ask: 'register-ignore', next: A }], {
    deadlineMs: 20_000,
  });
  t.match(completion, { kind: 'unsent' });
  await port.close();
});
