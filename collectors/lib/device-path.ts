/**
 * Where a block device hangs, from its sysfs folder: a name for it that survives reboots and reordering
 * (`pci-0000:00:1f.2-ata-1`, as udev's by-path links are formed), and what it hangs on: card, function,
 * expanders, target port. Kernel names (`sda`), host, session and rport numbers are handed out in order
 * of discovery, so none of them is ever part of the name. Decides nothing about health.
 */
import { type ComponentId, componentId } from '../../rules/model.ts';
import type { Read, Snapshot } from './collector.ts';
import { linkId } from './links.ts';
import { LOCAL_LINK_READS, localLink } from './local-link.ts';
import { word } from './snapshot.ts';

/** What `blockDevice` looks into beside the device's own link. */
export const TRANSPORT_READS: readonly Read[] = [
  { kind: 'file', root: 'sys', glob: 'block/dm-*/dm/{name,uuid}', still: true },
  { kind: 'file', root: 'sys', glob: 'block/nvme*/wwid', still: true },
  { kind: 'file', root: 'sys', glob: 'class/sas_device/*/sas_address', still: true },
  { kind: 'file', root: 'sys', glob: 'class/fc_remote_ports/*/port_name', still: true },
  { kind: 'file', root: 'sys', glob: 'class/iscsi_session/*/targetname', still: true },
  {
    kind: 'file',
    root: 'sys',
    glob: 'class/iscsi_connection/*/{persistent_address,persistent_port}',
    still: true,
  },
  ...LOCAL_LINK_READS,
];

export interface BlockDevice {
  /** Stable name of the device, the partition included. */
  readonly name: string;
  /** Stable name of the whole disk; the same as `name` when it is no partition. */
  readonly disk: string;
  /** Kernel's name now, for people only: `sda1`. */
  readonly kernelName: string;
  /** PCI function it hangs on: `0000:03:00.1`. */
  readonly pci: string | undefined;
  /** The controller where no PCI function is: `adapter0`, `0.0.1234`. Undefined for software ones. */
  readonly platform: string | undefined;
  /** SCSI host now (`host3`): for people, and to tell apart what nothing stable does. */
  readonly host: string | undefined;
  /** Far end of the cable: `fc-0x5006...`, `iscsi-10.0.0.1:3260-iqn...`. */
  readonly port: string | undefined;
  /** Network link that a software iSCSI path leaves by: `eth2`. */
  readonly link: string | undefined;
  /** SAS expanders between, by address. */
  readonly expanders: readonly string[];
  /** WWID when the device is a multipath map. */
  readonly map: string | undefined;
}

const PCI = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/u;
const SCSI_ADDRESS = /^\d+:(\d+):(\d+):(\d+)$/u;
const BELOW_CONTROLLER = /^(host\d+|ata\d+|virtio\d+|usb\d+|block|nvme|nvme-subsystem)$/u;
const PARTITION = /^p?(\d+)$/u;
const NOT_A_CONTROLLER: ReadonlySet<string> = new Set(['virtual', 'platform']);

function first(segments: readonly string[], pattern: RegExp): string | undefined {
  return segments.find((segment) => pattern.test(segment));
}

function sasAddress(snapshot: Snapshot, device: string): string | undefined {
  const address = word(snapshot, `sys/class/sas_device/${device}/sas_address`);
  return address === undefined || /^0x0*$/u.test(address) ? undefined : address;
}

function iscsiPort(snapshot: Snapshot, session: string): string | undefined {
  const name = word(snapshot, `sys/class/iscsi_session/${session}/targetname`);
  if (name === undefined) return undefined;
  const connection = `sys/class/iscsi_connection/connection${session.slice('session'.length)}:0`;
  const address = word(snapshot, `${connection}/persistent_address`);
  if (address === undefined) return `iscsi-${name}`;
  const port = word(snapshot, `${connection}/persistent_port`) ?? '3260';
  return `ip-${address}:${port}-iscsi-${name}`;
}

/** The far end of a SCSI path by its own world-wide name; undefined where the transport has none. */
function targetPort(snapshot: Snapshot, segments: readonly string[]): string | undefined {
  const remote = first(segments, /^rport-\d+:\d+-\d+$/u);
  if (remote !== undefined) {
    const name = word(snapshot, `sys/class/fc_remote_ports/${remote}/port_name`);
    return name === undefined ? undefined : `fc-${name}`;
  }
  const session = first(segments, /^session\d+$/u);
  if (session !== undefined) return iscsiPort(snapshot, session);
  const end = first(segments, /^end_device-\d+(:\d+)+$/u);
  if (end === undefined) return undefined;
  const address = sasAddress(snapshot, end);
  return address === undefined ? undefined : `sas-${address}`;
}

