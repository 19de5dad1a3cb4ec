/**
 * What of the lab can be told without a machine: its data is well-formed, every scenario uses verbs its
 * topology has, and what is seen is compared in the right way.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { worldOf } from '../exporters/status/json.ts';
import type { Action, Alarm, Decision } from '../rules/decision.ts';
import type { Component, ComponentId, Group, GroupId, Picture, Vitals } from '../rules/model.ts';
import { ms } from '../rules/model.ts';
import { loadBreakages } from './lab/broken.ts';
import { cacheAt, DIST } from './lab/host/files.ts';
import { clearKilled, openRunFolder } from './lab/host/run-folder.ts';
import { essences, missingText, unlike } from './lab/journal.ts';
import { addressed, findVerb, PARTS, partsOf } from './lab/parts/all.ts';
import { changes } from './lab/prompt.ts';
import { loadScenario, parseScenario, parseSight, scenarioNames } from './lab/scenario.ts';
import { seenOf } from './lab/sight.ts';
import { loadTopology, parseTopology, topologyNames } from './lab/topology.ts';
import { lineReader } from './lab/vm/protocol.ts';

t.test('every scenario names a topology there is and verbs it has', async (t) => {
  for (const name of scenarioNames()) {
    const scenario = loadScenario(name);
    const { nodes } = loadTopology(scenario.topology);
    t.match(scenario.about, /\S/u, `${name} says what it is about`);
    t.ok(scenario.faults[0]?.verbs.length === 0, `${name} first sees that all is well`);
    for (const line of scenario.faults.flatMap(({ verbs }) => verbs)) {
      const { name: node, rest } = addressed(line);
      const spec =
        node === undefined ? Object.values(nodes).find(({ agent }) => agent) : nodes[node];
      if (spec === undefined) t.fail(`${name}: no node for ${line}`);
      else t.doesNotThrow(() => findVerb(spec, rest), `${name}: ${line}`);
    }
  }
});

t.test('every verb is used by a scenario', async (t) => {
  const lines = scenarioNames()
    .flatMap((name) => loadScenario(name).faults.flatMap(({ verbs }) => verbs))
    .map((line) => addressed(line).rest);
  const unused = PARTS.flatMap(({ verbs }) => verbs.map(({ form }) => form)).filter((form) => {
    const pattern = new RegExp(`^${form.replace(/\b[A-Z]+\b/gu, '\\S+')}$`, 'u');
    return !lines.some((line) => pattern.test(line));
  });
  // Used by the detection table.
  t.strictSame(unused, ['chip lose', 'chip return', 'map read']);
});

t.test('every topology says what it is, has an agent, and no verb twice', async (t) => {
  for (const name of topologyNames()) {
    const { about, nodes } = loadTopology(name);
    t.match(about, /\S/u);
    t.ok(Object.values(nodes).some(({ agent }) => agent));
    for (const spec of Object.values(nodes)) {
      const forms = partsOf(spec).flatMap(({ verbs }) => verbs.map(({ form }) => form));
      t.equal(new Set(forms).size, forms.length, name);
    }
  }
});

t.test('every scenario has a breakage, whose line is in the build', async (t) => {
  const breakages = loadBreakages();
  const missing = scenarioNames().filter((name) => !(name in breakages));
  // It is about the lab's own wiring: what is broken there is seen by lab-power.test.ts.
  t.strictSame(missing, ['power']);
  for (const [name, { in: file, from, to }] of Object.entries(breakages)) {
    const text = readFileSync(join(DIST, file), 'utf8');
    t.equal(text.split(from).length, 2, `${name}: ${file} has the text once`);
    t.not(from, to);
  }
});

t.test('mistakes in the data are refused', async (t) => {
  const wired = (feed: string, more = ''): string =>
    `switches: { p: { kind: snmp, outlets: 2 }, b: { kind: ipmi } }\nnodes: { a: { feeds: [${feed}] }${more} }`;
  t.throws(() => parseTopology('x', wired('p/3')), /no outlet p\/3/u);
  t.throws(() => parseTopology('x', wired('q/1')), /no outlet q\/1/u);
  t.throws(() => parseTopology('x', wired('b/1')), /no outlet b\/1/u);
  t.throws(() => parseTopology('x', wired('p/1', ', c: { feeds: [p/1] }')), /p\/1 feeds a/u);
  t.throws(() => parseTopology('x', wired('p/1', ', c: { chassis: p }')), /kind ipmi/u);
  t.throws(() => parseTopology('x', 'switches: { p: { kind: x } }\nnodes: { a: {} }'), /kind is/u);
  t.throws(() => parseTopology('x', 'nodes: { a: { fan: 1 } }'), /unknown key fan/u);
  t.throws(() => parseTopology('x', 'nodes: { a: { hardware: [fan] } }'), /unknown hardware fan/u);
  t.throws(() => parseTopology('x', 'about: nothing'), /has no nodes/u);
  t.throws(() => parseScenario('x', 'faults: []'), /names no topology/u);
  t.throws(() => parseScenario('x', 'topology: a\nfaults: [{ do: b }]'), /nothing must be seen/u);
  t.throws(() => parseScenario('x', 'topology: a\nfaults: [{ kernal: b }]'), /unknown key kernal/u);
  t.throws(() => parseScenario('x', 'topology: a\nfault: []'), /unknown key fault/u);
  t.throws(() => parseSight('fan failed'), /not understood/u);
  const { nodes } = loadTopology('fans');
  const [spec] = Object.values(nodes);
  if (spec !== undefined) t.throws(() => findVerb(spec, 'ac lose'), /no such verb/u);
});

function component(id: string, health: Component['health'], why: string): Component {
  const empty = { gauges: { rpm: 0 }, facts: {}, needs: [], sources: [] };
  const rest = { kind: 'fan', name: id, since: ms(7), unproven: false, ignored: false };
  return { id: id as ComponentId, health, why, ...rest, ...empty };
}

const VITALS: Vitals = {
  node: 'alpha',
  version: '0',
  wallOffsetMs: 0,
  startedAt: ms(0),
  readyAt: ms(0),
  wakeMode: 'kernel',
  steps: 0,
  wakes: 0,
  drops: {},
};

t.test('what is seen is the world and the metrics, and all that match', async (t) => {
  const group: Group = {
    id: 'fan/a' as GroupId,
    kind: 'fans',
    name: 'a',
    members: [],
    needed: 1,
    basis: 'assumed',
    healthy: 1,
    margin: { low: 0, high: 0 },
    standing: 'exposed',
    degraded: false,
    since: ms(9),
  };
  const picture: Picture = {
    at: ms(10),
    components: [component('fan/a', 'failed', '0 rpm'), component('fan/b', 'ok', '')],
    groups: [group],
    sights: [],
    advice: [],
    alarms: [],
    services: [],
    maintenance: [],
  };
  const world = worldOf(picture, VITALS, 0, false);
  const metrics = [
    'nospof_component_health{component="fan/a",health="failed"} 1',
    'nospof_component_health{component="fan/b",health="ok"} 1',
    'nospof_group_standing{group="fan/a",standing="exposed"} 1',
  ].join('\n');
  const see = (line: string, text = metrics): ReturnType<typeof seenOf> =>
    seenOf(parseSight(line), world, text);
  t.match(see('fan/a is failed: 0 rpm'), { ok: true, since: 7 });
  t.match(see('fan/a is exposed'), { ok: true, since: 9 }, 'a group of the same identity');
  t.match(see('fan/a has rpm 0'), { ok: true });
  t.match(see('fan/a has rpm 1'), { ok: false });
  t.match(see('fan/* is failed'), { ok: false, instead: /fan\/b is ok/u }, 'one of them is not');
  t.match(see('fan/c is failed'), { ok: false, instead: /no fan\/c/u }, 'nothing matches');
  t.match(see('fan/a is failed: 1 rpm'), { ok: false }, 'for another reason');
  t.match(see('fan/a is failed', metrics.replace('} 1', '} 0')), { ok: false }, 'metrics differ');
});

function alarm(id: string, state: Alarm['state']): Alarm {
  const [rule = '', subject = ''] = id.split('@');
  return {
    id: id as Alarm['id'],
    rule,
    subject: subject as Alarm['subject'],
    severity: 'warning',
    state,
    since: ms(8),
    raisedAt: ms(8),
    summary: 'a has stopped',
    labels: {},
    mutedBy: undefined,
    shadow: false,
    sequence: 1,
    holds: true,
    held: true,
    heldSince: ms(8),
    unknownSince: undefined,
    steady: undefined,
    onsets: [],
    undo: [],
    rung: { kind: 'exhausted' },
  };
}

t.test('an alarm is seen in the world and the metrics, a cleared one by its absence', async (t) => {
  const picture: Picture = {
    at: ms(10),
    components: [component('fan/a', 'failed', '0 rpm')],
    groups: [],
    sights: [],
    advice: [],
    alarms: [alarm('fan-stopped@fan/a', 'raised'), alarm('late@node', 'pending')],
    services: [],
    maintenance: [],
  };
  const metrics =
    'nospof_alarm{rule="fan-stopped",subject="fan/a",severity="warning",state="raised"} 1';
  const see = (line: string, text = metrics): ReturnType<typeof seenOf> =>
    seenOf(parseSight(line), worldOf(picture, VITALS, 0, false), text);
  t.strictSame(see('fan-stopped@fan/* is raised'), { ok: true, instead: '', since: undefined });
  t.match(see('fan-stopped@fan/* is raised', ''), { ok: false }, 'the metrics lack it');
  t.match(see('late@node is raised'), { ok: false, instead: /late@node is pending/u });
  t.match(see('fan-stopped@fan/a is cleared'), { ok: false, instead: /is raised: a has stopped/u });
  t.match(see('other@node is cleared'), { ok: true });
});

t.test('decisions are compared without what differs from run to run', async (t) => {
  const raised = (name: string): Decision => ({
    kind: 'alarm',
    alarm: alarm(`${name}@fan/a`, 'raised'),
    from: 'none',
    because: { values: {}, guards: [], text: '' },
  });
  const order = (id: string): Decision => ({
    kind: 'action',
    action: {
      id: id as Action['id'],
      order: { kind: 'notify' },
      because: { alarm: 'x@fan/a' as Alarm['id'], rung: 0, values: {}, guards: [], text: '' },
      at: ms(1),
      deadlineAt: ms(2),
    },
  });
  const outcome = (id: string, result: 'verified' | 'unknown'): Decision => ({
    kind: 'outcome',
    action: id as Action['id'],
    outcome: { result, evidence: id },
  });
  const foreseen = essences([{ d: [raised('x'), order('1')] }, { d: [outcome('1', 'verified')] }]);
  t.same(foreseen, [
    'x@fan/a: none -> raised [warning], explained by nothing',
    'notify for x@fan/a, rung 0',
    'notify for x@fan/a, rung 0: verified',
  ]);
  t.equal(
    unlike(
      foreseen,
      essences([
        { d: [raised('x'), raised('late'), order('7')] },
        { d: [outcome('7', 'verified')] },
      ]),
    ),
    '',
  );
  t.match(
    unlike(foreseen, essences([{ d: [raised('x'), order('7'), outcome('7', 'unknown')] }])),
    /^- .*verified\n\+ .*unknown$/u,
  );
  t.match(unlike(foreseen, [...foreseen].reverse()), /in another order/u);
  t.equal(missingText(['a b', 'c', 'a d'], ['b', 'a d']), undefined);
  t.equal(missingText(['a b', 'c'], ['c', 'a']), 'a', 'their order counts');
});

t.test('a line may name the node that must see it', async (t) => {
  t.match(parseSight('beta: fan/a is failed: 0 rpm'), { node: 'beta', id: 'fan/a', why: '0 rpm' });
  t.match(parseSight('fan/a has rpm 0'), { node: undefined, key: 'rpm', value: '0' });
});

t.test('the prompt tells what changed, once', async (t) => {
  const before = new Map([
    ['fan/a', 'ok'],
    ['fan/b', 'failed: 1 rpm'],
    ['fan/c', 'ok'],
  ]);
  const after = new Map([
    ['fan/a', 'failed: 0 rpm'],
    ['fan/b', 'failed: 2 rpm'],
    ['fan/d', 'ok'],
  ]);
  t.strictSame(changes(before, after), [
    'fan/a was ok, is failed: 0 rpm',
    'fan/d is ok',
    'fan/c is no longer reported',
  ]);
});

t.test('lines are cut wherever the bytes are', async (t) => {
  const lines: string[] = [];
  const take = lineReader((line) => lines.push(line));
  for (const chunk of ['{"a":', '1}\n{"b"', ':2}\n', '\n{"c":3}']) take(chunk);
  t.strictSame(lines, ['{"a":1}', '{"b":2}']);
});

t.test('what a killed lab left is cleared, what runs is not', async (t) => {
  // Not below the checkout: its path may be too long for a socket's name.
  const folder = mkdtempSync(join(tmpdir(), 'nospof-lab-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const cache = cacheAt(folder);
  mkdirSync(join(cache.runs, '1'), { recursive: true });
  // Process 1 lives, but did not start at that time: its folder is left from a lab that is gone.
  writeFileSync(join(cache.runs, '1/processes'), '1 12345678901234\n');
  const own = openRunFolder(cache);
  t.match(clearKilled(cache), [/cleared a lab that was killed \(1; 0 processes were left\)/u]);
  t.strictSame(readdirSync(cache.runs), [String(process.pid)]);
  const child = own.spawn(['sleep', '600'], 'sleep');
  t.type(child.pid, 'number');
  await own.close();
  t.equal(child.signalCode, 'SIGKILL');
  t.strictSame(readdirSync(cache.runs), []);
});
