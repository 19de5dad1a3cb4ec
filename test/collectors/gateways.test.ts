/** What the `gateways` collector makes of the answers of the `reach` port. */
import t from 'tap';
import { collector } from '../../collectors/gateways.ts';
import type { Entry } from '../../collectors/lib/collector.ts';
import type { GroupReading, Observation, Reading } from '../../rules/model.ts';

function parse(entry: Entry): Observation {
  const [source] = collector.sources;
  if (source === undefined) throw new Error('no source');
  return source.parse(new Map([['reach', entry]]));
}

function lines(...values: readonly Readonly<Record<string, unknown>>[]): Entry {
  return { text: values.map((value) => `${JSON.stringify(value)}\n`).join('') };
}

function route(
  address: string,
  metric: number,
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const name = `default via ${address} dev eth0`;
  const rest = { link: 'eth0', metric, rank: metric, state: 'answered', method: 'icmp' };
  return { name, from: 'route', address, ...rest, ...more };
}

function seen(entry: Entry): readonly Reading[] {
  const observation = parse(entry);
  return observation.kind === 'seen' ? observation.readings : [];
}

function groups(entry: Entry): readonly GroupReading[] {
  const observation = parse(entry);
  return observation.kind === 'seen' ? observation.groups : [];
}

t.test('each state of an answer has one health', (t) => {
  const health = (more: Readonly<Record<string, unknown>>): unknown => {
    const [one] = seen(lines(route('10.0.0.1', 0, more)));
    return one && [one.health, one.why];
  };
  t.strictSame(health({}), ['ok', undefined]);
  t.strictSame(health({ state: 'refused', method: 'tcp' }), ['ok', undefined]);
  t.strictSame(health({ state: 'silent', tries: 3 }), ['failed', 'no answer by icmp to 3 tries']);
  t.strictSame(health({ state: 'unreachable', why: 'send: EHOSTUNREACH' }), [
    'failed',
    'send: EHOSTUNREACH',
  ]);
  t.strictSame(health({ state: 'error', why: 'send: EPERM' }), ['unknown', 'send: EPERM']);
  t.match(health({ state: 'dozing' }), ['unknown', /could not be tried/u]);
  t.end();
});

t.test('a gateway needs its link and says how it was reached', (t) => {
  t.match(seen(lines(route('10.0.0.1', 100, { method: 'arp', rttMs: 2 }))), [
    {
      component: 'gateway/10.0.0.1@eth0',
      needs: ['link/eth0'],
      facts: { by: 'arp', metric: '100' },
      gauges: { rtt_seconds: 0.002 },
    },
  ]);
  t.end();
});

t.test('the kernel prefers the lower metric; equal ones are no order', (t) => {
  const slowFirst = lines(route('10.0.0.2', 200), route('10.0.0.1', 100));
  t.match(groups(slowFirst), [
    {
      group: 'gateways/default',
      kind: 'gateways',
      preference: ['gateway/10.0.0.1@eth0', 'gateway/10.0.0.2@eth0'],
    },
  ]);
  const equal = groups(lines(route('10.0.0.2', 0), route('10.0.0.1', 0)));
  t.equal(equal[0]?.members.length, 2);
  t.equal(equal[0]?.preference, undefined);
  t.end();
});

t.test('an IPv6 gateway does not stand in for an IPv4 one', (t) => {
  const found = groups(lines(route('10.0.0.1', 0), route('fe80::1', 1024)));
  t.strictSame(
    found.map(({ group, members }) => [group, members]),
    [
      ['gateways/default', ['gateway/10.0.0.1@eth0']],
      ['gateways/default6', ['gateway/fe80::1@eth0']],
    ],
  );
  t.end();
});

t.test('targets are a group only where ranks make lines of them', (t) => {
  const target = (address: string, rank: number): Readonly<Record<string, unknown>> => ({
    ...route(address, rank),
    from: 'target',
    metric: undefined,
    link: undefined,
  });
  t.strictSame(groups(lines(target('10.0.0.1', 0), target('10.0.0.2', 0))), []);
  t.match(groups(lines(target('10.0.0.1', 5), target('10.0.0.2', 0))), [
    { group: 'gateways/targets', preference: ['gateway/10.0.0.2', 'gateway/10.0.0.1'] },
  ]);
  t.end();
});

t.test('nothing to try is none; a table that cannot be read is blind', (t) => {
  t.match(parse({ text: '' }), { kind: 'none', why: /no default route/u });
  t.match(parse({ errno: 'EACCES', why: 'permission denied' }), { kind: 'blind', why: /denied/u });
  t.equal(parse({ text: 'nonsense\n' }).kind, 'blind');
  t.equal(seen({ text: `nonsense\n${JSON.stringify(route('10.0.0.1', 0))}\n` }).length, 1);
  t.end();
});
