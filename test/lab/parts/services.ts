/**
 * Units of systemd that nospof keeps running (`units`), on a machine whose first process is systemd: killed,
 * broken, mended, and measured: how long after its death systemd had a killed one forked anew.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Node, type Part, run, until } from './part.ts';
import { command } from './system.ts';

const UNITS = '/run/systemd/system';
const WITHIN_MS = 60_000;
/** Nobody asks systemd for so long after a kill: a question would be in the way of what is measured. */
const QUIET_MS = 1_000;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

interface Life {
  readonly pid: number;
  /** When it was forked, on the machine's monotonic clock. */
  readonly startedMs: number;
}

async function lifeOf(node: Node, unit: string): Promise<Life> {
  const names = ['MainPID', 'ExecMainStartTimestampMonotonic'];
  const out = await run(node, 'systemctl', 'show', '--property', names.join(','), unit);
  const value = (name: string): number =>
    Number(new RegExp(`^${name}=(\\d+)$`, 'mu').exec(out)?.[1]);
  return { pid: value('MainPID'), startedMs: value('ExecMainStartTimestampMonotonic') / 1000 };
}

async function kill(node: Node, unit: string): Promise<number> {
  const { pid } = await lifeOf(node, unit);
  if (!(pid > 0)) throw new Error(`${unit} does not run`);
  return (await node.vm.guest.ask({ op: 'signal', pid, signal: 'SIGKILL' })).at;
}

async function killOften(node: Node, unit: string, times: number): Promise<undefined> {
  const took: number[] = [];
  for (let count = 0; count < times; count += 1) {
    const at = await kill(node, unit);
    await pause(QUIET_MS);
    let life = await lifeOf(node, unit);
    await until(`${unit} to run again`, WITHIN_MS, async () => {
      life = await lifeOf(node, unit);
      return life.pid > 0 && life.startedMs > at;
    });
    took.push(life.startedMs - at);
  }
  const [middle, worst] = [median(took), Math.max(...took)].map((ms) => ms.toFixed(1));
  node.figures.push(
    `${unit} killed ${times} times: forked anew after ${middle} ms, worst ${worst}`,
  );
  return undefined;
}

async function reload(node: Node, unit: string, text: string): Promise<undefined> {
  await node.vm.guest.write(`${UNITS}/${unit}`, text);
  await run(node, 'systemctl', 'daemon-reload');
  return undefined;
}

function textOf({ spec }: Node, unit: string): string {
  const text = spec.units[unit];
  if (text === undefined) throw new Error(`units are ${Object.keys(spec.units).join(', ')}`);
  return text;
}

export const part: Part = {
  name: 'services',
  has: (spec) => Object.keys(spec.units).length > 0,
  settle: async (node) => {
    for (const [unit, text] of Object.entries(node.spec.units)) {
      await node.vm.guest.write(`${UNITS}/${unit}`, text);
    }
    await run(node, 'systemctl', 'daemon-reload');
  },
  verbs: [
    {
      form: 'unit kill UNIT',
      about: 'the main process of a unit is killed',
      act: (node, [unit = '']) => kill(node, unit),
    },
    {
      form: 'unit kill UNIT TIMES',
      about: 'it is killed several times, whenever it runs again; measures how soon that is',
      act: (node, [unit = '', times]) => killOften(node, unit, Number(times)),
    },
    {
      form: 'unit spoil UNIT',
      about: 'the program of a unit ends with status 9 as soon as it is started anew',
      act: (node, [unit = '']) =>
        reload(
          node,
          unit,
          textOf(node, unit).replace(/^ExecStart=.*$/mu, "ExecStart=/bin/sh -c 'exit 9'"),
        ),
    },
    {
      form: 'unit mend UNIT',
      about: 'its program is as it was',
      act: (node, [unit = '']) => reload(node, unit, textOf(node, unit)),
    },
    {
      form: 'service clear SERVICE',
      about: 'an operator has nospof try a service again that it gave up',
      act: async (node, [service = '']) => {
        await run(node, ...command('service', 'clear', service));
        return undefined;
      },
    },
  ],
};
