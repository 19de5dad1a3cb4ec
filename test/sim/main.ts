/** `npm run sim`: runs of the simulator by seed, and what came of them. */
import { parseArgs } from 'node:util';
import { faultText } from './plan.ts';
import { type RoundResult, runRound } from './round.ts';
import { lineText } from './trace.ts';

const SAFETY_US = 45 * 60 * 1_000_000;

function show({ seed, world, plan, violation }: RoundResult): void {
  if (violation === undefined) return;
  for (const line of world.trace.lines()) console.log(lineText(line));
  console.log('\nplan:');
  for (const fault of plan) if (fault.atUs <= world.us) console.log(`  ${faultText(fault)}`);
  console.log(`\n${violation.invariant}: ${violation.why}\nseed ${seed} at ${world.us / 1e6} s`);
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    round: { type: 'string' },
    rounds: { type: 'string', default: '10' },
    quiet: { type: 'boolean', default: false },
  },
});
const first = Number(values.round ?? 0);
const count = values.round === undefined ? Number(values.rounds) : 1;
const counts = new Map<string, number>();
let events = 0;
let us = 0;
let failed = 0;
const startedUs = process.cpuUsage().user;
for (let round = first; round < first + count; round += 1) {
  const result = runRound({ seed: `${values.seed}.${round}`, safetyUs: SAFETY_US });
  events += result.world.events;
  us += result.world.us;
  for (const [what, by] of result.world.trace.counts)
    counts.set(what, (counts.get(what) ?? 0) + by);
  if (result.violation !== undefined) {
    failed += 1;
    if (values.quiet)
      console.log(`${result.seed} ${result.violation.invariant}: ${result.violation.why}`);
    else {
      show(result);
      break;
    }
  }
}
const seconds = (process.cpuUsage().user - startedUs) / 1e6;
for (const [what, by] of [...counts].sort()) console.log(`${String(by).padStart(9)} ${what}`);
console.log(
  `${(us / 3.6e9).toFixed(1)} h in ${seconds.toFixed(1)} s: ${(us / 3.6e9 / seconds).toFixed(2)} h/s, ${(events / seconds / 1e6).toFixed(2)} M events/s`,
);
console.log(`${count - failed} passed, ${failed} failed`);
