/**
 * The kernel itself: a real oops, a function that fails, and the times at which the kernel came to know
 * of something, from its own tracer on CLOCK_MONOTONIC.
 */
import { type Failing, jumpToNull, makeFail } from '../vm/gdb.ts';
import { type Node, type Part, run } from './part.ts';

export const TRACING = '/sys/kernel/tracing';
/** A system call that `busybox free` makes; at its entry no lock is held. */
const VICTIM = '__x64_sys_sysinfo';
const EIO = 5;

async function addressOf(node: Node, name: string): Promise<bigint> {
  const text = await run(node, 'grep', '-w', name, '/proc/kallsyms');
  const address = /^([0-9a-f]{16}) /u.exec(text)?.[1];
  if (address === undefined) throw new Error(`the kernel has no function ${name}`);
  return BigInt(`0x${address}`);
}

let uses = 0;
function socketOf(node: Node): string {
  uses += 1;
  return node.run.file(`${node.name}.gdb${uses}`);
}

async function oops(node: Node): Promise<undefined> {
  const { qmp, guest } = node.vm;
  const address = await addressOf(node, VICTIM);
  await jumpToNull(qmp, socketOf(node), address, () =>
    guest.runAll([{ argv: ['busybox', 'free'], deadlineMs: 10_000 }]),
  );
  return undefined;
}

const failing = new Map<string, Failing>();

async function fail(node: Node, name: string): Promise<undefined> {
  const address = await addressOf(node, name);
  failing.set(`${node.name} ${name}`, await makeFail(node.vm.qmp, socketOf(node), address, EIO));
  return undefined;
}

async function mend(node: Node, name: string): Promise<undefined> {
  const key = `${node.name} ${name}`;
  await failing.get(key)?.mend();
  failing.delete(key);
  return undefined;
}

/** Has the kernel note the time of each call of one of its functions. */
export async function traceCalls(node: Node, name: string): Promise<void> {
  const { guest } = node.vm;
  await guest.write(`${TRACING}/trace_clock`, 'mono');
  const line = `p:lab/${name} ${name}\n`;
  await guest.ask({ op: 'write', path: `${TRACING}/kprobe_events`, latin1: line, append: true });
  await guest.write(`${TRACING}/events/lab/${name}/enable`, '1');
}

/** The first call after the given time, in the machine's monotonic milliseconds. */
export async function firstCall(
  node: Node,
  name: string,
  afterMs: number,
): Promise<number | undefined> {
  const text = await node.vm.guest.read(`${TRACING}/trace`);
  for (const [, seconds = '', found] of text.matchAll(/ (\d+\.\d+): (\w+): \(/gu)) {
    if (found === name && Number(seconds) * 1000 >= afterMs) return Number(seconds) * 1000;
  }
  return undefined;
}

/** Forgets the calls noted so far and notes no more. */
export async function untrace(node: Node, name: string): Promise<void> {
  const { guest } = node.vm;
  await guest.write(`${TRACING}/events/lab/${name}/enable`, '0');
  await guest.write(`${TRACING}/trace`, '');
  const line = `-:lab/${name}\n`;
  await guest.ask({ op: 'write', path: `${TRACING}/kprobe_events`, latin1: line, append: true });
}

export const part: Part = {
  name: 'kernel',
  has: () => true,
  verbs: [
    { form: 'kernel oops', about: 'a process of the machine crashes inside the kernel', act: oops },
    {
      form: 'kernel fail FUNCTION',
      about: 'a function of the kernel returns EIO, as if its hardware did not answer',
      act: (node, [name = '']) => fail(node, name),
    },
    {
      form: 'kernel mend FUNCTION',
      about: 'it works again',
      act: (node, [name = '']) => mend(node, name),
    },
  ],
};
