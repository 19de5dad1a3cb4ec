/**
 * Decoding of netlink bytes: what the kernel sends is understood, and no bytes at all make a decoder
 * throw, run on, or report more than there is.
 */
import fc from 'fast-check';
import t from 'tap';
import { pathFits } from '../agent/kernel/glob.ts';
import {
  decodeNetlink,
  decodeNetlinkAddress,
  decodeUevent,
  LITTLE_ENDIAN,
  netlinkSubject,
} from '../agent/kernel/netlink.ts';
import { alternatives } from '../agent/ports/glob.ts';
import { globMatches } from '../rules/glob.ts';

function uevent(...parts: readonly string[]): Uint8Array {
  return new TextEncoder().encode(parts.map((part) => `${part}\0`).join(''));
}

/** A message with the given type and payload; `claimed` is the length its header states. */
function message(
  type: number,
  payload: readonly number[],
  claimed = 16 + payload.length,
): number[] {
  const bytes = new Uint8Array(16 + Math.ceil(payload.length / 4) * 4);
  const fields = new DataView(bytes.buffer);
  fields.setUint32(0, claimed, LITTLE_ENDIAN);
  fields.setUint16(4, type, LITTLE_ENDIAN);
  fields.setUint32(8, 7, LITTLE_ENDIAN);
  bytes.set(payload, 16);
  return [...bytes];
}

t.test('a uevent is understood', (t) => {
  t.strictSame(
    decodeUevent(
      uevent(
        'change@/devices/virtual/block/dm-3',
        'ACTION=change',
        'DEVPATH=/devices/virtual/block/dm-3',
        'SUBSYSTEM=block',
        'DM_ACTION=PATH_FAILED',
        'SEQNUM=4711',
      ),
    ),
    {
      action: 'change',
      devpath: '/devices/virtual/block/dm-3',
      subsystem: 'block',
      synthetic: false,
    },
  );
  t.match(decodeUevent(uevent('add@/x', 'SUBSYSTEM=net', 'SYNTH_UUID=0')), { synthetic: true });
  t.match(decodeUevent(new TextEncoder().encode('add@/x\0SUBSYSTEM=net')), { subsystem: 'net' });
  t.match(decodeUevent(uevent('add@/module/x')), { subsystem: '' });
  t.equal(decodeUevent(uevent('libudev', 'ACTION=add')), undefined, 'udev speaks otherwise');
  t.equal(decodeUevent(uevent('@/x')), undefined);
  t.equal(decodeUevent(uevent('add@')), undefined);
  t.equal(decodeUevent(new Uint8Array()), undefined);
  t.end();
});

t.test('rtnetlink messages are taken apart', (t) => {
  const bytes = Uint8Array.from([...message(16, [1, 2, 3]), ...message(24, []), ...message(4, [])]);
  const { messages, truncated } = decodeNetlink(bytes);
  t.equal(truncated, false);
  t.strictSame(
    messages.map(({ type, payload }) => [netlinkSubject(type), [...payload]]),
    [
      ['link', [1, 2, 3]],
      ['route', []],
      ['overrun', []],
    ],
  );
  t.equal(messages[0]?.sequence, 7);
  t.strictSame([17, 25, 20].map(netlinkSubject), ['link', 'route', 'other']);
  t.end();
});

t.test('a message that does not fit is said to be cut', (t) => {
  const cut = decodeNetlink(Uint8Array.from(message(16, [1, 2, 3, 4], 400)));
  t.equal(cut.truncated, true);
  t.equal(cut.messages[0]?.type, 16, 'its header is still there');
  t.strictSame(decodeNetlink(Uint8Array.from(message(16, [], 0))), {
    messages: [],
    truncated: true,
  });
  t.strictSame(decodeNetlink(new Uint8Array(7)), { messages: [], truncated: true });
  t.strictSame(decodeNetlink(new Uint8Array()), { messages: [], truncated: false });
  t.end();
});

t.test('the sender is read from its address', (t) => {
  const bytes = new Uint8Array(12);
  const fields = new DataView(bytes.buffer);
  fields.setUint16(0, 16, LITTLE_ENDIAN);
  fields.setUint32(4, 4242, LITTLE_ENDIAN);
  fields.setUint32(8, 1, LITTLE_ENDIAN);
  t.strictSame(decodeNetlinkAddress(bytes), { port: 4242, groups: 1 });
  t.equal(decodeNetlinkAddress(bytes.subarray(0, 11)), undefined, 'too short');
  t.equal(decodeNetlinkAddress(new Uint8Array(12)), undefined, 'another family');
  t.end();
});

t.test('no bytes confuse the decoders', (t) => {
  const honest = fc.constantFrom(
    Uint8Array.from([...message(16, [1, 2, 3, 4]), ...message(24, [9])]),
    uevent('change@/a', 'SUBSYSTEM=block', 'SYNTH_UUID=0'),
  );
  const bent = fc
    .tuple(honest, fc.array(fc.tuple(fc.nat(63), fc.nat(255)), { maxLength: 8 }), fc.nat(64))
    .map(([bytes, changes, length]) => {
      const copy = Uint8Array.from(bytes);
      for (const [at, value] of changes) copy[at] = value;
      return copy.subarray(0, length);
    });
  const anything = fc.oneof(bent, fc.uint8Array({ maxLength: 9000 }));
  fc.assert(
    fc.property(anything, (bytes) => {
      const { messages } = decodeNetlink(bytes);
      const total = messages.reduce((sum, { payload }) => sum + 16 + payload.length, 0);
      const event = decodeUevent(bytes);
      decodeNetlinkAddress(bytes);
      return total <= bytes.length && (event === undefined || event.devpath.startsWith('/'));
    }),
    { numRuns: 2000 },
  );
  t.end();
});

t.test('bytes in the middle of a larger buffer are decoded alone', (t) => {
  const bytes = Uint8Array.from([255, 255, ...message(17, [5]), 255, 255]).subarray(2, -2);
  t.strictSame([...(decodeNetlink(bytes).messages[0]?.payload ?? [])], [5]);
  t.end();
});

t.test('globs', (t) => {
  t.ok(pathFits('sys/block/md*/md/{degraded,array_state}', 'sys/block/md127/md/degraded'));
  t.ok(pathFits('sys/block/md*/md/dev-*/state', 'sys/block/md0/md/dev-sda1/state'));
  t.ok(pathFits('proc/mdstat', 'proc/mdstat'));
  t.notOk(pathFits('sys/block/md*/md/{degraded,array_state}', 'sys/block/md0/md/level'));
  t.notOk(pathFits('sys/*', 'sys/block/md0'), 'a star does not cross a slash');
  t.notOk(pathFits('sys/block/*', 'sys/block'), 'nor stand for a missing segment');
  t.ok(globMatches('*_alarm', 'temp1_crit_alarm'));
  t.ok(globMatches('a*b*c', 'a-b-b-c'));
  t.notOk(globMatches('a*b', 'a-b-c'));
  t.strictSame(alternatives('{a,b}/{c,d}'), ['a/c', 'a/d', 'b/c', 'b/d']);
  t.strictSame(alternatives('x{y'), ['x{y'], 'an unpaired brace stands for itself');
  const name = fc.stringMatching(/^[a-z*]{0,12}$/u);
  fc.assert(
    fc.property(name, name, (pattern, text) => {
      const plain = text.replaceAll('*', '');
      const oracle = new RegExp(`^${pattern.replace(/\*+/gu, '.*')}$`, 'u').test(plain);
      return globMatches(pattern, plain) === oracle;
    }),
  );
  t.end();
});
