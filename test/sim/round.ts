/** One run: a cluster boots, everything goes wrong, then a core is healed and has to serve. */
import { actsOf } from './agent.ts';
import { checkServed, HEAL_US, heal, STABLE_US, served } from './heal.ts';
import { inject } from './inject.ts';
import { resetNode } from './machine.ts';
import { oracleOf } from './oracle.ts';
import { drawPlan, type Fault, kindsOf, NETWORK_KINDS } from './plan.ts';
import { type Setup, type Size, setupOf } from './setup.ts';
import { World } from './world.ts';

/** How long everything goes wrong in a round; with the healing it is close to an hour. */
export const SAFETY_US: number = 45 * 60 * 1_000_000;

export interface RoundOptions {
  readonly seed: string;
  /** How long everything goes wrong. */
  readonly safetyUs: number;
  readonly size?: Partial<Size>;
  readonly setup?: Setup;
  readonly plan?: readonly Fault[];
  readonly whole?: boolean;
  /** Without the liveness phase. */
  readonly safetyOnly?: boolean;
}

export interface RoundResult {
  readonly seed: string;
  readonly world: World;
  readonly plan: readonly Fault[];
  readonly violation: World['violation'];
}

export function worldOf(setup: Setup, seed: string): World {
  const world = new World(setup, seed, oracleOf);
  world.acts = actsOf(world);
  return world;
}

export function powerOn(world: World): void {
  for (const node of world.nodes) {
    node.power = 'booting';
    resetNode(world, node, 'first boot');
  }
}

export function runRound(options: RoundOptions): RoundResult {
  const { seed, safetyUs } = options;
  const setup = options.setup ?? setupOf(seed, options.size);
  const plan = options.plan ?? drawPlan(seed, setup, safetyUs);
  const world = worldOf(setup, seed);
  world.trace.whole = options.whole ?? false;
  powerOn(world);
  for (const fault of plan) world.at(fault.atUs, () => inject(world, fault));
  world.run(safetyUs);
  if (world.violation === undefined) checkMoves(world, seed, plan);
  if (world.violation === undefined && options.safetyOnly !== true) live(world);
  return { seed, world, plan, violation: world.violation };
}

/** S13: faults of the network alone move nothing. */
function checkMoves(world: World, seed: string, plan: readonly Fault[]): void {
  const networkOnly = plan.every(({ kind }) => NETWORK_KINDS.includes(kind));
  const moves = world.trace.counts.get('moves') ?? 0;
  if (networkOnly && kindsOf(seed) === NETWORK_KINDS && moves > 0) {
    world.fail('S13', `${moves} moves, and only the network was ill`);
  }
}

function live(world: World): void {
  const core = heal(world);
  world.run(world.us + HEAL_US);
  if (world.violation !== undefined) return;
  // One that goes back to a preferred node just now is given the time for it.
  if (served(world).some((owner) => owner === undefined)) world.run(world.us + STABLE_US);
  const owners = checkServed(world, core);
  world.run(world.us + STABLE_US);
  if (world.violation !== undefined) return;
  if (served(world).some((owner) => owner === undefined)) world.run(world.us + STABLE_US);
  const later = checkServed(world, core);
  for (const [at, { name, failbackMs }] of world.setup.hierarchies.entries()) {
    if (failbackMs !== undefined || owners[at] === later[at]) continue;
    world.fail('L12', `${name} went from ${owners[at]} to ${later[at]}`);
  }
}
