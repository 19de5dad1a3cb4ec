/**
 * The traps of paths to storage: what the kernel's letter means beside the SCSI state, what four paths
 * through one card are, and what of multipathd's words is no answer.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { decodeCapture } from '../../collectors/lib/capture.ts';
import type { Entry, Snapshot } from '../../collectors/lib/collector.ts';
import { parseDmStatus } from '../../collectors/lib/dm-status.ts';
import { collector } from '../../collectors/multipath.ts';
import type { Observation, Reading } from '../../rules/model.ts';

type Seen = Extract<Observation, { kind: 'seen' }>;
type Changes = readonly (readonly [string, Entry])[];

const DAEMON = 'multipathd:show maps json';

function observe(source: string, name: string, changes: Changes = []): Observation {
  const file = new URL(`../../../test/fixtures/multipath/${source}.${name}.snap`, import.meta.url);
  const snapshot: Snapshot = new Map([...decodeCapture(readFileSync(file, 'utf8')), ...changes]);
  const found = collector.sources.find((one) => one.name === source);
  return found?.parse(snapshot) ?? { kind: 'none', why: 'no such source' };
}

function seen(source: string, name: string, changes: Changes = []): Seen {
  const observation = observe(source, name, changes);
  if (observation.kind !== 'seen') throw new Error(`${name}: ${observation.why}`);
  return observation;
}

function reading({ readings }: Seen, name: string): Reading | undefined {
  return readings.find((one) => one.name === name);
}

/** Members that would still work, were this component lost. */
function left({ readings, groups }: Seen, lost: string): number {
  const [group] = groups;
  return readings.filter(
    ({ component, health, needs }) =>
      group?.members.includes(component) === true &&
      health === 'ok' &&
      !needs.some((need) => need === lost),
  ).length;
}

t.test("the kernel's letter decides, not the SCSI state", (t) => {
  const failed = seen('dm', 'kernel-failed');
  t.match(reading(failed, 'sdc'), { health: 'failed', why: /3 failures/u });
  t.equal(reading(failed, 'sdc')?.gauges.failures_total, 3);
  t.equal(reading(failed, 'sda')?.health, 'ok');
  const worse = seen('dm', 'scsi-worse');
  t.match(reading(worse, 'sda'), { health: 'failing', why: /blocked/u });
  t.match(reading(worse, 'sdb'), { health: 'failing', why: /transport-offline/u });
  t.match(reading(worse, 'sdc'), { health: 'failing', why: /offline/u });
  t.equal(reading(worse, 'sdd')?.health, 'ok', 'a state that cannot be read takes nothing away');
  t.end();
});

t.test('four paths through one card hang on it', (t) => {
  const two = seen('dm', 'four-paths');
  t.equal(left(two, 'card/0000:03:00'), 2);
  t.equal(left(two, 'card/0000:04:00'), 2);
  t.equal(left(two, 'port/fc-0x203400a098a1b2c3'), 3);
  const one = seen('dm', 'one-hba');
  t.equal(one.groups[0]?.members.length, 4);
  t.equal(left(one, 'card/0000:03:00'), 0, 'both ports of the card are the card');
  t.equal(left(one, 'controller/pci-0000:03:00.1'), 2);
  t.end();
});

t.test('no path left', (t) => {
  const queueing = seen('dm', 'all-failed-queueing');
  t.match(reading(queueing, 'mpatha'), { health: 'failed', why: /hangs/u });
  t.strictSame(
    queueing.advice.map(({ code }) => code),
    ['queue-no-path'],
  );
  const failing = seen('dm', 'all-failed');
  t.match(reading(failing, 'mpatha'), { health: 'failed', why: /fails/u });
  t.strictSame(failing.advice, []);
  t.end();
});

t.test('what the array says of a path', (t) => {
  const alua = seen('dm', 'alua');
  const healths = ['sda', 'sdb', 'sdc', 'sdd', 'sde', 'sdf'].map(
    (name) => reading(alua, name)?.health,
  );
  t.strictSame(healths, ['ok', 'ok', 'ok', 'failing', 'failing', 'failing']);
  t.equal(reading(alua, 'sda')?.gauges.optimized, 1);
  t.equal(reading(alua, 'sdc')?.gauges.optimized, 0, 'standby stands in');
  t.end();
});

t.test('a bad line hides no map, and counts for nothing', (t) => {
  const bad = seen('dm', 'bad-line');
  t.match(reading(bad, 'mpatha'), { health: 'unknown' });
  t.match(reading(bad, 'mpathb'), { health: 'ok' });
  t.match(reading(bad, 'mpathc'), { health: 'failed' });
  const [longer] = parseDmStatus('253:3 x: 0 8 multipath 0 0 1 1 A 0 1 0 8:0 A 0 and more');
  t.equal(longer?.paths, undefined, 'words left over are words not understood');
  t.strictSame(
    bad.groups.map(({ name }) => name),
    ['mpathb', 'mpathc'],
  );
  t.end();
});

t.test('names of maps and numbers of selectors', (t) => {
  const maps = seen('dm', 'selectors');
  t.equal(reading(maps, 'big data: 0 disk')?.gauges.paths, 2);
  t.match(reading(maps, 'mpathb'), { health: 'failing', why: /suspended/u });
  t.equal(reading(maps, 'sdd')?.gauges.failures_total, 7);
  t.end();
});

