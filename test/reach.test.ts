/**
 * The `reach` port against real packets: two network namespaces joined by a veth pair, the far one
 * playing the gateway, and closed and open ports on loopback. Needs root; says so when it is not.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { openReach } from '../agent/ports/reach.ts';
import { ipv4Defaults, ipv6Defaults } from '../agent/ports/reach-routes.ts';
import { collector } from '../collectors/gateways.ts';
import type { Entry } from '../collectors/lib/collector.ts';
import type { ReachTarget, Roots } from '../rules/config.ts';
import type { Observation } from '../rules/model.ts';

const NODE = `nospof-test-${process.pid}-node`;
const FAR = `nospof-test-${process.pid}-far`;
const ROOTS: Roots = { proc: '/proc', sys: '/sys', dev: '/dev', run: '/run' };
const ONCE = fileURLToPath(new URL('./reach-once.js', import.meta.url));
const COMMAND_MS_MAX = 20_000;

interface Line {
  readonly name: string;
  readonly state: string;
  readonly method: string;
  readonly rttMs?: number;
  readonly why?: string;
}

function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', timeout: COMMAND_MS_MAX });
}

function ip(...args: readonly string[]): string {
  return run('ip', ...args);
}

function lines(entry: Entry): readonly Line[] {
  if (!('text' in entry)) throw new Error(JSON.stringify(entry));
  const texts = entry.text.split('\n').filter((text) => text !== '');
  return texts.map((text): Line => JSON.parse(text));
}

function judged(entry: Entry): Observation | undefined {
  return collector.sources[0]?.parse(new Map([['reach', entry]]));
}

/** What the port answers from inside the node's namespace. */
function readThere(targets: readonly ReachTarget[] = [], more: object = {}): Entry {
  const options = JSON.stringify({ roots: ROOTS, targets, ...more });
  return JSON.parse(ip('netns', 'exec', NODE, process.execPath, ONCE, options));
}

async function readHere(targets: readonly ReachTarget[], more: object = {}): Promise<Entry> {
  const proc = t.testdir({ net: { route: 'Iface\tDestination\n' } });
  const port = openReach({ roots: { ...ROOTS, proc }, targets, ...more });
  try {
    return await port.read({ kind: 'reach' });
  } finally {
    port.close();
  }
}

function target(more: Partial<ReachTarget>): ReachTarget {
  return { name: 'target', address: '127.0.0.1', method: 'icmp', rank: 0, ...more };
}

/** Node 10.231.0.1 and gateway 10.231.0.2 and fd31::2, with default routes through both. */
function makeNamespaces(): void {
  try {
    ip('netns', 'add', NODE);
  } catch (error) {
    throw new Error(`this test needs root and iproute2 to make a network namespace: ${error}`);
  }
  ip('netns', 'add', FAR);
  ip('link', 'add', 'up0', 'netns', NODE, 'type', 'veth', 'peer', 'name', 'gw0', 'netns', FAR);
  for (const [space, link, host] of [
    [NODE, 'up0', '1'],
    [FAR, 'gw0', '2'],
  ] as const) {
    ip('-n', space, 'addr', 'add', `10.231.0.${host}/24`, 'dev', link);
    ip('-n', space, 'addr', 'add', `fd31::${host}/64`, 'dev', link, 'nodad');
    ip('-n', space, 'link', 'set', 'lo', 'up');
    ip('-n', space, 'link', 'set', link, 'up');
  }
  ip('-n', NODE, 'route', 'add', 'default', 'via', '10.231.0.2', 'metric', '50');
}

function sysctl(space: string, setting: string): void {
  ip('netns', 'exec', space, 'sysctl', '-qw', setting);
}

function removeNamespaces(): void {
  for (const space of [NODE, FAR]) {
    try {
      ip('netns', 'del', space);
    } catch {
      // It was not made.
    }
  }
}

