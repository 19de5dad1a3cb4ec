/**
 * The port behind `dm`: what the device-mapper driver says of the devices with a given target, asked by
 * ioctl, or by `dmsetup` where koffi does not load. Each status line is followed by the table the device
 * was loaded with; only devices that have the target are asked for theirs, because the tables of others
 * may hold keys. It only looks: nothing is flushed, no module is loaded, no device is opened.
 *
 * Errors: ENOENT no device-mapper in this kernel; EACCES not allowed; ETIMEDOUT; E2BIG; EPROTO an answer
 * that makes no sense.
 */
import { accessSync, closeSync, constants, existsSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import { join } from 'node:path';
import type { Entry, Read } from '../../collectors/lib/collector.ts';
import type { Roots } from '../../rules/config.ts';
import {
  BUFFER_FULL,
  type DmDevice,
  type DmTarget,
  decodeDevices,
  decodeHeader,
  decodeTargets,
  encodeRequest,
  ioctlNumber,
  LIST_DEVICES,
  NOFLUSH,
  STATUS_TABLE,
  TABLE_STATUS,
  targetLine,
} from './dm-codec.ts';
import { dmsetup } from './dm-dmsetup.ts';
import { errnoName, errnoOf } from './errno.ts';
import type { ReadPort } from './port.ts';
import { within } from './within.ts';

type DmRead = Extract<Read, { kind: 'dm' }>;
type Failure = Extract<Entry, { errno: string }>;

export const DEADLINE_MS = 4000;
const FIRST_BYTES = 16 * 1024;
/** Devices asked before the list is there: a server has a few maps, a thousand would fill the pool. */
const AHEAD_MAX = 8;
export const ANSWER_BYTES_MAX: number = 4 * 1024 * 1024;
/** Devices that are certainly not the target asked for, by the owner's word in their UUID. */
const OTHERS = /^(LVM|CRYPT|VDO|DMRAID|part\d+)-/u;
/** Architectures whose ioctl numbers are built otherwise. */
const FOREIGN_IOCTL: ReadonlySet<string> = new Set([
  'mips',
  'mipsel',
  'mips64',
  'mips64el',
  'ppc',
  'ppc64',
  'sparc64',
]);
const LITTLE: boolean = endianness() === 'LE';

/** `ioctl(2)` on a pool thread; resolves to 0 or to the errno's name. */
export type Ioctl = (fd: number, request: number, buffer: Uint8Array) => Promise<string | 0>;

type AsyncCall = (
  ...args: readonly [number, number, Uint8Array, (error: unknown, result: number) => void]
) => void;

interface Koffi {
  readonly load: (path: null) => { readonly func: (prototype: string) => { async: AsyncCall } };
  readonly errno: () => number;
}

function loadIoctl(): Ioctl | undefined {
  if (FOREIGN_IOCTL.has(process.arch)) return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const call = koffi.load(null).func('int ioctl(int fd, unsigned long request, void *buffer)');
    return (fd, request, buffer) =>
      new Promise((resolve) => {
        call.async(fd, request, buffer, (error, result) => {
          const code = koffi.errno();
          if (error !== null && error !== undefined) resolve('EIO');
          else resolve(result < 0 ? errnoName(code) : 0);
        });
      });
  } catch {
    return undefined;
  }
}

/** One command, with a larger buffer while the kernel says that its answer did not fit. */
async function ask(
  ioctl: Ioctl,
  fd: number,
  command: number,
  request: { readonly flags: number; readonly dev?: bigint },
): Promise<Uint8Array | Failure> {
  for (let bytes = FIRST_BYTES; bytes <= ANSWER_BYTES_MAX; bytes *= 4) {
    const buffer = encodeRequest(LITTLE, { ...request, bytes });
    const outcome = await ioctl(fd, ioctlNumber(command), buffer);
    if (outcome !== 0) return { errno: outcome };
    const header = decodeHeader(LITTLE, buffer);
    if (header === undefined) return { errno: 'EPROTO', why: 'device-mapper answered nonsense' };
    if ((header.flags & BUFFER_FULL) === 0) return buffer;
  }
  return { errno: 'E2BIG', why: `device-mapper's answer exceeds ${ANSWER_BYTES_MAX} bytes` };
}

async function targetsOf(
  ioctl: Ioctl,
  fd: number,
  device: DmDevice,
  flags: number,
): Promise<readonly DmTarget[] | Failure> {
  const answer = await ask(ioctl, fd, TABLE_STATUS, { flags: NOFLUSH | flags, dev: device.dev });
  if ('errno' in answer) return answer;
  return (
    decodeTargets(LITTLE, answer) ?? { errno: 'EPROTO', why: `status of ${device.number} is cut` }
  );
}

function isFailure(value: object): value is Failure {
  return 'errno' in value;
}

/** What a device was asked; its table only when it is known to have the target. */
interface Asked {
  readonly status: Promise<readonly DmTarget[] | Failure>;
  readonly table: Promise<readonly DmTarget[] | Failure> | undefined;
}

type AskDevice = (device: DmDevice, flags: number) => Promise<readonly DmTarget[] | Failure>;

