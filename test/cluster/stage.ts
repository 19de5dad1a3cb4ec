/**
 * A small world for the cluster's core: nodes with the real core, disks that grant and defend as reservations
 * do (told in reports, without SCSI), services that take their time, watchdogs, switches and networks. It
 * moves in ticks of ten milliseconds, without chance. After each tick it checks that no hierarchy has two
 * writers and no address two nodes.
 */

import { echoesOf } from '../../rules/cluster/lives.ts';
import type {
  ClusterDecision,
  ClusterInput,
  ClusterTimes,
  ClusterWish,
  DiskReport,
  HierarchyId,
  HierarchySpec,
  HierarchyWish,
  NodeName,
  ServicesReport,
} from '../../rules/cluster/model.ts';
import { beginCluster, type Cluster, HAVING } from '../../rules/cluster/state.ts';
import { stepCluster } from '../../rules/cluster/step.ts';
import { type Ms, ms } from '../../rules/model.ts';
import { idOf } from './made.ts';

export const TICK_MS = 10;
const COMMAND_MS = 30;
const LOOK_MS = 2000;
const SERVICE_MS = 200;
const KILL_MS = 50;
const RESTART_MS = 500;
const SWITCH_MS = 3000;
const DISCHARGE_MS = 5000;
export const BOOT_MS = 30_000;
export const AGENT_MS = 1000;

interface Key {
  readonly node: NodeName;
  readonly boot: number;
}

/** The disks of one hierarchy together. */
export interface Disks {
  holder: Key | undefined;
  stranger: boolean;
  /** Registered, and not the holder: of the dead as well. */
  challengers: readonly Key[];
  /** Nobody can read it. */
  dead: boolean;
}

export interface Service {
  readonly name: string;
  readonly waits: boolean;
  is: 'down' | 'starting' | 'up' | 'stopping';
  untilMs: number;
  stuck: boolean;
  broken: boolean;
}

/** One hierarchy at one node: its services, and what its arbiter is at. */
export interface Part {
  readonly spec: HierarchySpec;
  readonly services: Service[];
  latched: string | undefined;
  reach: boolean;
  report: DiskReport;
  attempt: number;
  provenMs: number;
  registeredMs: number | undefined;
  from: NodeName | undefined;
  lookMs: number;
  takeMs: number;
  told: string;
  utility: number | undefined;
  failedLegs: readonly string[];
}

export interface StageNode {
  readonly name: NodeName;
  boot: number;
  /** `off`, `booting` until `upMs`, or `up`. */
  power: 'off' | 'booting' | 'up';
  upMs: number;
  agent: 'up' | 'hung' | 'gone';
  agentMs: number;
  /** Everything stands still: no service runs, nothing is fed. */
  hungMs: number | undefined;
  core: Cluster | undefined;
  wish: ClusterWish | undefined;
  dueMs: number;
  inbox: ClusterInput[];
  parts: Map<HierarchyId, Part>;
  fedMs: number | undefined;
  hasWatchdog: boolean;
  sequence: number;
  beatMs: number;
  tainted: HierarchyId[];
  switch: 'works' | 'fails' | 'lies';
  /** Where it is being cut, and by whom. */
  cut:
    | { readonly by: StageNode; readonly offMs: number; readonly endMs: number; done: boolean }
    | undefined;
  hash: string;
  resets: number;
  /** Comes back by itself when the watchdog or it itself has reset it. */
  returns: boolean;
}

export interface Line {
  readonly at: number;
  readonly node: NodeName | undefined;
  readonly text: string;
}

export interface Stage {
  now: number;
  readonly times: ClusterTimes;
  readonly specs: readonly HierarchySpec[];
  readonly nodes: Map<NodeName, StageNode>;
  readonly disks: Map<HierarchyId, Disks>;
  readonly networks: readonly string[];
  /** `FROM>TO@NETWORK` that lose everything. */
  readonly cuts: Set<string>;
  /** Every so many heartbeats one is lost; 0: none. */
  lossOneIn: number;
  delayMs: number;
  readonly mail: { readonly at: number; readonly to: NodeName; readonly input: ClusterInput }[];
  readonly lines: Line[];
  readonly fenceable: readonly NodeName[];
  readonly startsAtOnce: number;
  owners: Map<HierarchyId, NodeName | undefined>;
  moves: Map<HierarchyId, number>;
  starts: Map<HierarchyId, number>;
  cutsDone: number;
  readonly broken: string[];
}

