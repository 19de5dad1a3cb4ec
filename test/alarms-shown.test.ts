/** Alarms as people and programs are shown them: urgent first, explained last, nothing dropped, nothing escapes. */
import t from 'tap';
import { createRenderer } from '../exporters/prometheus/render.ts';
import { pageSections } from '../exporters/status/page.ts';
import { tableLines } from '../exporters/status/table.ts';
import { viewOf } from '../exporters/status/view.ts';
import type { Alarm, AlarmId, Maintenance, SubjectId } from '../rules/decision.ts';
import { alarmId, begin } from '../rules/lifecycle.ts';
import { ms, type Picture } from '../rules/model.ts';
import { AT, NASTY_NAMES, picture, vitals } from './fakes/picture.ts';
import { rule } from './fakes/rules.ts';

function alarm(name: string, severity: Alarm['severity'], more: Partial<Alarm> = {}): Alarm {
  const begun = begin(
    rule(name, 'true', { severity }),
    `fan/${name}` as SubjectId,
    ms(AT - 60_000),
    {
      summary: `${name} is wrong`,
      steady: undefined,
    },
  );
  return { ...begun, state: 'raised', raisedAt: ms(AT - 60_000), ...more };
}

const ALARMS: readonly Alarm[] = [
  alarm('explained', 'critical', { mutedBy: 'worst@fan/worst' as AlarmId }),
  alarm('soon', 'critical', { state: 'pending', raisedAt: undefined }),
  alarm('small', 'info'),
  alarm('middle', 'warning', {
    holds: 'unknown',
    rung: { kind: 'refused', index: 0, guard: 'maintenance' },
  }),
  alarm('worst', 'critical'),
  alarm('tried', 'critical', { shadow: true }),
];
const LEASE: Maintenance = {
  owner: 'ann',
  reason: 'new fans',
  scope: 'fan/*',
  startedAt: ms(AT),
  endsAt: ms(AT + 60_000),
};
const SHOWN: Picture = picture({ alarms: ALARMS, maintenance: [LEASE] });

t.test('the table begins with them, the urgent first', async (t) => {
  const lines = tableLines(viewOf(SHOWN, vitals()), {
    columns: 200,
    rows: undefined,
    colour: false,
  });
  const from = lines.indexOf('ALARMS');
  t.same(
    lines.slice(from + 1, from + 7).map((line) => line.slice(0, 40).trimEnd()),
    [
      'XX CRITICAL  worst is wrong  (for 1 min; worst@fan/worst)'.slice(0, 40),
      '!! WARNING   middle is wrong  (for 1 min',
      '   info      small is wrong  (for 1 min;',
      ' . raised    explained is wrong  (for 1',
      'XX CRITICAL  tried is wrong  (for 1 min;',
      ' . pending   soon is wrong  (for 1 min;',
    ].map((line) => line.slice(0, 40).trimEnd()),
  );
  t.match(lines[from + 2], /not known whether it still holds; remedy held back: maintenance/u);
  t.match(lines[from + 4], /explained by worst@fan\/worst/u);
  t.ok(lines.indexOf('MAINTENANCE') > 0 && lines.indexOf('MAINTENANCE') < from);
});

t.test('on a short screen they are what is kept', async (t) => {
  const lines = tableLines(viewOf(SHOWN, vitals()), { columns: 80, rows: 12, colour: false });
  t.ok(lines.some((line) => line.startsWith('XX CRITICAL')));
  t.ok(lines.length <= 12);
});

t.test('the page escapes them', async (t) => {
  for (const [index, name] of NASTY_NAMES.entries()) {
    const nasty = alarm('nasty', 'critical', { summary: name, mutedBy: name as AlarmId });
    const section = pageSections(viewOf(picture({ alarms: [nasty] }), vitals())).alarms;
    const tags = [...section.matchAll(/<\/?([a-z0-9]+)/gu)].map(([, tag]) => tag);
    t.same(
      tags,
      ['h2', 'h2', 'ul', 'li', 'span', 'span', 'span', 'span', 'span', 'span', 'li', 'ul'],
      `name ${index}`,
    );
  }
});

t.test('metrics: a series set for each while it stands, counts always', async (t) => {
  const renderer = createRenderer({ seriesMax: 1000 });
  renderer.update(picture(), 0);
  t.match(renderer.render('text'), /nospof_alarms\{severity="critical"\} 0\n/u);
  renderer.update(SHOWN, 0);
  const text = renderer.render('text');
  t.match(
    text,
    /nospof_alarm\{rule="worst",subject="fan\/worst",severity="critical",state="raised"\} 1\n/u,
  );
  t.match(
    text,
    /nospof_alarm\{rule="worst",subject="fan\/worst",severity="critical",state="pending"\} 0\n/u,
  );
  t.match(text, /nospof_alarm_muted\{rule="explained",[^}]*\} 1\n/u);
  t.match(text, /nospof_alarm_known\{rule="middle",[^}]*\} 0\n/u);
  t.match(
    text,
    /nospof_alarms\{severity="critical"\} 1\n/u,
    'one that counts: not pending, muted or shadow',
  );
  t.match(text, /nospof_maintenance_ends_timestamp_seconds\{scope="fan\/\*",owner="ann"\}/u);
  renderer.update(
    picture({
      alarms: ALARMS.filter(({ id }) => id !== alarmId('worst', 'fan/worst' as SubjectId)),
    }),
    0,
  );
  const after = renderer.render('text');
  t.notMatch(after, /rule="worst"/u, 'gone when it has cleared');
  t.match(after, /rule="middle"/u);
  t.notMatch(after, /nospof_maintenance/u);
});
