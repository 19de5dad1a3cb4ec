/** What the kernel collector must never get wrong; the captures beside it hold the ordinary cases. */
import fc from 'fast-check';
import t from 'tap';
import { collector } from '../../collectors/kernel.ts';
import { encodeCapture } from '../../collectors/lib/capture.ts';
import type { Entry, Source } from '../../collectors/lib/collector.ts';
import type { Observation, Reading } from '../../rules/model.ts';

function source(name: string): Source {
  const found = collector.sources.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no source ${name}`);
  return found;
}

function readings(observation: Observation): readonly Reading[] {
  if (observation.kind !== 'seen') throw new Error(`${observation.kind}: ${observation.why}`);
  return observation.readings;
}

function parse(name: string, files: Readonly<Record<string, string | Entry>>): Observation {
  const entries = Object.entries(files).map(([key, file]): [string, Entry] => [
    key,
    typeof file === 'string' ? { text: `${file}\n` } : file,
  ]);
  return source(name).parse(new Map(entries));
}

function logOf(text: string): Reading | undefined {
  return readings(parse('log', { kmsg: text }))[0];
}

const FAULTS = [
  'Oops: 0002 [#1] SMP',
  'watchdog: BUG: soft lockup - CPU#0 stuck for 22s!',
  'INFO: task a:1 blocked for more than 120 seconds.',
  'EXT4-fs (sda1): Remounting filesystem read-only',
  'I/O error, dev sda, sector 1',
  'md/raid1:md0: Disk failure on sdc1, disabling device.',
  'NETDEV WATCHDOG: eth0 (e1000): transmit queue 0 timed out',
];

t.test('every fault is seen when the kernel says so', (t) => {
  for (const fault of FAULTS) t.not(logOf(`3,1,1,-;${fault}`)?.health, 'ok', fault);
  t.end();
});

t.test('no record of another facility, and no notice, ever changes the reading', (t) => {
  const quiet = logOf('4,1,1,-;an ordinary warning');
  fc.assert(
    fc.property(
      fc.oneof(fc.integer({ min: 8, max: 8191 }), fc.integer({ min: 5, max: 7 })),
      fc.constantFrom(...FAULTS),
      (priority, fault) => {
        const text = `4,1,1,-;an ordinary warning\n${priority},2,2,-;${fault}\n SUBSYSTEM=block`;
        t.matchOnlyStrict(logOf(text), quiet);
      },
    ),
  );
  t.end();
});

t.test('a continuation line is no event, whatever it holds', (t) => {
  const reading = logOf('3,1,1,-;something\n I/O error, dev sda, sector 1\n Oops: 0 [#1]');
  t.equal(reading?.health, 'ok');
  t.equal(logOf('# lost 3\n SUBSYSTEM=block\n')?.gauges.lost_total, 3, 'without its head');
  t.end();
});

t.test('the quoted line is printable and short', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 5000 }), (junk) => {
      const line = junk.replace(/\n/gu, '');
      const why = logOf(`3,1,1,-;I/O error, dev sda, sector ${line}`)?.why ?? '';
      t.match(why, /^[ -~]*$/u);
      t.ok(why.length <= 230);
    }),
  );
  t.end();
});

t.test('an oops is failed, however the counters are spread over kernels', (t) => {
  const health = (files: Record<string, string | Entry>): string | undefined =>
    readings(parse('health', files))[0]?.health;
  t.equal(health({ 'sys/kernel/oops_count': '1', 'proc/sys/kernel/tainted': '0' }), 'failed');
  t.equal(health({ 'proc/sys/kernel/tainted': '128' }), 'failed');
  t.equal(health({ 'proc/sys/kernel/tainted': String(2 ** 40 + 128) }), 'failed');
  t.equal(health({ 'proc/sys/kernel/tainted': String(2 ** 40) }), 'ok');
  t.equal(health({ 'sys/kernel/oops_count': '0', 'proc/sys/kernel/tainted': '0' }), 'ok');
  t.equal(
    health({ 'sys/kernel/oops_count': '0', 'proc/sys/kernel/tainted': { errno: 'EIO' } }),
    'unknown',
    'no mask, no ok',
  );
  t.end();
});

t.test('advice follows the settings, and is silent where they could not be read', (t) => {
  const codes = (files: Record<string, string>): string[] => {
    const seen = parse('health', { 'proc/sys/kernel/tainted': '0', ...files });
    return seen.kind === 'seen' ? seen.advice.map(({ code }) => code) : [];
  };
  const sysctl = (name: string, value: string): Record<string, string> => ({
    [`proc/sys/kernel/${name}`]: value,
  });
  t.strictSame(codes({}), []);
  t.strictSame(codes(sysctl('panic', '0')), ['panic-timeout-zero']);
  t.strictSame(codes(sysctl('panic', '-1')), []);
  t.strictSame(codes(sysctl('panic_on_oops', '0')), ['panic-on-oops-off']);
  const off = sysctl('panic_on_oops', '0');
  t.strictSame(codes({ ...off, ...sysctl('oops_limit', '0') }), ['panic-on-oops-off'], 'no limit');
  t.strictSame(codes({ ...off, ...sysctl('oops_limit', '1') }), []);
  t.end();
});

t.test('any one unreadable file of a module leaves every other module as it was', (t) => {
  const files: Record<string, string | Entry> = {};
  for (const mc of [0, 1]) {
    files[`sys/devices/system/edac/mc/mc${mc}/ue_noinfo_count`] = '0';
    for (const dimm of [0, 1, 2]) {
      const folder = `sys/devices/system/edac/mc/mc${mc}/dimm${dimm}`;
      files[`${folder}/dimm_label`] = `DIMM_${mc}${dimm}`;
      files[`${folder}/dimm_ue_count`] = '0';
      files[`${folder}/dimm_ce_count`] = '0';
    }
  }
  const before = readings(parse('memory', files));
  t.equal(before.length, 8);
  for (const key of Object.keys(files)) {
    if (key.endsWith('_label')) continue;
    const after = readings(parse('memory', { ...files, [key]: { errno: 'EIO' } }));
    t.strictSame(
      after.map(({ component }) => component),
      before.map(({ component }) => component),
      `${key}: nobody is missing`,
    );
    const changed = after.filter((one, at) => one.health !== before[at]?.health);
    t.ok(changed.length <= 1 && changed.every(({ health }) => health === 'unknown'), key);
  }
  t.end();
});

function card(width: string, max: string, portMax: string, cls = '0x020000'): Reading | undefined {
  const port = 'sys/bus/pci/devices/0000:00:01.0';
  const device = 'sys/bus/pci/devices/0000:01:00.0';
  const observation = parse('pcie', {
    [port]: { link: 'sys/devices/pci0000:00/0000:00:01.0' },
    [device]: { link: 'sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0' },
    [`${port}/class`]: '0x060400',
    [`${device}/class`]: cls,
    [`${port}/current_link_width`]: width,
    [`${port}/max_link_width`]: portMax,
    [`${device}/current_link_width`]: width,
    [`${device}/max_link_width`]: max,
  });
  return readings(observation).find(({ component }) => component === 'card/0000:01:00');
}

t.test('a link is too narrow only when both of its ends could do more', (t) => {
  t.equal(card('8', '16', '16')?.health, 'failing');
  t.equal(card('8', '16', '8')?.health, 'ok', 'a wide card in a narrow slot');
  t.equal(card('8', '8', '16')?.health, 'ok', 'a narrow card in a wide slot');
  t.equal(card('16', '16', '16')?.health, 'ok');
  t.equal(card('0', '16', '16')?.health, 'unknown');
  t.equal(card('0', '16', '16', '0x060400')?.health, 'ok', 'a port whose slot is empty');
  t.equal(card('8', '16', '255')?.health, 'ok', 'the port does not tell');
  t.end();
});

t.test('a watchdog whose state is not known is never called idle', (t) => {
  const folder = 'sys/class/watchdog/watchdog0';
  const seen = parse('watchdog', {
    [`${folder}/identity`]: 'x',
    [`${folder}/state`]: { errno: 'EIO' },
  });
  t.match(seen, { kind: 'seen', readings: [{ health: 'unknown' }], advice: [] });
  t.end();
});

t.test('sources do not share components, and each is blind alone', (t) => {
  const denied: Entry = { errno: 'EACCES' };
  t.equal(parse('log', { kmsg: denied }).kind, 'blind');
  t.equal(parse('memory', { 'sys/devices/system/edac/mc': denied }).kind, 'blind');
  t.equal(parse('watchdog', { 'sys/class/watchdog': denied }).kind, 'blind');
  t.equal(parse('pcie', { 'sys/bus/pci/devices': denied }).kind, 'blind');
  t.equal(parse('health', { 'proc/sys/kernel/tainted': denied }).kind, 'blind');
  t.match(
    encodeCapture(new Map([['kmsg', { text: '# lost 3\n3,1,1,-;x\n' }]])),
    /\| # lost 3/u,
    "the port's note survives a capture",
  );
  t.end();
});