/** Lines of one device; none when it has no such target or vanished since it was listed. */
async function deviceLines(
  askDevice: AskDevice,
  device: DmDevice,
  target: string,
  asked: Asked | undefined,
): Promise<readonly string[] | Failure> {
  const status = await (asked?.status ?? askDevice(device, 0));
  if (isFailure(status)) return status.errno === 'ENXIO' ? [] : status;
  const wanted = status.filter(({ type }) => type === target);
  if (wanted.length === 0) return [];
  const table = await (asked?.table ?? askDevice(device, STATUS_TABLE));
  const loaded = isFailure(table) ? [] : table.filter(({ type }) => type === target);
  return [
    ...wanted.map((one) => targetLine(device, one, '')),
    ...loaded.map((one) => targetLine(device, one, 'table ')),
  ];
}

function identity({ number, name, uuid }: DmDevice): string {
  return `${number} ${uuid ?? ''} ${name}`;
}

/** Devices that had the target when it was last read, and are asked before the list is there. */
export type KnownDevices = Map<string, DmDevice>;

/**
 * All lines by ioctl. A device that fails alone is left out only when it is gone. Each question costs a way
 * to another thread and back: the devices of last time are asked together with the list, and their answers
 * count when the list still has them.
 */
export async function readByIoctl(
  ioctl: Ioctl,
  fd: number,
  target: string,
  stopped: () => boolean,
  known: KnownDevices = new Map(),
): Promise<Entry> {
  const askDevice: AskDevice = (device, flags) => targetsOf(ioctl, fd, device, flags);
  const listing = ask(ioctl, fd, LIST_DEVICES, { flags: 0 });
  const ahead = new Map<string, Asked>();
  for (const [key, device] of known) {
    if (ahead.size >= AHEAD_MAX) break;
    ahead.set(key, { status: askDevice(device, 0), table: askDevice(device, STATUS_TABLE) });
  }
  // The descriptor is closed behind us: nothing may be under way then.
  const answered = Promise.all([...ahead.values()].flatMap((one) => [one.status, one.table]));
  const listed = await listing;
  await answered;
  if (isFailure(listed)) return listed;
  const devices = decodeDevices(LITTLE, listed);
  if (devices === undefined) return { errno: 'EPROTO', why: 'the list of dm devices is cut' };
  const lines: string[] = [];
  known.clear();
  for (const device of devices) {
    if (stopped()) return { errno: 'ECANCELED' };
    if (device.uuid !== undefined && OTHERS.test(device.uuid)) continue;
    const key = identity(device);
    const found = await deviceLines(askDevice, device, target, ahead.get(key));
    if (isFailure(found)) return { ...found, why: found.why ?? `status of ${device.number}` };
    if (found.length > 0) known.set(key, device);
    lines.push(...found);
  }
  return { text: lines.map((line) => `${line}\n`).join('') };
}

class DmPort implements ReadPort<DmRead> {
  readonly #control: string;
  readonly #driver: string;
  readonly #ioctl: Ioctl | undefined;
  readonly #known = new Map<string, KnownDevices>();
  #busy: Promise<Entry> | undefined;
  #closed = false;

  constructor(roots: Roots, ioctl: Ioctl | undefined) {
    this.#control = join(roots.dev, 'mapper/control');
    this.#driver = join(roots.sys, 'class/misc/device-mapper');
    this.#ioctl = ioctl;
  }

  async read({ target }: DmRead): Promise<Entry> {
    if (this.#closed) return { errno: 'ECANCELED', why: 'the agent is ending' };
    // The node may be there without the driver: opening it would load the module.
    if (!existsSync(this.#driver) || !existsSync(this.#control)) {
      return { errno: 'ENOENT', why: 'no device-mapper' };
    }
    if (this.#busy !== undefined) {
      return { errno: 'ETIMEDOUT', why: 'device-mapper still holds the last question' };
    }
    const stop = { now: false };
    const answer = this.#ask(target, () => stop.now || this.#closed).finally(() => {
      this.#busy = undefined;
    });
    this.#busy = answer;
    return within(answer, DEADLINE_MS, () => {
      stop.now = true;
      return { errno: 'ETIMEDOUT', why: `no answer within ${DEADLINE_MS} ms` };
    });
  }

  close(): void {
    this.#closed = true;
  }

  async #ask(target: string, stopped: () => boolean): Promise<Entry> {
    try {
      if (this.#ioctl === undefined) {
        accessSync(this.#control, constants.R_OK | constants.W_OK);
        return await dmsetup(target, DEADLINE_MS);
      }
      const fd = openSync(this.#control, 'r+');
      try {
        const known = this.#known.get(target) ?? new Map();
        this.#known.set(target, known);
        return this.#named(await readByIoctl(this.#ioctl, fd, target, stopped, known));
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      return this.#named({ errno: errnoOf(error) });
    }
  }

  #named(entry: Entry): Entry {
    if (!('errno' in entry) || entry.why !== undefined) return entry;
    const denied = entry.errno === 'EACCES' || entry.errno === 'EPERM';
    return { ...entry, why: denied ? `${this.#control}: run as root` : this.#control };
  }
}

/** `ioctl: null` uses `dmsetup` even where koffi loads. */
export function openDm(options: {
  readonly roots: Roots;
  readonly ioctl?: Ioctl | null;
}): ReadPort<DmRead> {
  const { roots, ioctl = loadIoctl() ?? null } = options;
  return new DmPort(roots, ioctl ?? undefined);
}
