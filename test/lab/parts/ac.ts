/**
 * The ACPI AC adapter: a table of our own (`ac.asl`) beside QEMU's, bound by the kernel's driver. The
 * machine itself flips the byte that stands for the plug; the change is then notified by the firmware.
 */
import { join } from 'node:path';
import { DATA } from '../host/files.ts';
import { run as runHere } from '../host/prepare.ts';
import { modprobe, type Node, type Part, until } from './part.ts';

const PORT = 0xe0;
const TELL = '/sys/bus/acpi/devices/NSPF0001:00/status';
const ONLINE = '/sys/class/power_supply/AC0/online';

async function plug(node: Node, byte: '\0' | '\xff'): Promise<number> {
  const { guest } = node.vm;
  const { at } = await guest.ask({ op: 'write', path: '/dev/port', latin1: byte, at: PORT });
  await guest.read(TELL);
  return at;
}

export const part: Part = {
  name: 'ac',
  has: (spec) => spec.hardware.includes('ac'),
  build: async ({ name, run }) => {
    const table = run.file(`${name}-ac`);
    runHere(['iasl', '-p', table, join(DATA, 'parts/ac.asl')]);
    return ['-acpitable', `file=${table}.aml`, '-device', 'pc-testdev'];
  },
  settle: async (node) => {
    await node.vm.guest.ask({ op: 'write', path: '/dev/port', latin1: '\0', at: PORT });
    await modprobe(node, 'ac');
    await until('the AC adapter', 30_000, async () =>
      (await node.vm.guest.read(ONLINE)).startsWith('1'),
    );
  },
  verbs: [
    { form: 'ac lose', about: 'the AC adapter loses its power', act: (node) => plug(node, '\xff') },
    { form: 'ac return', about: 'AC power returns', act: (node) => plug(node, '\0') },
  ],
};
