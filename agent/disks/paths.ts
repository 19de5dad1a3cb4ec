/**
 * Finds the paths to disks: the sg nodes of the kernel, each with the block device and the initiator port it
 * stands for. It reads sysfs only; what disk is behind a path, the disk itself is asked.
 */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Roots } from '../../rules/config.ts';

export interface SgNode {
  /** `sg3`. */
  readonly name: string;
  readonly device: string;
  /** `sdb`; undefined where no block device is bound. */
  readonly block: string | undefined;
  /** Host, channel, target and LUN: `2:0:0:1`. */
  readonly address: string;
  readonly model: string;
  /** What the kernel says of the device: `running`, `offline`, ... */
  readonly state: string;
  /** The initiator port as READ FULL STATUS names it, for iSCSI without the ISID. */
  readonly initiator: string | undefined;
}

const TYPE_DISK = '0';

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function names(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** The initiator port of a SCSI host, by what its transport tells in sysfs. */
function initiatorOf(sys: string, device: string): string | undefined {
  const host = /\/(host\d+)\//u.exec(`${device}/`)?.[1];
  const session = /\/(session\d+)\//u.exec(`${device}/`)?.[1];
  if (session !== undefined) {
    return text(join(sys, 'class/iscsi_session', session, 'initiatorname'))?.toLowerCase();
  }
  if (host === undefined) return undefined;
  const hex = (value: string | undefined): string | undefined =>
    /^0x([0-9a-f]{16})$/iu.exec(value ?? '')?.[1]?.toLowerCase();
  const fc = hex(text(join(sys, 'class/fc_host', host, 'port_name')));
  if (fc !== undefined) return `fc.${fc}`;
  const sas = hex(text(join(sys, 'class/scsi_host', host, 'host_sas_address')));
  return sas === undefined ? undefined : `sas.${sas}`;
}

function nodeOf({ sys, dev }: Roots, name: string): SgNode | undefined {
  let device: string;
  try {
    device = realpathSync(join(sys, 'class/scsi_generic', name, 'device'));
  } catch {
    return undefined;
  }
  if (text(join(device, 'type')) !== TYPE_DISK) return undefined;
  const model = [text(join(device, 'vendor')), text(join(device, 'model'))];
  return {
    name,
    device: join(dev, name),
    block: names(join(device, 'block'))[0],
    address: basename(device),
    model: model.filter((part) => part !== undefined && part !== '').join(' '),
    state: text(join(device, 'state')) ?? 'unknown',
    initiator: initiatorOf(sys, device),
  };
}

/** Every path to a disk that the kernel has, in the order of their numbers. */
export function findSgNodes(roots: Roots): readonly SgNode[] {
  return names(join(roots.sys, 'class/scsi_generic'))
    .toSorted((a, b) => Number(a.slice(2)) - Number(b.slice(2)))
    .flatMap((name) => nodeOf(roots, name) ?? []);
}

/** Whether the kernel has the sg driver at all. */
export function hasSg(roots: Roots): boolean {
  return names(join(roots.sys, 'class')).includes('scsi_generic');
}

/** Block devices below one that maps them: the paths of a multipath map. */
export function blocksBelow(roots: Roots, block: string, depth = 4): readonly string[] {
  const slaves = names(join(roots.sys, 'block', block, 'slaves'));
  if (slaves.length === 0 || depth === 0) return [block];
  return slaves.flatMap((slave) => blocksBelow(roots, slave, depth - 1));
}

/** What maps or uses a block device: names of the devices on top. */
export function holdersOf(roots: Roots, block: string): readonly string[] {
  return names(join(roots.sys, 'block', block, 'holders'));
}

/**
 * The sg nodes an operator means by a device: an sg or sd node, a multipath map, or any name that leads to
 * one of them.
 */
export function nodesOf(
  roots: Roots,
  nodes: readonly SgNode[],
  operand: string,
): readonly SgNode[] {
  let name = basename(operand);
  try {
    name = basename(realpathSync(operand));
  } catch {
    // Not a file: perhaps the bare name of a device.
  }
  const direct = nodes.filter((node) => node.name === name);
  if (direct.length > 0) return direct;
  const blocks = new Set(blocksBelow(roots, name));
  return nodes.filter(({ block }) => block !== undefined && blocks.has(block));
}

/** The disk a partition belongs to, so that it can be named in an error. */
export function wholeDiskOf(roots: Roots, operand: string): string | undefined {
  try {
    const name = basename(realpathSync(operand));
    const link = readlinkSync(join(roots.sys, 'class/block', name));
    const parent = basename(join(link, '..'));
    return names(join(roots.sys, 'block')).includes(parent) ? parent : undefined;
  } catch {
    return undefined;
  }
}