/** What tells the device apart below its controller. */
function unit(segments: readonly string[], port: string | undefined): string | undefined {
  const usb = first(segments, /^\d+-\d+(\.\d+)*:\d+\.\d+$/u);
  const ata = first(segments, /^ata\d+$/u);
  const [, channel = '0', target = '0', lun = '0'] =
    SCSI_ADDRESS.exec(first(segments, SCSI_ADDRESS) ?? '') ?? [];
  const scsi = `${channel}:${target}:${lun}`;
  if (port !== undefined) return `${port}-lun-${lun}`;
  if (ata !== undefined) return `ata-${ata.slice(3)}${scsi === '0:0:0' ? '' : `-scsi-${scsi}`}`;
  if (usb !== undefined) return `usb-${usb}-scsi-${scsi}`;
  if (first(segments, SCSI_ADDRESS) !== undefined) return `scsi-${scsi}`;
  const namespace = /^nvme\d+(?:c\d+)?n(\d+)$/u.exec(segments.at(-1) ?? '');
  return namespace === null ? undefined : `nvme-${namespace[1]}`;
}

/** Name of a device without hardware of its own: of what stands above it, else the kernel's own. */
function virtualName(snapshot: Snapshot, kernelName: string): string {
  const wwid = word(snapshot, `sys/block/${kernelName}/wwid`);
  if (wwid !== undefined) return `nvme-${wwid}`;
  const folder = `sys/block/${kernelName}/dm`;
  const label = word(snapshot, `${folder}/uuid`) ?? word(snapshot, `${folder}/name`);
  return label === undefined ? kernelName : `dm-${label}`;
}

function controllerOf(segments: readonly string[]): string | undefined {
  const end = segments.findIndex((segment) => BELOW_CONTROLLER.test(segment));
  const controller = segments[end < 0 ? segments.length - 2 : end - 1];
  return controller === undefined || NOT_A_CONTROLLER.has(controller) ? undefined : controller;
}

/** The disk's segments and its partition number, from the segments of a disk or of a partition. */
function split(segments: readonly string[]): [readonly string[], string | undefined] {
  const last = segments.at(-1) ?? '';
  const parent = segments.at(-2) ?? '';
  const tail = parent !== '' && last.startsWith(parent) ? last.slice(parent.length) : '';
  const number = PARTITION.exec(tail)?.[1];
  return number === undefined ? [segments, undefined] : [segments.slice(0, -1), number];
}

/**
 * The block device at a folder `sys/devices/...` as a link in `sys/block` points to it; undefined for
 * a text that is no such folder.
 */
export function blockDevice(
  snapshot: Snapshot,
  devpath: string | undefined,
): BlockDevice | undefined {
  const all = devpath?.split('/') ?? [];
  const start = all.indexOf('devices');
  if (start < 0 || all.length - start < 3) return undefined;
  const [segments, partition] = split(all.slice(start + 1));
  const diskName = segments.at(-1) ?? '';
  const pci = segments.findLast((segment) => PCI.test(segment));
  const host = first(segments, /^host\d+$/u);
  const port = targetPort(snapshot, segments);
  const below = unit(segments, port);
  const platform = pci === undefined ? controllerOf(segments) : undefined;
  const base = pci === undefined ? platform : `pci-${pci}`;
  const parts = [base, below].filter((part) => part !== undefined);
  const virtual = segments[0] === 'virtual';
  const disk = virtual || parts.length === 0 ? virtualName(snapshot, diskName) : parts.join('-');
  const uuid = virtual ? word(snapshot, `sys/block/${diskName}/dm/uuid`) : undefined;
  return {
    name: partition === undefined ? disk : `${disk}-part${partition}`,
    disk,
    kernelName: all.at(-1) ?? '',
    pci,
    platform,
    host,
    port,
    link: pci === undefined ? localLink(snapshot, host) : undefined,
    expanders: segments
      .filter((segment) => /^expander-\d+(:\d+)+$/u.test(segment))
      .map((expander) => sasAddress(snapshot, expander))
      .filter((address) => address !== undefined),
    map: uuid?.startsWith('mpath-') ? uuid.slice('mpath-'.length) : undefined,
  };
}

/** The card at a PCI address, as `0000:03:00`: all functions of one slot share its fate. */
export function cardOf(pci: string): ComponentId {
  return componentId('card', pci.replace(/\.[0-7]$/u, ''));
}

/** What a path to storage needs: card, function, link, expanders, target port. Only what is known is named. */
export function pathNeeds(device: BlockDevice | undefined): readonly ComponentId[] {
  if (device === undefined) return [];
  const needs: ComponentId[] = [];
  if (device.pci !== undefined) {
    needs.push(cardOf(device.pci));
    needs.push(componentId('controller', `pci-${device.pci}`));
  } else if (device.platform !== undefined) {
    needs.push(componentId('controller', device.platform));
  }
  for (const expander of device.expanders) needs.push(componentId('expander', `sas-${expander}`));
  if (device.link !== undefined) needs.push(linkId(device.link));
  if (device.port !== undefined) needs.push(componentId('port', device.port));
  return needs;
}
