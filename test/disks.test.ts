/** Finding disks and their paths, looking at them, what is said of them, and machines on real paths. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { drive } from '../agent/disks/drive.ts';
import { type Disk, findDisks, lookAt, pathsOf } from '../agent/disks/look.ts';
import { blocksBelow, findSgNodes, hasSg, nodesOf, type SgNode } from '../agent/disks/paths.ts';
import { lineOf, listText, showText } from '../agent/disks/report.ts';
import { openScsi, type ScsiPort } from '../agent/ports/scsi.ts';
import { claimOf, claimPolicy } from '../fencing/reservation/claim.ts';
import type { Key } from '../fencing/reservation/key.ts';
import { releaseOf, releasePolicy } from '../fencing/reservation/release.ts';
import { openPty, PTY_MAJOR } from './fakes/disk/pty.ts';
import { nexusOf } from './fakes/disk/rig.ts';
import { Target } from './fakes/disk/target.ts';

const MAIN = fileURLToPath(new URL('../agent/main.js', import.meta.url));
const KEY = '00c1000100000001' as Key;
const STRANGER = '0badc0de0badc0de' as Key;

/** A sysfs with an iSCSI disk on two paths, a Fibre Channel disk, and a tape. */
function sysfs(t: Test): string {
  const device = (type: string): Record<string, string> => ({
    type: `${type}\n`,
    vendor: 'LIO-ORG \n',
    model: 'IBLOCK          \n',
    state: 'running\n',
  });
  const link = (to: string): ReturnType<typeof t.fixture> => t.fixture('symlink', to);
  const block = (name: string): Record<string, unknown> => ({ block: { [name]: {} } });
  return t.testdir({
    devices: {
      host2: { session1: { 'target2:0:0': { '2:0:0:1': { ...device('0'), ...block('sda') } } } },
      host3: { session2: { 'target3:0:0': { '3:0:0:1': { ...device('0'), ...block('sdb') } } } },
      host4: { 'target4:0:0': { '4:0:0:7': { ...device('0'), ...block('sdc') } } },
      host5: { 'target5:0:0': { '5:0:0:0': device('1') } },
    },
    class: {
      scsi_generic: {
        sg10: { device: link('../../../devices/host4/target4:0:0/4:0:0:7') },
        sg2: { device: link('../../../devices/host2/session1/target2:0:0/2:0:0:1') },
        sg3: { device: link('../../../devices/host3/session2/target3:0:0/3:0:0:1') },
        sg4: { device: link('../../../devices/host5/target5:0:0/5:0:0:0') },
        sg5: { device: link('../../../devices/gone') },
      },
      iscsi_session: {
        session1: { initiatorname: 'iqn.2026-01.test:A\n' },
        session2: { initiatorname: 'iqn.2026-01.test:A\n' },
      },
      fc_host: { host4: { port_name: '0x2100001b32112233\n' } },
    },
    block: {
      sda: { holders: { 'dm-0': {} }, slaves: {} },
      sdb: { holders: { 'dm-0': {} }, slaves: {} },
      'dm-0': { slaves: { sda: {}, sdb: {} } },
      'dm-1': { slaves: { 'dm-0': {} } },
    },
  } as Parameters<typeof t.testdir>[0]);
}

t.test('paths are found in sysfs, in the order of their numbers', async (t) => {
  const roots = { proc: '/proc', sys: sysfs(t), dev: '/dev', run: '/run' };
  const nodes = findSgNodes(roots);
  t.ok(hasSg(roots));
  t.same(
    nodes.map(({ name, block, address, initiator }) => [name, block, address, initiator]),
    [
      ['sg2', 'sda', '2:0:0:1', 'iqn.2026-01.test:a'],
      ['sg3', 'sdb', '3:0:0:1', 'iqn.2026-01.test:a'],
      ['sg10', 'sdc', '4:0:0:7', 'fc.2100001b32112233'],
    ],
  );
  t.match(nodes[0], { device: '/dev/sg2', model: 'LIO-ORG IBLOCK', state: 'running' });
  const named = (operand: string): readonly string[] =>
    nodesOf(roots, nodes, operand).map(({ name }) => name);
  t.same(named('/dev/sda'), ['sg2']);
  t.same(named('sg10'), ['sg10']);
  t.same(named('dm-0'), ['sg2', 'sg3'], 'a map is its paths');
  t.same(named('dm-1'), ['sg2', 'sg3'], 'and so is what lies on it');
  t.same(named('nothing'), []);
  t.same(blocksBelow(roots, 'sdc'), ['sdc']);
  t.notOk(hasSg({ ...roots, sys: join(roots.sys, 'devices') }));
  t.same(findSgNodes({ ...roots, sys: join(roots.sys, 'devices') }), []);
});

function node(name: string, device: string, initiator: string): SgNode {
  return {
    name,
    device,
    block: `sd${name}`,
    address: '',
    model: 'FAKE',
    state: 'running',
    initiator,
  };
}

interface Stage {
  readonly target: Target;
  readonly port: ScsiPort;
  readonly nodes: readonly SgNode[];
}

async function stage(t: Test, features = {}): Promise<Stage> {
  const target = new Target(features);
  const port = await openScsi({ runDir: t.testdir({}), majors: [PTY_MAJOR] });
  const ways = ['a1', 'a2'] as const;
  const ptys = ways.map((way) => openPty(target, nexusOf(way)));
  t.teardown(async () => {
    await port.close();
    for (const pty of ptys) pty.close();
  });
  const nodes = ways.map((way, index) =>
    node(way, ptys[index]?.path ?? '', nexusOf(way).initiator.split(',')[0] ?? ''),
  );
  return { target, port, nodes };
}

