/**
 * The power supplies of a node and the outlets they hang on. The verbs go to the switches as an operator
 * would, by their own protocols; what the switch then does to the node is the lab's wiring.
 */
import { outletOf, type Power } from '../host/power.ts';
import { order } from '../host/power-client.ts';
import type { Node, Part } from './part.ts';

function powerOf({ power, name }: Node): Power {
  if (power === undefined) throw new Error(`no switch feeds ${name}`);
  return power;
}

function feedOf({ name, spec }: Node, text: string | undefined): ReturnType<typeof outletOf> {
  const feed = spec.feeds[Number(text) - 1];
  if (feed === undefined) throw new Error(`${name} has ${spec.feeds.length} feeds`);
  return outletOf(feed);
}

async function switchFeed(node: Node, text: string | undefined, on: boolean): Promise<undefined> {
  const { name, outlet } = feedOf(node, text);
  await order(powerOf(node).address(name), outlet, on);
  return undefined;
}

async function switchAll(node: Node, on: boolean): Promise<undefined> {
  for (const index of node.spec.feeds.keys()) await switchFeed(node, String(index + 1), on);
  return undefined;
}

async function chassis(node: Node, on: boolean): Promise<undefined> {
  if (node.spec.chassis === undefined) throw new Error(`${node.name} has no BMC on the network`);
  await order(powerOf(node).address(node.spec.chassis), 1, on);
  return undefined;
}

async function stick(node: Node, text: string | undefined, stuck: boolean): Promise<undefined> {
  const { name, outlet } = feedOf(node, text);
  powerOf(node).stick(name, outlet, stuck);
  return undefined;
}

async function hang(node: Node, name: string, hung: boolean): Promise<undefined> {
  powerOf(node).hang(name, hung);
  return undefined;
}

export const part: Part = {
  name: 'power',
  has: ({ feeds, chassis: bmc }) => feeds.length > 0 || bmc !== undefined,
  verbs: [
    {
      form: 'feed cut N',
      about: "feed N is switched off at its switch's outlet",
      act: (node, [n]) => switchFeed(node, n, false),
    },
    {
      form: 'feed return N',
      about: 'it is switched on',
      act: (node, [n]) => switchFeed(node, n, true),
    },
    {
      form: 'power cut',
      about: 'all feeds are switched off, one after the other',
      act: (node) => switchAll(node, false),
    },
    {
      form: 'power return',
      about: 'all feeds are switched on',
      act: (node) => switchAll(node, true),
    },
    {
      form: 'chassis off',
      about: 'the BMC is told to switch the machine off',
      act: (node) => chassis(node, false),
    },
    {
      form: 'chassis on',
      about: 'the BMC is told to switch it on',
      act: (node) => chassis(node, true),
    },
    {
      form: 'outlet stick N',
      about: 'the relay of feed N takes orders and does not move',
      act: (node, [n]) => stick(node, n, true),
    },
    {
      form: 'outlet free N',
      about: 'it moves again, at the next order',
      act: (node, [n]) => stick(node, n, false),
    },
    {
      form: 'switch hang NAME',
      about: 'a power switch answers nothing',
      act: (node, [name = '']) => hang(node, name, true),
    },
    {
      form: 'switch go NAME',
      about: 'it answers again, what it was sent meanwhile too',
      act: (node, [name = '']) => hang(node, name, false),
    },
  ],
};
