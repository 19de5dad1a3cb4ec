/**
 * The oracle: what may never happen (S1 to S25 of the specification), judged from what is physically so - the
 * tables of the disks, open and dirty pages, running services, feeds - and never from what an agent believes.
 * Everything is looked at after each event, but only where the event touched it.
 */
import { type Key, partsOf } from '../../fencing/reservation/key.ts';
import type { SimDisk } from './disk.ts';
import { type DiskFacts, type Facts, factsOf, holderOf, registeredNodes } from './facts.ts';
import { checkFed, checkStarting, checkStopping } from './oracle-acts.ts';
import { checkEffect, checkSent } from './oracle-orders.ts';
import { checkStepped, checkSwitched, powerChanged } from './oracle-power.ts';
import type { SimHierarchy, SimNode } from './parts.ts';
import { isOpen, isRunning } from './services.ts';
import type { Watch } from './watch.ts';
import type { World } from './world.ts';

/** How long two nodes may each hold some disks of a hierarchy. */
const SPLIT_US = 120_000_000;
/** Beyond W and its bounds: what a stop or a reset takes. */
const STOP_SLACK_US = 1_500_000;

function isAdmitted(facts: Facts, node: SimNode, disk: SimDisk): boolean {
  for (const path of node.paths[disk.place] ?? []) {
    if (path.fate === 'cut' || !disk.admits(path.nexusName)) continue;
    const key = disk.table.registrants.get(path.nexusName)?.key;
    // A registration of an earlier boot admits as well: the nexus counts, not the key.
    if (disk.table.reservation === undefined || key !== undefined) return true;
  }
  return facts.world.violation !== undefined;
}

/** S1: at most one node that is up can write to a disk that it has open. */
function checkWriters(facts: Facts, disk: SimDisk): void {
  const { world } = facts;
  const one = facts.disks[disk.place];
  if (one === undefined) return;
  let writer: SimNode | undefined;
  for (const node of world.nodes) {
    if (node.power !== 'up' || one.excused.has(node.place)) continue;
    const hierarchy = node.hierarchies[one.hierarchy];
    if (hierarchy === undefined || !isOpen(hierarchy) || !isAdmitted(facts, node, disk)) continue;
    if (writer !== undefined) {
      world.fail(
        'S1',
        `${writer.name} and ${node.name} have ${disk.name} open, and may both write`,
      );
      return;
    }
    writer = node;
  }
}

/** S6: who has lost it has stopped by W. */
function checkLost(facts: Facts, disk: SimDisk, was: number, bootGen: number): void {
  const { world } = facts;
  const loser = world.nodes[was];
  const one = facts.disks[disk.place];
  if (loser === undefined || one === undefined || one.excused.has(was)) return;
  const limitUs = world.setup.times.addressWaitMs * 1000 + STOP_SLACK_US;
  const startUs = world.us;
  const look = (): void => {
    const hierarchy = loser.hierarchies[one.hierarchy];
    if (loser.bootGen !== bootGen || loser.power !== 'up' || hierarchy === undefined) return;
    if (one.holder === was) return;
    if (one.lostUs !== startUs || loser.hung === 'vm' || facts.paused.has(was)) return;
    if (isOpen(hierarchy) || isRunning(hierarchy)) {
      world.fail('S6', `${loser.name} lost ${disk.name} and still has ${hierarchy.spec.name}`);
    }
  };
  world.after(limitUs, look);
}

/** S14: no hierarchy stays divided. */
function checkSplit(facts: Facts, hierarchy: number): void {
  const { world } = facts;
  const own = facts.disks.filter((one) => one.hierarchy === hierarchy);
  const holders = new Set(own.map(({ holder }) => holder).filter((holder) => holder >= 0));
  const split = facts.splits[hierarchy] ?? 0;
  if (holders.size <= 1) {
    facts.splits[hierarchy] = 0;
    return;
  }
  if (split !== 0) return;
  facts.splits[hierarchy] = world.us;
  const since = world.us;
  world.after(SPLIT_US, () => {
    if (facts.splits[hierarchy] !== since) return;
    const alive = [...holders].every((at) => {
      const node = world.nodes[at];
      return node?.power === 'up' && node.hung === 'no' && node.agent?.stopped === false;
    });
    const whole = world.nodes.every(({ paths }) =>
      paths.flat().every(({ fate, disk }) => fate === 'ok' && !disk.down),
    );
    const calm = facts.calmUs < since;
    if (alive && whole && calm) world.fail('S14', `the disks of h${hierarchy + 1} stay divided`);
  });
}

function tableChanged(facts: Facts, disk: SimDisk): void {
  const { world } = facts;
  const one = facts.disks[disk.place];
  if (one === undefined) return;
  facts.dirty.add(disk.place);
  const holder = holderOf(world, disk);
  const alone = holder >= 0 && registeredNodes(disk).size === 1 && holdsByKey(world, disk, holder);
  const exclusive = alone ? holder : -1;
  if (exclusive !== one.exclusive) {
    if (one.exclusive >= 0) one.exclusiveEndUs[one.exclusive] = world.us;
    one.exclusive = exclusive;
  }
  registrationsChanged(facts, disk, one);
  if (holder !== one.holder) holderChanged(facts, disk, one, holder);
}

function holderChanged(facts: Facts, disk: SimDisk, one: DiskFacts, holder: number): void {
  const { world } = facts;
  const was = one.holder;
  one.holder = holder;
  if (was >= 0) {
    one.lostUs = world.us;
    const loser = world.nodes[was];
    const hierarchy = loser?.hierarchies[one.hierarchy];
    const has = hierarchy !== undefined && (isOpen(hierarchy) || isRunning(hierarchy));
    if (loser !== undefined && has) checkLost(facts, disk, was, loser.bootGen);
  }
  if (holder >= 0) {
    if (one.lastHolder >= 0 && holder !== one.lastHolder) countMove(facts, disk, one);
    one.lastHolder = holder;
  }
  checkSplit(facts, one.hierarchy);
}

