/** The whole agent on a tree made for it: right values at the end, and one bad file that stays one bad file. */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  agentFolder,
  componentOf,
  groupOf,
  removeFolder,
  startTestAgent,
  type World,
} from './fakes/agent.ts';
import { writeRichTree } from './fakes/tree.ts';

const FAN = 'sys/class/hwmon/hwmon9/fan1_input';

function treeFlags(tree: string): readonly string[] {
  return ['procfs', 'sysfs', 'devfs', 'runfs'].flatMap((flag) => [
    `--${flag}`,
    join(tree, flag.replace('fs', '')),
  ]);
}

/** Health of everything but one, to compare before and after. Counters of the living host are left out. */
function healths(world: World, but: string): Readonly<Record<string, string>> {
  const rest = world.components.filter((one) => one.id !== but);
  return Object.fromEntries(rest.map((one) => [one.id, `${one.health} ${one.why}`]));
}

t.test('a tree is seen as it is, and a hanging file changes one component', async (t) => {
  const folder = agentFolder();
  const tree = join(folder, 'tree');
  writeRichTree(tree);
  const agent = await startTestAgent({ folder, flags: treeFlags(tree) });
  t.teardown(async () => {
    await agent.stop();
    removeFolder(folder);
  });
  const world = await agent.world();
  const fans = world.components.filter((one) => one.kind === 'fan');
  const fan = fans.find((one) => one.gauges.rpm === 1854);
  t.ok(fan, 'the first fan turns at 1854 rpm');
  t.equal(fans.length, 7, 'four of the board monitor, one in each supply, one of the board chip');
  const psus = world.components.filter((one) => one.kind === 'psu');
  t.same(psus.map((one) => one.health).sort(), ['failed', 'ok'], 'one supply has lost its input');
  const mirror = world.groups.find((one) => one.kind === 'mirror');
  t.match(mirror, { standing: 'redundant', needed: 1, basis: 'assumed', healthy: 2 });
  t.equal(componentOf(world, 'link/eth0')?.kind, 'link');
  t.ok(groupOf(world, 'bond/bond0'), 'the bond is a group');
  const blind = world.sights.filter((one) => one.state === 'blind').map((one) => one.id);
  t.same(blind, ['gateways/reach', 'kernel/log'], 'blind is what the tree has nothing of');

  const before = healths(world, fan?.id ?? '');
  rmSync(join(tree, FAN));
  t.equal(spawnSync('/usr/bin/mkfifo', [join(tree, FAN)]).status, 0);
  const hung = await agent.until(
    (now) => componentOf(now, fan?.id ?? '')?.health === 'unknown',
    'the fan behind the FIFO is unknown',
  );
  t.same(healths(hung, fan?.id ?? ''), before, 'and nothing else changed');
  t.match(componentOf(hung, fan?.id ?? '')?.why ?? '', /\S/u, 'and it says why');

  rmSync(join(tree, FAN));
  writeFileSync(join(tree, FAN), '1700\n');
  const back = await agent.until(
    (now) => componentOf(now, fan?.id ?? '')?.gauges.rpm === 1700,
    'the fan is read again',
  );
  t.same(healths(back, fan?.id ?? ''), before);
  const { body } = await agent.get('/metrics');
  t.match(body, `nospof_fan_rpm{component="${fan?.id}"} 1700\n`);
  const promtool = spawnSync('/usr/bin/promtool', ['check', 'metrics'], {
    input: body,
    encoding: 'utf8',
  });
  t.equal(promtool.stdout + promtool.stderr, '', 'promtool has nothing to say of the whole');
  t.equal(await agent.stop(), 0, 'it ends well');
});
