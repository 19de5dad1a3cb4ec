/**
 * `nospof fence NODE`: an operator cuts a node off. It shows the plan, asks, and tells each step; it says
 * `off` only for what was seen at one instant and to the end of the discharge time. What it may not do, a
 * guard says, and what it could not prove is no success.
 */
import { createInterface } from 'node:readline/promises';
import type { Fence } from '../../fencing/fence-state.ts';
import { refusalOf } from '../../fencing/guards.ts';
import { ALL_SUPPLIES, levelTrouble, type PowerPlan, standsAlone } from '../../fencing/plan.ts';
import type { Profile } from '../../fencing/profile.ts';
import type { Config } from '../../rules/config.ts';
import { ms } from '../../rules/model.ts';
import { nearest } from '../../rules/near.ts';
import { CONFIG_FILE } from '../config/defaults.ts';
import { formatProblems } from '../config/problems.ts';
import { durationMs } from '../config/words.ts';
import { runFence } from '../effects/fence.ts';
import { monotonicNow } from '../ports/clock.ts';
import { claim } from '../ports/exclusive.ts';
import { openDevices, powerPlans } from '../power-plans.ts';
import { loadProfiles, userProfiles } from '../profiles.ts';
import { planProblems } from '../switches.ts';
import type { ParsedArgs } from './args.ts';
import { columnsText } from './columns.ts';
import { complain, complainLines, print } from './print.ts';
import { setUp } from './setup.ts';

const DEADLINE_MS = 60_000;

/** The plan as a person reads it before saying yes. */
export function planText(plan: PowerPlan): string {
  const rows = plan.levels.flatMap((level) => {
    const trouble = levelTrouble(plan, level);
    const alone = standsAlone(level) ? '' : 'falls with the node';
    return level.feeds.map(({ supply, device, outlet, proves, dependent }) => [
      String(level.level),
      supply === ALL_SUPPLIES ? 'the whole node' : supply,
      device,
      outlet.name === undefined ? outlet.id : `${outlet.id} (${outlet.name})`,
      [proves ? '' : 'proves nothing', dependent ? alone : '', trouble ?? '']
        .filter((one) => one !== '')
        .join('; '),
    ]);
  });
  const map = plan.verified
    ? 'a drill has shown this map to be true'
    : 'this map was never drilled';
  return `${columnsText([['LEVEL', 'SUPPLY', 'SWITCH', 'OUTLET', 'NOTE'], ...rows])}\n${map}; off must last ${plan.dischargeMs / 1000} s`;
}

async function agreed(args: ParsedArgs, node: string): Promise<boolean> {
  if (args.switches.has('yes')) return true;
  const question = `Cut the power of ${node} now? Whatever runs there is lost.`;
  if (!process.stdin.isTTY) {
    complain(`${question} (nobody to ask: say it with --yes)`);
    return false;
  }
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking.question(`${question} Type the node's name: `);
  asking.close();
  return answer.trim() === node;
}

function refused(config: Config, plans: readonly PowerPlan[], node: string): string | undefined {
  const refusal = refusalOf(
    {
      self: config.node,
      now: monotonicNow(),
      bootedAt: ms(0),
      nodes: config.nodes.length,
      authority: { kind: 'operator', who: 'command' },
      maintenance: false,
      sightGood: true,
      history: [],
      plans,
    },
    node,
  );
  return refusal === undefined ? undefined : `${refusal.guard}: ${refusal.why}`;
}

function report(args: ParsedArgs, fence: Fence, tookMs: number): number {
  const { outcome, restored, plan } = fence;
  const off = outcome.kind === 'off';
  if (args.switches.has('json')) {
    print(JSON.stringify({ node: plan.node, outcome, restored, tookMs }, undefined, 2));
    return off ? 0 : 1;
  }
  const seconds = (tookMs / 1000).toFixed(1);
  if (off)
    print(`${plan.node} is off: all feeds of level ${outcome.level} were seen off (${seconds} s)`);
  else if (outcome.kind !== 'running') {
    print(`${plan.node} is NOT proven to be off after ${seconds} s: ${outcome.why}`);
    print('Do not start anything of it elsewhere. Look at the node, or cut its feeds by hand.');
  }
  if (typeof restored === 'object') print(`its power could not be switched on: ${restored.failed}`);
  else if (restored === 'yes') print('its power is on again');
  return off ? 0 : 1;
}

async function cut(
  args: ParsedArgs,
  config: Config,
  plan: PowerPlan,
  profiles: ReadonlyMap<string, Profile>,
): Promise<number> {
  const { deadline } = args.values;
  const deadlineMs = deadline === undefined ? DEADLINE_MS : durationMs(deadline);
  if (deadlineMs === undefined) {
    complain('--deadline is no time (write 60s)');
    return 2;
  }
  const held = await claim(config.runDir, `fence-${plan.node}`);
  if (!held.ok) {
    complain(`${plan.node} is being fenced already, or that cannot be told: ${held.why}`);
    return 1;
  }
  const { devices, close } = await openDevices(config, [plan], profiles, complain);
  const from = monotonicNow();
  const told = (line: string): void => {
    if (!args.switches.has('json'))
      print(`${((monotonicNow() - from) / 1000).toFixed(3).padStart(8)} s  ${line}`);
  };
  try {
    const want = args.switches.has('on') ? 'reboot' : 'off';
    const fence = await runFence({ plan, want, devices, deadlineMs, told });
    return report(args, fence, monotonicNow() - from);
  } finally {
    await close();
    await held.release();
  }
}

export async function run(args: ParsedArgs): Promise<number> {
  const setup = await setUp(args);
  if (setup === undefined) return 2;
  const { config } = setup;
  const [node = ''] = args.operands;
  const loaded = await loadProfiles(userProfiles(args.values.config ?? CONFIG_FILE));
  complainLines(formatProblems(loaded.problems));
  for (const one of planProblems(config.nodes, config.switches, loaded.profiles)) {
    complain(`${one.name}: ${one.message} (${one.mend})`);
  }
  const plans = powerPlans(config, loaded.profiles);
  const plan = plans.find((one) => one.node === node);
  if (plan === undefined) {
    const names = plans.map((one) => one.node);
    const near = nearest(node, names);
    const known = names.length === 0 ? 'none has feeds: add them under nodes' : names.join(', ');
    complain(
      `no power plan for '${node.slice(0, 80)}' (${near === undefined ? known : `did you mean '${near}'?`})`,
    );
    return 2;
  }
  const no = refused(config, plans, node);
  if (!args.switches.has('json')) print(planText(plan));
  if (no !== undefined) {
    complain(`not done: ${no}`);
    return 1;
  }
  if (!(await agreed(args, node))) return 1;
  return cut(args, config, plan, loaded.profiles);
}
