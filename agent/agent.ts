/**
 * Puts the agent together: collectors, probe, kernel wakes, loop and inventory, from one configuration.
 * It decides the order of starting and stopping, and nothing of what is seen. Who looks at the world
 * (the API, the screen) is the caller's.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Collector } from '../collectors/lib/collector.ts';
import type { Config } from '../rules/config.ts';
import { encodeInventory } from '../rules/inventory.ts';
import { idPart, type Ms, type Sample, sourceId, type Vitals } from '../rules/model.ts';
import type { World } from '../rules/world.ts';
import { type Acting, openActing } from './acting.ts';
import { type KernelWake, openWakes, type Wakes } from './kernel/wakes.ts';
import { type Loop, startLoop } from './loop.ts';
import { openReadPorts } from './ports/all.ts';
import { bootId } from './ports/boot.ts';
import { monotonicNow, openWallOffset } from './ports/clock.ts';
import { type InventoryFile, loadInventory, openInventoryFile } from './ports/inventory-file.ts';
import { openProbe, type Probe } from './probe.ts';
import { keepCompiled, rehearse } from './rehearsal.ts';
import { type NodeServices, nodeServices } from './services/take-up.ts';
import { version } from './version.ts';
import { createWatch, type Watch, wakesOf } from './watch.ts';

export interface AgentOptions {
  readonly config: Config;
  readonly collectors: readonly Collector[];
  /** No kernel wakes: periods alone. */
  readonly polling: boolean;
  /** Writes nothing and is woken by nothing: a single look by a command. */
  readonly lookOnly?: boolean;
  readonly onWorld: (world: World, vitals: Vitals, samples: readonly Sample[]) => void;
  readonly onTrouble: (why: string) => void;
}

export interface Agent {
  readonly loop: Loop;
  readonly vitals: () => Vitals;
  /** Begins to act and to write: only for an agent that knows that it is the only one here. */
  readonly takeUp: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** The sources of the enabled collectors, at their configured periods. */
function watchesOf(collectors: readonly Collector[], config: Config, now: Ms): readonly Watch[] {
  return collectors.flatMap((collector) => {
    const change = config.collectors[collector.name];
    if (change?.enabled === false) return [];
    return collector.sources.map((source) => {
      const everyMs = change?.everyMs ?? source.everyMs;
      return createWatch(sourceId(collector.name, source.name), source, everyMs, now);
    });
  });
}

interface Parts {
  readonly loop: Loop;
  readonly probe: Probe;
  readonly wakes: Wakes;
  readonly inventory: InventoryFile | undefined;
  readonly acting: Acting | undefined;
  readonly services: NodeServices;
}

async function closeParts(parts: Parts): Promise<void> {
  const { loop, probe, wakes, inventory, acting, services } = parts;
  loop.close();
  const rest = [inventory?.close(), acting?.close(), services.close()];
  await Promise.all([wakes.close(), probe.close(), ...rest]);
}

/**
 * Node, boot and start: no name of an action is ever used twice, though numbers begin anew with each start.
 * Without a boot id (a container that hides it) the start alone has to do.
 */
function eraOf(config: Config, startedAt: Ms): string {
  return `${idPart(config.node)}-${bootId().slice(0, 8)}-${Math.round(startedAt)}`;
}

const NO_WAKES: Wakes = { mode: 'polling', close: async () => undefined };

/** A single look starts and stops nothing; an agent orders nothing before it is taken up. */
function firstJudgement({ judgement }: Config, lookOnly: boolean): Config['judgement'] {
  return lookOnly ? { ...judgement, services: [] } : { ...judgement, rules: [] };
}

/** The hands first: services order as soon as they are up. */
async function takeUp({ acting, services }: Parts): Promise<void> {
  await acting?.takeUp();
  await services.takeUp();
}

/** The result ends it, or keeps it from beginning. */
function rehearseWhenReady(loop: Loop, watches: readonly Watch[]): () => void {
  let end: (() => void) | undefined;
  let closed = false;
  void loop.ready.then(() => {
    if (!closed) end = rehearse({ watches, snapshot: loop.snapshot, world: loop.world });
  });
  return () => {
    closed = true;
    end?.();
  };
}

export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { config, collectors, onTrouble } = options;
  const startedAt = monotonicNow();
  const lookOnly = options.lookOnly === true;
  if (!lookOnly) keepCompiled();
  const wallOffsetMs = openWallOffset();
  const remembered = await loadInventory(config.stateDir, onTrouble, !lookOnly);
  const inventory = lookOnly ? undefined : openInventoryFile(config.stateDir, onTrouble);
  const tell: Loop['tell'] = (input) => loop?.tell(input);
  const services = nodeServices({ config, tell, onTrouble });
  const hands = { config, wallOffsetMs, tell, services: services.perform, onTrouble };
  const acting = lookOnly ? undefined : openActing(hands);
  const probe = openProbe({ ...config, ports: openReadPorts(config) });
  const watches = watchesOf(collectors, config, startedAt);
  let saved = 0;
  let mode: Vitals['wakeMode'] = 'polling';
  let loop: Loop | undefined;
  let wakes: Wakes | undefined;

