/** The watchdog timer of an Intel 6300ESB; one that runs out resets the machine, which ends it here. */
import { modprobe, type Node, type Part, run } from './part.ts';

const PERIOD = ['-T', '60', '-t', '5'];

async function feeder(node: Node): Promise<string> {
  const [ended] = await node.vm.guest.runAll([{ argv: ['pidof', '-s', 'busybox'] }]);
  return ended?.out.trim() ?? '';
}

export const part: Part = {
  name: 'watchdog',
  has: (spec) => spec.hardware.includes('watchdog'),
  build: async () => ['-device', 'i6300esb', '-action', 'watchdog=reset'],
  settle: (node) => modprobe(node, 'i6300esb'),
  verbs: [
    {
      form: 'watchdog arm',
      about: 'a program opens the watchdog and feeds it',
      act: async (node) => {
        const argv = ['busybox', 'watchdog', '-F', ...PERIOD, '/dev/watchdog0'] as const;
        const { at } = await node.vm.guest.ask({
          op: 'start',
          argv: ['busybox', ...argv.slice(1)],
          log: '/run/lab/watchdog.log',
        });
        return at;
      },
    },
    {
      form: 'watchdog disarm',
      about: 'that program closes the watchdog in the proper way',
      act: async (node) => {
        await run(node, 'kill', '-TERM', await feeder(node));
        return undefined;
      },
    },
  ],
};