t.test('a gateway on a real link', async (t) => {
  t.teardown(removeNamespaces);
  makeNamespaces();

  const [first] = lines(readThere());
  t.match(first, { name: 'default via 10.231.0.2 dev up0', state: 'answered', method: 'icmp' });
  t.ok((first?.rttMs ?? -1) >= 0, 'a round-trip time');
  t.match(judged(readThere()), {
    readings: [{ component: 'gateway/10.231.0.2@up0', health: 'ok', needs: ['link/up0'] }],
    groups: [{ group: 'gateways/default', members: { length: 1 } }],
  });

  sysctl(NODE, 'net.ipv4.ping_group_range=0 2147483647');
  t.match(lines(readThere()), [{ state: 'answered', method: 'icmp' }], 'by a ping socket too');

  ip('-n', NODE, '-6', 'route', 'add', 'default', 'via', 'fd31::2', 'dev', 'up0');
  t.match(
    lines(readThere()),
    [{ state: 'answered' }, { name: 'default via fd31::2 dev up0', state: 'answered' }],
    'IPv6',
  );
  ip('-n', NODE, '-6', 'route', 'del', 'default');

  const far = target({ address: '10.231.0.2', method: 'tcp', port: 7, link: 'up0' });
  const wrongLink = target({ address: '10.231.0.2', name: 'by lo', link: 'lo' });
  const nobody = target({ address: '10.231.0.9', name: 'nobody' });
  const elsewhere = target({ address: '203.0.113.1', name: 'elsewhere', link: 'lo' });
  const [tcp, byLo, none] = lines(readThere([far, wrongLink, nobody, elsewhere]));
  t.match(tcp, { state: 'refused', method: 'tcp' }, 'a closed port proves life');
  t.not(byLo?.state, 'answered', 'not through another interface');
  t.equal(none?.state, 'silent', 'one silent target beside the others');

  sysctl(FAR, 'net.ipv4.icmp_echo_ignore_all=1');
  t.match(lines(readThere()), [{ state: 'answered', method: 'arp' }], 'told not to answer echo');
  t.match(lines(readThere([], { calls: 'node' })), [{ state: 'answered' }], 'without koffi');
  sysctl(FAR, 'net.ipv4.icmp_echo_ignore_all=0');

  ip('-n', FAR, 'addr', 'del', '10.231.0.2/24', 'dev', 'gw0');
  // The kernel's table still holds the gateway; the wire does not.
  t.match(ip('netns', 'exec', NODE, 'cat', '/proc/net/arp'), /10\.231\.0\.2 .* 0x2 /u);
  t.match(judged(readThere()), {
    readings: [{ health: 'failed', why: /no answer by arp to 3 tries/u }],
  });
  ip('-n', FAR, 'addr', 'add', '10.231.0.2/24', 'dev', 'gw0');
  t.match(judged(readThere()), { readings: [{ health: 'ok' }] }, 'and back');

  ip('-n', FAR, 'link', 'set', 'gw0', 'down');
  t.match(judged(readThere()), { readings: [{ health: 'failed' }] }, 'the cable is pulled');
  ip('-n', FAR, 'link', 'set', 'gw0', 'up');

  ip('-n', NODE, 'route', 'del', 'default');
  t.match(judged(readThere()), { kind: 'none', why: /no default route/u });
});

t.test('an IPv6 gateway that filters echo is asked on the wire', async (t) => {
  t.teardown(removeNamespaces);
  makeNamespaces();
  ip('-n', NODE, 'route', 'del', 'default');
  const [, linkLocal = ''] =
    /inet6 (fe80:[0-9a-f:]+)/u.exec(ip('-n', FAR, '-6', 'addr', 'show', 'gw0')) ?? [];
  sysctl(FAR, 'net.ipv6.icmp.echo_ignore_all=1');
  for (const gateway of ['fd31::2', linkLocal]) {
    ip('-n', NODE, '-6', 'route', 'add', 'default', 'via', gateway, 'dev', 'up0');
    t.match(lines(readThere()), [{ state: 'answered', method: 'ndp' }], gateway);
    t.match(judged(readThere()), { readings: [{ health: 'ok', facts: { by: 'ndp' } }] });
    ip('-n', NODE, '-6', 'route', 'del', 'default');
  }
  ip('-n', NODE, '-6', 'route', 'add', 'default', 'via', 'fd31::2', 'dev', 'up0');
  t.match(
    judged(readThere([], { calls: 'node' })),
    { readings: [{ component: 'gateway/fd31::2@up0' }] },
    'without koffi it says what it can',
  );
  ip('-n', FAR, 'addr', 'del', 'fd31::2/64', 'dev', 'gw0');
  t.match(judged(readThere()), {
    readings: [{ health: 'failed', why: /no answer by ndp to 3 tries/u }],
  });
});

