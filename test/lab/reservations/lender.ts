/** The lab's end of a machine that lends its disks. */
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { Completion } from '../../../fencing/reservation/answer.ts';
import type { Request } from '../../../fencing/reservation/request.ts';
import { DIST } from '../host/files.ts';
import type { Node } from '../parts/part.ts';
import { lineReader } from '../vm/protocol.ts';
import { fromWire, type Lend, type Lent, toWire } from './wire.ts';

const PORT = 9990;
const START_MS = 60_000;

export interface LentPath {
  readonly name: string;
  readonly device: string;
  readonly block: string | undefined;
  readonly address: string;
  readonly initiator: string | undefined;
  readonly port: number | undefined;
}

export interface LentDisk {
  readonly wwid: string;
  readonly paths: readonly LentPath[];
}

export interface Lender {
  readonly node: Node;
  readonly disks: () => Promise<readonly LentDisk[]>;
  readonly send: (
    device: string,
    wwid: string | undefined,
    requests: readonly Request[],
    deadlineMs?: number,
  ) => Promise<readonly Completion[]>;
  /** Any other order; an error of the machine is an error here. */
  readonly order: <R>(order: Order, withinMs?: number) => Promise<R>;
  readonly close: () => void;
}

const DEADLINE_MS = 60_000;

type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;
export type Order = Unnumbered<Lend>;

/** Starts lending on a machine and connects to it. */
export async function openLender(node: Node): Promise<Lender> {
  const { guest } = node.vm;
  const file = join(DIST, 'test/lab/reservations/lend.js');
  const log = '/run/lab/lend.log';
  await guest.ask({ op: 'start', argv: [process.execPath, file, String(PORT)], log });
  const port = await guest.forward(PORT);
  const waiting = new Map<number, (result: unknown) => void>();
  let id = 0;
  const open = (): ReturnType<typeof createConnection> => {
    const socket = createConnection(port, '127.0.0.1');
    socket.setEncoding('utf8').on(
      'data',
      lineReader((line) => {
        const lent = fromWire(line) as Lent;
        waiting.get(lent.id)?.(lent.result);
        waiting.delete(lent.id);
      }),
    );
    socket.on('error', () => undefined);
    return socket;
  };
  let socket = open();
  const ask = (message: object, withinMs: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      id += 1;
      const own = id;
      const late = setTimeout(() => {
        waiting.delete(own);
        reject(new Error(`${node.name} does not lend its disks`));
      }, withinMs);
      waiting.set(own, (result) => {
        clearTimeout(late);
        resolve(result);
      });
      socket.write(`${toWire({ id: own, ...message })}\n`);
    });
  const end = Date.now() + START_MS;
  for (;;) {
    try {
      await ask({ op: 'paths' }, 3_000);
      break;
    } catch (error) {
      if (Date.now() > end)
        throw new Error(`${(error as Error).message}: ${await guest.read(log)}`);
      socket.destroy();
      socket = open();
    }
  }
  return {
    node,
    disks: async () => (await ask({ op: 'paths' }, DEADLINE_MS)) as readonly LentDisk[],
    send: async (device, wwid, requests, deadlineMs = 20_000) =>
      (await ask(
        { op: 'send', device, wwid, requests, deadlineMs },
        deadlineMs + DEADLINE_MS,
      )) as readonly Completion[],
    order: async <R>(order: Order, withinMs = DEADLINE_MS) => {
      const result = (await ask(order, withinMs)) as { readonly error?: string };
      if (result?.error !== undefined) throw new Error(`${node.name}: ${result.error}`);
      return result as R;
    },
    close: () => socket.destroy(),
  };
}
