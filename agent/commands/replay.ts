/**
 * `nospof replay`: steps a recorded journal through the core again and says whether it decides the same,
 * or, with other rules, what would have been decided. Exit status 0: all equal; 1: something differs or
 * cannot be read; 2: the arguments are no good.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { openDecoder } from '../../rules/codec.ts';
import type { Rejudge } from '../../rules/replay.ts';
import type { Verdicts } from '../../rules/verdicts.ts';
import { surroundings } from '../config/defaults.ts';
import { loadConfig } from '../config/load.ts';
import { formatProblems } from '../config/problems.ts';
import { JournalError, segmentPaths } from '../explain/read.ts';
import { type Found, replaySegments, type SegmentResult } from '../explain/replay.ts';
import { momentText, spanText, verdictLines } from '../explain/words.ts';
import { loadCollectors } from '../units.ts';
import type { ParsedArgs } from './args.ts';
import { complain, complainLines, print } from './print.ts';

/** Differences told with other rules; there the first is seldom the one that matters. */
const DIFFERENCES_MAX = 200;

/** The verdicts of a recorded text in words; none of nothing. */
function linesOf(text: string): readonly string[] {
  return text === '' ? [] : verdictLines(openDecoder().decode(JSON.parse(text)) as Verdicts);
}

/** Both sides whole: what differs may be one digit. */
function printDifference({ place, unixMs, difference }: Found): void {
  print(`${place}: ${momentText(unixMs)}: decided otherwise`);
  print(`  recorded: ${difference.recorded || 'nothing'}`);
  print(`  replayed: ${difference.replayed || 'nothing'}`);
}

/** With other rules: what is no longer decided (-) and what is decided instead (+). */
function printChange({ place, unixMs, difference }: Found): void {
  const recorded = linesOf(difference.recorded);
  const replayed = linesOf(difference.replayed);
  print(`${place}: ${momentText(unixMs)}`);
  for (const line of recorded) if (!replayed.includes(line)) print(`  - ${line}`);
  for (const line of replayed) if (!recorded.includes(line)) print(`  + ${line}`);
}

function printSegment(result: SegmentResult): void {
  const { name, head, steps, fromUnixMs, toUnixMs, torn, broken, unlike } = result;
  const span = Number.isFinite(toUnixMs) ? `, ${spanText(toUnixMs - fromUnixMs)}` : '';
  const gap = head !== undefined && head.lost > 0 ? `; ${head.lost} steps before it were lost` : '';
  const end = torn ? '; its end is torn (the agent was killed while writing)' : '';
  print(`${name}: ${head?.reason ?? 'no head'}, ${steps} steps${span}${gap}${end}`);
  if (broken !== undefined) complain(broken);
  if (unlike) complain(`${name}: does not begin where the segment before it ended`);
}

/**
 * A configuration judges by all that it says; a folder of rules only changes the rules. Undefined after
 * the problems were printed.
 */
async function rejudgeBy(path: string): Promise<Rejudge | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) {
    const { loadRules } = await import('../ruleset.ts');
    const folder = resolve(path);
    const { rules, problems } = await loadRules({ folder }, folder);
    if (problems.length === 0) return (recorded) => ({ ...recorded, rules });
    complainLines(formatProblems(problems));
    return undefined;
  }
  const names = (await loadCollectors()).map(({ name }) => name);
  const loaded = await loadConfig(path, {}, surroundings(names, { rules: true }));
  if (loaded.ok) return () => loaded.config.judgement;
  complainLines(formatProblems(loaded.problems));
  return undefined;
}

export async function run(args: ParsedArgs): Promise<number> {
  const [path = ''] = args.operands;
  const { rules } = args.values;
  const rejudge = rules === undefined ? undefined : await rejudgeBy(rules);
  if (rules !== undefined && rejudge === undefined) return 2;
  let different = 0;
  let bad = 0;
  const most = rejudge === undefined ? 1 : DIFFERENCES_MAX;
  try {
    const replayed = replaySegments(await segmentPaths(path), {
      rejudge,
      enough: () => different >= most,
      onDifference: (found) => {
        different += 1;
        if (rejudge === undefined) printDifference(found);
        else printChange(found);
      },
    });
    for await (const result of replayed) {
      printSegment(result);
      if (result.broken !== undefined || result.unlike) bad += 1;
    }
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    complain(error.message);
    return 1;
  }
  if (different === 0 && bad === 0) print('every decision is the same, byte for byte');
  else if (different >= most && rejudge !== undefined) print('ended here: too many differences');
  return different > 0 || bad > 0 ? 1 : 0;
}
