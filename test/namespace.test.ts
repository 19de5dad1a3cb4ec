/**
 * Real links in a network namespace of our own: the agent runs inside, the far ends are pulled outside.
 * This kernel has no bonds, so the group is configured; bonds are the lab's.
 */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { agentFolder, componentOf, groupOf, removeFolder, startTestAgent } from './fakes/agent.ts';

const INSIDE = `nospof-in-${process.pid}`;
const OUTSIDE = `nospof-out-${process.pid}`;

function ip(...args: readonly string[]): void {
  const run = spawnSync('/usr/sbin/ip', args, { encoding: 'utf8' });
  if (run.status !== 0)
    throw new Error(`ip ${args.join(' ')}: ${run.stderr} (needs root and iproute2)`);
}

function far(name: string, way: 'up' | 'down'): void {
  ip('-n', OUTSIDE, 'link', 'set', `far-${name}`, way);
}

t.before(() => {
  ip('netns', 'add', INSIDE);
  ip('netns', 'add', OUTSIDE);
  for (const name of ['one', 'two']) {
    ip(
      '-n',
      INSIDE,
      'link',
      'add',
      name,
      'type',
      'veth',
      'peer',
      'name',
      `far-${name}`,
      'netns',
      OUTSIDE,
    );
    ip('-n', INSIDE, 'link', 'set', name, 'up');
    far(name, 'up');
  }
});

t.teardown(() => {
  for (const name of [INSIDE, OUTSIDE]) spawnSync('/usr/sbin/ip', ['netns', 'del', name]);
});

const CONFIGURATION = `
groups:
  - {name: uplinks, kind: links, members: [link/one, link/two], needs: 1}
`;

t.test(
  'a pulled far end fails the link and exposes the group; given back, all is as before',
  async (t) => {
    const folder = agentFolder();
    const prefix = ['/usr/sbin/ip', 'netns', 'exec', INSIDE];
    const agent = await startTestAgent({ folder, prefix, configuration: CONFIGURATION });
    t.teardown(async () => {
      await agent.stop();
      removeFolder(folder);
    });
    const standing = (world: Parameters<typeof groupOf>[0]): string | undefined =>
      groupOf(world, 'links/uplinks')?.standing;
    const first = await agent.world();
    t.match(groupOf(first, 'links/uplinks'), {
      standing: 'redundant',
      basis: 'configured',
      margin: { low: 1, high: 1 },
    });
    t.equal(first.vitals.wakeMode, 'kernel', 'the kernel wakes it');

    far('one', 'down');
    const exposed = await agent.until(
      (now) => standing(now) === 'exposed',
      'one link less is exposed',
    );
    t.match(componentOf(exposed, 'link/one'), { health: 'failed' });
    t.match(componentOf(exposed, 'link/two'), { health: 'ok' });

    far('two', 'down');
    const lost = await agent.until((now) => standing(now) === 'lost', 'both gone is lost');
    t.match(groupOf(lost, 'links/uplinks'), { margin: { low: -1, high: -1 } });

    far('one', 'up');
    far('two', 'up');
    const back = await agent.until(
      (now) => standing(now) === 'redundant',
      'both back is redundant',
    );
    t.ok(back.vitals.wakes >= 4, 'by the kernel, not by the period alone');
    t.equal(await agent.stop(), 0);
  },
);

t.test('a link that is deleted and named by the configuration is absent', async (t) => {
  const folder = agentFolder();
  const prefix = ['/usr/sbin/ip', 'netns', 'exec', INSIDE];
  const agent = await startTestAgent({ folder, prefix, configuration: CONFIGURATION });
  t.teardown(async () => {
    await agent.stop();
    removeFolder(folder);
  });
  ip('-n', OUTSIDE, 'link', 'del', 'far-two');
  const gone = await agent.until(
    (now) => componentOf(now, 'link/two')?.health === 'absent',
    'it is absent',
  );
  t.equal(groupOf(gone, 'links/uplinks')?.standing, 'exposed');
});
