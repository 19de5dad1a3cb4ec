/**
 * `npm run sim`: the simulator by seed. One round is one cluster that lives for an hour: everything goes
 * wrong, then a core is healed. A round that fails prints what happened, the smallest plan that still fails,
 * and the command that plays it again.
 */
import { parseArgs } from 'node:util';
import { ci } from './ci.ts';
import { huntAll } from './mutants/hunt.ts';
import { addCounts, reportText, type Sum, startSum, sumUp } from './report.ts';
import { type RoundResult, runRound, SAFETY_US } from './round.ts';
import { showRound } from './show.ts';
import { shrink } from './shrink.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    hours: { type: 'string', default: '5' },
    /** One round of the seed only. */
    round: { type: 'string' },
    nodes: { type: 'string' },
    hierarchies: { type: 'string' },
    /** The whole story of the round, not its end only. */
    story: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
    'until-red': { type: 'string' },
    mutants: { type: 'string' },
    part: { type: 'string', default: '0/1' },
    /** Place in the list of bugs to begin at. */
    from: { type: 'string', default: '0' },
    ci: { type: 'boolean', default: false },
    /** Every round twice: the hashes must be equal. */
    twice: { type: 'boolean', default: false },
  },
});

const HOUR_US = 3_600_000_000;

function sizeOf(): { nodes?: number; hierarchies?: number } {
  const { nodes, hierarchies } = values;
  return {
    ...(nodes === undefined ? {} : { nodes: Number(nodes) }),
    ...(hierarchies === undefined ? {} : { hierarchies: Number(hierarchies) }),
  };
}

function play(round: number): RoundResult {
  const seed = `${values.seed}.${round}`;
  return runRound({ seed, safetyUs: SAFETY_US, size: sizeOf(), whole: values.story });
}

function untilRed(most: number): void {
  for (let round = 0; round < most; round += 1) {
    const { violation } = play(round);
    if (violation === undefined) continue;
    console.log(`red ${violation.invariant} after ${round + 1}`);
    return;
  }
  console.log(`green after ${most}`);
}

function isSame(round: number, result: RoundResult): boolean {
  return play(round).world.trace.hash === result.world.trace.hash;
}

function rounds(sum: Sum): number {
  const first = Number(values.round ?? 0);
  let failed = 0;
  for (let round = first; ; round += 1) {
    if (values.round === undefined ? sum.us >= Number(values.hours) * HOUR_US : round > first)
      break;
    const result = play(round);
    addCounts(sum, result);
    if (values.story) showRound(result, result.plan);
    if (values.twice && !isSame(round, result)) {
      failed += 1;
      console.log(`seed ${result.seed}: two runs, two hashes`);
    }
    if (result.violation === undefined) continue;
    failed += 1;
    if (values['keep-going']) {
      console.log(`seed ${result.seed}: ${result.violation.invariant}: ${result.violation.why}`);
      continue;
    }
    const small = shrink(result, sizeOf());
    showRound(small, small.plan);
    console.log(`\nagain: npm run sim -- --seed ${values.seed} --round ${round}`);
    break;
  }
  console.log(reportText(sum));
  console.log(sumUp(sum, failed));
  return failed;
}

if (values['until-red'] !== undefined) untilRed(Number(values['until-red']));
else if (values.ci) process.exitCode = (await ci()) > 0 ? 1 : 0;
else if (values.mutants !== undefined) {
  const [part = 0, of = 1] = values.part.split('/').map(Number);
  const missed = huntAll(Number(values.mutants), values.seed, (at) => {
    return at >= Number(values.from) && at % of === part;
  });
  process.exitCode = missed > 0 ? 1 : 0;
} else process.exitCode = rounds(startSum()) > 0 ? 1 : 0;
