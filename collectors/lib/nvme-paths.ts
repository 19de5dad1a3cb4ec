/**
 * NVMe's own multipath, which needs no device-mapper: a namespace is reached through the controllers of
 * one subsystem, each a path with its ANA state (drivers/nvme/host/multipath.c). A drive in a PCI slot
 * with one controller is not multipathed, whatever it could do, and is left to other collectors.
 */
import {
  type ComponentId,
  componentId,
  groupId,
  type Health,
  type Observation,
  type Reading,
} from '../../rules/model.ts';
import type { Read, Snapshot } from './collector.ts';
import { cardOf } from './device-path.ts';
import { decimal, defined, errno, unlisted, word } from './snapshot.ts';

export const NVME_READS: readonly Read[] = [
  {
    kind: 'file',
    root: 'sys',
    glob: 'class/nvme/nvme*/{state,transport,address,subsysnqn,cntlid,model}',
  },
  { kind: 'file', root: 'sys', glob: 'class/nvme/nvme*/nvme*c*n*/{ana_state,wwid,nsid}' },
];

interface Controller {
  readonly kernelName: string;
  readonly state: string | undefined;
  readonly transport: string | undefined;
  readonly place: string;
  readonly subsystem: string;
  readonly needs: readonly ComponentId[];
}

interface NvmePath {
  readonly controller: Controller;
  readonly kernelName: string;
  readonly namespace: string;
  readonly ana: string | undefined;
}

const CONTROLLER = /^sys\/class\/nvme\/(nvme\d+)\//u;
const PATH = /^sys\/class\/nvme\/(nvme\d+)\/(nvme\d+c\d+n\d+)\//u;
const ANA_USABLE: ReadonlySet<string> = new Set(['optimized', 'non-optimized']);
const STATES: Readonly<Record<string, Health>> = {
  live: 'ok',
  new: 'unknown',
  resetting: 'failed',
  connecting: 'failed',
  deleting: 'failed',
  'deleting (no IO)': 'failed',
  dead: 'failed',
};

/** One `key=value` of a fabrics address; the source port is left out, it changes at each connect. */
function part(address: string, key: string): string | undefined {
  const found = address.split(',').find((word) => word.startsWith(`${key}=`));
  return found?.slice(key.length + 1).trim();
}

/** Where a controller is reached: PCI address, or both ends of a fabric connection. */
function placeOf(transport: string, address: string): [string, readonly ComponentId[]] {
  if (transport === 'pcie') {
    const place = `pci-${address}`;
    return [place, [cardOf(address), componentId('controller', place)]];
  }
  const far = [part(address, 'traddr') ?? address, part(address, 'trsvcid')];
  const port = [transport, ...far.filter((word) => word !== undefined)].join('-');
  const near = part(address, 'host_traddr');
  const needs = [componentId('port', port)];
  if (near === undefined) return [port, needs];
  return [`${port}-from-${near}`, [...needs, componentId('controller', `${transport}-${near}`)]];
}

function controllerOf(snapshot: Snapshot, kernelName: string): Controller | undefined {
  const folder = `sys/class/nvme/${kernelName}`;
  const subsystem = word(snapshot, `${folder}/subsysnqn`);
  const transport = word(snapshot, `${folder}/transport`);
  const address = word(snapshot, `${folder}/address`);
  if (subsystem === undefined) return undefined;
  const known = transport !== undefined && address !== undefined;
  // The subsystem's own number for the controller lasts as long as its connection.
  const number = decimal(snapshot, `${folder}/cntlid`);
  const [place, needs] = known
    ? placeOf(transport, address)
    : [number === undefined ? kernelName : `controller-${number}`, []];
  return {
    kernelName,
    state: word(snapshot, `${folder}/state`),
    transport,
    place,
    subsystem,
    needs,
  };
}

