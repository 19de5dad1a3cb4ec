/**
 * Network cards with cables that can be pulled, and bonds over them. A network of one machine is a hub
 * inside its QEMU; one that joins machines is a multicast group on this host's loopback.
 */
import { modprobe, type Node, type Part, type Plan, run } from './part.ts';

const HEX_OCTET = 16;
const GROUP = '230.0.0.1';

function octet(text: string): string {
  let sum = 0;
  for (const char of text) sum = (sum * 31 + char.charCodeAt(0)) % 256;
  return sum.toString(HEX_OCTET).padStart(2, '0');
}

function build({ name, spec, networkPort, shared }: Plan): readonly string[] {
  const networks = [...new Set(Object.values(spec.nics))];
  return Object.entries(spec.nics).flatMap(([nic, network]) => {
    const back = shared(network)
      ? `socket,id=net-${nic},mcast=${GROUP}:${networkPort(network)},localaddr=127.0.0.1`
      : `hubport,id=net-${nic},hubid=${networks.indexOf(network)}`;
    const mac = `52:54:00:${octet(name)}:00:${octet(nic)}`;
    const card = `virtio-net-pci,id=${nic},netdev=net-${nic},mac=${mac},romfile=`;
    return ['-netdev', back, '-device', card];
  });
}

async function settle(node: Node): Promise<void> {
  const { spec, vm } = node;
  await modprobe(node, 'virtio_net');
  for (const [bond, nics] of Object.entries(spec.bonds)) {
    await run(node, 'modprobe', 'bonding', 'max_bonds=0');
    const mode = ['mode', 'active-backup', 'miimon', '100'];
    await run(node, 'ip', 'link', 'add', bond, 'type', 'bond', ...mode);
    for (const nic of nics) await run(node, 'ip', 'link', 'set', nic, 'master', bond);
    await run(node, 'ip', 'link', 'set', bond, 'up');
  }
  for (const nic of Object.keys(spec.nics)) await run(node, 'ip', 'link', 'set', nic, 'up');
  for (const [link, address] of Object.entries(spec.addresses)) {
    await vm.guest.run(['ip', 'address', 'add', address, 'dev', link]);
  }
  if (spec.gateway !== undefined) {
    await run(node, 'ip', 'route', 'add', 'default', 'via', spec.gateway);
  }
}

async function cable(node: Node, nic: string | undefined, up: boolean): Promise<undefined> {
  await node.vm.qmp.execute('set_link', { name: nic ?? '', up });
  return undefined;
}

async function flap(node: Node, nic: string | undefined, times: number): Promise<undefined> {
  for (let count = 0; count < times; count += 1) {
    await cable(node, nic, false);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await cable(node, nic, true);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return undefined;
}

/** tc-netem(8): what a card sends is lost, late or doubled. */
async function shape(node: Node, nic: string, ...how: string[]): Promise<undefined> {
  await modprobe(node, 'sch_netem');
  await run(node, 'tc', 'qdisc', 'replace', 'dev', nic, 'root', 'netem', ...how);
  return undefined;
}

const WAYS: Readonly<Record<string, readonly string[]>> = {
  out: ['egress'],
  in: ['ingress'],
  both: ['egress', 'ingress'],
};

/** The carrier stays: a switch on the way drops everything, also what resolves addresses. */
async function cut(node: Node, nic: string, way: string): Promise<undefined> {
  const ends = WAYS[way];
  if (ends === undefined) throw new Error(`a network is cut ${Object.keys(WAYS).join(', ')}`);
  await modprobe(node, 'sch_ingress', 'cls_matchall', 'act_gact');
  await run(node, 'tc', 'qdisc', 'replace', 'dev', nic, 'clsact');
  for (const end of ends) {
    const drop = ['matchall', 'action', 'drop'];
    await run(node, 'tc', 'filter', 'replace', 'dev', nic, end, 'prio', '1', ...drop);
  }
  return undefined;
}

async function mend(node: Node, nic: string): Promise<undefined> {
  for (const where of ['root', 'clsact']) {
    // What was not there cannot be taken away, and need not be.
    await node.vm.guest.runAll([{ argv: ['tc', 'qdisc', 'delete', 'dev', nic, where] }]);
  }
  return undefined;
}

export const part: Part = {
  name: 'nics',
  has: (spec) => Object.keys(spec.nics).length > 0,
  build: async (plan) => build(plan),
  settle,
  verbs: [
    {
      form: 'cable pull NIC',
      about: 'the cable of a card is pulled',
      act: (node, [nic]) => cable(node, nic, false),
    },
    {
      form: 'cable plug NIC',
      about: 'it is plugged in again',
      act: (node, [nic]) => cable(node, nic, true),
    },
    {
      form: 'cable flap NIC TIMES',
      about: 'a bad cable: pulled and plugged several times',
      act: (node, [nic, times]) => flap(node, nic, Number(times)),
    },
    {
      form: 'net cut NIC WAY',
      about: 'packets are dropped on their way out, in, or both; the cable stays',
      act: (node, [nic = '', way = '']) => cut(node, nic, way),
    },
    {
      form: 'net lose NIC PERCENT',
      about: 'packets a card sends are lost, so many of a hundred',
      act: (node, [nic = '', percent]) => shape(node, nic, 'loss', `${Number(percent)}%`),
    },
    {
      form: 'net delay NIC MS',
      about: 'packets a card sends are late',
      act: (node, [nic = '', delay]) => shape(node, nic, 'delay', `${Number(delay)}ms`),
    },
    {
      form: 'net double NIC PERCENT',
      about: 'packets a card sends arrive twice, so many of a hundred',
      act: (node, [nic = '', percent]) => shape(node, nic, 'duplicate', `${Number(percent)}%`),
    },
    {
      form: 'net mend NIC',
      about: 'packets arrive again as they were sent',
      act: (node, [nic = '']) => mend(node, nic),
    },
  ],
};
