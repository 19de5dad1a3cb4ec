/**
 * Pictures built by hand, a line per thing, for tests of what people see. A builder only fills in what a
 * test does not care about; it judges nothing, so a standing is what the test says it is.
 */
import {
  type Advice,
  type Component,
  type ComponentId,
  type Group,
  type GroupId,
  type Health,
  type Margin,
  ms,
  type Picture,
  type Sight,
  type SourceId,
  type Standing,
  type Vitals,
} from '../../rules/model.ts';

export const AT = 10_000_000;

/** Names that firmware, disks and operators have been seen to use, and some an attacker would. */
export const NASTY_NAMES: readonly string[] = [
  `it's "quoted"`,
  'two\nlines\r\nand a tab\t',
  'x'.repeat(4096),
  'Lüfter 风扇 💥 ɐ̃́̂̄',
  '<script>alert(1)</script><img src=x onerror=alert(2)>',
  '$(reboot); `halt` | rm -rf / && true',
  '\u001b[2J\u001b[31mred\u001b]0;title\u0007\u009b5A',
  '\u202eevil\u2066\u200b\u2028next',
  'half \ud800 a pair',
  '</style></title><!-- ',
  '&amp; \\ %s {0}',
  '',
];

export function id(text: string): ComponentId {
  return text as ComponentId;
}

export function component(
  of: string,
  health: Health = 'ok',
  more: Partial<Component> = {},
): Component {
  return {
    id: id(of),
    kind: of.split('/', 1)[0] ?? of,
    name: of.split('/').at(-1) ?? of,
    health,
    why: health === 'ok' ? '' : `it is ${health}`,
    since: ms(AT - 180_000),
    gauges: {},
    facts: {},
    needs: [],
    sources: ['hand/made' as SourceId],
    unproven: false,
    ignored: false,
    ...more,
  };
}

const MARGINS: Readonly<Record<Standing, Margin>> = {
  lost: { low: -1, high: -1 },
  exposed: { low: 0, high: 0 },
  unknown: { low: 0, high: 1 },
  redundant: { low: 1, high: 1 },
};

export function group(
  of: string,
  standing: Standing,
  members: readonly string[],
  more: Partial<Group> = {},
): Group {
  return {
    id: of as GroupId,
    kind: of.split('/', 1)[0] ?? of,
    name: of.split('/').at(-1) ?? of,
    members: members.map(id),
    needed: 1,
    basis: 'assumed',
    healthy: members.length,
    margin: MARGINS[standing],
    standing,
    degraded: false,
    since: ms(AT - 180_000),
    ...more,
  };
}

export function sight(
  of: string,
  state: Sight['state'] = 'seen',
  more: Partial<Sight> = {},
): Sight {
  return {
    id: of as SourceId,
    state,
    why: state === 'seen' ? '' : `it is ${state}`,
    since: ms(AT - 180_000),
    seenAt: state === 'seen' || state === 'none' ? ms(AT) : undefined,
    durationMs: 1,
    failures: 0,
    readings: 1,
    everyMs: 1000,
    staleMs: 5000,
    ...more,
  };
}

export function picture(parts: Partial<Picture> = {}): Picture {
  const empty = { components: [], groups: [], sights: [], advice: [] };
  return { at: ms(AT), ...empty, alarms: [], services: [], maintenance: [], ...parts };
}

/** 2026-11-23T00:40:12Z at `AT`. */
export function vitals(more: Partial<Vitals> = {}): Vitals {
  return {
    node: 'alpha',
    version: '0.1.0',
    wallOffsetMs: Date.UTC(2026, 10, 23, 0, 40, 12) - AT,
    startedAt: ms(AT - 3_600_000),
    readyAt: ms(AT - 3_599_000),
    wakeMode: 'kernel',
    steps: 1,
    wakes: 1,
    drops: {},
    ...more,
  };
}

const CARD = 'card/0000:03:00.0';

