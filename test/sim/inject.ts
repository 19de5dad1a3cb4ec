/** Carries faults out on the world, and takes them back when their time is over. */
import { crashAgent, startAgent, stopAgent, tell, tellUtility } from './agent.ts';
import { localMs } from './clock.ts';
import type { SimDisk } from './disk.ts';
import { holderOf } from './facts.ts';
import { hang, resetNode, setFeed } from './machine.ts';
import type { PathFate, SimNode } from './parts.ts';
import { setFate } from './paths.ts';
import type { Fault, FaultKind } from './plan.ts';
import { advance, crashService } from './services.ts';
import type { Link, SwitchMood, World } from './world.ts';

const STRANGER = '00c2000100000001';
const FATES: readonly PathFate[] = ['cut', 'hang', 'reply-lost', 'slow'];
const MOODS: readonly SwitchMood[] = ['dead', 'stuck', 'lies', 'late', 'busy'];

interface Target {
  readonly world: World;
  readonly fault: Fault;
  readonly node: SimNode;
}

type Inject = (target: Target) => void;

function otherOf({ world, fault, node }: Target): SimNode {
  const others = world.nodes.filter((one) => one !== node);
  return others[fault.other % Math.max(1, others.length)] ?? node;
}

function diskOf({ world, fault }: Target): SimDisk | undefined {
  return world.disks[fault.disk % Math.max(1, world.disks.length)];
}

function linksBetween(world: World, from: SimNode, to: SimNode): readonly Link[] {
  return world.links.flatMap((network) => network[from.place]?.[to.place] ?? []);
}

function linksOf({ world, node }: Target): readonly Link[] {
  return world.nodes.flatMap((other) =>
    other === node
      ? []
      : [...linksBetween(world, node, other), ...linksBetween(world, other, node)],
  );
}

function network({ world, fault }: Target): readonly Link[] {
  const at = Math.floor(fault.how * world.links.length);
  return (world.links[at] ?? []).flat();
}

function cut({ world, fault }: Target, links: readonly Link[]): void {
  for (const link of links) link.cut = true;
  world.after(fault.lastsUs, () => {
    for (const link of links) link.cut = false;
  });
}

function spoil({ world, fault }: Target, links: readonly Link[], change: Partial<Link>): void {
  const before = links.map((link) => ({ ...link }));
  for (const link of links) Object.assign(link, change);
  world.after(fault.lastsUs, () => {
    for (const [at, link] of links.entries()) {
      const { loss, duplicates, delayUs, jitterUs } = before[at] ?? link;
      Object.assign(link, { loss, duplicates, delayUs, jitterUs });
    }
  });
}

function badPaths(target: Target, all: boolean): void {
  const { world, fault, node } = target;
  const fate = FATES[Math.floor(fault.how * FATES.length)] ?? 'cut';
  const disk = diskOf(target);
  if (disk === undefined) return;
  const paths = node.paths[disk.place] ?? [];
  const chosen = all ? paths : paths.slice(fault.other % paths.length).slice(0, 1);
  for (const path of chosen) {
    if (fate === 'slow') path.slow = 1 + Math.floor(fault.how * 10_000);
    setFate(world, node, path, fate);
  }
  world.after(fault.lastsUs, () => {
    for (const path of chosen) {
      path.slow = 1;
      setFate(world, node, path, 'ok');
    }
  });
}

function arrayDown({ world, fault }: Target, disk: SimDisk, keeps: boolean): void {
  const holder = world.nodes[holderOf(world, disk)];
  disk.down = true;
  world.say(disk.name, keeps ? 'is down' : 'loses its table');
  world.after(fault.lastsUs, () => {
    if (!disk.down) return;
    disk.down = false;
    if (!keeps) {
      if (!disk.aptpl) world.watch.wiped(disk, holder);
      disk.restart(false);
    } else disk.reset();
    world.say(disk.name, 'is back');
    world.watch.table(disk);
  });
}

