/**
 * `nospof switch`: looks at configured switches, orders single outlets, finds out what a device is, and
 * runs fakes of them. It never fences: that takes a plan, with all feeds of a node.
 */
import { createInterface } from 'node:readline/promises';
import type { Profile } from '../../fencing/profile.ts';
import type { OutletReply, SwitchReply, Want } from '../../fencing/reply.ts';
import type { Config, SwitchConfig } from '../../rules/config.ts';
import { nearest } from '../../rules/near.ts';
import { CONFIG_FILE } from '../config/defaults.ts';
import { formatProblems } from '../config/problems.ts';
import { durationMs } from '../config/words.ts';
import { loadProfiles, userProfiles } from '../profiles.ts';
import { openSwitch, planProblems } from '../switches.ts';
import type { ParsedArgs } from './args.ts';
import { columnsText } from './columns.ts';
import { complain, complainLines, print } from './print.ts';
import { setUp } from './setup.ts';
import { detect } from './switch-detect.ts';
import { fake } from './switch-fake.ts';
import { knownOutlets } from './switch-outlets.ts';

const ACTIONS = ['list', 'status', 'on', 'off', 'detect', 'fake'] as const;
type Action = (typeof ACTIONS)[number];

export interface SwitchSetup {
  readonly args: ParsedArgs;
  readonly config: Config;
  readonly profiles: ReadonlyMap<string, Profile>;
}

function whereOf({ address, serial, port }: SwitchConfig): string {
  if (serial !== undefined) return serial;
  return port === undefined ? (address ?? '') : `${address} port ${port}`;
}

function carrierOf(device: Profile['device']): string {
  switch (device.kind) {
    case 'snmp':
      return `snmp ${device.versions.join(' ')}`;
    case 'line':
      return device.over.join(' ');
    case 'program':
      return device.program;
  }
}

function listProfiles({ args, profiles }: SwitchSetup): number {
  const all = [...profiles.values()];
  if (args.switches.has('json')) {
    const shown = all.map(({ name, title, confidence, proof, device }) => ({
      name,
      title,
      kind: device.kind,
      confidence,
      proof,
    }));
    print(JSON.stringify(shown, undefined, 2));
    return 0;
  }
  const table = all.map(({ name, title, device, confidence, proof }) => [
    name,
    carrierOf(device),
    proof === 'none' ? 'NO PROOF OF OFF' : confidence,
    title,
  ]);
  print(columnsText([['PROFILE', 'OVER', 'CONFIDENCE', 'DEVICES'], ...table]));
  return 0;
}

function list(setup: SwitchSetup): number {
  const { args, config } = setup;
  if (args.switches.has('profiles')) return listProfiles(setup);
  const table = config.switches.map((one) => {
    const feeds = config.nodes.flatMap(({ node, feeds: all }) =>
      all
        .filter((feed) => feed.switch === one.name)
        .map((feed) => `${node}/${feed.supply}=${feed.outlet}`),
    );
    return { name: one.name, profile: one.profile, at: whereOf(one), feeds };
  });
  if (args.switches.has('json')) {
    print(JSON.stringify(table, undefined, 2));
    return 0;
  }
  if (table.length === 0) {
    complain('no switches are configured (see docs/switches.md; --profiles lists known devices)');
    return 0;
  }
  const lines = table.map(({ name, profile, at, feeds }) => [name, profile, at, feeds.join(' ')]);
  print(columnsText([['SWITCH', 'PROFILE', 'AT', 'FEEDS'], ...lines]));
  return 0;
}

function shownReply({ outlet, state, why }: OutletReply): readonly string[] {
  return [outlet, state, why];
}

function printReply(args: ParsedArgs, name: string, reply: SwitchReply): void {
  if (args.switches.has('json')) {
    const outlets = reply.outlets.map(({ outlet, state, why }) => ({ outlet, state, why }));
    print(JSON.stringify({ switch: name, ordered: reply.ordered, outlets }, undefined, 2));
    return;
  }
  print(columnsText([['OUTLET', 'STATE', 'SEEN'], ...reply.outlets.map(shownReply)]));
}

/** What an outlet powers, for the question before an order. */
function powers(config: Config, name: string, outlet: string): string {
  const feeds = config.nodes.flatMap(({ node, feeds: all }) =>
    all
      .filter((feed) => feed.switch === name && feed.outlet === outlet)
      .map((feed) => `${feed.supply} of ${node}`),
  );
  return feeds.length === 0 ? 'powers nothing that is configured' : `powers ${feeds.join(', ')}`;
}

