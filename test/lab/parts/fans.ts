/**
 * Fans, temperatures and voltages: the registers of an ADT7475 on a stub bus, bound to the kernel's own
 * driver. Its status bits are set with the values, because the stub has registers but no comparators.
 *
 * Register map: data sheet of the ADT7475 and drivers/hwmon/adt7475.c.
 */
import { modprobe, type Node, type Part, run, until } from './part.ts';

const ADDRESS = '0x2e';
/** The driver keeps what it read for two seconds. */
const TACH_CLOCK = 5_400_000;
const RPM = { run: 3_000, slow: 600, least: 1_000 };
const FANS = [1, 2, 3, 4];
const STATUS_FANS = 0x42;
const STATUS_REST = 0x41;
const REMOTE_CELSIUS = 0x25;
const TWOS_COMPLEMENT_CONFIG5 = 0x7c;

type Registers = readonly (readonly [register: number, value: number])[];

function tach(fan: number, rpm: number): Registers {
  const count = rpm === 0 ? 0xffff : Math.round(TACH_CLOCK / rpm);
  const low = 0x28 + 2 * (fan - 1);
  return [
    [low, count & 0xff],
    [low + 1, count >> 8],
  ];
}

function least(fan: number, rpm: number): Registers {
  const count = Math.round(TACH_CLOCK / rpm);
  const low = 0x54 + 2 * (fan - 1);
  return [
    [low, count & 0xff],
    [low + 1, count >> 8],
  ];
}

async function busOf(node: Node): Promise<string> {
  const { names = [] } = await node.vm.guest.ask({ op: 'list', path: '/sys/bus/i2c/devices' });
  for (const name of names.filter((one) => one.startsWith('i2c-'))) {
    const text = await node.vm.guest.read(`/sys/bus/i2c/devices/${name}/name`);
    if (text.startsWith('SMBus stub driver')) return name.slice(4);
  }
  throw new Error('no stub bus');
}

async function set(node: Node, bus: string, registers: Registers): Promise<number> {
  const commands = registers.map(
    ([register, value]) =>
      ['i2cset', '-f', '-y', bus, ADDRESS, String(register), String(value)] as const,
  );
  await node.vm.guest.run(...commands);
  return (await node.vm.guest.ask({ op: 'now' })).at;
}

async function settle(node: Node): Promise<void> {
  await modprobe(node, 'i2c-dev', 'adt7475');
  await run(node, 'modprobe', 'i2c-stub', `chip_addr=${ADDRESS}`);
  const bus = await busOf(node);
  await set(node, bus, [
    [0x3d, 0x75],
    [0x3e, 0x41],
    [0x3f, 0x69],
    [0x40, 0x05],
    [TWOS_COMPLEMENT_CONFIG5, 0x01],
    ...[0x25, 0x26, 0x27].map((register) => [register, 35] as const),
    ...[0x4e, 0x50, 0x52].map((register) => [register, 0] as const),
    ...[0x4f, 0x51, 0x53].map((register) => [register, 80] as const),
    ...[0x6a, 0x6b, 0x6c].map((register) => [register, 100] as const),
    ...[0x21, 0x22].map((register) => [register, 0xc0] as const),
    ...[0x47, 0x49].map((register) => [register, 0xff] as const),
    // Half duty: a fan that is told to stand still is not a failed one.
    ...[0x30, 0x31, 0x32].map((register) => [register, 0x80] as const),
    ...FANS.flatMap((fan) => [...tach(fan, RPM.run), ...least(fan, RPM.least)]),
  ]);
  const chip = `/sys/bus/i2c/devices/i2c-${bus}/new_device`;
  await node.vm.guest.write(chip, `adt7475 ${ADDRESS}`);
}

/** The bit of a fan in the second status register. */
function alarm(fan: number): number {
  return 1 << (fan + 1);
}

function fanOf(text: string | undefined): number {
  const fan = Number(text);
  if (!FANS.includes(fan)) throw new Error(`fans are ${FANS.join(', ')}`);
  return fan;
}

async function turn(node: Node, text: string | undefined, rpm: number): Promise<number> {
  const fan = fanOf(text);
  const status = rpm < RPM.least ? alarm(fan) : 0;
  return set(node, await busOf(node), [...tach(fan, rpm), [STATUS_FANS, status]]);
}

async function heat(node: Node, celsius: number): Promise<number> {
  const status = celsius > 80 ? 0x10 : 0;
  return set(node, await busOf(node), [
    [REMOTE_CELSIUS, celsius & 0xff],
    [STATUS_REST, status],
  ]);
}

async function driver(node: Node, verb: 'bind' | 'unbind'): Promise<number> {
  const device = `${await busOf(node)}-002e`;
  const { at } = await node.vm.guest.write(`/sys/bus/i2c/drivers/adt7475/${verb}`, device);
  return at;
}

export const part: Part = {
  name: 'fans',
  has: (spec) => spec.hardware.includes('fans'),
  settle: async (node) => {
    await settle(node);
    await until('the fan chip', 30_000, async () => {
      const { names = [] } = await node.vm.guest.ask({ op: 'list', path: '/sys/class/hwmon' });
      return names.length > 0;
    });
  },
  verbs: [
    { form: 'fan stop N', about: 'fan N stands still', act: (node, [n]) => turn(node, n, 0) },
    {
      form: 'fan slow N',
      about: 'fan N turns too slowly',
      act: (node, [n]) => turn(node, n, RPM.slow),
    },
    {
      form: 'fan run N',
      about: 'fan N turns as it should',
      act: (node, [n]) => turn(node, n, RPM.run),
    },
    {
      form: 'sensor heat C',
      about: 'the first temperature sensor reads C degrees Celsius',
      act: (node, [c]) => heat(node, Number(c)),
    },
    {
      form: 'chip lose',
      about: 'the fan chip loses its driver',
      act: (node) => driver(node, 'unbind'),
    },
    {
      form: 'chip return',
      about: 'the driver takes the fan chip again',
      act: (node) => driver(node, 'bind'),
    },
  ],
};