function partOf(spec: HierarchySpec): Part {
  return {
    spec,
    services: spec.services.map(({ id, waits }) => ({
      name: id.replace('service/', ''),
      waits,
      is: 'down',
      untilMs: 0,
      stuck: false,
      broken: false,
    })),
    latched: undefined,
    reach: true,
    report: { is: 'idle', seen: undefined, unreadable: undefined },
    attempt: 0,
    provenMs: Number.NEGATIVE_INFINITY,
    registeredMs: undefined,
    from: undefined,
    lookMs: 0,
    takeMs: 0,
    told: '',
    utility: 1,
    failedLegs: [],
  };
}

function nodeOf(name: NodeName, boot: number, specs: readonly HierarchySpec[]): StageNode {
  return {
    name,
    boot,
    power: 'booting',
    upMs: 0,
    agent: 'gone',
    agentMs: 0,
    hungMs: undefined,
    core: undefined,
    wish: undefined,
    dueMs: 0,
    inbox: [],
    parts: new Map(specs.map((spec) => [spec.id, partOf(spec)])),
    fedMs: undefined,
    hasWatchdog: true,
    sequence: 0,
    beatMs: 0,
    tainted: [],
    switch: 'works',
    cut: undefined,
    hash: 'one',
    resets: 0,
    returns: true,
  };
}

export interface StageOptions {
  readonly names: readonly NodeName[];
  readonly specs: readonly HierarchySpec[];
  readonly times: ClusterTimes;
  readonly networks: number;
  readonly fenceable: readonly NodeName[];
  readonly startsAtOnce: number;
}

export function openStage(options: StageOptions): Stage {
  const { names, specs, times } = options;
  return {
    now: 0,
    times,
    specs,
    nodes: new Map(names.map((name, at) => [name, nodeOf(name, 100 + at, specs)])),
    disks: new Map(
      specs.map(({ id }): [HierarchyId, Disks] => [
        id,
        { holder: undefined, stranger: false, challengers: [], dead: false },
      ]),
    ),
    networks: Array.from({ length: options.networks }, (_, at) => `net${at + 1}`),
    cuts: new Set(),
    lossOneIn: 0,
    delayMs: TICK_MS,
    mail: [],
    lines: [],
    fenceable: options.fenceable,
    startsAtOnce: options.startsAtOnce,
    owners: new Map(),
    moves: new Map(),
    starts: new Map(),
    cutsDone: 0,
    broken: [],
  };
}

export function say(stage: Stage, node: StageNode | undefined, text: string): void {
  stage.lines.push({ at: stage.now, node: node?.name, text });
}

/** All of it ends at once: power, a reset. */
export function drop(stage: Stage, node: StageNode, why: string, returns: boolean): void {
  if (node.power !== 'up') return;
  say(stage, node, why);
  node.power = returns ? 'booting' : 'off';
  node.upMs = stage.now + BOOT_MS;
  node.core = undefined;
  node.wish = undefined;
  node.agent = 'gone';
  node.hungMs = undefined;
  node.fedMs = undefined;
  node.inbox = [];
  for (const part of node.parts.values()) {
    for (const service of part.services) {
      service.is = 'down';
      service.stuck = false;
    }
  }
}

export function startAgent(stage: Stage, node: StageNode): void {
  const config = {
    self: node.name,
    boot: node.boot,
    bootedMs: ms(node.upMs),
    nodes: [...stage.nodes.keys()],
    networks: stage.networks,
    hierarchies: stage.specs,
    times: stage.times,
    fenceable: stage.fenceable,
    startsAtOnce: stage.startsAtOnce,
    hashes: Object.fromEntries(stage.specs.map(({ id }) => [id, node.hash])),
  };
  node.core = beginCluster(config, ms(stage.now));
  node.agent = 'up';
  node.dueMs = stage.now;
  for (const part of node.parts.values()) {
    part.told = '';
    part.report = NOT_READ;
    part.attempt = 0;
    part.lookMs = stage.now + COMMAND_MS;
    const { id: hierarchy, fencedBy } = part.spec;
    if (fencedBy === 'disk') {
      tell(node, stage, { kind: 'disks', at: ms(stage.now), hierarchy, report: NOT_READ });
    }
    part.provenMs = Number.NEGATIVE_INFINITY;
    tell(node, stage, {
      kind: 'utility',
      at: ms(stage.now),
      hierarchy: part.spec.id,
      value: part.utility,
      why: 'said',
    });
  }
  if (!node.hasWatchdog) tell(node, stage, watchdogInput(stage, undefined));
  else if (node.fedMs !== undefined)
    tell(node, stage, watchdogInput(stage, stage.times.watchdogMs));
  if (node.tainted.length > 0) {
    tell(node, stage, { kind: 'resume', at: ms(stage.now), tainted: node.tainted });
  }
}

