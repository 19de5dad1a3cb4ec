/**
 * The traps of md, each as an engineer would meet it: what must never be taken for redundancy, and what
 * must never hide a neighbour. The goldens beside the fixtures say the rest.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { decodeCapture } from '../../collectors/lib/capture.ts';
import type { Entry, Snapshot } from '../../collectors/lib/collector.ts';
import { parseMdstat } from '../../collectors/lib/mdstat.ts';
import { collector } from '../../collectors/mdraid.ts';
import type { GroupReading, Observation, Reading } from '../../rules/model.ts';

const [source] = collector.sources;

function snapshotOf(name: string): Snapshot {
  const file = new URL(`../../../test/fixtures/mdraid/md.${name}.snap`, import.meta.url);
  return decodeCapture(readFileSync(file, 'utf8'));
}

interface Seen {
  readonly observation: Observation;
  readonly reading: (name: string) => Reading | undefined;
  readonly group: (name: string) => GroupReading | undefined;
  /** Names of a group's members with their health, as the core will count them. */
  readonly members: (name: string) => readonly string[];
}

function parse(snapshot: Snapshot): Seen {
  const observation = source?.parse(snapshot) ?? { kind: 'none', why: 'no source' };
  const { readings, groups } =
    observation.kind === 'seen' ? observation : { readings: [], groups: [] };
  const reading = (name: string): Reading | undefined => readings.find((one) => one.name === name);
  const group = (name: string): GroupReading | undefined => groups.find((one) => one.name === name);
  const members = (name: string): readonly string[] =>
    (group(name)?.members ?? []).map((id) => {
      const found = readings.find(({ component }) => component === id);
      return `${found?.name} ${found?.health}`;
    });
  return { observation, reading, group, members };
}

function seen(name: string, changes: readonly (readonly [string, Entry])[] = []): Seen {
  return parse(new Map([...snapshotOf(name), ...changes]));
}

/** Everything but what mdstat says, and the other way round. */
function half(name: string, mdstat: boolean): Seen {
  return parse(
    new Map([...snapshotOf(name)].filter(([key]) => (key === 'proc/mdstat') === mdstat)),
  );
}

t.test('a disk that is being rebuilt is no copy', (t) => {
  const { reading, members } = seen('raid1-recovering');
  t.strictSame(members('md0'), ['sda1 ok']);
  t.match(reading('sdc1'), { health: 'failing', why: /no copy yet: rebuilding 43 %/u });
  t.match(reading('md0'), { health: 'failing', why: /degraded: 1 of 2/u });
  t.end();
});

t.test('a missing disk leaves one copy, a faulty one stays a failed member', (t) => {
  t.strictSame(seen('raid1-degraded').members('md0'), ['sda1 ok']);
  t.strictSame([...seen('raid1-faulty').members('md0')].sort(), ['sda1 ok', 'sdb1 failed']);
  t.end();
});

t.test(
  'a disk on its way out, of which md alone still tells, is not to be missed by that name',
  (t) => {
    const gone = 'sys/block/md0/md/dev-sdb1/block';
    const all = [...snapshotOf('raid1-faulty')];
    t.ok(all.some(([key]) => key === gone));
    const { reading } = parse(new Map(all.filter(([key]) => key !== gone)));
    t.match(reading('sdb1'), { health: 'failed', virtual: true });
    t.equal(reading('sda1')?.virtual, undefined);
    t.end();
  },
);

t.test('the last copy that gives errors is not a healthy one', (t) => {
  const { reading, members } = seen('broken');
  t.match(reading('md0'), { health: 'failed', why: /broken/u });
  t.strictSame(members('md0'), ['sda1 failing']);
  const clean = seen('broken', [['sys/block/md0/md/dev-sda1/state', { text: 'in_sync\n' }]]);
  t.strictSame(clean.members('md0'), ['sda1 failing'], 'even while md calls it in sync');
  t.end();
});

t.test('checks that wait for each other are healthy arrays', (t) => {
  const { reading } = seen('resync-delayed');
  t.match(reading('md1'), { health: 'ok', gauges: { checking: 1, sync_waiting: 1 } });
  t.match(reading('md0'), { health: 'ok', gauges: { checking: 1, mismatch_sectors: 256 } });
  t.equal(reading('md1')?.gauges.sync_ratio, undefined);
  t.end();
});

t.test('a resync that only mdstat tells of', (t) => {
  t.match(seen('resync-pending').reading('md0'), { health: 'failing', why: /first write/u });
  t.match(seen('resync-remote').reading('md0'), { health: 'failing', why: /another node/u });
  t.end();
});

