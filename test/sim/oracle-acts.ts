/** What the oracle holds against starts and against food for the watchdog (S3, S4, S18, S21, S23). */
import { type Facts, wasExclusive } from './facts.ts';
import type { SimHierarchy, SimNode, SimService } from './parts.ts';
import { isOpen, isRunning } from './services.ts';

const LEAVING = new Set(['stopping', 'losing', 'yielding', 'releasing']);
/** Clock drift, and the way from a proof to the step that acts on it. */
const SLACK_US = 300_000;

export function checkStarting(
  facts: Facts,
  node: SimNode,
  hierarchy: SimHierarchy,
  service: SimService,
): void {
  const { world } = facts;
  const { times } = world.setup;
  const freshUs = times.freshMs * 1050 + SLACK_US;
  for (const one of facts.disks) {
    if (one.hierarchy !== hierarchy.place) continue;
    if (!wasExclusive(facts, one, node.place, freshUs)) {
      const name = world.disks[one.place]?.name ?? '';
      world.fail('S3', `${node.name} starts ${service.id} and ${name} is not its alone`);
      return;
    }
  }
  if (hierarchy.spec.fencedBy === 'disk' && !node.watchdog.armed) {
    world.fail('S18', `${node.name} starts ${service.id} without a watchdog`);
  }
  if (node.agent?.program.cluster.frozen === true) {
    world.fail('S23', `${node.name} starts ${service.id} and is frozen`);
  }
  if (service.place === 0) checkWilling(facts, node, hierarchy);
  if (service.place === 0) countStart(facts, hierarchy);
}

/** S22: nothing comes to where it may not be; what runs there already may stay. */
function checkWilling(facts: Facts, node: SimNode, hierarchy: SimHierarchy): void {
  const { world } = facts;
  const core = node.agent?.program.cluster;
  const told = core?.hierarchies[hierarchy.place];
  if (told?.state !== 'starting' || hierarchy.services.some(({ state }) => state === 'running'))
    return;
  if (hierarchy.utility === 0 && hierarchy.utilityUs < world.us - 10_000_000) {
    world.fail('S22', `${node.name} takes ${hierarchy.spec.name} with utility 0`);
  }
}

/** L10: an agent that starts anew over what is ours and well stops nothing of it. */
export function checkStopping(facts: Facts, node: SimNode, hierarchy: SimHierarchy): void {
  const state = node.agent?.program.cluster.hierarchies[hierarchy.place]?.state;
  if (state === undefined || LEAVING.has(state)) return;
  const own = facts.disks.filter((one) => one.hierarchy === hierarchy.place);
  if (own.length > 0 && own.every(({ exclusive }) => exclusive === node.place)) {
    const { name } = hierarchy.spec;
    facts.world.fail('L10', `${node.name} stops ${name}, which is ${state} and its own`);
  }
}

/** S21: what does not run anywhere is not started for ever. */
function countStart(facts: Facts, { place, spec }: SimHierarchy): void {
  const { world } = facts;
  const starts = (facts.starts[place] ?? []).filter(
    (us) => world.us - us < spec.startsWithinMs * 1000,
  );
  starts.push(world.us);
  facts.starts[place] = starts;
  // Each start may be repeated in place by the restart policy of the node.
  const most = 3 * (spec.startsMax + 1) * world.nodes.length;
  if (starts.length > most) world.fail('S21', `${spec.name} was started ${starts.length} times`);
}

/** S18: fed only by one who could prove all he runs. */
export function checkFed(facts: Facts, node: SimNode): void {
  const { times } = facts.world.setup;
  const ageUs = times.freshMs * 1050 + SLACK_US;
  for (const hierarchy of node.hierarchies) {
    if (hierarchy.spec.fencedBy !== 'disk') continue;
    if (!isOpen(hierarchy) && !isRunning(hierarchy)) continue;
    for (const one of facts.disks) {
      if (one.hierarchy !== hierarchy.place) continue;
      if (wasExclusive(facts, one, node.place, ageUs)) continue;
      const { name } = hierarchy.spec;
      facts.world.fail('S18', `${node.name} feeds its watchdog, and ${name} is not its alone`);
      return;
    }
  }
}
