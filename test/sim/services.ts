/**
 * Services of a node and what they write. They start in their order, one after the other, and stop in the
 * other; they crash, hang, refuse to stop, or never start. What they write lies in the page cache, is flushed
 * late, and carries the number of the start it comes from, so that the disk can tell old writers from new.
 */
import type { HierarchyWish } from '../../rules/cluster/model.ts';
import type { ServiceId } from '../../rules/service.ts';
import { localMs } from './clock.ts';
import type { SimDisk } from './disk.ts';
import type { SimHierarchy, SimNode, SimPath, SimService } from './parts.ts';
import type { World } from './world.ts';

const WRITE_US = 1_000_000;
const RETRY_US = 1_000_000;
/** Starts that fail in a row before the node gives the hierarchy up. */
const FAILURES_MAX = 3;

/** Something on this node may write to the disks of the hierarchy. */
export function isOpen({ services, dirty }: SimHierarchy): boolean {
  if (dirty > 0) return true;
  for (const { state, waits } of services) if (!waits && state !== 'stopped') return true;
  return false;
}

export function isRunning({ services }: SimHierarchy): boolean {
  for (const { state } of services) if (state !== 'stopped') return true;
  return false;
}

export function reportServices(world: World, node: SimNode, given: SimHierarchy): void {
  const running = given.services.filter(({ state }) => state === 'running').map(({ id }) => id);
  const remains = isOpen(given) || isRunning(given);
  const { latched, failed } = given;
  const told = `${running.join()}|${remains}|${latched}|${failed}`;
  if (told === given.told) return;
  given.told = told;
  const report = { running: running as unknown as ServiceId[], remains, latched, failed };
  world.acts.tell(node, {
    kind: 'services',
    at: localMs(world, node),
    hierarchy: given.spec.id,
    report,
  });
}

function changed(world: World, node: SimNode, given: SimHierarchy): void {
  world.watch.changed(node, given);
  reportServices(world, node, given);
}

/** A flush has ended, or was given up. */
function clean(world: World, node: SimNode, given: SimHierarchy): void {
  if (given.dirty > 0) given.dirty -= 1;
  if (given.dirty > 0) return;
  changed(world, node, given);
  advance(world, node, given);
}

function usable(node: SimNode, disk: number): SimPath | undefined {
  let held: SimPath | undefined;
  for (const path of node.paths[disk] ?? []) {
    if (path.fate === 'ok' || path.fate === 'reply-lost' || path.fate === 'slow') return path;
    if (path.fate === 'hang') held ??= path;
  }
  return held;
}

/** One page on its way: it waits for a path, lies in the queue of the device, and lands or does not. */
function flush(
  world: World,
  node: SimNode,
  given: SimHierarchy,
  disk: SimDisk,
  token: number,
): void {
  const { bootGen } = node;
  const path = usable(node, disk.place);
  if (path === undefined || path.disk.down) {
    world.later(node, RETRY_US, () => flush(world, node, given, disk, token));
    return;
  }
  const arrive = (): void => {
    if (path.fate === 'hang') {
      path.held.push({ bootGen, queued: true, go: arrive });
      return;
    }
    const queued = path.disk.down ? undefined : disk.enqueue(path.nexusName);
    if (queued === undefined) {
      if (node.bootGen === bootGen) refused(world, node, given);
      return;
    }
    world.after(world.streams.paths.whole(200, 30_000), () => {
      if (disk.land(queued)) world.watch.written(disk, given.place, token, node);
      if (node.bootGen === bootGen) clean(world, node, given);
    });
  };
  world.after(200, arrive);
}

/** The disk refuses the writer: the file system is in error, and what was to be written is lost. */
function refused(world: World, node: SimNode, given: SimHierarchy): void {
  world.trace.count('writes-refused');
  for (const service of given.services) {
    if (!service.waits && service.state === 'running') service.failures += 1;
  }
  clean(world, node, given);
}

function write(world: World, node: SimNode, given: SimHierarchy): void {
  const [first] = given.services;
  if (first?.state !== 'running' && first?.state !== 'stopping') {
    given.writing = false;
    return;
  }
  const { services } = world.streams;
  world.later(node, WRITE_US, () => write(world, node, given));
  if (first.state === 'stopping' || given.wish.want === 'down') return;
  const at = services.whole(0, Math.max(0, given.spec.disks.length - 1));
  const disk = world.disks.find(({ name }) => name === given.spec.disks[at]?.wwid);
  if (disk === undefined || given.dirty > 20) return;
  const { token } = given;
  const was = given.dirty;
  given.dirty += 1;
  if (was === 0) changed(world, node, given);
  world.later(node, services.whole(10_000, 1_500_000), () =>
    flush(world, node, given, disk, token),
  );
}

