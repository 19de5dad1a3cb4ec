/** What the oracle holds against PR OUTs (S7, S15, S16, S23, S25), sent and carried out. */
import { type Key, NO_KEY } from '../../fencing/reservation/key.ts';
import type { Ask } from '../../fencing/reservation/look.ts';
import { isWrite, type WriteRequest } from '../../fencing/reservation/request.ts';
import type { SimDisk } from './disk.ts';
import { type Facts, holderOf } from './facts.ts';
import type { SimNode } from './parts.ts';
import { isOpen, isRunning } from './services.ts';
import { keyOfNode } from './setup.ts';

/** Keys of this cluster begin so; it is written out because what tells strangers is under test. */
const OURS = '00c1';
/** A node that asks the same living owner more often than this within a minute storms. */
const JOINS_MAX = 15;

/** L12: who was answered leaves the owner alone for a while. */
function countJoin(facts: Facts, node: SimNode, disk: SimDisk): void {
  const { world } = facts;
  const id = `${node.place}/${node.agentGen}/${disk.place}`;
  const recent = (facts.joins.get(id) ?? []).filter((us) => world.us - us < 60_000_000);
  recent.push(world.us);
  facts.joins.set(id, recent);
  if (recent.length > JOINS_MAX) {
    world.fail('L12', `${node.name} has asked for ${disk.name} ${recent.length} times in a minute`);
  }
}

export function checkSent(
  facts: Facts,
  node: SimNode,
  disk: SimDisk,
  { request }: Ask,
  underWay: number,
): void {
  const { world } = facts;
  if (!isWrite(request)) return;
  const own = keyOfNode(node.place, node.boot);
  if (underWay > 1) world.fail('S25', `${node.name} has two PR OUTs under way on ${disk.name}`);
  if (request.ask === 'clear') world.fail('S15', `${node.name} sends CLEAR`);
  if ('victim' in request && !request.victim.startsWith(OURS)) {
    world.fail('S15', `${node.name} preempts the stranger ${request.victim}`);
  }
  if (request.ask === 'preempt' && request.victim !== own) {
    world.fail('S2', `${node.name} preempts without abort`);
  }
  const one = facts.disks[disk.place];
  const joins = request.ask === 'register-ignore' && one?.registeredUs[node.place] === undefined;
  if (joins && one !== undefined && one.holder >= 0 && one.holder !== node.place)
    countJoin(facts, node, disk);
  if (joins && one?.lastHolder !== node.place && node.agent?.program.cluster.frozen === true) {
    world.fail('S23', `${node.name} challenges and is frozen`);
  }
}

/** Whether this takes our right to write away. */
function withdraws(request: WriteRequest, own: Key): boolean {
  if (request.ask === 'release') return true;
  if (request.ask === 'register' && request.next === NO_KEY) return true;
  return request.ask === 'preempt' && request.victim === own;
}

/** S7: who removes an owner has let him see the challenge for the whole of C. */
function checkPreempt(facts: Facts, node: SimNode, disk: SimDisk, victim: Key): void {
  const { world } = facts;
  const one = facts.disks[disk.place];
  if (one === undefined || disk.holder() !== victim || holderOf(world, disk) === node.place) return;
  const decides = facts.disks.find(({ hierarchy }) => hierarchy === one.hierarchy) === one;
  if (!decides) {
    const first = facts.disks.find(({ hierarchy }) => hierarchy === one.hierarchy);
    const registered = one.registeredUs[node.place] !== undefined;
    if (registered && first?.holder !== node.place)
      world.fail('S14', `${node.name} takes ${disk.name} before the disk that decides`);
    return;
  }
  const since = one.registeredUs[node.place];
  // Who is not registered any more is refused by the disk.
  if (since === undefined) return;
  const standsUs = world.us - since;
  if (standsUs < world.setup.times.challengeMs * 950) {
    const ms = Math.round(standsUs / 1000);
    world.fail('S7', `${node.name} takes ${disk.name} after a challenge of ${ms} ms`);
  }
}

export function checkEffect(
  facts: Facts,
  node: SimNode,
  disk: SimDisk,
  request: WriteRequest,
  ofThisBoot: boolean,
): void {
  if (!ofThisBoot) return;
  const { world } = facts;
  const own = keyOfNode(node.place, node.boot);
  const hierarchy = node.hierarchies[facts.disks[disk.place]?.hierarchy ?? -1];
  if (hierarchy === undefined) return;
  if (withdraws(request, own) && (isOpen(hierarchy) || isRunning(hierarchy))) {
    const registered = [...disk.table.registrants.values()].some(({ key }) => key === own);
    if (registered)
      world.fail('S16', `${node.name} gives ${disk.name} up with ${hierarchy.spec.name} here`);
  }
  if (request.ask === 'preempt-abort') checkPreempt(facts, node, disk, request.victim);
}
