/** Whatever a device answers, and however it lies about lengths, the answer is taken apart without a throw. */
import fc from 'fast-check';
import t from 'tap';
import { answerOf, answerText } from '../../fencing/reservation/answer.ts';
import type { Request } from '../../fencing/reservation/request.ts';
import { Rig } from '../fakes/disk/rig.ts';

const REQUESTS: readonly Request[] = [
  { ask: 'keys' },
  { ask: 'reservation' },
  { ask: 'capabilities' },
  { ask: 'full-status' },
  { ask: 'device-id' },
  { ask: 'inquiry' },
  { ask: 'ready' },
  { ask: 'register-ignore', next: '0000000000000001' as never },
];
const RUNS = { numRuns: 3_000 };
const anyBytes = fc.uint8Array({ maxLength: 300 });

t.test('any bytes, any status, any sense', async () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...REQUESTS),
      fc.record({
        kind: fc.constant('done' as const),
        status: fc.oneof(fc.constantFrom(0, 2, 0x18), fc.nat(255)),
        host: fc.oneof(fc.constant(0), fc.nat(255)),
        driver: fc.nat(255),
        sense: fc.oneof(
          anyBytes,
          anyBytes.map((bytes) => Uint8Array.from([0x70 + ((bytes[0] ?? 0) % 4), ...bytes])),
        ),
        data: anyBytes,
      }),
      (request, completion) => {
        const answer = answerOf(request, completion);
        return answerText(answer).length > 0;
      },
    ),
    RUNS,
  );
});

t.test('lists with lengths that lie', async () => {
  const header = (generation: number, length: number, body: Uint8Array): Uint8Array => {
    const bytes = Buffer.alloc(8 + body.length);
    bytes.writeUInt32BE(generation, 0);
    bytes.writeUInt32BE(length, 4);
    bytes.set(body, 8);
    return bytes;
  };
  fc.assert(
    fc.property(
      fc.constantFrom(...REQUESTS.slice(0, 5)),
      fc.nat(0xffffffff),
      fc.oneof(fc.nat(400), fc.constantFrom(0xffffffff, 0x80000000, 8, 16, 24)),
      fc.uint8Array({ maxLength: 200 }),
      (request, generation, length, body) => {
        const data = header(generation, length, body);
        const answer = answerOf(request, {
          kind: 'done',
          status: 0,
          host: 0,
          driver: 0,
          sense: data,
          data,
        });
        if (answer.is !== 'good') return true;
        const { reply } = answer;
        // What was not received is never in the answer.
        if (reply.of === 'keys') {
          const told = Math.min(body.length, length);
          return (
            reply.keys.length === Math.floor(told / 8) &&
            reply.cut === reply.keys.length < length / 8
          );
        }
        if (reply.of === 'full-status') return reply.registrations.length <= body.length / 24;
        return true;
      },
    ),
    RUNS,
  );
});

t.test('an answer cut anywhere is never more than the whole', async (t) => {
  const rig = new Rig({});
  for (const [index, who] of (['a1', 'a2', 'b1'] as const).entries()) {
    await rig.send(who, { ask: 'register-ignore', next: `00c1000${index + 1}00000001` as never });
  }
  await rig.send('a1', {
    ask: 'reserve',
    own: '00c1000100000001' as never,
    type: 'write-exclusive-registrants',
  });
  for (const request of REQUESTS.slice(0, 5)) {
    const whole = await rig.send('a1', request);
    if (whole.kind !== 'done') throw new Error('no answer');
    for (let length = 0; length < whole.data.length; length += 1) {
      const answer = answerOf(request, { ...whole, data: whole.data.slice(0, length) });
      if (answer.is !== 'good') continue;
      const { reply } = answer;
      if (reply.of === 'keys') t.ok(reply.cut, `keys cut at ${length}`);
      if (reply.of === 'full-status') t.ok(reply.cut, `full status cut at ${length}`);
      if (reply.of === 'reservation') t.ok(length >= 22, `reservation cut at ${length}`);
    }
  }
});

t.test('4,096 registrations are one answer', async (t) => {
  const rig = new Rig({});
  const { registrants } = rig.target.table;
  for (let index = 1; index <= 4096; index += 1) {
    const initiator = `iqn.2026-01.test:${index},i,0x000000000001`;
    const key = index.toString(16).padStart(16, '0');
    registrants.set(`${initiator}@1`, { key, initiator, port: 1, allPorts: false });
  }
  const first = answerOf({ ask: 'keys' }, await rig.send('a1', { ask: 'keys' }));
  t.match(first, { reply: { count: 4096, cut: true, keys: { length: 127 } } });
  const request = { ask: 'keys', bytes: 8 + 4096 * 8 } as const;
  const all = answerOf(request, await rig.send('a1', request));
  t.match(all, { reply: { count: 4096, cut: false, keys: { length: 4096 } } });
});
