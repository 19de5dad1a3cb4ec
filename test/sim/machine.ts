/**
 * A node as a machine: its feeds, boots, clock, watchdog, and the ways in which it stops without dying. The
 * watchdog is hardware: a hung kernel does not stop it, only a paused virtual machine does.
 */
import type { SimNode } from './parts.ts';
import { PATHS } from './setup.ts';
import type { World } from './world.ts';

export const SECOND = 1_000_000;

function bootUs(world: World, node: SimNode): number {
  const { nodes } = world.streams;
  return (node.broken ? 600 : nodes.whole(15, 40)) * SECOND + nodes.whole(0, SECOND);
}

/** All that lived in memory is gone. */
function forget(world: World, node: SimNode): void {
  node.bootGen += 1;
  node.agent = undefined;
  node.agentGen += 1;
  node.deferred = [];
  node.hung = 'no';
  node.watchdog.armed = false;
  node.watchdog.gen += 1;
  node.tainted = new Set();
  node.ailments.dstate.clear();
  node.ailments.stopHangs.clear();
  for (const hierarchy of node.hierarchies) {
    hierarchy.dirty = 0;
    hierarchy.writing = false;
    hierarchy.failed = undefined;
    hierarchy.latched = undefined;
    hierarchy.wish = { want: 'hold' };
    hierarchy.told = '';
    for (const service of hierarchy.services) {
      service.state = 'stopped';
      service.gen += 1;
      service.failures = 0;
    }
    world.watch.changed(node, hierarchy);
  }
}

/** What was under way to the disks: some of it is at the device already and will be carried out. */
function loseNexuses(world: World, node: SimNode): void {
  for (const paths of node.paths) {
    for (const path of paths) {
      path.epoch += 1;
      path.held = path.held.filter(() => world.streams.paths.chance(0.5));
    }
  }
}

function boot(world: World, node: SimNode): void {
  node.power = 'booting';
  const { bootGen } = node;
  world.after(bootUs(world, node), () => {
    if (node.bootGen !== bootGen || node.power !== 'booting') return;
    node.power = 'up';
    node.boot = Math.floor(world.streams.nodes.next() * 4294967296);
    node.bootedUs = world.us;
    const fresh = world.streams.nodes.chance(0.2);
    for (const paths of node.paths) {
      for (const path of paths) {
        path.disk.lose(path.nexus);
        if (fresh) renew(node, path, world.streams.nodes.whole(0, 0xffff));
      }
    }
    world.say(node.name, `is up, boot ${node.boot.toString(16)}`);
    world.trace.count('boots');
    world.watch.life(node);
    world.later(node, world.streams.nodes.whole(500_000, 3 * SECOND), () =>
      world.acts.startAgent(node, 'boot'),
    );
  });
}

/** A new login has another ISID: the old registrations are on nexuses that no longer lead here. */
function renew(node: SimNode, path: SimNode['paths'][number][number], session: number): void {
  const number = Number(path.name.slice(1)) % (PATHS + 1);
  const isid = session.toString(16).padStart(8, '0');
  const initiator = `iqn.2026-01.test:${node.name},i,0x${isid}000${number}`;
  path.nexus = { initiator, port: number };
  path.nexusName = `${initiator}@${number}`;
}

/** The machine starts afresh at once: nothing is flushed. */
export function resetNode(world: World, node: SimNode, why: string): void {
  if (node.power === 'off') return;
  world.say(node.name, `RESET: ${why}`);
  forget(world, node);
  loseNexuses(world, node);
  boot(world, node);
  world.watch.life(node);
}

export function setFeed(world: World, node: SimNode, feed: number, on: boolean): void {
  if (node.feeds[feed] === on) return;
  node.feeds[feed] = on;
  const powered = node.feeds.some((one) => one);
  if (powered && node.power === 'off') {
    node.darkUs = undefined;
    world.say(node.name, 'has power');
    boot(world, node);
    world.watch.life(node);
  } else if (!powered && node.power !== 'off') {
    node.power = 'off';
    node.darkUs = world.us;
    world.say(node.name, 'POWER LOST');
    forget(world, node);
    loseNexuses(world, node);
    world.watch.life(node);
  }
}

export function hang(world: World, node: SimNode, kind: 'kernel' | 'vm', us: number): void {
  if (node.power !== 'up' || node.hung !== 'no') return;
  node.hung = kind;
  const { bootGen } = node;
  world.say(node.name, kind === 'vm' ? 'PAUSED' : 'HUNG');
  const { watchdog } = node;
  if (kind === 'vm' && watchdog.armed) {
    watchdog.atUs += us;
    expect(world, node);
  }
  world.watch.life(node);
  world.after(us, () => {
    if (node.bootGen !== bootGen || node.hung === 'no') return;
    node.hung = 'no';
    const waiting = node.deferred;
    node.deferred = [];
    world.say(node.name, 'goes on');
    world.watch.life(node);
    for (const go of waiting) world.after(0, go);
  });
}

function expect(world: World, node: SimNode): void {
  const { watchdog, bootGen } = node;
  watchdog.gen += 1;
  const { gen } = watchdog;
  const look = (): void => {
    if (node.bootGen !== bootGen || watchdog.gen !== gen || !watchdog.armed) return;
    if (world.us < watchdog.atUs) {
      world.at(watchdog.atUs, look);
      return;
    }
    world.trace.count('self-fences');
    world.trace.count('watchdog-resets');
    resetNode(world, node, 'watchdog');
  };
  world.at(watchdog.atUs, look);
}

export function feed(world: World, node: SimNode): void {
  const { watchdog } = node;
  watchdog.atUs = world.us + world.setup.times.watchdogMs * 1000;
  if (!watchdog.armed) {
    watchdog.armed = true;
    expect(world, node);
  }
  world.watch.fed(node);
}

export function disarm(world: World, node: SimNode): void {
  if (!node.watchdog.armed) return;
  node.watchdog.armed = false;
  node.watchdog.gen += 1;
  world.watch.disarmed(node);
}