  const vitals = (): Vitals => {
    const counts = loop?.counts();
    return {
      node: config.node,
      version: version(),
      wallOffsetMs: wallOffsetMs(),
      startedAt,
      readyAt: counts?.readyAt,
      wakeMode: wakes?.mode ?? mode,
      steps: counts?.steps ?? 0,
      wakes: counts?.wakes ?? 0,
      drops: {
        ...counts?.drops,
        ...probe.drops(),
        ...(acting === undefined ? {} : { journal: acting.journalDropped() }),
      },
    };
  };
  const onWorld = (world: World, samples: readonly Sample[]): void => {
    if (world.inventoryVersion !== saved) {
      saved = world.inventoryVersion;
      inventory?.save(() => encodeInventory(loop?.world() ?? world));
    }
    services.onWorld(world);
    options.onWorld(world, vitals(), samples);
  };
  const early: { wakes: readonly KernelWake[]; at: Ms }[] = [];
  wakes = lookOnly
    ? NO_WAKES
    : await openWakes({
        roots: config.roots,
        wakes: wakesOf(watches),
        pollingOnly: options.polling,
        onTrouble,
        onWake: (found, at) => {
          if (loop === undefined) early.push({ wakes: found, at });
          else loop.wake(found, at);
        },
      });
  mode = wakes.mode;
  // Armed before the first read: what changes from here on is either read or wakes us.
  loop = startLoop({
    watches,
    probe,
    judgement: firstJudgement(config, lookOnly),
    inventory: remembered,
    era: eraOf(config, startedAt),
    onStep: (taken) => acting?.onStep(taken),
    onWorld,
    onTrouble,
  });
  for (const { wakes: found, at } of early) loop.wake(found, at);
  const parts: Parts = { loop, probe, wakes, inventory, acting, services };
  const endRehearsal = lookOnly ? undefined : rehearseWhenReady(loop, watches);
  const close = (): Promise<void> => {
    endRehearsal?.();
    return closeParts(parts);
  };
  return { loop, vitals, takeUp: () => takeUp(parts), close };
}

/** One complete look at the machine: every source read once; what an agent remembered is missed if gone. */
export async function lookOnce(
  options: Pick<AgentOptions, 'config' | 'collectors' | 'onTrouble'>,
): Promise<{ readonly picture: World; readonly vitals: Vitals }> {
  const runDir = await mkdtemp(join(tmpdir(), 'nospof-look-'));
  const config = { ...options.config, runDir };
  const own = { polling: true, lookOnly: true, onWorld: () => {} };
  const agent = await startAgent({ ...options, ...own, config });
  try {
    await agent.loop.ready;
    return { picture: agent.loop.world(), vitals: { ...agent.vitals(), wakeMode: 'once' } };
  } finally {
    await agent.close();
    await rm(runDir, { recursive: true, force: true });
  }
}
