/** The prompt of `npm run lab`: a person breaks parts of running machines and watches. */
import { createInterface } from 'node:readline/promises';
import { type Lab, startLab } from './lab.ts';
import type { LabNode } from './machine.ts';
import { partsOf } from './parts/all.ts';
import { STATUS } from './parts/system.ts';
import { loadTopology } from './topology.ts';
import type { Host } from './vm/vm.ts';

const FORM_WIDTH = 28;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function verbsOf(lab: Lab): readonly string[] {
  const lines = ['status', 'run PROGRAM ...', 'console', 'help', 'quit'].map((form) => `  ${form}`);
  const seen = new Set<string>();
  for (const { spec } of lab.nodes) {
    for (const { form, about } of partsOf(spec).flatMap(({ verbs }) => verbs)) {
      if (!seen.has(form)) lines.push(`  ${form.padEnd(FORM_WIDTH)} ${about}`);
      seen.add(form);
    }
  }
  return lines;
}

async function status(node: LabNode): Promise<string> {
  const [ended] = await node.vm.guest.runAll([{ argv: STATUS }]);
  return `${ended?.out ?? ''}${ended?.err ?? ''}`;
}

async function obey(lab: Lab, line: string): Promise<void> {
  const [first, ...rest] = line.trim().split(/\s+/u);
  const node = lab.nodes.find(({ url }) => url !== undefined) ?? lab.nodes[0];
  if (node === undefined) return;
  switch (first) {
    case undefined:
    case '':
      return;
    case 'help':
      for (const one of verbsOf(lab)) say(one);
      return;
    case 'status':
      say(await status(node));
      return;
    case 'console':
      say(node.vm.consoleLog());
      return;
    case 'run': {
      const [program, ...args] = rest;
      if (program === undefined) return say('run which program?');
      const [ended] = await node.vm.guest.runAll([{ argv: [program, ...args] }]);
      return say(`${ended?.out ?? ''}${ended?.err ?? ''}[status ${ended?.status ?? 'none'}]`);
    }
    default: {
      const { at } = await lab.act(line);
      say(at === undefined ? 'done' : `done, ${(at / 1000).toFixed(3)} s after boot`);
    }
  }
}

export async function prompt(host: Host, topology: string, port: number): Promise<number> {
  const lab = await startLab(host, loadTopology(topology), port);
  say(`${topology}: ${lab.topology.about}`);
  for (const { name, url } of lab.nodes) {
    if (url !== undefined) say(`${name}: page ${url}/, metrics ${url}/metrics`);
  }
  say('help lists the verbs; quit ends the machines');
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: 'lab> ' });
  lines.prompt();
  for await (const line of lines) {
    if (line.trim() === 'quit') break;
    try {
      await obey(lab, line);
    } catch (error) {
      say((error as Error).message);
    }
    lines.prompt();
  }
  lines.close();
  await lab.close();
  return 0;
}
