/**
 * What all readers of /sys/class/hwmon share: which chips there are, what stays the same about them
 * across boots, and how one attribute becomes a number or a reason why it is none. It judges nothing.
 * hwmonN is a number of load order and therefore never part of an identity.
 *
 * Facts from Documentation/hwmon/sysfs-interface.rst and Documentation/i2c/i2c-sysfs.rst.
 */
import { idPart, type Observation } from '../../rules/model.ts';
import type { Entry, Read, Snapshot } from './collector.ts';
import { SharedSnapshot } from './shared-snapshot.ts';
import { bit, decimal, errno, target, word } from './snapshot.ts';
import { errnoWords, plain } from './words.ts';

/** One chip: its attributes by bare file name (`fan1_input`), as a snapshot of its own. */
export interface Chip {
  /** Stable identity, unique in its snapshot: `platform-nct6775.656`, `pci-0000:03:00.0`. */
  readonly id: string;
  /** The `name` file (`nct6798`), else `hwmon`. For people only: it does not tell two chips apart. */
  readonly name: string;
  /** Sits on a PCI card itself: what it measures belongs to that card. */
  readonly onCard: boolean;
  /** Where it stands in the snapshot: `sys/class/hwmon/hwmon3`. */
  readonly folder: string;
  readonly files: SharedSnapshot;
  /** Channel (`fan1`) to its attributes, in the order of the snapshot. */
  readonly channels: ReadonlyMap<string, readonly string[]>;
}

/** Where a value is believed: outside of it the register was all ones or never written. */
export interface Range {
  /** Raw units for one base unit: 1000 for millivolts. Never applied to a 0/1 attribute. */
  readonly scale: number;
  readonly low: number;
  readonly high: number;
}

export const RPM: Range = { scale: 1, low: 0, high: 200_000 };
export const VOLTS: Range = { scale: 1e3, low: -1_000, high: 1_000 };
export const AMPERES: Range = { scale: 1e3, low: -10_000, high: 10_000 };
export const WATTS: Range = { scale: 1e6, low: -1_000_000, high: 1_000_000 };
export const CELSIUS: Range = { scale: 1e3, low: -150, high: 400 };

/** A value in base units, or why there is none. */
export type Measured =
  | { readonly value: number; readonly why?: undefined }
  | { readonly value?: undefined; readonly why: string };

const FOLDER = 'sys/class/hwmon';
const CHIP_KEY = /^sys\/class\/hwmon\/([^/]+)(?:\/(.+))?$/u;
/** A vanished chip answers with these on every file. */
const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ENODEV']);
/** Registers of all ones (or all but the sign), also after a driver's own scaling. */
const ALL_ONES: ReadonlySet<number> = new Set(
  [2 ** 32 - 1, 2 ** 31 - 1].flatMap((ones) => [ones, ones * 1e3, ones * 1e6]),
);

/**
 * Reads of the chips' identities and of attributes, those that move and those that stand still (labels,
 * limits). Drivers may sleep on a bus or in firmware.
 */
export function hwmonReads(
  moving: readonly string[],
  still: readonly string[] = [],
): readonly Read[] {
  const read = (attribute: string): Extract<Read, { kind: 'file' }> => ({
    kind: 'file',
    root: 'sys',
    glob: `class/hwmon/*/${attribute}`,
    mayHang: true,
  });
  return [
    { kind: 'link', root: 'sys', glob: 'class/hwmon/*', still: true },
    { kind: 'link', root: 'sys', glob: 'class/hwmon/*/device', still: true },
    ...['name', ...still].map((attribute): Read => ({ ...read(attribute), still: true })),
    ...moving.map(read),
  ];
}

const PCI = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/u;
const I2C_DEVICE = /^\d+-([0-9a-f]{4})$/u;
const SCSI_DEVICE = /^\d+:(\d+:\d+:\d+)$/u;
const ATA_PORT = /^ata\d+$/u;
const I2C_BUS = /^i2c-\d+$/u;
/** Numbered in order of discovery: their parent is the thing that stays. */
const NUMBERED = /^(nvme|nvme\d+|hwmon|hwmon\d+|net|[0-9A-F]{4}(:[0-9A-F]{4}){2}\.[0-9A-F]{4})$/u;