t.test('a path is known by where it hangs', (t) => {
  for (const name of ['four-paths', 'iscsi', 'sas', 'by-hand', 'one-hba']) {
    for (const { component, kind } of seen('dm', name).readings) {
      if (kind === 'path') t.notMatch(component, /\/(sd[a-z]|dev-)|host[1-4]\b/u, component);
    }
  }
  const removed = reading(seen('dm', 'removed-path'), '65:0');
  t.match(removed, { health: 'failed', virtual: true }, 'a number is not remembered');
  t.end();
});

t.test('without the kernel: nothing is guessed from sysfs', (t) => {
  t.match(observe('dm', 'permission'), { kind: 'blind', why: /EACCES, needs root/u });
  t.match(observe('dm', 'permission-lvm'), { kind: 'none' });
  t.match(observe('dm', 'no-dm'), { kind: 'none' });
  const unsure = observe('dm', 'permission-lvm', [['sys/block/dm-0/dm/uuid', { text: '\n' }]]);
  t.match(unsure, { kind: 'blind' }, 'a device without a UUID may be a map made by hand');
  t.match(
    observe('dm', 'four-paths', [['dm:multipath', { text: 'gibberish\n' }]]),
    { kind: 'blind' },
    'an answer that is not understood is not "no maps"',
  );
  t.end();
});

t.test('both sources speak of the same components', (t) => {
  const kernel = new Set(seen('dm', 'four-paths').readings.map(({ component }) => component));
  for (const { component } of seen('multipathd', 'healthy').readings) {
    t.ok(kernel.has(component), component);
  }
  t.equal(collector.sources.find(({ name }) => name === 'multipathd')?.opinion, true);
  t.end();
});

t.test('what the checkers say', (t) => {
  const said = seen('multipathd', 'checkers');
  const healths = Object.fromEntries(said.readings.map(({ name, health }) => [name, health]));
  t.strictSame(healths, {
    mpatha: 'failing',
    sda: 'failed',
    sdb: 'failing',
    sdc: 'failed',
    sdd: 'failing',
    sde: 'ok',
    sdf: 'failed',
    sdg: 'failing',
    sdh: 'unknown',
    sdi: 'unknown',
    sdj: 'failing',
  });
  t.equal(reading(seen('multipathd', 'healthy'), 'sdb')?.health, 'ok', 'a ghost stands in');
  t.end();
});

t.test("the daemon's text is no answer", (t) => {
  t.match(observe('multipathd', 'text-timeout'), { kind: 'blind', why: /"timeout"/u });
  t.match(observe('multipathd', 'permission'), { kind: 'blind', why: /permission deny/u });
  t.match(observe('multipathd', 'stalled'), { kind: 'blind', why: /ETIMEDOUT/u });
  t.match(observe('multipathd', 'not-running'), { kind: 'blind', why: /Start it/u });
  t.match(observe('multipathd', 'no-daemon'), { kind: 'none' });
  for (const text of ['', 'ok', 'fail', '{}', '[]', 'null', '{"maps":{}}', '{"map":[]}']) {
    t.match(observe('multipathd', 'healthy', [[DAEMON, { text }]]), { kind: 'blind' }, text);
  }
  t.match(
    observe('multipathd', 'healthy', [[DAEMON, { text: '{"maps":[null,3,{"paths":7}]}' }]]),
    { kind: 'seen', readings: [] },
    'a map without a name has no component',
  );
  t.end();
});

t.test('NVMe: a drive with one controller is not multipathed', (t) => {
  t.match(observe('nvme', 'plain'), { kind: 'none' });
  const drive = seen('nvme', 'dual-port-drive');
  t.equal(drive.groups.length, 1);
  t.equal(drive.groups[0]?.members.length, 2);
  const tcp = seen('nvme', 'tcp');
  t.match(reading(tcp, 'nvme1c2n1'), { health: 'failed', why: /connecting/u });
  t.notMatch(reading(tcp, 'nvme1c1n1')?.component, /10\.1\.0\.5/u, 'not by its own source address');
  t.end();
});

t.test('a status of any shape is read back path by path', (t) => {
  const path = fc.record({
    minor: fc.nat(99_999),
    letter: fc.constantFrom('A', 'F'),
    failures: fc.nat(100_000),
  });
  const group = fc.record({
    letter: fc.constantFrom('A', 'E', 'D'),
    selector: fc.array(fc.nat(9), { maxLength: 3 }),
    extras: fc.nat(4),
    paths: fc.array(path, { maxLength: 5 }),
  });
  fc.assert(
    fc.property(fc.array(group, { maxLength: 4 }), fc.array(fc.nat(9)), (groups, features) => {
      const words = groups.flatMap(({ letter, selector, extras, paths }) => [
        letter,
        selector.length,
        ...selector,
        paths.length,
        extras,
        ...paths.flatMap((one) => [
          `8:${one.minor}`,
          one.letter,
          one.failures,
          ...Array.from({ length: extras }, () => 1),
        ]),
      ]);
      const line = [features.length, ...features, 0, groups.length, 1, ...words].join(' ');
      const [map] = parseDmStatus(`253:3 x: 0 8 multipath ${line} \n`);
      t.strictSame(
        map?.paths?.map(({ number, letter, failures }) => [number, letter, failures]),
        groups.flatMap(({ paths }) =>
          paths.map(({ minor, letter, failures }) => [`8:${minor}`, letter, failures]),
        ),
      );
      const [cut] = parseDmStatus(`253:3 x: 0 8 multipath ${line.slice(0, -1)}`);
      if (line.endsWith(' 0')) t.equal(cut?.paths, undefined, 'a line that was cut says so');
    }),
    { numRuns: 60 },
  );
  t.end();
});