t.test('a reshape counts both geometries', (t) => {
  const { reading, group } = seen('reshape');
  t.match(reading('md5'), { health: 'ok', gauges: { reshaping: 1, raid_disks: 4 } });
  t.equal(group('md5')?.needed, 3);
  const shrinking = seen('reshape', [['sys/block/md5/md/raid_disks', { text: '3 (4)\n' }]]);
  t.equal(shrinking.group('md5')?.needed, 3, 'while it shrinks the old need holds');
  t.end();
});

t.test('what each level can lose', (t) => {
  const { group, observation } = seen('parity');
  t.equal(group('md5')?.needed, 2, 'raid5 of 3');
  t.equal(group('md6')?.needed, 2, 'raid6 of 4');
  t.equal(group('md10')?.needed, 3, 'raid10 of 4 in two copies: any one');
  t.equal(group('md5')?.members.length, 3, 'the journal is no copy');
  const advice = observation.kind === 'seen' ? observation.advice : [];
  t.strictSame(
    advice.map(({ code }) => code),
    ['array-not-mirrored'],
    'not of raid10, nor of a raid5 with a journal',
  );
  const unread = seen('parity', [['sys/block/md10/md/layout', { errno: 'EIO' }]]);
  t.equal(unread.group('md10')?.needed, 3, 'mdstat knows the copies as well');
  const none = seen('no-redundancy');
  t.equal(none.group('md0')?.needed, 2);
  t.equal(none.reading('md0')?.health, 'ok', 'it has no `degraded` to read, and lacks nothing');
  const mirror = seen('raid1-healthy').group('md0');
  t.equal(mirror?.needed, undefined, 'the need of a mirror is left to the core');
  t.end();
});

t.test('flags are a list', (t) => {
  const { reading, members } = seen('flags');
  t.strictSame([...members('md0')].sort(), ['sda1 ok', 'sdb1 ok', 'sdd1 failed']);
  t.match(reading('sde1'), { facts: { role: 'spare', write_mostly: 'yes' } });
  t.match(reading('sdb1'), { facts: { role: 'copy', write_mostly: 'yes' } });
  t.match(reading('sdd2'), { health: 'ok', facts: { role: 'replacement' } });
  t.match(reading('sdb2'), { health: 'failing', why: /replaced/u });
  t.match(
    reading('sdc2'),
    { health: 'failing', why: /bad blocks/u },
    'faulty,in_sync still serves',
  );
  const stat = half('flags', true);
  t.strictSame([...stat.members('md0')].sort(), ['sda1 ok', 'sdb1 ok', 'sdd1 failed']);
  t.match(stat.reading('sde2'), { facts: { role: 'journal' } });
  t.end();
});

t.test('a failed journal is told of', (t) => {
  const { reading } = seen('parity', [
    ['sys/block/md5/md/dev-sde1/state', { text: 'faulty,journal\n' }],
  ]);
  t.match(reading('sde1'), { health: 'failed' });
  t.match(reading('md5'), { health: 'failing', why: /journal/u });
  t.end();
});

t.test('a bad array hides no good one', (t) => {
  const { reading } = seen('bad-line');
  t.match(reading('md0'), { health: 'ok' });
  t.match(reading('md1'), { health: 'ok' });
  t.match(reading('md8'), { health: 'unknown', why: /wibbling/u });
  t.match(reading('md9'), { health: 'unknown', why: /EIO/u });
  const odd = 'Personalities : \nmd0 : active raid1 sdb1{1} sda1[0]\nunused devices: <none>\n';
  t.match(parseMdstat(odd)?.get('md0')?.problem, /sdb1\{1\}/u, 'a member in a form of its own');
  t.equal(seen('bad-line').group('md9'), undefined, 'nothing read is not a count of none');
  t.end();
});

t.test('firmware RAID: the container is no array, its disks no spares', (t) => {
  const { reading, members } = seen('imsm');
  t.match(reading('md127'), { health: 'ok', facts: { role: 'container' } });
  t.strictSame([...members('md126')].sort(), ['sda ok', 'sdb ok']);
  t.match(reading('sda'), { facts: { role: 'copy', array: 'md126' } });
  t.match(reading('sdc'), { facts: { role: 'spare', array: 'md127' } });
  const mdstat = 'Personalities : \nmd127 : inactive sda[0](S)\nunused devices: <none>\n';
  const first = seen('imsm', [['proc/mdstat', { text: mdstat }]]);
  t.match(first.reading('sda'), { facts: { role: 'copy' } }, 'also when the container comes first');
  t.equal(reading('md126')?.component, 'array/2f1c9a70:51d04e6b:8c3377aa:90be6d12');
  t.end();
});