/**
 * An I2C chip is its address below its controller: adapter numbers depend on load order. Where the same
 * address exists on several adapters, behind a multiplexer or by `exact`, the adapter stays in the name.
 */
function i2cIdentity(segments: readonly string[], address: string, exact: boolean): string {
  const controller = segments.findLast(
    (segment) => !I2C_BUS.test(segment) && !I2C_DEVICE.test(segment),
  );
  const chain = segments.filter((segment) => I2C_DEVICE.test(segment));
  const adapter = segments.findLast((segment) => I2C_BUS.test(segment));
  const bus = exact || chain.length > 1 ? adapter?.replace('i2c-', 'bus') : undefined;
  return ['i2c', controller, bus, address].filter((part) => part !== undefined).join('-');
}

/** A disk is its place below its controller: the host number, first of the four, may change at boot. */
function scsiIdentity(segments: readonly string[], place: string): string {
  const controller = segments.findLast((segment) => PCI.test(segment));
  const port = segments.findLast((segment) => ATA_PORT.test(segment));
  return ['scsi', controller, port, place].filter((part) => part !== undefined).join('-');
}

/** What stays the same of a device's path below /sys/devices: its bus and its name on that bus. */
function deviceIdentity(path: string, exact: boolean): string {
  const segments = path.split('/').slice(2);
  while (segments.length > 1 && NUMBERED.test(segments.at(-1) ?? '')) segments.pop();
  const last = segments.at(-1) ?? '';
  const address = I2C_DEVICE.exec(last)?.[1];
  if (address !== undefined) return i2cIdentity(segments, address, exact);
  const place = SCSI_DEVICE.exec(last)?.[1];
  if (place !== undefined) return scsiIdentity(segments, place);
  if (PCI.test(last)) return `pci-${last}`;
  const parent = segments.at(-2);
  return parent === undefined ? last : `${parent}-${last}`;
}

/** Path of the device a chip belongs to; undefined for a chip without one (made by software). */
function devicePath(files: Snapshot): string | undefined {
  const device = target(files, 'device');
  if (device !== undefined) return device;
  const parent = target(files, '')?.replace(/(\/hwmon)?\/hwmon\d+$/u, '');
  return parent === undefined || parent.endsWith('/virtual') ? undefined : parent;
}

function baseId(files: Snapshot, exact: boolean): string {
  const path = devicePath(files);
  const name = word(files, 'name') ?? 'unnamed';
  return idPart((path === undefined ? `virtual-${name}` : deviceIdentity(path, exact)).slice(-80));
}

/** The bases that more than one chip has. */
function sharedBases(bases: readonly string[]): ReadonlySet<string> {
  return new Set(bases.filter((base, index) => bases.indexOf(base) !== index));
}

function byChip(snapshot: Snapshot): readonly [string, SharedSnapshot][] {
  const chips = new Map<string, Map<string, Entry>>();
  for (const [key, entry] of snapshot) {
    const match = CHIP_KEY.exec(key);
    if (match === null) continue;
    const folder = match[1] ?? '';
    const files = chips.get(folder) ?? new Map<string, Entry>();
    files.set(match[2] ?? '', entry);
    chips.set(folder, files);
  }
  const order = (folder: string): number => Number(/\d+$/u.exec(folder)?.[0] ?? 0);
  return [...chips.entries()]
    .sort(([one], [other]) => order(one) - order(other))
    .map(([folder, files]) => [folder, new SharedSnapshot(files)]);
}

/** The channel an attribute is of: `fan1` for `fan1_input`. */
export function channelOf(attribute: string): string | undefined {
  return /^([a-z]+(?:0|[1-9]\d{0,2}))_/u.exec(attribute)?.[1];
}

function byChannel(files: Snapshot): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const attribute of files.keys()) {
    const channel = channelOf(attribute);
    if (channel === undefined) continue;
    const attributes = found.get(channel) ?? [];
    attributes.push(attribute);
    found.set(channel, attributes);
  }
  return found;
}