t.test('loopback: open and closed ports, with koffi and without', async (t) => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const open = target({ name: 'open', method: 'tcp', port });
  for (const more of [{}, { calls: 'node' }]) {
    t.match(lines(await readHere([open], more)), [{ name: 'open', state: 'answered' }]);
  }
  server.close();
  await once(server, 'close');
  for (const more of [{}, { calls: 'node' }]) {
    t.match(lines(await readHere([open], more)), [{ name: 'open', state: 'refused' }]);
  }
});

t.test('what cannot be tried is an error, never silence', async (t) => {
  const answers = lines(
    await readHere([
      target({ address: 'gateway.example' }),
      target({ method: 'tcp' }),
      target({ link: 'no-such-link0' }),
      target({ method: 'arp' }),
    ]),
  );
  t.match(answers, [
    { state: 'error', why: /not an IP address/u },
    { state: 'error', why: /needs a port/u },
    { state: 'unreachable', why: /no-such-link0: ENODEV/u },
    { state: 'error', why: /needs an IPv4 address on the link/u },
  ]);
  t.match(lines(await readHere([target({})], { calls: 'node' })), [
    { state: 'error', why: /needs koffi/u },
  ]);
});

t.test('targets beyond the bound are named, not tried', async (t) => {
  const many = Array.from({ length: 34 }, (_, at) =>
    target({ name: `target ${at}`, method: 'tcp', port: 1 }),
  );
  const answers = lines(await readHere(many));
  t.equal(answers.filter(({ state }) => state === 'refused').length, 32);
  t.match(answers.at(-1), { state: 'error', why: /more than 32/u });
});

t.test('the same text while nothing changes', async (t) => {
  const proc = t.testdir({ net: { route: '' } });
  const port = openReach({ roots: { ...ROOTS, proc }, targets: [target({})] });
  t.teardown(port.close);
  const texts = new Set<string>();
  for (let at = 0; at < 20; at += 1) {
    const entry = await port.read({ kind: 'reach' });
    texts.add('text' in entry ? entry.text : '');
  }
  t.ok(texts.size < 10, `${texts.size} texts in 20 reads`);
  const [one, two] = [port.read({ kind: 'reach' }), port.read({ kind: 'reach' })];
  t.equal(one, two, 'one read in flight');
  await one;
});

t.test('closing ends what is in flight', async (t) => {
  const proc = t.testdir({ net: { route: '' } });
  // Bound to loopback, where nobody has this address.
  const nobody = target({ address: '203.0.113.1', link: 'lo' });
  const port = openReach({ roots: { ...ROOTS, proc }, targets: [nobody] });
  const pending = port.read({ kind: 'reach' });
  port.close();
  port.close();
  t.match(lines(await pending), [{ state: 'error', why: /closing/u }]);
});

t.test('a routing table that cannot be read is not an empty one', async (t) => {
  const proc = t.testdir({ net: { route: {} } });
  const read = (roots: Roots): Promise<Entry> =>
    openReach({ roots, targets: [] }).read({ kind: 'reach' });
  t.match(await read({ ...ROOTS, proc }), { errno: 'EISDIR' });
  t.match(await read({ ...ROOTS, proc: `${proc}/nowhere` }), { errno: 'ENOENT' });
  mkdirSync(`${proc}/two/net`, { recursive: true });
  writeFileSync(`${proc}/two/net/route`, '');
  t.match(await read({ ...ROOTS, proc: `${proc}/two` }), { text: '' }, 'without IPv6');
});

t.test('default routes as the kernel prints them', (t) => {
  const v4 = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0',
    'ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0',
    'eth1\t0002000A\t0100000A\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0',
    '*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0',
  ];
  t.strictSame(ipv4Defaults(v4.join('\n')), [{ address: '10.0.0.1', link: 'eth0', metric: 100 }]);
  const zero = '0'.repeat(32);
  const v6 = [
    `fd000000000000000000000000000000 40 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001 eth0`,
    `${zero} 00 ${zero} 00 fe80000000000000020423fffe010203 00000400 00000001 00000000 00450003 eth0`,
    `${zero} 00 ${zero} 00 ${zero} ffffffff 00000001 00000000 00200200       lo`,
  ];
  t.strictSame(ipv6Defaults(v6.join('\n')), [
    { address: 'fe80::204:23ff:fe01:203', link: 'eth0', metric: 1024 },
  ]);
  t.end();
});
