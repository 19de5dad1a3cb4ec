/**
 * The prompt of `npm run lab`: a person breaks parts of running machines and watches. What the agents
 * come to see is printed as it changes, so that nobody has to ask.
 */
import { createInterface, type Interface } from 'node:readline';
import type { World } from '../../exporters/status/json.ts';
import { tableLines } from '../../exporters/status/table.ts';
import { viewOf } from '../../exporters/status/view.ts';
import { type Lab, startLab } from './lab.ts';
import type { LabNode } from './machine.ts';
import { addressed, partsOf } from './parts/all.ts';
import { loadTopology } from './topology.ts';
import type { Host } from './vm/vm.ts';

const FORM_WIDTH = 28;
const COLUMNS = 100;
const LOOK_EVERY_MS = 1_000;
const REQUEST_MS = 10_000;
const CONSOLE_LINES = 40;
const OWN: readonly (readonly [string, string])[] = [
  ['status', 'what the agents see now'],
  ['run PROGRAM ...', 'runs a program in the machine'],
  ['console', "the last lines of the machine's console"],
  ['help', 'this list'],
  ['quit', 'ends the machines'],
];

function formsOf({ spec }: LabNode): readonly (readonly [string, string])[] {
  return partsOf(spec).flatMap(({ verbs }) =>
    verbs.map(({ form, about }) => [form, about] as const),
  );
}

/** Verbs of the first node, and of each further one those that it alone has, with its name before them. */
export function verbLines(lab: Pick<Lab, 'nodes'>): readonly string[] {
  const seen = new Set<string>();
  const line = (form: string, about: string): string => `  ${form.padEnd(FORM_WIDTH)} ${about}`;
  const lines = OWN.map(([form, about]) => line(form, about));
  const first = nodeFor(lab, undefined);
  const nodes = [first, ...lab.nodes.filter((node) => node !== first)];
  for (const node of nodes) {
    for (const [form, about] of formsOf(node)) {
      if (!seen.has(form)) lines.push(line(node === first ? form : `${node.name}: ${form}`, about));
      seen.add(form);
    }
  }
  if (nodes.length > 1) {
    lines.push(
      `  NODE: before a line means that node (${nodes.map(({ name }) => name).join(', ')})`,
    );
  }
  return lines;
}

function nodeFor({ nodes }: Pick<Lab, 'nodes'>, name: string | undefined): LabNode {
  const found = nodes.find((one) => (name === undefined ? one.spec.agent : one.name === name));
  if (found === undefined) throw new Error(`no node ${name ?? 'with an agent'}`);
  return found;
}

async function worldOf({ url }: LabNode): Promise<World> {
  const answer = await fetch(`${url}/api/v1/world`, { signal: AbortSignal.timeout(REQUEST_MS) });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return (await answer.json()) as World;
}

async function status(node: LabNode): Promise<string> {
  if (!node.isOn()) return `${node.name} is off`;
  if (node.url === undefined) return `${node.name} runs, without an agent`;
  try {
    const world = await worldOf(node);
    const view = viewOf(world, world.vitals, world.old ? world.ageMs : undefined);
    const colour = process.stdout.isTTY === true;
    const columns = process.stdout.columns ?? COLUMNS;
    return tableLines(view, { columns, rows: undefined, colour }).join('\n');
  } catch (error) {
    return `the agent on ${node.name} does not answer: ${(error as Error).message}`;
  }
}

async function runIn(node: LabNode, words: readonly string[]): Promise<string> {
  const [program, ...args] = words;
  if (program === undefined) return 'run which program?';
  const [ended] = await node.vm.guest.runAll([{ argv: [program, ...args] }]);
  return `${ended?.out ?? ''}${ended?.err ?? ''}[status ${ended?.status ?? 'none'}]`;
}

