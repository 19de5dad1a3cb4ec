/**
 * The sentences that scenarios are written in: what happens to the stage, and what is then expected of it.
 * A sentence that is not understood is an error with the sentence in it.
 */
import type { ClusterWord, HierarchyId, NodeName } from '../../rules/cluster/model.ts';
import { ms } from '../../rules/model.ts';
import { node as nameOf } from './made.ts';
import {
  AGENT_MS,
  crash,
  drop,
  hierarchyNamed,
  type Part,
  type Stage,
  type StageNode,
  say,
  stateOf,
  tell,
  tick,
} from './stage.ts';

const SETTLE_MS_MAX = 120_000;

function nodeNamed(stage: Stage, name: string): StageNode {
  const node = stage.nodes.get(nameOf(name));
  if (node === undefined) throw new Error(`no node ${name}`);
  return node;
}

function partNamed(stage: Stage, node: string, name: string): Part {
  const part = nodeNamed(stage, node).parts.get(hierarchyNamed(stage, name));
  if (part === undefined) throw new Error(`no ${name} on ${node}`);
  return part;
}

function partWith(stage: Stage, node: string, service: string): Part {
  for (const part of nodeNamed(stage, node).parts.values()) {
    if (part.services.some(({ name }) => name === service)) return part;
  }
  throw new Error(`no service ${service}`);
}

function timeOf(number: string, unit: string): number {
  return Number(number) * ({ ms: 1, s: 1000, min: 60_000 }[unit] ?? Number.NaN);
}

function lines(stage: Stage, one: string, other: string, network: string): readonly string[] {
  const networks = network === '' ? stage.networks : [network];
  return networks.map((net) => `${one}>${other}@${net}`);
}

function cutBetween(stage: Stage, some: string, others: string, both: boolean): void {
  for (const one of some.split(' and ')) {
    for (const other of others.split(' and ')) {
      for (const cut of lines(stage, other, one, '')) stage.cuts.add(cut);
      if (both) for (const cut of lines(stage, one, other, '')) stage.cuts.add(cut);
    }
  }
}

function cutNetwork(stage: Stage, network: string): void {
  for (const one of stage.nodes.keys()) {
    for (const other of stage.nodes.keys()) {
      for (const cut of lines(stage, one, other, network)) stage.cuts.add(cut);
    }
  }
}

function hang(stage: Stage, name: string): void {
  const node = nodeNamed(stage, name);
  if (node.power !== 'up' || node.hungMs !== undefined) return;
  node.hungMs = stage.now;
  say(stage, node, 'hangs');
}

function wake(stage: Stage, name: string): void {
  const node = nodeNamed(stage, name);
  if (node.hungMs === undefined) return;
  say(stage, node, 'wakes');
  const lateMs = stage.now - node.hungMs;
  node.hungMs = undefined;
  tell(node, stage, { kind: 'late', at: ms(stage.now), lateMs });
}

function order(stage: Stage, on: string, word: ClusterWord): void {
  tell(nodeNamed(stage, on), stage, { kind: 'word', at: ms(stage.now), word });
}

function setUtility(stage: Stage, name: string, on: string, text: string): void {
  const value = text === 'unknown' ? undefined : Number(text);
  const part = partNamed(stage, on, name);
  part.utility = value;
  const hierarchy = part.spec.id;
  const input = { kind: 'utility' as const, at: ms(stage.now), hierarchy, value, why: 'said' };
  tell(nodeNamed(stage, on), stage, input);
}

function crashAgent(stage: Stage, name: string, downMs: number): void {
  const node = nodeNamed(stage, name);
  if (node.power !== 'up') return;
  say(stage, node, 'its agent crashes');
  node.agent = 'gone';
  node.core = undefined;
  node.wish = undefined;
  node.inbox = [];
  node.agentMs = stage.now + downMs;
}

