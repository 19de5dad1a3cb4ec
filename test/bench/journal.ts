/**
 * What the journal costs: bytes a day and time on a processor, for a node of 80 sensors polled each second of
 * which one in ten moves, with all else read at its usual period; and what reading it back takes. Steps are
 * made as fast as they go and counted as a second each; writing is real, into the temporary folder.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { lastKnown } from '../../agent/explain/live-world.ts';
import { segmentPaths } from '../../agent/explain/read.ts';
import { scan } from '../../agent/explain/scan.ts';
import { openJournal } from '../../agent/ports/journal.ts';
import { ms, type Observation, type SourceId } from '../../rules/model.ts';
import type { Step } from '../../rules/record.ts';
import { step } from '../../rules/step.ts';
import type { Input } from '../../rules/world.ts';
import { reading, seen, spec, worldOf } from '../fakes/readings.ts';
import type { Figure } from './report.ts';

const SENSORS = 80;
const MOVING = SENSORS / 10;
/** Sources beside the sensors, read as often as the shipped collectors are. */
const OTHERS = 24;
const OTHERS_EVERY_S = 5;
const DAY_S = 86_400;
const DAY_BYTES_MAX = 50e6;
const CPU_PERCENT_MAX = 0.1;

const SENSOR = 's/sensors' as SourceId;

function sensors(round: number): Observation {
  return seen(
    Array.from({ length: SENSORS }, (_, index) => {
      const moves = index % (SENSORS / MOVING) === round % (SENSORS / MOVING);
      const celsius = 40 + (moves ? ((round * 7) % 13) / 10 : index / 10);
      const facts = { chip: 'coretemp', label: `core ${index}` };
      return reading(`sensor/s${index}`, 'ok', { gauges: { celsius, maximum: 100 }, facts });
    }),
  );
}

const quiet = seen([reading('link/eth0', 'ok', { facts: { speed: '10000' } })]);

/** Microsecond times, as the loop's. */
function inputsOf(round: number, now: number): readonly Input[] {
  const read = (source: SourceId, observation: Observation, agoMs: number): Input => ({
    kind: 'read',
    source,
    at: ms(Math.round((now - agoMs) * 1000) / 1000),
    observation,
    durationMs: 0.2 + (round % 97) / 1000,
  });
  const others = Array.from({ length: OTHERS / OTHERS_EVERY_S }, (_, index) =>
    read(`o/${(round + index * OTHERS_EVERY_S) % OTHERS}` as SourceId, quiet, 0.1 * index + 0.1),
  );
  return [read(SENSOR, sensors(round), 0.05), ...others];
}

function folderBytes(folder: string): number {
  const path = join(folder, 'journal');
  return readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
}

export async function benchJournal(quick: boolean): Promise<readonly Figure[]> {
  const rounds = quick ? 3_600 : 4 * 3_600;
  const folder = mkdtempSync(join(tmpdir(), 'nospof-bench-journal-'));
  try {
    const specs = [SENSOR, ...Array.from({ length: OTHERS }, (_, i) => `o/${i}` as SourceId)];
    let world = worldOf(specs.map((id) => spec(id, { staleMs: 60_000 })));
    const steps: Step[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const now = ms(Math.round(1000 * round * 1000 + (round % 89) * 11) / 1000);
      const inputs = inputsOf(round, now);
      const before = world;
      world = step(before, now, inputs);
      steps.push({ at: now, inputs, before, after: world });
    }
    const journal = openJournal({
      stateDir: folder,
      version: '0',
      node: 'bench',
      boot: 'bench',
      life: 'bench',
      wallOffsetMs: () => 0,
      onTrouble: (why) => process.stderr.write(`${why}\n`),
      limits: { gatherMs: 0 },
    });
    const before = process.cpuUsage();
    for (const one of steps) {
      journal.record(one);
      // Each second of the real one is a write of its own.
      await turn();
    }
    await journal.close();
    const used = process.cpuUsage(before);
    const cpuMs = (used.user + used.system) / 1000;
    const bytes = folderBytes(folder);
    const started = performance.now();
    await lastKnown(join(folder, 'journal'));
    const known = performance.now();
    await scan(await segmentPaths(join(folder, 'journal')));
    const scanned = performance.now();
    const bench = 'journal';
    const note = `${rounds} steps, ${journal.dropped()} dropped`;
    return [
      {
        bench,
        what: 'a day',
        value: (bytes / rounds) * DAY_S,
        unit: 'bytes',
        atMost: DAY_BYTES_MAX,
        note,
      },
      {
        bench,
        what: 'processor',
        value: cpuMs / rounds / 10,
        unit: '%',
        atMost: CPU_PERCENT_MAX,
        note: 'of one, encoding and writing each second',
      },
      { bench, what: 'last world from the journal', value: known - started, unit: 'ms' },
      {
        bench,
        what: 'scan for why',
        value: scanned - known,
        unit: 'ms',
        note: `${Math.round(bytes / 1000)} kB`,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
