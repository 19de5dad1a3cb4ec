#!/usr/bin/env node
/**
 * `fence_nospof`: nospof as a fence agent, so that Pacemaker and whatever else calls ClusterLabs' agents can
 * use its switches. Parameters come as `name=value` lines or as flags; a plug is a node of nospof.yaml, or
 * several with commas. Off and reboot succeed only when every plug was proven off.
 */
import { readFileSync } from 'node:fs';
import type { Fence } from '../fencing/fence-state.ts';
import { byDevice, levelTrouble, type PowerPlan } from '../fencing/plan.ts';
import type { OutletState } from '../fencing/reply.ts';
import type { Config } from '../rules/config.ts';
import { complain, complainLines, print } from './commands/print.ts';
import { setUp } from './commands/setup.ts';
import { CONFIG_FILE } from './config/defaults.ts';
import { formatProblems } from './config/problems.ts';
import { runFence } from './effects/fence.ts';
import type { SwitchDevice } from './effects/switches.ts';
import { metadata, parameters } from './fence-nospof-api.ts';
import { claim } from './ports/exclusive.ts';
import { openDevices, powerPlans } from './power-plans.ts';
import { loadProfiles, userProfiles } from './profiles.ts';
import { planProblems } from './switches.ts';

const FAILED = 1;
/** What `status` ends with for a node that is off (FenceAgentAPI). */
const IS_OFF = 2;
/** Parameters are a few lines. */
const INPUT_BYTES_MAX = 65_536;
const TIMEOUT_S = 60;

interface Bench {
  readonly config: Config;
  readonly plans: readonly PowerPlan[];
  readonly devices: ReadonlyMap<string, SwitchDevice>;
  readonly deadlineMs: number;
}

function inputText(): string {
  // An agent that was given flags is not fed by anybody.
  if (process.argv.length > 2 || process.stdin.isTTY) return '';
  try {
    return readFileSync(0, 'utf8').slice(0, INPUT_BYTES_MAX);
  } catch {
    return '';
  }
}

/** The feeds whose states tell the node's: those of the first level that can prove anything. */
async function stateOf(
  { devices }: Bench,
  plan: PowerPlan,
  deadlineMs?: number,
): Promise<OutletState> {
  const level = plan.levels.find((one) => levelTrouble(plan, one) === undefined);
  if (level === undefined) return 'unknown';
  const counted = level.feeds.filter(({ proves }) => proves);
  const states = await Promise.all(
    [...byDevice(counted)].map(async ([device, outlets]): Promise<readonly OutletState[]> => {
      const reply = await devices.get(device)?.perform({ want: 'read', outlets }, deadlineMs);
      return reply?.outlets.map(({ state }) => state) ?? ['unknown'];
    }),
  );
  const all = states.flat();
  if (all.some((state) => state === 'on')) return 'on';
  return all.length > 0 && all.every((state) => state === 'off') ? 'off' : 'unknown';
}

async function status(bench: Bench, plans: readonly PowerPlan[]): Promise<number> {
  const states = await Promise.all(plans.map((plan) => stateOf(bench, plan, bench.deadlineMs)));
  for (const [at, { node }] of plans.entries()) print(`${node} is ${states[at] ?? 'unknown'}`);
  if (states.some((state) => state === 'unknown')) return FAILED;
  return states.some((state) => state === 'on') ? 0 : IS_OFF;
}

/** Every switch answers for every outlet, whatever its state. */
async function monitor(bench: Bench, plans: readonly PowerPlan[]): Promise<number> {
  let well = plans.length > 0;
  for (const plan of plans) {
    for (const [device, outlets] of byDevice(plan.levels.flatMap(({ feeds }) => feeds))) {
      const reply = await bench.devices.get(device)?.perform({ want: 'read', outlets });
      const bad = reply?.outlets.find(({ state }) => state === 'unknown');
      if (reply !== undefined && bad === undefined) continue;
      complain(`${plan.node}: ${device}: ${bad?.why ?? 'cannot be used'}`);
      well = false;
    }
  }
  return well ? 0 : FAILED;
}

/** Holds every plug until `work` has ended, so that nobody's fence comes between; or orders nothing. */
async function alone(
  { config }: Bench,
  plans: readonly PowerPlan[],
  work: () => Promise<number>,
): Promise<number> {
  const releases: (() => Promise<void>)[] = [];
  try {
    for (const { node } of plans) {
      const held = await claim(config.runDir, `fence-${node}`);
      if (!held.ok) {
        complain(`${node} is being fenced already, or that cannot be told: ${held.why}`);
        return FAILED;
      }
      releases.push(held.release);
    }
    return await work();
  } finally {
    for (const release of releases) await release();
  }
}