function verdict(path: NvmePath): readonly [Health, string] {
  const { state } = path.controller;
  if (state === undefined) return ['unknown', 'the state of its controller could not be read'];
  const health = STATES[state] ?? 'unknown';
  if (health !== 'ok') return [health, `its controller is ${state.slice(0, 40)}`];
  if (path.ana === undefined || ANA_USABLE.has(path.ana)) return ['ok', ''];
  if (path.ana === 'persistent-loss') return ['failed', 'the array lost it for good (ANA)'];
  return ['failing', `the array does not serve it now (ANA ${path.ana.slice(0, 40)})`];
}

/** `NAME` of every controller, and of every path below it, in one pass over the keys. */
function listed(snapshot: Snapshot): [ReadonlySet<string>, ReadonlyMap<string, string>] {
  const controllers = new Set<string>();
  const paths = new Map<string, string>();
  for (const key of snapshot.keys()) {
    const name = CONTROLLER.exec(key)?.[1];
    if (name !== undefined) controllers.add(name);
    const [, parent, path] = PATH.exec(key) ?? [];
    if (parent !== undefined && path !== undefined) paths.set(path, parent);
  }
  return [controllers, paths];
}

function pathsOf(snapshot: Snapshot): readonly NvmePath[] {
  const [names, below] = listed(snapshot);
  const controllers = [...names]
    .map((name) => controllerOf(snapshot, name))
    .filter((controller) => controller !== undefined);
  const byName = new Map(controllers.map((controller) => [controller.kernelName, controller]));
  return [...below].flatMap(([kernelName, parent]): readonly NvmePath[] => {
    const controller = byName.get(parent);
    if (controller === undefined) return [];
    const peers = controllers.filter(({ subsystem }) => subsystem === controller.subsystem);
    if (peers.length < 2 && controller.transport === 'pcie') return [];
    const folder = `sys/class/nvme/${parent}/${kernelName}`;
    const wwid = word(snapshot, `${folder}/wwid`);
    const nsid = word(snapshot, `${folder}/nsid`) ?? /n(\d+)$/u.exec(kernelName)?.[1] ?? '';
    const namespace = wwid ?? `${controller.subsystem}-${nsid}`;
    const ana = word(snapshot, `${folder}/ana_state`);
    return [{ controller, kernelName, namespace, ana }];
  });
}

function readingOf(path: NvmePath, component: ComponentId): Reading {
  const [health, why] = verdict(path);
  return {
    component,
    kind: 'path',
    name: path.kernelName,
    health,
    ...(health === 'ok' ? {} : { why }),
    gauges: defined({
      optimized: path.ana === undefined ? undefined : path.ana === 'optimized' ? 1 : 0,
    }),
    facts: defined({
      map: path.namespace,
      transport: path.controller.transport,
      subsystem: path.controller.subsystem,
    }),
    needs: path.controller.needs,
  };
}

/** Paths of the namespaces that NVMe multipath joins. */
export function parseNvme(snapshot: Snapshot): Observation {
  const blind = unlisted(snapshot, 'sys/class/nvme');
  if (blind !== undefined) return { kind: 'blind', why: blind };
  const keys = [...snapshot.keys()].filter((key) => key.endsWith('/subsysnqn'));
  if (keys.length > 0 && keys.every((key) => errno(snapshot, key) === 'EACCES')) {
    return { kind: 'blind', why: 'the NVMe controllers in sysfs are not readable: EACCES' };
  }
  const groups = new Map<string, Map<ComponentId, Reading>>();
  for (const path of pathsOf(snapshot)) {
    const members = groups.get(path.namespace) ?? new Map<ComponentId, Reading>();
    groups.set(path.namespace, members);
    const component = componentId('path', path.namespace, path.controller.place);
    const id = members.has(component)
      ? componentId(
          'path',
          path.namespace,
          `${path.controller.place}-${path.controller.kernelName}`,
        )
      : component;
    members.set(id, readingOf(path, id));
  }
  if (groups.size === 0) return { kind: 'none', why: 'no NVMe namespace is multipathed' };
  return {
    kind: 'seen',
    readings: [...groups.values()].flatMap((members) => [...members.values()]),
    groups: [...groups].map(([namespace, members]) => ({
      group: groupId('paths', namespace),
      kind: 'paths',
      name: namespace,
      members: [...members.keys()],
    })),
    advice: [],
  };
}
