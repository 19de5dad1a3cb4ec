/**
 * The SCSI port where koffi does not load: `sg_persist`, `sg_inq` and `sg_turs` of sg3-utils, one process
 * for each command, killed at its deadline. Slower by a hundred times, and what a killed process had sent
 * is never heard of again; otherwise the same outcomes. It sends nothing that reads or writes data.
 *
 * Exit statuses: sg3_utils(8).
 */
import type { Completion } from '../../../fencing/reservation/answer.ts';
import { decodeDeviceId } from '../../../fencing/reservation/device-id.ts';
import { type Request, TYPES, type WriteRequest } from '../../../fencing/reservation/request.ts';
import { findProgram, PROGRAM_FOLDERS } from '../programs.ts';
import { runProgram } from '../run.ts';
import type { ScsiPath, ScsiPort, SendOptions } from './port.ts';

type Argv = readonly [program: string, ...args: string[]];

const NOTHING = new Uint8Array(0);
const READ_FLAGS = {
  keys: '--read-keys',
  reservation: '--read-reservation',
  capabilities: '--report-capabilities',
  'full-status': '--read-full-status',
} as const;
const IN_BYTES = 8192;

/** Sense that an exit status stands for: key, code, qualifier. What it does not tell is left out. */
const SENSE_BY_STATUS: Readonly<Record<number, readonly [number, number, number]>> = {
  2: [2, 0, 0],
  3: [3, 0, 0],
  5: [5, 0x26, 0],
  6: [6, 0, 0],
  9: [5, 0x20, 0],
  11: [11, 0, 0],
  12: [2, 4, 0x0b],
  13: [2, 4, 0x0c],
};
const STATUS_CONFLICT = 24;
const STATUS_BUSY = 26;
const STATUS_OPEN = 15;
const STATUS_SYNTAX = 1;

/** With these the program had been started: what it had sent by then nobody knows. */
const RAN: ReadonlySet<string> = new Set(['ETIMEDOUT', 'E2BIG', 'ECANCELED', 'EIO']);

function done(status: number, data: Uint8Array, sense: Uint8Array = NOTHING): Completion {
  return { kind: 'done', status, host: 0, driver: 0, sense, data };
}

/** The bytes of a hex dump: lines of an offset and up to sixteen bytes, with text after them or not. */
export function bytesOfDump(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const line of text.split('\n')) {
    const [, body] =
      /^\s*[0-9a-f]{2,8}\s{2,}((?:[0-9a-f]{2}\s{1,2}){0,15}[0-9a-f]{2})(?:\s|$)/u.exec(line) ?? [];
    for (const byte of body?.split(/\s+/u) ?? []) bytes.push(Number.parseInt(byte, 16));
  }
  return Uint8Array.from(bytes);
}

/** What an exit status says of a command. */
export function completionOf(status: number, out: string, why: string): Completion {
  if (status === 0) return done(0, bytesOfDump(out));
  if (status === STATUS_CONFLICT) return done(0x18, NOTHING);
  if (status === STATUS_BUSY) return done(0x08, NOTHING);
  if (status === STATUS_OPEN || status === STATUS_SYNTAX) return { kind: 'unsent', why };
  const known = SENSE_BY_STATUS[status];
  // Transport errors, time-outs and what nobody knows: it may have reached the disk.
  if (known === undefined) return { kind: 'late', why: `status ${status} of the program: ${why}` };
  const [key, asc, ascq] = known;
  return done(2, NOTHING, Uint8Array.of(0x72, key, asc, ascq, 0, 0, 0, 0));
}

function writeArgs(request: WriteRequest): readonly string[] | undefined {
  const base = ['--no-inquiry', '--out'];
  const rk = (key: string): string => `--param-rk=${key}`;
  const sark = (key: string): string => `--param-sark=${key}`;
  const flags = (one: { aptpl?: boolean; allPorts?: boolean }): readonly string[] => [
    ...(one.aptpl === true ? ['--param-aptpl'] : []),
    ...(one.allPorts === true ? ['--param-alltgpt'] : []),
  ];
  switch (request.ask) {
    case 'register':
      if ((request.initiators ?? []).length > 0) return undefined;
      return [...base, '--register', rk(request.own), sark(request.next), ...flags(request)];
    case 'register-ignore':
      return [...base, '--register-ignore', sark(request.next), ...flags(request)];
    case 'reserve':
    case 'release':
      return [...base, `--${request.ask}`, rk(request.own), `--prout-type=${TYPES[request.type]}`];
    case 'clear':
      return [...base, '--clear', rk(request.own)];
    case 'preempt':
    case 'preempt-abort': {
      const type = `--prout-type=${TYPES[request.type]}`;
      return [...base, `--${request.ask}`, rk(request.own), sark(request.victim), type];
    }
    case 'register-move':
    case 'replace-lost':
      return undefined;
  }
}

