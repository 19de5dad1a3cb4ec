/**
 * Paths from nodes to disks: a command travels, is carried out, and its answer travels back; on the way it
 * can be refused, held, delayed, or lose its answer. What a device carries out late it carries out late even
 * for a node that has died since.
 */
import type { ArbiterDisk } from '../../fencing/arbiter-state.ts';
import type { Answer } from '../../fencing/reservation/answer.ts';
import type { Ask } from '../../fencing/reservation/look.ts';
import { isWrite } from '../../fencing/reservation/request.ts';
import type { HierarchyId } from '../../rules/cluster/model.ts';
import type { SimDisk } from './disk.ts';
import type { PathFate, SimAgent, SimNode, SimPath } from './parts.ts';
import type { World } from './world.ts';

/** After its deadline the kernel aborts a command and it comes back without having a word of the device. */
const ABORT_US = 5_000_000;

export function livePaths(node: SimNode, disk: number): ArbiterDisk['paths'] {
  return (node.paths[disk] ?? [])
    .filter(({ fate }) => fate !== 'cut')
    .map(({ name, nexus }) => ({ name, initiator: nexus.initiator, port: nexus.port }));
}

function travelUs(world: World, path: SimPath): number {
  return world.streams.paths.whole(80, 400) * path.slow;
}

function late(ask: Ask): Answer {
  const why = 'no answer within its deadline';
  return isWrite(ask.request) ? { is: 'unresolved', until: 'return', why } : { is: 'failed', why };
}

/** One command on its way; it is answered once, or twice when the first answer was `late`. */
class Journey {
  readonly world: World;
  readonly node: SimNode;
  readonly path: SimPath;
  readonly ask: Ask;
  readonly bootGen: number;
  readonly epoch: number;
  readonly give: (answer: Answer) => void;
  done = false;
  wasLate = false;

  constructor(
    world: World,
    node: SimNode,
    path: SimPath,
    ask: Ask,
    give: (answer: Answer) => void,
  ) {
    this.world = world;
    this.node = node;
    this.path = path;
    this.ask = ask;
    this.give = give;
    this.bootGen = node.bootGen;
    this.epoch = path.epoch;
  }

  start(): void {
    const { world, path, ask, node } = this;
    world.after(travelUs(world, path), () => this.arrive());
    world.later(node, (ask.deadlineMs * 1000) / node.slow, () => {
      if (this.done) return;
      this.wasLate = true;
      this.give(late(ask));
      world.later(node, ABORT_US / node.slow, () => {
        if (path.fate === 'hang' && path.epoch === this.epoch) return;
        this.answer({ is: 'unresolved', until: 'read', why: 'aborted by the kernel' });
      });
    });
  }

  arrive(): void {
    const { world, path, node, bootGen, epoch } = this;
    const dead = node.bootGen !== bootGen || path.epoch !== epoch;
    if (path.fate === 'hang') {
      const queued = world.streams.paths.chance(0.5);
      path.held.push({ bootGen, queued, go: () => this.perform() });
      return;
    }
    if (dead && world.streams.paths.chance(0.5)) return;
    if (path.fate === 'cut' || path.disk.down) {
      if (isWrite(this.ask.request)) world.trace.count('unsent');
      world.after(100, () => this.answer({ is: 'unsent', why: 'no such path' }));
      return;
    }
    this.perform();
  }

  perform(): void {
    const { world, path, node, ask, bootGen } = this;
    if (path.disk.down) return;
    const { request } = ask;
    if (isWrite(request)) {
      world.watch.effect(node, path.disk, request, node.bootGen === bootGen);
    }
    const answer = path.disk.perform(path.nexus, request);
    if (isWrite(request)) {
      world.say(
        node.name,
        `${path.disk.name} ${path.name} ${request.ask} ${aboutOf(request)}: ${answer.is}`,
      );
      if (this.wasLate) world.trace.count('late-effects');
      world.watch.table(path.disk);
    }
    if (path.fate === 'reply-lost') return;
    world.after(travelUs(world, path), () => this.answer(answer));
  }