async function agreed(
  setup: SwitchSetup,
  want: Want,
  name: string,
  outlet: string,
): Promise<boolean> {
  const { args, config } = setup;
  if (want === 'read' || args.switches.has('yes')) return true;
  const question = `Switch outlet ${outlet} of ${name} ${want}? It ${powers(config, name, outlet)}.`;
  if (!process.stdin.isTTY) {
    complain(`${question} (nobody to ask: say it with --yes)`);
    return false;
  }
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking.question(`${question} Type yes: `);
  asking.close();
  return answer.trim() === 'yes';
}

function chosen({ config }: SwitchSetup, name: string | undefined): SwitchConfig | undefined {
  const one = config.switches.find((each) => each.name === name);
  if (one !== undefined) return one;
  const names = config.switches.map((each) => each.name);
  if (name === undefined) {
    complain(`which switch? (${names.length === 0 ? 'none is configured' : names.join(', ')})`);
    return undefined;
  }
  const near = nearest(name, names);
  const mend = near === undefined ? `known: ${names.join(', ')}` : `did you mean '${near}'?`;
  complain(`no switch '${name.slice(0, 80)}' (${mend})`);
  return undefined;
}

function deadlineOf(args: ParsedArgs): number | undefined | string {
  const { deadline } = args.values;
  if (deadline === undefined) return undefined;
  return durationMs(deadline) ?? '--deadline is no time (write 30s)';
}

async function order(setup: SwitchSetup, want: Want): Promise<number> {
  const { args, config, profiles } = setup;
  const [, name, outlet] = args.operands;
  const one = chosen(setup, name);
  const deadlineMs = deadlineOf(args);
  if (typeof deadlineMs === 'string') complain(deadlineMs);
  if (one === undefined || typeof deadlineMs === 'string') return 2;
  if (outlet === undefined && want !== 'read') {
    complain(`which outlet? nospof switch ${want} ${one.name} OUTLET`);
    return 2;
  }
  const trace = args.switches.has('trace') ? complain : undefined;
  const opened = await openSwitch(one, profiles, trace === undefined ? {} : { trace });
  if (!opened.ok) {
    complain(`${opened.problem.name}: ${opened.problem.message} (${opened.problem.mend})`);
    return 2;
  }
  try {
    if (outlet !== undefined && !(await agreed(setup, want, one.name, outlet))) return 1;
    const feed = config.nodes
      .flatMap(({ feeds }) => feeds)
      .find((each) => each.switch === one.name && each.outlet === outlet);
    const named = feed?.name === undefined ? {} : { name: feed.name };
    const outlets =
      outlet === undefined
        ? await knownOutlets(opened.profile, opened.device)
        : [{ id: outlet, ...named }];
    const reply = await opened.device.perform({ want, outlets }, deadlineMs);
    const there = reply.outlets.filter(
      ({ why }) => outlet !== undefined || !why.endsWith('not in the table'),
    );
    printReply(args, one.name, { ...reply, outlets: there });
    const seen = there.filter(({ state }) =>
      want === 'read' ? state !== 'unknown' : state === want,
    );
    return there.length > 0 && seen.length === there.length ? 0 : 1;
  } finally {
    await opened.device.close();
  }
}

function isAction(word: string | undefined): word is Action {
  return (ACTIONS as readonly string[]).includes(word ?? '');
}

export async function run(args: ParsedArgs): Promise<number> {
  const [action] = args.operands;
  if (!isAction(action)) {
    const near = nearest(action ?? '', ACTIONS);
    const mend = near === undefined ? `one of ${ACTIONS.join(', ')}` : `did you mean '${near}'?`;
    complain(`no action '${(action ?? '').slice(0, 80)}' (${mend})`);
    return 2;
  }
  const setup = await setUp(args);
  if (setup === undefined) return 2;
  const { config } = setup;
  const loaded = await loadProfiles(userProfiles(args.values.config ?? CONFIG_FILE));
  complainLines(formatProblems(loaded.problems));
  const { profiles } = loaded;
  for (const { name, message, mend } of planProblems(config.nodes, config.switches, profiles)) {
    complain(`${name}: ${message} (${mend})`);
  }
  const whole: SwitchSetup = { args, config, profiles };
  switch (action) {
    case 'list':
      return list(whole);
    case 'status':
      return order(whole, 'read');
    case 'on':
    case 'off':
      return order(whole, action);
    case 'detect':
      return detect(whole);
    case 'fake':
      return fake(whole);
  }
}