/** Why a plug is not proven to be off now that its fence has ended; empty if it is. */
async function doubt(bench: Bench, { plan, outcome }: Fence, many: boolean): Promise<string> {
  if (outcome.kind === 'running') return 'not ended';
  if (outcome.kind !== 'off') return outcome.why;
  if (!many) return '';
  // Plugs come to their ends one after the other: a last look sees all of them off together.
  const levels = plan.levels.filter(({ level }) => level === outcome.level);
  const state = await stateOf(bench, { ...plan, levels });
  return state === 'off' ? '' : `${state} when all plugs were read again`;
}

async function off(bench: Bench, plans: readonly PowerPlan[]): Promise<number> {
  const { devices, deadlineMs } = bench;
  const fences = await Promise.all(
    plans.map((plan) => runFence({ plan, want: 'off', devices, deadlineMs })),
  );
  const doubts = await Promise.all(fences.map((fence) => doubt(bench, fence, plans.length > 1)));
  for (const [at, { node }] of plans.entries()) {
    const why = doubts[at];
    if (why !== '') complain(`${node} is not proven to be off: ${why}`);
  }
  return plans.length > 0 && doubts.every((why) => why === '') ? 0 : FAILED;
}

async function on({ devices, deadlineMs }: Bench, plans: readonly PowerPlan[]): Promise<number> {
  let well = plans.length > 0;
  for (const plan of plans) {
    for (const [device, outlets] of byDevice(plan.levels.flatMap(({ feeds }) => feeds))) {
      const reply = await devices.get(device)?.perform({ want: 'on', outlets }, deadlineMs);
      const dark = reply?.outlets.find(({ state }) => state !== 'on');
      if (reply !== undefined && dark === undefined) continue;
      complain(`${plan.node}: ${device}: ${dark?.why ?? 'cannot be used'}`);
      well = false;
    }
  }
  return well ? 0 : FAILED;
}

async function list(bench: Bench, withState: boolean): Promise<number> {
  for (const plan of bench.plans) {
    const state = withState
      ? (await stateOf(bench, plan, bench.deadlineMs)).toUpperCase()
      : undefined;
    print(state === undefined ? `${plan.node},` : `${plan.node},,${state}`);
  }
  return 0;
}

async function act(bench: Bench, action: string, plugs: readonly PowerPlan[]): Promise<number> {
  switch (action) {
    case 'on':
      return alone(bench, plugs, () => on(bench, plugs));
    case 'off':
      return alone(bench, plugs, () => off(bench, plugs));
    case 'reboot':
      return alone(bench, plugs, async () => {
        const cutAll = await off(bench, plugs);
        // Off is what was asked for: a node that does not come back is told, and no failure.
        if (cutAll === 0) await on(bench, plugs);
        return cutAll;
      });
    case 'status':
      return status(bench, plugs);
    case 'monitor':
      return monitor(bench, plugs.length > 0 ? plugs : bench.plans);
    case 'list':
    case 'list-status':
      return list(bench, action === 'list-status');
    case 'validate-all':
      return 0;
    default:
      complain(`unknown action '${action.slice(0, 40)}'`);
      return FAILED;
  }
}

async function main(): Promise<number> {
  const given = parameters(process.argv.slice(2), inputText());
  if (typeof given === 'string') {
    complain(given);
    return FAILED;
  }
  const { action = 'reboot', config: file, plug, timeout } = given;
  if (action === 'metadata') {
    print(metadata());
    return 0;
  }
  const values = file === undefined ? {} : { config: file };
  const setup = await setUp({ command: 'fence', values, switches: new Set(), operands: [] });
  if (setup === undefined) return FAILED;
  const { config } = setup;
  const { profiles, problems } = await loadProfiles(userProfiles(file ?? CONFIG_FILE));
  complainLines(formatProblems(problems));
  const faults = planProblems(config.nodes, config.switches, profiles);
  for (const { name, message, mend } of faults) complain(`${name}: ${message} (${mend})`);
  const plans = powerPlans(config, profiles);
  const names = plug === undefined ? [] : plug.split(',').map((name) => name.trim());
  const plugs = plans.filter(({ node }) => names.includes(node));
  const missing = names.find((name) => !plugs.some(({ node }) => node === name));
  if (missing !== undefined) {
    complain(
      `no power plan for '${missing.slice(0, 80)}' (known: ${plans.map(({ node }) => node).join(', ')})`,
    );
    return FAILED;
  }
  const needsPlug = ['on', 'off', 'reboot', 'status'].includes(action);
  if (needsPlug && plugs.length === 0) {
    complain('needs plug=NODE, a node of nospof.yaml');
    return FAILED;
  }
  const wanted = plugs.length > 0 ? plugs : plans;
  const bad = wanted.find((plan) =>
    plan.levels.every((level) => levelTrouble(plan, level) !== undefined),
  );
  if (bad !== undefined) {
    complain(`${bad.node}: no level can prove that it is off`);
    return FAILED;
  }
  const { devices, close } = await openDevices(config, wanted, profiles, complain);
  try {
    return await act(
      { config, plans, devices, deadlineMs: Number(timeout ?? TIMEOUT_S) * 1000 },
      action,
      plugs,
    );
  } finally {
    await close();
  }
}

process.exitCode = await main();
