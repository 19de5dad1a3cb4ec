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
    const { world, path, ask } = this;
    const us = travelUs(world, path);
    world.after(us, () => this.arrive());
    if (us * 2 > ask.deadlineMs * 1000) this.watchDeadline(us);
  }

  /** Only what does not come back at once needs its deadline: `sentUs` is how long it is under way. */
  watchDeadline(sentUs: number): void {
    const { world, node, ask, path } = this;
    const leftUs = Math.max(0, ask.deadlineMs * 1000 - sentUs);
    world.later(node, leftUs / node.slow, () => {
      if (this.done || this.wasLate) return;
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
    // From here on an answer may not come in time, or never.
    const sure = !dead && path.fate === 'ok' && !path.disk.down;
    if (!sure) this.watchDeadline(0);
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
    // The answer is lost when the path fails meanwhile.
    world.after(travelUs(world, path), () => this.answer(answer));
  }

  answer(answer: Answer): void {
    if (this.done || this.node.bootGen !== this.bootGen) return;
    if (this.path.epoch !== this.epoch) {
      if (!this.wasLate) this.watchDeadline(0);
      return;
    }
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

interface Sending {
  readonly hierarchy: HierarchyId;
  readonly wwid: string;
  readonly ask: Ask;
}

/** What has come back for a command. */
function answered(
  world: World,
  node: SimNode,
  agent: SimAgent,
  { hierarchy, wwid, ask }: Sending,
  answer: Answer,
): void {
  if (node.agent !== agent) return;
  if (isWrite(ask.request)) {
    if (answer.is === 'unresolved') world.trace.count('unresolved');
    if (!(answer.is === 'unresolved' && answer.until === 'return')) {
      agent.outs.set(wwid, (agent.outs.get(wwid) ?? 1) - 1);
    }
  }
  const input = { is: 'answer', id: ask.id, answer } as const;
  world.acts.tell(node, { kind: 'disk', hierarchy, wwid, input });
}

/** The reads of one look travel together while their path is well. */
function sendLook(
  world: World,
  node: SimNode,
  agent: SimAgent,
  path: SimPath,
  reads: readonly Sending[],
): void {
  const { bootGen } = node;
  const { epoch } = path;
  const alone = (one: Sending): Journey =>
    new Journey(world, node, path, one.ask, (answer) => answered(world, node, agent, one, answer));
  world.after(travelUs(world, path), () => {
    if (path.fate !== 'ok' || path.disk.down || path.epoch !== epoch || node.bootGen !== bootGen) {
      for (const one of reads) alone(one).arrive();
      return;
    }
    const answers = reads.map(({ ask }) => path.disk.perform(path.nexus, ask.request));
    const give = (): void => {
      if (node.bootGen !== bootGen) return;
      if (node.hung !== 'no') node.deferred.push(give);
      else if (path.epoch !== epoch) for (const one of reads) alone(one).watchDeadline(0);
      else giveAll(world, node, agent, reads, answers);
    };
    world.after(travelUs(world, path), give);
  });
}

function giveAll(
  world: World,
  node: SimNode,
  agent: SimAgent,
  reads: readonly Sending[],
  answers: readonly Answer[],
): void {
  for (const [at, one] of reads.entries()) {
    const answer = answers[at];
    if (answer !== undefined) answered(world, node, agent, one, answer);
  }
}

function sendOne(world: World, node: SimNode, agent: SimAgent, path: SimPath, one: Sending): void {
  if (isWrite(one.ask.request)) {
    const underWay = (agent.outs.get(one.wwid) ?? 0) + 1;
    agent.outs.set(one.wwid, underWay);
    world.watch.sent(node, path.disk, one.ask, underWay);
  }
  new Journey(world, node, path, one.ask, (answer) =>
    answered(world, node, agent, one, answer),
  ).start();
}

/** Commands of one step, in their order. */
export function sendAll(
  world: World,
  node: SimNode,
  agent: SimAgent,
  asks: readonly Sending[],
): void {
  const looks = new Map<SimPath, Sending[]>();
  for (const one of asks) {
    const disk = world.disks.find(({ name }) => name === one.wwid);
    const path = disk === undefined ? undefined : pathOf(node, disk, one.ask.path);
    if (path === undefined) {
      world.fail('sane', `${node.name} asks ${one.wwid} down ${one.ask.path}, which it has not`);
      return;
    }
    world.trace.mix(one.ask.id);
    if (isWrite(one.ask.request) || path.fate !== 'ok') sendOne(world, node, agent, path, one);
    else {
      const reads = looks.get(path);
      if (reads === undefined) looks.set(path, [one]);
      else reads.push(one);
    }
  }
  for (const [path, reads] of looks) sendLook(world, node, agent, path, reads);
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
