/**
 * The simulated world: one thread, virtual microseconds, one seed. It holds everything physical and lets
 * events happen in their order; what the parts do is in the files beside this one, what may never happen is
 * the oracle's.
 */
import type { ProgramInput } from '../../agent/cluster/program-state.ts';
import type { NodeName } from '../../rules/cluster/model.ts';
import { SimDisk } from './disk.ts';
import { Heap } from './heap.ts';
import type { SimHierarchy, SimNode, SimPath } from './parts.ts';
import { type Random, randomOf } from './random.ts';
import { PATHS, type Setup } from './setup.ts';
import { Trace } from './trace.ts';
import type { Watch } from './watch.ts';

/** One direction of one network between two nodes. */
export interface Link {
  cut: boolean;
  loss: number;
  duplicates: number;
  delayUs: number;
  jitterUs: number;
  /** Nothing is delivered before; then all at once. */
  clogUs: number;
}

export type SwitchMood = 'well' | 'dead' | 'stuck' | 'lies' | 'late' | 'busy';

export interface SimSwitch {
  readonly name: string;
  mood: SwitchMood;
  /** Outlets by node: whether they are on, as wired. */
  readonly outlets: Map<string, boolean>;
  /** What it says of outlets it was told to switch off and did not. */
  readonly told: Map<string, boolean>;
}

/** What the parts need of the agents, which need the parts. */
export interface Acts {
  readonly tell: (node: SimNode, input: ProgramInput) => void;
  readonly startAgent: (node: SimNode, why: string) => void;
}

export interface Streams {
  readonly net: Random;
  readonly paths: Random;
  readonly services: Random;
  readonly nodes: Random;
  readonly switches: Random;
}

export class World {
  readonly setup: Setup;
  readonly seed: string;
  us = 0;
  events = 0;
  readonly heap: Heap = new Heap();
  readonly trace: Trace = new Trace();
  readonly disks: SimDisk[];
  readonly nodes: SimNode[];
  /** By network, sender, receiver. */
  readonly links: Link[][][];
  readonly switches: Map<string, SimSwitch> = new Map();
  readonly streams: Streams;
  /** By hierarchy: who started it last, and how often that changed. */
  readonly #tokens: { by: string; token: number }[];
  watch: Watch;
  acts: Acts = { tell: () => undefined, startAgent: () => undefined };
  /** Set when something may never have happened; the run ends there. */
  violation: { readonly invariant: string; readonly why: string } | undefined;

  constructor(setup: Setup, seed: string, watch: (world: World) => Watch) {
    this.setup = setup;
    this.seed = seed;
    this.streams = {
      net: randomOf(seed, 'net'),
      paths: randomOf(seed, 'paths'),
      services: randomOf(seed, 'services'),
      nodes: randomOf(seed, 'nodes'),
      switches: randomOf(seed, 'switches'),
    };
    this.disks = setup.disks.map((wwid, place) => new SimDisk(wwid, place, setup.aptpl));
    this.nodes = setup.nodes.map((name, place) => this.#node(name, place));
    this.links = setup.networks.map(() =>
      setup.nodes.map(() => setup.nodes.map(() => linkOf(this.streams.net))),
    );
    for (const name of ['pdu-a', 'pdu-b']) {
      const outlets = new Map(setup.nodes.map((node): [string, boolean] => [node, true]));
      this.switches.set(name, { name, mood: 'well', outlets, told: new Map() });
    }
    this.#tokens = setup.hierarchies.map(() => ({ by: '', token: 0 }));
    this.watch = watch(this);
  }

  /**
   * What a start stamps on its writes. A start again in the same boot of the same node keeps it: what its
   * kernel writes late is in order with what it wrote before.
   */
  tokenFor(hierarchy: number, by: string): number {
    const last = this.#tokens[hierarchy];
    if (last === undefined) return 0;
    if (last.by !== by) this.#tokens[hierarchy] = { by, token: last.token + 1 };
    return this.#tokens[hierarchy]?.token ?? 0;
  }

  #node(name: NodeName, place: number): SimNode {
    const random = randomOf(this.seed, `node/${name}`);
    const hierarchies = this.setup.hierarchies.map(
      (spec, at): SimHierarchy => ({
        spec,
        place: at,
        services: spec.services.map(({ id, waits }, index) => ({
          id,
          waits,
          place: index,
          state: 'stopped',
          gen: 0,
          failures: 0,
        })),
        wish: { want: 'hold' },
        token: 0,
        dirty: 0,
        failed: undefined,
        latched: undefined,
        utility: 100,
        utilityUs: 0,
        told: '',
        writing: false,
      }),
    );
    return {
      name,
      place,
      feeds: [true, true],
      power: 'off',
      darkUs: undefined,
      bootGen: 0,
      boot: 0,
      bootedUs: 0,
      baseMs: 100_000 + random.whole(0, 1_000_000),
      rate: (1 + (random.next() - 0.5) * 0.02) / 1000,
      hung: 'no',
      deferred: [],
      slow: 1,
      watchdog: { armed: false, atUs: 0, gen: 0 },
      agent: undefined,
      agentGen: 0,
      agentHeldUs: 0,
      tainted: new Set(),
      ailments: { toxic: new Set(), stopHangs: new Set(), dstate: new Set() },
      hierarchies,
      paths: this.disks.map((disk) =>
        Array.from({ length: PATHS }, (_, at) => pathOf(disk, name, at + 1)),
      ),
      drift: new Set(),
      broken: false,
    };
  }

  at(us: number, run: () => void): void {
    this.heap.push(Math.ceil(us), run);
  }

  after(us: number, run: () => void): void {
    this.heap.push(this.us + Math.ceil(us), run);
  }

  /** Something that the kernel of a node does later: not after its death, and only when it is awake. */
  later(node: SimNode, us: number, run: () => void): void {
    const { bootGen } = node;
    const go = (): void => {
      if (node.bootGen !== bootGen) return;
      if (node.hung === 'no') run();
      else node.deferred.push(go);
    };
    this.heap.push(this.us + Math.ceil(us * node.slow), go);
  }

  say(who: string, text: string): void {
    this.trace.say(this.us, who, text);
  }

  fail(invariant: string, why: string): void {
    if (this.violation !== undefined) return;
    this.violation = { invariant, why };
    this.say('oracle', `${invariant}: ${why}`);
  }

  run(untilUs: number): void {
    const { heap, trace, watch } = this;
    while (this.violation === undefined) {
      const event = heap.pop(untilUs);
      if (event === undefined) {
        this.us = untilUs;
        return;
      }
      this.us = event.us;
      this.events += 1;
      trace.mix(event.us);
      event.run();
      watch.check();
    }
  }
}

function linkOf(random: Random): Link {
  const delayUs = random.whole(100, 400);
  return { cut: false, loss: 0, duplicates: 0, delayUs, jitterUs: 100, clogUs: 0 };
}

function pathOf(disk: SimDisk, node: NodeName, number: number): SimPath {
  const nexus = { initiator: `iqn.2026-01.test:${node},i,0x00000000000${number}`, port: number };
  return {
    name: `p${number}`,
    disk,
    nexus,
    nexusName: `${nexus.initiator}@${nexus.port}`,
    fate: 'ok',
    slow: 1,
    epoch: 0,
    held: [],
  };
}
