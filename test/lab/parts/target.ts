/**
 * An iSCSI target: the kernel's own (LIO) with its first disk as LUN 0, on every address of the machine.
 * It is the storage array of the lab.
 *
 * Layout of configfs: Documentation/target/ and drivers/target/iscsi/iscsi_target_configfs.c.
 */
import { diskPath } from './disks.ts';
import { modprobe, type Node, type Part, run } from './part.ts';

const IQN = 'iqn.2026-01.lab:store';
const CONFIG = '/sys/kernel/config';
const CORE = `${CONFIG}/target/core/iblock_0/d0`;
const GROUP = `${CONFIG}/target/iscsi/${IQN}/tpgt_1`;
const ATTRIBUTES = {
  generate_node_acls: '1',
  demo_mode_write_protect: '0',
  authentication: '0',
  cache_dynamic_acls: '1',
};

async function settle(node: Node): Promise<void> {
  const { guest } = node.vm;
  const [disk] = node.spec.disks;
  if (disk === undefined) throw new Error('a target needs a disk');
  await run(node, 'mkdir', '-p', '/etc/target/pr', '/var/target/pr');
  await modprobe(node, 'configfs', 'target_core_mod', 'target_core_iblock', 'iscsi_target_mod');
  const mounts = await guest.read('/proc/mounts');
  if (!mounts.includes(` ${CONFIG} `))
    await run(node, 'mount', '-t', 'configfs', 'configfs', CONFIG);
  await run(node, 'mkdir', '-p', CORE);
  await guest.write(`${CORE}/control`, `udev_path=${diskPath(disk)}`);
  await guest.write(`${CORE}/enable`, '1');
  await guest.write(`${CORE}/wwn/vpd_unit_serial`, 'lab-store-0');
  await run(node, 'mkdir', '-p', `${CONFIG}/target/iscsi`);
  await run(node, 'mkdir', '-p', `${GROUP}/lun/lun_0`);
  await run(node, 'ln', '-s', CORE, `${GROUP}/lun/lun_0/d0`);
  for (const [name, value] of Object.entries(ATTRIBUTES)) {
    await guest.write(`${GROUP}/attrib/${name}`, value);
  }
  for (const address of Object.values(node.spec.addresses)) {
    await run(node, 'mkdir', `${GROUP}/np/${address.split('/')[0]}:3260`);
  }
  await guest.write(`${GROUP}/enable`, '1');
}

export const part: Part = { name: 'target', has: ({ target }) => target, settle, verbs: [] };
