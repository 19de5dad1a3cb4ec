/**
 * The simulated disk as a device file, on machines whose kernel has no SCSI: the far end of a
 * pseudoterminal that speaks sg's protocol. The port under test opens the file, writes `sg_io_hdr` and reads
 * it back; the commands and data it points to are fetched from and put into its memory, as the kernel does.
 */
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import type { Nexus, Result } from './table.ts';
import type { Target } from './target.ts';

const HEADER_BYTES = 88;
const POLL_MS = 1;
const TIOCGPTN = 0x80045430;
const TIOCSPTLCK = 0x40045431;
const TCGETS = 0x5401;
const TCSETS = 0x5402;
/** Major number of pseudoterminals. */
export const PTY_MAJOR = 136;

interface Koffi {
  readonly load: (path: null) => {
    readonly func: (prototype: string) => (fd: number, request: number, at: Uint8Array) => number;
  };
}

const koffi = createRequire(import.meta.url)('koffi') as Koffi;
const ioctl = koffi.load(null).func('int ioctl(int fd, unsigned long request, void *at)');

/** The process that holds a device file open, not counting ourselves. */
function holderOf(path: string): number | undefined {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/u.test(name) || Number(name) === process.pid) continue;
    try {
      for (const fd of readdirSync(`/proc/${name}/fd`)) {
        if (readlinkSync(`/proc/${name}/fd/${fd}`) === path) return Number(name);
      }
    } catch {
      // It has ended, or is none of ours.
    }
  }
  return undefined;
}

export interface PtyDisk {
  readonly path: string;
  /** Commands that came, newest last: their operation codes. */
  readonly heard: number[];
  /** While true commands are taken in and not answered. */
  stuck: boolean;
  /** Spoils an answer before it goes back. */
  spoil: ((opcode: number, result: Result) => Result) | undefined;
  readonly close: () => void;
}

/** Opens a device file that leads to the target as one nexus. */
export function openPty(target: Target, nexus: Nexus): PtyDisk {
  const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
  const master = openSync('/dev/ptmx', O_RDWR | O_NOCTTY | O_NONBLOCK);
  const number = new Uint32Array(1);
  ioctl(master, TIOCSPTLCK, new Uint8Array(4));
  ioctl(master, TIOCGPTN, new Uint8Array(number.buffer));
  const termios = new Uint32Array(16);
  ioctl(master, TCGETS, new Uint8Array(termios.buffer));
  // No echo, no lines, no signals: bytes as they are.
  termios[0] = 0;
  termios[1] = 0;
  termios[3] = 0;
  ioctl(master, TCSETS, new Uint8Array(termios.buffer));
  const path = `/dev/pts/${number[0]}`;
  const waiting: (() => void)[] = [];
  let holder: number | undefined;
  const disk: PtyDisk = {
    path,
    heard: [],
    stuck: false,
    spoil: undefined,
    close: () => {
      clearInterval(timer);
      closeSync(master);
    },
  };

  function serve(header: Buffer): void {
    if (holder === undefined || !existsSync(`/proc/${holder}/mem`)) holder = holderOf(path);
    if (holder === undefined) return;
    const memory = openSync(`/proc/${holder}/mem`, 'r+');
    const field = (at: number): bigint => header.readBigUInt64LE(at);
    const fetch = (at: bigint, length: number): Buffer => {
      const bytes = Buffer.alloc(length);
      readSync(memory, bytes, 0, length, at);
      return bytes;
    };
    const cdb = fetch(field(24), header.readUInt8(8));
    const length = header.readUInt32LE(12);
    const out = header.readInt32LE(4) === -2 ? fetch(field(16), length) : Buffer.alloc(0);
    const opcode = cdb[0] ?? 0;
    disk.heard.push(opcode);
    const back = (plain: Result): void => {
      const { status, sense, data } = disk.spoil?.(opcode, plain) ?? plain;
      const sent = Math.min(data.length, header.readInt32LE(4) === -3 ? length : 0);
      if (sent > 0) writeSync(memory, data, 0, sent, Number(field(16)));
      if (sense.length > 0) writeSync(memory, sense, 0, sense.length, Number(field(32)));
      header.writeUInt8(status, 64);
      header.writeUInt8(sense.length, 67);
      header.writeInt32LE(length - (header.readInt32LE(4) === -2 ? length : sent), 72);
      closeSync(memory);
      writeSync(master, header);
    };
    target.submit(nexus, cdb, out, back);
  }

  const timer = setInterval(() => {
    for (;;) {
      const header = Buffer.alloc(HEADER_BYTES);
      try {
        if (readSync(master, header, 0, HEADER_BYTES, null) < HEADER_BYTES) break;
      } catch {
        break;
      }
      waiting.push(() => serve(header));
    }
    if (!disk.stuck) for (const go of waiting.splice(0)) go();
    target.tick();
  }, POLL_MS);
  return disk;
}
