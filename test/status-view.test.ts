/** The picture in words: order, headline, margins, doubts, and what the log says of a change. */
import t from 'tap';
import { changesOf, logLine } from '../exporters/status/changes.ts';
import { safeJson, worldOf } from '../exporters/status/json.ts';
import { viewOf } from '../exporters/status/view.ts';
import { detailText, durationText, timeText } from '../exporters/status/words.ts';
import { ms } from '../rules/model.ts';
import {
  component,
  emptyPicture,
  group,
  id,
  NASTY_NAMES,
  picture,
  richPicture,
  sight,
  vitals,
} from './fakes/picture.ts';

t.test('headline', (t) => {
  const says = (...parts: Parameters<typeof picture>): string =>
    viewOf(picture(...parts), vitals()).headline;
  t.equal(
    viewOf(richPicture(), vitals()).headline,
    '1 LOST, 3 EXPOSED, 1 UNKNOWN, 2 redundant; outside groups 1 FAILED, 1 failing; 2 sources cannot see; 1 source not read yet',
  );
  const redundant = [1, 2, 3].map((n) => group(`psus/${n}`, 'redundant', []));
  const blind = [1, 2, 3].map((n) => sight(`ipmi/${n}`, 'blind'));
  const exposed = [1, 2].map((n) => group(`fans/${n}`, 'exposed', []));
  const unknown = group('mirror/md0', 'unknown', []);
  t.equal(says({ groups: redundant }), 'NOTHING LOST, NOTHING EXPOSED, 3 redundant');
  t.equal(
    says({ groups: [...redundant, ...exposed, unknown], sights: blind }),
    'NOTHING LOST, 2 EXPOSED, 1 UNKNOWN, 3 redundant; 3 sources cannot see',
  );
  t.equal(
    says({ groups: [{ ...unknown, margin: { low: -1, high: 1 } }] }),
    'NOTHING SEEN LOST, 1 UNKNOWN, 0 redundant',
    'a group that may be lost takes the claim away',
  );
  t.equal(
    says({ groups: [group('bond/b', 'redundant', [], { degraded: true })] }),
    'NOTHING LOST, NOTHING EXPOSED, 1 redundant (1 degraded)',
  );
  t.equal(
    says({ sights: [sight('a/b', 'waiting')] }),
    'Looking: nothing redundant seen so far; 1 source not read yet',
  );
  t.end();
});

t.test('nothing to see is said honestly, with the reason', (t) => {
  const view = viewOf(emptyPicture(), vitals());
  t.equal(view.headline, 'Nothing redundant is visible on this machine; 1 source cannot see');
  t.equal(
    view.why,
    '1 source sees 1 component, but none that stands in for another; 3 sources found nothing of their sort; multipath/maps cannot see: /dev/mapper/control: permission denied; run the agent as root',
  );
  t.equal(viewOf(picture(), vitals()).why, 'no source is enabled');
  t.end();
});

t.test('groups of one name are told apart by their identity', (t) => {
  const name = 'Fans of cffps1';
  const groups = [
    group('fans/i2c-0068', 'exposed', [], { name }),
    group('fans/i2c-0069', 'exposed', [], { name }),
    group('fans/board', 'redundant', [], { name: 'Fans of adt7475' }),
  ];
  t.strictSame(
    viewOf(picture({ groups }), vitals()).groups.map((line) => line.name),
    ['Fans of cffps1 i2c-0068', 'Fans of cffps1 i2c-0069', 'Fans of adt7475'],
  );
  t.end();
});

t.test('sources that see nothing do not claim to see 0 components', (t) => {
  const { why } = viewOf(picture({ sights: [sight('kernel/watchdog')] }), vitals());
  t.equal(why, '1 source sees nothing that could fail');
  t.end();
});

t.test('worst first, then by name with numbers as numbers', (t) => {
  const view = viewOf(richPicture(), vitals());
  t.strictSame(
    view.groups.map(({ name }) => name),
    ['md0', 'ways out', 'mpatha', 'power supplies', 'md1', 'bond0', 'chassis fans'],
  );
  t.strictSame(
    view.groups.find(({ id }) => id === 'fans/chassis')?.members.map(({ name }) => name),
    ['FAN 2', 'FAN 1', 'FAN 10'],
  );
  t.strictSame(
    view.blind.map(({ id }) => id),
    ['ipmi/sensors', 'multipath/maps'],
  );
  t.strictSame(
    view.troubled.map(({ id }) => id),
    ['battery/raid', 'sensor/cpu0'],
  );
  t.strictSame(
    view.unproven.map(({ id }) => id),
    ['fan/nct6775/4'],
  );
  t.end();
});

