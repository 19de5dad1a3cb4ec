/** What the ACPI collector must never get wrong; the captures beside it hold the ordinary cases. */
import fc from 'fast-check';
import t from 'tap';
import { collector } from '../../collectors/acpi.ts';
import type { Entry, Source } from '../../collectors/lib/collector.ts';
import type { Observation, Reading } from '../../rules/model.ts';

function source(name: string): Source {
  const found = collector.sources.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no source ${name}`);
  return found;
}

type Files = Readonly<Record<string, string | Entry>>;

function parse(name: string, folder: string, files: Files): Observation {
  const entries = Object.entries(files).map(([file, content]): [string, Entry] => [
    `${folder}/${file}`,
    typeof content === 'string' ? { text: `${content}\n` } : content,
  ]);
  return source(name).parse(new Map(entries));
}

function first(observation: Observation): Reading {
  const reading = observation.kind === 'seen' ? observation.readings[0] : undefined;
  if (reading === undefined) throw new Error(`no reading: ${JSON.stringify(observation)}`);
  return reading;
}

const ZONES = 'sys/class/thermal';
const SUPPLIES = 'sys/class/power_supply';
const METER = 'sys/bus/acpi/devices/ACPI000D:00';

t.test('a zone that gives no temperature is unknown and has none, never 0', (t) => {
  const errnos = ['EIO', 'EAGAIN', 'ENODATA', 'EINVAL', 'ETIMEDOUT'];
  for (const temp of [...errnos.map((errno) => ({ errno })), '', '-274000', 'garbage', '1e999']) {
    const zone = first(
      parse('thermal', ZONES, { 'thermal_zone0/type': 'acpitz', 'thermal_zone0/temp': temp }),
    );
    t.equal(zone.health, 'unknown', JSON.stringify(temp));
    t.notOk('celsius' in zone.gauges);
    t.match(zone.why, /\S/u);
  }
  const cold = first(
    parse('thermal', ZONES, { 'thermal_zone0/type': 'acpitz', 'thermal_zone0/temp': '0' }),
  );
  t.match(cold, { health: 'ok', gauges: { celsius: 0 } }, 'a real 0 is one');
  t.end();
});

t.test("a zone is judged by its own trips and by nobody else's", (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: -40, max: 150 }),
      fc.option(fc.integer({ min: 60, max: 120 }), { nil: undefined }),
      fc.option(fc.integer({ min: 60, max: 120 }), { nil: undefined }),
      (temp, critical, hot) => {
        const files: Record<string, string> = {
          'thermal_zone3/type': 'x',
          'thermal_zone3/temp': String(temp * 1000),
        };
        const trips = { critical, hot };
        for (const [at, [type, limit]] of Object.entries(trips).entries()) {
          if (limit === undefined) continue;
          files[`thermal_zone3/trip_point_${at}_type`] = type;
          files[`thermal_zone3/trip_point_${at}_temp`] = String(limit * 1000);
        }
        const expected =
          critical !== undefined && temp >= critical
            ? 'failed'
            : hot !== undefined && temp >= hot
              ? 'failing'
              : 'ok';
        t.equal(first(parse('thermal', ZONES, files)).health, expected);
      },
    ),
  );
  t.end();
});

t.test('zones of one type are told apart by rank, in the order of their numbers', (t) => {
  const files: Record<string, string> = {};
  for (const zone of [10, 2, 0]) {
    files[`thermal_zone${zone}/type`] = 'acpitz';
    files[`thermal_zone${zone}/temp`] = String(zone * 1000);
  }
  const seen = parse('thermal', ZONES, files);
  t.strictSame(
    seen.kind === 'seen' && seen.readings.map((one) => [one.component, one.gauges.celsius]),
    [
      ['zone/acpitz/0', 0],
      ['zone/acpitz/1', 2],
      ['zone/acpitz/2', 10],
    ],
  );
  t.end();
});

t.test('online in every form the kernel has, and in none', (t) => {
  const health = (online: string | Entry): string =>
    first(parse('supply', SUPPLIES, { 'AC0/type': 'Mains', 'AC0/online': online })).health;
  t.equal(health('1'), 'ok');
  t.equal(health('2'), 'ok', 'programmable');
  t.equal(health('0'), 'failed');
  t.equal(health('-1'), 'unknown');
  t.equal(health(''), 'unknown');
  t.equal(health({ errno: 'ENODATA' }), 'unknown');
  t.end();
});

t.test('a charging port with nothing in it is no lost supply', (t) => {
  const files = { 'usb/type': 'USB', 'usb/online': '0' };
  t.match(first(parse('supply', SUPPLIES, files)), { health: 'failed', unproven: true });
  const inUse = first(parse('supply', SUPPLIES, { ...files, 'usb/online': '1' }));
  t.equal(inUse.health, 'ok');
  t.notOk('unproven' in inUse, 'what works is there');
  t.end();
});

t.test('a battery keeps its identity when its type cannot be read', (t) => {
  const files = { 'BAT0/present': '1', 'BAT0/status': 'Full', 'BAT0/capacity': '99' };
  const whole = first(parse('supply', SUPPLIES, { ...files, 'BAT0/type': 'Battery' }));
  const torn = first(parse('supply', SUPPLIES, { ...files, 'BAT0/type': { errno: 'EIO' } }));
  t.equal(torn.component, whole.component);
  t.end();
});

t.test('discharging is what a battery is for', (t) => {
  const battery = first(
    parse('supply', SUPPLIES, {
      'BAT0/type': 'Battery',
      'BAT0/present': '1',
      'BAT0/status': 'Discharging',
      'BAT0/temp': '312',
      'BAT0/energy_now': '1000000',
    }),
  );
  t.match(battery, { health: 'ok', gauges: { discharging: 1, celsius: 31.2, joules: 3600 } });
  t.end();
});

t.test('adapters make a group from two on, and batteries are no members', (t) => {
  const groups = (files: Files): unknown => {
    const seen = parse('supply', SUPPLIES, files);
    return seen.kind === 'seen' ? seen.groups : seen;
  };
  const one = {
    'AC0/type': 'Mains',
    'AC0/online': '1',
    'BAT0/type': 'Battery',
    'BAT0/present': '1',
  };
  t.strictSame(groups(one), []);
  t.match(groups({ ...one, 'AC1/type': 'Mains', 'AC1/online': { errno: 'EIO' } }), [
    { group: 'supplies/acpi', kind: 'supplies', members: ['supply/AC0', 'supply/AC1'] },
  ]);
  t.end();
});

t.test('a meter that cannot measure gives no watts', (t) => {
  const values: (string | Entry)[] = [
    '4294967295',
    '4294967295000',
    '18446744073709551615',
    '0',
    '-1',
    { errno: 'ETIMEDOUT' },
  ];
  for (const value of values) {
    const meter = first(parse('meter', METER, { power1_average: value }));
    t.equal(meter.health, 'unknown', JSON.stringify(value));
    t.notOk('watts' in meter.gauges);
  }
  t.match(first(parse('meter', METER, { power1_average: '184500000' })).gauges, { watts: 184.5 });
  t.end();
});

t.test('every file of a power meter is read where it can be abandoned', (t) => {
  const reads = source('meter').reads;
  t.ok(reads.length > 0);
  t.ok(reads.every((read) => read.kind === 'file' && read.mayHang === true));
  const temp = source('thermal').reads.find(
    (read) => read.kind === 'file' && read.glob.endsWith('/temp'),
  );
  t.match(temp, { mayHang: true });
  t.end();
});
