/** Links between nodes, one for each direction of each network, with every sickness a link can have. */
import type { Heartbeat } from '../../rules/cluster/model.ts';
import { localMs } from './clock.ts';
import type { SimNode } from './parts.ts';
import type { Link, World } from './world.ts';

/** The edge proves freshness and drops what is older. */
const FRESH_US = 2_000_000;

function deliver(
  world: World,
  to: SimNode,
  network: string,
  said: Heartbeat,
  sentUs: number,
): void {
  const { bootGen } = to;
  const read = (): void => {
    if (to.bootGen !== bootGen || to.power !== 'up') return;
    if (to.hung !== 'no') {
      // It lies in the socket until somebody reads it; what is too old by then is dropped.
      if (to.deferred.length < 1_000) to.deferred.push(read);
      return;
    }
    if (world.us - sentUs > FRESH_US) return;
    world.trace.mix(said.sequence);
    world.acts.tell(to, { kind: 'heartbeat', at: localMs(world, to), network, said });
  };
  read();
}

function carry(world: World, link: Link, to: SimNode, network: string, said: Heartbeat): void {
  const { net } = world.streams;
  if (link.cut || (link.loss > 0 && net.chance(link.loss))) return;
  const copies = link.duplicates > 0 && net.chance(link.duplicates) ? 2 : 1;
  const sentUs = world.us;
  for (let copy = 0; copy < copies; copy += 1) {
    const us = sentUs + link.delayUs + net.whole(0, link.jitterUs);
    world.at(Math.max(us, link.clogUs), () => {
      if (!link.cut) deliver(world, to, network, said, sentUs);
    });
  }
}

export function broadcast(world: World, from: SimNode, said: Heartbeat): void {
  for (const [at, network] of world.setup.networks.entries()) {
    const links = world.links[at]?.[from.place];
    for (const to of world.nodes) {
      const link = links?.[to.place];
      if (to !== from && link !== undefined) carry(world, link, to, network, said);
    }
  }
}
