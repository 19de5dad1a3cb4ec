/**
 * PCI Express cards: errors their functions reported (AER), and the width of their link. A card is
 * all functions of one device (`card/0000:03:00`), as links and paths name it in their needs.
 *
 * Width is judged against the narrower of the card and the port above it, because a wide card in a
 * narrow slot is as it should be; where the port is not known it is only shown. Ports are never judged
 * by width: an empty slot has none. Speed is a gauge: many devices lower it to save power. Virtual
 * functions have no link of their own and are left out. Sources: ABI/testing/sysfs-bus-pci,
 * sysfs-bus-pci-devices-aer, drivers/pci/pci-sysfs.c.
 */
import { componentId, type Observation, type Reading } from '../../rules/model.ts';
import { devices, nothing, unreadWhy } from './class-devices.ts';
import type { Snapshot, Source } from './collector.ts';
import { decimal, defined, target, word } from './snapshot.ts';

const FOLDER = 'bus/pci/devices';
/** `domain:bus:device.function`; domains behind a VMD or Hyper-V bridge have more than four digits. */
const ADDRESS = /^([0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2})\.[0-7]$/u;
/** Widths of the PCI Express specification; 0 is no link, 63 and 255 what a sleeping device reads as. */
const WIDTHS: ReadonlySet<number> = new Set([1, 2, 4, 8, 12, 16, 32]);
const SPEED = /^(\d+(?:\.\d+)?) GT\/s/u;
const CLASSES: Readonly<Record<string, string>> = {
  '0x01': 'storage',
  '0x02': 'network',
  '0x03': 'display',
  '0x06': 'bridge',
  '0x12': 'accelerator',
};
const BRIDGE = '0x0604';

function width(device: Snapshot | undefined, attribute: string): number | undefined {
  const value = device === undefined ? undefined : decimal(device, attribute);
  return value !== undefined && WIDTHS.has(value) ? value : undefined;
}

/** Transfers per second of `16.0 GT/s PCIe`; undefined for `Unknown speed`. */
function speed(device: Snapshot, attribute: string): number | undefined {
  const match = SPEED.exec(word(device, attribute) ?? '');
  return match === null ? undefined : Number(match[1]) * 1e9;
}

/** The total line of an AER file (`TOTAL_ERR_FATAL 2`). */
function errors(device: Snapshot, attribute: string): number | undefined {
  const match = /^TOTAL_ERR_\w+ (\d{1,15})$/mu.exec(word(device, attribute) ?? '');
  return match === null ? undefined : Number(match[1]);
}

interface Func {
  readonly address: string;
  readonly device: Snapshot;
  readonly isBridge: boolean;
  readonly width: number | undefined;
  readonly maxWidth: number | undefined;
  /** The width that both ends of the link can do; undefined when the far end is not known. */
  readonly possible: number | undefined;
}

/** The port above a function: the folder that holds it in the device tree. */
function portAbove(device: Snapshot, all: ReadonlyMap<string, Snapshot>): Snapshot | undefined {
  return all.get(target(device, '')?.split('/').at(-2) ?? '');
}

function toFunc(address: string, device: Snapshot, all: ReadonlyMap<string, Snapshot>): Func {
  const maxWidth = width(device, 'max_link_width');
  const portWidth = width(portAbove(device, all), 'max_link_width');
  return {
    address,
    device,
    // Where its class could not be read it may be a port: not judged by width.
    isBridge: word(device, 'class')?.startsWith(BRIDGE) ?? true,
    width: width(device, 'current_link_width'),
    maxWidth,
    possible:
      maxWidth === undefined || portWidth === undefined ? undefined : Math.min(maxWidth, portWidth),
  };
}

type Verdict = Pick<Reading, 'health' | 'why'>;

/** What keeps a function's fatal errors or link from being known; undefined when both are. */
function doubt({ address, device, isBridge, width: lanes, maxWidth }: Func): string | undefined {
  if (device.has('aer_dev_fatal') && errors(device, 'aer_dev_fatal') === undefined) {
    return `${address} ${unreadWhy(device, 'aer_dev_fatal')}`;
  }
  if (isBridge || lanes !== undefined) return undefined;
  for (const attribute of ['max_link_width', 'current_link_width']) {
    if (device.has(attribute) && decimal(device, attribute) === undefined) {
      return `${address} ${unreadWhy(device, attribute)}`;
    }
  }
  // No width at all is a device without a link; no current one is a link that is down.
  if (maxWidth === undefined) return undefined;
  return `${address} reports no link width: asleep, or not answering`;
}

