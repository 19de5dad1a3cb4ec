/** What is done to the target of the lab beyond serving it: power loss, another target program. */
import { type Node, run, until } from '../parts/part.ts';

const CORE = '/sys/kernel/config/target/core/iblock_0/d0';
const GROUP = '/sys/kernel/config/target/iscsi/iqn.2026-01.lab:store/tpgt_1';
const SERIAL = 'lab-store-0';
const TGT_FILE = '/run/lab/tgt.disk';
const TGT_PORT = 3261;
const DISK = '/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_a';
const TGT_IQN = 'iqn.2026-01.lab:tgt';

/** Where LIO keeps registrations: below the first of its folders that was there when it was loaded. */
async function stateFolderOf(node: Node): Promise<string> {
  return `${(await node.vm.guest.read('/sys/kernel/config/target/dbroot')).trim()}/pr`;
}

/** The registrations that LIO keeps in a file, each as one line of its configfs attribute. */
function keptLines(text: string): readonly string[] {
  return text
    .split(/^PR_REG_START:.*$/mu)
    .slice(1)
    .map((part) =>
      (part.split(/^PR_REG_END:/mu)[0] ?? '')
        .split('\n')
        .map((line) => line.trim())
        .filter(Boolean)
        .join(','),
    );
}

/**
 * The array loses its power and comes back: its device is taken away with everything it knew, and made
 * anew from what it kept in its file, as the tools of LIO do at boot.
 */
export async function losePower(node: Node): Promise<void> {
  const { guest } = node.vm;
  const file = `${await stateFolderOf(node)}/aptpl_${SERIAL}`;
  const [kept] = await guest.runAll([{ argv: ['cat', file] }]);
  const text = kept?.status === 0 ? kept.out : '';
  await run(node, 'rm', `${GROUP}/lun/lun_0/d0`);
  await run(node, 'rmdir', `${GROUP}/lun/lun_0`);
  await run(node, 'rmdir', CORE);
  await run(node, 'mkdir', '-p', CORE);
  await guest.write(`${CORE}/control`, `udev_path=${DISK}`);
  await guest.write(`${CORE}/enable`, '1');
  await guest.write(`${CORE}/wwn/vpd_unit_serial`, SERIAL);
  for (const line of keptLines(text)) await guest.write(`${CORE}/pr/res_aptpl_metadata`, line);
  await run(node, 'mkdir', '-p', `${GROUP}/lun/lun_0`);
  await run(node, 'ln', '-s', CORE, `${GROUP}/lun/lun_0/d0`);
}

/** Takes LIO's state folder away, or gives it back. */
export async function stateFolder(node: Node, there: boolean): Promise<void> {
  const folder = await stateFolderOf(node);
  const away = `${folder}.away`;
  await run(node, 'mv', ...(there ? ([away, folder] as const) : ([folder, away] as const)));
}

/** The target program in user space, beside LIO on another port, with a disk of its own in memory. */
export async function startTgt(node: Node): Promise<void> {
  const { guest } = node.vm;
  await run(node, 'truncate', '--size', '16M', TGT_FILE);
  const portals = ['10.0.1.1', '10.0.2.1'].map((one) => `portal=${one}:${TGT_PORT}`).join(',');
  const argv = ['tgtd', '--foreground', '--iscsi', portals] as const;
  await guest.ask({ op: 'start', argv, log: '/run/lab/tgtd.log' });
  const admin = (...args: readonly string[]): readonly [string, ...string[]] => [
    'tgtadm',
    ...['--lld', 'iscsi', '--tid', '1'],
    ...args,
  ];
  await until('tgtd', 20_000, async () => {
    const argvNew = admin('--op', 'new', '--mode', 'target', '--targetname', TGT_IQN);
    const [ended] = await guest.runAll([{ argv: argvNew }]);
    return ended?.status === 0;
  });
  await guest.run(
    admin('--op', 'new', '--mode', 'logicalunit', '--lun', '1', '--backing-store', TGT_FILE),
    admin('--op', 'bind', '--mode', 'target', '--initiator-address', 'ALL'),
  );
}

/** A node logs in to it over both networks. */
export async function loginTgt(node: Node): Promise<void> {
  for (const address of ['10.0.1.1', '10.0.2.1']) {
    const portal = `${address}:${TGT_PORT}`;
    await run(node, 'iscsiadm', '-m', 'discovery', '-t', 'sendtargets', '-p', portal);
    await run(node, 'iscsiadm', '-m', 'node', '-T', TGT_IQN, '-p', portal, '--login');
  }
  await run(node, 'udevadm', 'settle');
}
