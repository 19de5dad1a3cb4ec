/**
 * Measures what was promised and prints it beside the promises. A miss is a word in a table, not an exit
 * status: a busy machine is no bug. Needs root and iproute2 for the wakes, node_exporter to compare with.
 *
 *     npm run bench -- [--only NAME[,NAME]] [--quick]
 */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { benchCore } from './core.ts';
import { benchFence } from './fence.ts';
import { benchIdle } from './idle.ts';
import { benchJournal } from './journal.ts';
import { benchLoop } from './loop.ts';
import { type Figure, RESULT_FILE, tableOf } from './report.ts';
import { benchReservation } from './reservation.ts';
import { benchRestart } from './restart.ts';
import { benchScrape } from './scrape.ts';
import { benchStart } from './start.ts';
import { benchWakes } from './wakes.ts';

type Bench = (quick: boolean) => Promise<readonly Figure[]>;

const BENCHES: Readonly<Record<string, Bench>> = {
  core: benchCore,
  journal: benchJournal,
  start: benchStart,
  wakes: benchWakes,
  idle: benchIdle,
  loop: benchLoop,
  restart: benchRestart,
  scrape: benchScrape,
  reservation: benchReservation,
  fence: benchFence,
};

async function measured(name: string, bench: Bench, quick: boolean): Promise<readonly Figure[]> {
  const started = performance.now();
  process.stderr.write(`bench: ${name} ...\n`);
  try {
    return await bench(quick);
  } catch (error) {
    const note = error instanceof Error ? error.message : String(error);
    return [{ bench: name, what: 'not measured', value: undefined, unit: 'count', note }];
  } finally {
    process.stderr.write(
      `bench: ${name} took ${Math.round((performance.now() - started) / 1000)} s\n`,
    );
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, quick: { type: 'boolean', default: false } },
  });
  const names = values.only?.split(',') ?? Object.keys(BENCHES);
  const unknown = names.find((name) => BENCHES[name] === undefined);
  if (unknown !== undefined) {
    process.stderr.write(`no bench '${unknown}': there are ${Object.keys(BENCHES).join(', ')}\n`);
    return 2;
  }
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'processor'}, Node ${process.version}`;
  const load = loadavg()[0] ?? 0;
  const figures: Figure[] = [];
  for (const name of names) {
    const bench = BENCHES[name];
    if (bench !== undefined) figures.push(...(await measured(name, bench, values.quick)));
  }
  const note = `${machine}; load ${load.toFixed(2)} at the start${values.quick ? '; --quick' : ''}`;
  process.stdout.write(`${tableOf(figures)}\n\n${note}\n`);
  writeFileSync(resolve(RESULT_FILE), `${JSON.stringify({ note, figures }, undefined, 2)}\n`);
  return 0;
}

process.exitCode = await main();