/** A second machine speaks with this node's name, from now on until `seconds` later. */
function impostor(stage: Stage, name: string): void {
  const node = nodeNamed(stage, name);
  const say0 = node.wish?.say;
  if (say0 === undefined) return;
  for (let beat = 1; beat <= 40; beat += 1) {
    const at = stage.now + beat * stage.times.heartbeatMs;
    const said = { ...say0, boot: 7, sequence: beat, sentMs: at, echoes: {} };
    for (const to of stage.nodes.keys()) {
      const network = stage.networks[0] ?? '';
      stage.mail.push({ at, to, input: { kind: 'heartbeat', at: ms(at), network, said } });
    }
  }
}

type Act = (stage: Stage, words: readonly string[]) => void;

const ACTS: readonly (readonly [RegExp, Act])[] = [
  [/^(\w+) loses its power$/, (s, [n = '']) => drop(s, nodeNamed(s, n), 'loses its power', false)],
  [
    /^(\w+) gets power$/,
    (s, [n = '']) => {
      const node = nodeNamed(s, n);
      if (node.power !== 'off') return;
      node.power = 'booting';
      node.upMs = s.now + 30_000;
    },
  ],
  [
    /^(\w+) reboots(?: within (\d+) (s|min))?$/,
    (s, [n = '', time = '30', unit = 's']) => {
      const node = nodeNamed(s, n);
      drop(s, node, 'reboots', true);
      node.upMs = s.now + timeOf(time, unit);
    },
  ],
  [
    /^(\w+) is not yet built$/,
    (s, [n = '']) => {
      nodeNamed(s, n).power = 'off';
    },
  ],
  [
    /^(\w+) will not come back$/,
    (s, [n = '']) => {
      nodeNamed(s, n).returns = false;
    },
  ],
  [/^(\w+) hangs$/, (s, [n = '']) => hang(s, n)],
  [/^(\w+) wakes$/, (s, [n = '']) => wake(s, n)],
  [
    /^the agent of (\w+) hangs$/,
    (s, [n = '']) => {
      if (nodeNamed(s, n).agent === 'up') nodeNamed(s, n).agent = 'hung';
    },
  ],
  [/^the agent of (\w+) crashes$/, (s, [n = '']) => crashAgent(s, n, AGENT_MS)],
  [
    /^the agent of (\w+) crashes for ([\d.]+) (s|min)$/,
    (s, [n = '', time = '', unit = '']) => crashAgent(s, n, timeOf(time, unit)),
  ],
  [/^(net\d) is cut$/, (s, [net = '']) => cutNetwork(s, net)],
  [/^all networks are cut$/, (s) => cutNetwork(s, '')],
  [/^all networks heal$/, (s) => s.cuts.clear()],
  [
    /^([\w ]+) and ([\w ]+) are cut from each other$/,
    (s, [a = '', b = '']) => cutBetween(s, a, b, true),
  ],
  [/^\[([\w ]+)\] is cut from \[([\w ]+)\]$/, (s, [a = '', b = '']) => cutBetween(s, a, b, true)],
  [/^(\w+) does not hear (\w+)$/, (s, [a = '', b = '']) => cutBetween(s, a, b, false)],
  [
    /^one heartbeat in (\d+) is lost$/,
    (s, [n = '0']) => {
      s.lossOneIn = Number(n);
    },
  ],
  [
    /^heartbeats take (\d+) (ms|s)$/,
    (s, [n = '', unit = '']) => {
      s.delayMs = timeOf(n, unit);
    },
  ],
  [
    /^(\w+) cannot reach the disks of (\w+)$/,
    (s, [n = '', h = '']) => {
      partNamed(s, n, h).reach = false;
    },
  ],
  [
    /^(\w+) reaches the disks of (\w+) again$/,
    (s, [n = '', h = '']) => {
      partNamed(s, n, h).reach = true;
    },
  ],
  [
    /^the array of (\w+) (dies|returns)$/,
    (s, [h = '', what = '']) => {
      const disks = s.disks.get(hierarchyNamed(s, h));
      if (disks !== undefined) disks.dead = what === 'dies';
    },
  ],
  [
    /^the table of (\w+) is wiped$/,
    (s, [h = '']) => {
      const disks = s.disks.get(hierarchyNamed(s, h));
      if (disks !== undefined) disks.holder = undefined;
    },
  ],
  [
    /^a stranger takes the disks of (\w+)$/,
    (s, [h = '']) => {
      const disks = s.disks.get(hierarchyNamed(s, h));
      if (disks === undefined) return;
      disks.stranger = true;
      disks.holder = undefined;
    },
  ],
  [
    /^the stranger leaves the disks of (\w+)$/,
    (s, [h = '']) => {
      const disks = s.disks.get(hierarchyNamed(s, h));
      if (disks !== undefined) disks.stranger = false;
    },
  ],
  [/^([\w-]+) crashes on (\w+)$/, (s, [name = '', n = '']) => crash(s, partWith(s, n, name), name)],
  [
    /^([\w-]+) cannot be stopped on (\w+)$/,
    (s, [name = '', n = '']) => {
      for (const one of partWith(s, n, name).services) if (one.name === name) one.stuck = true;
    },
  ],
  [
    /^([\w-]+) does not start on (\w+)$/,
    (s, [name = '', n = '']) => {
      for (const one of partWith(s, n, name).services) if (one.name === name) one.broken = true;
    },
  ],
  [
    /^([\w-]+) is given up on (\w+)$/,
    (s, [name = '', n = '']) => {
      const part = partWith(s, n, name);
      for (const one of part.services) if (one.name === name) one.is = 'down';
      part.latched = `${name} is latched`;
    },
  ],
  [
    /^the utility of (\w+) on (\w+) becomes (\S+)$/,
    (s, [h = '', n = '', v = '']) => setUtility(s, h, n, v),
  ],
  [
    /^on (\w+) an operator moves (\w+) to (\w+)$/,
    (s, [n = '', h = '', to = '']) =>
      order(s, n, { say: 'move', hierarchy: hierarchyNamed(s, h), to: nameOf(to) }),
  ],
  [
    /^on (\w+) an operator moves (\w+) away$/,
    (s, [n = '', h = '']) =>
      order(s, n, { say: 'move', hierarchy: hierarchyNamed(s, h), to: undefined }),
  ],
  [
    /^on (\w+) an operator says (standby|unstandby|freeze|unfreeze)$/,
    (s, [n = '', what = '']) => {
      if (what === 'standby' || what === 'unstandby' || what === 'freeze' || what === 'unfreeze') {
        order(s, n, { say: what });
      }
    },
  ],
  [
    /^on (\w+) an operator confirms that (\w+) is off$/,
    (s, [n = '', off = '']) =>
      order(s, n, { say: 'confirm-off', node: nameOf(off), evidence: 'its lamps are dark' }),
  ],
  [
    /^on (\w+) an operator clears (\w+)$/,
    (s, [n = '', h = '']) => order(s, n, { say: 'clear', hierarchy: hierarchyNamed(s, h) }),
  ],
  [
    /^on (\w+) a rule hands (\w+) over$/,
    (s, [n = '', h = '']) =>
      tell(nodeNamed(s, n), s, {
        kind: 'handover',
        at: ms(s.now),
        hierarchy: hierarchyNamed(s, h),
        why: 'a mirror is lost',
      }),
  ],
  [
    /^on (\w+) a rule shoots (\w+)$/,
    (s, [n = '', target = '']) =>
      tell(nodeNamed(s, n), s, {
        kind: 'shoot',
        at: ms(s.now),
        node: nameOf(target),
        why: 'a rule wants it off',
      }),
  ],
  [
    /^the switch of (\w+) (works|fails|lies)$/,
    (s, [n = '', how = '']) => {
      if (how === 'works' || how === 'fails' || how === 'lies') nodeNamed(s, n).switch = how;
    },
  ],
  [
    /^(\w+) has no watchdog$/,
    (s, [n = '']) => {
      const node = nodeNamed(s, n);
      node.hasWatchdog = false;
      tell(node, s, { kind: 'watchdog', at: ms(s.now), timeoutMs: undefined });
    },
  ],
  [
    /^the configuration of (\w+) differs$/,
    (s, [n = '']) => {
      nodeNamed(s, n).hash = 'two';
      crashAgent(s, n, AGENT_MS);
    },
  ],
  [/^another machine calls itself (\w+)$/, (s, [n = '']) => impostor(s, n)],
  [
    /^md on (\w+) records (\S+) of (\w+) as failed$/,
    (s, [n = '', wwid = '', h = '']) =>
      tell(nodeNamed(s, n), s, {
        kind: 'mirror',
        at: ms(s.now),
        hierarchy: hierarchyNamed(s, h),
        failed: [wwid],
      }),
  ],
  [
    /^([\d.]+) (ms|s|min) pass(?:es)?$/,
    (s, [time = '', unit = '']) => {
      const untilMs = s.now + timeOf(time, unit);
      while (s.now < untilMs) tick(s);
    },
  ],
];

