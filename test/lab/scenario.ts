/**
 * A scenario: a topology, and faults one after the other with what must be seen of each and by when. It
 * is data, read from YAML; what is seen is written as one line each:
 *
 *     fan/i2c-002e/2 is failed: 0 rpm      a component, group or source in that state, and why
 *     array/* has recovering 1             a gauge or fact of a component
 *     beta: kernel/oops is ok              the same, by the agent of that node
 *     node/alpha is off                    a machine: on, off, hung
 *     agent/alpha is answering             its agent: answering, unready, silent
 *     outlet/pdu/3 is off                  what a power switch says of an outlet: on, off, silent
 *
 * `*` in an identity stands for any characters. At least one must match, and all that match must be so.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { DATA } from './host/files.ts';

export interface Sight {
  readonly line: string;
  /** The node whose agent must see it; undefined: the first that runs one. */
  readonly node: string | undefined;
  readonly id: string;
  readonly state: string | undefined;
  readonly why: string | undefined;
  readonly key: string | undefined;
  readonly value: string | undefined;
}

export interface Fault {
  /** Lines of verbs, done in order. */
  readonly verbs: readonly string[];
  /** Function of the kernel whose first call after the fault is when the kernel knew. */
  readonly kernel: string | undefined;
  readonly see: readonly Sight[];
  /** A hang bound in seconds, ten times what is expected. */
  readonly withinS: number;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly topology: string;
  readonly faults: readonly Fault[];
}

const WITHIN_S = 120;
const SIGHT = /^(?:(\w+): )?(\S+) (?:is (\w+)(?:: (.+))?|has (\w+) (.+))$/u;

export function parseSight(line: string): Sight {
  const [whole, node, id = '', state, why, key, value] = SIGHT.exec(line.trim()) ?? [];
  if (whole === undefined) {
    throw new Error(`not understood: ${line} (ID is STATE: WHY, or ID has KEY VALUE)`);
  }
  return { line: whole, node, id, state, why, key, value };
}

interface Given {
  readonly about?: string;
  readonly topology?: string;
  readonly faults?: readonly {
    readonly do?: string | readonly string[];
    readonly kernel?: string;
    readonly see?: readonly string[];
    readonly within?: number;
  }[];
}

const FAULT_KEYS = ['do', 'kernel', 'see', 'within'];

function fault(where: string, given: NonNullable<Given['faults']>[number]): Fault {
  for (const key of Object.keys(given)) {
    if (!FAULT_KEYS.includes(key)) throw new Error(`${where}: unknown key ${key}`);
  }
  const verbs = typeof given.do === 'string' ? [given.do] : (given.do ?? []);
  const see = (given.see ?? []).map(parseSight);
  if (see.length === 0) throw new Error(`${where}: nothing must be seen`);
  return { verbs, kernel: given.kernel, see, withinS: given.within ?? WITHIN_S };
}

export function parseScenario(name: string, text: string): Scenario {
  const given = parse(text) as Given;
  const where = `scenario ${name}`;
  if (given.topology === undefined) throw new Error(`${where} names no topology`);
  const faults = (given.faults ?? []).map((one, index) =>
    fault(`${where}, fault ${index + 1}`, one),
  );
  if (faults.length === 0) throw new Error(`${where} has no faults`);
  return { name, about: given.about ?? '', topology: given.topology, faults };
}

const SCENARIOS = join(DATA, 'scenarios');

export function scenarioNames(): readonly string[] {
  return readdirSync(SCENARIOS)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -5))
    .sort();
}

export function loadScenario(name: string): Scenario {
  return parseScenario(name, readFileSync(join(SCENARIOS, `${name}.yaml`), 'utf8'));
}