async function only({ port, nodes }: Stage): Promise<Disk> {
  const { disks } = await findDisks(port, nodes);
  const [disk] = disks;
  if (disk === undefined || disks.length > 1) throw new Error(`${disks.length} disks`);
  return disk;
}

t.test('two paths are one disk; what does not answer is named', async (t) => {
  const one = await stage(t);
  const nodes = [...one.nodes, node('gone', '/dev/sg999', '')];
  const { disks, mute } = await findDisks(one.port, nodes);
  t.same(
    disks.map(({ wwid, paths }) => [wwid, paths.map(({ port }) => port)]),
    [['naa.6001405aaaaaaaaaaaaaaaaaaaaaaaaa', [1, 2]]],
  );
  t.match(mute, [{ node: { name: 'gone' }, why: /ENOENT/u }]);
});

t.test('two paths that cannot be told apart have no initiator', async (t) => {
  const path = (name: string, port: number): Disk['paths'][number] => ({
    node: node(name, '', 'iqn.x:a'),
    port,
  });
  t.same(pathsOf({ wwid: '', paths: [path('a', 1), path('b', 2)] }), [
    { name: 'a', initiator: 'iqn.x:a', port: 1 },
    { name: 'b', initiator: 'iqn.x:a', port: 2 },
  ]);
  t.same(pathsOf({ wwid: '', paths: [path('a', 1), path('b', 1)] }), [
    { name: 'a' },
    { name: 'b' },
  ]);
});

t.test('a disk is claimed, shown and given back through the port', async (t) => {
  const one = await stage(t);
  const disk = await only(one);
  const self = { key: KEY, aptpl: true };
  const claimed = await drive(one.port, disk, self, claimPolicy, claimOf(undefined), 20_000);
  t.match(claimed.result, { is: 'owned' });
  const seen = await lookAt(one.port, disk);
  t.match(lineOf(disk, seen), {
    state: 'reserved',
    holder: KEY,
    keys: { [KEY]: 2 },
    paths: ['a1/sda1', 'a2/sda2'],
    wrong: [],
  });
  const text = showText(disk, seen);
  t.match(text, `reserved by   ${KEY} as write-exclusive-registrants`);
  t.match(text, `  * ${KEY}  port 1  ${nexusOf('a1').initiator}`);
  t.match(text, `a2 sda2  port 2: running, registered as ${KEY}`);
  t.match(listText([lineOf(disk, seen)]), `a1/sda1 a2/sda2  reserved  ${KEY}  1 key`);
  const given = await drive(one.port, disk, self, releasePolicy, releaseOf(), 20_000);
  t.match(given.result, { is: 'released' });
  t.equal(one.target.table.registrants.size, 0);
});

t.test('what looks wrong is said', async (t) => {
  const one = await stage(t, { aptpl: false });
  const disk = await only(one);
  const { registrants } = one.target.table;
  const put = (key: string, way: 'a1' | 'b1'): void => {
    const nexus = nexusOf(way);
    registrants.set(`${nexus.initiator}@${nexus.port}`, { key, ...nexus, allPorts: false });
  };
  put(KEY, 'a1');
  const wrong = async (): Promise<string> =>
    lineOf(disk, await lookAt(one.port, disk)).wrong.join('; ');
  t.match(await wrong(), /nothing is reserved: nothing is protected/u);
  put(STRANGER, 'b1');
  one.target.table.reservation = { holder: `${nexusOf('a1').initiator}@1`, type: 1 };
  const all = await wrong();
  t.match(all, /reserved as write-exclusive: nospof uses/u);
  t.match(all, /registered on one path of 2 only/u);
  t.match(all, /keys of strangers: 0badc0de0badc0de/u);
  t.match(all, /no APTPL/u);
});

t.test('a disk without reservations says so', async (t) => {
  const one = await stage(t, { reservations: false });
  const disk = await only(one);
  const seen = await lookAt(one.port, disk);
  t.match(
    showText(disk, seen),
    /cannot be read: unsupported \(illegal request 20\/00, unknown command\)/u,
  );
  t.equal(lineOf(disk, seen).state, 'unknown');
});

t.test('the command refuses in one line', async (t) => {
  const sys = sysfs(t);
  const empty = join(sys, 'devices');
  const nospof = (...argv: readonly string[]): { status: number | null; err: string } => {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'disk', ...argv], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { status, err: stderr };
  };
  const dev = ['--devfs', join(sys, 'block')];
  t.match(nospof('lst'), {
    status: 2,
    err: "nospof: disk does not know 'lst' (did you mean 'list'?)\n",
  });
  t.match(nospof('list', '--sysfs', empty), {
    status: 2,
    err: /^nospof: this kernel has no SCSI/u,
  });
  t.match(nospof('show'), { status: 2, err: /^nospof: show needs DEV/u });
  t.match(nospof('show', 'sdz', '--sysfs', sys, ...dev), {
    status: 2,
    err: /sdz is no SCSI disk/u,
  });
  t.match(nospof('show', 'sda', '--sysfs', sys, ...dev), {
    status: 1,
    err: /sda: unsent .*ENOENT/u,
  });
});
