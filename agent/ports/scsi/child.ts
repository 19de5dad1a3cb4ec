/**
 * The SCSI child: one poll over the channel and every open sg device. It is a process and no thread because
 * handing a command to the kernel can block without an end when a hung disk has used up its adapter's
 * tags (drivers/scsi/sg.c, sg_start_req): a process can be left behind and its place taken, a thread can
 * not. Before each such call it notes which device it is about. Deadlines only end the waiting: the
 * command stays with the disk, and its end is told whenever it comes.
 */
import { readSync, writeSync } from 'node:fs';
import type { Completion } from '../../../fencing/reservation/answer.ts';
import { decodeDeviceId } from '../../../fencing/reservation/device-id.ts';
import { type Command, encode } from '../../../fencing/reservation/request.ts';
import { type Libc, openLibc, POLLIN } from '../../kernel/libc.ts';
import { monotonicMs } from '../clock.ts';
import { errnoOf } from '../errno.ts';
import { type AddressOf, SgDevice } from './device.ts';
import {
  CHANNEL_FD,
  type FromChild,
  type Group,
  lines,
  NO_NOTE,
  NOTE_BYTES,
  NOTE_FD,
  type Start,
  type ToChild,
  toWire,
} from './messages.ts';

const POLL_MS = 500;
const POLLERR = 0x8;
const POLLHUP = 0x10;
const POLLNVAL = 0x20;
const CHUNK_BYTES = 64 * 1024;
const NOTHING = new Uint8Array(0);
const IDENTIFY = encode({ ask: 'device-id' });

/** A group on its way. */
interface Open {
  readonly group: Group;
  readonly completions: (Completion | undefined)[];
  /** Whether the disk is the right one; undefined: not known yet. */
  identity: 'right' | Completion | undefined;
  answered: boolean;
}

interface Child {
  readonly libc: Libc;
  readonly address: AddressOf;
  readonly majors: readonly number[];
  readonly devices: Map<string, SgDevice>;
  readonly open: Set<Open>;
  readonly note: Int32Array;
}

/** What is told in one round goes in one message. */
let untold = '';

function tell(message: FromChild): void {
  untold += `${JSON.stringify(message)}\n`;
}

function flush(): void {
  if (untold === '') return;
  const bytes = Buffer.from(untold, 'latin1');
  untold = '';
  let done = 0;
  while (done < bytes.length) done += writeSync(CHANNEL_FD, bytes, done, bytes.length - done);
}

function note(child: Child, place: number): void {
  if (child.note[0] === place) return;
  // What comes now may block: nothing that is known must wait for it.
  flush();
  child.note[0] = place;
  writeSync(NOTE_FD, child.note, 0, NOTE_BYTES, 0);
}

type Unsent = Extract<Completion, { kind: 'unsent' | 'late' }>;

function unsent(why: string): Unsent {
  return { kind: 'unsent', why };
}

/** What a command counts as when the group is answered before it is back. */
function missing({ group, identity }: Open): Unsent {
  const why = `no answer within ${group.deadlineMs} ms`;
  // Held up before the identity was known: then it was never sent.
  return group.guard && identity === undefined ? unsent(why) : { kind: 'late', why };
}

/** Answers a group once everything is known, or its time is over. */
function settle(child: Child, open: Open, late: boolean): void {
  if (open.answered) return;
  const complete = open.identity !== undefined && !open.completions.includes(undefined);
  if (!complete && !late) return;
  open.answered = true;
  const { identity } = open;
  const wrong = identity !== undefined && identity !== 'right' ? identity : undefined;
  const unknown = late && identity === undefined ? unsent(missing(open).why) : undefined;
  const completions = open.completions.map((one) => {
    if (wrong !== undefined && !open.group.guard) return toWire(wrong);
    // Reads that came back from a disk nobody has identified count for nothing.
    if (unknown !== undefined && one !== undefined) return toWire(unknown);
    return toWire(one ?? missing(open));
  });
  tell({ op: 'answer', id: open.group.id, completions });
  if (complete) child.open.delete(open);
}

function command(wire: Group['commands'][number]): Command {
  const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
  return { cdb: bytes(wire.cdb), out: bytes(wire.out), in: wire.in };
}

function submitAll(child: Child, device: SgDevice, open: Open): void {
  const { group } = open;
  note(child, group.place);
  for (const [index, wire] of group.commands.entries()) {
    device.submit(command(wire), group.kernelMs, (completion) => {
      open.completions[index] = completion;
      if (open.answered) {
        tell({ op: 'late', id: group.id, index, completion: toWire(completion) });
        if (!open.completions.includes(undefined)) child.open.delete(open);
      } else settle(child, open, false);
    });
  }
  note(child, NO_NOTE);
}

/** What the answer to the identity says of it. */
function identityOf(wwid: string, completion: Completion): 'right' | Completion {
  if (completion.kind !== 'done') return completion;
  const { status, host, data } = completion;
  if (status !== 0 || host !== 0)
    return unsent(`its identity is not to be had (status ${status}, host ${host})`);
  const found = decodeDeviceId(data)?.wwid;
  if (found === wwid) return 'right';
  return { kind: 'wrong-disk', why: `it is ${found ?? 'without an identity'}, not ${wwid}` };
}

