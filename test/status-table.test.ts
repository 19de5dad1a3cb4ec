/** The table: never wider or longer than the screen, nothing a terminal obeys, nothing silently left out. */
import t from 'tap';
import { screenText } from '../agent/commands/live.ts';
import { fit, pad, plainText, textWidth, wrap } from '../exporters/status/plain.ts';
import { tableLines } from '../exporters/status/table.ts';
import { viewOf } from '../exporters/status/view.ts';
import type { Picture } from '../rules/model.ts';
import {
  component,
  emptyPicture,
  group,
  NASTY_NAMES,
  picture,
  richPicture,
  sight,
  vitals,
} from './fakes/picture.ts';

function lines(of: Picture, columns = 110, rows?: number, oldMs?: number): readonly string[] {
  return tableLines(viewOf(of, vitals(), oldMs), { columns, rows, colour: false });
}

function nastyPicture(): Picture {
  const components = NASTY_NAMES.map((name, index) =>
    component(`fan/${index}`, 'failed', { name, why: name, facts: { [name]: name } }),
  );
  return picture({
    components,
    groups: NASTY_NAMES.map((name, index) =>
      group(`fans/${index}`, 'lost', [`fan/${index}`], { name, kind: name }),
    ),
    sights: NASTY_NAMES.map((name, index) => sight(`s/${index}`, 'blind', { why: name })),
    advice: NASTY_NAMES.map((name) => ({
      code: 'x',
      about: components[0]?.id ?? ('' as never),
      text: name,
    })),
  });
}

t.test('a look without an agent has no uptime, and says what it cannot miss', (t) => {
  const view = viewOf(richPicture(), { ...vitals(), wakeMode: 'once' });
  const [first = ''] = tableLines(view, { columns: 200, rows: undefined, colour: false });
  t.match(first, /UTC, one look without an agent: only what an agent once saw is missed$/u);
  t.notMatch(first, 'agent up');
  t.end();
});

t.test('says the words, worst first', (t) => {
  const text = lines(richPicture());
  t.match(text[0], /^nospof 0\.1\.0 on alpha, 2026-11-23 00:40:12 UTC, agent up 1 h$/u);
  const at = (part: string): number => text.findIndex((line) => line.includes(part));
  for (const part of [
    'XX LOST      md0 (mirror)',
    '?? UNKNOWN   md1',
    ' x failed    RAID battery',
    ' ? blind     ipmi/sensors',
    '   redundant bond0',
    'All paths of mpatha go through one card',
    'fan4 (fan)',
    'zfs/pools',
  ]) {
    t.ok(at(part) > 0, part);
  }
  t.ok(at('XX LOST') < at('!! EXPOSED') && at('!! EXPOSED') < at('?? UNKNOWN'));
  t.match(text[at('power supplies')], /the next failure loses it; 1 of 2 ok, needs 1 \(assumed\)/u);
  t.match(text[at('power supplies') + 1], / x failed {6}PSU 2 {2}for 3 min: Power Supply AC lost/u);
  t.match(text[at('mpatha (paths)')], /all share card\/0000:03:00\.0/u);
  t.match(lines(emptyPicture()).join('\n'), /Nothing redundant is visible on this machine/u);
  t.end();
});

t.test('an old picture says so before anything else', (t) => {
  t.match(lines(richPicture(), 110, 24, 61_000)[1], /^OLD: the agent has said nothing for 1 min/u);
  t.end();
});

t.test('fits every screen, and counts what does not', (t) => {
  for (const of of [richPicture(), nastyPicture(), emptyPicture()]) {
    for (const columns of [1, 20, 33, 80, 132, 300]) {
      for (const rows of [1, 5, 10, 24, 25, 60, undefined]) {
        const text = lines(of, columns, rows);
        const widest = Math.max(...text.map(textWidth));
        if (widest > Math.max(20, columns)) t.fail(`${columns}x${rows}: ${widest} columns`);
        if (rows !== undefined && rows >= 10 && text.length > rows)
          t.fail(`${columns}x${rows}: ${text.length} lines`);
      }
    }
  }
  const short = lines(richPicture(), 100, 12);
  t.match(short.at(-1), /^\.\.\. and \d+ more$/u);
  const shown = short.filter((line) => /^(?:XX|!!|\?\?) /u.test(line)).length;
  t.equal(short.at(-1), `... and ${16 - shown} more`, 'counts things, not lines');
  const all = lines(richPicture(), 100, 100);
  t.notMatch(all.join('\n'), /and \d+ more$/u);
  t.strictSame(lines(richPicture(), 100, all.length), all, 'fits exactly');
  t.end();
});

t.test('many members in trouble do not bury the other groups', (t) => {
  const members = Array.from({ length: 64 }, (_, index) => component(`path/${index}`, 'failed'));
  const ids = members.map((member) => member.id);
  const text = lines(picture({ components: members, groups: [group('paths/p', 'lost', ids)] }));
  t.match(text.join('\n'), /and 60 members more not ok/u);
  t.ok(text.length < 12);
  t.end();
});

t.test('nothing in a name is obeyed by a terminal', (t) => {
  const text = lines(nastyPicture(), 400).join('');
  t.notMatch(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  t.match(text, /\\x1b\[2J/u, 'shown as what it is');
  t.match(text, /\\u\{202e\}evil/u);
  t.match(text, /<script>alert\(1\)<\/script>/u, 'harmless here, so left alone');
  t.end();
});

t.test('colour only repeats the words', (t) => {
  const view = viewOf(richPicture(), vitals());
  const options = { columns: 100, rows: 40 };
  const plain = tableLines(view, { ...options, colour: false });
  const coloured = tableLines(view, { ...options, colour: true });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  const colour = /\u001b\[[\d;]*m/gu;
  t.strictSame(
    coloured.map((line) => line.replace(colour, '')),
    plain,
  );
  t.match(coloured.join('\n'), colour);
  t.end();
});

t.test('text in columns', (t) => {
  t.equal(plainText('a\tb\nc'), 'a b c');
  t.equal(textWidth('风扇 💥 ok'), 10);
  t.equal(fit('风扇风扇', 5), '风扇…');
  t.equal(fit('风扇', 4), '风扇');
  t.equal(fit('abc', 2), 'a…');
  t.equal(fit('abc', 0), '');
  t.equal(pad('风', 4), '风  ');
  t.equal(textWidth(fit(`e${'\u0301'.repeat(4096)}x`, 10)), 2, 'marks without end are dropped');
  t.ok(fit('\u0301'.repeat(100_000), 10).length < 200);
  t.strictSame(wrap('one two three', 7, 3), ['one two', 'three']);
  t.strictSame(wrap('one two three four', 7, 2), ['one two', 'three …']);
  t.strictSame(wrap('onetwothree', 7, 2), ['onetwo…']);
  t.end();
});

t.test('a screen overwrites all of the one before', (t) => {
  t.equal(screenText(['a', 'b']), '\u001b[Ha\u001b[K\nb\u001b[K\u001b[J');
  t.end();
});
