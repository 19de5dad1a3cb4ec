/**
 * Faults the kernel has logged since boot, as far back as its ring and ours reach. Only records of
 * facility 0 count: anyone who may write to /dev/kmsg can say "soft lockup", but not as the kernel.
 * The level is what the log still holds, so a fault stays visible until the node boots or newer
 * records push it out. It counts and quotes; whether a device works is for that device's own source.
 *
 * Source: Documentation/ABI/testing/dev-kmsg.
 */
import { componentId, type Observation } from '../../rules/model.ts';
import type { Snapshot, Source } from './collector.ts';
import { MARKERS, type Marker } from './kernel-markers.ts';

/** `priority,sequence,microseconds,flags[,more];text`; fields added before `;` some day are ignored. */
const RECORD = /^(\d{1,10}),\d+,\d+,[^;]*;(.*)$/su;
const LEVEL_MAX = 4;
const LEVELS = 8;
const QUOTE_LENGTH_MAX = 200;
/** Text beyond this cannot change which marker a record bears; it bounds the work of the patterns. */
const TEXT_LENGTH_MAX = 1000;
/** First line of the port's answer, when records were overwritten before anybody read them. */
const LOST = /^# lost (\d{1,15})$/u;

interface Log {
  readonly texts: readonly string[];
  readonly lost: number;
  /** Lines that are neither records nor their continuation. */
  readonly foreign: number;
  readonly records: number;
}

function read(text: string): Log {
  const texts: string[] = [];
  let lost = 0;
  let foreign = 0;
  let records = 0;
  for (const line of text.split('\n')) {
    // A continuation (` SUBSYSTEM=...`) names the device of the record before it: no event of its own.
    if (line === '' || line.startsWith(' ')) continue;
    const match = RECORD.exec(line);
    if (match === null) {
      const note = LOST.exec(line);
      if (note === null) foreign += 1;
      else lost = Number(note[1]);
      continue;
    }
    records += 1;
    const priority = Number(match[1]);
    const isKernel = Math.floor(priority / LEVELS) === 0;
    if (isKernel && priority % LEVELS <= LEVEL_MAX) {
      texts.push((match[2] ?? '').slice(0, TEXT_LENGTH_MAX));
    }
  }
  return { texts, lost, foreign, records };
}

interface Tally {
  readonly count: number;
  readonly newest: string;
  /** Position of the newest record, to tell the newer of two classes. */
  readonly at: number;
}

function count(texts: readonly string[]): ReadonlyMap<Marker, Tally> {
  const tallies = new Map<Marker, Tally>();
  for (const [at, newest] of texts.entries()) {
    const marker = MARKERS.find(({ pattern }) => pattern.test(newest));
    if (marker === undefined) continue;
    tallies.set(marker, { count: (tallies.get(marker)?.count ?? 0) + 1, newest, at });
  }
  return tallies;
}

/** The first line of a record; the kernel writes the ends of further ones as `\\x0a`. */
function quote(text: string): string {
  const [first = ''] = text.split('\\x0a', 1);
  const printable = first.replace(/[^ -~]/gu, '?');
  return printable.length > QUOTE_LENGTH_MAX
    ? `${printable.slice(0, QUOTE_LENGTH_MAX - 3)}...`
    : printable;
}

function verdict(tallies: ReadonlyMap<Marker, Tally>): {
  health: 'ok' | 'failing' | 'failed';
  why?: string;
} {
  for (const health of ['failed', 'failing'] as const) {
    const bad = [...tallies].filter(([marker]) => marker.health === health);
    const worst = bad.sort(([, left], [, right]) => right.at - left.at)[0];
    if (worst === undefined) continue;
    const [{ words }, tally] = worst;
    const times = tally.count === 1 ? 'logged once' : `logged ${tally.count} times, newest`;
    return { health, why: `${words}, ${times}: ${quote(tally.newest)}` };
  }
  return { health: 'ok' };
}

function parse(snapshot: Snapshot): Observation {
  const entry = snapshot.get('kmsg');
  if (entry === undefined || !('text' in entry)) {
    const reason = entry === undefined || 'link' in entry ? 'not read' : (entry.why ?? entry.errno);
    return { kind: 'blind', why: `cannot read the kernel's log: ${reason}` };
  }
  const log = read(entry.text);
  if (log.foreign > 0 && log.records === 0) {
    return { kind: 'blind', why: 'what stands for /dev/kmsg does not hold kernel records' };
  }
  const tallies = count(log.texts);
  const gauges: Record<string, number> = { lost_total: log.lost };
  for (const marker of MARKERS) {
    gauges[`${marker.name}_total`] = tallies.get(marker)?.count ?? 0;
  }
  const reading = {
    component: componentId('kernel', 'log'),
    kind: 'kernel',
    name: "kernel's log",
    ...verdict(tallies),
    gauges,
    facts: {},
    needs: [],
    virtual: true as const,
  };
  return { kind: 'seen', readings: [reading], groups: [], advice: [] };
}

export const log: Source = {
  name: 'log',
  reads: [{ kind: 'kmsg' }],
  wakes: [{ on: 'kmsg' }],
  everyMs: 30_000,
  staleMs: 100_000,
  parse,
};
