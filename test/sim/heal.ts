/**
 * The liveness phase: a core of nodes is healed with all that it needs, the rest stays broken, and within a
 * bound everything that can be served is served, once, and stays where it is.
 */
import { crashAgent, startAgent, tell, tellUtility } from './agent.ts';
import { localMs } from './clock.ts';
import { setFeed } from './machine.ts';
import type { SimNode } from './parts.ts';
import { setFate } from './paths.ts';
import { randomOf } from './random.ts';
import type { World } from './world.ts';

/** Boot, grace, the longest back-off, and the wait of the addresses. */
export const HEAL_US = 240_000_000;
export const STABLE_US = 60_000_000;

/** Everything outside the nodes works again. */
function healRest(world: World): void {
  for (const link of world.links.flat(2)) {
    Object.assign(link, { cut: false, loss: 0, duplicates: 0, delayUs: 200, jitterUs: 100 });
    link.clogUs = 0;
  }
  for (const device of world.switches.values()) {
    device.mood = 'well';
    device.told.clear();
    for (const { name } of world.nodes) device.outlets.set(name, true);
  }
  for (const disk of world.disks) {
    disk.down = false;
    disk.table.registrants.delete('stranger@9');
    disk.touch();
    world.watch.table(disk);
  }
}

function healNode(world: World, node: SimNode): void {
  node.slow = 1;
  node.broken = false;
  node.agentHeldUs = 0;
  setFeed(world, node, 0, true);
  setFeed(world, node, 1, true);
  for (const path of node.paths.flat()) {
    path.slow = 1;
    setFate(world, node, path, 'ok');
  }
  for (const set of Object.values(node.ailments)) set.clear();
  for (const hierarchy of node.hierarchies) {
    hierarchy.utility = 100;
    hierarchy.latched = undefined;
    hierarchy.failed = undefined;
    for (const one of hierarchy.services) {
      one.failures = 0;
      if (one.state !== 'stopping' || node.power !== 'up') continue;
      one.gen += 1;
      one.state = 'stopped';
    }
    world.watch.changed(node, hierarchy);
    tellUtility(world, node, hierarchy);
  }
  if (node.drift.size > 0) {
    node.drift.clear();
    crashAgent(world, node, 200_000);
  } else startAgent(world, node, 'healed');
}

/** An operator says that all is well again. */
function words(world: World, node: SimNode): void {
  const at = localMs(world, node);
  tell(world, node, { kind: 'word', at, word: { say: 'unfreeze' } });
  tell(world, node, { kind: 'word', at, word: { say: 'unstandby' } });
  for (const { id } of world.setup.hierarchies) {
    tell(world, node, { kind: 'word', at, word: { say: 'clear', hierarchy: id } });
  }
}

/** Broken for good: without power, or cut off from all others and from all disks. */
function freeze(world: World, node: SimNode, dark: boolean): void {
  if (dark) {
    setFeed(world, node, 0, false);
    setFeed(world, node, 1, false);
    for (const device of world.switches.values()) device.outlets.set(node.name, false);
    return;
  }
  for (const network of world.links) {
    for (const other of world.nodes) {
      for (const link of [network[node.place]?.[other.place], network[other.place]?.[node.place]]) {
        if (link !== undefined) link.cut = true;
      }
    }
  }
  for (const path of node.paths.flat()) setFate(world, node, path, 'cut');
}

/** Gives the nodes that are healed. */
export function heal(world: World): readonly SimNode[] {
  const random = randomOf(world.seed, 'core');
  const whole = random.chance(0.5);
  const first = random.pick(world.nodes);
  const core = world.nodes.filter((node) => whole || node === first || random.chance(0.5));
  world.say('heal', `core: ${core.map(({ name }) => name).join(' ')}`);
  healRest(world);
  for (const node of world.nodes) {
    if (core.includes(node)) healNode(world, node);
    else freeze(world, node, random.chance(0.5));
  }
  // Twice: who boots first has to be up to hear it.
  for (const us of [1_000_000, 90_000_000]) {
    world.after(us, () => {
      for (const node of core) words(world, node);
    });
  }
  return core;
}

function serving(world: World, place: number): readonly SimNode[] {
  return world.nodes.filter(
    ({ power, hierarchies }) =>
      power === 'up' && hierarchies[place]?.services.every(({ state }) => state === 'running'),
  );
}

/** By hierarchy: who serves it; undefined: nobody, or more than one. */
export function served(world: World): readonly (string | undefined)[] {
  return world.setup.hierarchies.map((_spec, place) => {
    const found = serving(world, place);
    return found.length === 1 ? found[0]?.name : undefined;
  });
}

function stateAt(world: World, node: SimNode, place: number): string {
  return node.agent?.program.cluster.hierarchies[place]?.state ?? (world.us > 0 ? 'no agent' : '');
}

/** Why nobody serves it, in the words of the cores. */
function statesOf(world: World, core: readonly SimNode[], place: number): string {
  const states = core.map((node) => {
    const told = node.agent?.program.cluster.hierarchies[place];
    return `${node.name} ${stateAt(world, node, place)} (${told?.why ?? ''}; ${told?.guard ?? ''})`;
  });
  return states.join(', ');
}

/**
 * Lost on the last node that could have it, which runs others: it would take a reboot, and one lost
 * hierarchy does not reset healthy ones. It waits for a person.
 */
function isStranded(world: World, able: readonly SimNode[], place: number): boolean {
  const stranded = able.every(
    ({ agent }) => agent?.program.cluster.hierarchies[place]?.guard === 'tainted',
  );
  if (stranded) world.trace.count('stranded');
  return stranded;
}

/** L3, L6, L7: served once by the core, and all agree. Gives the owner. */
function checkOne(world: World, core: readonly SimNode[], place: number): string | undefined {
  const spec = world.setup.hierarchies[place];
  const able = core.filter(({ name }) => spec?.nodes.includes(name));
  if (spec === undefined || able.length === 0) return undefined;
  const found = serving(world, place);
  const [owner] = found;
  if (owner === undefined || found.length > 1) {
    if (found.length === 0 && isStranded(world, able, place)) return undefined;
    const names = found.map(({ name }) => name).join(' ');
    const invariant = found.length > 1 ? 'L6' : able.length === 1 ? 'L3' : 'L2';
    const states = statesOf(world, core, place);
    world.fail(invariant, `${spec.name} is served by ${names || 'nobody'}: ${states}`);
    return undefined;
  }
  for (const node of core) {
    const state = stateAt(world, node, place);
    const right = node === owner ? ['running'] : ['idle', 'candidate', 'blocked'];
    if (!right.includes(state)) {
      world.fail('L6', `${spec.name} is served by ${owner.name}; ${node.name} is ${state}`);
    }
  }
  return owner.name;
}

export function checkServed(
  world: World,
  core: readonly SimNode[],
): readonly (string | undefined)[] {
  return world.setup.hierarchies.map((_spec, place) => checkOne(world, core, place));
}