type Sees = (stage: Stage, words: readonly string[]) => boolean;

function runsOn(stage: Stage, h: string, n: string): boolean {
  const state = stateOf(stage, nameOf(n), hierarchyNamed(stage, h));
  const part = partNamed(stage, n, h);
  const owns = ['starting', 'running', 'defending', 'yielding'].includes(state);
  return owns && nodeNamed(stage, n).power === 'up' && part.services.every(({ is }) => is === 'up');
}

/** Ours and uninterrupted: a restart in the node is no interruption. */
function staysOn(stage: Stage, h: string, n: string): boolean {
  const state = stateOf(stage, nameOf(n), hierarchyNamed(stage, h));
  return ['starting', 'running', 'defending', 'yielding'].includes(state);
}

function countOf(counts: ReadonlyMap<HierarchyId, number>, stage: Stage, h: string): number {
  return counts.get(hierarchyNamed(stage, h)) ?? 0;
}

const SIGHTS: readonly (readonly [RegExp, Sees])[] = [
  [/^(\w+) runs on (\w+)$/, (s, [h = '', n = '']) => runsOn(s, h, n)],
  [/^(\w+) stays on (\w+)$/, (s, [h = '', n = '']) => staysOn(s, h, n)],
  [
    /^(\w+) is (\w+) on (\w+)$/,
    (s, [h = '', state = '', n = '']) => stateOf(s, nameOf(n), hierarchyNamed(s, h)) === state,
  ],
  [
    /^(\w+) is not (\w+) on (\w+)$/,
    (s, [h = '', state = '', n = '']) => stateOf(s, nameOf(n), hierarchyNamed(s, h)) !== state,
  ],
  [
    /^(\S+) is up on (\w+)$/,
    (s, [name = '', n = '']) =>
      partWith(s, n, name).services.some((one) => one.name === name && one.is === 'up'),
  ],
  [
    /^(\S+) is not up on (\w+)$/,
    (s, [name = '', n = '']) =>
      !partWith(s, n, name).services.some((one) => one.name === name && one.is === 'up'),
  ],
  [
    /^nothing of (\w+) is up on (\w+)$/,
    (s, [h = '', n = '']) => partNamed(s, n, h).services.every(({ is }) => is === 'down'),
  ],
  [/^nothing moves$/, (s) => [...s.moves.values()].every((count) => count === 0)],
  [/^(\w+) has moved (\d+) times?$/, (s, [h = '', n = '']) => countOf(s.moves, s, h) === Number(n)],
  [
    /^(\w+) was started at most (\d+) times$/,
    (s, [h = '', n = '']) => countOf(s.starts, s, h) <= Number(n),
  ],
  [/^nobody is cut$/, (s) => s.cutsDone === 0],
  [/^(\w+) is off$/, (s, [n = '']) => nodeNamed(s, n).power !== 'up'],
  [
    /^(\w+) lives$/,
    (s, [n = '']) => nodeNamed(s, n).power === 'up' && nodeNamed(s, n).resets === 0,
  ],
  [
    /^(\w+) was reset (\d+) times?$/,
    (s, [n = '', count = '']) => nodeNamed(s, n).resets === Number(count),
  ],
  [
    /^the watchdog of (\w+) is wished to (feed|starve|rest)$/,
    (s, [n = '', want = '']) => nodeNamed(s, n).wish?.watchdog === want,
  ],
  [
    /^(\w+) wishes (\w+) of the disks of (\w+)$/,
    (s, [n = '', want = '', h = '']) =>
      nodeNamed(s, n).wish?.hierarchies.find(({ id }) => id === hierarchyNamed(s, h))?.disks
        .want === want,
  ],
  [
    /^(\w+) excuses (?!nothing)(\S+) of (\w+)$/,
    (s, [n = '', wwid = '', h = '']) => {
      const wish = nodeNamed(s, n).wish?.hierarchies.find(({ id }) => id === hierarchyNamed(s, h));
      return wish?.disks.want === 'keep' && wish.disks.excused.includes(wwid);
    },
  ],
  [
    /^(\w+) excuses nothing of (\w+)$/,
    (s, [n = '', h = '']) => {
      const wish = nodeNamed(s, n).wish?.hierarchies.find(({ id }) => id === hierarchyNamed(s, h));
      return wish?.disks.want === 'keep' && wish.disks.excused.length === 0;
    },
  ],
  [/^(\w+) says "(.*)"$/, (s, [n = '', text = '']) => said(s, nameOf(n), text)],
  [/^(\w+) never says "(.*)"$/, (s, [n = '', text = '']) => !said(s, nameOf(n), text)],
];

