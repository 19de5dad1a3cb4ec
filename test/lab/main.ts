/**
 * `npm run test:lab` and `npm run lab`: the scenarios one after the other with a table of verdicts, or
 * one topology with a prompt. Skips with one line where the lab cannot run; in CI that is a failure.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadBreakages, runBroken } from './broken.ts';
import { measureDetection } from './detection/measure.ts';
import { PEER_PROGRAMS } from './detection/peers.ts';
import { loadDetection } from './detection/spec.ts';
import { tableOf, withTable } from './detection/table.ts';
import { cacheAt, DEFAULT_CACHE, ROOT } from './host/files.ts';
import { makeImage } from './host/image.ts';
import { makeInitramfs } from './host/initramfs.ts';
import { onPath, prepare } from './host/prepare.ts';
import { clearKilled, openRunFolder } from './host/run-folder.ts';
import { prompt } from './prompt.ts';
import { runScenario, type Timing, type Verdict } from './runner.ts';
import { loadScenario, scenarioNames } from './scenario.ts';
import { topologyNames } from './topology.ts';
import type { Host } from './vm/vm.ts';

const HELP = `usage: npm run test:lab -- [--only NAME]... [--repeat N] [--broken] [--why] [--cache DIR] [--json]
       npm run test:lab -- --table [--cache DIR] [--json]
       npm run lab -- [TOPOLOGY] [--port N] [--cache DIR]

test:lab runs the scenarios in test/lab/scenarios, each on machines of its own;
with --why it prints how nospof explains what happened;
with --broken each against a build that is broken on purpose (test/lab/breakages.yaml), and it must go red;
with --table it measures how soon the faults of test/lab/detection.yaml are known, beside other monitors,
and writes the table into README.md.
lab starts a topology of test/lab/topologies and gives a prompt to break parts of it.
`;

function timingText({ fault, detectedMs, by, kernelMs, agentMs, ...later }: Timing): string {
  if (detectedMs === undefined) return `    ${fault}`;
  if (by === 'feed') return `    ${fault}: dead ${detectedMs.toFixed(1)} ms after its last feed`;
  const from = kernelMs ?? (agentMs ?? 0) - detectedMs;
  const after = (what: string, at: number | undefined): string =>
    at === undefined ? '' : `, ${what} after ${(at - from).toFixed(1)} ms`;
  const decided = after('alarm', later.decideMs) + after('ordered', later.orderMs);
  return `    ${fault}: seen ${detectedMs.toFixed(1)} ms after the ${by}${decided}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function report(verdict: Verdict, withWhys: boolean): void {
  const { scenario, passed, why, seconds, timings, figures, whys } = verdict;
  say(`${scenario.padEnd(24)} ${passed ? 'passed' : 'FAILED'} ${seconds.toFixed(1).padStart(7)} s`);
  for (const timing of timings) say(timingText(timing));
  for (const figure of figures) say(`    ${figure}`);
  if (why !== '') say(why.replace(/^/gmu, '    '));
  for (const [name, told] of Object.entries(withWhys ? whys : {})) {
    say(`    $ nospof why ${name}\n${told.trimEnd().replace(/^/gmu, '    ')}\n`);
  }
}

type RunOne = (host: Host, name: string) => Promise<Verdict>;

async function scenarios(
  host: Host,
  names: readonly string[],
  { repeat, json, whys, runOne }: { repeat: number; json: boolean; whys: boolean; runOne: RunOne },
): Promise<number> {
  const verdicts: Verdict[] = [];
  for (let round = 0; round < repeat; round += 1) {
    for (const name of names) {
      const verdict = await runOne(host, name);
      verdicts.push(verdict);
      if (!json) report(verdict, whys);
    }
  }
  const failed = verdicts.filter(({ passed }) => !passed).length;
  if (json) say(JSON.stringify(verdicts, undefined, 2));
  say(`${verdicts.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Measures, and writes the table into the README. */
async function table(host: Host, json: boolean): Promise<number> {
  const missing = PEER_PROGRAMS.filter(([program]) => !onPath(program)).map(([, name]) => name);
  if (missing.length > 0) throw new Error(`install ${missing.join(' ')}`);
  const spec = loadDetection();
  const detection = await measureDetection(host, spec, (measured) => {
    for (const one of measured) process.stderr.write(`${JSON.stringify(one)}\n`);
  });
  const text = tableOf(detection, spec);
  const readme = join(ROOT, 'README.md');
  writeFileSync(readme, withTable(readFileSync(readme, 'utf8'), text));
  say(json ? JSON.stringify(detection, undefined, 2) : text);
  return 0;
}

function chosen(only: readonly string[]): readonly string[] {
  const all = scenarioNames();
  for (const name of only) {
    if (!all.includes(name)) throw new Error(`no scenario ${name}; there are ${all.join(', ')}`);
  }
  return only.length > 0 ? only : all;
}

function positive(text: string | undefined, name: string, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} takes a whole number`);
  return value;
}

const LOOK_FOR_NPM_MS = 1_000;

/** npm that was killed leaves what it ran behind: a lab that nobody waits for any more ends itself. */
function onNpmGone(end: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const npm = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === npm) return;
    clearInterval(timer);
    end();
  }, LOOK_FOR_NPM_MS);
  timer.unref();
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      only: { type: 'string', multiple: true },
      repeat: { type: 'string' },
      cache: { type: 'string' },
      port: { type: 'string' },
      json: { type: 'boolean' },
      why: { type: 'boolean' },
      broken: { type: 'boolean' },
      table: { type: 'boolean' },
    },
  });
  const [verb, topology = 'server'] = positionals;
  if (values.help === true || (verb !== 'test' && verb !== 'prompt')) {
    process.stdout.write(HELP);
    return values.help === true ? 0 : 2;
  }
  const names = chosen(values.only ?? []);
  const repeat = positive(values.repeat, 'repeat', 1);
  const port = positive(values.port, 'port', 0);
  if (!topologyNames().includes(topology)) {
    throw new Error(`no topology ${topology}; there are ${topologyNames().join(', ')}`);
  }
  const cache = cacheAt(values.cache ?? DEFAULT_CACHE);
  const prepared = prepare(cache);
  if (prepared.kind === 'skip') {
    say(`lab: skipped: ${prepared.why}`);
    return 0;
  }
  const { kernel, accel } = prepared;
  for (const line of clearKilled(cache)) process.stderr.write(`lab: ${line}\n`);
  const run = openRunFolder(cache);
  const end = (): void => void run.close().finally(() => process.exit(130));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  onNpmGone(end);
  const initramfs = makeInitramfs(cache, kernel, run);
  const host: Host = { kernel, accel, initramfs, image: makeImage(cache, run), run };
  process.stderr.write(`lab: kernel ${kernel.version}, ${accel}\n`);
  try {
    if (verb === 'prompt') return await prompt(host, topology, port);
    if (values.table === true) return await table(host, values.json === true);
    const breakages = values.broken === true ? loadBreakages() : undefined;
    const runOne: RunOne = (on, name) => {
      const changed = breakages?.[name];
      return changed === undefined
        ? runScenario(on, loadScenario(name))
        : runBroken(on, name, changed);
    };
    const these = breakages === undefined ? names : names.filter((name) => name in breakages);
    const { json = false, why: whys = false } = values;
    return await scenarios(host, these, { repeat, json, whys, runOne });
  } finally {
    await run.close();
  }
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`lab: ${(error as Error).message}\n`);
  process.exit(2);
}
