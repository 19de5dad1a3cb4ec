/** Traps of supplies: a bay that is empty, an input that is lost, a BMC that hangs, bits that lie. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { collector as fans } from '../../collectors/fans.ts';
import { decodeCapture } from '../../collectors/lib/capture.ts';
import { collector } from '../../collectors/psus.ts';
import type { Observation, Reading } from '../../rules/model.ts';
import { type ChipTree, command, healths, readingsOf, sourceOf, tree } from './hwmon-tree.ts';

const hwmon = sourceOf(collector.sources, 'hwmon');
const bmc = sourceOf(collector.sources, 'bmc');

const GOOD = {
  in1_label: 'vin',
  in1_input: 230_000,
  in1_lcrit_alarm: 0,
  in2_label: 'vout1',
  in2_input: 12_100,
  in2_crit_alarm: 0,
  power1_label: 'pin',
  power1_input: 281_000_000,
};

function supply(files: ChipTree['files'], change: Partial<ChipTree> = {}): ChipTree {
  const device = 'sys/devices/pci0000:00/0000:00:1f.4/i2c-7/7-0058';
  return { node: 3, device, name: 'dps920ab', files: { ...GOOD, ...files }, ...change };
}

function only(files: ChipTree['files']): Reading | undefined {
  return readingsOf(hwmon.parse(tree(supply(files))))[0];
}

function free(...rows: readonly string[]): Observation {
  return bmc.parse(new Map([command('ipmi-sensors-psus', `${rows.join('\n')}\n`)]));
}

t.test('a supply is not any chip with a voltage', (t) => {
  const regulator = supply({}, { node: 4, name: 'mp2975' });
  const board = supply({ in1_label: 'CPU', in2_label: '+12V' }, { name: 'nct6798' });
  t.equal(hwmon.parse(tree(regulator, board)).kind, 'none');
  t.equal(hwmon.parse(tree(supply({ fan1_input: 9000 }, { name: 'pmbus' }))).kind, 'seen');
  t.end();
});

t.test('input lost is failed; an old alarm that the voltages contradict is not', (t) => {
  t.match(only({}), { health: 'ok' });
  t.match(only({ in1_input: 0 }), { health: 'failed', why: /input lost/u });
  t.match(only({ in1_input: 0, in1_lcrit_alarm: 1 }), { health: 'failed' });
  t.match(only({ in1_input: '!EIO', in1_lcrit_alarm: 1 }), { health: 'failed' });
  t.match(only({ in2_input: 0, in1_lcrit_alarm: 1 }), { health: 'failed' });
  t.match(only({ in1_lcrit_alarm: 1 }), { health: 'failing', why: /in1_lcrit_alarm/u });
  t.end();
});

t.test('no output: failed when the supply complains, unknown when it does not', (t) => {
  t.match(only({ in2_input: 0, in2_crit_alarm: 1 }), { health: 'failed' });
  t.match(only({ in2_input: 0 }), { health: 'unknown' });
  t.end();
});

t.test('a hung bus is unknown, never failed, and hides only what it hides', (t) => {
  t.match(only({ in1_input: '!ETIMEDOUT' }), { health: 'unknown', why: /ETIMEDOUT/u });
  t.equal(only({ in1_input: '!ETIMEDOUT' })?.gauges.output_volts, 12.1);
  t.match(only({ power1_input: '!EIO' }), { health: 'ok' });
  const other = supply(
    { in1_input: '!EIO', in2_input: '!EIO' },
    { node: 4, device: 'sys/devices/pci0000:00/0000:00:1f.4/i2c-7/7-0059' },
  );
  t.strictSame(Object.values(healths(hwmon.parse(tree(supply({}), other)))), ['ok', 'unknown']);
  t.end();
});

t.test('all ones are no power: 4.29 MW is not believed', (t) => {
  for (const ones of ['4294967295', '4294967295000', '2147483647', '1e12']) {
    const reading = only({ power1_input: ones });
    t.equal(reading?.health, 'ok');
    t.equal(reading?.gauges.input_watts, undefined, ones);
  }
  t.match(only({ in1_input: 4_294_967_295 }), { health: 'unknown', why: /impossible/u });
  t.end();
});

t.test('alarm bits are 0 or 1', (t) => {
  t.equal(only({ in2_crit_alarm: 1 })?.gauges.alarm, 1);
  t.equal(only({})?.gauges.alarm, 0);
  t.end();
});

t.test('a supply that vanished while it was read is not reported', (t) => {
  const gone = Object.fromEntries(Object.keys(GOOD).map((key) => [key, '!ENODEV']));
  t.equal(hwmon.parse(tree(supply(gone, { name: '!ENODEV' }))).kind, 'none');
  t.equal(hwmon.parse(tree(supply(gone))).kind, 'none');
  t.end();
});

t.test('an empty bay reads nominal and OK, and is neither', (t) => {
  const observation = free(
    "71,Power Supply 1 PS1 Status,Power Supply,Nominal,N/A,N/A,'Presence detected'",
    "72,Power Supply 2 PS2 Status,Power Supply,Nominal,N/A,N/A,'OK'",
  );
  t.match(readingsOf(observation), [{ health: 'ok' }, { health: 'absent', unproven: true }]);
  t.end();
});

t.test('the states of a supply', (t) => {
  const health = (states: string): string | undefined =>
    readingsOf(free(`7,Power Supply 1 PS1 Status,Power Supply,N/A,N/A,N/A,${states}`))[0]?.health;
  t.equal(health("'Presence detected'"), 'ok');
  t.equal(health("'Presence detected' 'Power Supply Failure detected'"), 'failed');
  t.equal(health("'Presence detected' 'Power Supply input lost (AC/DC)'"), 'failed');
  t.equal(health("'Presence detected' 'Power Supply input lost or out-of-range'"), 'failed');
  t.equal(health("'Presence detected' 'Power Supply input out-of-range, but present'"), 'failing');
  t.equal(health("'Presence detected' 'Predictive Failure'"), 'failing');
  t.equal(health("'Presence detected' 'Configuration error'"), 'failing');
  t.equal(health("'Presence detected' 'Power Supply Inactive'"), 'ok');
  t.equal(health("'OEM Event = 0002h'"), 'unknown');
  t.equal(health("'Unrecognized State'"), 'unknown');
  t.equal(health("'Predictive Failure Deasserted'"), 'ok');
  t.equal(health('N/A'), 'unknown');
  t.equal(health('Unknown'), 'unknown');
  t.end();
});

t.test('both tools see the same supplies in the same health', (t) => {
  const fixture = (tool: string): Readonly<Record<string, string>> => {
    const url = new URL(`../../../test/fixtures/psus/bmc.all-states-${tool}.snap`, import.meta.url);
    return healths(bmc.parse(decodeCapture(readFileSync(url, 'utf8'))));
  };
  const one = fixture('freeipmi');
  t.ok(Object.keys(one).length >= 20);
  t.strictSame(fixture('ipmitool'), one);
  t.end();
});

t.test('redundancy that was never seen does not count as lost', (t) => {
  const redundancy = (state: string): Reading | undefined =>
    readingsOf(free(`9,System Board 1 PS Redundancy,Power Supply,N/A,N/A,N/A,'${state}'`))[0];
  t.match(redundancy('Fully Redundant'), { kind: 'redundancy', health: 'ok' });
  t.equal(redundancy('Fully Redundant')?.unproven, undefined);
  t.match(redundancy('Redundancy Lost'), { health: 'failed', unproven: true });
  t.match(redundancy('Redundancy Degraded from Non-redundant'), { health: 'failing' });
  t.match(redundancy('Non-redundant:Insufficient Resources'), { health: 'failed' });
  t.end();
});

t.test('a supply with several sensors is one supply', (t) => {
  const observation = free(
    "1,Power Supply 1 PS1 Status,Power Supply,Nominal,N/A,N/A,'Presence detected'",
    "2,Power Supply 1 PS1 Input Power,Power Supply,Nominal,240.00,W,'OK'",
    "3,Power Supply 1 PS1 Fail,Power Supply,Warning,N/A,N/A,'State Asserted'",
  );
  t.match(readingsOf(observation), [
    { component: 'psu/bmc/1', health: 'failed', gauges: { input_watts: 240 } },
  ]);
  t.equal(readingsOf(observation).length, 1);
  t.end();
});

t.test('a BMC that is silent, missing or without a tool blinds; it fails no supply', (t) => {
  const errno = (code: string, tool = 'ENOENT'): Observation =>
    bmc.parse(
      new Map([
        ['command:ipmi-sensors-psus', { errno: code }],
        ['command:ipmitool-psus', { errno: tool }],
      ]),
    );
  t.match(errno('ETIMEDOUT'), {
    kind: 'blind',
    why: 'the BMC did not answer ipmi-sensors in 20 s',
  });
  t.match(errno('ENOENT', 'ETIMEDOUT'), { kind: 'blind', why: /ipmitool in 12 s/u });
  t.match(errno('ENOENT'), { kind: 'blind', why: /install freeipmi-tools or ipmitool/u });
  t.match(errno('ENODEV'), { kind: 'none', why: 'no BMC interface' });
  t.match(errno('ENOENT', 'ENODEV'), { kind: 'none' });
  t.match(errno('EACCES'), { kind: 'blind', why: /not permitted/u });
  const found = new Map([
    ['sys/bus/platform/devices/IPI0001:00', { link: 'sys/devices/platform/IPI0001:00' }],
    ['command:ipmi-sensors-psus', { errno: 'ENODEV' }],
  ]);
  t.match(bmc.parse(found), { kind: 'blind', why: /ipmi_devintf/u });
  t.end();
});

t.test('the second half of what ipmitool was asked must be there too', (t) => {
  const half = new Map([
    ['command:ipmi-sensors-psus', { errno: 'ENOENT' }] as const,
    command('ipmitool-psus', 'PS1 Status       | C8h | ok  | 10.1 | Presence detected\n'),
    ['command:ipmitool-psus-2', { errno: 'ETIMEDOUT' }] as const,
  ]);
  t.equal(bmc.parse(half).kind, 'blind');
  half.set(...command('ipmitool-psus-2', ''));
  t.equal(bmc.parse(half).kind, 'seen');
  t.end();
});

t.test('no two sources share the name of a command, and with it an answer', (t) => {
  const names = [fans, collector].flatMap(({ sources }) =>
    sources.flatMap(({ reads }) => reads.flatMap((read) => ('argv' in read ? [read.name] : []))),
  );
  t.equal(names.length, 6);
  t.equal(new Set(names).size, names.length);
  t.end();
});