function onIdentity(child: Child, device: SgDevice, open: Open, completion: Completion): void {
  open.identity = identityOf(open.group.wwid ?? '', completion);
  if (!open.group.guard) {
    settle(child, open, false);
    return;
  }
  if (open.answered) child.open.delete(open);
  else if (open.identity === 'right') submitAll(child, device, open);
  else {
    const { identity } = open;
    // The identity was not told: nothing of the group was ever sent.
    const why = 'why' in identity ? identity.why : '';
    open.completions.fill(identity.kind === 'wrong-disk' ? identity : unsent(why));
    settle(child, open, false);
  }
}

/** The open device of a group; undefined when it could not be opened, and the group is answered. */
function deviceFor(child: Child, open: Open): SgDevice | undefined {
  const { device: path } = open.group;
  const known = child.devices.get(path);
  if (known !== undefined) return known;
  try {
    const device = new SgDevice(path, child.majors, child.address);
    child.devices.set(path, device);
    return device;
  } catch (error) {
    open.identity = 'right';
    open.completions.fill(unsent(`${path} cannot be opened: ${errnoOf(error)}`));
    settle(child, open, false);
    return undefined;
  }
}

function send(child: Child, group: Group): void {
  const open: Open = {
    group,
    completions: group.commands.map(() => undefined),
    identity: group.wwid === undefined ? 'right' : undefined,
    answered: false,
  };
  child.open.add(open);
  if (monotonicMs() >= group.untilMs) {
    open.identity = 'right';
    open.completions.fill(unsent('its time was over before it could be sent'));
    settle(child, open, false);
    return;
  }
  note(child, group.place);
  const device = deviceFor(child, open);
  if (device !== undefined && group.wwid !== undefined) {
    device.submit(IDENTIFY, group.kernelMs, (completion) =>
      onIdentity(child, device, open, completion),
    );
  }
  if (device !== undefined && (group.wwid === undefined || !group.guard)) {
    submitAll(child, device, open);
  }
  note(child, NO_NOTE);
}

function drop(child: Child, name: string, why: string): void {
  const device = child.devices.get(name);
  if (device === undefined) return;
  child.devices.delete(name);
  device.lose(why);
  device.close();
}

function hear(child: Child, message: ToChild): void {
  if (message.op === 'send') send(child, message.group);
  else drop(child, message.device, 'its device was closed');
}

/** Collects what has ended; a device that is gone is given up. */
function serve(child: Child, name: string, device: SgDevice, revents: number): void {
  if ((revents & POLLIN) !== 0) device.collect();
  if ((revents & (POLLERR | POLLHUP | POLLNVAL)) !== 0) drop(child, name, 'the path is gone');
}

function endLate(child: Child): void {
  const nowMs = monotonicMs();
  for (const open of child.open) if (nowMs >= open.group.untilMs) settle(child, open, true);
}

function waitMs(child: Child): number {
  let untilMs = Number.POSITIVE_INFINITY;
  for (const { answered, group } of child.open) {
    if (!answered) untilMs = Math.min(untilMs, group.untilMs);
  }
  return Math.max(0, Math.min(POLL_MS, Math.ceil(untilMs - monotonicMs())));
}

/** One round; false when the channel has ended. */
function round(child: Child, onText: (chunk: string) => void, buffer: Uint8Array): boolean {
  const devices = [...child.devices];
  const fds = [CHANNEL_FD, ...devices.map(([, { fd }]) => fd)];
  const bytes = new ArrayBuffer(fds.length * 8);
  const numbers = new Int32Array(bytes);
  const events = new Int16Array(bytes);
  for (const [index, fd] of fds.entries()) {
    numbers[index * 2] = fd;
    events[index * 4 + 2] = POLLIN;
  }
  child.libc.poll(numbers, fds.length, waitMs(child));
  for (const [index, [name, device]] of devices.entries()) {
    const revents = events[(index + 1) * 4 + 3] ?? 0;
    if (revents !== 0) serve(child, name, device, revents);
  }
  if ((events[3] ?? 0) !== 0) {
    const got = readSync(CHANNEL_FD, buffer, 0, buffer.length, null);
    if (got === 0) return false;
    onText(Buffer.from(buffer.buffer, 0, got).toString('latin1'));
  }
  endLate(child);
  flush();
  return true;
}

async function main(): Promise<void> {
  const start = JSON.parse(process.argv[2] ?? '') as Start;
  const { default: koffi } = await import('koffi');
  const child: Child = {
    libc: await openLibc(),
    address: (bytes) => (bytes === NOTHING ? 0n : koffi.address(bytes)),
    majors: start.majors,
    devices: new Map(),
    open: new Set(),
    note: Int32Array.of(0),
  };
  note(child, NO_NOTE);
  const onText = lines((line) => hear(child, JSON.parse(line) as ToChild));
  const buffer = new Uint8Array(CHUNK_BYTES);
  tell({ op: 'ready' });
  flush();
  while (round(child, onText, buffer));
}

await main();
