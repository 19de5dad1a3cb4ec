/**
 * The cluster's conversations in words, `test/scenarios/cluster/*.yaml`, played with the real core on the
 * stage. ONLY=NAME plays those whose name has it, and prints what was said.
 */
import t from 'tap';
import { playScenario, readScenarios, transcript } from './scenario.ts';

const only = process.env.ONLY;

for (const scenario of readScenarios()) {
  if (only !== undefined && !scenario.name.includes(only)) continue;
  const { stage, failed } = playScenario(scenario);
  if (only !== undefined) process.stdout.write(`# ${scenario.name}\n${transcript(stage)}\n`);
  t.equal(failed, undefined, `${scenario.file}: ${scenario.name}`, {
    ...(failed === undefined ? {} : { said: transcript(stage).split('\n').slice(-40) }),
  });
}