/** Verdict on one function; `undefined` when it has nothing to complain of. */
function complaint(func: Func): Verdict | undefined {
  const fatal = errors(func.device, 'aer_dev_fatal') ?? 0;
  if (fatal > 0) {
    const count = fatal === 1 ? '1 fatal PCIe error' : `${fatal} fatal PCIe errors`;
    return { health: 'failing', why: `${count} at ${func.address}` };
  }
  const why = doubt(func);
  if (why !== undefined) return { health: 'unknown', why };
  if (func.isBridge || func.width === undefined || func.possible === undefined) return undefined;
  if (func.width >= func.possible) return undefined;
  return {
    health: 'failing',
    why: `link of ${func.address} runs ${func.width} lanes wide, both ends can do ${func.possible}`,
  };
}

const BADNESS: readonly Reading['health'][] = ['failing', 'unknown'];

function worst(functions: readonly Func[]): Verdict {
  const complaints = functions.map(complaint).filter((one) => one !== undefined);
  for (const health of BADNESS) {
    const found = complaints.find((one) => one.health === health);
    if (found !== undefined) return found;
  }
  return { health: 'ok' };
}

function sum(functions: readonly Func[], attribute: string): number | undefined {
  const counts = functions.map(({ device }) => errors(device, attribute));
  const known = counts.filter((one) => one !== undefined);
  return known.length === 0 ? undefined : known.reduce((total, one) => total + one, 0);
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((one) => one !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function reading(card: string, functions: readonly Func[]): Reading {
  const code = word(functions[0]?.device ?? new Map(), 'class');
  const sort = code?.startsWith(BRIDGE) ? 'port' : CLASSES[code?.slice(0, 4) ?? ''];
  const speeds = (attribute: string): number | undefined =>
    least(functions.map(({ device }) => speed(device, attribute)));
  const widthLanes = least(functions.map((func) => func.width));
  const isPort = functions.some((func) => func.isBridge);
  return {
    component: componentId('card', card),
    kind: 'card',
    name: `PCIe ${sort ?? 'card'} ${card}`,
    ...worst(functions),
    gauges: defined({
      corrected_errors_total: sum(functions, 'aer_dev_correctable'),
      nonfatal_errors_total: sum(functions, 'aer_dev_nonfatal'),
      fatal_errors_total: sum(functions, 'aer_dev_fatal'),
      width_lanes: widthLanes,
      max_width_lanes: least(functions.map((func) => func.maxWidth)),
      speed_transfers_per_second: speeds('current_link_speed'),
      max_speed_transfers_per_second: speeds('max_link_speed'),
    }),
    facts: defined({ class: code }),
    needs: [],
    ...(isPort || widthLanes === undefined ? {} : { peak: 'width_lanes' }),
  };
}

/** A function tells something of itself: error counters, or a link that can have a width. */
function speaks(device: Snapshot): boolean {
  const counts = [...device.keys()].some((key) => key.startsWith('aer_dev_'));
  return counts || (device.has('max_link_width') && decimal(device, 'max_link_width') !== 0);
}

function parse(snapshot: Snapshot): Observation {
  const all = devices(snapshot, `sys/${FOLDER}`);
  if (all.size === 0) return nothing(snapshot, 'this machine has no PCI bus');
  const cards = new Map<string, Func[]>();
  for (const [address, device] of all) {
    const card = ADDRESS.exec(address)?.[1];
    if (card === undefined || device.has('physfn') || !speaks(device)) continue;
    const functions = cards.get(card) ?? [];
    functions.push(toFunc(address, device, all));
    cards.set(card, functions);
  }
  if (cards.size === 0) {
    return { kind: 'none', why: 'no PCI Express device here reports its errors or its link' };
  }
  const readings = [...cards].map(([card, functions]) => reading(card, functions));
  return { kind: 'seen', readings, groups: [], advice: [] };
}

export const pcie: Source = {
  name: 'pcie',
  reads: [
    { kind: 'link', root: 'sys', glob: `${FOLDER}/*` },
    { kind: 'link', root: 'sys', glob: `${FOLDER}/*/physfn` },
    { kind: 'file', root: 'sys', glob: `${FOLDER}/*/class` },
    {
      kind: 'file',
      root: 'sys',
      glob: `${FOLDER}/*/aer_dev_{correctable,nonfatal,fatal}`,
    },
    {
      kind: 'file',
      root: 'sys',
      glob: `${FOLDER}/*/{current_link_speed,current_link_width,max_link_speed,max_link_width}`,
      // These read the device's own registers: a dead or sleeping device can hold them up.
      mayHang: true,
    },
  ],
  wakes: [],
  everyMs: 30_000,
  staleMs: 100_000,
  parse,
};