function stranger(target: Target): void {
  const { world, fault } = target;
  const disk = diskOf(target);
  if (disk === undefined) return;
  const name = 'stranger@9';
  disk.table.registrants.set(name, {
    key: STRANGER,
    initiator: 'stranger',
    port: 9,
    allPorts: false,
  });
  disk.table.generation += 1;
  disk.touch();
  world.watch.table(disk);
  world.say(disk.name, 'a stranger registers');
  world.after(fault.lastsUs, () => {
    if (!disk.table.registrants.delete(name)) return;
    disk.table.generation += 1;
    disk.touch();
    world.watch.table(disk);
  });
}

function ail(target: Target, set: Set<number>, what: string): void {
  const { world, fault, node } = target;
  set.add(fault.hierarchy);
  world.say(node.name, `${what} h${fault.hierarchy + 1}`);
  world.after(fault.lastsUs, () => {
    set.delete(fault.hierarchy);
    const hierarchy = node.hierarchies[fault.hierarchy];
    if (hierarchy === undefined) return;
    for (const one of hierarchy.services) {
      if (one.state !== 'stopping') continue;
      one.gen += 1;
      one.state = 'stopped';
    }
    world.watch.changed(node, hierarchy);
    advance(world, node, hierarchy);
  });
}

function word(target: Target, say: 'standby' | 'unstandby' | 'freeze' | 'unfreeze'): void {
  const { world, node } = target;
  world.say(node.name, `operator: ${say}`);
  tell(world, node, { kind: 'word', at: localMs(world, node), word: { say } });
}

function utility(target: Target): void {
  const { world, fault, node } = target;
  const hierarchy = node.hierarchies[fault.hierarchy];
  if (hierarchy === undefined) return;
  const value = [0, undefined, 50, 150][Math.floor(fault.how * 4)];
  hierarchy.utility = value;
  hierarchy.utilityUs = world.us;
  world.say(node.name, `utility of ${hierarchy.spec.name} is ${value}`);
  tellUtility(world, node, hierarchy);
  world.after(fault.lastsUs, () => {
    hierarchy.utility = 100;
    tellUtility(world, node, hierarchy);
  });
}

function drift({ world, fault, node }: Target): void {
  const id = world.setup.hierarchies[fault.hierarchy]?.id ?? '';
  node.drift.add(id);
  crashAgent(world, node, 200_000);
  world.after(fault.lastsUs, () => {
    node.drift.delete(id);
    crashAgent(world, node, 200_000);
  });
}

function powerLoss({ world, fault, node }: Target): void {
  setFeed(world, node, 0, false);
  setFeed(world, node, 1, false);
  world.after(fault.lastsUs, () => {
    for (const [at, name] of ['pdu-a', 'pdu-b'].entries()) {
      const wired = world.switches.get(name)?.outlets.get(node.name) ?? true;
      if (wired) setFeed(world, node, at, true);
    }
  });
}

