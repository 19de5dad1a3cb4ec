/**
 * What a scrape costs, nospof beside node_exporter over the same made-up machine: asked in turns in one
 * run, after one value in ten has changed and nospof has had its period to see it. Also shown: the time
 * on a processor of a scrape, and how much a scrape makes either of them read.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { monotonicNow } from '../../agent/ports/clock.ts';
import { type Client, openClient } from './client.ts';
import {
  cpuMs,
  EXPORTER,
  familyOf,
  ioOf,
  type Running,
  startExporter,
  startNospof,
  until200,
  workFolder,
} from './process.ts';
import { type Figure, mean, percentile, spread } from './report.ts';
import { LARGE, makeTree, SMALL, type Tree, type TreeSize } from './tree.ts';

/** What a scrape of ours may cost, as a share of theirs. */
const SHARE_MAX = 0.25;
const WARM_UP = 20;
/** Changes are made this long before the second in which the agent reads. */
const CHANGE_BEFORE_MS = 300;
/** From that second to the scrape: reading, parsing and feeding are over by then. */
const SCRAPE_AFTER_MS = 600;
/** What goes on after an answer (collecting garbage) still belongs to it. */
const SETTLE_MS = 15;
const BURST = 60;

interface Side {
  readonly name: 'nospof' | 'exporter';
  readonly client: Client;
  readonly pid: number;
  readonly wallMs: number[];
  readonly cpuMs: number[];
  body: string;
  /** Scrapes that showed the newest value. */
  fresh: number;
}

function sideOf(name: Side['name'], { port }: Running, pid: number): Side {
  return { name, client: openClient(port), pid, wallMs: [], cpuMs: [], body: '', fresh: 0 };
}

/** Some temperature is this one; both sides divide thousandths, each in its own way. */
function shows(body: string, celsius: number): boolean {
  for (const [, value] of body.matchAll(/_celsius\{[^}]*\} (\S+)$/gmu)) {
    if (Math.abs(Number(value) - celsius) < 1e-6) return true;
  }
  return false;
}

async function scrape(side: Side, marker: number): Promise<void> {
  const before = cpuMs(side.pid);
  const { status, body, ms } = await side.client.get('/metrics');
  if (status !== 200) throw new Error(`${side.name} answers ${status} to a scrape`);
  await pause(SETTLE_MS);
  side.cpuMs.push(cpuMs(side.pid) - before);
  side.wallMs.push(ms);
  side.body = body;
  if (shows(body, marker)) side.fresh += 1;
}

/** Sleeps until so many milliseconds after the next whole second of CLOCK_MONOTONIC. */
async function untilAfterSecond(offsetMs: number): Promise<void> {
  const now = monotonicNow();
  await pause((Math.floor(now / 1000) + 1) * 1000 + offsetMs - now);
}

function forget(side: Side): void {
  side.wallMs.length = 0;
  side.cpuMs.length = 0;
  side.fresh = 0;
}

async function inTurns(sides: readonly Side[], tree: Tree, rounds: number): Promise<void> {
  for (let count = 0; count < WARM_UP; count += 1) {
    for (const side of sides) await scrape(side, 0);
  }
  for (const side of sides) forget(side);
  for (let round = 0; round < rounds; round += 1) {
    await untilAfterSecond(-CHANGE_BEFORE_MS);
    tree.change();
    await untilAfterSecond(SCRAPE_AFTER_MS);
    const order = round % 2 === 0 ? sides : sides.toReversed();
    for (const side of order) await scrape(side, tree.marker());
  }
}

interface Burst {
  readonly cpuMs: number;
  readonly bytes: number;
  readonly calls: number;
}

/** A scrape's part of many in a row, with nothing changed. */
async function burst({ client, pid }: Side): Promise<Burst> {
  const before = { cpu: cpuMs(pid), io: ioOf(pid) };
  for (let count = 0; count < BURST; count += 1) await client.get('/metrics');
  await pause(SETTLE_MS);
  const io = ioOf(pid);
  return {
    cpuMs: (cpuMs(pid) - before.cpu) / BURST,
    bytes: (io.bytes - before.io.bytes) / BURST,
    calls: (io.calls - before.io.calls) / BURST,
  };
}

