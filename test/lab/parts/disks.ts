/** SCSI disks that can be pulled from the running machine, and RAID-1 arrays over them. */
import { truncateSync, writeFileSync } from 'node:fs';
import { modprobe, type Node, type Part, type Plan, run, until } from './part.ts';

const DISK_BYTES = 64 << 20;
const WAIT_MS = 30_000;

function device(disk: string): Readonly<Record<string, unknown>> {
  return { driver: 'scsi-hd', id: disk, drive: `file-${disk}`, serial: disk, bus: 'disks.0' };
}

export function backFile({ name, run: folder, boots }: Plan, disk: string): string {
  const path = folder.file(`${name}.${disk}.disk`);
  if (boots > 0) return path;
  writeFileSync(path, '');
  truncateSync(path, DISK_BYTES);
  return path;
}

/** Its node in the machine, by the name udev gives it. */
export function diskPath(disk: string): string {
  return `/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_${disk}`;
}

async function exists(node: Node, path: string): Promise<boolean> {
  const [ended] = await node.vm.guest.runAll([{ argv: ['test', '-e', path] }]);
  return ended?.status === 0;
}

async function pull(node: Node, disk: string): Promise<undefined> {
  const { qmp } = node.vm;
  const gone = qmp.event(
    'DEVICE_DELETED',
    (data) => (data as { device?: string }).device === disk,
    WAIT_MS,
  );
  await qmp.execute('device_del', { id: disk });
  await gone;
  return undefined;
}

async function putBack(node: Node, disk: string): Promise<undefined> {
  await node.vm.qmp.execute('device_add', device(disk));
  await until(`disk ${disk}`, WAIT_MS, () => exists(node, diskPath(disk)));
  return undefined;
}

async function kernelName(node: Node, disk: string): Promise<string> {
  return (await run(node, 'readlink', '-f', diskPath(disk))).trim();
}

async function manage(node: Node, array: string, verb: string, disk: string): Promise<undefined> {
  await run(node, 'mdadm', '--manage', `/dev/${array}`, verb, await kernelName(node, disk));
  return undefined;
}

async function settle(node: Node): Promise<void> {
  const { spec, vm } = node;
  await modprobe(node, 'virtio_scsi', 'sd_mod');
  for (const disk of spec.disks) {
    await until(`disk ${disk}`, WAIT_MS, () => exists(node, diskPath(disk)));
  }
  for (const [array, disks] of Object.entries(spec.mirrors)) {
    await modprobe(node, 'raid1');
    if (node.boots > 0) {
      await vm.guest.run(['mdadm', '--assemble', `/dev/${array}`, ...disks.map(diskPath)]);
      continue;
    }
    const spares = disks.length > 2 ? [`--spare-devices=${disks.length - 2}`] : [];
    await vm.guest.run([
      'mdadm',
      ...['--create', `/dev/${array}`, '--run', '--metadata=1.2', '--level=1', '--raid-devices=2'],
      ...['--assume-clean', `--name=${array}`, '--homehost=lab', ...spares],
      ...disks.map(diskPath),
    ]);
  }
}

async function speed(node: Node, kib: number): Promise<undefined> {
  for (const end of ['min', 'max']) {
    await node.vm.guest.write(`/proc/sys/dev/raid/speed_limit_${end}`, String(kib));
  }
  return undefined;
}

export const part: Part = {
  name: 'disks',
  has: (spec) => spec.disks.length > 0,
  build: async (plan) => [
    '-device',
    'virtio-scsi-pci,id=disks',
    ...plan.spec.disks.flatMap((disk) => [
      '-blockdev',
      `driver=file,node-name=file-${disk},filename=${backFile(plan, disk)}`,
      '-device',
      JSON.stringify(device(disk)),
    ]),
  ],
  settle,
  verbs: [
    {
      form: 'disk pull DISK',
      about: 'a disk is pulled',
      act: (node, [disk = '']) => pull(node, disk),
    },
    {
      form: 'disk return DISK',
      about: 'it is put back',
      act: (node, [disk = '']) => putBack(node, disk),
    },
    {
      form: 'mirror fail ARRAY DISK',
      about: 'md takes a leg for failed',
      act: (node, [array = '', disk = '']) => manage(node, array, '--fail', disk),
    },
    {
      form: 'mirror remove ARRAY DISK',
      about: 'a failed leg is taken out of its array',
      act: (node, [array = '', disk = '']) => manage(node, array, '--remove', disk),
    },
    {
      form: 'mirror add ARRAY DISK',
      about: 'a disk is given to an array, which rebuilds',
      act: (node, [array = '', disk = '']) => manage(node, array, '--add', disk),
    },
    {
      form: 'mirror speed KIB',
      about: 'arrays rebuild no faster than this, in KiB a second',
      act: (node, [kib]) => speed(node, Number(kib)),
    },
  ],
};
