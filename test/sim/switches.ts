/** Power switches, with everything a switch can do wrong: be dead, stick, lie, be late, be somebody else's. */
import type { FenceCommand } from '../../fencing/fence-state.ts';
import type { OutletReply, OutletState } from '../../fencing/reply.ts';
import { localMs } from './clock.ts';
import { setFeed } from './machine.ts';
import type { SimNode } from './parts.ts';
import type { SimSwitch, World } from './world.ts';

type Command = FenceCommand & { readonly target: string };

const ANSWER_US = 4_000_000;

/** Carries an order out on the wire, and gives what the device says of it. */
function order(world: World, device: SimSwitch, outlet: string, on: boolean): boolean {
  if (device.mood === 'stuck') return device.outlets.get(outlet) ?? true;
  if (device.mood === 'lies') {
    device.told.set(outlet, on);
    return on;
  }
  device.told.delete(outlet);
  device.outlets.set(outlet, on);
  const node = world.nodes.find(({ name }) => name === outlet);
  const feed = device.name === 'pdu-a' ? 0 : 1;
  if (node !== undefined) setFeed(world, node, feed, on);
  return on;
}

function stateOf(device: SimSwitch, outlet: string): OutletState {
  const on = device.told.get(outlet) ?? device.outlets.get(outlet);
  if (on === undefined) return 'unknown';
  return on ? 'on' : 'off';
}

function answer(world: World, by: SimNode, device: SimSwitch, one: Command, fromMs: number): void {
  const from = fromMs as OutletReply['from'];
  const to = localMs(world, by);
  const unknown = device.mood === 'dead' || device.mood === 'busy' || device.mood === 'late';
  const outlets = one.outlets.map(({ id }): OutletReply => {
    if (unknown) return { outlet: id, state: 'unknown', why: device.mood, from, to };
    if (one.want !== 'read') order(world, device, id, one.want === 'on');
    return { outlet: id, state: stateOf(device, id), why: 'as read', from, to };
  });
  const { target, id } = one;
  const ordered = one.want !== 'read' && device.mood !== 'busy';
  world.acts.tell(by, { kind: 'switch', target, id, reply: { outlets, ordered } });
}

export function command(world: World, by: SimNode, one: Command): void {
  const { switches } = world.streams;
  const device = world.switches.get(one.device);
  if (device === undefined) {
    world.fail('S10', `${by.name} orders an outlet of ${one.device}, which there is not`);
    return;
  }
  const outlets = one.outlets.map(({ id }) => id).join(' ');
  world.say(by.name, `switch ${one.device} ${one.want} ${outlets} (${device.mood})`);
  world.watch.switched(by, one);
  const fromMs = localMs(world, by);
  const quick = switches.whole(100_000, 900_000);
  const slow = device.mood === 'dead' || device.mood === 'busy' || device.mood === 'late';
  if (device.mood === 'late' && one.want !== 'read') {
    world.after(ANSWER_US * 2, () => {
      for (const { id } of one.outlets) order(world, device, id, one.want === 'on');
    });
  }
  // An order goes out whatever becomes of the node that gave it.
  const { bootGen } = by;
  world.after(slow ? ANSWER_US : quick, () => {
    if (by.bootGen === bootGen) answer(world, by, device, one, fromMs);
    else if (one.want !== 'read' && !slow) {
      for (const { id } of one.outlets) order(world, device, id, one.want === 'on');
    }
  });
}