t.test('an array that does not run is lost, whatever its disks look like', (t) => {
  const { reading, members } = seen('inactive');
  t.match(reading('md127'), { health: 'failed' });
  t.match(reading('sda1'), { health: 'unknown', why: /not running/u });
  t.strictSame(members('md127'), []);
  t.match(seen('no-disks').reading('md7'), { health: 'failed' });
  t.equal(seen('no-disks').reading('md3'), undefined, 'a bare node is not an array');
  t.end();
});

t.test('either half suffices, and both name the same arrays', (t) => {
  for (const name of ['raid1-healthy', 'raid1-degraded', 'raid1-faulty', 'parity']) {
    const both = seen(name).observation;
    const names = both.kind === 'seen' ? both.groups.map((group) => group.name) : [];
    for (const mdstat of [true, false]) {
      const one = half(name, mdstat);
      for (const array of names) {
        t.strictSame(
          [...one.members(array)].sort(),
          [...seen(name).members(array)].sort(),
          `${name} ${array} by ${mdstat ? 'mdstat' : 'sysfs'} alone`,
        );
        t.equal(one.group(array)?.needed, seen(name).group(array)?.needed);
      }
    }
  }
  const guess = seen('mdstat-only').members('md1');
  t.strictSame(
    [...guess].sort(),
    ['sda2 unknown', 'sdc2 unknown'],
    'which one is whole is not told',
  );
  t.end();
});

t.test('no key holds a name that the kernel hands out', (t) => {
  for (const name of ['raid1-healthy', 'sysfs-only', 'mdstat-only', 'imsm', 'flags']) {
    const { observation } = seen(name);
    const readings = observation.kind === 'seen' ? observation.readings : [];
    for (const { component } of readings) t.notMatch(component, /\b(sd[a-z]|nvme\d|dm-\d)/u);
  }
  const { reading } = seen('sysfs-only');
  t.equal(reading('sdk')?.component, 'disk/pci-0000:04:00.0-sas-0x5000c5005b1a2c3d-lun-0');
  t.strictSame(reading('dm-4')?.needs, ['map/3600508b400105e210000900000490000']);
  t.strictSame(reading('nvme0n1p2')?.needs, ['disk/pci-0000:01:00.0-nvme-1']);
  t.end();
});

t.test('two halves of one disk share it', (t) => {
  const { reading } = seen('raid1-healthy', [
    [
      'sys/block/md0/md/dev-sdb1/block',
      {
        link: 'sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda2',
      },
    ],
  ]);
  t.strictSame(reading('sda1')?.needs, reading('sdb1')?.needs);
  t.end();
});

t.test('none, and not readable', (t) => {
  t.match(seen('no-md').observation, { kind: 'none', why: 'this kernel has no md arrays' });
  t.match(seen('no-arrays').observation, { kind: 'none', why: 'no md arrays' });
  t.match(seen('vanished').observation, { kind: 'none' });
  t.match(seen('unreadable').observation, { kind: 'blind', why: /EACCES/u });
  t.match(seen('foreign').observation, { kind: 'blind' });
  t.end();
});

t.test('an mdstat of any arrays is read back array by array', (t) => {
  const flags = fc.subarray(['W', 'J', 'F', 'S', 'R']);
  const member = fc.record({ number: fc.nat(999), flags }, { noNullPrototype: true });
  const array = fc.record({
    level: fc.constantFrom('raid0', 'raid1', 'raid4', 'raid5', 'raid6', 'raid10', 'linear'),
    members: fc.array(member, { maxLength: 6 }),
    good: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(array, { maxLength: 8 }), (arrays) => {
      const lines = arrays.map(({ level, members, good }, index) => {
        const words = members.map(
          (one, at) => `sd${at}[${one.number}]${one.flags.map((flag) => `(${flag})`).join('')}`,
        );
        const head = `md${index} : ${good ? 'active' : 'upset'} ${[level, ...words].join(' ')}`;
        return `${head}\n      1024 blocks super 1.2\n      \n`;
      });
      const text = `Personalities : \n${lines.join('')}unused devices: <none>\n`;
      const found = parseMdstat(text);
      t.equal(found?.size, arrays.length);
      for (const [index, { members, good }] of arrays.entries()) {
        const one = found?.get(`md${index}`);
        t.equal(one?.problem === undefined, good);
        if (!good) continue;
        t.strictSame(
          one?.members.map(({ number, flags }) => ({ number, flags })),
          members,
        );
      }
    }),
    { numRuns: 60 },
  );
  t.end();
});
