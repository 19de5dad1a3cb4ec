/**
 * The port to disks: sends SCSI commands down single paths (`/dev/sgN`), never to a device-mapper node. Every
 * command has a deadline, after which it counts as `late` and stays with the disk: nothing is aborted,
 * because the kernel's error handling would stop all I/O of the adapter. A path that holds a late command
 * takes no other until it is back. Before each command the disk behind the path is identified.
 *
 * It never rejects and never blocks: what it cannot do is a completion that says so.
 */

import type { Completion } from '../../fencing/reservation/answer.ts';
import { isMedia } from '../../fencing/reservation/media.ts';
import { encode, isWrite, type Request } from '../../fencing/reservation/request.ts';
import { monotonicMs } from './clock.ts';
import { errnoOf } from './errno.ts';
import { type InFlight, Lane } from './scsi/lane.ts';
import type { ScsiPath, ScsiPort, SendOptions } from './scsi/port.ts';
import { openTwin } from './scsi/twin.ts';

import { within } from './within.ts';

export type { ScsiPath, ScsiPort, SendOptions } from './scsi/port.ts';

/** The kernel's own time for a command; then it begins to abort and reset. Generous on purpose. */
const KERNEL_MS = 60_000;
/** From a deadline to the belief that the child itself is held up. */
const GRACE_MS = 750;
/** Node itself starts in 0.1 s, on a starved host in seconds. */
const START_MS = 20_000;
const RESTART_MS = 200;
/** Children left behind in the kernel; beyond this nothing more is sent. */
const LEFT_MAX = 8;
const CLOSE_MS = 1000;
const SG_MAJOR = 21;

class SgPort implements ScsiPort {
  readonly mode = 'sg';
  readonly #runDir: string;
  readonly #majors: readonly number[];
  #lane: Lane | undefined;
  #laneMs = 0;
  #fresh = true;
  readonly #left = new Set<Lane>();
  readonly #places = new Map<string, number>();
  /** Devices at which a child is held up. */
  readonly #stuck = new Map<string, Lane>();
  /** What each device holds beyond its deadline. */
  readonly #held = new Map<string, Set<InFlight>>();
  #id = 0;
  #closed = false;

  constructor(runDir: string, majors: readonly number[]) {
    this.#runDir = runDir;
    this.#majors = majors;
  }