function seriesOf(body: string): number {
  return body.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
}

function shares(bench: string, ours: Side, theirs: Side): readonly Figure[] {
  const figure = (what: string, mine: number, other: number): Figure => ({
    bench,
    what: `${what}, nospof / exporter`,
    value: mine / other,
    unit: 'ratio',
    atMost: SHARE_MAX,
  });
  const at = (share: number): readonly [number, number] => [
    percentile(ours.wallMs, share),
    percentile(theirs.wallMs, share),
  ];
  return [
    figure('scrape p50', ...at(0.5)),
    figure('scrape p99', ...at(0.99)),
    figure('processor time', mean(ours.cpuMs), mean(theirs.cpuMs)),
  ];
}

async function sideFigures(bench: string, side: Side): Promise<readonly Figure[]> {
  const { name, wallMs, cpuMs: cpu, fresh, body } = side;
  const many = await burst(side);
  const of = (what: string, value: number, unit: Figure['unit'], note?: string): Figure => ({
    bench,
    what: `${name} ${what}`,
    value,
    unit,
    ...(note === undefined ? {} : { note }),
  });
  return [
    of('series', seriesOf(body), 'series', `${body.length} bytes`),
    ...spread({ bench, what: `${name} scrape`, unit: 'ms' }, wallMs),
    of('processor time', mean(cpu), 'ms', `mean, ${fresh} of ${wallMs.length} showed the change`),
    of('processor time, unchanged', many.cpuMs, 'ms', `mean of ${BURST} in a row`),
    of('read calls of a scrape', many.calls, 'count', `${Math.round(many.bytes)} bytes`),
  ];
}

async function measure(size: TreeSize, rounds: number, bench: string): Promise<readonly Figure[]> {
  const work = workFolder();
  const started: Running[] = [];
  const machine = join(work.path, 'machine');
  mkdirSync(machine);
  const tree = makeTree(machine, size);
  try {
    const config = join(work.path, 'nospof.yaml');
    writeFileSync(config, 'collectors:\n  sensors:\n    every: 1s\n');
    const nospof = await startNospof(tree, work.path, { config });
    started.push(nospof);
    const exporter = await startExporter(tree);
    if (exporter !== undefined) started.push(exporter);
    for (const one of started) await until200(one, one === nospof ? '/readyz' : '/');
    const api = familyOf(nospof.pid).find(([role]) => role === 'api')?.[1] ?? nospof.pid;
    const ours = sideOf('nospof', nospof, api);
    const theirs = exporter && sideOf('exporter', exporter, exporter.pid);
    const sides = theirs === undefined ? [ours] : [ours, theirs];
    await inTurns(sides, tree, rounds);
    const main = cpuMs(nospof.pid);
    const own = await sideFigures(bench, ours);
    const mainMs = (cpuMs(nospof.pid) - main) / BURST;
    const others = theirs === undefined ? [] : await sideFigures(bench, theirs);
    for (const { client } of sides) client.close();
    const mainNote = 'its own work meanwhile; no scrape reaches it';
    return [
      ...own,
      { bench, what: 'nospof main process', value: mainMs, unit: 'ms', note: mainNote },
      ...others,
      ...(theirs === undefined
        ? [
            {
              bench,
              what: 'nospof / exporter',
              value: undefined,
              unit: 'ratio',
              note: missing,
            } as const,
          ]
        : shares(bench, ours, theirs)),
    ];
  } finally {
    tree.close();
    for (const one of started) await one.stop();
    work.remove();
  }
}

const missing = `no ${EXPORTER}: apt-get install prometheus-node-exporter`;

export async function benchScrape(quick: boolean): Promise<readonly Figure[]> {
  const rounds = quick ? 10 : 60;
  return [
    ...(await measure(SMALL, rounds, 'scrape 80 sensors')),
    ...(await measure(LARGE, rounds, 'scrape 1000 sensors')),
  ];
}