function said(stage: Stage, name: NodeName, text: string): boolean {
  return stage.lines.some(({ node, text: line }) => node === name && line.includes(text));
}

function found<T>(table: readonly (readonly [RegExp, T])[], sentence: string) {
  for (const [pattern, does] of table) {
    const match = pattern.exec(sentence);
    if (match !== null) return { does, words: match.slice(1) };
  }
  return undefined;
}

const WITHIN = /^within ([\d.]+) (ms|s|min) (.*)$/;
const FOR = /^for ([\d.]+) (ms|s|min) (.*)$/;
const AT_ONCE = /^now (.*)$/;
const FIRST = /^first (.*)$/;

function seeing(stage: Stage, sentence: string): () => boolean {
  const sight = found(SIGHTS, sentence);
  if (sight === undefined) throw new Error(`not understood: ${sentence}`);
  return () => sight.does(stage, sight.words);
}

function waitFor(stage: Stage, sentence: string, limitMs: number): string | undefined {
  const sees = seeing(stage, sentence);
  const untilMs = stage.now + limitMs;
  while (!sees()) {
    if (stage.now >= untilMs) return `not within ${limitMs} ms: ${sentence}`;
    tick(stage);
  }
  return undefined;
}

function holdFor(stage: Stage, sentence: string, limitMs: number): string | undefined {
  const sees = seeing(stage, sentence);
  const fromMs = stage.now;
  for (; stage.now < fromMs + limitMs; tick(stage)) {
    if (!sees()) return `after ${stage.now - fromMs} ms no longer: ${sentence}`;
  }
  return undefined;
}

/** Plays one sentence; what did not come true comes back in words. */
export function play(stage: Stage, sentence: string): string | undefined {
  const within = WITHIN.exec(sentence);
  if (within !== null) {
    return waitFor(stage, within[3] ?? '', timeOf(within[1] ?? '', within[2] ?? ''));
  }
  const forTime = FOR.exec(sentence);
  if (forTime !== null) {
    return holdFor(stage, forTime[3] ?? '', timeOf(forTime[1] ?? '', forTime[2] ?? ''));
  }
  const now = AT_ONCE.exec(sentence);
  if (now !== null) return seeing(stage, now[1] ?? '')() ? undefined : `not so: ${now[1]}`;
  const first = FIRST.exec(sentence);
  if (first !== null) {
    const failed = waitFor(stage, first[1] ?? '', SETTLE_MS_MAX);
    // What led here is not what is told of.
    stage.moves.clear();
    stage.starts.clear();
    return failed;
  }
  const act = found(ACTS, sentence);
  if (act === undefined) throw new Error(`not understood: ${sentence}`);
  say(stage, undefined, sentence);
  act.does(stage, act.words);
  return undefined;
}
