/**
 * What a part of a machine is: how QEMU is told to build it in, how the machine's system is set up for
 * it, and the verbs that break and mend it. Each part is one file.
 */
import type { Power } from '../host/power.ts';
import type { RunFolder } from '../host/run-folder.ts';
import type { NodeSpec } from '../topology.ts';
import type { Vm } from '../vm/vm.ts';

/** A machine before it is built. */
export interface Plan {
  readonly name: string;
  readonly spec: NodeSpec;
  readonly run: RunFolder;
  /** The switches that feed it; undefined: the topology has none. */
  readonly power: Power | undefined;
  /** How often it was booted before; its disks keep what they hold. */
  readonly boots: number;
  /** UDP port of the multicast group that stands for a network between machines. */
  readonly networkPort: (network: string) => number;
  /** Figures that verbs measured, each in a line for a person. */
  readonly figures: string[];
  /** Whether this network joins several machines. */
  readonly shared: (network: string) => boolean;
}

/** A machine that runs. */
export interface Node extends Plan {
  readonly vm: Vm;
  /** Boots it again after it ended. */
  readonly start: () => Promise<void>;
}

export interface Verb {
  /** `fan stop N`: words in capitals stand for arguments. */
  readonly form: string;
  readonly about: string;
  /**
   * Does it. Resolves when it has happened, with the machine's monotonic milliseconds where the machine
   * itself told them.
   */
  readonly act: (node: Node, args: readonly string[]) => Promise<number | undefined>;
}

export interface Part {
  readonly name: string;
  readonly has: (spec: NodeSpec) => boolean;
  /** Arguments for QEMU. */
  readonly build?: (plan: Plan) => Promise<readonly string[]>;
  /** What the machine's system does at boot for it. */
  readonly settle?: (node: Node) => Promise<void>;
  /** Ends what this host ran for it. */
  readonly unbuild?: (name: string) => void;
  readonly verbs: readonly Verb[];
}

/** One program of the machine, run to its end; gives its output. */
export async function run(node: Node, ...argv: [string, ...string[]]): Promise<string> {
  const [ended] = await node.vm.guest.run(argv);
  return ended?.out ?? '';
}

export async function modprobe(node: Node, ...modules: readonly string[]): Promise<void> {
  await node.vm.guest.run(['modprobe', '-a', ...modules]);
}

export async function writeTo(node: Node, path: string, text: string): Promise<number> {
  return (await node.vm.guest.write(path, text)).at;
}

/** Asks until it is so; a hang bound, not a measure. */
export async function until(
  what: string,
  withinMs: number,
  is: () => Promise<boolean>,
): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await is())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}