function watchdogInput(stage: Stage, timeoutMs: number | undefined): ClusterInput {
  return { kind: 'watchdog', at: ms(stage.now), timeoutMs };
}

export function tell(node: StageNode, _stage: Stage, input: ClusterInput): void {
  node.inbox.push(input);
}

function wakes(stage: Stage, node: StageNode): void {
  if (node.power === 'booting' && stage.now >= node.upMs) {
    node.power = 'up';
    node.boot += 100;
    node.tainted = [];
    node.agentMs = stage.now;
    say(stage, node, 'has booted');
  }
  if (node.power === 'up' && node.agent === 'gone' && stage.now >= node.agentMs) {
    startAgent(stage, node);
  }
}

// --- services -------------------------------------------------------------------------------------

function moveServices(stage: Stage, node: StageNode, part: Part): void {
  const wish = wishOf(node, part)?.services;
  for (const service of part.services) {
    if (service.is === 'starting' && stage.now >= service.untilMs) {
      service.is = service.broken ? 'down' : 'up';
      if (service.broken) part.latched = `${service.name} does not start`;
    }
    if (service.is === 'stopping' && stage.now >= service.untilMs && !service.stuck) {
      service.is = 'down';
    }
  }
  if (wish === undefined) return;
  if (wish.want === 'up') {
    startNext(stage, node, part, wish.addresses);
  } else if (wish.want !== 'hold') {
    part.latched = undefined;
    stopNext(stage, part, wish.want === 'killed');
  }
}

function startNext(stage: Stage, node: StageNode, part: Part, addresses: boolean): void {
  if (part.latched !== undefined) return;
  for (const service of part.services) {
    if (service.is === 'up') continue;
    if (service.waits && !addresses) return;
    if (service.is !== 'down' || stage.now < service.untilMs) return;
    service.is = 'starting';
    service.untilMs = stage.now + SERVICE_MS;
    say(stage, node, `starts ${service.name}`);
    return;
  }
}

function stopNext(stage: Stage, part: Part, killed: boolean): void {
  for (const service of part.services.toReversed()) {
    if (service.is === 'down') continue;
    if (killed) {
      if (service.is !== 'stopping' || service.untilMs > stage.now + KILL_MS) {
        service.untilMs = stage.now + KILL_MS;
      }
      service.is = 'stopping';
      continue;
    }
    if (service.is === 'up' || service.is === 'starting') {
      service.is = 'stopping';
      service.untilMs = stage.now + SERVICE_MS;
    }
    return;
  }
}

export function crash(stage: Stage, part: Part, name: string): void {
  for (const service of part.services) {
    if (service.name !== name || service.is !== 'up') continue;
    service.is = 'down';
    service.untilMs = stage.now + RESTART_MS;
  }
}

function servicesReport(part: Part): ServicesReport {
  const running = part.spec.services
    .filter((_, at) => part.services[at]?.is === 'up')
    .map(({ id }) => id);
  const remains = part.services.some(({ is }) => is !== 'down');
  return { running, remains, latched: part.latched, failed: undefined };
}

// --- disks ----------------------------------------------------------------------------------------

export function wishOf(node: StageNode, { spec }: Part): HierarchyWish | undefined {
  return node.wish?.hierarchies.find(({ id }) => id === spec.id);
}

function isOwn(node: StageNode, key: Key | undefined): boolean {
  return key !== undefined && key.node === node.name && key.boot === node.boot;
}

const NOT_READ: DiskReport = {
  is: 'idle',
  seen: undefined,
  unreadable: 'its disk cannot be read',
};

function look(stage: Stage, node: StageNode, part: Part, disks: Disks): DiskReport {
  if (!part.reach || disks.dead) {
    return NOT_READ;
  }
  const { holder } = disks;
  const atMs = ms(stage.now);
  const seen = disks.stranger
    ? { atMs, holder: 'stranger' as const, node: undefined }
    : holder === undefined
      ? { atMs, holder: 'none' as const, node: undefined }
      : isOwn(node, holder)
        ? { atMs, holder: 'own' as const, node: holder.node }
        : {
            atMs,
            holder: holder.node === node.name ? ('former' as const) : ('peer' as const),
            node: holder.node,
          };
  return { is: 'idle', seen, unreadable: undefined };
}