function startService(world: World, node: SimNode, given: SimHierarchy, one: SimService): void {
  if (one.place === 0) {
    given.token = world.tokenFor(given.place, `${node.place} ${node.bootGen}`);
  }
  one.state = 'starting';
  one.gen += 1;
  const { gen } = one;
  world.watch.starting(node, given, one);
  world.say(node.name, `starts ${one.id}`);
  changed(world, node, given);
  world.later(node, world.streams.services.whole(100_000, 900_000), () => {
    if (one.gen !== gen) return;
    one.gen += 1;
    if (node.ailments.toxic.has(given.place)) {
      one.state = 'stopped';
      one.failures += 1;
      given.failed = `${one.id} does not start`;
      if (one.failures >= FAILURES_MAX) given.latched = `${one.id} failed ${one.failures} times`;
      world.later(node, 2_000_000, () => advance(world, node, given));
    } else {
      one.state = 'running';
      one.failures = 0;
      given.failed = undefined;
      if (one.place === 0 && !given.writing && given.spec.disks.length > 0) {
        given.writing = true;
        write(world, node, given);
      }
    }
    changed(world, node, given);
    advance(world, node, given);
  });
}

function stopService(world: World, node: SimNode, given: SimHierarchy, one: SimService): void {
  if (one.place === 0 && given.dirty > 0) return;
  one.state = 'stopping';
  one.gen += 1;
  const { gen } = one;
  world.watch.stopping(node, given, one);
  world.say(node.name, `stops ${one.id}`);
  changed(world, node, given);
  const { ailments } = node;
  if (ailments.stopHangs.has(given.place) || ailments.dstate.has(given.place)) return;
  world.later(node, world.streams.services.whole(50_000, 600_000), () => {
    if (one.gen !== gen) return;
    one.gen += 1;
    one.state = 'stopped';
    changed(world, node, given);
    advance(world, node, given);
  });
}

function killAll(world: World, node: SimNode, given: SimHierarchy): void {
  if (node.ailments.dstate.has(given.place)) return;
  for (const one of given.services) {
    if (one.state === 'stopped') continue;
    one.gen += 1;
    one.state = 'stopping';
    const { gen } = one;
    world.later(node, world.streams.services.whole(5_000, 60_000), () => {
      if (one.gen !== gen) return;
      one.gen += 1;
      one.state = 'stopped';
      changed(world, node, given);
    });
  }
  changed(world, node, given);
}

/** The next thing to be done for what is wished; one thing at a time. */
export function advance(world: World, node: SimNode, given: SimHierarchy): void {
  const { agent } = node;
  if (agent === undefined || agent.stopped || node.power !== 'up') return;
  const { wish, services } = given;
  if (services.some(({ state }) => state === 'starting' || state === 'stopping')) return;
  if (wish.want === 'up' && given.latched === undefined) {
    const next = services.find(({ state }) => state === 'stopped');
    if (next !== undefined && (!next.waits || wish.addresses))
      startService(world, node, given, next);
  }
  if (wish.want === 'down') {
    const last = services.toReversed().find(({ state }) => state === 'running');
    if (last !== undefined) stopService(world, node, given, last);
  }
}

export function applyServices(world: World, node: SimNode, wishes: readonly HierarchyWish[]): void {
  for (const given of node.hierarchies) {
    const wished = wishes[given.place];
    if (wished === undefined || wished.services === given.wish) continue;
    const before = given.wish.want;
    given.wish = wished.services;
    if (given.wish.want === 'killed' && before !== 'killed') {
      world.say(node.name, `kills all of ${given.spec.name}`);
      killAll(world, node, given);
    } else advance(world, node, given);
  }
}

/** A service of a hierarchy ends by itself. */
export function crashService(world: World, node: SimNode, given: SimHierarchy, at: number): void {
  const one = given.services[at % given.services.length];
  if (one === undefined || one.state !== 'running' || node.power !== 'up') return;
  one.state = 'stopped';
  one.gen += 1;
  world.say(node.name, `${one.id} crashed`);
  changed(world, node, given);
  world.later(node, 1_000_000, () => advance(world, node, given));
}