const INJECTS: Readonly<Record<FaultKind, Inject>> = {
  power: powerLoss,
  feed: ({ world, fault, node }) => {
    const feed = Math.floor(fault.how * 2);
    setFeed(world, node, feed, false);
    world.after(fault.lastsUs, () => {
      const device = world.switches.get(feed === 0 ? 'pdu-a' : 'pdu-b');
      if (device?.outlets.get(node.name) === true) setFeed(world, node, feed, true);
    });
  },
  panic: ({ world, node }) => resetNode(world, node, 'panic'),
  hang: ({ world, fault, node }) => hang(world, node, 'kernel', fault.lastsUs),
  pause: ({ world, fault, node }) => hang(world, node, 'vm', fault.lastsUs),
  slow: ({ world, fault, node }) => {
    node.slow = 2 + Math.floor(fault.how ** 3 * 1_000);
    world.after(fault.lastsUs, () => {
      node.slow = 1;
    });
  },
  'agent-crash': ({ world, fault, node }) => crashAgent(world, node, fault.lastsUs),
  'agent-stop': ({ world, fault, node }) => stopAgent(world, node, fault.lastsUs),
  'agent-loop': ({ world, fault, node }) => {
    node.agentHeldUs = world.us + fault.lastsUs;
    crashAgent(world, node, 100_000);
    world.after(fault.lastsUs, () => startAgent(world, node, 'after a loop of restarts'));
  },
  path: (target) => badPaths(target, false),
  storage: (target) => badPaths(target, true),
  'array-down': (target) => {
    const disk = diskOf(target);
    if (disk !== undefined) arrayDown(target, disk, true);
  },
  'array-wiped': (target) => {
    const disk = diskOf(target);
    if (disk !== undefined) arrayDown(target, disk, disk.aptpl);
  },
  'lun-reset': (target) => diskOf(target)?.reset(),
  stranger,
  lossy: (target) =>
    spoil(target, linksOf(target), {
      loss: target.fault.how * 0.5,
      duplicates: target.fault.how * 0.5,
    }),
  delay: (target) =>
    spoil(target, linksOf(target), {
      delayUs: Math.round(target.fault.how ** 2 * 3_000_000),
      jitterUs: Math.round(target.fault.how * 1_000_000),
    }),
  'one-way': (target) => cut(target, linksBetween(target.world, target.node, otherOf(target))),
  isolated: (target) => cut(target, linksOf(target)),
  network: (target) => cut(target, network(target)),
  'all-networks': (target) => cut(target, target.world.links.flat(2)),
  clog: (target) => {
    const until = target.world.us + target.fault.lastsUs;
    for (const link of linksOf(target)) link.clogUs = until;
  },
  switch: ({ world, fault }) => {
    const device = world.switches.get(fault.other % 2 === 0 ? 'pdu-a' : 'pdu-b');
    if (device === undefined) return;
    device.mood = MOODS[Math.floor(fault.how * MOODS.length)] ?? 'dead';
    world.after(fault.lastsUs * 5, () => {
      device.mood = 'well';
    });
  },
  'service-crash': ({ world, fault, node }) => {
    for (const one of world.nodes) {
      const hierarchy = one.hierarchies[fault.hierarchy];
      if (hierarchy !== undefined) crashService(world, one, hierarchy, node.place);
    }
  },
  toxic: (target) => ail(target, target.node.ailments.toxic, 'cannot start'),
  'stop-hangs': (target) => ail(target, target.node.ailments.stopHangs, 'does not stop'),
  dstate: (target) => ail(target, target.node.ailments.dstate, 'cannot be killed:'),
  utility,
  move: (target) => {
    const { world, fault, node } = target;
    const hierarchy = world.setup.hierarchies[fault.hierarchy]?.id;
    if (hierarchy === undefined) return;
    const to = fault.how < 0.5 ? undefined : otherOf(target).name;
    world.say(node.name, `operator: move ${hierarchy} to ${to ?? 'any'}`);
    for (const one of world.nodes) {
      const at = localMs(world, one);
      tell(world, one, { kind: 'word', at, word: { say: 'move', hierarchy, to } });
    }
  },
  standby: (target) => {
    word(target, 'standby');
    target.world.after(target.fault.lastsUs * 3, () => word(target, 'unstandby'));
  },
  freeze: (target) => {
    word(target, 'freeze');
    target.world.after(target.fault.lastsUs, () => word(target, 'unfreeze'));
  },
  'rule-handover': ({ world, fault, node }) => {
    const hierarchy = world.setup.hierarchies[fault.hierarchy]?.id;
    if (hierarchy === undefined) return;
    const at = localMs(world, node);
    tell(world, node, { kind: 'handover', at, hierarchy, why: 'a rule says so' });
  },
  shoot: (target) => {
    const { world, node } = target;
    const at = localMs(world, node);
    tell(world, node, { kind: 'shoot', at, node: otherOf(target).name, why: 'a rule says so' });
  },
  drift,
};

export function inject(world: World, fault: Fault): void {
  const node = world.nodes[fault.node % world.nodes.length];
  if (node === undefined) return;
  world.trace.count(`fault ${fault.kind}`);
  world.say('fault', `${fault.kind} on ${node.name} for ${(fault.lastsUs / 1e6).toFixed(1)} s`);
  INJECTS[fault.kind]({ world, fault, node });
}