function take(stage: Stage, node: StageNode, part: Part, disks: Disks, silent: boolean): void {
  const { attempt } = part;
  const readable = part.reach && !disks.dead;
  const registered = disks.challengers.some((key) => isOwn(node, key));
  if (part.registeredMs === undefined) {
    if (stage.now < part.takeMs + COMMAND_MS) return;
    if (!readable || disks.stranger) {
      const why = readable ? 'registered by strangers' : 'its disk cannot be read';
      part.report = { is: 'refused', attempt, why };
      return;
    }
    disks.challengers = [...disks.challengers, { node: node.name, boot: node.boot }];
    part.registeredMs = stage.now;
    part.from = disks.holder?.node;
    part.report = { is: 'taking', attempt, registeredMs: ms(stage.now) };
    return;
  }
  if (!registered) {
    part.report = { is: 'alive', attempt, why: 'our key was removed' };
    return;
  }
  const waitMs = silent && disks.holder === undefined ? 0 : stage.times.challengeMs;
  if (stage.now < part.registeredMs + waitMs + COMMAND_MS || !readable) return;
  part.from = disks.holder?.node === node.name ? undefined : disks.holder?.node;
  disks.holder = { node: node.name, boot: node.boot };
  disks.challengers = [];
  part.provenMs = stage.now;
  part.report = owned(stage, part, undefined);
}

function owned(_stage: Stage, part: Part, challenged: string | undefined): DiskReport {
  return {
    is: 'owned',
    provenMs: ms(part.provenMs),
    registeredMs: part.registeredMs as Ms | undefined,
    from: part.from,
    challenged,
  };
}

/** Proves and defends, once every R. */
function keep(stage: Stage, node: StageNode, part: Part, disks: Disks): void {
  const ours = isOwn(node, disks.holder);
  if (part.report.is === 'idle') {
    if (!ours || !part.reach || disks.dead) return;
    part.registeredMs = undefined;
    part.from = undefined;
  } else if (part.report.is !== 'owned' || stage.now < part.provenMs + stage.times.proofMs) {
    return;
  }
  if (!part.reach || disks.dead) {
    if (stage.now - part.provenMs >= stage.times.verifyMs) {
      part.report = { is: 'lost', why: 'not proven in time' };
    }
    return;
  }
  if (!ours) {
    const emptied = disks.holder === undefined && !disks.stranger;
    if (emptied && stage.now - part.provenMs < stage.times.restoreMs) {
      disks.holder = { node: node.name, boot: node.boot };
      return;
    }
    part.report = { is: 'lost', why: disks.stranger ? 'held by a stranger' : 'held by another' };
    return;
  }
  const [challenger] = disks.challengers;
  if (challenger !== undefined) {
    const { node: by } = challenger;
    disks.challengers = [];
    say(stage, node, `removes the key of ${by} from ${part.spec.name}`);
    part.report = owned(stage, part, `challenged by ${by}`);
    return;
  }
  part.provenMs = stage.now;
  part.report = owned(stage, part, undefined);
}

function release(stage: Stage, node: StageNode, part: Part, disks: Disks): void {
  if (part.report.is === 'released') return;
  if (part.report.is !== 'releasing') {
    part.report = { is: 'releasing' };
    part.lookMs = stage.now + COMMAND_MS;
    return;
  }
  if (stage.now < part.lookMs || !part.reach || disks.dead) return;
  if (isOwn(node, disks.holder)) disks.holder = undefined;
  part.report = { is: 'released', whole: true };
}

function idle(stage: Stage, node: StageNode, part: Part, disks: Disks): void {
  disks.challengers = disks.challengers.filter((key) => !isOwn(node, key));
  part.registeredMs = undefined;
  if (part.report.is !== 'idle') {
    // Looked at anew, and until then not known.
    part.report = NOT_READ;
    part.lookMs = stage.now + COMMAND_MS;
  }
  if (stage.now < part.lookMs) return;
  part.lookMs = stage.now + LOOK_MS;
  part.report = look(stage, node, part, disks);
}