/** What a line of the prompt gives to read. */
export async function obey(lab: Lab, line: string): Promise<string> {
  const { name, rest } = addressed(line.trim());
  const [first = '', ...words] = rest.split(/\s+/u);
  const node = nodeFor(lab, name);
  switch (first) {
    case '':
      return '';
    case 'help':
      return verbLines(lab).join('\n');
    case 'status': {
      const said: string[] = [];
      for (const one of name === undefined ? lab.nodes : [node]) said.push(await status(one));
      return said.join('\n\n');
    }
    case 'console':
      return node.vm.consoleLog().split('\n').slice(-CONSOLE_LINES).join('\n');
    case 'run':
      return runIn(node, words);
    default: {
      const { at } = await lab.act(line);
      return at === undefined ? 'done' : `done, ${(at / 1000).toFixed(3)} s after boot`;
    }
  }
}

type States = ReadonlyMap<string, string>;

export function statesOf({ components, groups }: Pick<World, 'components' | 'groups'>): States {
  return new Map<string, string>([
    ...components.map(
      ({ id, health, why }) => [id, why === '' ? health : `${health}: ${why}`] as const,
    ),
    ...groups.map(({ id, standing }) => [`${id} (group)`, standing] as const),
  ]);
}

/** One line for each thing that is not what it was. */
export function changes(before: States, after: States): readonly string[] {
  const lines: string[] = [];
  for (const [id, state] of after) {
    const was = before.get(id);
    if (was === undefined) lines.push(`${id} is ${state}`);
    // The number in a reason may change at every reading.
    else if (was.replace(/\d+/gu, '') !== state.replace(/\d+/gu, ''))
      lines.push(`${id} was ${was.split(':')[0]}, is ${state}`);
  }
  for (const id of before.keys()) if (!after.has(id)) lines.push(`${id} is no longer reported`);
  return lines;
}

async function follow(
  node: LabNode,
  say: (line: string) => void,
  ended: () => boolean,
): Promise<void> {
  let before = statesOf(await worldOf(node));
  let wasOn = true;
  while (!ended()) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    if (ended()) return;
    if (node.isOn() !== wasOn) say(`${node.name}: the machine is ${wasOn ? 'off' : 'booting'}`);
    wasOn = node.isOn();
    if (!wasOn) continue;
    try {
      const after = statesOf(await worldOf(node));
      for (const line of changes(before, after)) say(`${node.name}: ${line}`);
      before = after;
    } catch {
      // It hangs, boots or is stopped: it is asked again, and `status` says what is the matter.
    }
  }
}

function complete(lab: Lab, line: string): [string[], string] {
  const forms = [...OWN.map(([form]) => form), ...formsOf(nodeFor(lab, undefined)).map(([f]) => f)];
  const hits = forms.filter((form) => form.startsWith(line));
  // What is to be filled in is shown, and not typed for the person.
  const typed = hits.map((form) => form.replace(/ [A-Z].*$/u, ' '));
  return [[...new Set(typed)], line];
}

function say(lines: Interface, text: string): void {
  process.stdout.write(`\r\u001b[K${text}\n`);
  lines.prompt(true);
}

export async function prompt(host: Host, topology: string, port: number): Promise<number> {
  const given = loadTopology(topology);
  process.stderr.write(`lab: ${given.about}; booting, about half a minute\n`);
  const lab = await startLab(host, given, port);
  let over = false;
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    prompt: 'lab> ',
    completer: (line: string) => complete(lab, line),
  });
  for (const { name, url } of lab.nodes) {
    if (url !== undefined) process.stdout.write(`${name}: page ${url}/, metrics ${url}/metrics\n`);
  }
  process.stdout.write(
    'help lists the verbs, quit ends the machines; what changes is printed here\n',
  );
  for (const node of lab.nodes) {
    if (node.url === undefined) continue;
    const tell = (line: string): void => {
      if (!over) say(lines, `  ${line}`);
    };
    follow(node, tell, () => over).catch(() => undefined);
  }
  lines.on('SIGINT', () => lines.close());
  lines.prompt();
  for await (const line of lines) {
    if (line.trim() === 'quit') break;
    const said = await obey(lab, line).catch((error: Error) => error.message);
    if (said !== '') process.stdout.write(`${said}\n`);
    lines.prompt();
  }
  over = true;
  lines.close();
  await lab.close();
  return 0;
}