/** The program for a request; undefined when none of them can send it. */
export function argvOf(request: Request, device: string): Argv | undefined {
  switch (request.ask) {
    case 'keys':
    case 'reservation':
    case 'capabilities':
    case 'full-status': {
      // This program takes the length in hexadecimal.
      const bytes = ('bytes' in request ? request.bytes : undefined) ?? IN_BYTES;
      const room = `--alloc-length=${bytes.toString(16)}`;
      // Given once, --hex leaves the header of the answer out.
      const flags = ['--no-inquiry', '--in', READ_FLAGS[request.ask], '--hex', '--hex'];
      return ['sg_persist', ...flags, room, '--readonly', device];
    }
    case 'ready':
      return ['sg_turs', device];
    case 'device-id':
      return ['sg_inq', '--page=0x83', '--hex', device];
    case 'inquiry':
      return ['sg_inq', '--only', '--hex', device];
    case 'read':
    case 'write':
    case 'write-same':
    case 'unmap':
    case 'compare-write':
    case 'format':
    case 'capacity':
    case 'luns':
      return undefined;
    default: {
      const args = writeArgs(request);
      return args === undefined ? undefined : ['sg_persist', ...args, device];
    }
  }
}

async function run(argv: Argv, deadlineMs: number): Promise<Completion> {
  const [name, ...args] = argv;
  const program = findProgram(name, PROGRAM_FOLDERS);
  if (!('path' in program)) {
    return { kind: 'unsent', why: program.why ?? `${name} cannot be run` };
  }
  const { answer } = runProgram(program.path, args, { name, deadlineMs });
  const entry = await answer;
  if ('errno' in entry) {
    const kind = RAN.has(entry.errno) ? 'late' : 'unsent';
    return { kind, why: entry.why ?? entry.errno };
  }
  if (!('text' in entry)) return { kind: 'late', why: 'no answer' };
  return completionOf(entry.status ?? 0, entry.text, `${name} ended with ${entry.status}`);
}

/** The disk behind the path, or why it is not the one. */
async function refusal(path: ScsiPath, deadlineMs: number): Promise<Completion | undefined> {
  if (path.wwid === undefined) return undefined;
  const argv = argvOf({ ask: 'device-id' }, path.device);
  const told = argv === undefined ? undefined : await run(argv, deadlineMs);
  if (told?.kind !== 'done' || told.status !== 0) {
    return { kind: 'unsent', why: 'its identity is not to be had' };
  }
  const found = decodeDeviceId(told.data)?.wwid;
  if (found === path.wwid) return undefined;
  return {
    kind: 'wrong-disk',
    why: `it is ${found ?? 'without an identity'}, not ${path.wwid}`,
  };
}

/** Programs run one at a time on a path; several paths at once. */
export function openTwin(): ScsiPort {
  const busy = new Set<string>();
  return {
    mode: 'sg_persist',
    send: async (
      path: ScsiPath,
      requests: readonly Request[],
      { deadlineMs }: SendOptions,
    ): Promise<readonly Completion[]> => {
      if (busy.has(path.device)) {
        return requests.map(() => ({ kind: 'unsent', why: 'this path is in use' }));
      }
      busy.add(path.device);
      try {
        const refused = await refusal(path, deadlineMs);
        if (refused !== undefined) return requests.map(() => refused);
        const completions: Completion[] = [];
        for (const request of requests) {
          const argv = argvOf(request, path.device);
          const why = `${request.ask} needs koffi`;
          completions.push(
            argv === undefined ? { kind: 'unsent', why } : await run(argv, deadlineMs),
          );
        }
        return completions;
      } finally {
        busy.delete(path.device);
      }
    },
    forget: () => undefined,
    close: () => Promise.resolve(),
  };
}