t.test('margins in words', (t) => {
  const [lost, waysOut, paths, , unknown, , fans] = viewOf(richPicture(), vitals()).groups;
  t.equal(lost?.margin, 'LOST: fewer work than are needed');
  t.equal(lost?.counts, '0 of 2 ok, needs 1');
  t.equal(lost?.held, 'for 42 s');
  t.equal(waysOut?.counts, '1 of 2 ok, needs 1 (assumed)');
  t.ok(waysOut?.degraded);
  t.equal(paths?.margin, 'EXPOSED: the next failure loses it');
  t.equal(paths?.limitedBy, 'all share card/0000:03:00.0');
  t.equal(unknown?.margin, 'between exposed and redundant (1 unknown)');
  t.equal(fans?.margin, 'may lose 1 more, perhaps 2');
  const card = 'card/1';
  const members = [
    component('path/a', 'ok', { needs: [id('port/1')] }),
    component('path/b', 'ok', { needs: [id(card)] }),
    component('path/c', 'ok'),
    component('port/1', 'ok', { needs: [id(card), id('path/a')] }),
  ];
  const shared = group('paths/m', 'exposed', ['path/a', 'path/b', 'path/c'], {
    margin: { low: 0, high: 0, limitedBy: id(card) },
  });
  t.equal(
    viewOf(picture({ components: members, groups: [shared] }), vitals()).groups[0]?.limitedBy,
    '2 of 3 share card/1',
    'counted over what members need in turn, loops included',
  );
  t.end();
});

t.test('a member that nobody reports is unknown, not left out', (t) => {
  const view = viewOf(picture({ groups: [group('psus/x', 'unknown', ['psu/x/1'])] }), vitals());
  t.match(view.groups[0]?.members, [{ id: 'psu/x/1', health: 'unknown' }]);
  t.end();
});

t.test('times and amounts', (t) => {
  t.equal(durationText(-5), '0 s');
  t.equal(durationText(Number.NaN), '0 s');
  t.equal(durationText(59_999), '59 s');
  t.equal(durationText(180_000), '3 min');
  t.equal(durationText(47 * 3_600_000), '47 h');
  t.equal(durationText(5 * 86_400_000), '5 d');
  for (const text of ['1970-01-01T00:00:00Z', '2000-02-29T23:59:59Z', '2026-11-23T00:40:12Z']) {
    t.equal(timeText(Date.parse(text)), text);
  }
  for (let day = -800; day < 60_000; day += 13) {
    const at = day * 86_400_000 + 3_723_000;
    if (timeText(at) !== `${new Date(at).toISOString().slice(0, 19)}Z`) t.fail(`day ${day}`);
  }
  t.equal(timeText(Number.NaN), 'time unknown');
  const gauges = {
    rpm: 5400,
    input_volts: 229.5,
    bytes_per_second: 125_000_000,
    carrier_changes_total: 3,
    wear_ratio: 0.12,
  };
  t.equal(
    detailText(component('x/1', 'ok', { gauges, facts: { fw_version: '1.2' } })),
    '5400 rpm, input 229.5 V, 119.2 MiB/s, carrier changes 3, wear 12 %, fw version 1.2',
  );
  t.end();
});

t.test('log lines of changes', (t) => {
  t.strictSame(changesOf(undefined, picture({ components: [component('fan/1')] })).length, 1);
  const before = richPicture();
  t.strictSame(changesOf(before, before), [], 'no change, no line');
  const after = {
    ...before,
    at: ms(before.at + 1000),
    components: before.components.map((item) =>
      item.id === 'psu/bmc/1' ? { ...item, health: 'failed' as const, why: 'burnt\n"out"' } : item,
    ),
    groups: before.groups.map((item) =>
      item.id === 'psus/bmc' ? { ...item, standing: 'lost' as const } : item,
    ),
    sights: before.sights.map((item) =>
      item.id === 'ipmi/sensors' ? { ...item, state: 'seen' as const, why: '' } : item,
    ),
  };
  const lines = changesOf(before, after).map((change) => logLine(change, 0));
  t.strictSame(lines.slice(1), [
    '1970-01-01T00:00:00Z error standing group=psus/bmc name="power supplies" was=exposed is=lost margin="LOST: fewer work than are needed"',
    '1970-01-01T00:00:00Z error health component=psu/bmc/1 name="PSU 1" was=ok is=failed why="burnt \\"out\\""',
    '1970-01-01T00:00:00Z info sight source=ipmi/sensors was=blind is=seen',
  ]);
  t.match(lines[0], /info headline says="2 LOST, 2 EXPOSED/u);
  const first = changesOf(undefined, before).map(({ message }) => message);
  t.equal(first.filter((message) => message === 'standing').length, 5, 'what is redundant is not');
  t.equal(first.filter((message) => message === 'sight').length, 2);
  for (const name of NASTY_NAMES) {
    const [, line = ''] = changesOf(
      undefined,
      picture({ components: [component('fan/1', 'failed', { name, why: name })] }),
    ).map((change) => logLine(change, 0));
    t.notMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u, 'one line, nothing a terminal obeys');
    t.ok(line.length < 2000);
  }
  t.end();
});

t.test('JSON is safe to print and tells the same', (t) => {
  const names = NASTY_NAMES.map((name, index) => component(`fan/${index}`, 'ok', { name }));
  const world = worldOf(picture({ components: names }), vitals(), 12.4, false);
  const text = safeJson(world);
  t.notMatch(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  const told = JSON.parse(text);
  t.strictSame(
    told.components.map(({ name }: { name: string }) => name),
    NASTY_NAMES,
  );
  t.match(told, { node: 'alpha', time: '2026-11-23T00:40:12Z', ageMs: 12, old: false });
  t.strictSame(Object.keys(told), [
    'node',
    'version',
    'time',
    'headline',
    'at',
    'ageMs',
    'old',
    'groups',
    'components',
    'sights',
    'advice',
    'alarms',
    'services',
    'maintenance',
    'vitals',
  ]);
  t.end();
});
