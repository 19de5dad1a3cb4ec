/** A capture is what a user sends us: what is written must be read back as it was, whatever it holds. */
import fc from 'fast-check';
import t from 'tap';
import { decodeCapture, encodeCapture } from '../collectors/lib/capture.ts';
import type { Entry } from '../collectors/lib/collector.ts';

const word = fc.stringMatching(/^[a-z0-9_./:-]{1,30}$/u);
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ text: fc.string({ unit: 'binary' }) }),
  fc.record({ link: word }),
  fc.record({ errno: fc.constantFrom('EIO', 'EAGAIN', 'ENODEV') }),
);

t.test('a capture reads back as the snapshot it was written from', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(word, entry)), (pairs) => {
      const snapshot = new Map(pairs.map(([key, value]) => [`sys/${key}`, value]));
      t.matchOnly([...decodeCapture(encodeCapture(snapshot, ['a note']))], [...snapshot]);
    }),
  );
  t.end();
});

t.test('a line that no capture holds is refused with its number', (t) => {
  t.throws(() => decodeCapture('file a\n| 1\nnonsense here\n'), { message: /line 3/u });
  t.end();
});