  send = async (
    path: ScsiPath,
    requests: readonly Request[],
    options: SendOptions,
  ): Promise<readonly Completion[]> => {
    const { device } = path;
    const refused = (why: string): readonly Completion[] =>
      requests.map(() => ({ kind: 'unsent', why }));
    if (this.#closed) return refused('the agent is ending');
    if (this.#stuck.has(device)) return refused('the kernel holds up every command to this path');
    if ((this.#held.get(device)?.size ?? 0) > 0)
      return refused('this path still holds a late command');
    const lane = this.#openLane();
    if (typeof lane === 'string') return refused(lane);
    // Deadlines are of commands, not of the start of a child.
    if (!lane.isReady) {
      const ready = lane.ready.then(() => lane.why === undefined);
      if (!(await within(ready, START_MS, () => false))) {
        return refused('the SCSI child does not start');
      }
    }
    return this.#through(lane, path, requests, options);
  };

  forget = (device: string): void => {
    this.#lane?.close(device);
    for (const lane of this.#left) lane.close(device);
  };

  close = async (): Promise<void> => {
    this.#closed = true;
    const all = [...(this.#lane === undefined ? [] : [this.#lane]), ...this.#left];
    for (const lane of all) lane.end();
    await within(Promise.all(all.map(({ exited }) => exited)), CLOSE_MS, () => {
      for (const lane of all) lane.end(true);
      return [];
    });
  };

  #openLane(): Lane | string {
    if (this.#lane !== undefined && this.#lane.why === undefined) return this.#lane;
    const nowMs = monotonicMs();
    if (!this.#fresh && nowMs - this.#laneMs < RESTART_MS)
      return 'the SCSI child is being restarted';
    if (this.#left.size >= LEFT_MAX) return `the kernel holds ${LEFT_MAX} SCSI children`;
    this.#fresh = false;
    this.#laneMs = nowMs;
    try {
      const lane: Lane = new Lane({
        runDir: this.#runDir,
        start: { majors: this.#majors },
        onIdle: () => this.#idle(lane),
      });
      this.#lane = lane;
      return lane;
    } catch (error) {
      return `no SCSI child can be started: ${errnoOf(error)}`;
    }
  }

  #through(
    lane: Lane,
    { device, wwid }: ScsiPath,
    requests: readonly Request[],
    { deadlineMs, onLate }: SendOptions,
  ): Promise<readonly Completion[]> {
    this.#id += 1;
    const place = this.#places.get(device) ?? this.#places.size;
    this.#places.set(device, place);
    const commands = requests.map((request) => {
      const { cdb, out, in: room } = encode(request);
      const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
      return { cdb: base64(cdb), out: base64(out), in: room };
    });
    const guard = requests.some((request) => isWrite(request) || isMedia(request));
    const group = {
      id: this.#id,
      device,
      place,
      wwid,
      guard,
      deadlineMs,
      untilMs: monotonicMs() + deadlineMs,
      kernelMs: KERNEL_MS,
      commands,
    };
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout;
      const one: InFlight = {
        group,
        answered: false,
        missing: new Set(requests.keys()),
        answer: (completions) => {
          clearTimeout(timer);
          if (one.missing.size > 0 && lane.why === undefined) this.#hold(device, one);
          resolve(completions);
        },
        late: (index, completion) => {
          if (one.missing.size === 0) this.#held.get(device)?.delete(one);
          onLate?.(index, completion);
        },
      };
      timer = setTimeout(() => this.#overdue(lane, one), deadlineMs + GRACE_MS);
      lane.send(one);
    });
  }

  #hold(device: string, one: InFlight): void {
    const held = this.#held.get(device) ?? new Set();
    held.add(one);
    this.#held.set(device, held);
  }

  /** Not even the child has said that it is late: the kernel holds the child, or it is starved. */
  #overdue(lane: Lane, one: InFlight): void {
    const place = lane.noted();
    const stuck = [...this.#places].find(([, number]) => number === place)?.[0];
    if (lane === this.#lane) {
      this.#lane = undefined;
      this.#left.add(lane);
    }
    if (stuck !== undefined) this.#stuck.set(stuck, lane);
    const { deadlineMs, commands } = one.group;
    const why = `no answer within ${deadlineMs} ms, the kernel holds ${stuck ?? 'the SCSI child'}`;
    one.answered = true;
    one.answer(commands.map(() => ({ kind: 'late', why })));
  }

  /** A child that was left behind has nothing under way any more: it may go. */
  #idle(lane: Lane): void {
    if (!this.#left.has(lane)) return;
    this.#left.delete(lane);
    for (const [device, at] of this.#stuck) if (at === lane) this.#stuck.delete(device);
    lane.end();
  }
}

export interface ScsiOptions {
  /** A folder in memory of our own. */
  readonly runDir: string;
  /** `false` takes the twin even where koffi loads. */
  readonly koffi?: boolean;
  /** Device majors that may be opened; for tests. */
  readonly majors?: readonly number[];
}

async function koffiLoads(): Promise<boolean> {
  try {
    const { default: koffi } = await import('koffi');
    // The header's layout is that of 64-bit little-endian machines.
    return koffi.sizeof('void *') === 8 && new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  } catch {
    return false;
  }
}

/** Never rejects. */
export async function openScsi(options: ScsiOptions): Promise<ScsiPort> {
  const { runDir, koffi, majors = [SG_MAJOR] } = options;
  if (koffi !== false && (await koffiLoads())) return new SgPort(runDir, majors);
  return openTwin();
}