/** By the disk that decides; `moves` are those that no wish to go back explains. */
function countMove({ world, disks }: Facts, disk: SimDisk, one: DiskFacts): void {
  if (disks.find(({ hierarchy }) => hierarchy === one.hierarchy) !== one) return;
  world.trace.count('takeovers');
  const { failbackMs } = world.setup.hierarchies[one.hierarchy] ?? {};
  if (failbackMs === undefined) world.trace.count('moves');
  world.say(disk.name, `goes to ${world.nodes[one.holder]?.name}`);
}

/** The registration of the present boot, not of an earlier one. */
function holdsByKey(world: World, disk: SimDisk, holder: number): boolean {
  const key = disk.holder();
  return key !== undefined && partsOf(key as Key).boot === world.nodes[holder]?.boot;
}

function registrationsChanged(facts: Facts, disk: SimDisk, one: DiskFacts): void {
  const nodes = registeredNodes(disk);
  for (const node of facts.world.nodes) {
    const registered = nodes.has(node.place);
    if (registered && one.registeredUs[node.place] === undefined) {
      one.registeredUs[node.place] = facts.world.us;
    } else if (!registered) one.registeredUs[node.place] = undefined;
  }
}

/** S2: what an old start wrote never comes after what a newer one wrote. */
function written(facts: Facts, disk: SimDisk, token: number, node: SimNode): void {
  const one = facts.disks[disk.place];
  if (one === undefined) return;
  facts.world.trace.count('writes');
  if (token < one.token && !one.excused.has(node.place)) {
    const why = `${disk.name} took a write of start ${token} by ${node.name} after one of ${one.token}`;
    facts.world.fail('S2', why);
  }
  one.token = Math.max(one.token, token);
}

/** Who had it open when the array forgot its table is the array's fault, until it is closed. */
function wiped(facts: Facts, disk: SimDisk, holder: SimNode | undefined): void {
  const one = facts.disks[disk.place];
  if (one === undefined) return;
  for (const node of facts.world.nodes) {
    const hierarchy = node.hierarchies[one.hierarchy];
    if (node !== holder && hierarchy !== undefined && isOpen(hierarchy))
      one.excused.add(node.place);
  }
}

/** S5: an address is at one place. */
function checkAddress(facts: Facts, place: number): void {
  const { world } = facts;
  let found: SimNode | undefined;
  for (const node of world.nodes) {
    if (node.power !== 'up' || node.hung !== 'no' || facts.paused.has(node.place)) continue;
    const services = node.hierarchies[place]?.services ?? [];
    if (
      !services.some(({ waits, state }) => waits && (state === 'running' || state === 'starting'))
    )
      continue;
    if (found !== undefined && !facts.lied.has(found.place) && !facts.lied.has(node.place)) {
      world.fail('S5', `the address of h${place + 1} is at ${found.name} and at ${node.name}`);
      return;
    }
    found = node;
  }
}

function changed(facts: Facts, node: SimNode, hierarchy: SimHierarchy): void {
  for (const one of facts.disks) {
    if (one.hierarchy !== hierarchy.place) continue;
    facts.dirty.add(one.place);
    if (one.excused.has(node.place) && !isOpen(hierarchy)) one.excused.delete(node.place);
  }
  facts.addresses.add(hierarchy.place);
}

function lifeChanged(facts: Facts, node: SimNode): void {
  for (const one of facts.disks) facts.dirty.add(one.place);
  for (const { place } of node.hierarchies) facts.addresses.add(place);
  if (node.hung === 'vm') facts.paused.add(node.place);
  else if (node.hung === 'no') {
    const { world } = facts;
    world.after(world.setup.times.addressWaitMs * 1000, () => facts.paused.delete(node.place));
  }
  facts.calmUs = facts.world.us;
  powerChanged(facts, node);
}

export function oracleOf(world: World): Watch {
  const facts = factsOf(world);
  return {
    check: () => {
      for (const at of facts.dirty) {
        const disk = world.disks[at];
        if (disk !== undefined) checkWriters(facts, disk);
      }
      facts.dirty.clear();
      for (const at of facts.addresses) checkAddress(facts, at);
      facts.addresses.clear();
    },
    table: (disk) => tableChanged(facts, disk),
    sent: (node, disk, ask, underWay) => checkSent(facts, node, disk, ask, underWay),
    effect: (node, disk, request, own) => checkEffect(facts, node, disk, request, own),
    wiped: (disk, holder) => wiped(facts, disk, holder),
    written: (disk, _hierarchy, token, node) => written(facts, disk, token, node),
    starting: (node, hierarchy, service) => checkStarting(facts, node, hierarchy, service),
    stopping: (node, hierarchy) => checkStopping(facts, node, hierarchy),
    changed: (node, hierarchy) => changed(facts, node, hierarchy),
    life: (node) => lifeChanged(facts, node),
    fed: (node) => checkFed(facts, node),
    disarmed: (node) => {
      const busy = node.hierarchies.find((one) => isOpen(one) || isRunning(one));
      if (busy !== undefined)
        world.fail('S18', `${node.name} closes its watchdog with ${busy.spec.name} here`);
    },
    switched: (node, command) => checkSwitched(facts, node, command),
    stepped: (node, out) => checkStepped(facts, node, out),
  };
}
