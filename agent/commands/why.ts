/**
 * `nospof why`: the causal chain of an alarm, an action, a service, a component or a group, from the
 * journal, whether the agent lives or not. Exit status 1: nothing of that name is known, or several are.
 */
import { JournalError, segmentPaths } from '../explain/read.ts';
import { type Happening, scan } from '../explain/scan.ts';
import { storyOf, told } from '../explain/story.ts';
import { lastOf, namesOf, resolve, type Target } from '../explain/target.ts';
import { whyJson, whyLines, worldAfter } from '../explain/why.ts';
import { decisionText, momentText } from '../explain/words.ts';
import type { ParsedArgs } from './args.ts';
import { complain, print } from './print.ts';
import { findJournal } from './state-dir.ts';

const CANDIDATES_MAX = 20;
const RECENT_MAX = 20;

/** Without a name: what was decided lately, to choose from. */
function printRecent(happenings: readonly Happening[]): void {
  const lines = happenings.flatMap(({ unixMs, verdicts }) =>
    (verdicts.d ?? []).map((one) => `${momentText(unixMs)}  ${decisionText(one)}`),
  );
  if (lines.length === 0) print('nothing was decided as far back as the journal goes');
  else print(lines.slice(-RECENT_MAX).join('\n'));
}

function complainUnresolved(word: string, candidates: readonly Target[]): void {
  if (candidates.length === 0) {
    complain(`nothing in the journal is called ${word} (nospof why lists what was decided lately)`);
    return;
  }
  const shown = candidates.slice(0, CANDIDATES_MAX).map(({ kind, id }) => `  ${id} (${kind})`);
  const more = candidates.length - shown.length;
  const rest = more > 0 ? [`  and ${more} more`] : [];
  complain([`${word} may be any of these:`, ...shown, ...rest].join('\n'));
}

async function explain(
  happenings: readonly Happening[],
  target: Target,
  json: boolean,
): Promise<void> {
  const base = storyOf(happenings, target);
  const about = base.decidedIn ?? happenings.at(-1);
  const world = about === undefined ? undefined : await worldAfter(about);
  const story = told(base, happenings, world);
  if (json) print(JSON.stringify(whyJson(story, world), undefined, 2));
  else print(whyLines(story, world).join('\n'));
}

export async function run(args: ParsedArgs): Promise<number> {
  const [word] = args.operands;
  const journal = await findJournal(args);
  if (!journal.ok) {
    complain(journal.message);
    return 2;
  }
  let happenings: readonly Happening[];
  try {
    happenings = await scan(await segmentPaths(journal.folder));
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    complain(error.message);
    return 1;
  }
  if (word === undefined && !args.switches.has('last')) {
    printRecent(happenings);
    return 0;
  }
  const last = args.switches.has('last') ? lastOf(happenings) : undefined;
  const found =
    last === undefined
      ? resolve(word ?? '', namesOf(happenings))
      : ({ ok: true, target: last } as const);
  if (word === undefined && last === undefined) {
    complain('nothing was raised or done as far back as the journal goes');
    return 1;
  }
  if (!found.ok) {
    complainUnresolved(word ?? '', found.candidates);
    return 1;
  }
  await explain(happenings, found.target, args.switches.has('json'));
  return 0;
}
