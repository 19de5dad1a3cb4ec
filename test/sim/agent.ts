/**
 * The agent of a node: the very program of the product, stepped as its loop does, and what it wants done to
 * the simulated machine. A crash loses all it knew; the services it started run on.
 */

import { stepProgram } from '../../agent/cluster/program.ts';
import { beginProgram, type Out, type ProgramInput } from '../../agent/cluster/program-state.ts';
import type { HierarchyId } from '../../rules/cluster/model.ts';
import { localMs, worldUs } from './clock.ts';
import { disarm, feed, resetNode } from './machine.ts';
import { broadcast } from './net.ts';
import type { SimAgent, SimHierarchy, SimNode } from './parts.ts';
import { livePaths, sendAll } from './paths.ts';
import { advance, applyServices, reportServices } from './services.ts';
import { programConfig } from './setup.ts';
import { command } from './switches.ts';
import type { World } from './world.ts';

/** From something that happens to the step that takes it in. */
const LOOP_US = 300;
/** More steps than this in one simulated second mean that it turns in a circle. */
const STEPS_MAX = 4_000;
const LATE_MS = 50;

function lifeOf(world: World, node: SimNode) {
  const { setup } = world;
  return {
    node: node.name,
    place: node.place,
    boot: node.boot,
    bootedAt: node.baseMs as ReturnType<typeof localMs>,
    hashes: Object.fromEntries(
      setup.hierarchies.map(({ id }) => [id, node.drift.has(id) ? 'other' : 'same']),
    ) as Record<HierarchyId, string>,
    pathsOf: (wwid: string) =>
      livePaths(node, world.disks.find(({ name }) => name === wwid)?.place ?? 0),
  };
}

function utilityInput(world: World, node: SimNode, hierarchy: SimHierarchy): ProgramInput {
  return {
    kind: 'utility',
    at: localMs(world, node),
    hierarchy: hierarchy.spec.id,
    value: hierarchy.utility,
    why: 'as injected',
  };
}

export function startAgent(world: World, node: SimNode, why: string): void {
  if (node.power !== 'up' || node.agent !== undefined || world.us < node.agentHeldUs) return;
  const now = localMs(world, node);
  node.agentGen += 1;
  const agent: SimAgent = {
    gen: node.agentGen,
    program: beginProgram(programConfig(world.setup, lifeOf(world, node)), now),
    inbox: [],
    wakeMs: Number.POSITIVE_INFINITY,
    wakeGen: 0,
    stopped: false,
    missed: false,
    services: undefined,
    outs: new Map(),
    steps: 0,
    stepUs: world.us,
  };
  node.agent = agent;
  world.say(node.name, `agent starts (${why})`);
  const tainted = [...node.tainted] as HierarchyId[];
  agent.inbox.push({ kind: 'resume', at: now, tainted });
  agent.inbox.push({ kind: 'watchdog', at: now, timeoutMs: world.setup.times.watchdogMs });
  for (const hierarchy of node.hierarchies) {
    hierarchy.told = '';
    hierarchy.wish = { want: 'hold' };
    agent.inbox.push(utilityInput(world, node, hierarchy));
    reportServices(world, node, hierarchy);
  }
  wake(world, node, agent, LOOP_US);
}

/** The process dies; its watchdog stays armed, and init starts it anew. */
export function crashAgent(world: World, node: SimNode, backUs: number): void {
  if (node.agent === undefined) return;
  world.say(node.name, 'agent crashed');
  world.trace.count('agent-crashes');
  node.agent = undefined;
  node.agentGen += 1;
  world.later(node, backUs, () => startAgent(world, node, 'restart'));
}

export function stopAgent(world: World, node: SimNode, us: number): void {
  const { agent } = node;
  if (agent === undefined || agent.stopped) return;
  agent.stopped = true;
  world.say(node.name, 'agent stopped (SIGSTOP)');
  world.later(node, us, () => {
    if (node.agent !== agent) return;
    agent.stopped = false;
    world.say(node.name, 'agent goes on');
    for (const hierarchy of node.hierarchies) advance(world, node, hierarchy);
    if (agent.missed) step(world, node, agent);
  });
}

