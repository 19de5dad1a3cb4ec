/**
 * Looks at disks: which paths lead to the same one, and what its table of registrations says. Every path is
 * asked by itself, at the same time as the others; one that hangs costs its own line.
 */
import {
  type Answer,
  answerOf,
  answerText,
  type Completion,
  type Reply,
} from '../../fencing/reservation/answer.ts';
import { IN_BYTES_MAX, type Request } from '../../fencing/reservation/request.ts';
import type { Path, Table } from '../../fencing/reservation/table.ts';
import { tableOf } from '../../fencing/reservation/table.ts';
import type { ScsiPort } from '../ports/scsi.ts';
import type { SgNode } from './paths.ts';

export const READ_MS = 3_000;
const TRIES_MAX = 8;

export interface DiskPath {
  readonly node: SgNode;
  /** Relative target port; undefined where the disk does not tell. */
  readonly port: number | undefined;
}

export interface Disk {
  readonly wwid: string;
  readonly paths: readonly DiskPath[];
}

export interface Found {
  readonly disks: readonly Disk[];
  /** Paths that could not be asked which disk they lead to. */
  readonly mute: readonly { readonly node: SgNode; readonly why: string }[];
}

async function ask(
  port: ScsiPort,
  device: string,
  wwid: string | undefined,
  request: Request,
): Promise<Answer> {
  let answer: Answer = { is: 'unsent', why: 'not tried' };
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const [completion] = await port.send({ device, wwid }, [request], { deadlineMs: READ_MS });
    const gone: Completion = { kind: 'unsent', why: 'no answer' };
    answer = answerOf(request, completion ?? gone);
    if (answer.is !== 'attention' && answer.is !== 'busy') return answer;
  }
  return answer;
}

/** Asks every path which disk it leads to. */
export async function findDisks(port: ScsiPort, nodes: readonly SgNode[]): Promise<Found> {
  const answers = await Promise.all(
    nodes.map((node) => ask(port, node.device, undefined, { ask: 'device-id' })),
  );
  const disks = new Map<string, DiskPath[]>();
  const mute: { node: SgNode; why: string }[] = [];
  for (const [index, answer] of answers.entries()) {
    const node = nodes[index];
    if (node === undefined) continue;
    const reply =
      answer.is === 'good' && answer.reply.of === 'device-id' ? answer.reply : undefined;
    if (reply?.wwid === undefined) {
      const why = answer.is === 'good' ? 'the disk gives no identity' : answerText(answer);
      mute.push({ node, why });
      continue;
    }
    const paths = disks.get(reply.wwid) ?? [];
    paths.push({ node, port: reply.port });
    disks.set(reply.wwid, paths);
  }
  return { disks: [...disks].map(([wwid, paths]) => ({ wwid, paths })), mute };
}

/** The paths of a disk as the machines know them; two that cannot be told apart have no initiator. */
export function pathsOf({ paths }: Disk): readonly Path[] {
  const names = paths.map(({ node, port }) => `${node.initiator} ${port}`);
  return paths.map(({ node, port }, index) => {
    const { name, initiator } = node;
    const alone = names.indexOf(names[index] ?? '') === names.lastIndexOf(names[index] ?? '');
    if (initiator === undefined || port === undefined || !alone) return { name };
    return { name, initiator, port };
  });
}

/** What a disk can, as far as it tells. */
export type Capabilities = Extract<Reply, { of: 'capabilities' }>;

export interface Seen {
  readonly table: Table | undefined;
  readonly capabilities: Capabilities | undefined;
  /** Why there is no table. */
  readonly why: string;
  /** By path: why it did not answer. */
  readonly failed: ReadonlyMap<string, string>;
}

/** One table by one path; a list that was cut or a table that moved is read again. */
async function tableBy(port: ScsiPort, wwid: string, node: SgNode): Promise<Table | string> {
  let why = '';
  let bytes: number | undefined;
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const size = bytes === undefined ? {} : { bytes };
    const reservation = await ask(port, node.device, wwid, { ask: 'reservation' });
    const keys = await ask(port, node.device, wwid, { ask: 'keys', ...size });
    const full = await ask(port, node.device, wwid, { ask: 'full-status', ...size });
    if (reservation.is !== 'good' || reservation.reply.of !== 'reservation') {
      return answerText(reservation);
    }
    if (keys.is !== 'good' || keys.reply.of !== 'keys') return answerText(keys);
    const status = full.is === 'good' && full.reply.of === 'full-status' ? full.reply : undefined;
    const table = tableOf(0, node.name, keys.reply, reservation.reply, status);
    if (!('why' in table)) return table;
    why = table.why;
    bytes = IN_BYTES_MAX;
  }
  return why;
}

/** Looks at a disk by each of its paths; the table of the first that answers counts. */
export async function lookAt(port: ScsiPort, { wwid, paths }: Disk): Promise<Seen> {
  const tables = await Promise.all(paths.map(({ node }) => tableBy(port, wwid, node)));
  const failed = new Map<string, string>();
  let table: Table | undefined;
  for (const [index, one] of tables.entries()) {
    const name = paths[index]?.node.name ?? '';
    if (typeof one === 'string') failed.set(name, one);
    else table ??= one;
  }
  const by = paths.find(({ node }) => node.name === table?.path);
  const told =
    by === undefined ? undefined : await ask(port, by.node.device, wwid, { ask: 'capabilities' });
  const capabilities =
    told?.is === 'good' && told.reply.of === 'capabilities' ? told.reply : undefined;
  return { table, capabilities, why: [...failed.values()][0] ?? '', failed };
}
