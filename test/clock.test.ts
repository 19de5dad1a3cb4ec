/** Wall time is a label: it follows a clock that was set, and does not tremble. */
import t from 'tap';
import { wallOffset } from '../agent/ports/clock.ts';

t.test(
  'the offset is kept while it differs by chance, and taken anew when the clock was set',
  (t) => {
    t.equal(wallOffset(1_000_000, 1_000_000.4), 1_000_000);
    t.equal(wallOffset(1_000_000, 999_950), 1_000_000);
    t.equal(
      wallOffset(0, 1_795_393_626_599),
      1_795_393_626_599,
      'the first answer of NTP after boot',
    );
    t.equal(wallOffset(1_795_393_626_599, 1_795_393_622_599), 1_795_393_622_599, 'and backwards');
    t.end();
  },
);