function wake(world: World, node: SimNode, agent: SimAgent, us: number): void {
  const atMs = localMs(world, node) + us * node.rate;
  if (agent.wakeMs > atMs) schedule(world, node, agent, us, atMs);
}

/** The next step; whatever was scheduled before is no more. */
function schedule(world: World, node: SimNode, agent: SimAgent, us: number, atMs: number): void {
  agent.wakeGen += 1;
  agent.wakeMs = atMs;
  const { wakeGen } = agent;
  world.later(node, us, () => {
    if (node.agent !== agent || agent.wakeGen !== wakeGen) return;
    if (agent.stopped) agent.missed = true;
    else step(world, node, agent);
  });
}

/** Something happened that the agent is to know of. */
export function tell(world: World, node: SimNode, input: ProgramInput): void {
  const { agent } = node;
  if (agent === undefined || node.power !== 'up') return;
  agent.inbox.push(input);
  wake(world, node, agent, LOOP_US);
}

export function tellUtility(world: World, node: SimNode, hierarchy: SimHierarchy): void {
  tell(world, node, utilityInput(world, node, hierarchy));
}

function isRound(world: World, agent: SimAgent): boolean {
  if (world.us - agent.stepUs > 1_000_000) {
    agent.stepUs = world.us;
    agent.steps = 0;
  }
  agent.steps += 1;
  return agent.steps > STEPS_MAX;
}

function step(world: World, node: SimNode, agent: SimAgent): void {
  const now = localMs(world, node);
  const lateMs = now - agent.wakeMs;
  const inputs = agent.inbox;
  agent.inbox = [];
  agent.missed = false;
  agent.wakeMs = Number.POSITIVE_INFINITY;
  if (lateMs > LATE_MS) inputs.unshift({ kind: 'late', at: now, lateMs });
  if (isRound(world, agent)) {
    world.fail('L11', `${node.name}: the agent steps ${STEPS_MAX} times within a second`);
    return;
  }
  let turn: ReturnType<typeof stepProgram>;
  try {
    turn = stepProgram(agent.program, now, inputs);
  } catch (error) {
    world.fail('no-throw', `${node.name}: ${error instanceof Error ? error.stack : error}`);
    return;
  }
  agent.program = turn.program;
  world.trace.mix(inputs.length);
  dispatch(world, node, agent, turn.out);
  if (node.agent !== agent) return;
  // A timer is not late because its node is slow; what follows from it is.
  const atMs = Math.max(turn.out.dueAt, now + 0.05);
  schedule(world, node, agent, (worldUs(node, atMs) - world.us) / node.slow, atMs);
}

function decided(world: World, node: SimNode, { decisions }: Out): void {
  for (const { hierarchy, from, to, refusedBy, why, taint } of decisions) {
    if (taint !== undefined) node.tainted.add(taint);
    // Taken up again: what is proven anew is tainted no more.
    if (to === 'starting' && hierarchy !== undefined) node.tainted.delete(hierarchy);
    const change = to === undefined ? '' : `${from} -> ${to}: `;
    const no = refusedBy === undefined ? '' : ` [refused by ${refusedBy}]`;
    world.say(node.name, `${hierarchy ?? ''} ${change}${why}${no}`);
    if (to !== undefined) world.trace.count(`transition ${from} -> ${to}`);
    if (refusedBy !== undefined) world.trace.count(`guard ${refusedBy}`);
  }
}

function dispatch(world: World, node: SimNode, agent: SimAgent, out: Out): void {
  decided(world, node, out);
  if (out.reset !== undefined) {
    world.trace.count('self-fences');
    resetNode(world, node, out.reset);
    return;
  }
  world.watch.stepped(node, out);
  if (out.watchdog === 'feed') feed(world, node);
  else if (out.watchdog === 'rest') disarm(world, node);
  if (out.asks.length > 0) sendAll(world, node, agent, out.asks);
  if (out.services !== agent.services) {
    agent.services = out.services;
    applyServices(world, node, out.services);
  }
  if (out.heartbeat !== undefined) broadcast(world, node, out.heartbeat);
  for (const one of out.switches) command(world, node, one);
}

export function actsOf(world: World): World['acts'] {
  return {
    tell: (node, input) => tell(world, node, input),
    startAgent: (node, why) => startAgent(world, node, why),
  };
}
