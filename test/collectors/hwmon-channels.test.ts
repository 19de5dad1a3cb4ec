/**
 * Parsing with the help of what came before gives what parsing afresh gives, whatever changed: texts,
 * errnos, labels, fault bits, whole channels that vanish and come back.
 */
import fc from 'fast-check';
import t from 'tap';
import { collector as fans } from '../../collectors/fans.ts';
import type { Entry, Parsed, Source } from '../../collectors/lib/collector.ts';
import { SharedSnapshot } from '../../collectors/lib/shared-snapshot.ts';
import { collector as psus } from '../../collectors/psus.ts';
import { collector as sensors } from '../../collectors/sensors.ts';
import { sourceOf, tree } from './hwmon-tree.ts';

const FILES = {
  fan1_input: 900,
  fan1_alarm: 0,
  fan1_label: 'CPU fan',
  fan2_input: 0,
  pwm1: 120,
  pwm1_enable: 2,
  pwm2: 0,
  temp1_input: 40_000,
  temp1_max: 80_000,
  temp1_label: 'Package',
  temp1_fault: 0,
  in1_input: 1_100,
  in1_alarm: 0,
  in1_label: 'vin',
  in2_input: 12_000,
  in2_label: 'vout1',
  update_interval: 1000,
};

const BASE: ReadonlyMap<string, Entry> = tree(
  { node: 1, device: 'sys/devices/platform/nct6775.656', name: 'nct6798', files: FILES },
  { node: 2, device: 'sys/devices/pci0000:00/0000:05:00.0', name: 'amdgpu', files: FILES },
  { node: 3, device: 'sys/devices/i2c-3/3-0058', name: 'dps920ab', files: FILES },
);
const KEYS = [...BASE.keys()];

const entries: fc.Arbitrary<Entry> = fc.oneof(
  fc
    .constantFrom('0', '1', '2', '900', '40000', '255', '', 'x', 'vin', 'CPU', 'cffps1')
    .map((text): Entry => ({ text: `${text}\n` })),
  fc.constantFrom('EIO', 'ENOENT', 'ENODEV').map((errno): Entry => ({ errno })),
);
const change = fc.array(fc.tuple(fc.constantFrom(...KEYS), entries), {
  minLength: 1,
  maxLength: 6,
});
/** All files of one channel at once: it vanished. */
const vanishing = fc
  .constantFrom('hwmon1/fan1', 'hwmon2/temp1', 'hwmon3/in1')
  .map((channel): [string, Entry][] =>
    KEYS.filter((key) => key.includes(`${channel}_`)).map((key) => [key, { errno: 'ENODEV' }]),
  );
const histories = fc.array(fc.oneof({ weight: 4, arbitrary: change }, vanishing), {
  maxLength: 12,
});

for (const [name, source] of [
  ['fans', sourceOf(fans.sources, 'hwmon')],
  ['sensors', sourceOf(sensors.sources, 'hwmon')],
  ['psus', sourceOf(psus.sources, 'hwmon')],
] as readonly [string, Source][]) {
  t.test(`${name}: with what came before as without`, (t) => {
    t.doesNotThrow(() =>
      fc.assert(
        fc.property(histories, fc.boolean(), (history, skips) => {
          let snapshot = new SharedSnapshot(BASE);
          let before: Parsed = { snapshot, observation: source.parse(snapshot) };
          for (const [index, changes] of history.entries()) {
            snapshot = snapshot.with(new Map(changes));
            // A snapshot nobody parsed lies between: what came before is then of no use.
            if (skips && index % 3 === 1) continue;
            const observation = source.parse(snapshot, before);
            const afresh = source.parse(new Map(snapshot));
            if (JSON.stringify(observation) !== JSON.stringify(afresh)) return false;
            before = { snapshot, observation };
          }
          return true;
        }),
      ),
    );
    t.end();
  });
}

t.test('a channel that no change touches keeps its reading', (t) => {
  const source = sourceOf(sensors.sources, 'hwmon');
  const snapshot = new SharedSnapshot(BASE);
  const observation = source.parse(snapshot);
  const key = 'sys/class/hwmon/hwmon2/temp1_input';
  const after = source.parse(snapshot.with(new Map([[key, { text: '41000\n' }]])), {
    snapshot,
    observation,
  });
  if (observation.kind !== 'seen' || after.kind !== 'seen') throw new Error('not seen');
  const same = after.readings.filter((reading, place) => reading === observation.readings[place]);
  t.equal(after.readings.length - same.length, 1);
  t.end();
});