function arbitrate(stage: Stage, node: StageNode, part: Part): void {
  const disks = stage.disks.get(part.spec.id);
  const wish = wishOf(node, part)?.disks;
  if (disks === undefined || part.spec.fencedBy !== 'disk') return;
  if (wish === undefined || wish.want === 'none') {
    idle(stage, node, part, disks);
  } else if (wish.want === 'take') {
    if (part.attempt !== wish.attempt) {
      part.attempt = wish.attempt;
      part.registeredMs = undefined;
      part.takeMs = stage.now;
      part.report = { is: 'taking', attempt: wish.attempt, registeredMs: undefined };
    }
    if (part.report.is === 'taking') take(stage, node, part, disks, wish.silent);
  } else if (wish.want === 'keep') {
    keep(stage, node, part, disks);
  } else {
    release(stage, node, part, disks);
  }
}

// --- heartbeats, watchdog, switches ---------------------------------------------------------------

function beat(stage: Stage, node: StageNode): void {
  if (node.wish === undefined || stage.now < node.beatMs) return;
  node.beatMs = stage.now + stage.times.heartbeatMs;
  node.sequence += 1;
  const echoes = node.core === undefined ? {} : echoesOf(node.core);
  const said = { ...node.wish.say, sequence: node.sequence, sentMs: stage.now, echoes };
  for (const [at, network] of stage.networks.entries()) {
    for (const to of stage.nodes.keys()) {
      if (to === node.name || stage.cuts.has(`${node.name}>${to}@${network}`)) continue;
      if (stage.lossOneIn > 0 && (node.sequence + at) % stage.lossOneIn === 0) continue;
      const when = stage.now + stage.delayMs;
      const input: ClusterInput = { kind: 'heartbeat', at: ms(when), network, said };
      stage.mail.push({ at: when, to, input });
    }
  }
}

function deliver(stage: Stage): void {
  const later: typeof stage.mail = [];
  for (const letter of stage.mail.splice(0)) {
    const node = stage.nodes.get(letter.to);
    if (letter.at > stage.now) later.push(letter);
    else if (node !== undefined && node.agent === 'up' && node.hungMs === undefined) {
      tell(node, stage, letter.input);
    }
  }
  stage.mail.push(...later);
}

function feed(stage: Stage, node: StageNode): void {
  const want = node.wish?.watchdog;
  const awake = node.agent === 'up' && node.hungMs === undefined;
  if (awake && node.hasWatchdog) {
    if (want === 'feed') {
      if (node.fedMs === undefined) tell(node, stage, watchdogInput(stage, stage.times.watchdogMs));
      node.fedMs = stage.now;
    } else if (want === 'rest') {
      node.fedMs = undefined;
    }
  }
  if (node.fedMs !== undefined && stage.now - node.fedMs >= stage.times.watchdogMs) {
    node.resets += 1;
    drop(stage, node, 'is reset by its watchdog', node.returns);
  }
}

function orderFences(stage: Stage, node: StageNode): void {
  for (const { node: name } of node.wish?.fences ?? []) {
    const target = stage.nodes.get(name);
    if (target === undefined || target.cut !== undefined) continue;
    const offMs = stage.now + SWITCH_MS;
    target.cut = { by: node, offMs, endMs: offMs + DISCHARGE_MS, done: false };
    say(stage, node, `orders ${name} cut`);
  }
}

function cutting(stage: Stage, target: StageNode): void {
  const { cut } = target;
  if (cut === undefined) return;
  const at = ms(stage.now);
  const told = { kind: 'fence' as const, at, node: target.name };
  if (!cut.done && stage.now >= cut.offMs) {
    cut.done = true;
    if (target.switch === 'fails') {
      target.cut = undefined;
      tell(cut.by, stage, { ...told, outcome: 'failed', why: 'the switch does not answer' });
      return;
    }
    if (target.switch === 'works') {
      stage.cutsDone += 1;
      drop(stage, target, 'loses its power', false);
      target.power = 'off';
    }
  }
  if (stage.now >= cut.endMs) {
    target.cut = undefined;
    const offAt = ms(cut.offMs);
    tell(cut.by, stage, { ...told, outcome: 'off', offAt, why: 'every feed was seen off' });
  }
}

// --- the step -------------------------------------------------------------------------------------

function tellReports(stage: Stage, node: StageNode, part: Part): void {
  const report = servicesReport(part);
  const told = JSON.stringify(report);
  const hierarchy = part.spec.id;
  if (told !== part.told) {
    part.told = told;
    tell(node, stage, { kind: 'services', at: ms(stage.now), hierarchy, report });
  }
}

