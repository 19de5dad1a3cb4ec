/** One look by a command, without an agent: it misses what an agent once saw, and writes nothing. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { agentFolder, removeFolder, startTestAgent } from './fakes/agent.ts';
import { writeRichTree } from './fakes/tree.ts';

const MAIN = fileURLToPath(new URL('../agent/main.js', import.meta.url));
const CHIP = 'sys/class/hwmon/hwmon9';

t.test('a fan that went while no agent ran is missed by a single look', async (t) => {
  const folder = agentFolder();
  const tree = join(folder, 'tree');
  const state = join(folder, 'state');
  writeRichTree(tree);
  const roots = ['proc', 'sys', 'dev', 'run'].flatMap((fs) => [`--${fs}fs`, join(tree, fs)]);
  const agent = await startTestAgent({ folder, flags: roots });
  t.teardown(() => removeFolder(folder));
  const fan = (await agent.world()).components.find((one) => one.gauges.rpm === 1854);
  t.ok(fan);
  await agent.stop();

  const look = (): { readonly status: number | null; readonly stdout: string; stderr: string } =>
    spawnSync(
      process.execPath,
      [MAIN, 'run', '--once', '--listen', 'off', '--state', state, '--run', state, ...roots],
      { encoding: 'utf8', env: { ...process.env, COLUMNS: '200' } },
    );
  t.notMatch(look().stdout, /\babsent\b/u);
  for (const file of readdirSync(join(tree, CHIP))) {
    if (file.startsWith('fan1_')) rmSync(join(tree, CHIP, file));
  }
  const kept = readFileSync(join(state, 'inventory.json'), 'utf8');
  const after = look();
  t.equal(after.status, 0);
  t.match(after.stdout, /\babsent\b/u, 'it is not "one fan less"');
  t.match(after.stdout, fan?.name ?? 'no name');
  t.equal(readFileSync(join(state, 'inventory.json'), 'utf8'), kept, 'nothing was written');

  writeFileSync(join(state, 'inventory.json'), 'torn');
  const torn = look();
  t.match(torn.stderr, /is no inventory.*parts that are dead now will not be missed/u);
  t.notMatch(torn.stdout, /\babsent\b/u);
  t.notOk(existsSync(join(state, 'inventory.json.bad')), 'left for an agent to set aside');
});
