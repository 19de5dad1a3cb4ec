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
  /** Seconds beforehand in which nothing is done: an agent that ran late at its start does not act for a while. */
  readonly calmS: number;
  /** Lines of verbs, done in order. */
  readonly verbs: readonly string[];
  /** Function of the kernel whose first call after the fault is when the kernel knew. */
  readonly kernel: string | undefined;
  readonly see: readonly Sight[];
  /** Texts of decisions that the journal must hold from here to the next fault, in this order. */
  readonly journal: readonly string[];
  /** What `nospof why` must say of a thing when all is over: texts by its name. */
  readonly why: Readonly<Record<string, readonly string[]>>;
  /** What is asked of `nospof whatif` beforehand; what then happens must be what it foresaw. */
  readonly whatif: string | undefined;
  /** A hang bound in seconds, ten times what is expected. */
  readonly withinS: number;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly topology: string;
  readonly faults: readonly Fault[];
  /** Other rules, as a configuration says them, and what `nospof replay` must then tell of this run. */
  readonly otherwise: Otherwise | undefined;
}

export interface Otherwise {
  readonly rules: Readonly<Record<string, unknown>>;
  readonly differs: readonly string[];
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
    readonly journal?: readonly string[];
    readonly why?: Readonly<Record<string, readonly string[]>>;
    readonly whatif?: string;
    readonly calm?: number;
  }[];
  readonly otherwise?: Otherwise;
}

const KEYS = ['about', 'topology', 'faults', 'otherwise'];
const FAULT_KEYS = ['do', 'kernel', 'see', 'within', 'journal', 'why', 'whatif', 'calm'];

function refuseUnknown(where: string, given: object, known: readonly string[]): void {
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) throw new Error(`${where}: unknown key ${key}`);
  }
}

function fault(where: string, given: NonNullable<Given['faults']>[number]): Fault {
  refuseUnknown(where, given, FAULT_KEYS);
  const verbs = typeof given.do === 'string' ? [given.do] : (given.do ?? []);
  const see = (given.see ?? []).map(parseSight);
  if (see.length === 0) throw new Error(`${where}: nothing must be seen`);
  return {
    calmS: given.calm ?? 0,
    verbs,
    kernel: given.kernel,
    see,
    withinS: given.within ?? WITHIN_S,
    journal: given.journal ?? [],
    why: given.why ?? {},
    whatif: given.whatif,
  };
}

export function parseScenario(name: string, text: string): Scenario {
  const given = parse(text) as Given;
  const where = `scenario ${name}`;
  refuseUnknown(where, given, KEYS);
  if (given.topology === undefined) throw new Error(`${where} names no topology`);
  const faults = (given.faults ?? []).map((one, index) =>
    fault(`${where}, fault ${index + 1}`, one),
  );
  if (faults.length === 0) throw new Error(`${where} has no faults`);
  const { about = '', topology, otherwise } = given;
  return { name, about, topology, faults, otherwise };
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
