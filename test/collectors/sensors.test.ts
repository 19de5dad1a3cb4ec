/** Traps of temperatures and voltages. */
import t from 'tap';
import { collector } from '../../collectors/sensors.ts';
import type { Reading } from '../../rules/model.ts';
import { type ChipTree, readingsOf, sourceOf, tree } from './hwmon-tree.ts';

const hwmon = sourceOf(collector.sources, 'hwmon');

function only(files: ChipTree['files']): Reading | undefined {
  const device = 'sys/devices/platform/nct6775.656';
  return readingsOf(hwmon.parse(tree({ node: 1, device, name: 'nct6798', files })))[0];
}

t.test('a critical alarm is 1, not 0.001 degrees', (t) => {
  const reading = only({ temp1_input: 99_000, temp1_crit: 100_000, temp1_crit_alarm: 1 });
  t.match(reading, { health: 'failed' });
  t.strictSame(reading?.gauges, { celsius: 99, crit_celsius: 100, alarm: 1 });
  t.end();
});

t.test('a reading that failed is unknown, never 0 degrees', (t) => {
  for (const text of ['!EIO', '!EAGAIN', '!ENODATA', '!ENETDOWN', '', 'hot', '2147483647']) {
    const reading = only({ temp1_input: text });
    t.match(reading, { health: 'unknown', unproven: true });
    t.strictSame(reading?.gauges, {});
  }
  t.match(only({ temp1_input: 0 }), { health: 'ok', gauges: { celsius: 0 } });
  t.end();
});

t.test('an open thermistor has no temperature', (t) => {
  const reading = only({ temp1_input: 127_000, temp1_fault: 1, temp1_alarm: 1 });
  t.match(reading, { health: 'unknown', gauges: { fault: 1 } });
  t.equal(reading?.gauges.celsius, undefined);
  t.end();
});

t.test('the alarm of limits nobody set is shown and not believed', (t) => {
  const unset = only({ in1_input: 1000, in1_min: 0, in1_max: 0, in1_alarm: 1 });
  t.match(unset, { health: 'ok', gauges: { volts: 1, alarm: 1 } });
  t.match(only({ in1_input: 1000, in1_min: 1100, in1_max: 1300, in1_alarm: 1 }), {
    health: 'failing',
  });
  t.match(only({ in1_input: 1000, in1_min: 0, in1_max: 0, in1_crit_alarm: 1 }), {
    health: 'failed',
  });
  t.end();
});

t.test('disks and NVMe drives do not take their identity from host numbers', (t) => {
  const id = (device: string): string | undefined =>
    readingsOf(hwmon.parse(tree({ node: 1, device, name: 'x', files: { temp1_input: 30_000 } })))[0]
      ?.component;
  t.equal(
    id('sys/devices/pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0'),
    id('sys/devices/pci0000:00/0000:00:17.0/ata3/host7/target7:0:0/7:0:0:0'),
  );
  t.equal(
    id('sys/devices/pci0000:00/0000:05:00.0/nvme/nvme0'),
    id('sys/devices/pci0000:00/0000:05:00.0/nvme/nvme3'),
  );
  t.end();
});
