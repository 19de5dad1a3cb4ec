/**
 * What sysfs knows of multipath maps and of the devices that are their paths. Gives both sources of the
 * collector the same identities: a map is its WWID, a path is where it hangs. Kernel numbers (`8:16`,
 * `sdb`) only find the files and are never part of an identity that lasts.
 */
import { type ComponentId, componentId } from '../../rules/model.ts';
import type { Read, Snapshot } from './collector.ts';
import { type BlockDevice, blockDevice, pathNeeds, TRANSPORT_READS } from './device-path.ts';
import { target, word } from './snapshot.ts';

/** Files that `mapDevices` and `pathDevices` look into. */
export const DEVICE_READS: readonly Read[] = [
  { kind: 'file', root: 'sys', glob: 'block/{dm-*,sd*,nvme*,dasd*,vd*}/dev', still: true },
  { kind: 'link', root: 'sys', glob: 'block/{sd*,nvme*,dasd*,vd*}', still: true },
  ...TRANSPORT_READS,
];

export interface MapDevice {
  /** WWID, or the map's name where it was made by hand and has none. */
  readonly key: string;
  readonly kernelName: string | undefined;
}

export interface PathDevice {
  readonly component: ComponentId;
  readonly kernelName: string | undefined;
  readonly host: string | undefined;
  readonly needs: readonly ComponentId[];
  /** Nothing in sysfs tells where it hangs: its identity lasts no longer than its number. */
  readonly placeless: boolean;
}

const DEV = /^sys\/block\/([^/]+)\/dev$/u;
const MPATH = 'mpath-';

/** Kernel names by device number. */
export function kernelNames(snapshot: Snapshot): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const key of snapshot.keys()) {
    const name = DEV.exec(key)?.[1];
    const number = name === undefined ? undefined : word(snapshot, key);
    if (name !== undefined && number !== undefined) found.set(number, name);
  }
  return found;
}

/** The map with this device number and name. Minor numbers are in the names of dm devices. */
export function mapDevice(
  snapshot: Snapshot,
  kernel: ReadonlyMap<string, string>,
  number: string,
  name: string,
): MapDevice {
  const kernelName = kernel.get(number) ?? `dm-${number.split(':')[1] ?? ''}`;
  const uuid = word(snapshot, `sys/block/${kernelName}/dm/uuid`);
  const key = uuid?.startsWith(MPATH) === true ? uuid.slice(MPATH.length) : name;
  return { key, kernelName };
}

/** WWIDs of the maps that sysfs lists, and the dm devices of which it does not say what they are. */
export function listedMaps(snapshot: Snapshot): {
  readonly maps: readonly string[];
  readonly unnamed: readonly string[];
} {
  const maps: string[] = [];
  const unnamed: string[] = [];
  for (const key of snapshot.keys()) {
    const name = /^sys\/block\/(dm-\d+)\/dm\/uuid$/u.exec(key)?.[1];
    if (name === undefined) continue;
    const uuid = word(snapshot, key);
    if (uuid === undefined) unnamed.push(name);
    else if (uuid.startsWith(MPATH)) maps.push(uuid.slice(MPATH.length));
  }
  return { maps, unnamed };
}

function placed(device: BlockDevice, shared: boolean): string {
  // Nothing stable tells two such paths apart; the SCSI host at least does so until the next reboot.
  return shared && device.host !== undefined ? `${device.name}-${device.host}` : device.name;
}

/** The paths of a map by their device numbers, in the order given. */
export function pathDevices(
  snapshot: Snapshot,
  kernel: ReadonlyMap<string, string>,
  mapKey: string,
  numbers: readonly string[],
): ReadonlyMap<string, PathDevice> {
  const devices = numbers.map((number) => {
    const name = kernel.get(number);
    const link = name === undefined ? undefined : target(snapshot, `sys/block/${name}`);
    return [number, name, blockDevice(snapshot, link)] as const;
  });
  const names = devices.map(([, , device]) => device?.name);
  const paths = new Map<string, PathDevice>();
  for (const [number, kernelName, device] of devices) {
    const shared = names.filter((name) => name === device?.name).length > 1;
    const place = device === undefined ? `dev-${number}` : placed(device, shared);
    paths.set(number, {
      component: componentId('path', mapKey, place),
      kernelName,
      host: device?.host,
      needs: pathNeeds(device),
      placeless: device === undefined,
    });
  }
  return paths;
}
