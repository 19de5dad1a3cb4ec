/**
 * Disks reached on several paths: two host adapters that see the same disk of this machine (`luns`), or
 * an iSCSI target on another machine reached over several networks (`portals`). The daemon is Debian's.
 */
import { backFile } from './disks.ts';
import { modprobe, type Node, type Part, type Plan, run, until } from './part.ts';

const WAIT_MS = 60_000;
const ADAPTERS = [0, 1];
const WWN_FIRST = 0x5000c500a0000000n;

function disks(plan: Plan): readonly string[] {
  return plan.spec.luns.flatMap((lun, index) => {
    const file = backFile(plan, lun);
    const wwn = `0x${(WWN_FIRST + BigInt(index)).toString(16)}`;
    return ADAPTERS.flatMap((adapter) => [
      '-blockdev',
      `driver=file,node-name=file-${lun}${adapter},filename=${file},locking=off`,
      '-device',
      `scsi-hd,id=${lun}${adapter},bus=hba${adapter}.0,drive=file-${lun}${adapter},serial=${lun},wwn=${wwn},share-rw=on`,
    ]);
  });
}

/** Kernel names of the disks that are paths: those below a map. A disk that serves a mirror is none. */
async function pathNames(node: Node): Promise<readonly string[]> {
  const list = async (path: string): Promise<readonly string[]> =>
    (await node.vm.guest.ask({ op: 'list', path })).names ?? [];
  const maps = (await list('/sys/block')).filter((name) => name.startsWith('dm-'));
  const paths = await Promise.all(maps.map((map) => list(`/sys/block/${map}/slaves`)));
  return [...new Set(paths.flat())].sort();
}

function settings(spec: Plan['spec']): string {
  const retry = spec.queueing ? 'queue' : 'fail';
  return [
    'defaults {',
    '  find_multipaths no',
    '  user_friendly_names yes',
    '  polling_interval 2',
    '  max_polling_interval 2',
    '  path_grouping_policy multibus',
    '  path_checker tur',
    `  no_path_retry ${retry}`,
    '}',
    '',
  ].join('\n');
}

async function login(node: Node): Promise<void> {
  const { guest } = node.vm;
  await modprobe(node, 'iscsi_tcp');
  await run(node, 'mkdir', '-p', '/etc/iscsi', '/run/lock/iscsi');
  await guest.write(
    '/etc/iscsi/initiatorname.iscsi',
    `InitiatorName=iqn.2026-01.lab:${node.name}\n`,
  );
  await guest.write(
    '/etc/iscsi/iscsid.conf',
    [
      'node.startup = manual',
      'node.session.timeo.replacement_timeout = 5',
      'node.conn[0].timeo.noop_out_interval = 1',
      'node.conn[0].timeo.noop_out_timeout = 2',
      'node.conn[0].timeo.login_timeout = 15',
      'node.session.initial_login_retry_max = 8',
      '',
    ].join('\n'),
  );
  await run(node, 'iscsid');
  for (const portal of node.spec.portals) {
    await run(node, 'iscsiadm', '-m', 'discovery', '-t', 'sendtargets', '-p', portal);
    await run(node, 'iscsiadm', '-m', 'node', '-p', portal, '--login');
  }
}

async function settle(node: Node): Promise<void> {
  const { spec, vm } = node;
  await vm.guest.write('/etc/multipath.conf', settings(spec));
  await modprobe(node, 'sd_mod', 'dm_multipath');
  if (spec.portals.length > 0) await login(node);
  else await modprobe(node, 'virtio_scsi');
  await run(node, 'udevadm', 'settle');
  await run(node, 'multipathd');
  const wanted = ADAPTERS.length * spec.luns.length + spec.portals.length;
  await until('all paths', WAIT_MS, async () => {
    const [ended] = await vm.guest.runAll([
      { argv: ['multipathd', 'show', 'paths', 'raw', 'format', '%t'] },
    ]);
    return (ended?.out.match(/\bactive\b/gu) ?? []).length === wanted;
  });
}

async function setState(node: Node, text: string | undefined, state: string): Promise<number> {
  const name = (await pathNames(node))[Number(text) - 1];
  if (name === undefined) throw new Error(`there are ${(await pathNames(node)).length} paths`);
  return (await node.vm.guest.write(`/sys/block/${name}/device/state`, `${state}\n`)).at;
}

async function setAll(node: Node, state: string): Promise<number | undefined> {
  let at: number | undefined;
  for (const name of await pathNames(node)) {
    at = (await node.vm.guest.write(`/sys/block/${name}/device/state`, `${state}\n`)).at;
  }
  return at;
}

async function flap(node: Node, path: string | undefined, times: number): Promise<undefined> {
  for (let count = 0; count < times; count += 1) {
    for (const state of ['offline', 'running']) {
      await setState(node, path, state);
      await new Promise((resolve) => setTimeout(resolve, 4_000));
    }
  }
  return undefined;
}

export const part: Part = {
  name: 'multipath',
  has: (spec) => spec.luns.length > 0 || spec.portals.length > 0,
  build: async (plan) =>
    plan.spec.luns.length === 0
      ? []
      : [
          ...ADAPTERS.flatMap((adapter) => ['-device', `virtio-scsi-pci,id=hba${adapter}`]),
          ...disks(plan),
        ],
  settle,
  verbs: [
    {
      form: 'path cut N',
      about: 'path N is cut: its disk answers nothing there',
      act: (node, [n]) => setState(node, n, 'offline'),
    },
    {
      form: 'path return N',
      about: 'path N returns',
      act: (node, [n]) => setState(node, n, 'running'),
    },
    {
      form: 'path flap N TIMES',
      about: 'path N is cut and returns several times',
      act: (node, [n, times]) => flap(node, n, Number(times)),
    },
    {
      form: 'map read',
      about: 'a program reads a few blocks of the first map, by each path',
      act: async (node) => {
        const from = ['if=/dev/mapper/mpatha', 'iflag=direct', 'bs=4k', 'count=4'];
        await node.vm.guest.runAll([{ argv: ['dd', 'of=/dev/null', ...from] }]);
        return undefined;
      },
    },
    { form: 'paths cut', about: 'all paths are cut', act: (node) => setAll(node, 'offline') },
    { form: 'paths return', about: 'all paths return', act: (node) => setAll(node, 'running') },
    {
      form: 'multipathd stop',
      about: 'the daemon is stopped',
      act: async (node) => {
        await run(node, 'multipathd', 'shutdown');
        return undefined;
      },
    },
    {
      form: 'multipathd start',
      about: 'the daemon is started',
      act: async (node) => {
        await run(node, 'multipathd');
        return undefined;
      },
    },
  ],
};