  answer(answer: Answer): void {
    if (this.done || this.node.bootGen !== this.bootGen) return;
    if (this.path.epoch !== this.epoch) return;
    if (this.node.hung !== 'no') {
      this.node.deferred.push(() => this.answer(answer));
      return;
    }
    this.done = true;
    // A read that came too late is nobody's any more.
    if (!this.wasLate || isWrite(this.ask.request)) this.give(answer);
  }
}

function aboutOf(request: Ask['request']): string {
  if ('victim' in request) return request.victim;
  if ('next' in request) return request.next;
  return 'own' in request ? request.own : '';
}

export function send(
  world: World,
  node: SimNode,
  agent: SimAgent,
  hierarchy: HierarchyId,
  wwid: string,
  ask: Ask,
): void {
  const disk = world.disks.find(({ name }) => name === wwid);
  const path = disk === undefined ? undefined : pathOf(node, disk, ask.path);
  if (disk === undefined || path === undefined) {
    world.fail('sane', `${node.name} asks ${wwid} down ${ask.path}, which it has not`);
    return;
  }
  const writes = isWrite(ask.request);
  if (writes) {
    const underWay = (agent.outs.get(wwid) ?? 0) + 1;
    agent.outs.set(wwid, underWay);
    world.watch.sent(node, disk, ask, underWay);
  }
  world.trace.mix(ask.id);
  new Journey(world, node, path, ask, (answer) => {
    if (node.agent !== agent) return;
    if (writes && answer.is === 'unresolved') world.trace.count('unresolved');
    if (writes && !(answer.is === 'unresolved' && answer.until === 'return')) {
      agent.outs.set(wwid, (agent.outs.get(wwid) ?? 1) - 1);
    }
    const input = { is: 'answer', id: ask.id, answer } as const;
    world.acts.tell(node, { kind: 'disk', hierarchy, wwid, input });
  }).start();
}

function pathOf(node: SimNode, disk: SimDisk, name: string): SimPath | undefined {
  return node.paths[disk.place]?.find((path) => path.name === name);
}

export function hierarchyOfDisk(world: World, wwid: string): HierarchyId | undefined {
  return world.setup.hierarchies.find(({ disks }) => disks.some((disk) => disk.wwid === wwid))?.id;
}

function tellPaths(world: World, node: SimNode, disk: SimDisk, gone?: string): void {
  const hierarchy = hierarchyOfDisk(world, disk.name);
  if (hierarchy === undefined) return;
  const wwid = disk.name;
  if (gone !== undefined) {
    const { agent } = node;
    agent?.outs.set(wwid, 0);
    world.acts.tell(node, { kind: 'disk', hierarchy, wwid, input: { is: 'gone', path: gone } });
  }
  const paths = livePaths(node, disk.place);
  world.acts.tell(node, { kind: 'disk', hierarchy, wwid, input: { is: 'paths', paths } });
}

/** The fate of a path from now on; what was held is let go, or dropped with its nexus. */
export function setFate(world: World, node: SimNode, path: SimPath, fate: PathFate): void {
  if (path.fate === fate) return;
  const before = path.fate;
  path.fate = fate;
  world.say(node.name, `path ${path.disk.name} ${path.name} is ${fate}`);
  const held = path.held;
  path.held = [];
  for (const { go, bootGen, queued } of held) {
    if (bootGen === node.bootGen || queued) world.after(travelUs(world, path), go);
  }
  if (fate === 'cut' || before === 'cut') {
    if (fate === 'cut') dropNexus(world, path);
    const lag = world.streams.paths.whole(100_000, 1_500_000);
    const { bootGen } = node;
    world.later(node, lag, () => {
      if (node.bootGen !== bootGen || path.fate !== fate) return;
      tellPaths(world, node, path.disk, fate === 'cut' ? path.name : undefined);
    });
  }
}

/** The nexus ends: what was sent down it has no more effect. */
function dropNexus(world: World, path: SimPath): void {
  path.epoch += 1;
  path.held = [];
  path.disk.lose(path.nexus);
  world.watch.table(path.disk);
}
