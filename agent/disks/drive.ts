/** Runs one reservation machine on real paths to its end: carries its asks to the port and the answers back. */
import { answerOf } from '../../fencing/reservation/answer.ts';
import { step } from '../../fencing/reservation/engine.ts';
import type { Ask } from '../../fencing/reservation/look.ts';
import {
  begin,
  type Input,
  type Machine,
  type Policy,
  type Self,
} from '../../fencing/reservation/machine.ts';
import { isWrite } from '../../fencing/reservation/request.ts';
import { monotonicMs } from '../ports/clock.ts';
import type { ScsiPort } from '../ports/scsi.ts';
import { type Disk, pathsOf } from './look.ts';

const TIMES = { readMs: 2_000, writeMs: 10_000, everyMs: 500 };
const TICK_MS = 100;

export interface Drive<R> {
  /** Undefined when it had not ended by `withinMs`. */
  readonly result: R | undefined;
  readonly machine: Machine<unknown>;
}

/** Asks that go to one path in one message: all reads of a look, or one PR OUT. */
function groups(asks: readonly Ask[]): readonly (readonly Ask[])[] {
  const reads = new Map<string, Ask[]>();
  const writes: Ask[][] = [];
  for (const ask of asks) {
    if (isWrite(ask.request)) writes.push([ask]);
    else reads.set(ask.path, [...(reads.get(ask.path) ?? []), ask]);
  }
  return [...reads.values(), ...writes];
}

export function drive<M, R>(
  port: ScsiPort,
  disk: Disk,
  self: Self,
  policy: Policy<M, R>,
  memory: M,
  withinMs: number,
): Promise<Drive<R>> {
  return new Promise((resolve) => {
    const devices = new Map(disk.paths.map(({ node }) => [node.name, node.device]));
    let machine = begin(self, TIMES, pathsOf(disk), memory, monotonicMs());
    const end = (result: R | undefined): void => {
      clearInterval(timer);
      clearTimeout(late);
      resolve({ result, machine });
    };
    const turn = (input: Input): void => {
      if (machine.ended) return;
      const next = step(machine, monotonicMs(), input, policy);
      machine = next.machine;
      if (next.result !== undefined) end(next.result);
      for (const asks of groups(next.asks)) void carry(asks);
    };
    const carry = async (asks: readonly Ask[]): Promise<void> => {
      const [first] = asks;
      if (first === undefined) return;
      const path = { device: devices.get(first.path) ?? '', wwid: disk.wwid };
      const completions = await port.send(
        path,
        asks.map(({ request }) => request),
        {
          deadlineMs: first.deadlineMs,
          onLate: (index, completion) => {
            const ask = asks[index];
            if (ask !== undefined) {
              turn({ is: 'answer', id: ask.id, answer: answerOf(ask.request, completion) });
            }
          },
        },
      );
      for (const [index, { id, request }] of asks.entries()) {
        const completion = completions[index] ?? { kind: 'late', why: 'no answer' };
        turn({ is: 'answer', id, answer: answerOf(request, completion) });
      }
    };
    const timer = setInterval(() => turn({ is: 'tick' }), TICK_MS);
    const late = setTimeout(() => end(undefined), withinMs);
    turn({ is: 'tick' });
  });
}
