/**
 * QEMU's machine protocol: what is done to a machine from outside (cables, disks, power). Commands are
 * answered in order; events are only waited for, never acted on.
 */
import { connect } from './channel.ts';
import { lineReader } from './protocol.ts';

interface Reply {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
  readonly data?: unknown;
}

export interface Qmp {
  readonly execute: (command: string, args?: Readonly<Record<string, unknown>>) => Promise<unknown>;
  /** Resolves at the next event of this name whose data satisfies the test. */
  readonly event: (name: string, is: (data: unknown) => boolean, withinMs: number) => Promise<void>;
  readonly close: () => void;
}

interface Expected {
  readonly name: string;
  readonly is: (data: unknown) => boolean;
  readonly done: () => void;
}

export async function openQmp(path: string, deadlineMs: number): Promise<Qmp> {
  const socket = await connect(path, deadlineMs);
  const waiting: ((reply: Reply) => void)[] = [];
  const expected = new Set<Expected>();
  socket.setEncoding('utf8');
  socket.on('error', () => undefined);
  socket.on('close', () => {
    for (const done of waiting.splice(0)) done({ error: { desc: 'QEMU is gone' } });
  });
  socket.on(
    'data',
    lineReader((line) => {
      const reply = JSON.parse(line) as Reply;
      if (reply.event !== undefined) {
        for (const one of expected) if (one.name === reply.event && one.is(reply.data)) one.done();
      } else if ('return' in reply || 'error' in reply) waiting.shift()?.(reply);
    }),
  );
  const execute: Qmp['execute'] = (command, args) =>
    new Promise((resolve, reject) => {
      if (socket.destroyed) {
        reject(new Error(`${command}: QEMU is gone`));
        return;
      }
      waiting.push((reply) => {
        if (reply.error === undefined) resolve(reply.return);
        else reject(new Error(`${command}: ${reply.error.desc}`));
      });
      socket.write(`${JSON.stringify({ execute: command, arguments: args ?? {} })}\n`);
    });
  await execute('qmp_capabilities');
  return {
    execute,
    event: (name, is, withinMs) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          expected.delete(one);
          reject(new Error(`no ${name} from QEMU`));
        }, withinMs);
        const one: Expected = {
          name,
          is,
          done: () => {
            clearTimeout(late);
            expected.delete(one);
            resolve();
          },
        };
        expected.add(one);
      }),
    close: () => socket.destroy(),
  };
}
