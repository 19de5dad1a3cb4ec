/**
 * The journal of a real agent on a made tree: what it writes while things fail replays byte for byte, after
 * a clean end and after kill -9 in the middle of writing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { agentFolder, componentOf, removeFolder, startTestAgent } from './fakes/agent.ts';
import { until } from './place.ts';

const MAIN = fileURLToPath(new URL('../agent/main.js', import.meta.url));
const KILLS = 8;

/** Two fans of one chip. */
function makeTree(folder: string): { readonly flags: readonly string[]; readonly fan: string } {
  const chip = join(folder, 'tree/sys/class/hwmon/hwmon0');
  for (const made of [chip, join(folder, 'tree/proc'), join(folder, 'tree/run')])
    mkdirSync(made, { recursive: true });
  const files = { name: 'nct6775', fan1_input: '1200', fan2_input: '1180', temp1_input: '30000' };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(chip, name), `${text}\n`);
  const root = (name: string): string => join(folder, 'tree', name);
  const flags = ['--sysfs', root('sys'), '--procfs', root('proc'), '--runfs', root('run')];
  return { flags: [...flags, '--polling'], fan: join(chip, 'fan1_input') };
}

const CONFIGURATION = `
collectors:
  fans: {every: 500ms}
  sensors: {every: 500ms}
limits:
  - {component: 'fan/*', gauge: rpm, below: {failed: 300}}
`;

function replay(...words: readonly string[]): {
  readonly status: number | null;
  readonly said: string;
} {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'replay', ...words], {
    encoding: 'utf8',
  });
  return { status, said: stdout + stderr };
}

function segments(folder: string): number {
  const journal = join(folder, 'state/journal');
  return existsSync(journal) ? readdirSync(journal).length : 0;
}

t.test('a fan that stops and turns again is in the journal, and replays', async (t) => {
  const folder = agentFolder();
  t.teardown(() => removeFolder(folder));
  const { flags, fan } = makeTree(folder);
  const agent = await startTestAgent({ folder, flags, configuration: CONFIGURATION });
  const [id = ''] = (await agent.world()).components
    .filter(({ kind }) => kind === 'fan')
    .map((one) => one.id);
  writeFileSync(fan, '100\n');
  await agent.until((now) => componentOf(now, id)?.health === 'failed', 'fan failed');
  writeFileSync(fan, '1250\n');
  await agent.until((now) => componentOf(now, id)?.health === 'ok', 'fan turns');
  t.equal(await agent.stop(), 0);
  const journal = join(folder, 'state/journal');
  const same = replay(journal);
  t.equal(same.status, 0, same.said);
  t.match(same.said, /every decision is the same, byte for byte/u);

  const other = join(folder, 'other.yaml');
  writeFileSync(other, CONFIGURATION.replace('failed: 300', 'failed: 50'), { mode: 0o600 });
  const changed = replay(journal, '--rules', other);
  t.equal(changed.status, 1);
  t.match(changed.said, new RegExp(`- ${id}: ok -> failed`, 'u'), 'no longer decided');
  t.notMatch(changed.said, /\+ /u, 'and nothing else instead');

  const [first = ''] = readdirSync(journal);
  const path = join(journal, first);
  writeFileSync(path, readFileSync(path, 'utf8').replace('"ok","failed"', '"ok","failing"'));
  const forged = replay(path);
  t.equal(forged.status, 1);
  t.match(forged.said, /decided otherwise\n {2}recorded: .*"failing".*\n {2}replayed: .*"failed"/u);
});

t.test('killed in the middle of writing, every time, what is there replays', async (t) => {
  const folder = agentFolder();
  t.teardown(() => removeFolder(folder));
  const { flags, fan } = makeTree(folder);
  for (let kill = 0; kill < KILLS; kill += 1) {
    const agent = await startTestAgent({ folder, flags, configuration: CONFIGURATION });
    t.ok(await until(() => segments(folder) > kill, 20_000), 'it has begun to write');
    for (let change = 0; change <= kill; change += 1) {
      writeFileSync(fan, change % 2 === 0 ? '100\n' : '1200\n');
      await pause(40 + 11 * kill);
    }
    await agent.stop('SIGKILL');
  }
  const { status, said } = replay(join(folder, 'state/journal'));
  t.equal(status, 0, said);
  t.equal(said.match(/: start, /gu)?.length, KILLS);
});

t.test('replay says what is wrong with what it is given', async (t) => {
  const folder = agentFolder();
  t.teardown(() => removeFolder(folder));
  for (const [path, why] of [
    [join(folder, 'never'), /does not exist/u],
    [folder, /holds no journal/u],
  ] as const) {
    const { status, said } = replay(path);
    t.equal(status, 1);
    t.match(said, why);
  }
  const text = join(folder, 'text.jsonl');
  writeFileSync(text, '{"format":"nospof journal 9"}\n');
  t.match(replay(text).said, /text\.jsonl:1: it does not start with "nospof journal 1"/u);
  writeFileSync(text, '');
  t.match(replay(text).said, /no head/u);
});