/**
 * The chips of a snapshot. Chips with the same identity are told apart by adapter, then by name, then by
 * order: the links alone decide who shares, never a file that may fail.
 */
export function chips(snapshot: Snapshot): readonly Chip[] {
  const all = byChip(snapshot);
  const short = all.map(([, files]) => baseId(files, false));
  const exact = sharedBases(short);
  const bases = all.map(([, files], index) => {
    const base = short[index] ?? '';
    return exact.has(base) ? baseId(files, true) : base;
  });
  const shared = sharedBases(bases);
  const taken = new Set<string>();
  return all.map(([number, files], index) => {
    const base = bases[index] ?? '';
    const name = plain(word(files, 'name'))?.slice(0, 32) ?? 'hwmon';
    const wanted = shared.has(base) ? `${base}-${idPart(name)}` : base;
    let id = wanted;
    for (let next = 2; taken.has(id); next += 1) id = `${wanted}-${next}`;
    taken.add(id);
    const folder = `${FOLDER}/${number}`;
    const onCard = base.startsWith('pci-');
    return { id, name, folder, files, onCard, channels: byChannel(files) };
  });
}

/** A folder above the chips that could not be listed: what was read is then not the whole truth. */
export function unlisted(snapshot: Snapshot): Extract<Observation, { kind: 'blind' }> | undefined {
  for (const folder of ['sys', 'sys/class', FOLDER]) {
    const failed = errno(snapshot, folder);
    if (failed === undefined) continue;
    return { kind: 'blind', why: `/${folder} cannot be listed (${errnoWords(failed)})` };
  }
  return undefined;
}

/** Numbers of a chip's channels of one sort, ascending: `fan` gives 1, 2, 5. */
export function channels(chip: Chip, sort: string): readonly number[] {
  return [...chip.channels.keys()]
    .filter((channel) => channel.replace(/\d+$/u, '') === sort)
    .map((channel) => Number(channel.slice(sort.length)))
    .sort((one, other) => one - other);
}

/** Every file of the channel is gone: the device vanished between listing and reading. */
export function vanished(chip: Chip, channel: string): boolean {
  const attributes = chip.channels.get(channel) ?? [];
  return attributes.every((attribute) => GONE.has(errno(chip.files, attribute) ?? ''));
}

/** An attribute in base units, or why it is not known: its errno, or what it held instead. */
export function measured(chip: Chip, attribute: string, range: Range): Measured {
  const failed = errno(chip.files, attribute);
  if (failed !== undefined) {
    return { why: `${attribute} cannot be read (${errnoWords(failed)})` };
  }
  const raw = decimal(chip.files, attribute);
  if (raw === undefined) return { why: `${attribute} holds no number` };
  const value = raw / range.scale;
  if (ALL_ONES.has(raw) || value < range.low || value > range.high) {
    return { why: `${attribute} holds the impossible value ${raw}` };
  }
  return { value };
}

/** Names of the attributes that are 1 among a channel's `*alarm` bits. */
export function raisedAlarms(chip: Chip, channel: string): readonly string[] {
  return alarmBits(chip, channel).filter((attribute) => bit(chip.files, attribute) === true);
}

/** 1 when any alarm bit of the channel is set, 0 when all are readable and clear. */
export function alarmGauge(chip: Chip, channel: string): number | undefined {
  const bits = alarmBits(chip, channel).map((attribute) => bit(chip.files, attribute));
  if (bits.includes(true)) return 1;
  return bits.length === 0 || bits.includes(undefined) ? undefined : 0;
}

function alarmBits(chip: Chip, channel: string): readonly string[] {
  return (chip.channels.get(channel) ?? []).filter((name) => name.endsWith('alarm'));
}

/** A 0/1 attribute as a gauge; never scaled. */
export function bitGauge(chip: Chip, attribute: string): number | undefined {
  const value = bit(chip.files, attribute);
  return value === undefined ? undefined : Number(value);
}

/** The label of a channel for people, else its own name (`fan2`). */
export function label(chip: Chip, channel: string): string {
  return plain(word(chip.files, `${channel}_label`)) ?? channel;
}