const RICH_COMPONENTS: readonly Component[] = [
  component('psu/bmc/1', 'ok', { name: 'PSU 1', gauges: { input_volts: 229.5, watts: 182 } }),
  component('psu/bmc/2', 'failed', { name: 'PSU 2', why: 'Power Supply AC lost' }),
  component('fan/ipmi/1', 'ok', { name: 'FAN 1', gauges: { rpm: 5400 } }),
  component('fan/ipmi/2', 'failing', {
    name: 'FAN 2',
    why: 'below its lower warning limit',
    gauges: { rpm: 900 },
  }),
  component('fan/ipmi/10', 'ok', { name: 'FAN 10', gauges: { rpm: 5350 } }),
  component('disk/WD-1', 'ok', {
    name: 'sda',
    facts: { model: 'WD Gold 4TB', serial: 'WD-1' },
  }),
  component('disk/WD-2', 'absent', {
    name: 'sdb',
    why: 'was there, is gone',
    since: ms(AT - 7_200_000),
  }),
  component('disk/WD-3', 'unknown', { name: 'sdc', why: 'no answer from the disk in 5 s' }),
  component('disk/WD-4', 'ok', { name: 'sdd' }),
  component('path/3600a/0:0:0:1', 'ok', { name: 'sde', needs: [id(CARD)] }),
  component('path/3600a/0:0:1:1', 'ok', { name: 'sdf', needs: [id(CARD)] }),
  component('path/3600a/0:0:2:1', 'ok', { name: 'sdg', needs: [id(CARD)] }),
  component(CARD, 'ok', { name: 'QLE2692 16Gb FC' }),
  component('link/eno1', 'ok', { name: 'eno1', gauges: { bytes_per_second: 125_000_000 } }),
  component('link/eno2', 'ok', { name: 'eno2', gauges: { bytes_per_second: 125_000_000 } }),
  component('gateway/192.0.2.1', 'failed', {
    name: '192.0.2.1',
    why: 'no answer to 3 ICMP echoes',
  }),
  component('gateway/198.51.100.1', 'ok', { name: '198.51.100.1 (LTE)' }),
  component('sensor/cpu0', 'failing', {
    name: 'CPU0 Temp',
    why: 'above 90 °C',
    gauges: { celsius: 93.5 },
  }),
  component('battery/raid', 'failed', { name: 'RAID battery', why: 'replace it' }),
  component('fan/nct6775/4', 'unknown', {
    name: 'fan4',
    unproven: true,
    why: 'reads 0 rpm and was never seen turning',
  }),
];

const RICH_GROUPS: readonly Group[] = [
  group('psus/bmc', 'exposed', ['psu/bmc/1', 'psu/bmc/2'], {
    name: 'power supplies',
    healthy: 1,
  }),
  group('fans/chassis', 'redundant', ['fan/ipmi/1', 'fan/ipmi/2', 'fan/ipmi/10'], {
    name: 'chassis fans',
    healthy: 2,
    margin: { low: 1, high: 2 },
  }),
  group('mirror/md0', 'lost', ['disk/WD-2', 'disk/WD-3'], {
    name: 'md0',
    healthy: 0,
    basis: 'intrinsic',
    since: ms(AT - 42_000),
  }),
  group('mirror/md1', 'unknown', ['disk/WD-3', 'disk/WD-4'], {
    name: 'md1',
    healthy: 1,
    basis: 'intrinsic',
  }),
  group(
    'paths/3600a',
    'exposed',
    ['path/3600a/0:0:0:1', 'path/3600a/0:0:1:1', 'path/3600a/0:0:2:1'],
    {
      name: 'mpatha',
      healthy: 3,
      margin: { low: 0, high: 0, limitedBy: id(CARD) },
    },
  ),
  group('bond/bond0', 'redundant', ['link/eno1', 'link/eno2'], {
    name: 'bond0',
    basis: 'configured',
  }),
  group('gateways/default', 'exposed', ['gateway/192.0.2.1', 'gateway/198.51.100.1'], {
    name: 'ways out',
    healthy: 1,
    degraded: true,
  }),
];

const RICH_SIGHTS: readonly Sight[] = [
  sight('hwmon/chips'),
  sight('mdraid/arrays'),
  sight('multipath/maps', 'stale', {
    why: 'multipathd has not answered for 35 s',
    seenAt: ms(AT - 35_000),
  }),
  sight('ipmi/sensors', 'blind', {
    why: '/dev/ipmi0: permission denied; run the agent as root or add it to the group ipmi',
  }),
  sight('zfs/pools', 'none', { why: 'no ZFS module is loaded' }),
  sight('enclosure/slots', 'waiting'),
];

const RICH_ADVICE: readonly Advice[] = [
  {
    code: 'paths-share-card',
    about: id('paths/3600a'),
    text: 'All paths of mpatha go through one card. Connect one path through another.',
  },
  {
    code: 'array-not-mirrored',
    about: id('array/md7'),
    text: 'md7 is RAID-0: the first disk to fail loses it.',
  },
];

/** A machine with some of everything on it. */
export function richPicture(): Picture {
  return picture({
    components: RICH_COMPONENTS,
    groups: RICH_GROUPS,
    sights: RICH_SIGHTS,
    advice: RICH_ADVICE,
  });
}

/** A small virtual machine: nothing redundant, and much that cannot be there. */
export function emptyPicture(): Picture {
  return picture({
    components: [component('link/eth0', 'ok', { name: 'eth0' })],
    sights: [
      sight('hwmon/chips', 'none', { why: 'no sensor chip has a driver here' }),
      sight('mdraid/arrays', 'none', { why: 'no /proc/mdstat: the md module is not loaded' }),
      sight('ipmi/sensors', 'none', { why: 'no BMC: /dev/ipmi0 does not exist' }),
      sight('links/sysfs', 'seen'),
      sight('multipath/maps', 'blind', {
        why: '/dev/mapper/control: permission denied; run the agent as root',
      }),
    ],
  });
}
