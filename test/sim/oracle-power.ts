/** What the oracle holds against power: right targets, proofs of off, no storms (S8 to S12). */

import type { Out } from '../../agent/cluster/program-state.ts';
import type { FenceCommand } from '../../fencing/fence-state.ts';
import { worldUs } from './clock.ts';
import type { Facts } from './facts.ts';
import type { SimNode } from './parts.ts';

const WINDOW_US = 600_000_000;
const FENCES_MAX = 2;
const GRACE_US = 60_000_000;
const SLACK_US = 50_000;

type Command = FenceCommand & { readonly target: string };

export function powerChanged({ dark, world }: Facts, node: SimNode): void {
  const list = dark[node.place];
  if (list === undefined) return;
  const last = list.at(-1);
  const off = node.darkUs !== undefined;
  if (off && (last === undefined || last[1] !== Number.POSITIVE_INFINITY)) {
    list.push([world.us, Number.POSITIVE_INFINITY]);
  } else if (!off && last !== undefined && last[1] === Number.POSITIVE_INFINITY) last[1] = world.us;
}

function wasDark(facts: Facts, node: SimNode, us: number): boolean {
  const list = facts.dark[node.place] ?? [];
  return list.some(([from, to]) => from <= us + SLACK_US && us - SLACK_US <= to);
}

/** S12: counted as orders to cut, merged over the two switches of a node. */
function countFence(facts: Facts, node: SimNode, target: string): void {
  const { world, fences } = facts;
  const repeated = fences.some(
    (one) => one.by === node.place && one.target === target && world.us - one.us < 31_000_000,
  );
  if (repeated) return;
  fences.push({ by: node.place, target, us: world.us, life: node.agentGen });
  world.trace.count('fences');
  // What an earlier life of the agent ordered it does not know of; the grace after boot bounds that.
  const recent = fences.filter(
    ({ us, by, life }) => by === node.place && life === node.agentGen && world.us - us < WINDOW_US,
  );
  if (recent.length > FENCES_MAX)
    world.fail('S12', `${node.name} orders ${recent.length} fences in ten minutes`);
  if (world.us - node.bootedUs < GRACE_US * 0.98) {
    world.fail('S12', `${node.name} fences ${target} right after its own boot`);
  }
}

export function checkSwitched(facts: Facts, node: SimNode, command: Command): void {
  const { world } = facts;
  const target = world.nodes.find(({ name }) => name === command.target);
  if (target === undefined || command.outlets.some(({ id }) => id !== command.target)) {
    world.fail('S10', `${node.name} orders an outlet that does not power ${command.target}`);
    return;
  }
  if (target === node) world.fail('S10', `${node.name} orders its own outlet`);
  if (command.want === 'off') countFence(facts, node, command.target);
  if (command.want !== 'on' || facts.lied.has(target.place)) return;
  if ([...world.switches.values()].some(({ mood }) => mood === 'lies')) return;
  const darkUs = target.darkUs === undefined ? 0 : world.us - target.darkUs;
  const since = (facts.dark[target.place] ?? []).at(-1);
  const restored = since !== undefined && since[1] > world.us - 5_000_000;
  if (darkUs < 4_900_000 && !restored)
    world.fail('S9', `${target.name} is switched on again without having been off`);
}

/** S8: what is called off was off. */
export function checkStepped(facts: Facts, node: SimNode, _out: Out): void {
  const program = node.agent?.program;
  if (program === undefined || program.fences.runs.length === 0) return;
  const { world } = facts;
  for (const { target, fence } of program.fences.runs) {
    if (fence.outcome.kind !== 'off') continue;
    const id = `${node.place}/${node.agentGen}/${target}/${fence.startedAt}`;
    if (facts.proven.has(id)) continue;
    facts.proven.set(id, world.us);
    const victim = world.nodes.find(({ name }) => name === target);
    if (victim === undefined) continue;
    world.trace.count('fences-proven');
    const offUs = worldUs(node, fence.outcome.at);
    if (wasDark(facts, victim, offUs)) continue;
    if ([...world.switches.values()].some(({ told }) => told.has(target))) {
      facts.lied.add(victim.place);
      world.trace.count('fences-lied');
      continue;
    }
    world.fail('S8', `${node.name} calls ${target} off, and it was not`);
  }
}
