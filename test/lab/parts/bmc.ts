/**
 * The BMC: OpenIPMI's simulator in a process of its own, reached by the machine through a KCS interface.
 * It has two power supplies and a sensor about their redundancy, and can be stopped to be stuck.
 *
 * Sensor records: IPMI 2.0 specification, section 43.2 (compact sensor record).
 */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { freePort } from '../host/loopback.ts';
import { modprobe, type Node, type Part, type Plan, until } from './part.ts';

interface Sensor {
  readonly number: number;
  readonly name: string;
  readonly entity: number;
  readonly instance: number;
  readonly type: number;
  readonly reading: number;
}

const SUPPLY = { entity: 0x0a, type: 0x08, reading: 0x6f } as const;
const SENSORS: readonly Sensor[] = [
  { number: 1, name: 'PS1 Status', instance: 1, ...SUPPLY },
  { number: 2, name: 'PS2 Status', instance: 2, ...SUPPLY },
  { number: 3, name: 'PS Redundancy', entity: 0x13, instance: 1, type: 0x09, reading: 0x0b },
];
const BIT = { present: 0, failed: 1, inputLost: 3 };
const REDUNDANCY = 3;

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}

function record({ number, name, entity, instance, type, reading }: Sensor): string {
  const text = [...Buffer.from(name)];
  const body = [
    ...[0x20, 0x00, number, entity, instance, 0x67, 0x40, type, reading],
    ...[0xff, 0x0f, 0xff, 0x0f, 0xff, 0x0f],
    ...[0xc0, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
    ...[0xc0 | text.length, ...text],
  ];
  const head = [number, 0x00, 0x51, 0x02, body.length];
  return `main_sdr_add 0x20 ${[...head, ...body].map(hex).join(' ')}`;
}

function commands(): string {
  const lines = [
    'mc_setbmc 0x20',
    'mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02',
    'sel_enable 0x20 1000 0x0a',
  ];
  for (const sensor of SENSORS) {
    lines.push(
      `sensor_add 0x20 0 ${sensor.number} ${hex(sensor.type)} ${hex(sensor.reading)}`,
      `sensor_set_event_support 0x20 0 ${sensor.number} enable scanning per-state 000111111111111 000111111111111 000111111111111 000111111111111`,
      record(sensor),
    );
  }
  lines.push(
    'mc_enable 0x20',
    set(1, BIT.present, 1),
    set(2, BIT.present, 1),
    set(REDUNDANCY, 0, 1),
  );
  return `${lines.join('\n')}\n`;
}

function set(sensor: number, bit: number, value: 0 | 1): string {
  return `sensor_set_bit 0x20 0 ${sensor} ${bit} ${value} 0`;
}

const simulators = new Map<string, ChildProcess>();

async function build({ name, run }: Plan): Promise<readonly string[]> {
  const port = await freePort();
  const settings = run.file(`${name}.bmc.conf`);
  const file = run.file(`${name}.bmc.emu`);
  writeFileSync(
    settings,
    `name "${name}"\nset_working_mc 0x20\nserial kcs 127.0.0.1 ${port} codec VM\n`,
  );
  writeFileSync(file, commands());
  const argv = ['ipmi_sim', '-c', settings, '-f', file, '-s', run.folder] as const;
  simulators.set(name, run.spawn(['ipmi_sim', ...argv.slice(1)], `${name}.bmc.log`));
  return [
    ...['-chardev', `socket,id=bmc,host=127.0.0.1,port=${port},reconnect=1`],
    ...['-device', 'ipmi-bmc-extern,id=bmc0,chardev=bmc', '-device', 'isa-ipmi-kcs,bmc=bmc0'],
  ];
}

async function tell(node: Node, ...lines: readonly string[]): Promise<number> {
  const { at } = await node.vm.guest.ask({ op: 'now' });
  simulators.get(node.name)?.stdin?.write(`${lines.join('\n')}\n`);
  return at;
}

async function stuck(node: Node, signal: 'SIGSTOP' | 'SIGCONT'): Promise<number> {
  const { at } = await node.vm.guest.ask({ op: 'now' });
  simulators.get(node.name)?.kill(signal);
  return at;
}

function redundancy(node: Node, full: boolean): Promise<number> {
  return tell(node, set(REDUNDANCY, 0, full ? 1 : 0), set(REDUNDANCY, 1, full ? 0 : 1));
}

export const part: Part = {
  name: 'bmc',
  has: (spec) => spec.hardware.includes('bmc'),
  build,
  unbuild: (name) => {
    simulators.get(name)?.kill('SIGKILL');
    simulators.delete(name);
  },
  settle: async (node) => {
    await modprobe(node, 'ipmi_si', 'ipmi_devintf');
    await until('the BMC', 30_000, async () => {
      const [ended] = await node.vm.guest.runAll([{ argv: ['test', '-e', '/dev/ipmi0'] }]);
      return ended?.status === 0;
    });
  },
  verbs: [
    {
      form: 'psu fail N',
      about: 'power supply N fails',
      act: (node, [n]) => tell(node, set(Number(n), BIT.failed, 1)),
    },
    {
      form: 'psu unplug N',
      about: 'power supply N loses its input',
      act: (node, [n]) => tell(node, set(Number(n), BIT.inputLost, 1)),
    },
    {
      form: 'psu mend N',
      about: 'power supply N works again',
      act: (node, [n]) =>
        tell(node, set(Number(n), BIT.failed, 0), set(Number(n), BIT.inputLost, 0)),
    },
    {
      form: 'psu lose-redundancy',
      about: 'the BMC says that redundancy is lost',
      act: (node) => redundancy(node, false),
    },
    {
      form: 'psu return-redundancy',
      about: 'the BMC says that power is redundant',
      act: (node) => redundancy(node, true),
    },
    { form: 'bmc hang', about: 'the BMC answers nothing', act: (node) => stuck(node, 'SIGSTOP') },
    { form: 'bmc go', about: 'the BMC answers again', act: (node) => stuck(node, 'SIGCONT') },
  ],
};