function write(stage: Stage, node: StageNode, decision: ClusterDecision): void {
  const { hierarchy, from, to, why, refusedBy, taint } = decision;
  const name = hierarchy?.replace('hierarchy/', '');
  const move = to === undefined ? '' : `${from} -> ${to}: `;
  const no = refusedBy === undefined ? '' : ` [${refusedBy}]`;
  say(stage, node, `${name === undefined ? '' : `${name}: `}${move}${why}${no}`);
  if (taint !== undefined) node.tainted.push(taint);
}

function stepNode(stage: Stage, node: StageNode, reports: readonly ClusterInput[]): void {
  if (node.core === undefined) return;
  const inbox = [...node.inbox, ...reports];
  if (inbox.length === 0 && stage.now < node.dueMs) return;
  node.inbox = [];
  const turn = stepCluster(node.core, ms(stage.now), inbox);
  node.core = turn.cluster;
  if (turn.wish.say !== node.wish?.say) node.beatMs = stage.now;
  node.wish = turn.wish;
  node.dueMs = turn.dueAt ?? Number.POSITIVE_INFINITY;
  for (const decision of turn.decisions) write(stage, node, decision);
  if (turn.wish.reset !== undefined) {
    node.resets += 1;
    drop(stage, node, `resets itself: ${turn.wish.reset}`, node.returns);
  }
}

function tickNode(stage: Stage, node: StageNode): void {
  wakes(stage, node);
  if (node.power !== 'up' || node.hungMs !== undefined) return;
  const reports: ClusterInput[] = [];
  for (const part of node.parts.values()) {
    moveServices(stage, node, part);
    if (node.agent !== 'up') continue;
    const before = part.report;
    arbitrate(stage, node, part);
    tellReports(stage, node, part);
    if (part.report !== before) {
      const { report, spec } = part;
      reports.push({ kind: 'disks', at: ms(stage.now), hierarchy: spec.id, report });
    }
  }
  if (node.agent !== 'up') return;
  stepNode(stage, node, reports);
  beat(stage, node);
  orderFences(stage, node);
}

function countOwners(stage: Stage): void {
  for (const { id } of stage.specs) {
    for (const node of stage.nodes.values()) {
      const place = node.core?.layout.placeOf.get(id) ?? -1;
      const state = node.core?.hierarchies[place]?.state;
      if (state === undefined || !HAVING.has(state)) continue;
      const was = stage.owners.get(id);
      if (was === node.name) continue;
      if (was !== undefined && isHaving(stage, was, id)) continue;
      stage.owners.set(id, node.name);
      if (was !== undefined) stage.moves.set(id, (stage.moves.get(id) ?? 0) + 1);
      stage.starts.set(id, (stage.starts.get(id) ?? 0) + 1);
    }
  }
}

export function stateOf(stage: Stage, name: NodeName, id: HierarchyId): string {
  const node = stage.nodes.get(name);
  const place = node?.core?.layout.placeOf.get(id) ?? -1;
  return node?.core?.hierarchies[place]?.state ?? 'gone';
}

function isHaving(stage: Stage, name: NodeName, id: HierarchyId): boolean {
  const state = stateOf(stage, name, id);
  return [...HAVING].some((one) => one === state);
}

/** S1 and S5, after every tick: what a disk fences has one writer, what none fences runs on one node. */
function check(stage: Stage): void {
  for (const { id, name, fencedBy } of stage.specs) {
    const disks = stage.disks.get(id);
    const writers: string[] = [];
    const addresses: string[] = [];
    for (const node of stage.nodes.values()) {
      const services = node.parts.get(id)?.services ?? [];
      if (node.power !== 'up') continue;
      const open = services.some(({ is }) => is === 'up');
      if (open && (fencedBy !== 'disk' || isOwn(node, disks?.holder))) writers.push(node.name);
      if (services.some(({ is, waits }) => waits && is === 'up')) addresses.push(node.name);
    }
    if (writers.length > 1) stage.broken.push(`S1 at ${stage.now}: ${name} written by ${writers}`);
    if (addresses.length > 1) {
      stage.broken.push(`S5 at ${stage.now}: addresses of ${name} on ${addresses}`);
    }
  }
}

export function tick(stage: Stage): void {
  stage.now += TICK_MS;
  deliver(stage);
  for (const node of stage.nodes.values()) tickNode(stage, node);
  for (const node of stage.nodes.values()) {
    if (node.power === 'up') feed(stage, node);
    cutting(stage, node);
  }
  countOwners(stage);
  check(stage);
}

export function hierarchyNamed(stage: Stage, name: string): HierarchyId {
  const id = idOf(name);
  if (!stage.disks.has(id)) throw new Error(`no hierarchy ${name}`);
  return id;
}
