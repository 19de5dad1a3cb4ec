/**
 * `nospof whatif`: what the agent of this node would decide, and when, if some readings were others. The
 * world comes from the journal; nothing is touched. Exit status 1: it cannot be told.
 */
import { durationMs } from '../config/words.ts';
import { supposed, suppositionsOf } from '../explain/hypothesis.ts';
import { lastKnown } from '../explain/live-world.ts';
import { JournalError } from '../explain/read.ts';
import { type Assumed, foresee, type Prospect } from '../explain/whatif.ts';
import { momentText, spanText, verdictLines } from '../explain/words.ts';
import type { ParsedArgs } from './args.ts';
import { complain, print } from './print.ts';
import { findJournal } from './state-dir.ts';

const ASSUMED: readonly string[] = ['verified', 'refuted', 'unknown'];
const NAMED_MAX = 10;

function eventLines({ events, untilMs, end, world }: Prospect): readonly string[] {
  const rows = events.flatMap(({ afterMs, verdicts }) =>
    verdictLines(verdicts).map((line) => `+${spanText(afterMs).padEnd(10)} ${line}`),
  );
  const rest =
    end === 'quiet'
      ? `nothing more would happen after ${spanText(untilMs)}`
      : `ended after ${spanText(untilMs)}: ${end}`;
  const standing = world.alarms.filter(({ state }) => state === 'raised').length;
  const alarms = standing === 1 ? '1 alarm stands' : `${standing} alarms stand`;
  return [...(rows.length === 0 ? ['nothing would happen'] : rows), `${rest}; ${alarms} then`];
}

/** Milliseconds of `--for`; NaN when it is no duration. */
function holdOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : (durationMs(text) ?? Number.NaN);
}

/** What is wrong with the arguments; undefined when they are good. */
function complaintOf({ operands, values }: ParsedArgs): string | undefined {
  if (suppositionsOf(operands) === undefined)
    return "write pairs of a name and a state: nospof whatif 'psu/* failed'";
  if (Number.isNaN(holdOf(values.for))) return '--for needs a duration such as 30s, 10m or 2h';
  const { outcome = 'verified' } = values;
  return ASSUMED.includes(outcome) ? undefined : `--outcome is one of ${ASSUMED.join(', ')}`;
}

export async function run(args: ParsedArgs): Promise<number> {
  const complaint = complaintOf(args);
  if (complaint !== undefined) {
    complain(complaint);
    return 2;
  }
  const journal = await findJournal(args);
  if (!journal.ok) {
    complain(journal.message);
    return 2;
  }
  try {
    const { world, unixMs, ended } = await lastKnown(journal.folder);
    const what = supposed(world, suppositionsOf(args.operands) ?? []);
    if (!what.ok) {
      complain(what.message);
      return 1;
    }
    const forMs = holdOf(args.values.for);
    const assumed = (args.values.outcome ?? 'verified') as Assumed;
    const prospect = foresee(world, { supposed: what, forMs, assumed });
    if (args.switches.has('json')) {
      const { events, untilMs, end } = prospect;
      const { alarms, groups } = prospect.world;
      const names = what.names.map(([name, state]) => ({ name, state }));
      print(
        JSON.stringify(
          { unixMs, ended, names, events, untilMs, end, alarms, groups },
          undefined,
          2,
        ),
      );
      return 0;
    }
    const names = what.names.map(([name, state]) => `${name} ${state}`);
    const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : '';
    const hold = forMs === undefined ? '' : ` for ${spanText(forMs)}`;
    const age = ended ? ', when the agent ended' : '';
    print(`supposed${hold}: ${names.slice(0, NAMED_MAX).join(', ')}${more}`);
    print(`on the world of ${momentText(unixMs)}${age}; each action comes out ${assumed}`);
    print(eventLines(prospect).join('\n'));
    return 0;
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    complain(error.message);
    return 1;
  }
}
