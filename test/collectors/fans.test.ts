/** Traps of fan sensors: each test is a way in which a dead fan passed for a good one, or the reverse. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { collector } from '../../collectors/fans.ts';
import { decodeCapture } from '../../collectors/lib/capture.ts';
import type { Reading } from '../../rules/model.ts';
import { type ChipTree, command, healths, readingsOf, sourceOf, tree } from './hwmon-tree.ts';

const hwmon = sourceOf(collector.sources, 'hwmon');
const bmc = sourceOf(collector.sources, 'bmc');

function chip(files: ChipTree['files'], change: Partial<ChipTree> = {}): ChipTree {
  return { node: 2, device: 'sys/devices/platform/nct6775.656', name: 'nct6798', files, ...change };
}

function only(files: ChipTree['files']): Reading | undefined {
  return readingsOf(hwmon.parse(tree(chip(files))))[0];
}

t.test('hwmonN is no key: a renumbered chip keeps its identities', (t) => {
  const files = { fan1_input: 900, fan2_input: 0, pwm2: 0 };
  const one = hwmon.parse(tree(chip(files, { node: 2 })));
  const other = hwmon.parse(tree(chip(files, { node: 17 })));
  t.strictSame(one, other);
  t.notMatch(JSON.stringify(one), /hwmon\d/u);
  t.end();
});

t.test('an I2C chip keeps its identity when its adapter gets another number', (t) => {
  const at = (bus: number): ChipTree =>
    chip(
      { fan1_input: 900 },
      { device: `sys/devices/pci0000:00/0000:00:1f.3/i2c-${bus}/${bus}-002e` },
    );
  t.strictSame(hwmon.parse(tree(at(0))), hwmon.parse(tree(at(9))));
  t.end();
});

t.test('two chips under one parent do not collide, in whatever order they were loaded', (t) => {
  const front = chip({ fan1_input: 7000 }, { node: 1, name: 'front' });
  const rear = chip({ fan1_input: 0 }, { node: 2, name: 'rear' });
  const swapped = [
    { ...front, node: 2 },
    { ...rear, node: 1 },
  ];
  const wanted = {
    'fan/platform-nct6775.656-front/1': 'ok',
    'fan/platform-nct6775.656-rear/1': 'failed',
  };
  t.strictSame(healths(hwmon.parse(tree(front, rear))), wanted);
  t.strictSame(healths(hwmon.parse(tree(...swapped))), wanted);
  const twins = hwmon.parse(tree(front, { ...front, node: 5 }, { ...front, node: 9 }));
  t.equal(new Set(readingsOf(twins).map((reading) => reading.component)).size, 3);
  t.end();
});

t.test('one address on two adapters of a controller: told apart by adapter', (t) => {
  const at = (bus: number): ChipTree =>
    chip(
      { fan1_input: 900 },
      { node: bus, device: `sys/devices/pci0000:00/0000:00:14.0/i2c-${bus}/${bus}-0058` },
    );
  t.strictSame(Object.keys(healths(hwmon.parse(tree(at(1), at(2))))), [
    'fan/i2c-0000:00:14.0-bus1-0058/1',
    'fan/i2c-0000:00:14.0-bus2-0058/1',
  ]);
  t.end();
});

t.test('0 rpm has three meanings', (t) => {
  const stopped = only({ fan1_input: 0, pwm1: 0, pwm1_enable: 2 });
  t.match(stopped, { health: 'ok', why: 'stopped on purpose', unproven: true });
  t.match(only({ fan1_input: 0, pwm1: 128 }), { health: 'failed', unproven: true });
  t.match(only({ fan1_input: 0 }), { health: 'failed', unproven: true });
  t.match(only({ fan1_input: 0, pwm1: 0, fan1_target: 900 }), { health: 'failed' });
  t.match(only({ fan1_input: 0, pwm1: 0, pwm1_enable: 0 }), {
    health: 'failed',
    why: '0 rpm at full power',
  });
  t.match(only({ fan1_input: 0, pwm1: '!EIO' }), { health: 'unknown', unproven: true });
  t.match(only({ fan1_input: 0, pwm1: 'off' }), { health: 'unknown' });
  t.match(only({ fan2_input: 0, pwm1: 0 }), { health: 'failed' }, 'the duty of another channel');
  t.end();
});

t.test('booleans are never scaled, and anything but 0 and 1 is none', (t) => {
  const reading = only({ fan1_input: 900, fan1_min_alarm: 1, fan1_max_alarm: 0, fan1_fault: 0 });
  t.match(reading, { health: 'failing', why: '900 rpm, the chip raises fan1_min_alarm' });
  t.strictSame(reading?.gauges, { rpm: 900, alarm: 1, fault: 0 });
  for (const odd of ['0.001', '2', '', 'yes', '!EIO']) {
    const odder = only({ fan1_input: 900, fan1_alarm: odd });
    t.equal(odder?.health, 'ok');
    t.notOk(odder !== undefined && 'alarm' in odder.gauges, `alarm ${odd} is no gauge`);
  }
  t.end();
});

t.test('a latched alarm is seen in the one read that shows it', (t) => {
  t.match(only({ fan1_input: 900, fan1_alarm: 1 }), { health: 'failing', gauges: { alarm: 1 } });
  t.match(only({ fan1_input: 900, fan1_alarm: 0 }), { health: 'ok', gauges: { alarm: 0 } });
  t.end();
});

t.test('the number beside a fault bit is not passed on', (t) => {
  const reading = only({ fan1_input: 3000, fan1_fault: 1 });
  t.match(reading, { health: 'failed', unproven: true, gauges: { fault: 1 } });
  t.equal(reading?.gauges.rpm, undefined);
  t.end();
});

t.test('an attribute that fails hides neither its fan nor the others', (t) => {
  const observation = hwmon.parse(
    tree(chip({ fan1_input: '!EIO', fan2_input: 900, fan2_min: '!EIO', fan3_input: '!ENODATA' })),
  );
  t.strictSame(Object.values(healths(observation)), ['unknown', 'ok', 'unknown']);
  t.match(readingsOf(observation)[0]?.why, /EIO/u);
  t.match(readingsOf(observation)[2]?.why, /ENODATA/u);
  t.match(only({ fan1_input: '!ENODATA', fan1_enable: 0 }), { health: 'absent', unproven: true });
  t.end();
});

t.test('a chip that vanished is not reported; one that only fails is', (t) => {
  const gone = chip({ fan1_input: '!ENODEV', fan1_label: '!ENOENT' }, { name: '!ENODEV' });
  t.equal(hwmon.parse(tree(gone)).kind, 'none');
  t.equal(only({ fan1_input: '!ENODEV', fan1_label: 'CPU' })?.health, 'unknown');
  t.end();
});

t.test('speeds that no fan has are unknown', (t) => {
  for (const text of ['4294967295', '2147483647', '-1', '1e9', 'N/A', '9'.repeat(10_000), '']) {
    t.match(only({ fan1_input: text }), { health: 'unknown', unproven: true }, text.slice(0, 20));
  }
  t.end();
});

t.test('a pwm that is no duty makes no gauge', (t) => {
  t.equal(only({ fan1_input: 900, pwm1: 256 })?.gauges.duty_ratio, undefined);
  t.equal(only({ fan1_input: 900, pwm1: 255 })?.gauges.duty_ratio, 1);
  t.end();
});

t.test('labels may hold anything', (t) => {
  const reading = only({ fan1_input: 900, fan1_label: `"front"\n\u0000<b>${'x'.repeat(4096)}` });
  t.match(reading?.name, /^nct6798 "front" <b>x+$/u);
  t.ok((reading?.name.length ?? 0) < 100);
  t.end();
});

t.test('fans on a card are advised against, chassis fans are not', (t) => {
  const card = chip(
    { fan1_input: 1500 },
    { node: 5, device: 'sys/devices/pci0000:00/0000:00:01.0/0000:03:00.0', name: 'amdgpu' },
  );
  const seen = hwmon.parse(tree(chip({ fan1_input: 900, fan2_input: 900 }), card));
  t.match(seen, {
    groups: [{ kind: 'fans', members: [String, String] }, { members: [String] }],
    advice: [{ code: 'fan-on-component', about: 'fan/pci-0000:03:00.0/1' }],
  });
  t.end();
});

t.test('both tools see the same fans in the same health', (t) => {
  const fixture = (tool: string): Readonly<Record<string, string>> => {
    const url = new URL(`../../../test/fixtures/fans/bmc.all-states-${tool}.snap`, import.meta.url);
    return healths(bmc.parse(decodeCapture(readFileSync(url, 'utf8'))));
  };
  const free = fixture('freeipmi');
  t.ok(Object.keys(free).length >= 11);
  t.strictSame(fixture('ipmitool'), free);
  t.end();
});

t.test('what a BMC sensor is does not change with what it says', (t) => {
  const rows = (third: string): string =>
    `ID,Name,Type,State,Reading,Units,Event\n4,Fan 1,Fan,Nominal,11.76,%,'transition to Running'\n${third}\n`;
  const ids = (third: string): readonly string[] =>
    Object.keys(healths(bmc.parse(new Map([command('ipmi-sensors-fans', rows(third))]))));
  t.strictSame(
    ids("6,Fan 3,Fan,Critical,N/A,N/A,'Device Removed/Device Absent'"),
    ids("6,Fan 3,Fan,Nominal,11.76,%,'transition to Running'"),
  );
  t.strictSame(ids('6,Fan 3,Fan,N/A,N/A,N/A,N/A'), ['fan/bmc/Fan_1', 'fan/bmc/Fan_3']);
  t.end();
});

t.test('a list that is not whole is not used', (t) => {
  const good = "ID,Name,Type,State,Reading,Units,Event\n4,FAN1,Fan,Nominal,900.00,RPM,'OK'\n";
  t.equal(bmc.parse(new Map([command('ipmi-sensors-fans', good)])).kind, 'seen');
  t.match(bmc.parse(new Map([command('ipmi-sensors-fans', good, 1)])), {
    kind: 'blind',
    why: /status 1/u,
  });
  t.match(bmc.parse(new Map([['command:ipmi-sensors-fans', { errno: 'ETIMEDOUT' }]])), {
    kind: 'blind',
    why: /did not answer/u,
  });
  t.equal(bmc.parse(new Map([command('ipmi-sensors-fans', 'Segmentation fault\n')])).kind, 'blind');
  t.equal(bmc.parse(new Map()).kind, 'blind', 'not run is not none');
  t.end();
});

t.test('names of BMC sensors are neither escaped nor unique', (t) => {
  const text = `1,Fan "A", left,Fan,Nominal,900.00,RPM,'OK'\n2,Fan "A", left,Fan,Critical,0.00,RPM,'At or Below (<=) Lower Critical Threshold'\n`;
  const observation = bmc.parse(new Map([command('ipmi-sensors-fans', text)]));
  t.strictSame(Object.values(healths(observation)), ['ok', 'failed']);
  t.equal(readingsOf(observation)[0]?.name, 'Fan "A", left');
  t.end();
});

t.test('a folder that cannot be listed blinds, it does not empty the machine', (t) => {
  for (const key of ['sys/class/hwmon', 'sys']) {
    const snapshot = new Map([
      ...tree(chip({ fan1_input: 900 })),
      [key, { errno: 'EACCES' }],
    ] as const);
    t.match(hwmon.parse(snapshot), { kind: 'blind', why: /cannot be listed/u });
  }
  t.end();
});
